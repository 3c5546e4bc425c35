//! `{ set }`: values in place of the selected ones.

use candle_core::Tensor;
use serde::Serialize;

use crate::error::Result;
use crate::intervene::effect::{Effect, Form, Resolve, ResolveContext};
use crate::intervene::fitted::FittedValues;
use crate::intervene::python::PythonLine;
use crate::intervene::selection::{Scope, Selection, VisitContext};
use crate::intervene::types::{TextLength, Values};
use crate::wire::options;

options! {
    /// Replaces the selected values with values that broadcast to the selection.
    #[derive(Debug, Clone, PartialEq, Serialize)]
    pub struct Set {
        /// The new values.
        pub set: Values,
    }
}

impl Resolve for Set {
    const FORM: Form = Form::Object { key: "set", optional: &[], shown: "{ set }" };

    fn resolve(&self, context: &ResolveContext) -> Result<Box<dyn Effect>> {
        let values = FittedValues::new(&self.set, context)?;
        Ok(Box::new(SetEffect { at: context.scope.at.clone(), values }))
    }
}

pub(super) struct SetEffect {
    pub(super) at: String,
    pub(super) values: FittedValues,
}

impl Effect for SetEffect {
    fn apply(
        &mut self,
        value: &Tensor,
        selection: Selection,
        visit: VisitContext,
    ) -> Result<Tensor> {
        let values = self.values.at(visit.point);
        let Some(selection) = selection.covered_by(values) else { return Ok(value.clone()) };
        selection.replace(value, &selection.broadcast(&self.at, values)?)
    }

    fn python(&self, number: usize, scope: &Scope, _: TextLength) -> Option<PythonLine<'_>> {
        Some(self.values.python("=", number, scope))
    }
}
