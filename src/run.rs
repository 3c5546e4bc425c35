//! One forward pass with captures: tokens in; logits, scores, a [`Cache`] of captured activations
//! and their gradients out.
//!
//! Interventions act first, then values are made differentiable, then they are captured.

mod cache;
mod gradients;
mod means;
mod memory;
mod options;
mod scores;

use std::ops::Range;

use candle_core::{Device, Tensor};

use crate::checkpoint::Config;
use crate::error::{Error, Result};
use crate::hook::{Chain, Hooks};
use crate::intervene::{Plan, TextLength};
use crate::model::Model;

pub(crate) use cache::resolve_rows;
pub use cache::{Cache, Capture, Sink};
use gradients::Probe;
pub use gradients::{Metric, Objective};
pub use means::means;
use memory::check_memory;
pub(crate) use memory::{captured_bytes, expect_memory};
pub use options::{RunOptions, Start};
pub use scores::Scores;

/// The results of one forward pass.
pub struct Run<S = Cache> {
    output: Output,
    /// The scores of each token but the first; empty if the run stopped at a layer.
    pub scores: Scores,
    /// The captured values.
    pub cache: S,
    /// The gradient of [`RunOptions::gradients_of`] at every captured point, in the same order and
    /// shapes.
    pub gradients: Cache,
}

enum Output {
    Logits(Tensor),
    Residual(Tensor),
}

impl<S> Run<S> {
    /// The logits, `[1, T, V]`.
    ///
    /// # Errors
    /// [`Error::Input`] if the run stopped at a layer.
    pub fn logits(&self) -> Result<&Tensor> {
        match &self.output {
            Output::Logits(logits) => Ok(logits),
            Output::Residual(_) => {
                Err(Error::Input("the run stopped at a layer, so it has no logits".into()))
            }
        }
    }

    /// The value of `objective` for the logits. `tokens` are those of the run, or another prompt whose tokens a loss scores.
    pub(crate) fn measure(&self, objective: &Objective, tokens: &[u32]) -> Result<f32> {
        Ok(objective.of(self.logits()?, tokens)?.to_scalar()?)
    }

    /// The residual stream where the run stopped, `[1, T, D]`, if it stopped at a layer.
    pub fn residual(&self) -> Option<&Tensor> {
        match &self.output {
            Output::Logits(_) => None,
            Output::Residual(residual) => Some(residual),
        }
    }
}

impl Output {
    /// Detached from the graph, so that the memory of the backward pass is freed.
    fn detach(self) -> Output {
        match self {
            Output::Logits(logits) => Output::Logits(logits.detach()),
            Output::Residual(residual) => Output::Residual(residual.detach()),
        }
    }
}

/// Runs `tokens` through the model and captures the activations that `names` select.
///
/// ```no_run
/// # fn main() -> candlescope::Result<()> {
/// # let model: candlescope::Model = unimplemented!();
/// let run = candlescope::run_with_cache(&model, &[5, 9, 5], &["blocks.*.attn.hook_pattern"])?;
/// let pattern = run.cache.get("blocks.0.attn.hook_pattern")?; // [1, n_head, 3, 3]
/// # Ok(()) }
/// ```
///
/// # Errors
/// As [`run`].
pub fn run_with_cache<S: AsRef<str>>(model: &Model, tokens: &[u32], names: &[S]) -> Result<Run> {
    let names = names.iter().map(|name| name.as_ref().to_string()).collect();
    run(model, tokens, &RunOptions { names, ..RunOptions::default() })
}

/// Runs `tokens` through the model under `options`.
///
/// # Errors
/// [`Error::Hook`] if a name matches nothing or a value does not fit; [`Error::Input`] if the
/// tokens, a position, a layer or an answer do not fit the model; [`Error::Memory`] if there is not
/// enough memory; the errors of interventions.
pub fn run(model: &Model, tokens: &[u32], options: &RunOptions) -> Result<Run> {
    run_into(Cache::default(), model, tokens, options)
}

/// As [`run`], with captured values passed to `sink` one by one. The memory of a value that `sink`
/// does not keep is freed at once.
///
/// # Errors
/// As [`run`], and those of `sink`.
pub fn run_into<S: Sink>(
    sink: S,
    model: &Model,
    tokens: &[u32],
    options: &RunOptions,
) -> Result<Run<S>> {
    let config = model.config();
    let length = TextLength { prompt: tokens.len(), new: 1 };
    let mut plan = Plan::new(&options.interventions, config, length, options.compiler.as_ref())?;
    let mut capture = Capture::with_sink(sink, &options.names, config)?
        .at_positions(options.positions.as_deref(), tokens.len())?;
    let length = tokens.len().min(config.n_positions);
    let copies = u64::from(S::KEEPS) + u64::from(options.gradients_of.is_some());
    let captured = captured_bytes(config, &capture.wanted, length).saturating_mul(copies);
    check_memory(config, length, options, captured)?;
    capture.detached = options.gradients_of.is_some();
    let mut probe =
        Probe::new(capture.wanted.iter().copied().filter(|_| options.gradients_of.is_some()));
    let (layers, x) =
        start(model, tokens, options, &mut Chain(vec![&mut plan, &mut probe, &mut capture]))?;
    let mut hooks = Chain(vec![&mut plan, &mut probe, &mut capture]);
    let x = model.blocks(x, layers, None, &mut hooks)?;
    let output = match options.stop_at_layer {
        None => Output::Logits(model.unembed(&x, 0, &mut hooks)?),
        Some(_) => Output::Residual(x),
    };
    plan.check_fired()?;
    let scores = match &output {
        Output::Logits(logits) => Scores::of(&logits.detach(), tokens)?,
        Output::Residual(_) => Scores::default(),
    };
    let mut run = Run { output, scores, cache: capture.sink, gradients: Cache::default() };
    if let Some(objective) = &options.gradients_of {
        let gradients = probe.gradients(&objective.of(run.logits()?, tokens)?)?;
        run.gradients = Capture::collect(gradients, options.positions.as_deref(), tokens.len())?;
        run.output = run.output.detach();
    }
    Ok(run)
}

/// The blocks to run, and the residual stream before the first of them.
fn start(
    model: &Model,
    tokens: &[u32],
    options: &RunOptions,
    hooks: &mut dyn Hooks,
) -> Result<(Range<usize>, Tensor)> {
    let layers = layers(model.config(), tokens, options)?;
    let tokens = as_batch(tokens)?;
    match &options.start {
        None => Ok((layers, model.embed(&tokens, 0, hooks)?)),
        Some(start) => {
            model.check_ids(&tokens)?;
            Ok((layers, start.resid.clone()))
        }
    }
}

/// The blocks to run.
///
/// # Errors
/// [`Error::Input`] if the model does not have one of them, or the residual stream to start from
/// has another shape.
pub(crate) fn layers(
    config: &Config,
    tokens: &[u32],
    options: &RunOptions,
) -> Result<Range<usize>> {
    let first = options.start.as_ref().map_or(0, |start| start.layer);
    let last = options.stop_at_layer.unwrap_or(config.n_layer);
    if last > config.n_layer || first > last {
        let layers = config.n_layer;
        return Err(Error::Input(format!(
            "cannot run layers {first} to {last}: the model has {layers}"
        )));
    }
    if options.gradients_of.is_some() && options.stop_at_layer.is_some() {
        return Err(Error::Input(
            "`gradientsOf` needs logits, and a run with `stopAtLayer` has none: leave one of them out".into(),
        ));
    }
    let expected = [1, tokens.len(), config.n_embd];
    match &options.start {
        Some(start) if start.resid.dims() != expected => {
            let found = start.resid.dims();
            Err(Error::Input(format!(
                "the residual stream to start from has shape {found:?}, expected {expected:?}"
            )))
        }
        _ => Ok(first..last),
    }
}

/// `tokens` as a batch of one text, `[1, T]`.
///
/// # Errors
/// [`Error::Input`] if there is no token.
pub(crate) fn as_batch(tokens: &[u32]) -> Result<Tensor> {
    if tokens.is_empty() {
        return Err(Error::no_token());
    }
    Ok(Tensor::from_slice(tokens, (1, tokens.len()), &Device::Cpu)?)
}
