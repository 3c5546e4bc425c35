//! Products with a weight matrix, and their backward passes.

use std::sync::Arc;

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, Device, Layout, Result as CandleResult, Shape, Tensor, bail,
};

use super::packed_product::{product, transposed_product};
use super::rows::{add_to, fill_rows};
use super::storage::{Grads2, OpOutput, floats, with_floats};
use crate::error::Result;
use crate::kernel::weights::{Matrix, Packed, Storage};

/// `x w + b` over the last axis of `x` `[.., in]`, with `w` `[in, out]` and `b` `[out]`.
///
/// # Errors
/// Those of candle, if the shapes do not fit.
pub fn linear(x: &Tensor, weight: &Matrix, bias: &Tensor) -> Result<Tensor> {
    multiply(x, weight, Some(bias))
}

/// `x w` over the last axis of `x` `[.., in]`, with `w` `[in, out]`.
///
/// # Errors
/// Those of candle, if the shapes do not fit.
pub fn matmul(x: &Tensor, weight: &Matrix) -> Result<Tensor> {
    multiply(x, weight, None)
}

/// `x wᵀ` over the last axis of `x` `[.., out]`, with `w` `[in, out]`: the gradient of the input of
/// [`matmul`]. It has no gradient itself.
///
/// # Errors
/// Those of candle, if the shapes do not fit.
pub fn transposed_matmul(x: &Tensor, weight: &Matrix) -> Result<Tensor> {
    let x = x.contiguous()?;
    match weight.storage() {
        Storage::Packed(matrix) => Ok(x.apply_op1_no_bwd(&TransposedProduct(matrix))?),
        Storage::Plain(tensor) => {
            let (inner, columns) = tensor.dims2()?;
            let rows = x.detach().reshape((x.elem_count() / columns, columns))?;
            Ok(rows.matmul(&tensor.detach().t()?)?.reshape(with_width(x.dims(), inner))?)
        }
    }
}

/// The product of all rows of `x` at once.
fn multiply(x: &Tensor, weight: &Matrix, bias: Option<&Tensor>) -> Result<Tensor> {
    let (inner, columns) = weight.dims()?;
    let tensor = match weight.storage() {
        Storage::Plain(tensor) => tensor,
        Storage::Packed(matrix) => {
            let op = PackedProduct { matrix: matrix.clone(), bias: bias.cloned() };
            return Ok(x.contiguous()?.apply_op1(op)?);
        }
    };
    let rows = x.reshape((x.elem_count() / inner, inner))?; // [rows, in]
    let product = if x.track_op() && !tensor.track_op() {
        rows.apply_op1(FrozenProduct(tensor.clone()))?
    } else {
        rows.matmul(tensor)?
    };
    let product = match bias {
        None => product,
        Some(bias) if product.track_op() => add_bias(&product, bias)?,
        Some(bias) => product.broadcast_add(bias)?,
    }; // [rows, out]
    Ok(product.reshape(with_width(x.dims(), columns))?)
}

/// The axes `dims` with the last one of this length.
fn with_width(dims: &[usize], width: usize) -> Vec<usize> {
    let mut dims = dims.to_vec();
    if let Some(last) = dims.last_mut() {
        *last = width;
    }
    dims
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

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> OpOutput {
        let shape = product_shape(layout, self.matrix.inner(), self.matrix.columns())?;
        let x = floats(x, layout)?;
        let out = match &self.bias {
            None => product(x, &self.matrix, None),
            Some(bias) => with_floats(bias, |bias| Ok(product(x, &self.matrix, Some(bias))))?,
        };
        Ok((CpuStorage::F32(out), shape))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> CandleResult<Option<Tensor>> {
        Ok(Some(grad.contiguous()?.apply_op1_no_bwd(&TransposedProduct(&self.matrix))?))
    }
}

/// The shape of a product with rows of `inner` numbers.
fn product_shape(x: &Layout, inner: usize, columns: usize) -> CandleResult<Shape> {
    match x.dims().last() {
        Some(width) if *width == inner => Ok(Shape::from(with_width(x.dims(), columns))),
        _ => bail!("a product of {:?} with {inner} rows", x.dims()),
    }
}

/// `x wᵀ` with a packed matrix.
struct TransposedProduct<'m>(&'m Packed);

impl CustomOp1 for TransposedProduct<'_> {
    fn name(&self) -> &'static str {
        "transposed-product"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> OpOutput {
        let shape = product_shape(layout, self.0.columns(), self.0.inner())?;
        Ok((CpuStorage::F32(transposed_product(floats(x, layout)?, self.0)), shape))
    }
}

/// `x w` with a plain matrix that has no gradient: candle's own product would compute one and throw
/// it away.
struct FrozenProduct(Tensor);

impl CustomOp1 for FrozenProduct {
    fn name(&self) -> &'static str {
        "frozen-product"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> OpOutput {
        let x = Tensor::from_slice(floats(x, layout)?, layout.shape(), &Device::Cpu)?;
        let product = x.matmul(&self.0)?;
        let shape = product.shape().clone();
        Ok((CpuStorage::F32(product.flatten_all()?.to_vec1()?), shape))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> CandleResult<Option<Tensor>> {
        Ok(Some(grad.matmul(&self.0.t()?)?))
    }
}

/// `x + bias`, the bias along the last axis.
pub(super) fn add_bias(x: &Tensor, bias: &Tensor) -> CandleResult<Tensor> {
    x.contiguous()?.apply_op2(bias, AddBias)
}

struct AddBias;

impl CustomOp2 for AddBias {
    fn name(&self) -> &'static str {
        "add-bias"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, bias: &CpuStorage, bl: &Layout) -> OpOutput {
        let (x, bias) = (floats(x, xl)?, floats(bias, bl)?);
        let width = bias.len();
        let out = fill_rows(x.len(), width, |row, out| {
            for ((out, x), b) in out.iter_mut().zip(&x[row * width..]).zip(bias) {
                *out = x + b;
            }
        });
        Ok((CpuStorage::F32(out), xl.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, bias: &Tensor, _: &Tensor, grad: &Tensor) -> CandleResult<Grads2> {
        let grad = grad.contiguous()?;
        let sums = SumRows { width: bias.elem_count() };
        let bias_grad = if bias.track_op() { Some(grad.apply_op1_no_bwd(&sums)?) } else { None };
        Ok((Some(grad), bias_grad))
    }
}

struct SumRows {
    width: usize,
}

impl CustomOp1 for SumRows {
    fn name(&self) -> &'static str {
        "sum-rows"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> OpOutput {
        let mut sum = vec![0f32; self.width];
        for row in floats(x, layout)?.chunks_exact(self.width) {
            add_to(&mut sum, row);
        }
        Ok((CpuStorage::F32(sum), Shape::from(self.width)))
    }
}
