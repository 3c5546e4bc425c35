//! `{ from }`: the values of another run at the same hook points, known as activation patching.

use std::borrow::Cow;
use std::collections::BTreeSet;

use candle_core::Tensor;
use serde::Serialize;

use crate::error::Result;
use crate::hook::HookPoint;
use crate::intervene::effect::{Effect, Form, Resolve, ResolveContext};
use crate::intervene::python::{Helper, PythonLine};
use crate::intervene::selection::{Scope, Selection, VisitContext, rows_of};
use crate::intervene::source::{SourceRows, find, ordered_source, source_rows};
use crate::intervene::types::{Source, TextLength};
use crate::wire::{options, resolve_index};

options! {
    /// Replaces the selected values with those of another run at the same hook points.
    #[derive(Debug, Clone, PartialEq, Serialize)]
    #[serde(rename_all = "camelCase")]
    pub struct Patch {
        /// The other run's values.
        pub from: Source,
        /// The other run's positions that stand for the selected ones, one for each. The same positions if absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub from_positions: Option<Vec<i64>>,
    }
}

impl Resolve for Patch {
    const FORM: Form = Form::Object {
        key: "from",
        optional: &["fromPositions"],
        shown: "{ from, fromPositions? }",
    };

    fn resolve(&self, context: &ResolveContext) -> Result<Box<dyn Effect>> {
        let source = ordered_source(&self.from, &context.scope.points)?;
        let mut rows = SourceRows::SamePosition;
        let mut lengths = BTreeSet::new();
        for point in &context.scope.points {
            let length = source_rows(&source, *point)?;
            lengths.insert(length);
            rows = self.rows(length, *point, context)?;
        }
        if self.from_positions.is_some() && lengths.len() > 1 {
            return Err(context.error(format!(
                "has `fromPositions` for values with {lengths:?} positions, expected as many at each hook point"
            )));
        }
        Ok(Box::new(PatchEffect { source, rows }))
    }
}

impl Patch {
    /// Which of the other run's `length` rows stand for the selected ones.
    fn rows(
        &self,
        length: usize,
        point: HookPoint,
        context: &ResolveContext,
    ) -> Result<SourceRows> {
        let Some(from) = &self.from_positions else {
            same_positions(length, point, context)?;
            return Ok(SourceRows::SamePosition);
        };
        let selected = context.selected_positions();
        if from.len() != selected {
            let listed = from.len();
            return Err(context.error(format!(
                "has {listed} `fromPositions` for {selected} selected positions, expected as many"
            )));
        }
        let row = |position: &i64| {
            resolve_index(*position, length).filter(|row| *row < length).ok_or_else(|| {
                context.error(format!(
                    "takes position {position} from a run that has {length} at `{point}`"
                ))
            })
        };
        Ok(SourceRows::Listed(from.iter().map(row).collect::<Result<_>>()?))
    }
}

/// Checks that a run of `length` positions has the selected ones.
fn same_positions(length: usize, point: HookPoint, context: &ResolveContext) -> Result<()> {
    let (prompt, longest) = (context.text.prompt, context.text.positions());
    let positions = context.scope.positions.as_deref();
    match positions.map(|positions| positions.iter().max().copied().unwrap_or_default()) {
        None if !(prompt..=longest).contains(&length) => Err(context.error(format!(
            "takes `{point}` from a run of {length} tokens for one of {prompt}; where the two differ in length, \
             choose `positions` and `fromPositions`"
        ))),
        Some(last) if last >= length => Err(context.error(format!(
            "selects position {last}, but the other run has {length} at `{point}`; `fromPositions` can say \
             which of them stand for the selected ones"
        ))),
        _ => Ok(()),
    }
}

pub(super) struct PatchEffect {
    pub(super) source: Source,
    pub(super) rows: SourceRows,
}

impl Effect for PatchEffect {
    fn apply(
        &mut self,
        value: &Tensor,
        selection: Selection,
        visit: VisitContext,
    ) -> Result<Tensor> {
        let array = find(&self.source, visit.point)?;
        let Some(selection) = self.rows.available(selection, array) else {
            return Ok(value.clone());
        };
        selection.replace(value, &self.rows.take(array, &selection, visit)?)
    }

    fn python(&self, number: usize, scope: &Scope, _: TextLength) -> Option<PythonLine<'_>> {
        let source = format!("values_{number}[name]");
        let other_values = |rows: &str| {
            let statement =
                format!("y[part] = other_values({source}, x, part, places, name{rows})");
            PythonLine::new(statement, &[Helper::OtherValues])
        };
        let line = match &self.rows {
            SourceRows::Broadcast => {
                PythonLine::new(format!("y[part] = {source}.expand_as(x)[part]"), &[])
            }
            SourceRows::Listed(rows) => other_values(&format!(", rows={rows:?}")),
            SourceRows::SamePosition => {
                let array = |point: &HookPoint| self.source.get(&point.to_string());
                let rows = |point| rows_of(array(point)?, *point);
                PythonLine { rows: scope.points.first().and_then(rows), ..other_values("") }
            }
        };
        Some(PythonLine { values: Some(Cow::Borrowed(&self.source)), ..line })
    }
}
