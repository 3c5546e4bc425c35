//! The training step: forward and backward pass of the library's model, gradient clipping, AdamW.

use std::collections::HashMap;

use candle_core::{Device, Tensor, Var};
use candlescope::kernel::cross_entropy;
use candlescope::{Config, Model, NoHooks, Weights, expected_shapes};

use super::Result;
use super::optimizer::{AdamW, Parameter, Schedule};
use super::rng::Rng;
use super::rows::{self, Batch, Phases};

/// The settings that, with the text, determine a run.
#[derive(Debug, Clone)]
pub struct Settings {
    pub config: Config,
    pub phases: Phases,
    /// Tokens in a step.
    pub batch: usize,
    pub schedule: Schedule,
    pub adam: AdamW,
    /// The maximum norm of the gradient over all parameters. A longer gradient is scaled down to it.
    pub clip: f64,
    pub seed: u64,
    /// Each thread runs its own rows of every batch. This needs less synchronisation than threads in each product.
    pub threads: usize,
}

pub struct Trainer {
    pub settings: Settings,
    pub parameters: Vec<Parameter>,
    /// Steps completed.
    pub step: usize,
}

impl Trainer {
    pub fn new(settings: Settings) -> Result<Trainer> {
        let mut rng = Rng::new(settings.seed, 0);
        let parameters = expected_shapes(&settings.config).into_iter().map(|(name, shape)| {
            let values = initial(&name, shape.iter().product(), settings.config.n_layer, &mut rng);
            let var = Var::from_vec(values, shape, &Device::Cpu)?;
            Ok(Parameter::new(name, var))
        });
        Ok(Trainer { parameters: parameters.collect::<Result<_>>()?, settings, step: 0 })
    }

    /// The current model with the variables as its weights, for gradients.
    pub fn model(&self) -> Result<Model> {
        self.model_of(|var| var.as_tensor().clone())
    }

    /// The current model without gradients.
    pub fn frozen(&self) -> Result<Model> {
        self.model_of(|var| var.as_tensor().detach())
    }

    fn model_of(&self, tensor: impl Fn(&Var) -> Tensor) -> Result<Model> {
        let tensors: HashMap<String, Tensor> =
            self.parameters.iter().map(|p| (p.name.clone(), tensor(&p.var))).collect();
        let config = &self.settings.config;
        Ok(Model::new(config.clone(), &Weights::from_tensors(config, tensors)?)?)
    }

    /// Runs one step on `text` and returns the loss before it.
    pub fn step(&mut self, text: &[u32]) -> Result<f32> {
        let Settings { config, phases, batch, seed, threads, .. } = &self.settings;
        let batch =
            rows::batch(text, config.vocab_size, *batch, phases.at(self.step), *seed, self.step)?;
        let total = batch.weight();
        let parts = batch.split(*threads);
        let results: Vec<Result<(f32, Vec<Vec<f32>>)>> = std::thread::scope(|scope| {
            let this = &*self;
            let workers: Vec<_> = parts
                .into_iter()
                .map(|part| {
                    let share = part.weight() / total;
                    scope.spawn(move || this.gradients(part, share))
                })
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().expect("a worker ends with a result"))
                .collect()
        });
        let mut results = results.into_iter();
        let (mut loss, mut grads) = results.next().expect("a batch has at least one row")?;
        for part in results {
            let (part_loss, part_grads) = part?;
            loss += part_loss;
            for (grad, part) in grads.iter_mut().zip(part_grads) {
                grad.iter_mut().zip(part).for_each(|(sum, g)| *sum += g);
            }
        }
        self.update(&grads)?;
        Ok(loss)
    }

    /// The loss of a part of a batch and its gradients, times the part's share of the batch.
    fn gradients(&self, part: Batch, share: f32) -> Result<(f32, Vec<Vec<f32>>)> {
        let loss = (batch_loss(&self.model()?, part)? * f64::from(share))?;
        let grads = loss.backward()?;
        let grads = self.parameters.iter().map(|parameter| {
            let grad =
                grads.get(&parameter.var).ok_or(format!("{} got no gradient", parameter.name))?;
            Ok(grad.flatten_all()?.to_vec1::<f32>()?)
        });
        Ok((loss.to_scalar()?, grads.collect::<Result<_>>()?))
    }

    fn update(&mut self, grads: &[Vec<f32>]) -> Result<()> {
        let Settings { schedule, adam, clip, .. } = &self.settings;
        let square = |grad: &Vec<f32>| grad.iter().map(|g| f64::from(g * g)).sum::<f64>();
        let length = grads.iter().map(square).sum::<f64>().sqrt();
        if !length.is_finite() {
            return Err(format!(
                "step {}: the gradient is not finite; try a lower --rate",
                self.step + 1
            )
            .into());
        }
        let scale = (clip / length).min(1.0);
        let rate = schedule.rate(self.step);
        self.step += 1;
        for (parameter, grad) in self.parameters.iter_mut().zip(grads) {
            adam.update(parameter, grad, scale, rate, self.step)?;
        }
        Ok(())
    }
}

/// The weighted mean loss of a batch, differentiable if the model's weights are variables.
///
/// candle-nn's `cross_entropy` does not serve: it has no weights, and its backward pass keeps several tensors as large as
/// the logits. The library's is one operation.
pub fn batch_loss(model: &Model, batch: Batch) -> Result<Tensor> {
    let tokens = Tensor::from_vec(batch.tokens, (batch.rows, batch.length), &Device::Cpu)?;
    let logits = model.forward(&tokens, None, &mut NoHooks)?.flatten_to(1)?; // [B * T, V]
    Ok(cross_entropy(&logits, batch.targets, batch.weights)?)
}

/// GPT-2's initial values, except for the embeddings. Position embeddings start five times larger, so that attention to
/// the previous token, and with it induction, forms early.
fn initial(name: &str, count: usize, n_layer: usize, rng: &mut Rng) -> Vec<f32> {
    let spread = match name {
        "wpe.weight" => 0.1,
        "wte.weight" | "lm_head.weight" => 0.05,
        // These matrices write into the residual stream, 2 n_layer times.
        _ if name.ends_with("c_proj.weight") => 0.02 / (2.0 * n_layer as f64).sqrt(),
        _ if name.contains(".ln_") || name.starts_with("ln_f") => {
            return vec![if name.ends_with("weight") { 1.0 } else { 0.0 }; count];
        }
        _ if name.ends_with("bias") => 0.0,
        _ => 0.02,
    };
    (0..count).map(|_| (spread * rng.normal()) as f32).collect()
}
