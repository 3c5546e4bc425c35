//! Activation patching: a run of one prompt in which a single activation comes from a run of another.
//!
//! For a base prompt `b`, another prompt `o` of the same length and a metric `m` of the logits, the sweep tabulates
//!
//! ```text
//! m(b | a[i] := a_o[i])    for every layer and position, or head, i of an activation a
//! ```
//!
//! and, normalised, `(m - m(corrupted)) / (m(clean) - m(corrupted))`: 1 where the metric is the clean run's, 0 where it
//! is the corrupted run's. Denoising patches clean values into the corrupted run and finds what suffices to restore
//! the clean answer; noising patches the other way and finds what is needed for it. Meng et al. 2022, *Locating and
//! Editing Factual Associations in GPT*; Heimersheim and Nanda 2024, *How to use and interpret activation patching*.
//!
//! A patch at layer `l` and position `p` changes nothing before `l`, and attention is causal, so nothing before `p`
//! either: a step runs the layers from `l` on the positions from `p`, up to the last that the metric reads, over the
//! base run's keys and values.

use std::fmt;
use std::str::FromStr;

use candle_core::{Device, Tensor};

use super::Table;
use crate::error::{Error, Result};
use crate::hook::{BlockPoint, HookContext, HookPoint, Hooks, NoHooks};
use crate::intervene::expect_position;
use crate::kernel;
use crate::model::{KvCache, Model};
use crate::nearest::nearest;
use crate::run::{Cache, Capture, Objective, Scores, as_batch, captured_bytes, expect_memory};

/// The activation that is patched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    ResidPre,
    ResidMid,
    AttnOut,
    MlpOut,
    Z,
    Q,
    K,
    V,
    Pattern,
}

const TARGETS: [(Target, &str, BlockPoint); 9] = [
    (Target::ResidPre, "resid_pre", BlockPoint::ResidPre),
    (Target::ResidMid, "resid_mid", BlockPoint::ResidMid),
    (Target::AttnOut, "attn_out", BlockPoint::AttnOut),
    (Target::MlpOut, "mlp_out", BlockPoint::MlpOut),
    (Target::Z, "z", BlockPoint::Z),
    (Target::Q, "q", BlockPoint::Q),
    (Target::K, "k", BlockPoint::K),
    (Target::V, "v", BlockPoint::V),
    (Target::Pattern, "pattern", BlockPoint::Pattern),
];

impl Target {
    /// Where the activation is met in a layer.
    pub fn point(self, layer: usize) -> HookPoint {
        HookPoint::Block(layer, TARGETS[self as usize].2)
    }

    /// Whether each head has its own.
    pub fn per_head(self) -> bool {
        self.point(0).axes().contains(&"head")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(TARGETS[*self as usize].1)
    }
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(name: &str) -> Result<Target> {
        let found = TARGETS.iter().find(|(_, known, _)| *known == name).map(|(target, ..)| *target);
        found.ok_or_else(|| {
            let nearest = nearest(name, TARGETS.iter().map(|(_, known, _)| *known), TARGETS.len());
            Error::Input(format!("`{name}` cannot be patched, expected one of {nearest}"))
        })
    }
}

/// Two prompts, and the number in which they differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Contrast {
    pub clean: Vec<u32>,
    pub corrupted: Vec<u32>,
    pub direction: Direction,
    pub metric: Objective,
}

/// Which run is patched with the other's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Clean values into the corrupted run.
    Denoise,
    /// Corrupted values into the clean run.
    Noise,
}

impl Contrast {
    /// The prompt of the run that is patched.
    pub fn base(&self) -> &[u32] {
        match self.direction {
            Direction::Denoise => &self.corrupted,
            Direction::Noise => &self.clean,
        }
    }

    /// The prompt whose values go into it.
    pub fn other(&self) -> &[u32] {
        match self.direction {
            Direction::Denoise => &self.clean,
            Direction::Noise => &self.corrupted,
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let (clean, corrupted) = (self.clean.len(), self.corrupted.len());
        if clean == corrupted {
            return Ok(());
        }
        Err(Error::Input(format!(
            "the clean prompt has {clean} tokens and the corrupted one {corrupted}; patching takes values position by \
             position, so choose prompts of the same length"
        )))
    }

    /// Puts the metric of the base run and that of the other one into place.
    pub(super) fn patched(&self, raw: Table, base: f32, other: f32) -> Patched {
        let (clean, corrupted) = match self.direction {
            Direction::Denoise => (other, base),
            Direction::Noise => (base, other),
        };
        let comparable = clean != corrupted && clean.is_finite() && corrupted.is_finite();
        let normalized = comparable.then(|| {
            let share = |metric: &f32| (metric - corrupted) / (clean - corrupted);
            Table { data: raw.data.iter().map(share).collect(), ..raw.clone() }
        });
        Patched { raw, normalized, clean, corrupted }
    }
}

/// The metric under every patch of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Patched {
    /// `layer pos`, `layer head` or `layer head pos`; where attention patterns are patched, `pos` is the query.
    pub raw: Table,
    /// 1 for the clean run's metric, 0 for the corrupted run's; none where the two are the same
    /// or one of them is not finite.
    pub normalized: Option<Table>,
    /// The metric of the runs without patches. A loss is that of the patched prompt's tokens, in the other run too.
    pub clean: f32,
    pub corrupted: f32,
}

/// What to patch.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepOptions {
    pub contrast: Contrast,
    pub at: Target,
    /// Of a head: patch each position on its own, instead of all of them at once. The residual stream and what
    /// layers write into it are always patched by position.
    pub each_position: bool,
}

/// A sweep under way. A step is one patch, so that a caller can show progress between steps, or drop the sweep.
///
/// ```no_run
/// # use candlescope::analysis::patching::{Contrast, Direction, Sweep, SweepOptions, Target};
/// # use candlescope::Objective;
/// # fn main() -> candlescope::Result<()> {
/// # let (model, clean, corrupted): (candlescope::Model, Vec<u32>, Vec<u32>) = unimplemented!();
/// let metric = Objective::Logit { answer: 17, against: Some(4), position: -1 };
/// let contrast = Contrast { clean, corrupted, direction: Direction::Denoise, metric };
/// let options = SweepOptions { contrast, at: Target::ResidPre, each_position: true };
/// let mut sweep = Sweep::new(&model, options)?;
/// while sweep.step()? {
///     eprintln!("{} of {}", sweep.done(), sweep.len());
/// }
/// let patched = sweep.finish()?; // raw and normalized: `layer pos`
/// # Ok(()) }
/// ```
pub struct Sweep {
    options: SweepOptions,
    base: Base,
    other: Cache,
    other_metric: f32,
    cells: Vec<Cell>,
    metrics: Vec<f32>,
}

/// One patch.
#[derive(Debug, Clone, Copy)]
struct Cell {
    layer: usize,
    head: Option<usize>,
    position: Option<usize>,
}

impl Sweep {
    /// Runs both prompts, and gets ready to patch.
    ///
    /// # Errors
    /// [`Error::Input`] when the prompts differ in length, do not fit the model, or the metric does not fit them.
    pub fn new(model: &Model, options: SweepOptions) -> Result<Sweep> {
        let SweepOptions { contrast, at, each_position } = &options;
        contrast.check()?;
        let (layers, heads) = (model.config().n_layer, model.config().n_head);
        let names: Vec<String> = (0..layers).map(|layer| at.point(layer).to_string()).collect();
        let base = Base::new(model, contrast.base(), contrast, &[] as &[&str])?;
        let other = Base::new(model, contrast.other(), contrast, &names)?;
        let heads: Vec<_> = if at.per_head() { (0..heads).map(Some).collect() } else { vec![None] };
        let each_position = *each_position || !at.per_head();
        let positions: Vec<_> =
            if each_position { (0..base.tokens.len()).map(Some).collect() } else { vec![None] };
        let mut cells = Vec::with_capacity(layers * heads.len() * positions.len());
        for layer in 0..layers {
            for head in &heads {
                cells.extend(positions.iter().map(|position| Cell {
                    layer,
                    head: *head,
                    position: *position,
                }));
            }
        }
        Ok(Sweep {
            base,
            other_metric: other.metric,
            other: other.cache,
            cells,
            metrics: Vec::new(),
            options,
        })
    }

    /// How many patches there are.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// How many of them are done.
    pub fn done(&self) -> usize {
        self.metrics.len()
    }

    /// Does the next patch; false when there was none left.
    pub fn step(&mut self) -> Result<bool> {
        let Some(cell) = self.cells.get(self.done()) else { return Ok(false) };
        let point = self.options.at.point(cell.layer);
        let Some(value) = self.other.at(point) else {
            return Err(Error::Hook(format!("the other run did not reach `{point}`")));
        };
        let mut patch =
            Patch { point, head: cell.head, position: cell.position, value: value.clone() };
        let metric = self.base.rerun(cell.layer, cell.position.unwrap_or(0), &mut patch)?;
        self.metrics.push(metric);
        Ok(true)
    }

    /// Does what is left, and puts it into tables.
    pub fn finish(mut self) -> Result<Patched> {
        while self.step()? {}
        let (layers, heads) = (self.base.model.config().n_layer, self.base.model.config().n_head);
        let (axes, shape) = table_axes(&self.options, layers, heads, self.base.tokens.len());
        let raw = Table { axes, shape, data: self.metrics, ..Table::default() };
        Ok(self.options.contrast.patched(raw, self.base.metric, self.other_metric))
    }
}

/// The axes of a sweep's table, and their lengths.
pub(super) fn table_axes(
    options: &SweepOptions,
    layers: usize,
    heads: usize,
    positions: usize,
) -> (Vec<&'static str>, Vec<usize>) {
    match (options.at.per_head(), options.each_position) {
        (false, _) => (vec!["layer", "pos"], vec![layers, positions]),
        (true, false) => (vec!["layer", "head"], vec![layers, heads]),
        (true, true) => (vec!["layer", "head", "pos"], vec![layers, heads, positions]),
    }
}

/// A run from whose middle others can go on.
pub(super) struct Base {
    pub model: Model,
    pub tokens: Vec<u32>,
    /// What was asked for, and every layer's `resid_pre`.
    pub cache: Cache,
    pub metric: f32,
    kv: KvCache,
    readout: Readout,
}

impl Base {
    pub fn new<S: AsRef<str>>(
        model: &Model,
        tokens: &[u32],
        contrast: &Contrast,
        names: &[S],
    ) -> Result<Base> {
        let config = model.config();
        let mut names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        names.push("blocks.*.hook_resid_pre");
        let (mut kv, mut capture) = (KvCache::new(config), Capture::new(&names, config)?);
        let length = tokens.len().min(config.n_positions);
        let bytes = captured_bytes(config, capture.points(), length);
        expect_memory(bytes, &format!("patching {length} tokens"), "shorter prompts")?;
        let x = model.embed(&as_batch(tokens)?, 0, &mut capture)?;
        let x = model.blocks(x, 0..config.n_layer, Some(&mut kv), &mut capture)?;
        let mut readout = Readout::new(model, contrast.base(), &contrast.metric)?;
        let metric = readout.measure(&x, 0)?;
        readout.keep_base(&x)?;
        Ok(Base {
            model: model.clone(),
            tokens: tokens.to_vec(),
            cache: capture.into_cache(),
            metric,
            kv,
            readout,
        })
    }

    /// The metric under `hooks` that change nothing before `layer` and nothing before position `first`.
    pub fn rerun(&self, layer: usize, first: usize, hooks: &mut dyn Hooks) -> Result<f32> {
        let end = self.readout.end();
        if first >= end {
            return Ok(self.metric);
        }
        let x = self.resid_pre(layer)?.narrow(1, first, end - first)?;
        let mut kv = self.kv.prefix(first)?;
        let x = self.model.blocks(x, layer..self.model.config().n_layer, Some(&mut kv), hooks)?;
        self.readout.measure(&x, first)
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

/// From the residual stream after the last block to the metric, by way of the logits that it needs.
enum Readout {
    /// The final LayerNorm at one position, and the columns of the unembedding for one or two tokens.
    Logit { model: Model, position: usize, columns: Tensor },
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
                Ok(Readout::Logit { model, position, columns })
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

    fn keep_base(&mut self, x: &Tensor) -> Result<()> {
        if let Readout::Loss { model, tokens, before } = self {
            *before = Scores::of(&model.unembed(x, 0, &mut NoHooks)?, tokens)?.log_probs;
        }
        Ok(())
    }

    /// The metric where `x` `[1, .., D]` holds the positions from `first`, and those before are the base run's.
    fn measure(&self, x: &Tensor, first: usize) -> Result<f32> {
        match self {
            Readout::Logit { model, position, columns } => {
                let x = x.narrow(1, position - first, 1)?;
                let normalized =
                    kernel::normalize(&x, &kernel::scale(&x, model.config().layer_norm_epsilon)?)?;
                let x = kernel::affine(
                    &normalized,
                    &model.weight("ln_f.weight")?,
                    &model.weight("ln_f.bias")?,
                )?;
                let logits = x.squeeze(0)?.matmul(columns)?.get(0)?.to_vec1::<f32>()?;
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
                let log_probs = before.iter().take(first).chain(&after.log_probs);
                let sum: f64 = log_probs.map(|log_prob| f64::from(*log_prob)).sum();
                Ok((-sum / (tokens.len() - 1) as f64) as f32)
            }
        }
    }
}

/// Hooks that put another run's value at one point: all of it, a head of it, a position of it.
pub(super) struct Patch {
    pub point: HookPoint,
    pub head: Option<usize>,
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
