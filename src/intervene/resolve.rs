//! An intervention against a model and a prompt: names and indices to what they mean there, or why they mean nothing.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::edges::{Edges, masked_value};
use super::plan::{Change, Compiler, Effect, ResolvedEdge, Rows, TextLength};
use super::selection::{rows_of, source_rows};
use super::value::{Action, Array, Choice, Edge, Intervention, Named, Values};
use crate::config::Config;
use crate::error::{Error, Result, shortened};
use crate::hook::{HookPoint, Selectors};

/// Resolves one intervention.
pub(super) struct Resolver<'a> {
    pub(super) intervention: &'a Intervention,
    pub(super) config: &'a Config,
    pub(super) length: TextLength,
}

impl Resolver<'_> {
    pub(super) fn resolve(
        &self,
        selectors: &mut Selectors,
        compiler: Option<&Compiler>,
    ) -> Result<Change> {
        let points = self.points(selectors)?;
        let positions = self.positions()?;
        let Intervention { head, neuron, dim, .. } = self.intervention;
        self.expect_axis(head, "head", &["head"], &points)?;
        self.expect_axis(neuron, "neuron", &["d_mlp"], &points)?;
        self.expect_axis(dim, "dim", &["d_model", "d_head"], &points)?;
        let width = |point: &HookPoint| match point.axes().last() {
            Some(&"d_mlp") => self.config.d_mlp(),
            Some(&"d_head") => self.config.d_head(),
            _ => self.config.n_embd,
        };
        let narrowest = points.iter().map(width).min().unwrap_or_default();
        Ok(Change {
            at: self.intervention.at.clone(),
            heads: self.indices("head", head, self.config.n_head)?,
            channels: self.indices(
                if neuron.is_some() { "neuron" } else { "dim" },
                neuron.as_ref().or(dim.as_ref()),
                narrowest,
            )?,
            effect: self.effect(&points, positions.as_deref(), compiler)?,
            slots: positions.as_deref().map(slots).unwrap_or_default(),
            positions,
            points,
            fired: false,
        })
    }

    fn points(&self, selectors: &mut Selectors) -> Result<Vec<HookPoint>> {
        let mut points = selectors.parse(&self.intervention.at)?.to_vec();
        if let Some(layers) =
            self.indices("layer", &self.intervention.layer, self.config.n_layer)?
        {
            let layers: HashSet<usize> = layers.into_iter().collect();
            points.retain(|point| point.layer().is_some_and(|layer| layers.contains(&layer)));
        }
        match points.is_empty() {
            true => {
                let (at, layer) =
                    (&self.intervention.at, self.intervention.layer.as_ref().map(Choice::to_vec));
                Err(Error::Hook(format!(
                    "`{at}` matches no hook point in layers {}",
                    shortened(&format!("{:?}", layer.unwrap_or_default()))
                )))
            }
            false => Ok(points),
        }
    }

    fn indices<'c>(
        &self,
        name: &str,
        choice: impl Into<Option<&'c Choice<usize>>>,
        length: usize,
    ) -> Result<Option<Vec<usize>>> {
        let Some(choice) = choice.into() else { return Ok(None) };
        let indices = choice.to_vec();
        if indices.is_empty() {
            return Err(self.selects_nothing(name));
        }
        if let Some(index) = indices.iter().find(|index| **index >= length) {
            return Err(Error::out_of_range(format_args!("`{name}` {index}"), length));
        }
        self.expect_different(name, &indices)?;
        Ok(Some(indices))
    }

    fn selects_nothing(&self, name: &str) -> Error {
        self.error(format!("selects nothing: `{name}` is empty"))
    }

    fn error(&self, what: String) -> Error {
        Error::Input(format!("the intervention at `{}` {what}", shortened(&self.intervention.at)))
    }

    fn expect_different(&self, name: &str, indices: &[usize]) -> Result<()> {
        let mut met = HashSet::with_capacity(indices.len());
        match indices.iter().find(|index| !met.insert(**index)) {
            Some(index) => Err(self.error(format!("lists {index} twice in `{name}`"))),
            None => Ok(()),
        }
    }

    fn expect_axis(
        &self,
        choice: &Option<Choice<usize>>,
        name: &str,
        axes: &[&str],
        points: &[HookPoint],
    ) -> Result<()> {
        let lacks = |point: &&HookPoint| !point.axes().iter().any(|axis| axes.contains(axis));
        match points.iter().find(lacks) {
            Some(point) if choice.is_some() => {
                let found = point.axes().join(" ");
                Err(Error::Hook(format!(
                    "`{name}` selects nothing at `{point}`, whose axes are {found}"
                )))
            }
            _ => Ok(()),
        }
    }

    /// The positions that both `positions` and `step` select.
    fn positions(&self) -> Result<Option<Vec<usize>>> {
        let listed = self
            .intervention
            .positions
            .as_ref()
            .map(|choice| self.listed(&choice.to_vec()))
            .transpose()?;
        let Some(steps) = self.indices("step", &self.intervention.step, self.length.new.max(1))?
        else {
            return Ok(listed);
        };
        let positions = match listed {
            Some(mut positions) => {
                let (prompt, steps) =
                    (self.length.prompt, HashSet::<usize>::from_iter(steps.iter().copied()));
                positions.retain(|position| steps.contains(&(position + 1).saturating_sub(prompt)));
                positions
            }
            None => self.new_at(&steps),
        };
        if positions.is_empty() {
            return Err(self.error(format!(
                "selects nothing: none of its positions is new at step {steps:?}"
            )));
        }
        Ok(Some(positions))
    }

    /// The positions that are new at these steps, in order: the prompt's at step 0, one at each later step.
    fn new_at(&self, steps: &[usize]) -> Vec<usize> {
        let prompt = self.length.prompt;
        let mut steps = steps.to_vec();
        steps.sort_unstable();
        let new =
            |step: &usize| if *step == 0 { 0..prompt } else { prompt + step - 1..prompt + step };
        steps.iter().flat_map(new).collect()
    }

    fn listed(&self, positions: &[i64]) -> Result<Vec<usize>> {
        if positions.is_empty() {
            return Err(self.selects_nothing("positions"));
        }
        let listed = positions
            .iter()
            .map(|position| self.position(*position))
            .collect::<Result<Vec<_>>>()?;
        self.expect_different("positions", &listed)?;
        Ok(listed)
    }

    /// How many positions the text may come to have. The last generated token is never run, so it has none.
    fn text_length(&self) -> usize {
        self.length.prompt.saturating_add(self.length.new.saturating_sub(1))
    }

    fn position(&self, position: i64) -> Result<usize> {
        let (prompt, length) = (self.length.prompt, self.text_length());
        resolve_position(position, prompt).filter(|position| *position < length).ok_or_else(|| {
            let last = length.saturating_sub(1);
            Error::Input(format!(
                "position {position} is out of range, expected -{prompt} to {last}"
            ))
        })
    }

    fn effect(
        &self,
        points: &[HookPoint],
        positions: Option<&[usize]>,
        compiler: Option<&Compiler>,
    ) -> Result<Effect> {
        let attention = |point: &HookPoint| point.axes().contains(&"key");
        Ok(match &self.intervention.action {
            Action::Named(Named::Zero) => Effect::Set(Array { shape: vec![], data: vec![0.0] }),
            Action::Named(Named::Mean) => {
                if let Some(point) = points.iter().find(|point| attention(point)) {
                    return Err(Error::Hook(format!(
                        "`mean` is not defined at `{point}`, because each query has different keys; use `set`"
                    )));
                }
                Effect::Mean(BTreeMap::new())
            }
            Action::Scale { scale } if !scale.is_finite() => {
                return Err(self.error(format!("scales by {scale}, expected a finite number")));
            }
            Action::Scale { scale } => Effect::Scale(*scale),
            Action::Add { add } => Effect::Add(self.array(add, points, positions)?),
            Action::Set { set } => Effect::Set(self.array(set, points, positions)?),
            Action::From { from, from_positions } => {
                let mut rows = Rows::Same;
                let mut lengths = BTreeSet::new();
                for point in points {
                    let found = source_rows(from, *point)?;
                    lengths.insert(found);
                    rows =
                        self.rows_to_take(found, *point, from_positions.as_deref(), positions)?;
                }
                if from_positions.is_some() && lengths.len() > 1 {
                    return Err(self.error(format!(
                        "has `fromPositions` for values with {lengths:?} positions, expected as many at each hook point"
                    )));
                }
                Effect::From { source: from.clone(), rows }
            }
            Action::Mean { mean } => {
                for point in points {
                    let found = source_rows(mean, *point)?;
                    if found != 1 {
                        return Err(self.error(format!(
                            "has means with {found} positions for `{point}`, expected 1: take the mean over positions"
                        )));
                    }
                }
                Effect::From { source: mean.clone(), rows: Rows::Broadcast }
            }
            Action::KnockOut { knock_out, renormalize } => {
                if let Some(point) = points.iter().find(|point| !attention(point)) {
                    return Err(Error::Hook(format!(
                        "`{point}` has no attention edges; expected `hook_attn_scores` or `hook_pattern`"
                    )));
                }
                let renormalize = renormalize.unwrap_or(true);
                if !renormalize && points.iter().any(|point| masked_value(*point) != 0.0) {
                    return Err(Error::Hook(
                        "edges cut among attention scores are always renormalised by the softmax after them; cut \
                         them at `hook_pattern` to leave the others as they were"
                            .into(),
                    ));
                }
                if knock_out.is_empty() {
                    return Err(self.selects_nothing("knockOut"));
                }
                let queries = positions.map(|positions| positions.iter().copied().collect());
                let edge = |edge: &Edge| self.edge(*edge, queries.as_ref());
                let edges = knock_out.iter().map(edge).collect::<Result<_>>()?;
                Effect::KnockOut { edges: Edges::new(edges), renormalize }
            }
            Action::Js { js } => match compiler {
                Some(compiler) => Effect::Function(compiler(js)?),
                None => {
                    return Err(Error::Input(
                        "`js` interventions run only in a browser; use `scale`, `add` or `set`"
                            .into(),
                    ));
                }
            },
        })
    }

    fn array(
        &self,
        values: &Values,
        points: &[HookPoint],
        positions: Option<&[usize]>,
    ) -> Result<Array> {
        let array = match values {
            Values::Number(number) => Array { shape: vec![], data: vec![*number] },
            Values::List(list) => Array { shape: vec![list.len()], data: list.clone() },
            Values::Array(array) => array.clone(),
        };
        let expected = array.expected_length();
        if array.data.is_empty() || Some(array.data.len()) != expected {
            let expected =
                expected.map_or("more than can be counted".into(), |count| count.to_string());
            let (found, shape, at) = (array.data.len(), &array.shape, &self.intervention.at);
            return Err(Error::Input(format!(
                "{found} values for shape {shape:?} at `{at}`, expected {expected}"
            )));
        }
        let selected = positions.map_or(self.length.prompt, <[usize]>::len);
        let wrong = points
            .iter()
            .filter_map(|point| rows_of(&array, *point))
            .find(|rows| ![1, selected].contains(rows));
        match wrong {
            Some(rows) => Err(Error::Input(format!(
                "values for {rows} positions at `{}`, expected 1 or the {selected} selected ones",
                self.intervention.at
            ))),
            None => Ok(array),
        }
    }

    /// Which of the other run's `found` positions stand for the selected ones.
    fn rows_to_take(
        &self,
        found: usize,
        point: HookPoint,
        from: Option<&[i64]>,
        positions: Option<&[usize]>,
    ) -> Result<Rows> {
        let prompt = self.length.prompt;
        let Some(from) = from else {
            let last =
                positions.map(|positions| positions.iter().copied().max().unwrap_or_default());
            return match last {
                None if !(prompt..=self.text_length()).contains(&found) => Err(self.error(format!(
                    "takes `{point}` from a run of {found} tokens for one of {prompt}; where the two differ in length, \
                     choose `positions` and `fromPositions`"
                ))),
                Some(last) if last >= found => Err(self.error(format!(
                    "selects position {last}, but the other run has {found} at `{point}`; `fromPositions` can say \
                     which of them stand for the selected ones"
                ))),
                _ => Ok(Rows::Same),
            };
        };
        let selected = positions.map_or(prompt, <[usize]>::len);
        if from.len() != selected {
            let listed = from.len();
            return Err(self.error(format!(
                "has {listed} `fromPositions` for {selected} selected positions, expected as many"
            )));
        }
        let row = |position: &i64| {
            resolve_position(*position, found).filter(|row| *row < found).ok_or_else(|| {
                self.error(format!(
                    "takes position {position} from a run that has {found} at `{point}`"
                ))
            })
        };
        Ok(Rows::Listed(from.iter().map(row).collect::<Result<_>>()?))
    }

    fn edge(&self, edge: Edge, queries: Option<&BTreeSet<usize>>) -> Result<ResolvedEdge> {
        let position =
            |position: Option<i64>| position.map(|position| self.position(position)).transpose();
        let (query, key) = (position(edge.query)?, position(edge.key)?);
        if let (Some(query), Some(key)) = (query, key)
            && key > query
        {
            return Err(Error::Input(format!(
                "query {query} never attends to the later key {key}: nothing to cut"
            )));
        }
        let met = |queries: &BTreeSet<usize>| match query {
            Some(query) => queries.contains(&query),
            None => queries.last().is_some_and(|last| key.is_none_or(|key| key <= *last)),
        };
        if queries.is_some_and(|queries| !met(queries)) {
            return Err(
                self.error(format!("selects nothing of {edge:?}: no query in `positions` has it"))
            );
        }
        Ok(ResolvedEdge { query, key })
    }
}

/// Each position with its slot in the list, by position.
fn slots(positions: &[usize]) -> Vec<(usize, usize)> {
    let mut slots: Vec<_> = positions.iter().copied().zip(0..).collect();
    slots.sort_unstable();
    slots
}

/// The index of `position`, which is counted from the end of `length` positions if it is negative.
///
/// # Errors
/// [`Error::Input`] when it is out of range.
pub(crate) fn expect_position(position: i64, length: usize) -> Result<usize> {
    let index = resolve_position(position, length).filter(|index| *index < length);
    index.ok_or_else(|| Error::position_out_of_range(position, length))
}

/// A position counted from the end of `length` where it is negative.
fn resolve_position(position: i64, length: usize) -> Option<usize> {
    if position >= 0 {
        usize::try_from(position).ok()
    } else {
        length.checked_sub(usize::try_from(position.unsigned_abs()).ok()?)
    }
}
