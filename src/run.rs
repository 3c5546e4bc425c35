//! One forward pass looked into: tokens in; logits, scores, a [`Cache`] of captured activations and their gradients
//! out. Interventions act first, then values are made differentiable, then captured.

use std::collections::BTreeSet;
use std::ops::Range;

use candle_core::{DType, Device, IndexOp, Tensor, Var};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::hook::{Chain, HookContext, HookPoint, Hooks, Selectors};
use crate::intervene::{Array, Compiler, Intervention, Plan, Source, TextLength, expect_position};
use crate::kernel;
use crate::model::Model;
use crate::nearest::nearest;

/// Captured activations, in the order in which they were computed.
#[derive(Clone, Default)]
pub struct Cache {
    entries: Vec<(HookPoint, Tensor)>,
}

impl Cache {
    /// What was captured, in firing order.
    pub fn iter(&self) -> impl Iterator<Item = (HookPoint, &Tensor)> {
        self.entries.iter().map(|(point, value)| (*point, value))
    }

    /// The hook points that were captured, in firing order.
    pub fn points(&self) -> impl Iterator<Item = HookPoint> {
        self.iter().map(|(point, _)| point)
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.points().map(|point| point.to_string()).collect()
    }

    /// The value at `name`, with the axes of [`HookPoint::axes`].
    ///
    /// # Errors
    /// [`Error::Hook`] when it was not captured; the message lists the nearest names that were.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        let found = self.entries.iter().find(|(point, _)| point.to_string() == name);
        found.map(|(_, value)| value).ok_or_else(|| {
            let names = self.names();
            match names.len() {
                0 => Error::Hook(format!(
                    "`{name}` was not captured: nothing was; ask for it in `names`"
                )),
                _ => {
                    let nearest = nearest(name, names.iter().map(String::as_str), 3);
                    Error::Hook(format!(
                        "`{name}` was not captured; the nearest that were are {nearest}"
                    ))
                }
            }
        })
    }

    /// Everything in it, as what an intervention takes from another run.
    pub fn source(&self) -> Result<Source> {
        self.entries
            .iter()
            .map(|(point, value)| Ok((point.to_string(), Array::of(value)?)))
            .collect()
    }

    /// The value at `point`, if it was captured.
    pub fn at(&self, point: HookPoint) -> Option<&Tensor> {
        self.entries.iter().find(|(captured, _)| *captured == point).map(|(_, value)| value)
    }
}

/// Where captured values go, each as soon as it was computed.
pub trait Sink {
    /// Whether what it takes stays in this memory.
    const KEEPS: bool = true;

    /// Takes the value at `point`, with the axes of [`HookPoint::axes`].
    ///
    /// # Errors
    /// Those of whoever takes it; they end the run.
    fn take(&mut self, point: HookPoint, value: Tensor) -> Result<()>;
}

impl Sink for Cache {
    fn take(&mut self, point: HookPoint, value: Tensor) -> Result<()> {
        self.entries.push((point, value));
        Ok(())
    }
}

/// Hooks that hand the values at some points to a [`Sink`] and change none.
#[derive(Clone)]
pub struct Capture<S = Cache> {
    wanted: BTreeSet<HookPoint>,
    rows: Option<Tensor>,
    /// Forget how the values were computed, so that what the backward pass needs can be freed after it.
    detached: bool,
    sink: S,
}

impl Capture {
    /// Keeps the points that the names, globs and regular expressions select.
    ///
    /// # Errors
    /// [`Error::Hook`] when one of them matches nothing.
    pub fn new<N: AsRef<str>>(names: &[N], config: &Config) -> Result<Capture> {
        Capture::into(Cache::default(), names, config)
    }

    /// A cache of values that were computed already.
    fn keep(
        values: Vec<(HookPoint, Tensor)>,
        positions: Option<&[i64]>,
        length: usize,
    ) -> Result<Cache> {
        let mut capture = Capture::into(Cache::default(), &[] as &[&str], &Config::default())?
            .at_positions(positions, length)?;
        values.into_iter().try_for_each(|(point, value)| capture.take(point, &value))?;
        Ok(capture.sink)
    }

    /// What it keeps.
    pub(crate) fn points(&self) -> &BTreeSet<HookPoint> {
        &self.wanted
    }

    pub fn into_cache(self) -> Cache {
        self.sink
    }
}

impl<S: Sink> Capture<S> {
    fn into<N: AsRef<str>>(sink: S, names: &[N], config: &Config) -> Result<Capture<S>> {
        let (mut selectors, mut wanted) = (Selectors::new(config), BTreeSet::new());
        for name in names {
            wanted.extend(selectors.parse(name.as_ref())?);
        }
        Ok(Capture { wanted, rows: None, detached: false, sink })
    }

    /// Takes these rows along `pos` or `query` alone, of values with `length` of them.
    fn at_positions(mut self, positions: Option<&[i64]>, length: usize) -> Result<Capture<S>> {
        self.rows = positions.map(|positions| rows(positions, length)).transpose()?;
        Ok(self)
    }

    fn take(&mut self, point: HookPoint, value: &Tensor) -> Result<()> {
        let row_axis = point.axes().iter().position(|axis| matches!(*axis, "pos" | "query"));
        let taken = match (&self.rows, row_axis) {
            (Some(rows), Some(axis)) => value.contiguous()?.index_select(rows, axis)?,
            _ => value.clone(),
        };
        self.sink.take(point, if self.detached { taken.detach() } else { taken })
    }
}

impl<S: Sink> Hooks for Capture<S> {
    fn wants(&self, point: HookPoint) -> bool {
        self.wanted.contains(&point)
    }

    fn visit(&mut self, context: HookContext, value: Tensor) -> Result<Tensor> {
        self.take(context.point, &value)?;
        Ok(value)
    }
}

/// The indices of `positions` among `length` rows.
fn rows(positions: &[i64], length: usize) -> Result<Tensor> {
    let rows = resolve_rows(positions, length)?;
    Ok(Tensor::from_vec(rows, positions.len(), &Device::Cpu)?)
}

/// # Errors
/// [`Error::Input`] when there is none, one is out of range or listed twice.
pub(crate) fn resolve_rows(positions: &[i64], length: usize) -> Result<Vec<u32>> {
    let row = |position: &i64| Ok(expect_position(*position, length)? as u32);
    let rows = positions.iter().map(row).collect::<Result<Vec<_>>>()?;
    if rows.is_empty() {
        return Err(Error::Input("`positions` is empty, expected at least one to capture".into()));
    }
    let mut met = BTreeSet::new();
    match rows.iter().find(|row| !met.insert(**row)) {
        Some(row) => {
            Err(Error::Input(format!("`positions` has position {row} twice, expected each once")))
        }
        None => Ok(rows),
    }
}

/// What a run is to do besides computing logits.
#[derive(Clone, Default)]
pub struct RunOptions {
    /// What to capture: hook names, globs or regular expressions.
    pub names: Vec<String>,
    /// What to change, in this order. A capture sees the changed values.
    pub interventions: Vec<Intervention>,
    /// Of what is captured, only these rows along `pos` or `query`; negative ones count from the end.
    pub positions: Option<Vec<i64>>,
    /// Stop before this block: the run gives the residual stream there instead of logits.
    pub stop_at_layer: Option<usize>,
    /// Start from a residual stream instead of the embeddings.
    pub start: Option<Start>,
    /// Differentiate this with respect to every value that `names` selects.
    pub gradients_of: Option<Objective>,
    /// What turns the text of a JavaScript intervention into a function, where there is JavaScript.
    pub compiler: Option<Compiler>,
}

/// Where a run starts when not at the embeddings.
#[derive(Clone)]
pub struct Start {
    /// The first block to run; `n_layer` runs the final LayerNorm and the unembedding alone.
    pub layer: usize,
    /// `blocks.{layer}.hook_resid_pre` of another run, `[1, T, D]`.
    pub resid: Tensor,
}

/// A number to differentiate.
#[derive(Debug, Clone, PartialEq)]
pub enum Objective {
    /// The logit of `answer`, less that of `against` if there is one, at a position (negative from the end).
    Logit { answer: u32, against: Option<u32>, position: i64 },
    /// The mean negative log-probability of the true next tokens, in nats.
    Loss,
}

/// What one forward pass gave.
pub struct Run<S = Cache> {
    output: Output,
    /// How well each token but the first was predicted; empty when the run stopped early.
    pub scores: Scores,
    /// What was captured.
    pub cache: S,
    /// The gradient of [`RunOptions::gradients_of`] at every captured point, in the same order and shapes.
    pub gradients: Cache,
}

enum Output {
    Logits(Tensor),
    Residual(Tensor),
}

impl<S> Run<S> {
    /// `[1, T, V]`.
    ///
    /// # Errors
    /// [`Error::Input`] when the run stopped before the logits.
    pub fn logits(&self) -> Result<&Tensor> {
        match &self.output {
            Output::Logits(logits) => Ok(logits),
            Output::Residual(_) => {
                Err(Error::Input("the run stopped at a layer, so it has no logits".into()))
            }
        }
    }

    /// The residual stream where the run stopped, `[1, T, D]`, if it stopped at a layer.
    pub fn residual(&self) -> Option<&Tensor> {
        match &self.output {
            Output::Logits(_) => None,
            Output::Residual(residual) => Some(residual),
        }
    }
}

/// How well the true next tokens were predicted: entry `t` is about token `t + 1`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores {
    /// The natural logarithm of its probability; NaN where the logits are not finite.
    pub log_probs: Vec<f32>,
    /// How many tokens were given a greater logit: 0 when it was the first choice.
    /// None where the logits are not finite: NaN, or infinite above.
    pub ranks: Vec<Option<u32>>,
}

impl Scores {
    /// `logits` `[1, T, V]` scored against the tokens that they were computed from.
    pub fn of(logits: &Tensor, tokens: &[u32]) -> Result<Scores> {
        let (_, _, vocabulary) = logits.dims3()?;
        let mut scores = Scores::default();
        kernel::with_floats(&logits.contiguous()?, |all| {
            for (row, next) in all.chunks_exact(vocabulary).zip(tokens.iter().skip(1)) {
                let (logit, total) = (row[*next as usize], kernel::log_sum_exp(row));
                scores.log_probs.push(match total.is_finite() {
                    true => (f64::from(logit) - total) as f32,
                    false => f32::NAN,
                });
                let rank = || row.iter().map(|other| u32::from(*other > logit)).sum();
                scores.ranks.push(total.is_finite().then(rank));
            }
            Ok(())
        })?;
        Ok(scores)
    }

    /// The mean negative log-probability, in nats; none for a single token.
    pub fn loss(&self) -> Option<f32> {
        let count = self.log_probs.len() as f64;
        let sum: f64 = self.log_probs.iter().map(|log_prob| f64::from(*log_prob)).sum();
        (count > 0.0).then(|| (-sum / count) as f32)
    }
}

/// Runs `tokens` through the model and keeps the activations that `names` select.
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

/// The means of activations over all positions of some prompts, for [`ReferenceMean`](crate::intervene::ReferenceMean).
///
/// # Errors
/// As [`run`]; [`Error::Input`] when there is no prompt, [`Error::Hook`] at attention scores and patterns, whose keys
/// differ from position to position.
pub fn means<S: AsRef<str>>(model: &Model, prompts: &[Vec<u32>], names: &[S]) -> Result<Source> {
    let mut sums: Vec<(HookPoint, Tensor)> = Vec::new();
    let count: usize = prompts.iter().map(Vec::len).sum();
    for prompt in prompts {
        for (index, (point, value)) in
            run_with_cache(model, prompt, names)?.cache.entries.into_iter().enumerate()
        {
            if point.axes().contains(&"key") {
                return Err(Error::Hook(format!(
                    "`{point}` cannot be averaged over positions, because each query has different keys; leave it out of `names`"
                )));
            }
            let sum = value.sum_keepdim(1)?;
            match sums.get_mut(index) {
                Some((_, total)) => *total = (&*total + sum)?,
                None => sums.push((point, sum)),
            }
        }
    }
    if count == 0 {
        return Err(Error::Input(
            "there is no prompt to take means over, expected at least one".into(),
        ));
    }
    let mean = |(point, sum): (HookPoint, Tensor)| {
        Ok((point.to_string(), Array::of(&(sum / count as f64)?)?))
    };
    sums.into_iter().map(mean).collect()
}

/// Runs `tokens` through the model under `options`.
///
/// # Errors
/// [`Error::Hook`] when a name matches nothing or a value does not fit, [`Error::Input`] when the tokens, a position,
/// a layer or an answer do not fit the model, [`Error::Memory`] when there is not enough memory, whatever an intervention fails with.
pub fn run(model: &Model, tokens: &[u32], options: &RunOptions) -> Result<Run> {
    run_into(Cache::default(), model, tokens, options)
}

/// The same with what is captured going to `sink`, value by value. A value that `sink` does not hold on to gives its
/// memory back at once.
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
    let mut capture = Capture::into(sink, &options.names, config)?
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
        run.gradients = Capture::keep(gradients, options.positions.as_deref(), tokens.len())?;
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
/// [`Error::Input`] when the model lacks one of them, or what the run starts from has another shape.
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

/// Checks that there is memory for a run, before it begins.
///
/// # Errors
/// [`Error::Memory`] with what the run needs.
fn check_memory(config: &Config, length: usize, options: &RunOptions, captured: u64) -> Result<()> {
    let bytes = bytes_needed(config, length, options).saturating_add(captured);
    expect_memory(
        bytes,
        &format!("a run of {length} tokens"),
        "a shorter text, or fewer values captured",
    )
}

/// Checks that this many bytes can be allocated: a run cannot recover from an allocation that fails in its middle.
///
/// # Errors
/// [`Error::Memory`] naming `what` needs them, and what to do `instead`.
pub(crate) fn expect_memory(bytes: u64, what: &str, instead: &str) -> Result<()> {
    /// Smaller requests are not checked.
    const SMALL: u64 = 64 << 20;
    let fits =
        || Vec::<u8>::new().try_reserve_exact(usize::try_from(bytes).unwrap_or(usize::MAX)).is_ok();
    match bytes <= SMALL || fits() {
        true => Ok(()),
        false => Err(Error::Memory(format!(
            "{what} needs about {} MB, which cannot be allocated here: expected {instead}",
            bytes >> 20
        ))),
    }
}

/// About what a run holds at once: the logits and a layer's values; with gradients, those of every layer, twice.
fn bytes_needed(config: &Config, length: usize, options: &RunOptions) -> u64 {
    let [t, d, heads, layers] =
        [length, config.n_embd, config.n_head, config.n_layer].map(|size| size as u64);
    let logits = t.saturating_mul(config.vocab_size as u64);
    let attention = heads.saturating_mul(t).saturating_mul(t).saturating_mul(2);
    let layer = attention.saturating_add(t.saturating_mul(8 * d + 2 * config.d_mlp() as u64));
    let numbers = match options.gradients_of {
        None => logits.saturating_add(layer),
        Some(_) => {
            logits.saturating_mul(3).saturating_add(layer.saturating_mul(2).saturating_mul(layers))
        }
    };
    numbers.saturating_mul(4)
}

/// The bytes of the values at these points, of a text of `length` tokens.
pub(crate) fn captured_bytes<'p>(
    config: &Config,
    points: impl IntoIterator<Item = &'p HookPoint>,
    length: usize,
) -> u64 {
    let along = |axis: &&str| match *axis {
        "pos" | "query" | "key" => length,
        "head" => config.n_head,
        "d_model" => config.n_embd,
        "d_head" => config.d_head(),
        "d_mlp" => config.d_mlp(),
        "vocab" => config.vocab_size,
        _ => 1,
    };
    let count = |point: &HookPoint| {
        point.axes().iter().fold(1u64, |product, axis| product.saturating_mul(along(axis) as u64))
    };
    points.into_iter().fold(0u64, |sum, point| sum.saturating_add(count(point))).saturating_mul(4)
}

impl Output {
    /// Forgets how it was computed, so that what the backward pass needed is freed.
    fn detach(self) -> Output {
        match self {
            Output::Logits(logits) => Output::Logits(logits.detach()),
            Output::Residual(residual) => Output::Residual(residual.detach()),
        }
    }
}

impl Objective {
    /// The number itself, of logits `[1, T, V]`: a tensor without axes.
    pub fn of(&self, logits: &Tensor, tokens: &[u32]) -> Result<Tensor> {
        let (_, length, vocab) = logits.dims3()?;
        match self {
            Objective::Logit { answer, against, position } => {
                let row = expect_position(*position, length)?;
                let logit = |id: u32| match (id as usize) < vocab {
                    true => Ok(logits.i((0, row, id as usize))?),
                    false => Err(Error::out_of_range(format_args!("answer id {id}"), vocab)),
                };
                match against {
                    Some(against) => Ok((logit(*answer)? - logit(*against)?)?),
                    None => logit(*answer),
                }
            }
            Objective::Loss => {
                if length < 2 {
                    return Err(Error::loss_of_one_token());
                }
                let rows = logits.i((0, ..length - 1))?;
                let max = rows.max_keepdim(1)?.detach();
                let totals = (rows.broadcast_sub(&max)?.exp()?.sum_keepdim(1)?.log()? + max)?; // [T-1, 1]
                let next = Tensor::from_slice(&tokens[1..], (length - 1, 1), &Device::Cpu)?;
                Ok((totals - rows.gather(&next, 1)?)?.mean_all()?)
            }
        }
    }
}

/// Hooks that make values differentiable: each gets a variable of zeros added, whose gradient is the value's.
///
/// (candle's backward pass keeps the gradients of variables alone. Where one of a block's path inputs is probed, that
/// path is normalised on its own, so the gradient at ln1's points is that of the other paths.)
struct Probe {
    points: BTreeSet<HookPoint>,
    variables: Vec<(HookPoint, Var)>,
}

impl Probe {
    fn new(points: impl Iterator<Item = HookPoint>) -> Probe {
        Probe { points: points.collect(), variables: Vec::new() }
    }

    fn gradients(self, objective: &Tensor) -> Result<Vec<(HookPoint, Tensor)>> {
        let store = objective.backward()?;
        let gradient = |(point, variable): (HookPoint, Var)| {
            // What the objective does not depend on has no entry.
            let gradient = store.get(&variable).cloned();
            Ok((point, gradient.map_or_else(|| variable.zeros_like(), Ok)?))
        };
        self.variables.into_iter().map(gradient).collect()
    }
}

impl Hooks for Probe {
    fn wants(&self, point: HookPoint) -> bool {
        self.points.contains(&point)
    }

    fn visit(&mut self, context: HookContext, value: Tensor) -> Result<Tensor> {
        let variable = Var::zeros(value.shape(), DType::F32, &Device::Cpu)?;
        let value = (value + variable.as_tensor())?;
        self.variables.push((context.point, variable));
        Ok(value)
    }
}

/// `[1, T]`.
pub(crate) fn as_batch(tokens: &[u32]) -> Result<Tensor> {
    if tokens.is_empty() {
        return Err(Error::no_token());
    }
    Ok(Tensor::from_slice(tokens, (1, tokens.len()), &Device::Cpu)?)
}
