//! Activation patching: a run of one prompt in which a single activation comes from a run of another.
//!
//! For a base prompt `b`, another prompt `o` of the same length and a metric `m` of the logits, the sweep tabulates
//!
//! ```text
//! m(b | a[i] := a_o[i])    for every layer and position, or head, i of an activation a, or every neuron i of a layer
//! ```
//!
//! and, normalised, `(m - m(corrupted)) / (m(clean) - m(corrupted))`: 1 if the metric is the clean run's, 0 if it is the
//! corrupted run's. Denoising patches clean values into the corrupted run and finds what suffices to restore
//! the clean answer; noising patches the other way and finds what is needed for it. Meng et al. 2022, *Locating and
//! Editing Factual Associations in GPT*; Heimersheim and Nanda 2024, *How to use and interpret activation patching*.
//!
//! `rerun.rs` runs the patches.
//!
//! **Attribution patching** estimates every patch from one backward pass, to first order in the change:
//!
//! ```text
//! m(b | a[i] := a_o[i])  ≈  m(b) + sum over the components of a[i] of (a_o[i] - a_b[i]) * dm/da[i] at b
//! ```
//!
//! Nanda 2023, *Attribution Patching: Activation Patching At Industrial Scale*. It is accurate if the metric is close
//! to linear, and least accurate in early layers of the residual stream.

use std::ops::Range;

use candle_core::Tensor;

pub use super::contrast::{Contrast, Direction, Target};
use super::measurement::{MeasurementResult, measurement, once};
use super::rerun::{Base, Patch, Rerun, Runs};
use super::several::{mean, mean_of, several};
use crate::checkpoint::Config;
use crate::error::{Error, Result};
use crate::lab::Lab;
use crate::model::Model;
use crate::named_array::{NamedArray, axis_names};
use crate::run::{Run, RunOptions, run};
use crate::wire::{FromValue, Layer, Node, Optional, TypeScript, Value, options, results, words};

results! {
    /// The metric under every patch.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Patching {
        /// The metric: axes `layer pos`, `layer head` or `layer head pos`, and `neuron` or `pos neuron` for the neurons of a
        /// layer; if attention patterns are patched, `pos` is the query.
        pub raw: NamedArray,
        /// 1 for the clean run's metric, 0 for the corrupted run's; absent if both are the same or one is not finite.
        pub normalized: Option<NamedArray>,
        /// The metric of the clean run. A loss scores the tokens of the patched prompt, in both runs.
        pub clean: f32,
        /// The metric of the corrupted run.
        pub corrupted: f32,
        /// The result of each pair of prompts, if there are several. `raw`, `clean` and `corrupted` are then their means, and
        /// `normalized` follows from these, as in TransformerLens: it is not the mean of the shares, of which a pair whose
        /// runs hardly differ would be the greatest part.
        pub prompts: Option<Vec<Patching>>,
    }
}

impl Patching {
    /// The result for the metrics under every patch, of the base run and of the other run.
    pub(super) fn new(contrast: &Contrast, raw: NamedArray, base: f32, other: f32) -> Patching {
        let (clean, corrupted) = match contrast.direction {
            Direction::Denoise => (other, base),
            Direction::Noise => (base, other),
        };
        Patching::of(raw, clean, corrupted)
    }

    fn of(raw: NamedArray, clean: f32, corrupted: f32) -> Patching {
        let comparable = clean != corrupted && clean.is_finite() && corrupted.is_finite();
        let normalized = comparable.then(|| {
            let share = |metric: &f32| (metric - corrupted) / (clean - corrupted);
            NamedArray { data: raw.data.iter().map(share).collect(), ..raw.clone() }
        });
        Patching { raw, normalized, clean, corrupted, prompts: None }
    }
}

options! {
    /// Options of `patching`.
    #[derive(Debug, Clone, PartialEq)]
    pub struct PatchingOptions {
        /// The activation that is patched.
        pub at: Target = Target::ResidPre,
        /// Run each patch ("activation"), or estimate all of them from one backward pass ("attribution").
        pub method: Method = Method::Activation,
        /// For activations of heads and neurons: patch each position separately, instead of all at once. The residual stream,
        /// and the outputs of layers, are always patched by position.
        pub each_position: bool = false,
        /// For "post" only: the layer whose neurons are patched, one at a time; a negative one counts from the last.
        pub layer: Option<usize> as Optional<Layer>,
        ..pub contrast: Contrast,
    }
}

words! {
    /// How the metric under a patch is found.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Method {
        /// A run for each patch.
        Activation = "activation",
        /// An estimate from one backward pass: see [`attribution_patching`].
        Attribution = "attribution",
    }
}

/// The options of one pair of prompts, or of several.
pub(super) enum PatchingCall {
    One(PatchingOptions),
    Several(Vec<PatchingOptions>),
}

/// `clean` and `corrupted` are texts, or arrays of texts; with arrays, the metric is one for all pairs or one for each.
impl FromValue for PatchingCall {
    fn from_value(node: Node) -> Result<PatchingCall> {
        let batch = node.value().get("clean").and_then(Value::batch_size);
        if batch.is_none() {
            return PatchingOptions::from_value(node).map(PatchingCall::One);
        }
        let metric = ["answer", "against", "position"];
        let read = PatchingOptions::from_value;
        node.read_rows("clean", &["clean", "corrupted"], &metric, read).map(PatchingCall::Several)
    }

    fn singular() -> String {
        PatchingOptions::singular()
    }

    fn typescript(types: &mut TypeScript) -> String {
        PatchingOptions::typescript(types)
    }
}

pub(super) fn begin(lab: &Lab, call: PatchingCall) -> MeasurementResult<Patching> {
    match call {
        PatchingCall::One(options) => begin_one(lab, options),
        PatchingCall::Several(pairs) => {
            for (row, options) in pairs.iter().enumerate() {
                let checked = options.check(lab.model.config());
                checked.map_err(|error| error.in_row(row, pairs.len()))?;
            }
            check_lengths(&pairs)?;
            let begun: Vec<_> = pairs.into_iter().map(|options| begin_one(lab, options)).collect();
            several(begun, mean_patching)
        }
    }
}

/// Checks that the results of several pairs have the same axes.
fn check_lengths(pairs: &[PatchingOptions]) -> Result<()> {
    let length = |options: &PatchingOptions| options.contrast.base().len();
    let Some(first) = pairs.first().filter(|options| options.by_position()) else { return Ok(()) };
    match pairs.iter().position(|options| length(options) != length(first)) {
        None => Ok(()),
        Some(other) => Err(Error::Input(format!(
            "the map has positions, and text 0 of the batch has {} tokens, text {other} {}: expected texts with the same \
             number of tokens, or a map without positions (heads with `eachPosition: false`, such as `at: \"z\"`)",
            length(first),
            length(&pairs[other])
        ))),
    }
}

fn mean_patching(found: Vec<Patching>) -> Result<Patching> {
    let raw: Vec<_> = found.iter().map(|patching| &patching.raw).collect();
    let raw = mean_of(&raw, |_, _| true);
    let raw = raw.ok_or_else(|| Error::Input("there is no text".into()))?;
    let clean = mean(found.iter().map(|patching| patching.clean));
    let corrupted = mean(found.iter().map(|patching| patching.corrupted));
    Ok(Patching { prompts: Some(found), ..Patching::of(raw, clean, corrupted) })
}

fn begin_one(lab: &Lab, options: PatchingOptions) -> MeasurementResult<Patching> {
    match options.method {
        Method::Activation => Ok(Box::new(Sweep::new(&lab.model, options)?)),
        Method::Attribution => {
            let model = lab.model.clone();
            once(move || attribution_patching(&model, &options))
        }
    }
}

measurement!(Sweep => Patching);

/// A sweep in steps of one block: of the two prompts' runs, then of each patch. A caller can show progress between steps, or
/// stop by dropping the sweep.
///
/// ```no_run
/// # use candlescope::analysis::patching::{
/// #     Contrast, Direction, Method, PatchingOptions, Sweep, Target,
/// # };
/// # use candlescope::Objective;
/// # fn main() -> candlescope::Result<()> {
/// # let (model, clean, corrupted): (candlescope::Model, Vec<u32>, Vec<u32>) = unimplemented!();
/// let metric = Objective::Logit { answer: 17, against: Some(4), position: -1 };
/// let contrast = Contrast { clean, corrupted, direction: Direction::Denoise, metric };
/// let options = PatchingOptions {
///     at: Target::ResidPre,
///     method: Method::Activation,
///     each_position: true,
///     layer: None,
///     contrast,
/// };
/// let mut sweep = Sweep::new(&model, options)?;
/// while sweep.step()? {
///     eprintln!("{} of {}", sweep.done(), sweep.len());
/// }
/// let patched = sweep.finish()?; // raw and normalized: `layer pos`
/// # Ok(()) }
/// ```
pub struct Sweep {
    options: PatchingOptions,
    runs: Runs,
    table: Table,
    metrics: Vec<f32>,
    /// The patch that is being run.
    current: Option<(Patch, Rerun)>,
}

impl PatchingOptions {
    pub(crate) fn check(&self, config: &Config) -> Result<()> {
        self.contrast.check()?;
        let layers = config.n_layer;
        match (self.at, self.layer) {
            (Target::Post, None) => Err(Error::Input(
                "`layer` is missing: with `at: \"post\"`, the neurons of one layer are patched, expected its number".into(),
            )),
            (Target::Post, Some(layer)) if layer >= layers => {
                Err(Error::out_of_range(format_args!("layer {layer}"), layers))
            }
            (Target::Post, _) | (_, None) => Ok(()),
            (at, _) => Err(Error::Input(format!(
                "`layer` is for `at: \"post\"`: `{at}` is patched in every layer, so leave `layer` out"
            ))),
        }
    }

    /// Whether the result has an axis of positions.
    fn by_position(&self) -> bool {
        self.each_position || !(self.at.per_head() || self.at == Target::Post)
    }

    /// The layers in which the activation is patched.
    pub(crate) fn layers(&self, config: &Config) -> Range<usize> {
        self.layer.map_or(0..config.n_layer, |layer| layer..layer + 1)
    }
}

/// The axes of a sweep's result, and their lengths. Each cell is a patch.
struct Table {
    axes: Vec<&'static str>,
    shape: Vec<usize>,
}

impl Table {
    fn new(options: &PatchingOptions, config: &Config, positions: usize) -> Table {
        let (layer, pos) = (("layer", config.n_layer), ("pos", positions));
        let (head, neuron) = (("head", config.n_head), ("neuron", config.d_mlp()));
        let axes = match (options.at, options.each_position) {
            (Target::Post, false) => vec![neuron],
            (Target::Post, true) => vec![pos, neuron],
            (at, false) if at.per_head() => vec![layer, head],
            (at, true) if at.per_head() => vec![layer, head, pos],
            _ => vec![layer, pos],
        };
        let (axes, shape) = axes.into_iter().unzip();
        Table { axes, shape }
    }

    fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The place of a cell along an axis, if the table has it. Cells are counted row by row.
    fn place(&self, cell: usize, axis: &str) -> Option<usize> {
        let at = self.axes.iter().position(|name| *name == axis)?;
        let inner: usize = self.shape[at + 1..].iter().product();
        Some(cell / inner % self.shape[at])
    }

    fn filled(&self, data: Vec<f32>) -> NamedArray {
        let shape = self.shape.clone();
        NamedArray { axes: axis_names(&self.axes), shape, data, ..NamedArray::default() }
    }
}

impl Sweep {
    /// Checks the options.
    ///
    /// # Errors
    /// [`Error::Input`] when the prompts differ in length, do not fit the model, or the metric does not fit them.
    pub fn new(model: &Model, options: PatchingOptions) -> Result<Sweep> {
        options.check(model.config())?;
        let contrast = &options.contrast;
        let names = point_names(&options, model.config());
        let runs = Runs::new(model, contrast, &[] as &[&str], &names)?;
        let table = Table::new(&options, model.config(), contrast.base().len());
        Ok(Sweep { options, runs, table, metrics: Vec::new(), current: None })
    }

    /// The number of patches.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are no patches.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of completed patches.
    pub fn done(&self) -> usize {
        self.metrics.len()
    }

    /// Runs the next block; false if every patch is done.
    pub fn step(&mut self) -> Result<bool> {
        if self.runs.step()? {
            return Ok(true);
        }
        if self.done() == self.len() {
            return Ok(false);
        }
        let (base, other) = self.runs.both()?;
        let (mut patch, mut rerun) = match self.current.take() {
            Some(current) => current,
            None => self.begin(base, other)?,
        };
        match base.advance(&mut rerun, &mut patch)? {
            Some(metric) => self.metrics.push(metric),
            None => self.current = Some((patch, rerun)),
        }
        Ok(true)
    }

    /// Begins the next patch.
    fn begin(&self, base: &Base, other: &Base) -> Result<(Patch, Rerun)> {
        let along = |axis| self.table.place(self.done(), axis);
        let layer = along("layer").or(self.options.layer).unwrap_or(0);
        let (head, neuron, position) = (along("head"), along("neuron"), along("pos"));
        let point = self.options.at.point(layer);
        let Some(value) = other.cache.at(point) else {
            return Err(Error::Hook(format!("the other run did not reach `{point}`")));
        };
        let rerun = base.begin(layer, position.unwrap_or(0))?;
        Ok((Patch { point, head, neuron, position, value: value.clone() }, rerun))
    }

    /// Runs the remaining patches and returns the result.
    pub fn finish(mut self) -> Result<Patching> {
        while self.step()? {}
        let (base, other) = self.runs.both()?;
        let raw = self.table.filled(self.metrics);
        Ok(Patching::new(&self.options.contrast, raw, base.metric, other.metric))
    }
}

/// The names of the hook points that are patched.
fn point_names(options: &PatchingOptions, config: &Config) -> Vec<String> {
    options.layers(config).map(|layer| options.at.point(layer).to_string()).collect()
}

/// What a sweep with these options would find, estimated from one backward pass.
///
/// # Errors
/// As [`Sweep::new`].
pub fn attribution_patching(model: &Model, options: &PatchingOptions) -> Result<Patching> {
    options.check(model.config())?;
    let contrast = &options.contrast;
    let names = point_names(options, model.config());
    let with_names = RunOptions { names: names.clone(), ..RunOptions::default() };
    let of_base = RunOptions { gradients_of: Some(contrast.metric.clone()), ..with_names.clone() };
    let base = run(model, contrast.base(), &of_base)?;
    let other = run(model, contrast.other(), &with_names)?;
    let metric = |run: &Run| run.measure(&contrast.metric, contrast.base());
    let (base_metric, other_metric) = (metric(&base)?, metric(&other)?);
    let mut data = Vec::new();
    for name in &names {
        let change = (other.cache.get(name)? - base.cache.get(name)?)?;
        let effect = (change * base.gradients.get(name)?)?.squeeze(0)?;
        data.extend(per_cell(&effect, options)?.flatten_all()?.to_vec1::<f32>()?);
    }
    data.iter_mut().for_each(|effect| *effect += base_metric);
    let raw = Table::new(options, model.config(), contrast.base().len()).filled(data);
    Ok(Patching::new(contrast, raw, base_metric, other_metric))
}

/// Sums over the components of each cell: `[pos, d]`, `[pos, head, d]` or `[head, query, key]` to `[pos]`, `[head]` or
/// `[head, pos]`. A neuron is one component: `[pos, d_mlp]` stays, or becomes `[d_mlp]`.
fn per_cell(effect: &Tensor, options: &PatchingOptions) -> Result<Tensor> {
    if options.at == Target::Post {
        return Ok(if options.each_position { effect.clone() } else { effect.sum(0)? });
    }
    let point = options.at.point(0);
    let summed = effect.sum(effect.rank() - 1)?;
    let by_head = match point.axes().get(2) {
        Some(&"head") => summed.t()?.contiguous()?, // [head, pos]
        _ => summed,
    };
    let together = options.at.per_head() && !options.each_position;
    Ok(if together { by_head.sum(1)? } else { by_head })
}
