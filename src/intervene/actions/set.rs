//! `{ set }`: values in place of the selected ones.

use candle_core::Tensor;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::intervene::effect::{Effect, Form, Resolve, ResolveContext};
use crate::intervene::python::PythonLine;
use crate::intervene::selection::{Scope, Selection, VisitContext, rows_of};
use crate::intervene::types::{TextLength, Values};
use crate::named_array::NamedArray;
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
        let values = fitting_values(&self.set, context)?;
        Ok(Box::new(SetEffect { at: context.scope.at.clone(), values }))
    }
}

pub(super) struct SetEffect {
    pub(super) at: String,
    pub(super) values: NamedArray,
}

impl Effect for SetEffect {
    fn apply(&mut self, value: &Tensor, selection: Selection, _: VisitContext) -> Result<Tensor> {
        let Some(selection) = selection.covered_by(&self.values) else { return Ok(value.clone()) };
        selection.replace(value, &selection.broadcast(&self.at, &self.values)?)
    }

    fn python(&self, _: usize, scope: &Scope, _: TextLength) -> Option<PythonLine<'_>> {
        Some(PythonLine::assign("=", &self.values, scope))
    }
}

/// The array of `values`, once its length fits its shape and its rows fit the selected positions.
pub(super) fn fitting_values(values: &Values, context: &ResolveContext) -> Result<NamedArray> {
    let (array, at) = (values.to_array(), &context.scope.at);
    let expected = array.expected_length();
    if array.data.is_empty() || Some(array.data.len()) != expected {
        let expected =
            expected.map_or("more than can be counted".into(), |count| count.to_string());
        let (found, shape) = (array.data.len(), &array.shape);
        return Err(Error::Input(format!(
            "{found} values for shape {shape:?} at `{at}`, expected {expected}"
        )));
    }
    let selected = context.selected_positions();
    let mut rows = context.scope.points.iter().filter_map(|point| rows_of(&array, *point));
    match rows.find(|rows| ![1, selected].contains(rows)) {
        Some(rows) => Err(Error::Input(format!(
            "values for {rows} positions at `{at}`, expected 1 or the {selected} selected ones"
        ))),
        None => Ok(array),
    }
}
