//! A weight matrix in the format in which it is multiplied with.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::format::{Axes, WeightFormat};
use super::packed::Packed;
use crate::error::{Error, Result};
use crate::kernel::with_floats;

/// A matrix `[in, out]` that activations are multiplied with. A clone shares the numbers.
#[derive(Debug, Clone)]
pub struct Matrix(pub(super) Storage);

/// Where the numbers of a matrix are.
#[derive(Debug, Clone)]
pub(in crate::kernel) enum Storage {
    Plain(Tensor), // [in, out], not always contiguous
    Packed(Arc<Packed>),
}

impl Matrix {
    /// A matrix that stays a tensor, which has these axes.
    ///
    /// # Errors
    /// Those of candle, if the tensor is not a matrix.
    pub fn plain(tensor: Tensor, axes: Axes) -> Result<Matrix> {
        Ok(Matrix(Storage::Plain(match axes {
            Axes::InOut => tensor,
            Axes::OutIn => tensor.t()?,
        })))
    }

    pub(in crate::kernel) fn storage(&self) -> &Storage {
        &self.0
    }

    /// The lengths of the input and of the output.
    ///
    /// # Errors
    /// Those of candle, if the tensor is not a matrix.
    pub fn dims(&self) -> Result<(usize, usize)> {
        Ok(match &self.0 {
            Storage::Plain(tensor) => tensor.dims2()?,
            Storage::Packed(packed) => (packed.inner(), packed.columns()),
        })
    }

    /// The dtype in memory.
    pub fn dtype(&self) -> &'static str {
        match &self.0 {
            Storage::Plain(tensor) => tensor.dtype().as_str(),
            Storage::Packed(packed) => packed.format().name(),
        }
    }

    /// The matrix as a tensor with these axes: a view of a plain matrix, else a copy.
    ///
    /// # Errors
    /// Those of candle.
    pub fn tensor(&self, axes: Axes) -> Result<Tensor> {
        let (inner, columns) = self.dims()?;
        match (&self.0, axes) {
            (Storage::Plain(tensor), Axes::InOut) => Ok(tensor.clone()),
            (Storage::Plain(tensor), Axes::OutIn) => Ok(tensor.t()?),
            (Storage::Packed(packed), Axes::InOut) => packed_rows(packed, 0..inner, 0..columns),
            (Storage::Packed(packed), Axes::OutIn) => packed_columns(packed, 0..columns),
        }
    }

    /// Whether both matrices, which must have the same shape and format, have the same bits.
    pub(crate) fn has_same_bits(&self, other: &Matrix) -> Result<bool> {
        if let (Some(these), Some(others)) = (self.raw(), other.raw()) {
            return Ok(these == others);
        }
        let (these, others) =
            (self.tensor(Axes::OutIn)?.contiguous()?, other.tensor(Axes::OutIn)?.contiguous()?);
        let bits = |x: &f32| x.to_bits();
        let same = with_floats(&these, |these| {
            with_floats(&others, |others| Ok(these.iter().map(bits).eq(others.iter().map(bits))))
        });
        Ok(same?)
    }

    /// The bytes of the panels. None for a plain matrix.
    pub(crate) fn raw(&self) -> Option<&[u8]> {
        match &self.0 {
            Storage::Plain(_) => None,
            Storage::Packed(packed) => Some(packed.bytes()),
        }
    }

    /// The matrix whose panels are the words that `fill` appends. `fill` gets a vector with room
    /// for the words and their number. (It does not get a slice, which would have to be zeroed
    /// first. That takes longer than reading the words from a disk's cache.)
    ///
    /// # Errors
    /// Those of `fill`; [`Error::Weights`] if it appends another number of words, or if the format
    /// has no panels; [`Error::Memory`] if there is not enough memory.
    pub(crate) fn from_raw(
        shape: [usize; 2],
        axes: Axes,
        format: WeightFormat,
        fill: impl FnOnce(&mut Vec<u32>, usize) -> Result<()>,
    ) -> Result<Matrix> {
        let [inner, columns] = axes.in_out(shape);
        let panels = format.panels(axes).ok_or_else(Error::matrix_not_packed)?;
        let count = (format.bytes(shape, axes) / 4) as usize;
        let mut words = Vec::new();
        words
            .try_reserve_exact(count)
            .map_err(|_| Error::Memory(format!("no room for a matrix {inner} by {columns}")))?;
        fill(&mut words, count)?;
        let packed = Packed::from_words(panels, inner, columns, words).ok_or_else(|| {
            Error::Weights(format!(
                "the stored copy of a matrix has the wrong length, expected {count} words"
            ))
        })?;
        Ok(Matrix(Storage::Packed(Arc::new(packed))))
    }

    /// A plain matrix with these rows.
    ///
    /// # Errors
    /// Those of candle, if a row does not exist.
    pub fn rows(&self, rows: Range<usize>) -> Result<Matrix> {
        Ok(Matrix(Storage::Plain(match &self.0 {
            Storage::Plain(tensor) => tensor.narrow(0, rows.start, rows.len())?,
            Storage::Packed(packed) => packed_rows(packed, rows, 0..packed.columns())?,
        })))
    }

    /// A plain matrix with these columns.
    ///
    /// # Errors
    /// Those of candle, if a column does not exist.
    pub fn columns(&self, columns: Range<usize>) -> Result<Matrix> {
        Ok(Matrix(Storage::Plain(match &self.0 {
            Storage::Plain(tensor) => {
                tensor.narrow(1, columns.start, columns.len())?.contiguous()?
            }
            Storage::Packed(packed) => packed_rows(packed, 0..packed.inner(), columns)?,
        })))
    }

    /// The columns at `ids` (u32, of any shape), along a new last axis: an embedding.
    ///
    /// # Errors
    /// Those of candle, if a column does not exist.
    pub fn embedding(&self, ids: &Tensor) -> Result<Tensor> {
        let flat = ids.flatten_all()?;
        let (inner, _) = self.dims()?;
        let rows = match &self.0 {
            Storage::Plain(tensor) => tensor.t()?.contiguous()?.index_select(&flat, 0)?,
            Storage::Packed(packed) => {
                let ids = flat.to_vec1::<u32>()?;
                let mut rows = vec![0f32; ids.len() * inner];
                for (id, row) in ids.iter().zip(rows.chunks_exact_mut(inner)) {
                    packed.copy_column(*id as usize, row);
                }
                Tensor::from_vec(rows, (ids.len(), inner), &Device::Cpu)?
            }
        };
        Ok(rows.reshape([ids.dims(), &[inner]].concat())?)
    }
}

fn packed_rows(packed: &Packed, rows: Range<usize>, columns: Range<usize>) -> Result<Tensor> {
    let mut values = vec![0f32; rows.len() * columns.len()];
    let shape = (rows.len(), columns.len());
    for (row, to) in rows.zip(values.chunks_exact_mut(columns.len())) {
        packed.copy_row(row, columns.clone(), to);
    }
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}

fn packed_columns(packed: &Packed, columns: Range<usize>) -> Result<Tensor> {
    let mut values = vec![0f32; packed.inner() * columns.len()];
    let shape = (columns.len(), packed.inner());
    for (column, to) in columns.zip(values.chunks_exact_mut(packed.inner())) {
        packed.copy_column(column, to);
    }
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}
