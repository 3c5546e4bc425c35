//! Values that come from another run: which of its rows stand for the selected ones, and their copies.

use candle_core::Tensor;

use super::selection::{Selection, VisitContext, masked_value, row_axis_of};
use super::types::Source;
use crate::error::{Error, Result, shortened};
use crate::hook::HookPoint;
use crate::named_array::{NamedArray, axis_names};
use crate::nearest::nearest;

/// Which rows of the other run stand for the selected rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum SourceRows {
    /// The row at the same position in the text.
    SamePosition,
    /// One row for each selected position, in the order in which positions are listed.
    Listed(Vec<usize>),
    /// The only row, for every position.
    Broadcast,
}

impl SourceRows {
    /// The selection without rows that come after the other run's last position.
    pub(super) fn available(&self, selection: Selection, array: &NamedArray) -> Option<Selection> {
        let (axis, first) = (selection.row_axis(), selection.first_position);
        let length = array.shape.get(axis).copied().unwrap_or_default();
        selection.retain_rows(|row| match self {
            SourceRows::SamePosition => first + row.index < length,
            SourceRows::Listed(rows) => row.slot < rows.len(),
            SourceRows::Broadcast => true,
        })
    }

    /// The selected values as `array`, the same point of the other run, has them.
    pub(super) fn take(
        &self,
        array: &NamedArray,
        selection: &Selection,
        visit: VisitContext,
    ) -> Result<Tensor> {
        check_shape(array, selection, visit.point)?;
        let masked = masked_value(visit.point);
        selection.build(|coordinates| {
            let mut flat = 0;
            for (axis, (at, length)) in coordinates.iter().zip(&array.shape).enumerate() {
                let index = match (selection.axes[axis], self) {
                    ("pos" | "query", SourceRows::SamePosition) => visit.first_position + at.index,
                    ("pos" | "query", SourceRows::Listed(rows)) => rows[at.slot],
                    ("pos" | "query", SourceRows::Broadcast) => 0,
                    ("key", _) => at.slot,
                    _ => at.index,
                };
                if index >= *length {
                    // Only keys can be missing: rows were checked when the plan was made.
                    return if selection.axes[axis] == "key" { masked } else { f32::NAN };
                }
                flat = flat * length + index;
            }
            array.data[flat]
        })
    }
}

fn check_shape(array: &NamedArray, selection: &Selection, point: HookPoint) -> Result<()> {
    let any_length = |axis: usize| matches!(selection.axes[axis], "pos" | "query" | "key");
    let dims = &selection.dims;
    let fits = array.shape.len() == dims.len()
        && (0..dims.len()).all(|axis| any_length(axis) || array.shape[axis] == dims[axis]);
    if fits {
        return Ok(());
    }
    let found = &array.shape;
    Err(Error::Hook(format!("the other run has shape {found:?} at `{point}`, expected {dims:?}")))
}

/// The other run's values at each of `points`, with the axes of the point in their order.
pub(super) fn ordered_source(source: &Source, points: &[HookPoint]) -> Result<Source> {
    points.iter().map(|point| Ok((point.to_string(), ordered(source, *point)?))).collect()
}

/// Names of axes say in which order they are. Arrays without names have those of the point.
fn ordered(source: &Source, point: HookPoint) -> Result<NamedArray> {
    let array = find(source, point)?;
    let shape = &array.shape;
    if array.expected_length() != Some(array.data.len()) {
        let found = array.data.len();
        return Err(Error::Input(format!(
            "the other run has {found} values for shape {shape:?} at `{point}`"
        )));
    }
    if array.axes.is_empty() {
        return Ok(array.clone());
    }
    let axes = point.axes();
    // Only one row in each of these is unambiguous.
    let may_lack = |axis: &&str| ["batch", "pos"].contains(axis);
    let has = |axis: &&str| array.axes.iter().any(|own| own == axis);
    let complete = axes.iter().all(|axis| may_lack(axis) || has(axis));
    let mut ordered = array.in_order(axes).filter(|_| complete).ok_or_else(|| {
        let (found, axes) = (array.axes.join(", "), axes.join(", "));
        let found = shortened(&found);
        Error::Hook(format!(
            "the other run has the axes {found} at `{point}`, whose axes are {axes}, expected the same"
        ))
    })?;
    let lacking = axes.len() - ordered.shape.len();
    ordered.shape.splice(..0, vec![1; lacking]);
    ordered.axes = axis_names(axes);
    Ok(ordered)
}

/// How many rows along `pos` or `query` the other run has at `point`.
pub(super) fn source_rows(source: &Source, point: HookPoint) -> Result<usize> {
    let shape = &find(source, point)?.shape;
    let rows = row_axis_of(point).and_then(|axis| shape.get(axis));
    rows.copied().ok_or_else(|| {
        let axes = point.axes().join(" ");
        Error::Hook(format!(
            "the other run has shape {shape:?} at `{point}`, whose axes are {axes}"
        ))
    })
}

/// The other run's values at `point`.
pub(super) fn find(source: &Source, point: HookPoint) -> Result<&NamedArray> {
    let name = point.to_string();
    source.get(&name).ok_or_else(|| {
        let known = match source.len() {
            0 => "it is empty".into(),
            1..=8 => format!("it has {}", nearest(&name, source.keys().map(String::as_str), 8)),
            count => {
                let near = nearest(&name, source.keys().map(String::as_str), 3);
                format!("the nearest of the {count} that it has are {near}")
            }
        };
        Error::Hook(format!("the other run did not capture `{name}`; {known}"))
    })
}
