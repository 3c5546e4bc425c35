//! Converts a matrix into its format, row by row, while a checkpoint loads.

use std::collections::TryReserveError;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::format::{Axes, WeightFormat};
use super::matrix::{Matrix, Storage};
use super::packed::Packed;
use crate::error::{Error, Result};
use crate::kernel::simd::format::PanelFormat;
use crate::kernel::simd::tile_f32::WIDTH;

/// Takes a matrix row by row, in the order of the checkpoint, and converts each row at once, so
/// that a matrix is never in memory twice.
pub struct MatrixBuilder {
    building: Building,
    axes: Axes,
    shape: [usize; 2],
    rows: usize,
}

enum Building {
    Plain(Vec<f32>),
    Packed(Packed),
}

impl MatrixBuilder {
    /// Reserves the memory for a matrix that the checkpoint stores with this shape and these axes.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn new(
        shape: [usize; 2],
        axes: Axes,
        format: WeightFormat,
    ) -> std::result::Result<MatrixBuilder, TryReserveError> {
        MatrixBuilder::with_panels(shape, axes, format.panels(axes))
    }

    /// As [`MatrixBuilder::new`], for a matrix that the file stores transposed: `shape` is that of the parameter.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn transposed(
        [first, second]: [usize; 2],
        axes: Axes,
        format: WeightFormat,
    ) -> std::result::Result<MatrixBuilder, TryReserveError> {
        // Q4 gives embeddings other panels: the parameter's axes decide, not those of the file.
        let panels = format.panels(axes);
        MatrixBuilder::with_panels([second, first], axes.transposed(), panels)
    }

    fn with_panels(
        shape: [usize; 2],
        axes: Axes,
        panels: Option<PanelFormat>,
    ) -> std::result::Result<MatrixBuilder, TryReserveError> {
        let [first, second] = shape;
        let building = match (panels, axes) {
            (None, _) => {
                let mut values = Vec::new();
                values.try_reserve_exact(first * second)?;
                Building::Plain(values)
            }
            (Some(format), Axes::InOut) => Building::Packed(Packed::zeros(format, first, second)?),
            (Some(format), Axes::OutIn) => Building::Packed(Packed::zeros(format, second, first)?),
        };
        Ok(MatrixBuilder { building, axes, shape, rows: 0 })
    }

    /// Takes whole rows from the start of `values`, in multiples of the number of rows that the
    /// format converts at once (except for the last rows). Returns the number of values taken.
    pub fn push(&mut self, values: &[f32]) -> usize {
        let [rows, width] = self.shape;
        let available = (values.len() / width).min(rows - self.rows);
        let at_once = match (&self.building, self.axes) {
            (Building::Plain(_), _) => 1,
            (Building::Packed(packed), Axes::InOut) => packed.rows_at_once(),
            (Building::Packed(_), Axes::OutIn) => WIDTH,
        };
        let is_last = self.rows + available == rows;
        let taken = if is_last { available } else { available / at_once * at_once };
        if taken == 0 {
            return 0;
        }
        let values = &values[..taken * width];
        match (&mut self.building, self.axes) {
            (Building::Plain(all), _) => all.extend_from_slice(values),
            (Building::Packed(packed), Axes::InOut) => packed.set_rows(self.rows, values),
            (Building::Packed(packed), Axes::OutIn) => packed.set_columns(self.rows, values),
        }
        self.rows += taken;
        values.len()
    }

    /// Whether a number was too large for the format and has been reduced to the largest one.
    pub(crate) fn is_clipped(&self) -> bool {
        matches!(&self.building, Building::Packed(packed) if packed.is_clipped())
    }

    /// The matrix.
    ///
    /// # Errors
    /// [`Error::Weights`] if rows are missing.
    pub fn finish(self) -> Result<Matrix> {
        match self.building {
            _ if self.rows != self.shape[0] => Err(Error::Weights(format!(
                "a matrix has {} rows, expected {}",
                self.rows, self.shape[0]
            ))),
            Building::Plain(values) => {
                Matrix::plain(Tensor::from_vec(values, &self.shape, &Device::Cpu)?, self.axes)
            }
            Building::Packed(packed) => Ok(Matrix(Storage::Packed(Arc::new(packed)))),
        }
    }
}
