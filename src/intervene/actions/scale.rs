//! `{ scale }`: the selected values times a number.

use candle_core::Tensor;
use serde::Serialize;

use crate::error::Result;
use crate::intervene::effect::{Effect, Form, Resolve, ResolveContext};
use crate::intervene::python::{self, PythonLine};
use crate::intervene::selection::{Scope, Selection, VisitContext};
use crate::intervene::types::TextLength;
use crate::wire::{number, options};

options! {
    /// Multiplies the selected values by a number.
    #[derive(Debug, Clone, PartialEq, Serialize)]
    pub struct Scale {
        /// The factor.
        #[serde(serialize_with = "number::serialize")]
        pub scale: f32,
    }
}

impl Resolve for Scale {
    const FORM: Form = Form::Object { key: "scale", optional: &[], shown: "{ scale }" };

    fn resolve(&self, context: &ResolveContext) -> Result<Box<dyn Effect>> {
        let scale = self.scale;
        match scale.is_finite() {
            true => Ok(Box::new(ScaleEffect(scale))),
            false => Err(context.error(format!("scales by {scale}, expected a finite number"))),
        }
    }
}

struct ScaleEffect(f32);

impl Effect for ScaleEffect {
    fn apply(&mut self, value: &Tensor, selection: Selection, _: VisitContext) -> Result<Tensor> {
        selection.replace(value, &(value * f64::from(self.0))?)
    }

    fn python(&self, _: usize, _: &Scope, _: TextLength) -> Option<PythonLine<'_>> {
        Some(PythonLine::new(format!("y[part] *= {}", python::number(self.0)), &[]))
    }
}
