//! What interventions do when a run meets the values that they select.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use candle_core::Tensor;
use serde::Serialize;

use super::edges::{Edges, knock_out};
use super::resolve::Resolver;
use super::selection::{Selection, patch_source};
use super::value::{Array, Intervention, Source};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::hook::{HookContext, HookPoint, Hooks, Selectors};

/// What a JavaScript function is told about the values it gets: the selected part alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Selected {
    pub name: String,
    pub axes: &'static [&'static str],
    pub shape: Vec<usize>,
    /// The positions in the text of the rows along `pos` or `query`.
    pub positions: Vec<usize>,
}

/// A function that changes selected values: as many as it gets.
pub type Function = Box<dyn FnMut(Vec<f32>, &Selected) -> Result<Vec<f32>>>;

/// Turns the source text of a function into the function.
pub type Compiler = Rc<dyn Fn(&str) -> Result<Function>>;

/// How long the text is that interventions act on.
#[derive(Debug, Clone, Copy)]
pub struct TextLength {
    /// Tokens of the prompt, from whose end negative positions count.
    pub prompt: usize,
    /// Tokens that may be generated after it.
    pub new: usize,
}

/// Interventions resolved against a model and a prompt: the [`Hooks`] that carry them out, in their order.
pub struct Plan {
    pub(crate) changes: Vec<Change>,
    /// Which changes are made at each point, in their order.
    by_point: HashMap<HookPoint, Vec<usize>>,
    length: TextLength,
    /// The position in the text of the context's first token: above 0 once a generation crops its context.
    pub(crate) window_start: usize,
}

/// One intervention, resolved.
pub(crate) struct Change {
    pub(crate) at: String,
    pub(crate) points: Vec<HookPoint>,
    pub(crate) heads: Option<Vec<usize>>,
    /// Of the last axis: neurons or dimensions.
    pub(crate) channels: Option<Vec<usize>>,
    /// Positions in the text; none given means all.
    pub(crate) positions: Option<Vec<usize>>,
    /// The same with their slots in that list, by position.
    pub(super) slots: Vec<(usize, usize)>,
    pub(crate) effect: Effect,
    pub(super) fired: bool,
}

pub(crate) enum Effect {
    Scale(f32),
    Add(Array),
    Set(Array),
    /// By point; the row for the n-th selected position, where it is not the position itself.
    From {
        source: Source,
        rows: Rows,
    },
    /// By point, taken from the prompt when it is first seen.
    Mean(BTreeMap<HookPoint, Tensor>),
    KnockOut {
        edges: Edges,
        renormalize: bool,
    },
    Function(Function),
}

pub(crate) enum Rows {
    Same,
    Listed(Vec<usize>),
    Broadcast,
}

#[derive(Clone, Copy)]
pub(crate) struct ResolvedEdge {
    pub(crate) query: Option<usize>,
    pub(crate) key: Option<usize>,
}

impl Plan {
    /// Resolves `interventions` for a prompt and what may be generated after it.
    ///
    /// # Errors
    /// [`Error::Hook`] when one matches no point or does not fit the points it matches, [`Error::Input`] when an
    /// index is out of range or a selection is empty.
    pub fn new(
        interventions: &[Intervention],
        config: &Config,
        length: TextLength,
        compiler: Option<&Compiler>,
    ) -> Result<Plan> {
        let mut selectors = Selectors::new(config);
        let mut resolve = |intervention| {
            Resolver { intervention, config, length }.resolve(&mut selectors, compiler)
        };
        let changes = interventions.iter().map(&mut resolve).collect::<Result<Vec<_>>>()?;
        let mut by_point: HashMap<HookPoint, Vec<usize>> = HashMap::new();
        for (index, change) in changes.iter().enumerate() {
            change.points.iter().for_each(|point| by_point.entry(*point).or_default().push(index));
        }
        Ok(Plan { changes, by_point, length, window_start: 0 })
    }

    /// Checks, after a run, that every intervention had something to change.
    ///
    /// # Errors
    /// [`Error::Hook`] naming one that was never reached, because the run began after it or stopped before it.
    pub fn check_fired(&self) -> Result<()> {
        match self.changes.iter().find(|change| !change.fired) {
            Some(change) => Err(Error::Hook(format!(
                "the intervention at `{}` lies outside the layers that were run",
                change.at
            ))),
            None => Ok(()),
        }
    }
}

impl Hooks for Plan {
    fn wants(&self, point: HookPoint) -> bool {
        self.by_point.contains_key(&point)
    }

    fn visit(&mut self, context: HookContext, mut value: Tensor) -> Result<Tensor> {
        let first = self.window_start + context.first_position;
        for index in self.by_point.get(&context.point).into_iter().flatten() {
            let change = &mut self.changes[*index];
            change.fired = true;
            let context = VisitContext {
                point: context.point,
                first,
                window_start: self.window_start,
                length: self.length,
            };
            value = change.apply(value, context)?;
        }
        Ok(value)
    }
}

/// Where in the text a value was met.
#[derive(Clone, Copy)]
pub(super) struct VisitContext {
    pub(super) point: HookPoint,
    /// The position of its first row.
    pub(super) first: usize,
    pub(super) window_start: usize,
    length: TextLength,
}

impl Change {
    fn apply(&mut self, value: Tensor, context: VisitContext) -> Result<Tensor> {
        let Some(selection) = self.select(&value, context) else { return Ok(value) };
        match &mut self.effect {
            Effect::Scale(factor) => selection.replace(&value, &(&value * f64::from(*factor))?),
            Effect::Add(array) => {
                let Some(selection) = selection.covered_by(array) else { return Ok(value) };
                let added = selection.spread(&self.at, array)?;
                selection.replace(&value, &(&value + added)?)
            }
            Effect::Set(array) => {
                let Some(selection) = selection.covered_by(array) else { return Ok(value) };
                selection.replace(&value, &selection.spread(&self.at, array)?)
            }
            Effect::From { source, rows } => {
                let array = patch_source(source, context.point)?;
                let Some(selection) = selection.present_in(array, rows) else { return Ok(value) };
                selection.replace(&value, &selection.patch(array, rows, context)?)
            }
            Effect::Mean(means) => {
                let mean = match means.get(&context.point) {
                    Some(mean) => mean.clone(),
                    None => {
                        let prompt = context
                            .length
                            .prompt
                            .saturating_sub(context.first)
                            .clamp(1, value.dim(1)?);
                        let mean = value.narrow(1, 0, prompt)?.mean_keepdim(1)?;
                        means.insert(context.point, mean.clone());
                        mean
                    }
                };
                selection.replace(&value, &mean.broadcast_as(value.shape())?.contiguous()?)
            }
            Effect::KnockOut { edges, renormalize } => {
                knock_out(&value, edges, *renormalize, &selection, context)
            }
            Effect::Function(function) => {
                let given = selection.gather(&value)?;
                let expected = given.len();
                let selected = selection.describe(context);
                let returned = function(given, &selected)?;
                if returned.len() != expected {
                    let (name, shape, found) = (selected.name, selected.shape, returned.len());
                    return Err(Error::Hook(format!(
                        "the function at `{name}` returned {found} values, expected {expected} for shape {shape:?}"
                    )));
                }
                selection.replace(&value, &selection.scatter(&returned)?)
            }
        }
    }
}

impl Change {
    /// The part of `value` that is to be changed; none when none of its rows is meant.
    fn select(&self, value: &Tensor, context: VisitContext) -> Option<Selection> {
        let axes = context.point.axes();
        let all = |length: usize| (0..length).map(|index| (index, index)).collect::<Vec<_>>();
        let listed = |indices: &[usize]| indices.iter().copied().zip(0..).collect::<Vec<_>>();
        let along = |axis: usize| {
            let length = value.dims()[axis];
            match axes[axis] {
                "pos" | "query" => self.rows(length, context),
                "head" => self.heads.as_deref().map_or_else(|| all(length), listed),
                "d_model" | "d_head" | "d_mlp" => {
                    self.channels.as_deref().map_or_else(|| all(length), listed)
                }
                "key" => (0..length).map(|key| (key, context.window_start + key)).collect(),
                _ => all(length),
            }
        };
        let indices: Vec<_> = (0..axes.len()).map(along).collect();
        let empty = indices.iter().any(Vec::is_empty);
        let past = context.first - context.window_start;
        (!empty).then(|| Selection {
            axes,
            dims: value.dims().to_vec(),
            indices,
            first: context.first,
            past,
        })
    }

    /// Row in the value and slot in the selection of every row that is meant.
    fn rows(&self, length: usize, context: VisitContext) -> Vec<(usize, usize)> {
        let slot = |position: usize| match &self.positions {
            None => Some(position),
            Some(_) => {
                let found = self.slots.binary_search_by_key(&position, |(selected, _)| *selected);
                found.ok().map(|index| self.slots[index].1)
            }
        };
        (0..length).filter_map(|row| Some((row, slot(context.first + row)?))).collect()
    }
}
