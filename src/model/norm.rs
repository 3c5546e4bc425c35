//! The normalization in front of each part.

use candle_core::Tensor;

use super::tap::Tap;
use crate::checkpoint::{Normalization, Weights};
use crate::error::Result;
use crate::hook::HookPoint;
use crate::kernel;

/// What stands between the residual stream and the part that reads it.
pub(super) enum Norm {
    LayerNorm(LayerNorm),
    /// The stream as it is, without hook points.
    Identity,
}

/// `(x - mean) / sqrt(variance + eps)` over the last axis, then `* weight + bias` if it has them.
pub(super) struct LayerNorm {
    affine: Option<(Tensor, Tensor)>, // weight and bias, [D] each
    epsilon: f64,
    points: [HookPoint; 2], // of the scale, and of the value before weight and bias
}

impl Norm {
    /// The norm `name` of the checkpoint.
    pub(super) fn load(
        weights: &Weights,
        name: &str,
        kind: Normalization,
        epsilon: f64,
        points: [HookPoint; 2],
    ) -> Result<Norm> {
        let tensor = |part| weights.get(&format!("{name}.{part}"));
        let affine = match kind {
            Normalization::None => return Ok(Norm::Identity),
            Normalization::LayerNorm => Some((tensor("weight")?, tensor("bias")?)),
            Normalization::LayerNormPre => None,
        };
        Ok(Norm::LayerNorm(LayerNorm { affine, epsilon, points }))
    }

    pub(super) fn forward(&self, x: &Tensor, tap: &mut Tap) -> Result<Tensor> {
        match self {
            Norm::Identity => Ok(x.clone()),
            Norm::LayerNorm(norm) if !norm.points.iter().any(|point| tap.wants_at(*point)) => {
                norm.whole(x)
            }
            Norm::LayerNorm(norm) => {
                // A copy, so that the gradients of both steps are added before the sum that is that of
                // `x`, as in one step.
                let x = if x.track_op() { x.copy()? } else { x.clone() };
                let scale = tap.at(norm.points[0], kernel::scale(&x, norm.epsilon)?)?; // [B, T, 1]
                norm.gain(tap.at(norm.points[1], kernel::normalize(&x, &scale)?)?) // [B, T, D]
            }
        }
    }

    pub(super) fn without_hooks(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Norm::Identity => Ok(x.clone()),
            Norm::LayerNorm(norm) => norm.whole(x),
        }
    }
}

impl LayerNorm {
    /// All steps at once, with the bits of the steps.
    fn whole(&self, x: &Tensor) -> Result<Tensor> {
        let gain = self.affine.as_ref().map(|(weight, bias)| (weight, bias));
        kernel::layer_norm(x, self.epsilon, gain)
    }

    fn gain(&self, normalized: Tensor) -> Result<Tensor> {
        match &self.affine {
            Some((weight, bias)) => kernel::affine(&normalized, weight, bias),
            None => Ok(normalized),
        }
    }
}
