//! Path patching: what one head says to another directly, or to the logits.
//!
//! For a sender head `s`, receivers `r` (a query, key or value input of later heads, or the logits) and a base prompt:
//!
//! 1. Run the base prompt with the sender's `z` from the other prompt, and every other head's `z` as it was. The MLPs
//!    either keep their output ([`Mlps::Frozen`]: the residual stream alone carries the message) or are computed anew
//!    ([`Mlps::Recomputed`]: paths through MLPs count as direct). LayerNorms are always computed anew. Keep what the
//!    receivers then read: their `q`, `k` or `v`.
//! 2. Run the base prompt with these values at the receivers, at all positions; everything after them follows freely.
//!    Where the logits receive, step 1 gives them already.
//!
//! Wang et al. 2022, *Interpretability in the Wild*, section 3.1 and appendix B, which recomputes the MLPs.

use std::collections::HashSet;

use candle_core::Tensor;

use super::Table;
use super::patching::{Base, Contrast, Patch, Patched, Target};
use crate::checkpoint::Config;
use crate::error::{Error, Result};
use crate::hook::{BlockPoint, Chain, HookContext, HookPoint, Hooks};
use crate::run::Capture;

/// Who hears the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receivers {
    Logits,
    /// All of these at once.
    Heads(Vec<Receiver>),
}

/// One input of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Receiver {
    pub layer: usize,
    pub head: usize,
    pub input: Input,
}

/// Which of a head's three paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Input {
    Q,
    K,
    V,
}

impl Receiver {
    /// Where the input is met.
    pub fn point(self) -> HookPoint {
        let target = match self.input {
            Input::Q => Target::Q,
            Input::K => Target::K,
            Input::V => Target::V,
        };
        target.point(self.layer)
    }
}

/// What the MLPs between sender and receiver do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mlps {
    /// Write what they wrote in the base run.
    Frozen,
    /// Read the sender's message too.
    Recomputed,
}

/// What to patch.
#[derive(Debug, Clone, PartialEq)]
pub struct PathOptions {
    pub contrast: Contrast,
    pub receivers: Receivers,
    pub mlps: Mlps,
}

/// A sweep over all senders, one for each step. Those that no receiver follows leave the metric as it was.
pub struct PathSweep {
    options: PathOptions,
    base: Base,
    other: Base,
    metrics: Vec<f32>,
}

impl PathSweep {
    /// Runs both prompts, and gets ready to patch.
    ///
    /// # Errors
    /// [`Error::Input`] when the prompts differ in length, do not fit the model, the metric does not fit them, or a
    /// receiver is not in the model.
    pub fn new(model: &crate::model::Model, options: PathOptions) -> Result<PathSweep> {
        options.contrast.check()?;
        options.receivers.check(model.config())?;
        let names = ["blocks.*.attn.hook_z", "blocks.*.hook_mlp_out"];
        let base = Base::new(model, options.contrast.base(), &options.contrast, &names)?;
        let other = Base::new(model, options.contrast.other(), &options.contrast, &names[..1])?;
        Ok(PathSweep { options, base, other, metrics: Vec::new() })
    }

    /// How many senders there are.
    pub fn len(&self) -> usize {
        let config = self.base.model.config();
        config.n_layer * config.n_head
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of them are done.
    pub fn done(&self) -> usize {
        self.metrics.len()
    }

    /// Does the next sender; false when there was none left.
    pub fn step(&mut self) -> Result<bool> {
        if self.done() == self.len() {
            return Ok(false);
        }
        let heads = self.base.model.config().n_head;
        let metric = self.send(self.done() / heads, self.done() % heads)?;
        self.metrics.push(metric);
        Ok(true)
    }

    /// Does what is left, and puts it into tables `layer head`, by sender.
    pub fn finish(mut self) -> Result<Patched> {
        while self.step()? {}
        let config = self.base.model.config();
        let shape = vec![config.n_layer, config.n_head];
        let raw =
            Table { axes: vec!["layer", "head"], shape, data: self.metrics, ..Table::default() };
        Ok(self.options.contrast.patched(raw, self.base.metric, self.other.metric))
    }

    fn send(&self, layer: usize, head: usize) -> Result<f32> {
        let Base { model, .. } = &self.base;
        let Receivers::Heads(receivers) = &self.options.receivers else {
            let x = self.frozen(layer, head, model.config().n_layer, &mut crate::hook::NoHooks)?;
            return self.base.measure(&x);
        };
        let reached: Vec<_> = receivers.iter().filter(|receiver| receiver.layer > layer).collect();
        let layers = reached.iter().map(|receiver| receiver.layer);
        let Some((first, last)) = layers.clone().min().zip(layers.max()) else {
            return Ok(self.base.metric);
        };
        let names: Vec<String> =
            reached.iter().map(|receiver| receiver.point().to_string()).collect();
        let mut heard = Capture::new(&names, model.config())?;
        self.frozen(layer, head, last + 1, &mut heard)?;
        let heard = heard.into_cache();
        let patch = |(receiver, name): (&&Receiver, &String)| {
            let value = heard.get(name)?.clone();
            Ok(Patch { point: receiver.point(), head: Some(receiver.head), position: None, value })
        };
        let mut patches = reached.iter().zip(&names).map(patch).collect::<Result<Vec<_>>>()?;
        let mut hooks = Chain(patches.iter_mut().map(|patch| patch as &mut dyn Hooks).collect());
        self.base.rerun(first, 0, &mut hooks)
    }

    /// The base run from the sender's layer to the layer `end`, the sender alone saying what it says in the other
    /// run; gives the residual stream there.
    fn frozen(
        &self,
        layer: usize,
        head: usize,
        end: usize,
        hooks: &mut dyn Hooks,
    ) -> Result<Tensor> {
        let point = Target::Z.point(layer);
        let value = self.other.cache.get(&point.to_string())?.clone();
        let mut sender = Patch { point, head: Some(head), position: None, value };
        let mut freeze = Freeze { base: &self.base, mlps: self.options.mlps };
        let x = self.base.resid_pre(layer)?.clone();
        self.base.model.blocks(
            x,
            layer..end,
            None,
            &mut Chain(vec![&mut freeze, &mut sender, hooks]),
        )
    }
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
        let mut met = HashSet::new();
        if let Some(Receiver { layer, head, .. }) =
            receivers.iter().find(|receiver| !met.insert(**receiver))
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

/// Hooks that hold the heads, and the MLPs if told to, to what they did in the base run.
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
