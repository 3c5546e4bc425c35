//! The part of a value that an intervention selects: taken out, replaced, filled from arrays and from other runs.

use candle_core::{Device, Tensor};

use super::edges::masked_value;
use super::plan::{Rows, Selected, VisitContext};
use super::value::{Array, Source};
use crate::error::{Error, Result};
use crate::hook::HookPoint;
use crate::nearest::nearest;

/// A part of a value: along each axis, the indices that are meant and the slot of each in the selection (of a key,
/// its position in the text).
pub(super) struct Selection {
    pub(super) axes: &'static [&'static str],
    pub(super) dims: Vec<usize>,
    pub(super) indices: Vec<Vec<(usize, usize)>>,
    /// The position in the text of the first row, and how many keys come before it.
    pub(super) first: usize,
    pub(super) past: usize,
}

impl Selection {
    /// `new` where it is selected, `old` elsewhere. Differentiable in both.
    ///
    /// A query never gets to see a later key, whatever is done to the attention: only edges that the causal mask
    /// leaves are replaced. (Otherwise a run with cached keys and values, which has no later keys, would differ.)
    pub(super) fn replace(&self, old: &Tensor, new: &Tensor) -> Result<Tensor> {
        let whole =
            self.indices.iter().zip(&self.dims).all(|(indices, length)| indices.len() == *length);
        if whole && !self.axes.contains(&"key") {
            return Ok(new.clone());
        }
        let mut mask = vec![0u8; self.dims.iter().product()];
        self.each(|flat, coordinates| mask[flat] = u8::from(self.causal(coordinates)));
        let mask = Tensor::from_vec(mask, self.dims.as_slice(), &Device::Cpu)?;
        Ok(mask.where_cond(&new.contiguous()?, &old.contiguous()?)?)
    }

    /// Whether an element is not an attention edge to a later key.
    pub(super) fn causal(&self, coordinates: &[(usize, usize)]) -> bool {
        !self.axes.contains(&"key") || coordinates[3].0 <= self.past + coordinates[2].0
    }

    /// Calls `f` with every selected element: its flat index and its coordinates.
    pub(super) fn each(&self, mut f: impl FnMut(usize, &[(usize, usize)])) {
        let rank = self.dims.len();
        let mut at = vec![0; rank];
        let mut coordinates: Vec<_> = self.indices.iter().map(|indices| indices[0]).collect();
        loop {
            let flat = coordinates
                .iter()
                .zip(&self.dims)
                .fold(0, |flat, ((index, _), length)| flat * length + index);
            f(flat, &coordinates);
            let mut axis = rank;
            loop {
                let Some(next) = axis.checked_sub(1) else { return };
                axis = next;
                at[axis] = (at[axis] + 1) % self.indices[axis].len();
                coordinates[axis] = self.indices[axis][at[axis]];
                if at[axis] > 0 {
                    break;
                }
            }
        }
    }

    /// A tensor of the value's shape with `value_at` what is selected, and 0 elsewhere.
    fn build(&self, mut value_at: impl FnMut(&[(usize, usize)]) -> f32) -> Result<Tensor> {
        let mut data = vec![0f32; self.dims.iter().product()];
        self.each(|flat, coordinates| data[flat] = value_at(coordinates));
        Ok(Tensor::from_vec(data, self.dims.as_slice(), &Device::Cpu)?)
    }

    fn row_axis(&self) -> usize {
        self.axes.iter().position(|axis| matches!(*axis, "pos" | "query")).unwrap_or_default()
    }

    fn lengths(&self) -> Vec<usize> {
        self.indices.iter().map(Vec::len).collect()
    }

    pub(super) fn gather(&self, value: &Tensor) -> Result<Vec<f32>> {
        let data = value.flatten_all()?.to_vec1::<f32>()?;
        let mut gathered = Vec::with_capacity(self.lengths().iter().product());
        self.each(|flat, _| gathered.push(data[flat]));
        Ok(gathered)
    }

    pub(super) fn scatter(&self, data: &[f32]) -> Result<Tensor> {
        let mut values = data.iter();
        self.build(|_| values.next().copied().unwrap_or_default())
    }

    pub(super) fn describe(&self, context: VisitContext) -> Selected {
        let rows = &self.indices[self.row_axis()];
        let positions = rows.iter().map(|(row, _)| context.first + row).collect();
        Selected {
            name: context.point.to_string(),
            axes: self.axes,
            shape: self.lengths(),
            positions,
        }
    }

    /// Without the rows that `array` has no values for, where it has a row for each position of the prompt.
    pub(super) fn covered_by(mut self, array: &Array) -> Option<Selection> {
        let axis = self.row_axis();
        let rows = (axis + array.shape.len())
            .checked_sub(self.dims.len())
            .map_or(1, |axis| array.shape[axis]);
        if rows > 1 {
            self.indices[axis].retain(|(_, slot)| *slot < rows);
        }
        (!self.indices[axis].is_empty()).then_some(self)
    }

    /// `array` broadcast to the selection by its last axes. One that has a row for each selected position may
    /// have fewer keys than there are by now.
    pub(super) fn spread(&self, at: &str, array: &Array) -> Result<Tensor> {
        let lengths = self.lengths();
        let unfit = || {
            let found = &array.shape;
            Error::Hook(format!(
                "values of shape {found:?} do not broadcast to {lengths:?} at `{at}`"
            ))
        };
        let offset = self.dims.len().checked_sub(array.shape.len()).ok_or_else(unfit)?;
        let free = |axis: usize| axis == self.row_axis() || self.axes[axis] == "key";
        let fits = |(axis, length): (usize, &usize)| {
            *length == 1 || free(axis + offset) || *length == lengths[axis + offset]
        };
        let mut fit = array.shape.iter().enumerate().all(fits);
        let tensor = self.build(|coordinates| {
            let mut flat = 0;
            for ((_, slot), length) in coordinates[offset..].iter().zip(&array.shape) {
                let slot = if *length == 1 { 0 } else { *slot };
                if slot >= *length {
                    fit &= !self.causal(coordinates);
                    return 0.0;
                }
                flat = flat * length + slot;
            }
            if fit { array.data[flat] } else { 0.0 }
        })?;
        if fit { Ok(tensor) } else { Err(unfit()) }
    }

    /// Without the rows that come after the other run's last position.
    pub(super) fn present_in(mut self, array: &Array, rows: &Rows) -> Option<Selection> {
        let axis = self.row_axis();
        let length = array.shape.get(axis).copied().unwrap_or_default();
        match rows {
            Rows::Same => self.indices[axis].retain(|(row, _)| self.first + row < length),
            Rows::Listed(rows) => self.indices[axis].retain(|(_, slot)| *slot < rows.len()),
            Rows::Broadcast => {}
        }
        (!self.indices[axis].is_empty()).then_some(self)
    }

    /// The selected values as `array`, the same point of another run, has them.
    pub(super) fn patch(
        &self,
        array: &Array,
        rows: &Rows,
        context: VisitContext,
    ) -> Result<Tensor> {
        self.check_source(array, context)?;
        let masked = masked_value(context.point);
        self.build(|coordinates| {
            let mut flat = 0;
            for (axis, ((index, slot), length)) in coordinates.iter().zip(&array.shape).enumerate()
            {
                let index = match (self.axes[axis], rows) {
                    ("pos" | "query", Rows::Same) => context.first + index,
                    ("pos" | "query", Rows::Listed(rows)) => rows[*slot],
                    ("pos" | "query", Rows::Broadcast) => 0,
                    ("key", _) => *slot,
                    _ => *index,
                };
                if index >= *length {
                    // A key that the other run had not seen; rows were checked when the plan was made.
                    return if self.axes[axis] == "key" { masked } else { f32::NAN };
                }
                flat = flat * length + index;
            }
            array.data[flat]
        })
    }

    fn check_source(&self, array: &Array, context: VisitContext) -> Result<()> {
        let free = |axis: usize| matches!(self.axes[axis], "pos" | "query" | "key");
        let fits = array.shape.len() == self.dims.len()
            && (0..self.dims.len()).all(|axis| free(axis) || array.shape[axis] == self.dims[axis]);
        if fits {
            return Ok(());
        }
        let (found, expected, point) = (&array.shape, &self.dims, context.point);
        Err(Error::Hook(format!(
            "the other run has shape {found:?} at `{point}`, expected {expected:?}"
        )))
    }
}

/// How many rows along `pos` or `query` the other run has at `point`.
pub(super) fn source_rows(source: &Source, point: HookPoint) -> Result<usize> {
    let array = patch_source(source, point)?;
    let shape = &array.shape;
    if array.expected_length() != Some(array.data.len()) {
        let found = array.data.len();
        return Err(Error::Input(format!(
            "the other run has {found} values for shape {shape:?} at `{point}`"
        )));
    }
    let rows = rows_axis(point).and_then(|axis| shape.get(axis));
    rows.copied().ok_or_else(|| {
        let axes = point.axes().join(" ");
        Error::Hook(format!(
            "the other run has shape {shape:?} at `{point}`, whose axes are {axes}"
        ))
    })
}

pub(super) fn rows_axis(point: HookPoint) -> Option<usize> {
    point.axes().iter().position(|axis| matches!(*axis, "pos" | "query"))
}

pub(super) fn patch_source(source: &Source, point: HookPoint) -> Result<&Array> {
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

/// How many rows along `pos` or `query` an array that broadcasts to the values at `point` has.
pub(crate) fn rows_of(array: &Array, point: HookPoint) -> Option<usize> {
    let row_axis = rows_axis(point)?;
    array.shape.get((row_axis + array.shape.len()).checked_sub(point.axes().len())?).copied()
}
