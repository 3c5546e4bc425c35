//! One forward pass over several texts, each with its own hooks, captures and gradients.

use std::ops::Range;

use candle_core::Tensor;

use super::cache::{Cache, Capture, Sink};
use super::gradients::{Objective, Probe};
use super::memory::check_memory;
use super::options::RunOptions;
use super::scores::Scores;
use super::{Output, Run, layers};
use crate::error::Result;
use crate::hook::{Chain, HookPoint, Hooks, PerRow};
use crate::intervene::{Plan, TextLength, check_rows};
use crate::model::{Model, Rows, packed_ids};

/// Runs several texts through the model under `options`: a [`Run`] for each, as [`run`](crate::run()) gives for it alone.
/// Positions count from the first token of each text. The texts need not have the same length.
///
/// ```no_run
/// # fn main() -> candlescope::Result<()> {
/// # let model: candlescope::Model = unimplemented!();
/// let options = candlescope::RunOptions::default();
/// let runs = candlescope::run_batch(&model, &[vec![5, 9, 5], vec![7, 1]], &options)?;
/// assert_eq!(runs[1].logits()?.dims()[1], 2);
/// # Ok(()) }
/// ```
///
/// # Errors
/// As [`run`](crate::run()).
pub fn run_batch<T: AsRef<[u32]>>(
    model: &Model,
    texts: &[T],
    options: &RunOptions,
) -> Result<Vec<Run>> {
    let sinks = texts.iter().map(|_| Cache::default()).collect();
    run_batch_into(sinks, model, texts, options)
}

/// As [`run_batch`], with the captured values of each text passed to a sink of its own.
///
/// # Errors
/// As [`run_batch`], and those of the sinks.
///
/// # Panics
/// If there is not one sink for each text.
pub fn run_batch_into<S: Sink, T: AsRef<[u32]>>(
    sinks: Vec<S>,
    model: &Model,
    texts: &[T],
    options: &RunOptions,
) -> Result<Vec<Run<S>>> {
    assert_eq!(sinks.len(), texts.len(), "one sink for each text");
    check_rows(&options.interventions, texts.len())?;
    let mut watched = Vec::with_capacity(texts.len());
    for (row, (sink, ids)) in sinks.into_iter().zip(texts).enumerate() {
        let plan = Plan::for_row(
            &options.interventions,
            model.config(),
            TextLength { prompt: ids.as_ref().len(), new: 1 },
            options.compiler.as_ref(),
            row,
            texts.len(),
        );
        let text = plan.and_then(|plan| Watched::new(sink, plan, model, ids.as_ref(), options));
        watched.push(text.map_err(|error| error.in_row(row, texts.len()))?);
    }
    check_memory(model.config(), texts, options, watched.iter().map(|text| text.captured).sum())?;
    let rows = Rows::packed(texts.iter().map(|ids| (ids.as_ref().len(), 0)));
    let Passed { output, unembed_input } = pass(model, texts, &rows, options, &mut watched)?;
    let outputs = rows.split(&output)?.into_iter().map(|output| match options.stop_at_layer {
        None => Output::Logits(output),
        Some(_) => Output::Residual(output),
    });
    let mut runs = Vec::with_capacity(texts.len());
    let mut probes = Vec::with_capacity(texts.len());
    for (row, ((text, output), ids)) in watched.into_iter().zip(outputs).zip(texts).enumerate() {
        text.plan.check_fired().map_err(|error| error.in_row(row, texts.len()))?;
        let scores = match &output {
            Output::Logits(logits) => Scores::of(&logits.detach(), ids.as_ref())?,
            Output::Residual(_) => Scores::default(),
        };
        let (cache, gradients) = (text.capture.sink, Cache::default());
        runs.push(Run { output, scores, cache, gradients });
        probes.push(text.probe);
    }
    if let Some(objective) = &options.gradients_of {
        let inputs = unembed_input.map(|input| rows.split(&input)).transpose()?;
        let objective = Differentiated { model, objective, inputs };
        add_gradients(&mut runs, probes, &objective, texts, options.positions.as_deref())?;
    }
    Ok(runs)
}

/// The hooks on one text of a run.
struct Watched<S> {
    plan: Plan,
    probe: Probe,
    capture: Capture<S>,
    /// The bytes of what is captured and kept.
    captured: u64,
}

impl<S: Sink> Watched<S> {
    fn new(
        sink: S,
        plan: Plan,
        model: &Model,
        ids: &[u32],
        options: &RunOptions,
    ) -> Result<Watched<S>> {
        let config = model.config();
        let mut capture = Capture::with_sink(sink, &options.names, config)?
            .at_positions(options.positions.as_deref(), ids.len())?;
        let differentiated = options.gradients_of.is_some();
        let copies = u64::from(S::KEEPS) + u64::from(differentiated);
        let length = ids.len().min(config.n_positions);
        let captured =
            super::captured_bytes(config, &capture.wanted, length).saturating_mul(copies);
        capture.detached = differentiated;
        let probe = Probe::new(capture.wanted.iter().copied().filter(|_| differentiated));
        Ok(Watched { plan, probe, capture, captured })
    }

    fn hooks(&mut self) -> Chain<'_> {
        Chain(vec![&mut self.plan, &mut self.probe, &mut self.capture])
    }
}

/// What a pass gives for all texts.
struct Passed {
    /// The packed logits, or residual stream where the run stops.
    output: Tensor,
    /// The packed input of the unembedding, if gradients start there: if no hook wants the logits.
    /// Their own gradient would be a tensor as large as they are, most of it zeros for a logit.
    unembed_input: Option<Tensor>,
}

fn pass<S: Sink, T: AsRef<[u32]>>(
    model: &Model,
    texts: &[T],
    rows: &Rows,
    options: &RunOptions,
    watched: &mut [Watched<S>],
) -> Result<Passed> {
    let mut hooks = PerRow(watched.iter_mut().map(Watched::hooks).collect());
    let (layers, x) = start(model, texts, rows, options, &mut hooks)?;
    let x = model.blocks_rows(x, layers, None, rows, &mut hooks)?;
    if options.stop_at_layer.is_some() {
        return Ok(Passed { output: x, unembed_input: None });
    }
    if options.gradients_of.is_none() || hooks.wants(HookPoint::UnembedOut) {
        let output = model.unembed_rows(&x, rows, &mut hooks)?;
        return Ok(Passed { output, unembed_input: None });
    }
    let input = model.unembed_input(&x, rows, &mut hooks)?;
    Ok(Passed { output: model.logits_of(&input.detach())?, unembed_input: Some(input) })
}

/// The blocks to run, and the residual stream before the first of them.
fn start<T: AsRef<[u32]>>(
    model: &Model,
    texts: &[T],
    rows: &Rows,
    options: &RunOptions,
    hooks: &mut dyn Hooks,
) -> Result<(Range<usize>, Tensor)> {
    let tokens = packed_ids(texts)?;
    let layers = layers(model.config(), tokens.elem_count(), options)?;
    match &options.start {
        None => Ok((layers, model.embed_rows(&tokens, rows, hooks)?)),
        Some(start) => {
            model.check_ids(&tokens)?;
            Ok((layers, start.resid.clone()))
        }
    }
}

/// An objective, and the input of the unembedding of each text if gradients start there.
struct Differentiated<'a> {
    model: &'a Model,
    objective: &'a Objective,
    inputs: Option<Vec<Tensor>>,
}

impl Differentiated<'_> {
    /// A tensor without axes with the gradients of the objective of the text in `row`.
    fn of(&self, row: usize, logits: &Tensor, tokens: &[u32]) -> Result<Tensor> {
        match &self.inputs {
            None => self.objective.of(logits, tokens),
            Some(inputs) => {
                let gradient = self.objective.gradient_of_input(self.model, logits, tokens)?;
                Ok((&inputs[row] * gradient)?.sum_all()?)
            }
        }
    }
}

/// Adds the gradient of each text's own objective. The texts do not depend on each other, so the gradients of the sum are
/// those.
fn add_gradients<S, T: AsRef<[u32]>>(
    runs: &mut [Run<S>],
    probes: Vec<Probe>,
    objective: &Differentiated,
    texts: &[T],
    positions: Option<&[i64]>,
) -> Result<()> {
    let of_run = |(row, (run, ids)): (usize, (&Run<S>, &T))| {
        let value = objective.of(row, run.logits()?, ids.as_ref());
        value.map_err(|error| error.in_row(row, texts.len()))
    };
    let mut objectives = runs.iter().zip(texts).enumerate().map(of_run);
    let first = objectives.next().expect("a batch has a text")?;
    let sum = objectives.try_fold(first, |sum, value| -> Result<Tensor> { Ok((sum + value?)?) })?;
    let store = sum.backward()?;
    for ((run, probe), ids) in runs.iter_mut().zip(probes).zip(texts) {
        run.gradients = Capture::collect(probe.gradients(&store)?, positions, ids.as_ref().len())?;
        run.output.detach();
    }
    Ok(())
}
