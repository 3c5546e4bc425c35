//! `"zero"`: 0 at every selected element.

use serde::{Serialize, Serializer};

use super::set::SetEffect;
use crate::error::Result;
use crate::intervene::effect::{Effect, Form, Resolve, ResolveContext};
use crate::intervene::fitted::FittedValues;

/// Replaces the selected values with 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Zero;

impl Serialize for Zero {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str("zero")
    }
}

impl Resolve for Zero {
    const FORM: Form = Form::Word("zero");

    fn resolve(&self, context: &ResolveContext) -> Result<Box<dyn Effect>> {
        let zero = FittedValues::number(0.0);
        Ok(Box::new(SetEffect { at: context.scope.at.clone(), values: zero }))
    }
}
