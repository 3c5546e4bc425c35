//! Attention edges that are cut.

use std::collections::HashSet;

use candle_core::{Device, Tensor};

use super::plan::{ResolvedEdge, VisitContext};
use super::selection::Selection;
use crate::error::{Error, Result};
use crate::hook::{BlockPoint, HookPoint};

/// What attention to a masked key looks like at a point.
pub(super) fn masked_value(point: HookPoint) -> f32 {
    match point {
        HookPoint::Block(_, BlockPoint::AttnScores) => f32::NEG_INFINITY,
        _ => 0.0,
    }
}

/// Edges that are cut: as they were listed, and to look them up.
pub(crate) struct Edges {
    pub(crate) listed: Vec<ResolvedEdge>,
    all: bool,
    queries: HashSet<usize>,
    keys: HashSet<usize>,
    pairs: HashSet<(usize, usize)>,
}

impl Edges {
    pub(super) fn new(listed: Vec<ResolvedEdge>) -> Edges {
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

    fn cut(&self, query: usize, key: usize) -> bool {
        self.all
            || self.queries.contains(&query)
            || self.keys.contains(&key)
            || self.pairs.contains(&(query, key))
    }
}

/// Cuts edges: -inf among scores, which the softmax then leaves out; 0 among probabilities.
pub(super) fn knock_out(
    value: &Tensor,
    edges: &Edges,
    renormalize: bool,
    selection: &Selection,
    context: VisitContext,
) -> Result<Tensor> {
    let mut mask = vec![0u8; value.elem_count()];
    selection.each(|flat, coordinates| {
        let cut = edges.cut(context.first + coordinates[2].0, coordinates[3].1);
        mask[flat] = u8::from(cut && selection.causal(coordinates));
    });
    let mask = Tensor::from_vec(mask, value.shape(), &Device::Cpu)?;
    let blank = Tensor::full(masked_value(context.point), value.shape(), &Device::Cpu)?;
    let left = mask.where_cond(&blank, &value.contiguous()?)?;
    if masked_value(context.point) != 0.0 {
        let fully_masked =
            left.max(3)?.flatten_all()?.to_vec1::<f32>()?.contains(&f32::NEG_INFINITY);
        return if fully_masked { Err(nothing_left(context.point)) } else { Ok(left) };
    }
    if !renormalize {
        return Ok(left);
    }
    let sum = left.sum_keepdim(3)?;
    let nothing_left = sum.eq(0f64)?;
    let divisor = nothing_left.where_cond(&sum.ones_like()?, &sum)?;
    let rows = mask.max_keepdim(3)?.broadcast_as(value.shape())?.contiguous()?;
    Ok(rows.where_cond(&left.broadcast_div(&divisor)?, value)?)
}

fn nothing_left(point: HookPoint) -> Error {
    Error::Hook(format!(
        "every edge of a query was cut at `{point}`, so its softmax is undefined; cut them at `hook_pattern` to let \
         the query attend to nothing"
    ))
}
