//! `{ add }`: values added to the selected ones.

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
    /// Adds values that broadcast to the selection, such as a steering vector.
    #[derive(Debug, Clone, PartialEq, Serialize)]
    pub struct Add {
        /// The summands.
        pub add: Values,
    }
}

impl Resolve for Add {
    const FORM: Form = Form::Object { key: "add", optional: &[], shown: "{ add }" };

    fn resolve(&self, context: &ResolveContext) -> Result<Box<dyn Effect>> {
        let values = FittedValues::new(&self.add, context)?;
        Ok(Box::new(AddEffect { at: context.scope.at.clone(), values }))
    }
}

struct AddEffect {
    at: String,
    values: FittedValues,
}

impl Effect for AddEffect {
    fn apply(
        &mut self,
        value: &Tensor,
        selection: Selection,
        visit: VisitContext,
    ) -> Result<Tensor> {
        let values = self.values.at(visit.point);
        let Some(selection) = selection.covered_by(values) else { return Ok(value.clone()) };
        let added = selection.broadcast(&self.at, values)?;
        selection.replace(value, &(value + added)?)
    }

    fn python(&self, number: usize, scope: &Scope, _: TextLength) -> Option<PythonLine<'_>> {
        Some(self.values.python("+=", number, scope))
    }
}
