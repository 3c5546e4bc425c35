//! Runs that continue from the middle of another run, with one activation replaced.
//!
//! A patch at layer `l` and position `p` changes nothing before `l`, and nothing before `p`, because attention is causal.
//! A rerun therefore computes only the layers from `l` on and the positions from `p` to the last that the metric reads,
//! with the base run's keys and values. Every run goes block by block, so that a caller can stop it, or answer other calls,
//! between two blocks.

use candle_core::{Device, Tensor};

use super::contrast::Contrast;
use crate::error::{Error, Result};
use crate::hook::{BlockPoint, HookContext, HookPoint, Hooks, NoHooks};
use crate::intervene::expect_position;
use crate::model::{KvCache, Model};
use crate::run::{Cache, Capture, Objective, Scores, as_batch, captured_bytes, expect_memory};

/// A run from whose middle other runs can continue.
pub(super) struct Base {
    model: Model,
    /// The captured values, with `resid_pre` of every layer.
    pub cache: Cache,
    pub metric: f32,
    kv: KvCache,
    readout: Readout,
}

/// The run of a base, one block at a time.
struct BaseRun {
    model: Model,
    capture: Capture,
    pass: Pass,
    readout: Readout,
}

/// The residual stream before `layer`, and the keys and values so far.
struct Pass {
    x: Tensor,
    layer: usize,
    kv: KvCache,
}

impl Pass {
    /// Runs the next block; false if none was left.
    fn step(&mut self, model: &Model, hooks: &mut dyn Hooks) -> Result<bool> {
        if self.layer == model.config().n_layer {
            return Ok(false);
        }
        let layers = self.layer..self.layer + 1;
        self.x = model.blocks(self.x.clone(), layers, Some(&mut self.kv), hooks)?;
        self.layer += 1;
        Ok(true)
    }
}

impl BaseRun {
    /// Checks the prompt and the metric, and embeds the prompt.
    fn new<S: AsRef<str>>(
        model: &Model,
        tokens: &[u32],
        contrast: &Contrast,
        names: &[S],
    ) -> Result<BaseRun> {
        let config = model.config();
        let mut names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        names.push("blocks.*.hook_resid_pre");
        let mut capture = Capture::new(&names, config)?;
        let length = tokens.len().min(config.n_positions);
        let bytes = captured_bytes(config, capture.points(), length);
        expect_memory(bytes, &format!("patching {length} tokens"), "shorter prompts")?;
        let x = model.embed(&as_batch(tokens)?, 0, &mut capture)?;
        let pass = Pass { x, layer: 0, kv: KvCache::new(config) };
        let readout = Readout::new(model, contrast.base(), &contrast.metric)?;
        Ok(BaseRun { model: model.clone(), capture, pass, readout })
    }

    /// Runs the next block; false if none was left.
    fn step(&mut self) -> Result<bool> {
        self.pass.step(&self.model, &mut self.capture)
    }

    /// The run after its last block.
    fn finish(self) -> Result<Base> {
        let BaseRun { model, capture, pass, mut readout } = self;
        let metric = readout.measure_base(&pass.x)?;
        Ok(Base { model, cache: capture.into_cache(), metric, kv: pass.kv, readout })
    }
}

/// The runs of both prompts.
pub(super) struct Runs {
    /// The run that is patched.
    base: RunState,
    other: RunState,
}

enum RunState {
    Running(Box<BaseRun>),
    Done(Box<Base>),
    Failed,
}

impl Runs {
    /// Checks the prompts and the metric. `base_names` and `other_names` are captured.
    pub fn new<S: AsRef<str>, T: AsRef<str>>(
        model: &Model,
        contrast: &Contrast,
        base_names: &[S],
        other_names: &[T],
    ) -> Result<Runs> {
        let base = BaseRun::new(model, contrast.base(), contrast, base_names)?;
        let other = BaseRun::new(model, contrast.other(), contrast, other_names)?;
        Ok(Runs {
            base: RunState::Running(Box::new(base)),
            other: RunState::Running(Box::new(other)),
        })
    }

    /// Runs the next block of either, or measures its metric; false if both are done.
    pub fn step(&mut self) -> Result<bool> {
        Ok(self.base.step()? || self.other.step()?)
    }

    /// The run that is patched, and the other one.
    pub fn both(&self) -> Result<(&Base, &Base)> {
        match (&self.base, &self.other) {
            (RunState::Done(base), RunState::Done(other)) => Ok((base, other)),
            _ => Err(Error::Input("a run of the two prompts failed: begin the sweep again".into())),
        }
    }
}

impl RunState {
    fn step(&mut self) -> Result<bool> {
        let RunState::Running(run) = self else { return Ok(false) };
        if run.step()? {
            return Ok(true);
        }
        if let RunState::Running(run) = std::mem::replace(self, RunState::Failed) {
            *self = RunState::Done(Box::new(run.finish()?));
        }
        Ok(true)
    }
}

/// A run that continues from a base, one block at a time.
pub(super) struct Rerun {
    /// None if the metric reads nothing that changes.
    pass: Option<Pass>,
    first: usize,
}

impl Base {
    /// Begins a run under hooks that change nothing before `layer` and nothing before position `first`.
    pub fn begin(&self, layer: usize, first: usize) -> Result<Rerun> {
        let end = self.readout.end();
        if first >= end {
            return Ok(Rerun { pass: None, first });
        }
        let x = self.resid_pre(layer)?.narrow(1, first, end - first)?;
        Ok(Rerun { pass: Some(Pass { x, layer, kv: self.kv.prefix(first)? }), first })
    }

    /// Runs its next block under the hooks, or measures its metric if none is left.
    pub fn advance(&self, rerun: &mut Rerun, hooks: &mut dyn Hooks) -> Result<Option<f32>> {
        let Some(pass) = &mut rerun.pass else { return Ok(Some(self.metric)) };
        if pass.step(&self.model, hooks)? {
            return Ok(None);
        }
        self.readout.measure(&pass.x, rerun.first).map(Some)
    }

    /// `[1, T, D]`.
    pub fn resid_pre(&self, layer: usize) -> Result<&Tensor> {
        self.cache.get(&HookPoint::Block(layer, BlockPoint::ResidPre).to_string())
    }

    /// The metric of a residual stream `[1, T, D]` after the last block.
    pub fn measure(&self, x: &Tensor) -> Result<f32> {
        self.readout.measure(x, 0)
    }
}

/// Computes the metric from the residual stream after the last block, with only the logits that it needs.
enum Readout {
    /// The final norm at one position, and the columns of the unembedding for one or two tokens.
    Logit { model: Model, position: usize, columns: Tensor, bias: Option<Tensor> },
    /// All logits; `before[t]` is the base run's log-probability of token `t + 1`.
    Loss { model: Model, tokens: Vec<u32>, before: Vec<f32> },
}

impl Readout {
    fn new(model: &Model, tokens: &[u32], metric: &Objective) -> Result<Readout> {
        let (model, vocab) = (model.clone(), model.config().vocab_size);
        match metric {
            Objective::Loss if tokens.len() < 2 => Err(Error::loss_of_one_token()),
            Objective::Loss => {
                Ok(Readout::Loss { model, tokens: tokens.to_vec(), before: Vec::new() })
            }
            Objective::Logit { answer, against, position } => {
                let position = expect_position(*position, tokens.len())?;
                let ids: Vec<u32> = [*answer].into_iter().chain(*against).collect();
                if let Some(id) = ids.iter().find(|id| **id as usize >= vocab) {
                    return Err(Error::out_of_range(format_args!("answer id {id}"), vocab));
                }
                let ids = Tensor::new(ids.as_slice(), &Device::Cpu)?;
                let columns = model.unembedding_of(&ids)?.t()?; // [D, 1 or 2]
                let bias = model.unembedding_bias_of(&ids)?;
                Ok(Readout::Logit { model, position, columns, bias })
            }
        }
    }

    /// One past the last position that the metric reads.
    fn end(&self) -> usize {
        match self {
            Readout::Logit { position, .. } => position + 1,
            Readout::Loss { tokens, .. } => tokens.len() - 1,
        }
    }

    /// The metric of the base run. A loss keeps its log-probabilities.
    fn measure_base(&mut self, x: &Tensor) -> Result<f32> {
        if let Readout::Loss { model, tokens, before } = self {
            *before = Scores::of(&model.unembed(x, 0, &mut NoHooks)?, tokens)?.log_probs;
            return Ok(mean_loss(before.iter()));
        }
        self.measure(x, 0)
    }

    /// The metric if `x` `[1, .., D]` has the positions from `first` on, and earlier ones are those of the base run.
    fn measure(&self, x: &Tensor, first: usize) -> Result<f32> {
        match self {
            Readout::Logit { model, position, columns, bias } => {
                let x = model.final_norm(&x.narrow(1, position - first, 1)?)?;
                let mut logits = x.squeeze(0)?.matmul(columns)?; // [1, 1 or 2]
                if let Some(bias) = bias {
                    logits = logits.broadcast_add(bias)?;
                }
                let logits = logits.get(0)?.to_vec1::<f32>()?;
                Ok(logits
                    .iter()
                    .copied()
                    .reduce(|answer, against| answer - against)
                    .unwrap_or_default())
            }
            Readout::Loss { model, tokens, before } => {
                let logits = model.unembed(x, first, &mut NoHooks)?;
                let after = Scores::of(
                    &logits,
                    &tokens[first..=(first + x.dim(1)?).min(tokens.len() - 1)],
                )?;
                Ok(mean_loss(before.iter().take(first).chain(&after.log_probs)))
            }
        }
    }
}

fn mean_loss<'p>(log_probs: impl Iterator<Item = &'p f32>) -> f32 {
    let (mut sum, mut count) = (0.0, 0);
    for log_prob in log_probs {
        sum += f64::from(*log_prob);
        count += 1;
    }
    (-sum / f64::from(count)) as f32
}

/// Hooks that replace the value at one point with another run's: all of it, or one head, neuron or position of it.
pub(super) struct Patch {
    pub point: HookPoint,
    pub head: Option<usize>,
    pub neuron: Option<usize>,
    pub position: Option<usize>,
    /// The other run's value, with all its positions.
    pub value: Tensor,
}

impl Hooks for Patch {
    fn wants(&self, point: HookPoint) -> bool {
        point == self.point
    }

    fn visit(&mut self, context: HookContext, value: Tensor) -> Result<Tensor> {
        let axes = self.point.axes();
        let axis = |name: &str| axes.iter().position(|axis| *axis == name);
        let mut theirs = self.value.clone();
        let mut within = Vec::new();
        if let Some(rows) = axis("pos").or(axis("query")) {
            theirs = theirs.narrow(rows, context.first_position, value.dim(rows)?)?;
            within.extend(self.position.map(|position| (rows, position - context.first_position)));
        }
        if let Some(keys) = axis("key") {
            theirs = theirs.narrow(keys, 0, value.dim(keys)?)?;
        }
        within.extend(axis("head").zip(self.head));
        within.extend(axis("d_mlp").zip(self.neuron));
        splice(&value, &theirs, &within)
    }
}

/// `mine` with the part of `theirs` at one index along each of some axes.
fn splice(mine: &Tensor, theirs: &Tensor, within: &[(usize, usize)]) -> Result<Tensor> {
    let Some(((axis, index), rest)) = within.split_first() else { return Ok(theirs.contiguous()?) };
    let part = splice(&mine.narrow(*axis, *index, 1)?, &theirs.narrow(*axis, *index, 1)?, rest)?;
    let after = index + 1;
    let pieces = [
        mine.narrow(*axis, 0, *index)?,
        part,
        mine.narrow(*axis, after, mine.dim(*axis)? - after)?,
    ];
    let pieces: Vec<_> = pieces.into_iter().filter(|piece| piece.elem_count() > 0).collect();
    Ok(Tensor::cat(&pieces, *axis)?.contiguous()?)
}
