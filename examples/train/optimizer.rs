//! AdamW and the learning rate.
//!
//! candle-nn's `AdamW` does not serve: its moments are private, so a checkpoint cannot hold them and a resumed run would
//! differ. A test compares the steps of both. Its `VarMap` does not serve either: it has no order, in which initial
//! values are drawn and squared gradients are summed.

use candle_core::Var;

use super::Result;

#[derive(Debug, Clone, Copy)]
pub struct AdamW {
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    /// Applied to matrices only, not to biases and LayerNorms.
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> AdamW {
        AdamW { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.01 }
    }
}

/// A trained tensor with its moments: the running means of the gradient and of its square.
pub struct Parameter {
    pub name: String,
    pub var: Var,
    pub first: Vec<f32>,
    pub second: Vec<f32>,
}

impl Parameter {
    pub fn new(name: String, var: Var) -> Parameter {
        let zeros = vec![0f32; var.elem_count()];
        Parameter { name, var, first: zeros.clone(), second: zeros }
    }

    pub fn values(&self) -> Result<Vec<f32>> {
        Ok(self.var.flatten_all()?.to_vec1()?)
    }

    pub fn set(&self, values: Vec<f32>) -> Result<()> {
        let tensor = candle_core::Tensor::from_vec(values, self.var.shape(), self.var.device())?;
        Ok(self.var.set(&tensor)?)
    }
}

impl AdamW {
    /// Updates `parameter` with its gradient times `scale`. `step` counts from 1.
    pub fn update(
        &self,
        parameter: &mut Parameter,
        grad: &[f32],
        scale: f64,
        rate: f64,
        step: usize,
    ) -> Result<()> {
        let (b1, b2) = (self.beta1 as f32, self.beta2 as f32);
        let first_bias = (1.0 - self.beta1.powi(step as i32)) as f32;
        let second_bias = (1.0 - self.beta2.powi(step as i32)) as f32;
        let decay = if parameter.var.rank() > 1 { self.weight_decay } else { 0.0 };
        let (keep, rate) = ((1.0 - rate * decay) as f32, rate as f32);
        let (scale, epsilon) = (scale as f32, self.epsilon as f32);
        let mut values = parameter.values()?;
        let moments = parameter.first.iter_mut().zip(&mut parameter.second);
        for ((value, (m, v)), g) in values.iter_mut().zip(moments).zip(grad) {
            let g = g * scale;
            *m = b1 * *m + (1.0 - b1) * g;
            *v = b2 * *v + (1.0 - b2) * g * g;
            *value =
                *value * keep - rate * (*m / first_bias) / ((*v / second_bias).sqrt() + epsilon);
        }
        parameter.set(values)
    }
}

/// The learning rate: a linear warm-up, a constant part, and a cosine decay to a twentieth. During the constant part, a
/// run can be made shorter or longer by resuming it with other `steps`.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    pub peak: f64,
    pub warmup: usize,
    pub steps: usize,
    /// The share of the steps in which the rate decays.
    pub cooldown: f64,
}

impl Schedule {
    pub fn rate(&self, step: usize) -> f64 {
        let rise = ((step + 1) as f64 / self.warmup.max(1) as f64).min(1.0);
        let cooldown = (self.steps as f64 * self.cooldown).max(1.0);
        let into = (step as f64 - (self.steps as f64 - cooldown)).clamp(0.0, cooldown) / cooldown;
        let fall = 0.05 + 0.95 * 0.5 * (1.0 + (std::f64::consts::PI * into).cos());
        self.peak * rise.min(fall)
    }
}
