//! Activation patching: a run of one prompt in which a single activation comes from a run of another.
//!
//! For a base prompt `b`, another prompt `o` of the same length and a metric `m` of the logits, the sweep tabulates
//!
//! ```text
//! m(b | a[i] := a_o[i])    for every layer and position, or head, i of an activation a
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

use candle_core::Tensor;

pub use super::contrast::{Contrast, Direction, Target};
use super::measurement::{MeasurementResult, measurement, once};
use super::rerun::{Base, Patch};
use crate::error::{Error, Result};
use crate::lab::Lab;
use crate::model::Model;
use crate::named_array::NamedArray;
use crate::run::{Cache, Run, RunOptions, run};
use crate::wire::{options, results, words};

results! {
    /// The metric under every patch.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Patching {
        /// The metric: axes `layer pos`, `layer head` or `layer head pos`; if attention patterns are patched, `pos` is the
        /// query.
        pub raw: NamedArray,
        /// 1 for the clean run's metric, 0 for the corrupted run's; absent if both are the same or one is not finite.
        pub normalized: Option<NamedArray>,
        /// The metric of the clean run. A loss scores the tokens of the patched prompt, in both runs.
        pub clean: f32,
        /// The metric of the corrupted run.
        pub corrupted: f32,
    }
}

impl Patching {
    /// The result for the metrics under every patch, of the base run and of the other run.
    pub(super) fn new(contrast: &Contrast, raw: NamedArray, base: f32, other: f32) -> Patching {
        let (clean, corrupted) = match contrast.direction {
            Direction::Denoise => (other, base),
            Direction::Noise => (base, other),
        };
        let comparable = clean != corrupted && clean.is_finite() && corrupted.is_finite();
        let normalized = comparable.then(|| {
            let share = |metric: &f32| (metric - corrupted) / (clean - corrupted);
            NamedArray { data: raw.data.iter().map(share).collect(), ..raw.clone() }
        });
        Patching { raw, normalized, clean, corrupted }
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
        /// For activations of heads: patch each position separately, instead of all at once. The residual stream, and the
        /// outputs of layers, are always patched by position.
        pub each_position: bool = false,
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

pub(super) fn begin(lab: &Lab, options: PatchingOptions) -> MeasurementResult<Patching> {
    match options.method {
        Method::Activation => Ok(Box::new(Sweep::new(&lab.model, options)?)),
        Method::Attribution => {
            let model = lab.model.clone();
            once(move || attribution_patching(&model, &options))
        }
    }
}

measurement!(Sweep => Patching);

/// A sweep in steps of one patch. A caller can show progress between steps, or stop by dropping the sweep.
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
    /// Runs both prompts.
    ///
    /// # Errors
    /// [`Error::Input`] when the prompts differ in length, do not fit the model, or the metric does not fit them.
    pub fn new(model: &Model, options: PatchingOptions) -> Result<Sweep> {
        let PatchingOptions { contrast, at, each_position, .. } = &options;
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

    /// The number of patches.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there are no patches.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The number of completed patches.
    pub fn done(&self) -> usize {
        self.metrics.len()
    }

    /// Runs the next patch; false if none was left.
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

    /// Runs the remaining patches and returns the result.
    pub fn finish(mut self) -> Result<Patching> {
        while self.step()? {}
        let (layers, heads) = (self.base.model.config().n_layer, self.base.model.config().n_head);
        let (axes, shape) = axes_of(&self.options, layers, heads, self.base.tokens.len());
        let raw = NamedArray { axes, shape, data: self.metrics, ..NamedArray::default() };
        Ok(Patching::new(&self.options.contrast, raw, self.base.metric, self.other_metric))
    }
}

/// The axes of a sweep's result, and their lengths.
pub(super) fn axes_of(
    options: &PatchingOptions,
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

/// What a sweep with these options would find, estimated from one backward pass.
///
/// # Errors
/// As [`Sweep::new`].
pub fn attribution_patching(model: &Model, options: &PatchingOptions) -> Result<Patching> {
    let PatchingOptions { contrast, at, .. } = options;
    contrast.check()?;
    let (layers, heads) = (model.config().n_layer, model.config().n_head);
    let names: Vec<String> = (0..layers).map(|layer| at.point(layer).to_string()).collect();
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
    let (axes, shape) = axes_of(options, layers, heads, contrast.base().len());
    let raw = NamedArray { axes, shape, data, ..NamedArray::default() };
    Ok(Patching::new(contrast, raw, base_metric, other_metric))
}

/// Sums over the components of each cell: `[pos, d]`, `[pos, head, d]` or `[head, query, key]` to `[pos]`, `[head]` or
/// `[head, pos]`.
fn per_cell(effect: &Tensor, options: &PatchingOptions) -> Result<Tensor> {
    let point = options.at.point(0);
    let summed = effect.sum(effect.rank() - 1)?;
    let by_head = match point.axes().get(2) {
        Some(&"head") => summed.t()?.contiguous()?, // [head, pos]
        _ => summed,
    };
    let together = options.at.per_head() && !options.each_position;
    Ok(if together { by_head.sum(1)? } else { by_head })
}
