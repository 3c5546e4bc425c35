//! The part of a hook point's value that an intervention selects, and how it is replaced.

use candle_core::{Device, Tensor};

use super::types::{Selected, TextLength};
use crate::error::{Error, Result};
use crate::hook::{BlockPoint, HookPoint};
use crate::named_array::NamedArray;

/// What an intervention selects, resolved against a model and a text.
pub(crate) struct Scope {
    /// The pattern that the user wrote, for messages.
    pub(crate) at: String,
    /// At least one.
    pub(crate) points: Vec<HookPoint>,
    pub(crate) heads: Option<Vec<usize>>,
    /// Indices along the last axis: neurons or dimensions.
    pub(crate) channels: Option<Vec<usize>>,
    /// Positions in the text, in the user's order; none given means all.
    pub(crate) positions: Option<Vec<usize>>,
    /// The same positions, sorted, each with its slot in that list.
    slots: Vec<(usize, usize)>,
}

impl Scope {
    pub(super) fn new(
        at: String,
        points: Vec<HookPoint>,
        heads: Option<Vec<usize>>,
        channels: Option<Vec<usize>>,
        positions: Option<Vec<usize>>,
    ) -> Scope {
        let mut slots: Vec<_> = positions.iter().flatten().copied().zip(0..).collect();
        slots.sort_unstable();
        Scope { at, points, heads, channels, positions, slots }
    }

    /// The selected part of `value`; none if it has no selected row.
    pub(super) fn select(&self, value: &Tensor, visit: VisitContext) -> Option<Selection> {
        let axes = visit.point.axes();
        let all = |length: usize| (0..length).map(|index| Coordinate { index, slot: index });
        let listed = |indices: &[usize]| {
            indices.iter().zip(0..).map(|(&index, slot)| Coordinate { index, slot }).collect()
        };
        let along = |axis: usize| -> Vec<Coordinate> {
            let length = value.dims()[axis];
            match axes[axis] {
                "pos" | "query" => self.rows(length, visit.first_position),
                "head" => self.heads.as_deref().map_or_else(|| all(length).collect(), listed),
                "d_model" | "d_head" | "d_mlp" => {
                    self.channels.as_deref().map_or_else(|| all(length).collect(), listed)
                }
                "key" => all(length)
                    .map(|key| Coordinate { slot: visit.window_start + key.index, ..key })
                    .collect(),
                _ => all(length).collect(),
            }
        };
        let coordinates: Vec<_> = (0..axes.len()).map(along).collect();
        let empty = coordinates.iter().any(Vec::is_empty);
        (!empty).then(|| Selection {
            axes,
            dims: value.dims().to_vec(),
            coordinates,
            first_position: visit.first_position,
            cached: visit.first_position - visit.window_start,
        })
    }

    /// The selected ones of `length` rows, of which the first is at `first_position`.
    fn rows(&self, length: usize, first_position: usize) -> Vec<Coordinate> {
        let slot = |position: usize| match &self.positions {
            None => Some(position),
            Some(_) => {
                let found = self.slots.binary_search_by_key(&position, |(selected, _)| *selected);
                found.ok().map(|index| self.slots[index].1)
            }
        };
        let row = |index| Some(Coordinate { index, slot: slot(first_position + index)? });
        (0..length).filter_map(row).collect()
    }
}

/// The hook point and the position in the text of a value that a hook visits.
#[derive(Clone, Copy)]
pub(super) struct VisitContext {
    pub(super) point: HookPoint,
    /// The position in the text of the value's first row.
    pub(super) first_position: usize,
    /// The position in the text of the context's first token: above 0 once a generation crops its context.
    pub(super) window_start: usize,
    pub(super) text: TextLength,
}

/// A selected index along one axis of a value.
#[derive(Clone, Copy)]
pub(super) struct Coordinate {
    pub(super) index: usize,
    /// The index in the list that the user gave. Without a list, and for keys, the position in the text.
    pub(super) slot: usize,
}

/// The selected part of one value: the selected indices along each axis.
pub(super) struct Selection {
    pub(super) axes: &'static [&'static str],
    pub(super) dims: Vec<usize>,
    pub(super) coordinates: Vec<Vec<Coordinate>>,
    /// The position in the text of the value's first row.
    pub(super) first_position: usize,
    /// The number of keys before the first row's own.
    cached: usize,
}

impl Selection {
    /// `new` at selected elements, `old` elsewhere. Differentiable in both.
    ///
    /// Attention to a later key is never replaced, because a run with cached keys and values has no later keys
    /// and must give the same numbers.
    pub(super) fn replace(&self, old: &Tensor, new: &Tensor) -> Result<Tensor> {
        let whole = self
            .coordinates
            .iter()
            .zip(&self.dims)
            .all(|(selected, length)| selected.len() == *length);
        if whole && !self.axes.contains(&"key") {
            return Ok(new.clone());
        }
        let mut mask = vec![0u8; self.dims.iter().product()];
        self.for_each(|flat, coordinates| mask[flat] = u8::from(self.is_causal(coordinates)));
        let mask = Tensor::from_vec(mask, self.dims.as_slice(), &Device::Cpu)?;
        Ok(mask.where_cond(&new.contiguous()?, &old.contiguous()?)?)
    }

    /// False for an attention edge to a later key.
    pub(super) fn is_causal(&self, coordinates: &[Coordinate]) -> bool {
        !self.axes.contains(&"key") || coordinates[3].index <= self.cached + coordinates[2].index
    }

    /// Calls `f` with the flat index and the coordinates of every selected element, in row-major order.
    pub(super) fn for_each(&self, mut f: impl FnMut(usize, &[Coordinate])) {
        let rank = self.dims.len();
        let mut at = vec![0; rank];
        let mut coordinates: Vec<_> = self.coordinates.iter().map(|selected| selected[0]).collect();
        loop {
            let flat = coordinates
                .iter()
                .zip(&self.dims)
                .fold(0, |flat, (coordinate, length)| flat * length + coordinate.index);
            f(flat, &coordinates);
            let mut axis = rank;
            loop {
                let Some(next) = axis.checked_sub(1) else { return };
                axis = next;
                at[axis] = (at[axis] + 1) % self.coordinates[axis].len();
                coordinates[axis] = self.coordinates[axis][at[axis]];
                if at[axis] > 0 {
                    break;
                }
            }
        }
    }

    /// A tensor of the value's shape: `value_at` at selected elements, 0 elsewhere.
    pub(super) fn build(&self, mut value_at: impl FnMut(&[Coordinate]) -> f32) -> Result<Tensor> {
        let mut data = vec![0f32; self.dims.iter().product()];
        self.for_each(|flat, coordinates| data[flat] = value_at(coordinates));
        Ok(Tensor::from_vec(data, self.dims.as_slice(), &Device::Cpu)?)
    }

    /// The axis `pos` or `query`.
    pub(super) fn row_axis(&self) -> usize {
        self.axes.iter().position(|axis| matches!(*axis, "pos" | "query")).unwrap_or_default()
    }

    fn lengths(&self) -> Vec<usize> {
        self.coordinates.iter().map(Vec::len).collect()
    }

    /// The selected elements of `value`.
    pub(super) fn gather(&self, value: &Tensor) -> Result<Vec<f32>> {
        let data = value.flatten_all()?.to_vec1::<f32>()?;
        let mut gathered = Vec::with_capacity(self.lengths().iter().product());
        self.for_each(|flat, _| gathered.push(data[flat]));
        Ok(gathered)
    }

    /// The inverse of [`gather`](Selection::gather), with 0 elsewhere.
    pub(super) fn scatter(&self, data: &[f32]) -> Result<Tensor> {
        let mut values = data.iter();
        self.build(|_| values.next().copied().unwrap_or_default())
    }

    pub(super) fn describe(&self, point: HookPoint, row: usize) -> Selected {
        let along = |axis: usize| -> Vec<usize> {
            let index = |one: &Coordinate| match self.axes[axis] {
                "pos" | "query" => self.first_position + one.index,
                "key" => one.slot,
                _ => one.index,
            };
            self.coordinates[axis].iter().map(index).collect()
        };
        let positions = along(self.row_axis());
        let part = |axis: usize| {
            let selected = along(axis);
            let whole = selected.iter().copied().eq(0..self.dims[axis]);
            (!whole).then(|| (self.axes[axis], selected))
        };
        let indices = (0..self.axes.len()).filter_map(part).collect();
        let name = point.to_string();
        Selected { name, axes: self.axes, shape: self.lengths(), positions, indices, row }
    }

    /// The selection without the rows for which `keep` is false; none if no row is left.
    pub(super) fn retain_rows(mut self, keep: impl Fn(Coordinate) -> bool) -> Option<Selection> {
        let axis = self.row_axis();
        self.coordinates[axis].retain(|row| keep(*row));
        (!self.coordinates[axis].is_empty()).then_some(self)
    }

    /// The selection without rows for which `array` has no values, if it has one row for each position.
    pub(super) fn covered_by(self, array: &NamedArray) -> Option<Selection> {
        let axis = (self.row_axis() + array.shape.len()).checked_sub(self.dims.len());
        let rows = axis.map_or(1, |axis| array.shape[axis]);
        self.retain_rows(|row| rows <= 1 || row.slot < rows)
    }

    /// `array` broadcast to the selection by its last axes. It may have fewer keys than the value, because keys are
    /// added while a text is generated.
    pub(super) fn broadcast(&self, at: &str, array: &NamedArray) -> Result<Tensor> {
        let lengths = self.lengths();
        let mismatch = || {
            let shape = match array.axes.as_slice() {
                [] => format!("{:?}", array.shape),
                axes => format!("{:?} over {}", array.shape, axes.join(", ")),
            };
            Error::Hook(format!(
                "values of shape {shape} do not broadcast to {lengths:?} at `{at}`"
            ))
        };
        let offset = self.dims.len().checked_sub(array.shape.len()).ok_or_else(mismatch)?;
        let any_length = |axis: usize| axis == self.row_axis() || self.axes[axis] == "key";
        let fits = |(axis, length): (usize, &usize)| {
            *length == 1 || any_length(axis + offset) || *length == lengths[axis + offset]
        };
        let mut fit = array.shape.iter().enumerate().all(fits);
        let tensor = self.build(|coordinates| {
            let mut flat = 0;
            for (coordinate, length) in coordinates[offset..].iter().zip(&array.shape) {
                let slot = if *length == 1 { 0 } else { coordinate.slot };
                if slot >= *length {
                    fit &= !self.is_causal(coordinates);
                    return 0.0;
                }
                flat = flat * length + slot;
            }
            if fit { array.data[flat] } else { 0.0 }
        })?;
        if fit { Ok(tensor) } else { Err(mismatch()) }
    }
}

/// The axis `pos` or `query` of a hook point, if it has one.
pub(super) fn row_axis_of(point: HookPoint) -> Option<usize> {
    point.axes().iter().position(|axis| matches!(*axis, "pos" | "query"))
}

/// How many rows along `pos` or `query` an array has that broadcasts to the values at `point`.
pub(super) fn rows_of(array: &NamedArray, point: HookPoint) -> Option<usize> {
    let row_axis = row_axis_of(point)?;
    array.shape.get((row_axis + array.shape.len()).checked_sub(point.axes().len())?).copied()
}

/// Whether the values at a point are attention edges.
pub(super) fn is_attention(point: HookPoint) -> bool {
    point.axes().contains(&"key")
}

/// The value that stands for no attention at a point: a score before the softmax, or a probability after it.
pub(super) fn masked_value(point: HookPoint) -> f32 {
    match point {
        HookPoint::Block(_, BlockPoint::AttnScores) => f32::NEG_INFINITY,
        _ => 0.0,
    }
}
