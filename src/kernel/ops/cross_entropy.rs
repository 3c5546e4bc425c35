//! The cross-entropy loss, for training.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::rows::{fill_rows, max, sum};
use super::softmax::log_sum_exp;
use super::storage::{OpOutput, floats, row_width};
use crate::kernel::simd::functions::exp;

/// The weighted mean over rows of `-log softmax(logits)[target]`, with `logits` `[n, vocab]`. A row
/// of weight 0 is skipped and gets no gradient.
///
/// # Errors
/// If `targets` or `weights` does not have one entry for each row, or a target is not in the
/// vocabulary.
pub fn cross_entropy(logits: &Tensor, targets: Vec<u32>, weights: Vec<f32>) -> Result<Tensor> {
    let (rows, vocab) = logits.dims2()?;
    if targets.len() != rows || weights.len() != rows {
        bail!("cross_entropy: {rows} rows, {} targets, {} weights", targets.len(), weights.len())
    }
    if let Some(id) = targets.iter().find(|&&id| id as usize >= vocab) {
        bail!("cross_entropy: target {id} with a vocabulary of {vocab}")
    }
    logits.contiguous()?.apply_op1(CrossEntropy { targets, weights })
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
        let losses = fill_rows(self.targets.len(), 1, |row, out| {
            if self.weights[row] != 0.0 {
                let logits = &logits[row * vocab..][..vocab];
                let log_sum = log_sum_exp(logits) as f32;
                out[0] = self.weights[row] * (log_sum - logits[self.targets[row] as usize]);
            }
        });
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
        let logits = floats(logits, layout)?;
        let vocab = row_width(layout);
        let out = fill_rows(logits.len(), vocab, |row, out| {
            let weight = self.weights[row];
            if weight != 0.0 {
                softmax_row(&logits[row * vocab..][..vocab], out);
                out.iter_mut().for_each(|p| *p *= weight);
                out[self.targets[row] as usize] -= weight;
            }
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

fn softmax_row(row: &[f32], out: &mut [f32]) {
    let top = max(row);
    for (out, x) in out.iter_mut().zip(row) {
        *out = exp(x - top);
    }
    let inverse = 1.0 / sum(out, |x| x);
    out.iter_mut().for_each(|x| *x *= inverse);
}
