//! Integrated gradients distribute the change of a metric, from baseline embeddings `e'` to the embeddings `e` of the
//! prompt, over the tokens. The integral is a midpoint sum over `n` steps:
//!
//! ```text
//! share(t) = (e_t - e'_t) . (1/n) sum over k of dm/de_t at e' + (k + 1/2)/n (e - e')
//! ```
//!
//! The shares add up to `m(e) - m(e')` as `n` grows. Sundararajan et al. 2017, *Axiomatic Attribution for Deep
//! Networks*. Position embeddings are not changed.

use candle_core::{Device, Tensor};

use super::measurement::{MeasurementResult, measurement};
use crate::error::{Error, Result};
use crate::hook::HookPoint;
use crate::intervene::{Intervention, Set, Values};
use crate::lab::Lab;
use crate::model::Model;
use crate::named_array::NamedArray;
use crate::run::{Objective, RunOptions, run};
use crate::wire::{Optional, Prompt, Request, options, results};

options! {
    /// Options of `integratedGradients`.
    #[derive(Debug, Clone)]
    pub struct IntegratedGradientsOptions {
        /// The tokens whose embeddings the path starts from, as many as the prompt has; zero embeddings if absent.
        pub baseline: Option<Vec<u32>> as Optional<Prompt>,
        /// How many steps the path has.
        pub steps: usize = 32,
        ..pub metric: Objective,
    }
}

impl IntegratedGradientsOptions {
    /// # Errors
    /// [`Error::Input`] if there is no step, or the baseline has another length than the prompt.
    pub(crate) fn check(&self, tokens: &[u32]) -> Result<()> {
        if self.steps == 0 {
            return Err(Error::Input(
                "integrated gradients need at least one step, 32 are a good start".into(),
            ));
        }
        match &self.baseline {
            Some(other) if other.len() != tokens.len() => {
                let (found, expected) = (other.len(), tokens.len());
                Err(Error::Input(format!(
                    "the baseline has {found} tokens, the prompt {expected}; expected as many"
                )))
            }
            _ => Ok(()),
        }
    }
}

results! {
    /// Each token's share of a metric's change from a baseline to the prompt.
    #[derive(Debug, Clone, PartialEq)]
    pub struct IntegratedGradients {
        /// The shares: axis `pos`.
        pub shares: NamedArray,
        /// The metric of the prompt.
        pub metric: f32,
        /// The metric of the baseline.
        pub baseline: f32,
        /// The sum of the shares minus the metric's change. It tends to 0 as `steps` grows.
        pub error: f32,
    }
}

pub(super) fn begin(
    lab: &Lab,
    Request { input, options, .. }: Request<IntegratedGradientsOptions>,
) -> MeasurementResult<IntegratedGradients> {
    Ok(Box::new(Integration::new(&lab.model, &input, options)?))
}

measurement!(Integration => IntegratedGradients);

/// Integrated gradients in steps of one forward and one backward pass.
pub struct Integration {
    model: Model,
    tokens: Vec<u32>,
    metric: Objective,
    steps: usize,
    done: usize,
    /// `e'` and `e - e'`, `[1, T, D]`.
    baseline: Tensor,
    change: Tensor,
    sum: Tensor,
}

const EMBED: HookPoint = HookPoint::Embed;

impl Integration {
    /// # Errors
    /// [`Error::Input`] when there is no step, the baseline has another length than the prompt, or the prompt does not
    /// fit the model.
    pub fn new(
        model: &Model,
        tokens: &[u32],
        options: IntegratedGradientsOptions,
    ) -> Result<Integration> {
        options.check(tokens)?;
        let IntegratedGradientsOptions { baseline, steps, metric } = options;
        let embeddings = embed(model, tokens)?;
        let baseline = match baseline {
            None => embeddings.zeros_like()?,
            Some(other) => embed(model, &other)?,
        };
        Ok(Integration {
            model: model.clone(),
            tokens: tokens.to_vec(),
            metric,
            steps,
            done: 0,
            change: (&embeddings - &baseline)?,
            sum: embeddings.zeros_like()?,
            baseline,
        })
    }

    /// The number of steps.
    pub fn len(&self) -> usize {
        self.steps
    }

    /// Whether there are no steps.
    pub fn is_empty(&self) -> bool {
        self.steps == 0
    }

    /// The number of completed steps.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Does the next step; false if none was left.
    pub fn step(&mut self) -> Result<bool> {
        if self.done == self.steps {
            return Ok(false);
        }
        let at = (self.done as f64 + 0.5) / self.steps as f64;
        let options = RunOptions {
            names: vec![EMBED.to_string()],
            gradients_of: Some(self.metric.clone()),
            ..self.between(at)?
        };
        let run = run(&self.model, &self.tokens, &options)?;
        self.sum = (&self.sum + run.gradients.get(&EMBED.to_string())?)?;
        self.done += 1;
        Ok(true)
    }

    /// Does the remaining steps and returns the shares.
    pub fn finish(mut self) -> Result<IntegratedGradients> {
        while self.step()? {}
        let metric = |at| -> Result<f32> {
            let run = run(&self.model, &self.tokens, &self.between(at)?)?;
            run.measure(&self.metric, &self.tokens)
        };
        let shares = ((&self.change * &self.sum)? / self.steps as f64)?.sum(2)?.squeeze(0)?;
        let (shares, metric, baseline) =
            (NamedArray::new(&["pos"], &shares)?, metric(1.0)?, metric(0.0)?);
        let error = shares.data.iter().sum::<f32>() - (metric - baseline);
        Ok(IntegratedGradients { shares, metric, baseline, error })
    }

    /// The options of a run at this fraction of the path from the baseline to the prompt.
    fn between(&self, at: f64) -> Result<RunOptions> {
        let embeddings = (&self.baseline + (&self.change * at)?)?;
        let set = Set { set: Values::Array(NamedArray::unnamed(&embeddings)?) };
        Ok(RunOptions {
            interventions: vec![Intervention::new(EMBED.to_string(), set)],
            ..RunOptions::default()
        })
    }
}

/// The token embeddings of `tokens`, `[1, T, D]`.
fn embed(model: &Model, tokens: &[u32]) -> Result<Tensor> {
    let ids = Tensor::new(tokens, &Device::Cpu)?;
    model.check_ids(&ids)?;
    Ok(model.embedding_of(&ids)?.unsqueeze(0)?)
}
