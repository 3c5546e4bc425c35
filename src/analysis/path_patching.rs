//! Path patching: the effect of one head on another, or on the logits, along direct paths.
//!
//! For a sender head `s`, receivers `r` (a query, key or value input of later heads, or the logits) and a base prompt:
//!
//! 1. Run the base prompt with the sender's `z` from the other prompt. Every other head keeps its `z`. The MLPs
//!    either keep their output ([`Mlps::Frozen`]: only the residual stream carries the change) or are recomputed
//!    ([`Mlps::Recomputed`]: paths through MLPs count as direct). LayerNorms are always recomputed. Capture the values of
//!    the receivers: their `q`, `k` or `v`.
//! 2. Run the base prompt with these values at the receivers, at all positions; everything after them is recomputed. If
//!    the logits are the receiver, step 1 gives the result.
//!
//! Wang et al. 2022, *Interpretability in the Wild*, section 3.1 and appendix B, which recomputes the MLPs.

use std::collections::HashSet;

use candle_core::Tensor;

use super::HeadInput;
use super::contrast::{Contrast, Target};
use super::measurement::{MeasurementResult, measurement};
use super::patching::Patching;
use super::rerun::{Base, Patch, Rerun, Runs};
use crate::checkpoint::Config;
use crate::error::{Error, Result};
use crate::hook::{BlockPoint, Chain, HookContext, HookPoint, Hooks};
use crate::lab::Lab;
use crate::model::Model;
use crate::named_array::{NamedArray, axis_names};
use crate::run::Capture;
use crate::wire::{FromValue, Head, Layer, Node, TypeScript, Value, options, results, words};

/// The receivers of the sender's change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receivers {
    /// The logits.
    Logits,
    /// These inputs of heads, all at once.
    Heads(Vec<Receiver>),
}

options! {
    /// One input of a head.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct Receiver {
        /// The head's layer; a negative one counts from the last.
        pub layer: usize as Layer,
        /// The head's number in its layer; a negative one counts from the last.
        pub head: usize as Head,
        /// Which of its inputs.
        pub input: HeadInput,
    }
}

impl FromValue for Receivers {
    fn from_value(node: Node) -> Result<Receivers> {
        match node.value() {
            Value::Text(text) if text == "logits" => Ok(Receivers::Logits),
            Value::List(_) => Vec::from_value(node).map(Receivers::Heads),
            _ => Err(node.expected(Self::singular())),
        }
    }

    fn singular() -> String {
        "\"logits\" or an array of { layer, head, input }".into()
    }

    fn typescript(types: &mut TypeScript) -> String {
        format!("\"logits\" | {}", Vec::<Receiver>::typescript(types))
    }
}

impl Receiver {
    /// The hook point of the input.
    pub fn point(self) -> HookPoint {
        let target = match self.input {
            HeadInput::Q => Target::Q,
            HeadInput::K => Target::K,
            HeadInput::V => Target::V,
        };
        target.point(self.layer)
    }
}

words! {
    /// What the MLPs between sender and receiver do.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Mlps {
        /// Keep their output of the base run.
        Frozen = "frozen",
        /// Are recomputed with the sender's change.
        Recomputed = "recomputed",
    }
}

options! {
    /// Options of `pathPatching`.
    #[derive(Debug, Clone, PartialEq)]
    pub struct PathPatchingOptions {
        /// The receivers of the sender's change: the logits, or inputs of heads.
        pub receivers: Receivers,
        /// Whether the MLPs between sender and receiver keep their output of the base run, or are recomputed.
        pub mlps: Mlps = Mlps::Frozen,
        ..pub contrast: Contrast,
    }
}

results! {
    /// The metric if only the receivers get one head's output from the other run.
    #[derive(Debug, Clone, PartialEq)]
    pub struct PathPatching {
        /// The metric, by sender: axes `layer head`.
        pub raw: NamedArray,
        /// 1 for the clean run's metric, 0 for the corrupted run's; absent if both are the same or one is not finite.
        pub normalized: Option<NamedArray>,
        /// The metric of the clean run. A loss scores the tokens of the patched prompt, in both runs.
        pub clean: f32,
        /// The metric of the corrupted run.
        pub corrupted: f32,
    }
}

pub(super) fn begin(lab: &Lab, options: PathPatchingOptions) -> MeasurementResult<PathPatching> {
    Ok(Box::new(PathSweep::new(&lab.model, options)?))
}

measurement!(PathSweep => PathPatching);

/// A sweep in steps of one block: of the two prompts' runs, then of the runs of each sender. A sender without a receiver after
/// it does not change the metric.
pub struct PathSweep {
    model: Model,
    options: PathPatchingOptions,
    runs: Runs,
    metrics: Vec<f32>,
    /// The runs of the present sender.
    current: Option<Path>,
}

/// The two steps of a path patch: see above.
enum Path {
    /// The residual stream before `layer` in the run in which other heads keep their `z`, up to the layer `end`; and what the
    /// receivers get there.
    Frozen { x: Tensor, layer: usize, end: usize, received: Capture },
    /// The run with these values at the receivers.
    Received { patches: Vec<Patch>, rerun: Rerun },
}

impl PathSweep {
    /// Checks the options.
    ///
    /// # Errors
    /// [`Error::Input`] when the prompts differ in length, do not fit the model, the metric does not fit them, or a
    /// receiver is not in the model.
    pub fn new(model: &Model, options: PathPatchingOptions) -> Result<PathSweep> {
        options.contrast.check()?;
        options.receivers.check(model.config())?;
        let mut names = vec!["blocks.*.attn.hook_z"];
        names.extend((!model.config().attn_only).then_some("blocks.*.hook_mlp_out"));
        let runs = Runs::new(model, &options.contrast, &names, &names[..1])?;
        let model = model.clone();
        Ok(PathSweep { model, options, runs, metrics: Vec::new(), current: None })
    }

    /// The number of senders.
    pub fn len(&self) -> usize {
        let config = self.model.config();
        config.n_layer * config.n_head
    }

    /// Whether there are no senders.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of completed senders.
    pub fn done(&self) -> usize {
        self.metrics.len()
    }

    /// Runs the next block; false if every sender is done.
    pub fn step(&mut self) -> Result<bool> {
        if self.runs.step()? {
            return Ok(true);
        }
        if self.done() == self.len() {
            return Ok(false);
        }
        let heads = self.model.config().n_head;
        let sender = (self.done() / heads, self.done() % heads);
        let (base, other) = self.runs.both()?;
        let path = match self.current.take() {
            Some(path) => path,
            None => match self.begin(base, sender.0)? {
                Some(path) => path,
                None => {
                    self.metrics.push(base.metric);
                    return Ok(true);
                }
            },
        };
        match self.advance(base, other, sender, path)? {
            Step::Next(path) => self.current = Some(path),
            Step::Metric(metric) => self.metrics.push(metric),
        }
        Ok(true)
    }

    /// Runs the remaining senders and returns the result.
    pub fn finish(mut self) -> Result<PathPatching> {
        while self.step()? {}
        let config = self.model.config();
        let shape = vec![config.n_layer, config.n_head];
        let raw = NamedArray {
            axes: axis_names(&["layer", "head"]),
            shape,
            data: self.metrics,
            ..NamedArray::default()
        };
        let (base, other) = self.runs.both()?;
        let Patching { raw, normalized, clean, corrupted, .. } =
            Patching::new(&self.options.contrast, raw, base.metric, other.metric);
        Ok(PathPatching { raw, normalized, clean, corrupted })
    }

    /// The receivers after a layer.
    fn reached(&self, layer: usize) -> impl Iterator<Item = &Receiver> {
        let receivers = match &self.options.receivers {
            Receivers::Logits => &[][..],
            Receivers::Heads(receivers) => receivers,
        };
        receivers.iter().filter(move |receiver| receiver.layer > layer)
    }

    /// Begins the runs of a sender in this layer; None if no receiver is after it.
    fn begin(&self, base: &Base, layer: usize) -> Result<Option<Path>> {
        let config = self.model.config();
        let end = match self.options.receivers {
            Receivers::Logits => config.n_layer,
            Receivers::Heads(_) => match self.reached(layer).map(|receiver| receiver.layer).max() {
                Some(last) => last + 1,
                None => return Ok(None),
            },
        };
        let names: Vec<String> =
            self.reached(layer).map(|receiver| receiver.point().to_string()).collect();
        let received = Capture::new(&names, config)?;
        Ok(Some(Path::Frozen { x: base.resid_pre(layer)?.clone(), layer, end, received }))
    }

    /// Runs the next block of a sender's runs, or measures the metric.
    fn advance(
        &self,
        base: &Base,
        other: &Base,
        (sender, head): (usize, usize),
        path: Path,
    ) -> Result<Step> {
        match path {
            Path::Frozen { x, layer, end, mut received } if layer < end => {
                let point = Target::Z.point(sender);
                let value = other.cache.get(&point.to_string())?.clone();
                let mut patch =
                    Patch { point, head: Some(head), neuron: None, position: None, value };
                let mut freeze = Freeze { base, mlps: self.options.mlps };
                let mut hooks = Chain(vec![&mut freeze, &mut patch, &mut received]);
                let x = self.model.blocks(x, layer..layer + 1, None, &mut hooks)?;
                Ok(Step::Next(Path::Frozen { x, layer: layer + 1, end, received }))
            }
            Path::Frozen { x, received, .. } => {
                let Some(first) = self.reached(sender).map(|receiver| receiver.layer).min() else {
                    return base.measure(&x).map(Step::Metric);
                };
                let received = received.into_cache();
                let patch = |receiver: &Receiver| {
                    let (point, head) = (receiver.point(), Some(receiver.head));
                    let value = received.get(&point.to_string())?.clone();
                    Ok(Patch { point, head, neuron: None, position: None, value })
                };
                let patches = self.reached(sender).map(patch).collect::<Result<_>>()?;
                Ok(Step::Next(Path::Received { patches, rerun: base.begin(first, 0)? }))
            }
            Path::Received { mut patches, mut rerun } => {
                let mut hooks =
                    Chain(patches.iter_mut().map(|patch| patch as &mut dyn Hooks).collect());
                Ok(match base.advance(&mut rerun, &mut hooks)? {
                    Some(metric) => Step::Metric(metric),
                    None => Step::Next(Path::Received { patches, rerun }),
                })
            }
        }
    }
}

/// What a step leaves.
enum Step {
    Next(Path),
    Metric(f32),
}

impl Receivers {
    pub(crate) fn check(&self, config: &Config) -> Result<()> {
        let Receivers::Heads(receivers) = self else { return Ok(()) };
        if receivers.is_empty() {
            return Err(Error::Input(
                "there is no receiver, expected at least one head, or the logits".into(),
            ));
        }
        let (layers, heads) = (config.n_layer, config.n_head);
        let mut seen = HashSet::new();
        if let Some(Receiver { layer, head, .. }) =
            receivers.iter().find(|receiver| !seen.insert(**receiver))
        {
            return Err(Error::Input(format!(
                "the receiver, head {head} of layer {layer}, is listed twice for the same input"
            )));
        }
        match receivers.iter().find(|receiver| receiver.layer >= layers || receiver.head >= heads) {
            Some(Receiver { layer, head, .. }) => {
                Err(Error::no_such_head([*layer, *head], [layers, heads]))
            }
            None => Ok(()),
        }
    }
}

/// Hooks that replace the outputs of heads, and of frozen MLPs, with those of the base run.
struct Freeze<'b> {
    base: &'b Base,
    mlps: Mlps,
}

impl Hooks for Freeze<'_> {
    fn wants(&self, point: HookPoint) -> bool {
        match point {
            HookPoint::Block(_, BlockPoint::Z) => true,
            HookPoint::Block(_, BlockPoint::MlpOut) => self.mlps == Mlps::Frozen,
            _ => false,
        }
    }

    fn visit(&mut self, context: HookContext, _: Tensor) -> Result<Tensor> {
        Ok(self.base.cache.get(&context.point.to_string())?.clone())
    }
}
