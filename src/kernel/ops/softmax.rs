//! Softmax over the last axis, and the logarithm of its denominator.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result as CandleResult, Tensor};

use super::storage::{OpOutput, floats, row_width};
use crate::error::Result;
use crate::kernel::dispatch::map_rows;
use crate::kernel::simd::rowwise::RowOp;

/// `exp(x) / sum(exp(x))` over the last axis; `-inf` gets exactly 0.
///
/// # Errors
/// Those of candle, for a tensor that is not f32 on the CPU.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    Ok(x.contiguous()?.apply_op1(Softmax)?)
}

struct Softmax;

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> OpOutput {
        // SAFETY: the operation has no pointers.
        let out = unsafe { map_rows(RowOp::Softmax, floats(x, layout)?, row_width(layout)) };
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, pattern: &Tensor, grad: &Tensor) -> CandleResult<Option<Tensor>> {
        pattern.apply_op2_no_bwd(&grad.contiguous()?, &SoftmaxGrad).map(Some)
    }
}

struct SoftmaxGrad;

impl CustomOp2 for SoftmaxGrad {
    fn name(&self) -> &'static str {
        "softmax-grad"
    }

    fn cpu_fwd(
        &self,
        pattern: &CpuStorage,
        pl: &Layout,
        grad: &CpuStorage,
        gl: &Layout,
    ) -> OpOutput {
        let (pattern, grad) = (floats(pattern, pl)?, floats(grad, gl)?);
        assert_eq!(pattern.len(), grad.len());
        let op = RowOp::SoftmaxGrad { grad: grad.as_ptr() };
        // SAFETY: the gradient has as many numbers.
        let out = unsafe { map_rows(op, pattern, row_width(pl)) };
        Ok((CpuStorage::F32(out), pl.shape().clone()))
    }
}

/// `log(sum(exp(x)))`. Sums of 1024 numbers are added in f64, so that rounding does not grow with
/// the vocabulary.
pub fn log_sum_exp(x: &[f32]) -> f64 {
    const PART: usize = 1024;
    let (parts, rest) = x.split_at(x.len() / PART * PART);
    // SAFETY: the operation has no pointers.
    let sum_exp = |x, width| unsafe { map_rows(RowOp::SumExp, x, width) };
    let mut sums = sum_exp(parts, PART);
    if !rest.is_empty() {
        sums.extend(sum_exp(rest, rest.len()));
    }
    let sums = sums.as_chunks::<2>().0;
    let max = sums.iter().fold(f64::NEG_INFINITY, |max, part| max.max(f64::from(part[0])));
    let scaled = sums.iter().map(|part| f64::from(part[1]) * (f64::from(part[0]) - max).exp());
    max + scaled.sum::<f64>().ln()
}
