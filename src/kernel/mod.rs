//! The arithmetic that a forward pass is made of, one function for each operation, over candle tensors.
//!
//! Where a value on the way is differentiated (training, gradients), each function uses operations that have a
//! backward pass; elsewhere the fastest form. Which one runs never depends on hooks, so that looking inside a run
//! changes no bit of it.

use candle_core::{CpuStorage, D, Device, Layout, Shape, Storage, Tensor, bail};

use crate::config::Activation;
use crate::error::Result;

mod attention;
mod dispatch;
pub mod matrix;
mod packed;
mod product;
mod simd;
pub mod trainable;

pub use dispatch::{Backend, backend, select_backend, workers};
#[cfg(target_arch = "wasm32")]
pub use dispatch::{module, pool};
pub use matrix::Matrix;
pub use trainable::log_sum_exp;

/// `x w + b` over the last axis of `x` `[.., in]`, with `w` `[in, out]` and `b` `[out]`.
pub fn linear(x: &Tensor, weight: &Matrix, bias: &Tensor) -> Result<Tensor> {
    weight.multiply(x, Some(bias))
}

/// `x w` over the last axis of `x` `[.., in]`, with `w` `[in, out]`.
pub fn matmul(x: &Tensor, weight: &Matrix) -> Result<Tensor> {
    weight.multiply(x, None)
}

/// `q kᵀ / divisor` for every head, `-inf` where the key comes after the query: `[B, T, H, K]` and `[B, S, H, K]` to
/// `[B, H, T, S]`. The last query looks at the last key.
pub fn attention_scores(q: &Tensor, k: &Tensor, divisor: f64) -> Result<Tensor> {
    let (q, k) = (in_rows(q)?, in_rows(k)?);
    if !(q.track_op() || k.track_op()) {
        return Ok(q.apply_op2_no_bwd(&k, &attention::Scores { factor: divisor.recip() as f32 })?);
    }
    let (q, k) = ((by_head(&q)? / divisor)?, by_head(&k)?);
    let scores = q.matmul(&k.t()?)?;
    let mask = causal_mask(q.dim(2)?, k.dim(2)?)?.flatten_all()?;
    Ok(trainable::add_bias(&scores.flatten_from(D::Minus2)?, &mask)?.reshape(scores.shape())?)
}

/// `pattern v` for every head: `[B, H, T, S]` and `[B, S, H, K]` to `[B, T, H, K]`.
pub fn attention_mix(pattern: &Tensor, v: &Tensor) -> Result<Tensor> {
    let (pattern, v) = (pattern.contiguous()?, in_rows(v)?);
    if !(pattern.track_op() || v.track_op()) {
        return Ok(pattern.apply_op2_no_bwd(&v, &attention::Mix)?);
    }
    by_head(&pattern.matmul(&by_head(&v)?)?)
}

/// Both, with a softmax between them, for runs that look at neither scores nor pattern: the same bits, in less time.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, divisor: f64) -> Result<Tensor> {
    if q.track_op() || k.track_op() || v.track_op() {
        return attention_mix(&softmax(&attention_scores(q, k, divisor)?)?, v);
    }
    let [q, k, v] = [in_rows(q)?, in_rows(k)?, in_rows(v)?];
    Ok(q.apply_op3_no_bwd(&k, &v, &attention::Whole { factor: divisor.recip() as f32 })?)
}

/// `[B, rows, H, K]` to `[B, H, rows, K]`, and back.
fn by_head(x: &Tensor) -> Result<Tensor> {
    Ok(x.transpose(1, 2)?.contiguous()?)
}

/// A tensor whose last axis is contiguous, as most are.
fn in_rows(x: &Tensor) -> Result<Tensor> {
    Ok(if x.stride().last() == Some(&1) { x.clone() } else { x.contiguous()? })
}

/// 0 where the query may look at the key, -inf where the key comes after it: `[queries, keys]`.
fn causal_mask(queries: usize, keys: usize) -> Result<Tensor> {
    let earlier = keys - queries;
    let row = |query: usize| {
        (0..keys).map(move |key| if key > earlier + query { f32::NEG_INFINITY } else { 0.0 })
    };
    Ok(Tensor::from_iter((0..queries).flat_map(row), &Device::Cpu)?.reshape((queries, keys))?)
}

/// `exp(x) / sum(exp(x))` over the last axis; `-inf` gets exactly 0.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    Ok(trainable::softmax(x)?)
}

/// `sqrt(variance + eps)` over the last axis of `x`, kept with length 1.
pub fn scale(x: &Tensor, eps: f64) -> Result<Tensor> {
    Ok(trainable::scale(x, eps)?)
}

/// `(x - mean) / scale` over the last axis of `x`.
pub fn normalize(x: &Tensor, scale: &Tensor) -> Result<Tensor> {
    Ok(trainable::normalize(x, scale)?)
}

/// `x weight + bias` elementwise along the last axis.
pub fn affine(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    Ok(trainable::affine(x, weight, bias)?)
}

/// The MLP's non-linearity.
pub fn activation(x: &Tensor, function: Activation) -> Result<Tensor> {
    Ok(match function {
        Activation::GeluNew => trainable::gelu_new(x)?,
        Activation::Gelu => x.gelu_erf()?,
        Activation::Relu => x.relu()?,
        Activation::Silu => x.silu()?,
        Activation::Tanh => x.tanh()?,
    })
}

/// Halves, given as bits, that are neither infinite nor no number.
pub fn finite_halves(halves: [u16; 4]) -> [f32; 4] {
    // SAFETY: there are four.
    unsafe { simd::vector::F32x4::load_halves(halves.as_ptr()) }.to_array()
}

/// The bits of the number of the largest magnitude, without its sign; 0 of none. Those of NaN are larger than those of
/// infinity, and both are larger than those of any other number.
pub(crate) fn largest_magnitude(values: &[f32]) -> u32 {
    const MAGNITUDE: u32 = 0x7FFF_FFFF;
    let (fours, rest) = values.as_chunks::<4>();
    let largest = rest.iter().fold(0, |largest, value| largest.max(value.to_bits() & MAGNITUDE));
    largest_of_fours(fours).into_iter().fold(largest, u32::max)
}

/// By hand, since the crate is built for size, where this is not made of vectors.
#[cfg(target_arch = "wasm32")]
fn largest_of_fours(fours: &[[f32; 4]]) -> [u32; 4] {
    use std::arch::wasm32::{
        u32x4_extract_lane as lane, u32x4_max, u32x4_splat, v128_and, v128_load,
    };
    let magnitude = u32x4_splat(0x7FFF_FFFF);
    let mut largest = u32x4_splat(0);
    for four in fours {
        // SAFETY: there are four, which are 16 bytes; any alignment will do.
        let four = unsafe { v128_load(four.as_ptr().cast()) };
        largest = u32x4_max(largest, v128_and(four, magnitude));
    }
    [lane::<0>(largest), lane::<1>(largest), lane::<2>(largest), lane::<3>(largest)]
}

#[cfg(not(target_arch = "wasm32"))]
fn largest_of_fours(fours: &[[f32; 4]]) -> [u32; 4] {
    let mut largest = [0; 4];
    for four in fours {
        for (largest, value) in largest.iter_mut().zip(four) {
            *largest = (*largest).max(value.to_bits() & 0x7FFF_FFFF);
        }
    }
    largest
}

/// What a custom op computes.
type Computed = candle_core::Result<(CpuStorage, Shape)>;

/// The numbers of a contiguous tensor, inside a custom op.
fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("a kernel got strides {:?}, expected a contiguous tensor", layout.stride()),
    }
}

/// The numbers of a contiguous tensor.
pub(crate) fn with_floats<T>(
    x: &Tensor,
    f: impl FnOnce(&[f32]) -> candle_core::Result<T>,
) -> candle_core::Result<T> {
    let (storage, layout) = x.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => f(floats(storage, layout)?),
        _ => bail!("a kernel got a tensor that is not on the CPU"),
    }
}
