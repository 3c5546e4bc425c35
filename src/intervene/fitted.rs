//! The values of `set` and `add`, checked against the hook points and in the order of their axes.

use std::borrow::Cow;

use super::effect::ResolveContext;
use super::python::PythonLine;
use super::selection::{Scope, rows_of};
use super::types::{Source, Values};
use crate::error::{Error, Result, shortened};
use crate::hook::HookPoint;
use crate::named_array::NamedArray;

/// Values that broadcast by their last axes at each hook point of an intervention.
pub(super) struct FittedValues {
    /// By the axes of hook points. Values without names of axes are the same at all points.
    by_axes: Vec<(&'static [&'static str], NamedArray)>,
}

impl FittedValues {
    /// One number at all points.
    pub(super) fn number(number: f32) -> FittedValues {
        FittedValues { by_axes: vec![(&[], NamedArray::from_data(vec![], vec![number]))] }
    }

    /// The values, once their number fits their shape, their axes fit those of each point, and their rows fit the selected positions.
    pub(super) fn new(values: &Values, context: &ResolveContext) -> Result<FittedValues> {
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
        let fitted = match array.axes.is_empty() {
            true => FittedValues { by_axes: vec![(&[], array)] },
            false => FittedValues::by_name(&array, &context.scope.points)?,
        };
        let selected = context.selected_positions();
        let rows = |point: &HookPoint| rows_of(fitted.at(*point), *point);
        let mut rows = context.scope.points.iter().filter_map(rows);
        match rows.find(|rows| ![1, selected].contains(rows)) {
            Some(rows) => Err(Error::Input(format!(
                "values for {rows} positions at `{at}`, expected 1 or the {selected} selected ones"
            ))),
            None => Ok(fitted),
        }
    }

    fn by_name(array: &NamedArray, points: &[HookPoint]) -> Result<FittedValues> {
        let mut by_axes: Vec<(&'static [&'static str], NamedArray)> = Vec::new();
        for point in points {
            let axes = point.axes();
            if by_axes.iter().any(|(known, _)| *known == axes) {
                continue;
            }
            let ordered = array.in_order(axes).ok_or_else(|| {
                let (found, axes) = (array.axes.join(", "), axes.join(", "));
                let found = shortened(&found);
                Error::Hook(format!(
                    "values over the axes {found} do not fit `{point}`, whose axes are {axes}: `rename` the tensor's, or \
                     give `{{ shape, data }}`, which broadcasts by its last axes"
                ))
            })?;
            by_axes.push((axes, ordered));
        }
        Ok(FittedValues { by_axes })
    }

    /// The values at one of the points.
    pub(super) fn at(&self, point: HookPoint) -> &NamedArray {
        let own = self.by_axes.iter().find(|(axes, _)| *axes == point.axes());
        &own.unwrap_or(&self.by_axes[0]).1
    }

    /// `y[part] = values`, or another assignment.
    pub(super) fn python(&self, operator: &str, number: usize, scope: &Scope) -> PythonLine<'_> {
        if let [(_, array)] = self.by_axes.as_slice() {
            return PythonLine::assign(operator, array, scope);
        }
        let by_point: Source =
            scope.points.iter().map(|point| (point.to_string(), self.at(*point).clone())).collect();
        // Attention and other points have no rows in common, so an array with rows has them along axis 1 of all points.
        let rows = scope.points.iter().filter_map(|point| rows_of(self.at(*point), *point)).max();
        PythonLine::assign_by_point(operator, number, rows, Cow::Owned(by_point))
    }
}
