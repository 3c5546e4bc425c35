//! Two readings of gradients: attribution patching, and integrated gradients over tokens.
//!
//! **Attribution patching** estimates every patch of a sweep from one backward pass, to first order in the change:
//!
//! ```text
//! m(b | a[i] := a_o[i])  ≈  m(b) + sum over the components of a[i] of (a_o[i] - a_b[i]) * dm/da[i] at b
//! ```
//!
//! Nanda 2023, *Attribution Patching: Activation Patching At Industrial Scale*. It is good where the metric is close to
//! linear, and least so at the residual stream's early layers.
//!
//! **Integrated gradients** share the change of a metric, from baseline embeddings `e'` to the prompt's `e`, among the
//! tokens, by the midpoint rule over `n` steps:
//!
//! ```text
//! share(t) = (e_t - e'_t) . (1/n) sum over k of dm/de_t at e' + (k + 1/2)/n (e - e')
//! ```
//!
//! The shares add up to `m(e) - m(e')` as `n` grows. Sundararajan et al. 2017, *Axiomatic Attribution for Deep
//! Networks*. Position embeddings stay in their place.

use candle_core::{Device, Tensor};

use super::Table;
use super::patching::{Patched, SweepOptions, table_axes};
use crate::error::{Error, Result};
use crate::hook::HookPoint;
use crate::intervene::{Array, Intervention, Set, Values};
use crate::model::Model;
use crate::run::{Objective, Run, RunOptions, run};

/// What a sweep with these options would find, estimated from one backward pass.
///
/// # Errors
/// As [`Sweep::new`](super::patching::Sweep::new).
pub fn attribution_patching(model: &Model, options: &SweepOptions) -> Result<Patched> {
    let SweepOptions { contrast, at, .. } = options;
    contrast.check()?;
    let (layers, heads) = (model.config().n_layer, model.config().n_head);
    let names: Vec<String> = (0..layers).map(|layer| at.point(layer).to_string()).collect();
    let with_names = RunOptions { names: names.clone(), ..RunOptions::default() };
    let of_base = RunOptions { gradients_of: Some(contrast.metric.clone()), ..with_names.clone() };
    let base = run(model, contrast.base(), &of_base)?;
    let other = run(model, contrast.other(), &with_names)?;
    let metric = |run: &Run| metric_of(run, &contrast.metric, contrast.base());
    let (base_metric, other_metric) = (metric(&base)?, metric(&other)?);
    let mut data = Vec::new();
    for name in &names {
        let change = (other.cache.get(name)? - base.cache.get(name)?)?;
        let effect = (change * base.gradients.get(name)?)?.squeeze(0)?;
        data.extend(per_cell(&effect, options)?.flatten_all()?.to_vec1::<f32>()?);
    }
    data.iter_mut().for_each(|effect| *effect += base_metric);
    let (axes, shape) = table_axes(options, layers, heads, contrast.base().len());
    let raw = Table { axes, shape, data, ..Table::default() };
    Ok(contrast.patched(raw, base_metric, other_metric))
}

fn metric_of(run: &Run, metric: &Objective, tokens: &[u32]) -> Result<f32> {
    Ok(metric.of(run.logits()?, tokens)?.to_scalar()?)
}

/// Sums over the components of each cell: `[pos, d]`, `[pos, head, d]` or `[head, query, key]` to `[pos]`, `[head]` or
/// `[head, pos]`.
fn per_cell(effect: &Tensor, options: &SweepOptions) -> Result<Tensor> {
    let point = options.at.point(0);
    let summed = effect.sum(effect.rank() - 1)?;
    let by_head = match point.axes().get(2) {
        Some(&"head") => summed.t()?.contiguous()?, // [head, pos]
        _ => summed,
    };
    let together = options.at.per_head() && !options.each_position;
    Ok(if together { by_head.sum(1)? } else { by_head })
}

/// What integrated gradients start from.
#[derive(Debug, Clone, PartialEq)]
pub enum Baseline {
    /// No token embedding at all.
    Zero,
    /// The embeddings of other tokens, as many as the prompt has.
    Tokens(Vec<u32>),
}

impl Baseline {
    /// # Errors
    /// [`Error::Input`] when there is no step, or the baseline has another length than the prompt.
    pub(crate) fn check(&self, tokens: &[u32], steps: usize) -> Result<()> {
        if steps == 0 {
            return Err(Error::Input(
                "integrated gradients need at least one step, 32 are a good start".into(),
            ));
        }
        match self {
            Baseline::Tokens(other) if other.len() != tokens.len() => {
                let (found, expected) = (other.len(), tokens.len());
                Err(Error::Input(format!(
                    "the baseline has {found} tokens, the prompt {expected}; expected as many"
                )))
            }
            _ => Ok(()),
        }
    }
}

/// Integrated gradients under way: a step is one forward and one backward pass.
pub struct IntegratedGradients {
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

/// Each token's share of a metric's change.
#[derive(Debug, Clone, PartialEq)]
pub struct Shares {
    /// `pos`.
    pub shares: Table,
    /// The metric of the prompt and of the baseline.
    pub metric: f32,
    pub baseline: f32,
}

impl Shares {
    /// What the shares fail to add up to, by which to choose the number of steps.
    pub fn error(&self) -> f32 {
        self.shares.data.iter().sum::<f32>() - (self.metric - self.baseline)
    }
}

const EMBED: HookPoint = HookPoint::Embed;

impl IntegratedGradients {
    /// # Errors
    /// [`Error::Input`] when there is no step, the baseline has another length than the prompt, or the prompt does not
    /// fit the model.
    pub fn new(
        model: &Model,
        tokens: &[u32],
        metric: &Objective,
        baseline: &Baseline,
        steps: usize,
    ) -> Result<IntegratedGradients> {
        baseline.check(tokens, steps)?;
        let embeddings = embed(model, tokens)?;
        let baseline = match baseline {
            Baseline::Zero => embeddings.zeros_like()?,
            Baseline::Tokens(other) => embed(model, other)?,
        };
        Ok(IntegratedGradients {
            model: model.clone(),
            tokens: tokens.to_vec(),
            metric: metric.clone(),
            steps,
            done: 0,
            change: (&embeddings - &baseline)?,
            sum: embeddings.zeros_like()?,
            baseline,
        })
    }

    pub fn len(&self) -> usize {
        self.steps
    }

    pub fn is_empty(&self) -> bool {
        self.steps == 0
    }

    pub fn done(&self) -> usize {
        self.done
    }

    /// Does the next step; false when there was none left.
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

    /// Does what is left, and adds up.
    pub fn finish(mut self) -> Result<Shares> {
        while self.step()? {}
        let metric = |at| {
            metric_of(
                &run(&self.model, &self.tokens, &self.between(at)?)?,
                &self.metric,
                &self.tokens,
            )
        };
        let shares = ((&self.change * &self.sum)? / self.steps as f64)?.sum(2)?.squeeze(0)?;
        Ok(Shares {
            shares: Table::new(&["pos"], &shares)?,
            metric: metric(1.0)?,
            baseline: metric(0.0)?,
        })
    }

    /// A run at this fraction of the way from the baseline to the prompt.
    fn between(&self, at: f64) -> Result<RunOptions> {
        let embeddings = (&self.baseline + (&self.change * at)?)?;
        let set = Set { set: Values::Array(Array::of(&embeddings)?) };
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
