//! Attention edges that are cut.

use candle_core::{Device, Tensor};

use super::plan::{Met, ResolvedEdge};
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

/// Cuts edges: -inf among scores, which the softmax then leaves out; 0 among probabilities.
pub(super) fn knock_out(
    value: &Tensor,
    edges: &[ResolvedEdge],
    renormalize: bool,
    selection: &Selection,
    met: Met,
) -> Result<Tensor> {
    let cut = |position: usize, key: usize| {
        let meets = |wanted: Option<usize>, found| wanted.is_none_or(|wanted| wanted == found);
        edges.iter().any(|edge| meets(edge.query, position) && meets(edge.key, key))
    };
    let mut mask = vec![0u8; value.elem_count()];
    selection.each(|flat, coordinates| {
        let cut = cut(met.first + coordinates[2].0, coordinates[3].1);
        mask[flat] = u8::from(cut && selection.causal(coordinates));
    });
    let mask = Tensor::from_vec(mask, value.shape(), &Device::Cpu)?;
    let blank = Tensor::full(masked_value(met.point), value.shape(), &Device::Cpu)?;
    let left = mask.where_cond(&blank, &value.contiguous()?)?;
    if masked_value(met.point) != 0.0 {
        let deaf = left.max(3)?.flatten_all()?.to_vec1::<f32>()?.contains(&f32::NEG_INFINITY);
        return if deaf { Err(nothing_left(met.point)) } else { Ok(left) };
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
        "every edge of a query was cut at `{point}`, which leaves its softmax nothing; cut them at `hook_pattern` to let \
         the query attend to nothing"
    ))
}
