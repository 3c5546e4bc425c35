//! A weight matrix in the format in which it is multiplied with.
//!
//! In: its rows as the checkpoint stores them. Out: [`Matrix`], which multiplies activations, gives single columns
//! (embeddings), and turns back into a plain tensor where an analysis wants one. What a format does to the numbers is
//! decided here and nowhere else.

use std::collections::TryReserveError;
use std::ops::Range;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Shape, Tensor};

use super::packed::Packed;
use super::product::{product, transposed_product};
use super::simd::format;
use super::{Computed, floats, with_floats};
use crate::error::{Error, Result};

/// How weight matrices are kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightFormat {
    /// As a tensor, multiplied by candle: for training, and natively, where candle's product is the fastest.
    Plain,
    /// f32 in panels (`packed.rs`).
    F32,
    /// 16 bits in panels: rounded to 11 significant bits.
    F16,
    /// 8 bits in panels, scaled in blocks of 64; activations are rounded to 7 bits in such blocks for each product.
    Q8,
    /// 4 bits in panels, scaled in blocks of 32; activations as above. Embeddings get 8 bits: every logit depends on
    /// them, and they are the least forgiving.
    Q4,
}

impl WeightFormat {
    /// The format of this name, as JavaScript spells it.
    ///
    /// # Errors
    /// [`Error::Input`] for any other.
    pub fn named(name: &str) -> Result<WeightFormat> {
        match name {
            "f32" => Ok(WeightFormat::default()),
            "f16" => Ok(WeightFormat::F16),
            "q8" => Ok(WeightFormat::Q8),
            "q4" => Ok(WeightFormat::Q4),
            _ => Err(Error::Input(format!(
                "`dtype` is \"{name}\", expected \"f32\", \"f16\", \"q8\" or \"q4\""
            ))),
        }
    }

    pub fn name(self) -> &'static str {
        self.panels(Axes::InOut).map_or("f32", format::PanelFormat::name)
    }

    /// The bytes that a matrix takes which the checkpoint stores with this shape and these axes.
    pub fn bytes(self, shape: [usize; 2], axes: Axes) -> u64 {
        let [inner, columns] = axes.in_out(shape);
        match self.panels(axes) {
            None => 4 * inner as u64 * columns as u64,
            Some(format) => Packed::length(format, inner, columns),
        }
    }

    /// How panels store it, for a matrix with these axes.
    fn panels(self, axes: Axes) -> Option<format::PanelFormat> {
        match (self, axes) {
            (WeightFormat::Plain, _) => None,
            (WeightFormat::F32, _) => Some(format::PanelFormat::F32),
            (WeightFormat::F16, _) => Some(format::PanelFormat::F16),
            (WeightFormat::Q8, _) | (WeightFormat::Q4, Axes::OutIn) => {
                Some(format::PanelFormat::Q8)
            }
            (WeightFormat::Q4, Axes::InOut) => Some(format::PanelFormat::Q4),
        }
    }
}

impl Default for WeightFormat {
    /// The fastest here without loss.
    fn default() -> WeightFormat {
        if cfg!(target_arch = "wasm32") { WeightFormat::F32 } else { WeightFormat::Plain }
    }
}

/// Which axis a checkpoint stores first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axes {
    /// `[in, out]`, as a `Conv1D` has it.
    InOut,
    /// `[out, in]`, as embeddings have it.
    OutIn,
}

impl Axes {
    /// `[in, out]` of what the checkpoint stores with this shape.
    fn in_out(self, [first, second]: [usize; 2]) -> [usize; 2] {
        match self {
            Axes::InOut => [first, second],
            Axes::OutIn => [second, first],
        }
    }
}

/// A matrix `[in, out]` that activations are multiplied with. A clone shares the numbers.
#[derive(Debug, Clone)]
pub struct Matrix(Stored);

#[derive(Debug, Clone)]
enum Stored {
    Plain(Tensor), // [in, out], not always contiguous
    Packed(Arc<Packed>),
}

impl Matrix {
    /// A matrix that stays a tensor; `tensor` has the axes that `axes` says.
    pub fn plain(tensor: Tensor, axes: Axes) -> Result<Matrix> {
        Ok(Matrix(Stored::Plain(match axes {
            Axes::InOut => tensor,
            Axes::OutIn => tensor.t()?,
        })))
    }

    /// Length of the input, length of the output.
    pub fn dims(&self) -> Result<(usize, usize)> {
        Ok(match &self.0 {
            Stored::Plain(tensor) => tensor.dims2()?,
            Stored::Packed(packed) => (packed.inner(), packed.columns()),
        })
    }

    /// The dtype of its numbers in memory.
    pub fn dtype(&self) -> &'static str {
        match &self.0 {
            Stored::Plain(tensor) => tensor.dtype().as_str(),
            Stored::Packed(packed) => packed.format().name(),
        }
    }

    /// The matrix as a tensor with these axes. Only the plain format needs no copy for it.
    pub fn tensor(&self, axes: Axes) -> Result<Tensor> {
        let (inner, columns) = self.dims()?;
        match (&self.0, axes) {
            (Stored::Plain(tensor), Axes::InOut) => Ok(tensor.clone()),
            (Stored::Plain(tensor), Axes::OutIn) => Ok(tensor.t()?),
            (Stored::Packed(packed), Axes::InOut) => packed_rows(packed, 0..inner, 0..columns),
            (Stored::Packed(packed), Axes::OutIn) => packed_columns(packed, 0..columns),
        }
    }

    /// Whether the numbers of both, which have the same shape and are in the same format, are the same to the bit.
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

    /// The panels as they lie in memory. None for tensors, which have none.
    pub fn raw(&self) -> Option<&[u8]> {
        match &self.0 {
            Stored::Plain(_) => None,
            Stored::Packed(packed) => Some(packed.bytes()),
        }
    }

    /// The matrix whose [`Matrix::raw`] is what `fill` appends: so many words, for which there is room. (Not a slice to
    /// write to: that would have to be cleared first, which takes longer than reading it from a disk's cache.)
    ///
    /// # Errors
    /// Those of `fill`; when it appends more or less; when there is not enough memory; when the format has no panels.
    pub fn from_raw(
        shape: [usize; 2],
        axes: Axes,
        format: WeightFormat,
        fill: impl FnOnce(&mut Vec<u32>, usize) -> Result<()>,
    ) -> Result<Matrix> {
        let [inner, columns] = axes.in_out(shape);
        let panels = format.panels(axes).ok_or_else(|| {
            Error::Weights(
                "a matrix that is not packed cannot be stored; report this as a bug".into(),
            )
        })?;
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
        Ok(Matrix(Stored::Packed(Arc::new(packed))))
    }

    /// These rows alone, as a matrix.
    pub fn rows(&self, rows: Range<usize>) -> Result<Matrix> {
        Ok(Matrix(Stored::Plain(match &self.0 {
            Stored::Plain(tensor) => tensor.narrow(0, rows.start, rows.len())?,
            Stored::Packed(packed) => packed_rows(packed, rows, 0..packed.columns())?,
        })))
    }

    /// These columns alone, as a matrix.
    pub fn columns(&self, columns: Range<usize>) -> Result<Matrix> {
        Ok(Matrix(Stored::Plain(match &self.0 {
            Stored::Plain(tensor) => {
                tensor.narrow(1, columns.start, columns.len())?.contiguous()?
            }
            Stored::Packed(packed) => packed_rows(packed, 0..packed.inner(), columns)?,
        })))
    }

    /// The columns at `ids` (u32, of any shape), along a new last axis: an embedding.
    pub fn embedding(&self, ids: &Tensor) -> Result<Tensor> {
        let flat = ids.flatten_all()?;
        let (inner, _) = self.dims()?;
        let rows = match &self.0 {
            Stored::Plain(tensor) => tensor.t()?.contiguous()?.index_select(&flat, 0)?,
            Stored::Packed(packed) => {
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

    /// `x w + bias` over the last axis of `x`, as one product over all rows.
    pub(super) fn multiply(&self, x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let (inner, columns) = self.dims()?;
        let mut shape = x.dims().to_vec();
        if let Some(last) = shape.last_mut() {
            *last = columns;
        }
        let rows = x.reshape((x.elem_count() / inner, inner))?;
        let product = match &self.0 {
            Stored::Packed(matrix) => {
                let op = PackedProduct { matrix: matrix.clone(), bias: bias.cloned() };
                rows.contiguous()?.apply_op1(op)?
            }
            Stored::Plain(tensor) => {
                let frozen = x.track_op() && !tensor.track_op();
                let product = if frozen {
                    rows.apply_op1(FrozenProduct(tensor.clone()))?
                } else {
                    rows.matmul(tensor)?
                };
                match bias {
                    None => product,
                    Some(bias) if product.track_op() => super::trainable::add_bias(&product, bias)?,
                    Some(bias) => product.broadcast_add(bias)?,
                }
            }
        };
        Ok(product.reshape(shape)?)
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

/// Takes a matrix row by row, as a checkpoint stores it, and brings each row into its format at once, so that
/// loading never holds a matrix twice.
pub struct Builder {
    building: Building,
    axes: Axes,
    shape: [usize; 2],
    rows: usize,
}

enum Building {
    Plain(Vec<f32>),
    Packed(Packed),
}

impl Builder {
    /// Reserves the memory for a matrix that the checkpoint stores with this shape and these axes.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn new(
        shape: [usize; 2],
        axes: Axes,
        format: WeightFormat,
    ) -> std::result::Result<Builder, TryReserveError> {
        let [first, second] = shape;
        let building = match (format.panels(axes), axes) {
            (None, _) => {
                let mut values = Vec::new();
                values.try_reserve_exact(first * second)?;
                Building::Plain(values)
            }
            (Some(format), Axes::InOut) => Building::Packed(Packed::zeros(format, first, second)?),
            (Some(format), Axes::OutIn) => Building::Packed(Packed::zeros(format, second, first)?),
        };
        Ok(Builder { building, axes, shape, rows: 0 })
    }

    /// Takes as many whole rows as its format wants at once; returns how many of `values` they are.
    pub fn push(&mut self, values: &[f32]) -> usize {
        let [rows, width] = self.shape;
        let there = (values.len() / width).min(rows - self.rows);
        let at_once = match (&self.building, self.axes) {
            (Building::Packed(packed), Axes::InOut) => packed.rows_at_once(),
            _ => 1,
        };
        let is_last = self.rows + there == rows;
        let taken = if is_last { there } else { there / at_once * at_once };
        let values = &values[..taken * width];
        match (&mut self.building, self.axes) {
            (Building::Plain(all), _) => all.extend_from_slice(values),
            (Building::Packed(packed), Axes::InOut) => {
                for (index, rows) in values.chunks(at_once * width).enumerate() {
                    packed.set_rows(self.rows + index * at_once, rows);
                }
            }
            (Building::Packed(packed), Axes::OutIn) => {
                for (index, row) in values.chunks_exact(width).enumerate() {
                    packed.set_column(self.rows + index, row);
                }
            }
        }
        self.rows += taken;
        values.len()
    }

    /// Whether a number was too large for its format, and was made smaller.
    pub(crate) fn is_clipped(&self) -> bool {
        matches!(&self.building, Building::Packed(packed) if packed.is_clipped())
    }

    /// The matrix, once all rows are in.
    pub fn finish(self) -> Result<Matrix> {
        match self.building {
            _ if self.rows != self.shape[0] => Err(Error::Weights(format!(
                "a matrix has {} rows, expected {}",
                self.rows, self.shape[0]
            ))),
            Building::Plain(values) => {
                Matrix::plain(Tensor::from_vec(values, &self.shape, &Device::Cpu)?, self.axes)
            }
            Building::Packed(packed) => Ok(Matrix(Stored::Packed(Arc::new(packed)))),
        }
    }
}

/// `x w + bias` with a packed matrix. Only `x` has a gradient.
struct PackedProduct {
    matrix: Arc<Packed>,
    bias: Option<Tensor>,
}

impl CustomOp1 for PackedProduct {
    fn name(&self) -> &'static str {
        "packed-product"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Computed {
        let x = floats(x, layout)?;
        let out = match &self.bias {
            None => product(x, &self.matrix, None),
            Some(bias) => with_floats(bias, |bias| Ok(product(x, &self.matrix, Some(bias))))?,
        };
        Ok((
            CpuStorage::F32(out),
            Shape::from((x.len() / self.matrix.inner(), self.matrix.columns())),
        ))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> candle_core::Result<Option<Tensor>> {
        Ok(Some(grad.contiguous()?.apply_op1_no_bwd(&TransposedProduct(&self.matrix))?))
    }
}

/// `x wᵀ` with a packed matrix.
struct TransposedProduct<'m>(&'m Packed);

impl CustomOp1 for TransposedProduct<'_> {
    fn name(&self) -> &'static str {
        "transposed-product"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Computed {
        let x = floats(x, layout)?;
        let shape = Shape::from((x.len() / self.0.columns(), self.0.inner()));
        Ok((CpuStorage::F32(transposed_product(x, self.0)), shape))
    }
}

/// `x w` with a plain matrix that has no gradient: candle's own product would compute one and throw it away.
struct FrozenProduct(Tensor);

impl CustomOp1 for FrozenProduct {
    fn name(&self) -> &'static str {
        "frozen-product"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Computed {
        let x = Tensor::from_slice(floats(x, layout)?, layout.shape(), &Device::Cpu)?;
        let product = x.matmul(&self.0)?;
        let shape = product.shape().clone();
        Ok((CpuStorage::F32(product.flatten_all()?.to_vec1()?), shape))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> candle_core::Result<Option<Tensor>> {
        Ok(Some(grad.matmul(&self.0.t()?)?))
    }
}
