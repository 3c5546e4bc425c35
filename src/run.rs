//! One forward pass with captures: tokens in; logits, scores, a [`Cache`] of captured activations
//! and their gradients out.
//!
//! Interventions act first, then values are made differentiable, then they are captured.

mod batch;
mod cache;
mod gradients;
mod means;
mod memory;
mod options;
mod scores;

use std::ops::Range;

use candle_core::Tensor;

use crate::checkpoint::Config;
use crate::error::{Error, Result};
use crate::model::{Model, packed_ids};

pub use batch::{run_batch, run_batch_into};
pub(crate) use cache::resolve_rows;
pub use cache::{Cache, Capture, Sink};
pub use gradients::{Metric, Objective};
pub use means::means;
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
    /// Detaches it from the graph, so that the memory of the backward pass is freed.
    fn detach(&mut self) {
        let (Output::Logits(output) | Output::Residual(output)) = self;
        *output = output.detach();
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
    let mut runs = run_batch_into(vec![sink], model, &[tokens], options)?;
    Ok(runs.pop().expect("a run for each text"))
}

/// The blocks to run, on `length` tokens.
///
/// # Errors
/// [`Error::Input`] if the model does not have one of them, or the residual stream to start from
/// has another shape.
pub(crate) fn layers(config: &Config, length: usize, options: &RunOptions) -> Result<Range<usize>> {
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
    let expected = [1, length, config.n_embd];
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
    packed_ids(&[tokens])
}
