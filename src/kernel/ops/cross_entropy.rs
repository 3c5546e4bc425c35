//! The cross-entropy loss, and weighted sums of single logits: what is differentiated.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::rows::sum;
use super::softmax::log_sum_exp;
use super::storage::{OpOutput, floats, row_width};
use crate::kernel::dispatch::map_rows;
use crate::kernel::simd::rowwise::RowOp;

/// The weighted mean over rows of `-log softmax(logits)[target]`, with `logits` `[.., vocab]`. A row
/// of weight 0 is skipped and gets no gradient.
///
/// # Errors
/// If `targets` or `weights` does not have one entry for each row, or a target is not in the
/// vocabulary.
pub fn cross_entropy(logits: &Tensor, targets: Vec<u32>, weights: Vec<f32>) -> Result<Tensor> {
    check(logits, &targets, &weights)?;
    logits.contiguous()?.apply_op1(CrossEntropy { targets, weights })
}

/// The gradient of [`cross_entropy`], in the shape of the logits.
///
/// # Errors
/// As [`cross_entropy`].
pub(crate) fn cross_entropy_grad(
    logits: &Tensor,
    targets: &[u32],
    weights: &[f32],
) -> Result<Tensor> {
    check(logits, targets, weights)?;
    let total = sum(weights, |x| x);
    let weights = weights.iter().map(|weight| weight / total).collect();
    logits.contiguous()?.apply_op1_no_bwd(&CrossEntropyGrad { targets, weights })
}

fn check(logits: &Tensor, targets: &[u32], weights: &[f32]) -> Result<()> {
    let vocab = logits.dims().last().copied().unwrap_or(0);
    let rows = logits.elem_count().checked_div(vocab).unwrap_or(0);
    if targets.len() != rows || weights.len() != rows {
        bail!("cross_entropy: {rows} rows, {} targets, {} weights", targets.len(), weights.len())
    }
    if let Some(id) = targets.iter().find(|&&id| id as usize >= vocab) {
        bail!("cross_entropy: target {id} with a vocabulary of {vocab}")
    }
    Ok(())
}

/// The sum of `weight x[index]` over all `terms`, which count the numbers of `x`. Its gradient is one
/// tensor of zeros but for them; candle's has one for each narrowing of `x`.
///
/// # Errors
/// If `x` does not have one of the numbers.
pub(crate) fn weighted_sum(x: &Tensor, terms: Vec<(usize, f32)>) -> Result<Tensor> {
    let count = x.elem_count();
    if let Some((index, _)) = terms.iter().find(|(index, _)| *index >= count) {
        bail!("weighted_sum: number {index} of {count}")
    }
    x.contiguous()?.apply_op1(WeightedSum { terms })
}

struct WeightedSum {
    terms: Vec<(usize, f32)>,
}

impl CustomOp1 for WeightedSum {
    fn name(&self) -> &'static str {
        "weighted-sum"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> OpOutput {
        let x = floats(x, layout)?;
        let sum = self.terms.iter().map(|(index, weight)| weight * x[*index]).sum();
        Ok((CpuStorage::F32(vec![sum]), Shape::from(())))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.to_scalar::<f32>()?;
        let mut numbers = vec![0f32; x.elem_count()];
        for (index, weight) in &self.terms {
            numbers[*index] += weight * grad;
        }
        Ok(Some(Tensor::from_vec(numbers, x.shape(), x.device())?))
    }
}

struct CrossEntropy {
    targets: Vec<u32>,
    weights: Vec<f32>,
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> OpOutput {
        let logits = floats(logits, layout)?;
        let vocab = row_width(layout);
        let loss = |(row, target): (&[f32], &u32)| log_sum_exp(row) as f32 - row[*target as usize];
        let rows = logits.chunks_exact(vocab.max(1)).zip(&self.targets).zip(&self.weights);
        let losses: Vec<f32> = rows
            .map(|(row, weight)| if *weight == 0.0 { 0.0 } else { weight * loss(row) })
            .collect();
        let loss = sum(&losses, |x| x) / sum(&self.weights, |x| x);
        Ok((CpuStorage::F32(vec![loss]), Shape::from(())))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let total = sum(&self.weights, |x| x);
        let scale = grad.to_scalar::<f32>()? / total;
        let weights = self.weights.iter().map(|w| w * scale).collect();
        logits.apply_op1_no_bwd(&CrossEntropyGrad { targets: &self.targets, weights }).map(Some)
    }
}

struct CrossEntropyGrad<'a> {
    targets: &'a [u32],
    weights: Vec<f32>,
}

impl CustomOp1 for CrossEntropyGrad<'_> {
    fn name(&self) -> &'static str {
        "cross-entropy-grad"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> OpOutput {
        let (logits, vocab) = (floats(logits, layout)?, row_width(layout));
        let op = RowOp::WeightedSoftmax { weights: self.weights.as_ptr() };
        // SAFETY: there is one weight for each row.
        let mut out = unsafe { map_rows(op, logits, vocab) };
        for ((row, target), weight) in
            out.chunks_exact_mut(vocab).zip(self.targets).zip(&self.weights)
        {
            row[*target as usize] -= weight;
        }
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}
