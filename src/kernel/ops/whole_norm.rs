//! LayerNorm as one operation, for runs that capture nothing between its steps.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result as CandleResult, Tensor, bail};

use super::layer_norm::{affine, normalize, scale};
use super::storage::{OpOutput, floats, row_width, with_floats};
use crate::error::Result;
use crate::kernel::dispatch::map_rows;
use crate::kernel::simd::rowwise::RowOp;

/// [`scale`], [`normalize`] and, with a weight and a bias, [`affine`]: the same bits in less time. A
/// weight and a bias that are tracked for gradients (training) get the three steps.
///
/// # Errors
/// Those of candle; if weight or bias has another length than the last axis.
pub fn layer_norm(x: &Tensor, eps: f64, gain: Option<(&Tensor, &Tensor)>) -> Result<Tensor> {
    if let Some((weight, bias)) = gain
        && (weight.track_op() || bias.track_op())
    {
        return affine(&normalize(x, &scale(x, eps)?)?, weight, bias);
    }
    let gain = gain.map(|(weight, bias)| (weight.clone(), bias.clone()));
    Ok(x.contiguous()?.apply_op1(LayerNorm { eps: eps as f32, gain })?)
}

struct LayerNorm {
    eps: f32,
    gain: Option<(Tensor, Tensor)>,
}

impl LayerNorm {
    /// Calls `f` with the addresses of weight and bias, which are valid for `width` floats, or null.
    fn with_gain<T>(
        &self,
        width: usize,
        f: impl FnOnce(*const f32, *const f32) -> T,
    ) -> CandleResult<T> {
        let Some((weight, bias)) = &self.gain else {
            return Ok(f(std::ptr::null(), std::ptr::null()));
        };
        with_floats(weight, |weight| {
            with_floats(bias, |bias| {
                if weight.len() != width || bias.len() != width {
                    let (weight, bias) = (weight.len(), bias.len());
                    bail!("a weight of {weight} and a bias of {bias} for rows of {width}")
                }
                Ok(f(weight.as_ptr(), bias.as_ptr()))
            })
        })
    }
}

impl CustomOp1 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> OpOutput {
        let (x, width) = (floats(x, layout)?, row_width(layout));
        let out = self.with_gain(width, |weight, bias| {
            let op = RowOp::LayerNorm { eps: self.eps, weight, bias };
            // SAFETY: `weight` and `bias` have `width` floats or are null.
            unsafe { map_rows(op, x, width) }
        })?;
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> CandleResult<Option<Tensor>> {
        x.apply_op2_no_bwd(&grad.contiguous()?, &LayerNormGrad(self)).map(Some)
    }
}

struct LayerNormGrad<'a>(&'a LayerNorm);

impl CustomOp2 for LayerNormGrad<'_> {
    fn name(&self) -> &'static str {
        "layer-norm-grad"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, grad: &CpuStorage, gl: &Layout) -> OpOutput {
        let (x, grad, width) = (floats(x, xl)?, floats(grad, gl)?, row_width(xl));
        assert_eq!(x.len(), grad.len());
        let out = self.0.with_gain(width, |weight, _| {
            let op = RowOp::LayerNormGrad { eps: self.0.eps, weight, grad: grad.as_ptr() };
            // SAFETY: the gradient has as many numbers as `x`; `weight` has `width` floats or is null.
            unsafe { map_rows(op, x, width) }
        })?;
        Ok((CpuStorage::F32(out), xl.shape().clone()))
    }
}
