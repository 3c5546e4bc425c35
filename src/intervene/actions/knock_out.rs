//! `{ knockOut }`: attention edges that are cut.

use std::collections::{BTreeSet, HashSet};

use candle_core::{Device, Tensor};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::hook::{BlockPoint, HookPoint};
use crate::intervene::effect::{Effect, Form, Resolve, ResolveContext, selects_nothing};
use crate::intervene::python::{Helper, PythonLine};
use crate::intervene::selection::{Scope, Selection, VisitContext, is_attention, masked_value};
use crate::intervene::types::TextLength;
use crate::wire::options;

options! {
    /// Cuts attention edges, at `hook_attn_scores` or `hook_pattern`.
    #[derive(Debug, Clone, PartialEq, Serialize)]
    #[serde(rename_all = "camelCase")]
    pub struct KnockOut {
        /// The edges.
        pub knock_out: Vec<Edge>,
        /// Whether the query's other probabilities are scaled so that their sum stays 1. True if absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub renormalize: Option<bool>,
    }
}

options! {
    /// An attention edge. An absent query means all queries, an absent key all keys up to the query.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
    pub struct Edge {
        /// The position that attends.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub query: Option<i64>,
        /// The position that is attended to.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub key: Option<i64>,
    }
}

impl Resolve for KnockOut {
    const FORM: Form = Form::Object {
        key: "knockOut",
        optional: &["renormalize"],
        shown: "{ knockOut: [{ query?, key? }], renormalize? }",
    };

    fn resolve(&self, context: &ResolveContext) -> Result<Box<dyn Effect>> {
        let Scope { at, points, positions, .. } = context.scope;
        if let Some(point) = points.iter().find(|point| !is_attention(**point)) {
            return Err(Error::Hook(format!(
                "`{point}` has no attention edges; expected `hook_attn_scores` or `hook_pattern`"
            )));
        }
        let renormalize = self.renormalize.unwrap_or(true);
        if !renormalize && points.iter().any(|point| masked_value(*point) != 0.0) {
            return Err(Error::Hook(
                "edges cut among attention scores are always renormalised by the softmax after them; cut \
                 them at `hook_pattern` to leave the others as they were"
                    .into(),
            ));
        }
        if self.knock_out.is_empty() {
            return Err(selects_nothing(at, "knockOut"));
        }
        let queries = positions.as_ref().map(|positions| positions.iter().copied().collect());
        let edge = |edge: &Edge| resolve_edge(*edge, queries.as_ref(), context);
        let edges = Edges::new(self.knock_out.iter().map(edge).collect::<Result<_>>()?);
        Ok(Box::new(KnockOutEffect { edges, renormalize }))
    }
}

/// An edge with positions in the text.
#[derive(Clone, Copy)]
struct ResolvedEdge {
    query: Option<usize>,
    key: Option<usize>,
}

fn resolve_edge(
    edge: Edge,
    queries: Option<&BTreeSet<usize>>,
    context: &ResolveContext,
) -> Result<ResolvedEdge> {
    let position = |position: Option<i64>| {
        position.map(|position| context.text.position(position)).transpose()
    };
    let (query, key) = (position(edge.query)?, position(edge.key)?);
    if let (Some(query), Some(key)) = (query, key)
        && key > query
    {
        return Err(Error::Input(format!(
            "query {query} never attends to the later key {key}: nothing to cut"
        )));
    }
    let selected = |queries: &BTreeSet<usize>| match query {
        Some(query) => queries.contains(&query),
        None => queries.last().is_some_and(|last| key.is_none_or(|key| key <= *last)),
    };
    if queries.is_some_and(|queries| !selected(queries)) {
        return Err(
            context.error(format!("selects nothing of {edge:?}: no query in `positions` has it"))
        );
    }
    Ok(ResolvedEdge { query, key })
}

/// The edges that are cut: a list, and sets for lookup.
struct Edges {
    listed: Vec<ResolvedEdge>,
    all: bool,
    queries: HashSet<usize>,
    keys: HashSet<usize>,
    pairs: HashSet<(usize, usize)>,
}

impl Edges {
    fn new(listed: Vec<ResolvedEdge>) -> Edges {
        let mut edges = Edges {
            all: false,
            queries: HashSet::new(),
            keys: HashSet::new(),
            pairs: HashSet::new(),
            listed: Vec::new(),
        };
        for edge in &listed {
            match (edge.query, edge.key) {
                (None, None) => edges.all = true,
                (Some(query), None) => edges.queries.extend([query]),
                (None, Some(key)) => edges.keys.extend([key]),
                (Some(query), Some(key)) => edges.pairs.extend([(query, key)]),
            }
        }
        Edges { listed, ..edges }
    }

    fn contains(&self, query: usize, key: usize) -> bool {
        self.all
            || self.queries.contains(&query)
            || self.keys.contains(&key)
            || self.pairs.contains(&(query, key))
    }
}

struct KnockOutEffect {
    edges: Edges,
    renormalize: bool,
}

impl Effect for KnockOutEffect {
    /// Scores become -inf, which the softmax turns into 0; probabilities become 0.
    fn apply(
        &mut self,
        value: &Tensor,
        selection: Selection,
        visit: VisitContext,
    ) -> Result<Tensor> {
        let mut mask = vec![0u8; value.elem_count()];
        selection.for_each(|flat, coordinates| {
            let query = visit.first_position + coordinates[2].index;
            let cut = self.edges.contains(query, coordinates[3].slot);
            mask[flat] = u8::from(cut && selection.is_causal(coordinates));
        });
        let mask = Tensor::from_vec(mask, value.shape(), &Device::Cpu)?;
        let masked = masked_value(visit.point);
        let blank = Tensor::full(masked, value.shape(), &Device::Cpu)?;
        let left = mask.where_cond(&blank, &value.contiguous()?)?;
        if masked != 0.0 {
            let max = left.max(3)?.flatten_all()?.to_vec1::<f32>()?;
            let fully_masked = max.contains(&f32::NEG_INFINITY);
            return if fully_masked { Err(nothing_left(visit.point)) } else { Ok(left) };
        }
        if self.renormalize { renormalized(value, &left, &mask) } else { Ok(left) }
    }

    fn python(&self, _: usize, scope: &Scope, _: TextLength) -> Option<PythonLine<'_>> {
        let python = |index: Option<usize>| index.map_or("None".into(), |index| index.to_string());
        let edge = |edge: &ResolvedEdge| format!("({}, {})", python(edge.query), python(edge.key));
        let edges: Vec<_> = self.edges.listed.iter().map(edge).collect();
        let scores = |point: &HookPoint| {
            matches!(point, HookPoint::Block(_, BlockPoint::AttnScores)) // the softmax renormalises them
        };
        let renormalize = self.renormalize && !scope.points.iter().any(scores);
        let renormalize = if renormalize { "True" } else { "False" };
        let statement = format!("y = cut(y, name, [{}], part, {renormalize})", edges.join(", "));
        Some(PythonLine::new(statement, &[Helper::Cut]))
    }
}

/// The rows of `left` in which `mask` cuts an edge, divided by their sums; `value` in the other rows.
fn renormalized(value: &Tensor, left: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let sum = left.sum_keepdim(3)?;
    let divisor = sum.eq(0f64)?.where_cond(&sum.ones_like()?, &sum)?;
    let rows = mask.max_keepdim(3)?.broadcast_as(value.shape())?.contiguous()?;
    Ok(rows.where_cond(&left.broadcast_div(&divisor)?, value)?)
}

fn nothing_left(point: HookPoint) -> Error {
    Error::Hook(format!(
        "every edge of a query was cut at `{point}`, so its softmax is undefined; cut them at `hook_pattern` to let \
         the query attend to nothing"
    ))
}
