//! The hooks that carry out a list of interventions.

use std::collections::HashMap;

use candle_core::Tensor;

use super::intervention::Intervention;
use super::resolve::{Change, Resolver, selects_row};
use super::selection::VisitContext;
use super::types::{Compiler, TextLength};
use crate::checkpoint::Config;
use crate::error::{Error, Result};
use crate::hook::{HookContext, HookPoint, Hooks, Selectors};

/// Interventions resolved against a model and a prompt. Its [`Hooks`] apply them in their order.
pub struct Plan {
    changes: Vec<Change>,
    /// Whether each change was applied.
    fired: Vec<bool>,
    /// Which changes are made at each point, in their order.
    by_point: HashMap<HookPoint, Vec<usize>>,
    text: TextLength,
    /// The position in the text of the context's first token: above 0 once a generation crops its context.
    pub(crate) window_start: usize,
}

impl Plan {
    /// Resolves `interventions` for a prompt and what may be generated after it.
    ///
    /// # Errors
    /// [`Error::Hook`] if one matches no point or does not fit the points it matches, [`Error::Input`] if an index is
    /// out of range or a selection is empty.
    pub fn new(
        interventions: &[Intervention],
        config: &Config,
        text: TextLength,
        compiler: Option<&Compiler>,
    ) -> Result<Plan> {
        Plan::for_row(interventions, config, text, compiler, 0, 1)
    }

    /// The same for text `row` of a batch of `rows`: without the interventions that select other texts.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn for_row(
        interventions: &[Intervention],
        config: &Config,
        text: TextLength,
        compiler: Option<&Compiler>,
        row: usize,
        rows: usize,
    ) -> Result<Plan> {
        let selectors = Selectors::new(config);
        let mut resolver = Resolver { config, selectors, text, compiler, row };
        let mut changes = Vec::with_capacity(interventions.len());
        for intervention in interventions {
            if selects_row(intervention, row, rows)? {
                changes.push(resolver.resolve(intervention)?);
            }
        }
        let mut by_point: HashMap<HookPoint, Vec<usize>> = HashMap::new();
        for (index, change) in changes.iter().enumerate() {
            for point in &change.scope.points {
                by_point.entry(*point).or_default().push(index);
            }
        }
        let fired = vec![false; changes.len()];
        Ok(Plan { changes, fired, by_point, text, window_start: 0 })
    }

    /// The resolved interventions, in their order.
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Checks, after a run, that every intervention was applied.
    ///
    /// # Errors
    /// [`Error::Hook`] naming one that was not, because the run began after its points or stopped before them.
    pub fn check_fired(&self) -> Result<()> {
        match self.changes.iter().zip(&self.fired).find(|(_, fired)| !**fired) {
            Some((change, _)) => Err(Error::Hook(format!(
                "the intervention at `{}` lies outside the layers that were run",
                change.scope.at
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
        let visit = VisitContext {
            point: context.point,
            first_position: self.window_start + context.first_position,
            window_start: self.window_start,
            text: self.text,
        };
        for index in self.by_point.get(&context.point).into_iter().flatten() {
            self.fired[*index] = true;
            let change = &mut self.changes[*index];
            if let Some(selection) = change.scope.select(&value, visit) {
                value = change.effect.apply(&value, selection, visit)?;
            }
        }
        Ok(value)
    }
}
