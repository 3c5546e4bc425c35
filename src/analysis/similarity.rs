//! How similar each head's attention is to a given pattern, as TransformerLens's `head_detector` measures it.

use candle_core::{Device, Tensor};

use super::stream_parts::captured;
use crate::error::{Error, Result};
use crate::hook::{BlockPoint, HookPoint};
use crate::model::Model;
use crate::named_array::NamedArray;
use crate::run::Cache;
use crate::wire::words;

words! {
    /// How a head's attention is compared with a pattern.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Measure {
        /// `Σ attention * pattern / Σ attention`: with a pattern of ones and zeros, the share of all attention that is on
        /// the edges with a one.
        Mul = "mul",
        /// `1 - Σ |attention - pattern| / T`: 1 for the same pattern, -1 if no edge is in both.
        Abs = "abs",
    }
}

/// What [`similarity`] leaves out of the comparison.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Excluded {
    /// Attention to the first token, to which heads attend if nothing else matches.
    pub first_token: bool,
    /// Attention of each token to itself.
    pub current_token: bool,
}

/// How similar every head's attention is to `pattern` `[T, T]`: axes `layer head`.
///
/// # Errors
/// [`Error::Input`] when the pattern has another shape than the run's attention, or is not 0 for a key after its query.
pub fn similarity(
    model: &Model,
    cache: &Cache,
    pattern: &Tensor,
    measure: Measure,
    excluded: Excluded,
) -> Result<NamedArray> {
    let (length, keys) = pattern.dims2()?;
    let kept = compared(length, keys, excluded)?; // [T, T]
    let later = pattern.to_vec2::<f32>()?.into_iter().enumerate().any(|(query, row)| {
        row.iter().skip(query + 1).any(|weight| *weight != 0.0) // a causal model attends to none of these
    });
    if later {
        return Err(Error::Input("`pattern` is not 0 above the diagonal, expected zeros there: a token cannot attend to later tokens".into()));
    }
    let scores = (0..model.config().n_layer).map(|layer| -> Result<Tensor> {
        let attention = attention(cache, layer, length)?; // [H, T, T]
        let total = |x: Tensor| Ok::<_, Error>(x.broadcast_mul(&kept)?.sum((1, 2))?);
        match measure {
            Measure::Mul => {
                Ok((total(attention.broadcast_mul(pattern)?)? / total(attention)?)?) // [H]
            }
            Measure::Abs => {
                let difference = total(attention.broadcast_sub(pattern)?.abs()?)?;
                Ok(difference.affine(-1.0 / length as f64, 1.0)?)
            }
        }
    });
    NamedArray::new(&["layer", "head"], &Tensor::stack(&scores.collect::<Result<Vec<_>>>()?, 0)?)
}

/// 1 for edges that are compared, 0 for those that are left out: `[T, T]`.
fn compared(queries: usize, keys: usize, excluded: Excluded) -> Result<Tensor> {
    let keeps = |query, key| {
        let left_out =
            (excluded.first_token && key == 0) || (excluded.current_token && key == query);
        f32::from(u8::from(!left_out))
    };
    let edges = (0..queries).flat_map(|query| (0..keys).map(move |key| keeps(query, key)));
    Ok(Tensor::from_iter(edges, &Device::Cpu)?.reshape((queries, keys))?)
}

/// The attention pattern of a layer, `[H, T, T]`.
pub(super) fn attention(cache: &Cache, layer: usize, length: usize) -> Result<Tensor> {
    let pattern = captured(cache, HookPoint::Block(layer, BlockPoint::Pattern))?;
    let (_, queries, keys) = pattern.dims3()?;
    if (queries, keys) != (length, length) {
        return Err(Error::Input(format!(
            "{length} tokens for attention of {queries} queries to {keys} keys, expected as many of each"
        )));
    }
    Ok(pattern)
}
