//! Resolves an intervention against a model and a text: patterns and indices become hook points and positions.

use std::collections::HashSet;

use super::effect::{Effect, ResolveContext, intervention_error, selects_nothing};
use super::intervention::Intervention;
use super::python::PythonLine;
use super::selection::Scope;
use super::types::{Choice, Compiler, TextLength};
use crate::checkpoint::Config;
use crate::error::{Error, Result, shortened};
use crate::hook::{HookPoint, Selectors};
use crate::wire::{expect_index, resolve_index};

/// One intervention, resolved.
pub(crate) struct Change {
    pub(crate) scope: Scope,
    pub(super) effect: Box<dyn Effect>,
}

impl Change {
    /// The same change in Python, as change `number` of a script. None if Python cannot express it.
    pub(crate) fn python(&self, number: usize, text: TextLength) -> Option<PythonLine<'_>> {
        self.effect.python(number, &self.scope, text)
    }
}

/// Resolves interventions one by one.
pub(super) struct Resolver<'a> {
    pub(super) config: &'a Config,
    pub(super) selectors: Selectors<'a>,
    pub(super) text: TextLength,
    pub(super) compiler: Option<&'a Compiler>,
    pub(super) row: usize,
}

impl Resolver<'_> {
    pub(super) fn resolve(&mut self, intervention: &Intervention) -> Result<Change> {
        let scope = self.scope(intervention)?;
        let Resolver { text, compiler, row, .. } = *self;
        let context = ResolveContext { scope: &scope, text, compiler, row };
        let effect = intervention.action.resolve(&context)?;
        Ok(Change { effect, scope })
    }

    fn scope(&mut self, intervention: &Intervention) -> Result<Scope> {
        let points = self.points(intervention)?;
        let positions = self.positions(intervention)?;
        let Intervention { head, neuron, dim, .. } = intervention;
        let at = &written(intervention);
        expect_axis(head, "head", &["head"], &points)?;
        expect_axis(neuron, "neuron", &["d_mlp"], &points)?;
        expect_axis(dim, "dim", &["d_model", "d_head"], &points)?;
        let heads = indices(at, "head", head.as_ref(), self.config.n_head)?;
        let channels = match neuron {
            Some(_) => indices(at, "neuron", neuron.as_ref(), self.config.d_mlp())?,
            None => self.dimensions(at, dim.as_ref(), &points)?,
        };
        Ok(Scope::new(at.clone(), points, heads, channels, positions))
    }

    /// The dimensions that `dim` lists, which every point must have.
    fn dimensions(
        &self,
        at: &str,
        dim: Option<&Choice<i64>>,
        points: &[HookPoint],
    ) -> Result<Option<Vec<usize>>> {
        let width = |point: &HookPoint| match point.axes().last() {
            Some(&"d_head") => self.config.d_head(),
            _ => self.config.n_embd,
        };
        let narrowest = points.iter().map(width).min().unwrap_or_default();
        let widest = points.iter().map(width).max().unwrap_or_default();
        let negative = dim.and_then(|dim| dim.to_vec().into_iter().find(|index| *index < 0));
        match negative {
            // Each point would have another last dimension.
            Some(index) if narrowest != widest => Err(intervention_error(
                at,
                format!(
                    "has `dim` {index}, but its points have {narrowest} or {widest} dimensions: expected 0 to {}, or points \
                     with as many",
                    narrowest - 1
                ),
            )),
            _ => indices(at, "dim", dim, narrowest),
        }
    }

    /// The hook points that `at` and `layer` select.
    fn points(&mut self, intervention: &Intervention) -> Result<Vec<HookPoint>> {
        let Intervention { at, layer, .. } = intervention;
        if at.is_empty() {
            return Err(selects_nothing("", "at"));
        }
        let mut points = self.selectors.union(at)?;
        let at = &written(intervention);
        let Some(layers) = indices(at, "layer", layer.as_ref(), self.config.n_layer)? else {
            return Ok(points);
        };
        let among: HashSet<usize> = layers.iter().copied().collect();
        points.retain(|point| point.layer().is_some_and(|layer| among.contains(&layer)));
        match points.is_empty() {
            true => Err(Error::Hook(format!(
                "`{at}` matches no hook point in layers {}",
                shortened(&format!("{layers:?}"))
            ))),
            false => Ok(points),
        }
    }

    /// The positions that `positions` and `step` both select.
    fn positions(&self, intervention: &Intervention) -> Result<Option<Vec<usize>>> {
        let (at, prompt) = (&written(intervention), self.text.prompt);
        let listed = intervention.positions.as_ref();
        let listed = listed.map(|choice| self.listed(at, &choice.to_vec())).transpose()?;
        let steps = self.steps(at, intervention.step.as_ref())?;
        let Some(steps) = steps else { return Ok(listed) };
        let positions = match listed {
            Some(mut positions) => {
                let among: HashSet<usize> = steps.iter().copied().collect();
                positions.retain(|position| among.contains(&(position + 1).saturating_sub(prompt)));
                positions
            }
            None => self.new_at(&steps),
        };
        if positions.is_empty() {
            return Err(intervention_error(
                at,
                format!("selects nothing: none of its positions is new at step {steps:?}"),
            ));
        }
        Ok(Some(positions))
    }

    /// The steps that `step` lists. They count from 0, because how many there will be depends on the text.
    fn steps(&self, at: &str, step: Option<&Choice<usize>>) -> Result<Option<Vec<usize>>> {
        let Some(steps) = step.map(Choice::to_vec) else { return Ok(None) };
        if steps.is_empty() {
            return Err(selects_nothing(at, "step"));
        }
        let count = self.text.new.max(1);
        if let Some(step) = steps.iter().find(|step| **step >= count) {
            return Err(Error::out_of_range(format_args!("`step` {step}"), count));
        }
        expect_different(at, "step", &steps)?;
        Ok(Some(steps))
    }

    fn listed(&self, at: &str, positions: &[i64]) -> Result<Vec<usize>> {
        if positions.is_empty() {
            return Err(selects_nothing(at, "positions"));
        }
        let position = |position: &i64| self.text.position(*position);
        let listed = positions.iter().map(position).collect::<Result<Vec<_>>>()?;
        expect_different(at, "positions", &listed)?;
        Ok(listed)
    }

    /// The positions that are new at these steps, in order: the prompt's at step 0, one at each later step.
    fn new_at(&self, steps: &[usize]) -> Vec<usize> {
        let prompt = self.text.prompt;
        let mut steps = steps.to_vec();
        steps.sort_unstable();
        let new =
            |step: &usize| if *step == 0 { 0..prompt } else { prompt + step - 1..prompt + step };
        steps.iter().flat_map(new).collect()
    }
}

/// Checks which texts of a batch of `rows` the interventions select.
///
/// # Errors
/// [`Error::Input`] if one selects a text that the batch does not have, one twice, or none.
pub(crate) fn check_rows(interventions: &[Intervention], rows: usize) -> Result<()> {
    interventions.iter().try_for_each(|one| selects_row(one, 0, rows).map(|_| ()))
}

/// The interventions that change text `row` of a batch of `rows`, for a run of that text alone.
///
/// # Errors
/// [`Error::Input`] if one selects a text that the batch does not have, one twice, or none.
pub(crate) fn interventions_of_row(
    interventions: &[Intervention],
    row: usize,
    rows: usize,
) -> Result<Vec<Intervention>> {
    let of_row = |intervention: &Intervention| match selects_row(intervention, row, rows) {
        Ok(false) => None,
        Ok(true) => Some(Ok(Intervention { batch: None, ..intervention.clone() })),
        Err(error) => Some(Err(error)),
    };
    interventions.iter().filter_map(of_row).collect()
}

/// Whether an intervention changes text `row` of a batch of `rows`.
///
/// # Errors
/// [`Error::Input`] if it selects a text that the batch does not have, one twice, or none.
pub(super) fn selects_row(intervention: &Intervention, row: usize, rows: usize) -> Result<bool> {
    let Intervention { batch: Some(choice), .. } = intervention else { return Ok(true) };
    let at = &written(intervention);
    let index = |row: &i64| {
        resolve_index(*row, rows).filter(|row| *row < rows).ok_or_else(|| {
            let texts = if rows == 1 { "one text".into() } else { format!("{rows} texts") };
            let what = format!(
                "has `batch` {row}, but the call runs {texts}: expected -{rows} to {}",
                rows - 1
            );
            intervention_error(at, what)
        })
    };
    let selected = choice.to_vec().iter().map(index).collect::<Result<Vec<_>>>()?;
    if selected.is_empty() {
        return Err(selects_nothing(at, "batch"));
    }
    expect_different(at, "batch", &selected)?;
    Ok(selected.contains(&row))
}

/// The patterns of an intervention, for messages.
fn written(intervention: &Intervention) -> String {
    intervention.at.join("`, `")
}

/// The indices below `length` that a field lists; negative ones count from the end.
fn indices(
    at: &str,
    name: &str,
    choice: Option<&Choice<i64>>,
    length: usize,
) -> Result<Option<Vec<usize>>> {
    let Some(choice) = choice else { return Ok(None) };
    let listed = choice.to_vec();
    if listed.is_empty() {
        return Err(selects_nothing(at, name));
    }
    let index = |index: &i64| expect_index(format_args!("`{name}`"), *index, length);
    let indices = listed.iter().map(index).collect::<Result<Vec<_>>>()?;
    expect_different(at, name, &indices)?;
    Ok(Some(indices))
}

fn expect_different(at: &str, name: &str, indices: &[usize]) -> Result<()> {
    let mut seen = HashSet::with_capacity(indices.len());
    match indices.iter().find(|index| !seen.insert(**index)) {
        Some(index) => Err(intervention_error(at, format!("lists {index} twice in `{name}`"))),
        None => Ok(()),
    }
}

/// Checks that every point has one of `axes`, if the field `name` is given.
fn expect_axis(
    choice: &Option<Choice<i64>>,
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
