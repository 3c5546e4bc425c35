//! LayerNorm in three steps, so that hooks can read the values between them:
//! `(x - mean) / sqrt(variance + eps) * weight + bias` is [`scale`], [`normalize`], [`affine`].

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result as CandleResult, Shape, Tensor,
    bail,
};

use super::rows::add_to;
use super::storage::{Grads2, Grads3, OpOutput, floats, row_width};
use crate::error::Result;
use crate::kernel::dispatch::map_rows;
use crate::kernel::simd::rowwise::RowOp;

/// `sqrt(variance + eps)` over the last axis of `x`, which is kept with length 1.
///
/// # Errors
/// Those of candle, for a tensor that is not f32 on the CPU.
pub fn scale(x: &Tensor, eps: f64) -> Result<Tensor> {
    Ok(x.contiguous()?.apply_op1(Scale { eps: eps as f32 })?)
}

/// `(x - mean) / scale` over the last axis of `x`; `scale` has length 1 along it.
///
/// # Errors
/// Those of candle; if `scale` does not have one number for each row.
pub fn normalize(x: &Tensor, scale: &Tensor) -> Result<Tensor> {
    Ok(x.contiguous()?.apply_op2(scale, Normalize)?)
}

/// `x weight + bias` elementwise along the last axis.
///
/// # Errors
/// Those of candle; if `weight` or `bias` has another length than the last axis.
pub fn affine(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    Ok(x.contiguous()?.apply_op3(weight, bias, Affine)?)
}

struct Scale {
    eps: f32,
}

impl CustomOp1 for Scale {
    fn name(&self) -> &'static str {
        "layer-norm-scale"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> OpOutput {
        let op = RowOp::Scale { eps: self.eps };
        // SAFETY: the operation has no pointers.
        let out = unsafe { map_rows(op, floats(x, layout)?, row_width(layout)) };
        let mut dims = layout.dims().to_vec();
        dims.pop();
        dims.push(1);
        Ok((CpuStorage::F32(out), Shape::from(dims)))
    }

    fn bwd(&self, x: &Tensor, scale: &Tensor, grad: &Tensor) -> CandleResult<Option<Tensor>> {
        x.apply_op3_no_bwd(scale, &grad.contiguous()?, &ScaleGrad).map(Some)
    }
}

struct ScaleGrad;

impl CustomOp3 for ScaleGrad {
    fn name(&self) -> &'static str {
        "layer-norm-scale-grad"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        scale: &CpuStorage,
        sl: &Layout,
        grad: &CpuStorage,
        gl: &Layout,
    ) -> OpOutput {
        let (x, scale, grad) = (floats(x, xl)?, floats(scale, sl)?, floats(grad, gl)?);
        let width = row_width(xl);
        assert!(scale.len() * width == x.len() && grad.len() == scale.len());
        let op = RowOp::ScaleGrad { scale: scale.as_ptr(), grad: grad.as_ptr() };
        // SAFETY: there is one scale and one gradient for each row.
        let out = unsafe { map_rows(op, x, width) };
        Ok((CpuStorage::F32(out), xl.shape().clone()))
    }
}

struct Normalize;

impl CustomOp2 for Normalize {
    fn name(&self) -> &'static str {
        "layer-norm-normalize"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, scale: &CpuStorage, sl: &Layout) -> OpOutput {
        let (x, scale) = (floats(x, xl)?, floats(scale, sl)?);
        let width = row_width(xl);
        if scale.len() * width != x.len() {
            bail!("{} scales for {} rows", scale.len(), x.len() / width)
        }
        // SAFETY: there is one scale for each row.
        let out = unsafe { map_rows(RowOp::Normalize { scale: scale.as_ptr() }, x, width) };
        Ok((CpuStorage::F32(out), xl.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        scale: &Tensor,
        normalized: &Tensor,
        grad: &Tensor,
    ) -> CandleResult<Grads2> {
        let grad = grad.contiguous()?;
        // The map is linear and symmetric in x: the gradient goes back through the map itself.
        let x_grad = grad.apply_op2_no_bwd(scale, &Normalize)?;
        let scale_grad = normalized.apply_op3_no_bwd(scale, &grad, &NormalizeScaleGrad)?;
        Ok((Some(x_grad), Some(scale_grad)))
    }
}

struct NormalizeScaleGrad;

impl CustomOp3 for NormalizeScaleGrad {
    fn name(&self) -> &'static str {
        "layer-norm-normalize-grad"
    }

    fn cpu_fwd(
        &self,
        normalized: &CpuStorage,
        nl: &Layout,
        scale: &CpuStorage,
        sl: &Layout,
        grad: &CpuStorage,
        gl: &Layout,
    ) -> OpOutput {
        let (normalized, scale, grad) =
            (floats(normalized, nl)?, floats(scale, sl)?, floats(grad, gl)?);
        let width = row_width(nl);
        assert!(scale.len() * width == normalized.len() && grad.len() == normalized.len());
        let op = RowOp::NormalizeScaleGrad { scale: scale.as_ptr(), grad: grad.as_ptr() };
        // SAFETY: there is one scale for each row, and the gradient has as many numbers.
        let out = unsafe { map_rows(op, normalized, width) };
        Ok((CpuStorage::F32(out), sl.shape().clone()))
    }
}

struct Affine;

impl CustomOp3 for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        weight: &CpuStorage,
        wl: &Layout,
        bias: &CpuStorage,
        bl: &Layout,
    ) -> OpOutput {
        let (x, weight, bias) = (floats(x, xl)?, floats(weight, wl)?, floats(bias, bl)?);
        let width = row_width(xl);
        if weight.len() != width || bias.len() != width {
            bail!("a weight of {} and a bias of {} for rows of {width}", weight.len(), bias.len())
        }
        let op = RowOp::Affine { weight: weight.as_ptr(), bias: bias.as_ptr() };
        // SAFETY: `weight` and `bias` have `width` floats.
        let out = unsafe { map_rows(op, x, width) };
        Ok((CpuStorage::F32(out), xl.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> CandleResult<Grads3> {
        let grad = grad.contiguous()?;
        let x_grad = Some(grad.broadcast_mul(weight)?);
        if !(weight.track_op() || bias.track_op()) {
            return Ok((x_grad, None, None));
        }
        let sums = x.apply_op2_no_bwd(&grad, &AffineSums)?;
        Ok((x_grad, Some(sums.get(0)?), Some(sums.get(1)?)))
    }
}

/// `[2, width]`: the gradients of the weight and of the bias.
struct AffineSums;

impl CustomOp2 for AffineSums {
    fn name(&self) -> &'static str {
        "affine-sums"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, grad: &CpuStorage, gl: &Layout) -> OpOutput {
        let (x, grad) = (floats(x, xl)?, floats(grad, gl)?);
        let width = row_width(xl);
        let mut sums = vec![0f32; 2 * width];
        let (weight_grad, bias_grad) = sums.split_at_mut(width);
        for (x, g) in x.chunks_exact(width).zip(grad.chunks_exact(width)) {
            for ((sum, x), g) in weight_grad.iter_mut().zip(x).zip(g) {
                *sum += x * g;
            }
            add_to(bias_grad, g);
        }
        Ok((CpuStorage::F32(sums), Shape::from((2, width))))
    }
}
