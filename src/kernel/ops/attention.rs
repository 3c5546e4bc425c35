//! Causal attention.
//!
//! Queries, keys and values are `[B, rows, H, K]` with a contiguous last axis; they may be views of
//! a projection or of a key/value cache. The position of the first query follows from the shapes:
//! the last query is at the last key. `simd/attention.rs` computes it, unless gradients are wanted.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, D, Device, Layout, Shape, Tensor, bail};

use super::linear::add_bias;
use super::softmax::softmax;
use super::storage::{OpOutput, floats};
use crate::error::Result;
use crate::kernel::dispatch::{filled, parallel_for};
use crate::kernel::simd::attention::{self as kernel, Attention, Part};
use crate::kernel::simd::job::Task;

/// `q kᵀ / divisor` for every head, `-inf` where the key comes after the query: `[B, T, H, K]` and
/// `[B, S, H, K]` to `[B, H, T, S]`. The last query is at the last key.
///
/// # Errors
/// Those of candle, for other shapes.
pub fn attention_scores(q: &Tensor, k: &Tensor, divisor: f64) -> Result<Tensor> {
    let (q, k) = (in_rows(q)?, in_rows(k)?);
    if !(q.track_op() || k.track_op()) {
        return Ok(q.apply_op2_no_bwd(&k, &Scores { factor: divisor.recip() as f32 })?);
    }
    let (q, k) = ((by_head(&q)? / divisor)?, by_head(&k)?);
    let scores = q.matmul(&k.t()?)?;
    let mask = causal_mask(q.dim(2)?, k.dim(2)?)?.flatten_all()?;
    Ok(add_bias(&scores.flatten_from(D::Minus2)?, &mask)?.reshape(scores.shape())?)
}

/// `pattern v` for every head: `[B, H, T, S]` and `[B, S, H, K]` to `[B, T, H, K]`.
///
/// # Errors
/// Those of candle, for other shapes.
pub fn attention_mix(pattern: &Tensor, v: &Tensor) -> Result<Tensor> {
    let (pattern, v) = (pattern.contiguous()?, in_rows(v)?);
    if !(pattern.track_op() || v.track_op()) {
        return Ok(pattern.apply_op2_no_bwd(&v, &Mix)?);
    }
    by_head(&pattern.matmul(&by_head(&v)?)?)
}

/// [`attention_scores`], softmax and [`attention_mix`] in one pass, for runs that capture neither
/// scores nor pattern: the same bits in less time.
///
/// # Errors
/// Those of candle, for other shapes.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, divisor: f64) -> Result<Tensor> {
    if q.track_op() || k.track_op() || v.track_op() {
        return attention_mix(&softmax(&attention_scores(q, k, divisor)?)?, v);
    }
    let [q, k, v] = [in_rows(q)?, in_rows(k)?, in_rows(v)?];
    Ok(q.apply_op3_no_bwd(&k, &v, &Whole { factor: divisor.recip() as f32 })?)
}

/// `[B, rows, H, K]` to `[B, H, rows, K]`, and back.
fn by_head(x: &Tensor) -> Result<Tensor> {
    Ok(x.transpose(1, 2)?.contiguous()?)
}

/// `x` with a contiguous last axis; copies only if it has none.
fn in_rows(x: &Tensor) -> Result<Tensor> {
    Ok(if x.stride().last() == Some(&1) { x.clone() } else { x.contiguous()? })
}

/// 0 for visible keys, `-inf` for keys after the query: `[queries, keys]`.
fn causal_mask(queries: usize, keys: usize) -> Result<Tensor> {
    let past = keys - queries;
    let row = |query: usize| {
        (0..keys).map(move |key| if key > past + query { f32::NEG_INFINITY } else { 0.0 })
    };
    Ok(Tensor::from_iter((0..queries).flat_map(row), &Device::Cpu)?.reshape((queries, keys))?)
}

/// `factor q kᵀ` for every head, `-inf` where the key comes after the query: `[B, T, H, K]` and
/// `[B, S, H, K]` to `[B, H, T, S]`.
struct Scores {
    factor: f32,
}

impl CustomOp2 for Scores {
    fn name(&self) -> &'static str {
        "attention-scores"
    }

    fn cpu_fwd(&self, q: &CpuStorage, ql: &Layout, k: &CpuStorage, kl: &Layout) -> OpOutput {
        let (q, k) = (Heads::new(q, ql)?, Heads::new(k, kl)?);
        let part = |out| Attention { pattern: out, ..task(Part::Scores, &q, &k, &k, self.factor) };
        let shape = Shape::from((q.batch, q.heads, q.rows, k.rows));
        // SAFETY: the output has one float for each query, key and head, and each is written.
        // `Heads::new` and `task` have checked the sizes of `q` and `k`.
        let scores = unsafe { filled(shape.elem_count(), |out| attend(part(out), &q)) };
        Ok((CpuStorage::F32(scores), shape))
    }
}

/// `pattern v`: `[B, H, T, S]` and `[B, S, H, K]` to `[B, T, H, K]`.
struct Mix;

impl CustomOp2 for Mix {
    fn name(&self) -> &'static str {
        "attention-mix"
    }

    fn cpu_fwd(&self, pattern: &CpuStorage, pl: &Layout, v: &CpuStorage, vl: &Layout) -> OpOutput {
        let (batch, heads, queries, keys) = pl.shape().dims4()?;
        let (pattern, v) = (floats(pattern, pl)?, Heads::new(v, vl)?);
        assert!((batch, heads, keys) == (v.batch, v.heads, v.rows));
        let q = Heads { rows: queries, ..v };
        let part = |out| Attention {
            pattern: pattern.as_ptr().cast_mut(), // only read
            out,
            ..task(Part::Mix, &q, &v, &v, 1.0)
        };
        // SAFETY: the output has one row for each query and head, and each is written. `pattern` has
        // the shape that `pl` names, and `Heads::new` has checked `v`.
        let z = unsafe { filled(q.count(), |out| attend(part(out), &q)) };
        Ok((CpuStorage::F32(z), q.shape()))
    }
}

/// Scores, softmax and mix in one pass, for runs that capture neither scores nor pattern: q `[B, T,
/// H, K]`, k and v `[B, S, H, K]` to `[B, T, H, K]`.
struct Whole {
    factor: f32,
}

impl CustomOp3 for Whole {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        ql: &Layout,
        k: &CpuStorage,
        kl: &Layout,
        v: &CpuStorage,
        vl: &Layout,
    ) -> OpOutput {
        let (q, k, v) = (Heads::new(q, ql)?, Heads::new(k, kl)?, Heads::new(v, vl)?);
        let whole = |out| Attention { out, ..task(Part::Whole, &q, &k, &v, self.factor) };
        // SAFETY: the output has one row for each query and head, and each is written. `Heads::new`
        // and `task` have checked the sizes of `q`, `k` and `v`.
        let z = unsafe { filled(q.count(), |out| attend(whole(out), &q)) };
        Ok((CpuStorage::F32(z), q.shape()))
    }
}

/// A task without its outputs.
fn task(part: Part, q: &Heads, k: &Heads, v: &Heads, factor: f32) -> Attention {
    assert!(q.rows <= k.rows && (q.batch, q.heads, q.width) == (k.batch, k.heads, k.width));
    assert!((k.batch, k.rows, k.heads, k.width) == (v.batch, v.rows, v.heads, v.width));
    let (pattern, out) = (std::ptr::null_mut(), std::ptr::null_mut());
    let [q_at, k_at, v_at] = [q, k, v].map(|heads| heads.at);
    let (heads, queries, keys, width) = (q.heads, q.rows, k.rows, q.width);
    Attention { part, heads, queries, keys, width, factor, q: q_at, k: k_at, v: v_at, pattern, out }
}

/// Computes attention for all heads of the batch.
///
/// # Safety
/// The pointers of `attention` must be valid for the sizes that its fields name.
unsafe fn attend(attention: Attention, q: &Heads) {
    // Packing a key or a value takes as long as about four products with it.
    let packing = q.batch * q.heads * q.width * attention.keys;
    let cost = 2 * q.count() * attention.keys + 8 * packing;
    // SAFETY: the caller guarantees every pointer of `attention` for the sizes that its fields name.
    unsafe { parallel_for(Task::Attention(attention), q.batch * q.heads, 1, cost) };
}

/// `[batch, rows, heads, width]` with a contiguous last axis.
#[derive(Clone, Copy)]
struct Heads {
    at: kernel::Heads,
    batch: usize,
    rows: usize,
    heads: usize,
    width: usize,
}

impl Heads {
    fn new(storage: &CpuStorage, layout: &Layout) -> candle_core::Result<Heads> {
        let (batch, rows, heads, width) = layout.shape().dims4()?;
        let [batch_stride, row_stride, head_stride, 1] = *layout.stride() else {
            bail!("attention got strides {:?}, expected a contiguous last axis", layout.stride())
        };
        let numbers = &storage.as_slice::<f32>()?[layout.start_offset()..];
        let last = (batch - 1) * batch_stride
            + (rows - 1) * row_stride
            + (heads - 1) * head_stride
            + width;
        assert!(numbers.len() >= last, "{} numbers for shape {:?}", numbers.len(), layout.shape());
        let at = kernel::Heads { data: numbers.as_ptr(), batch_stride, row_stride, head_stride };
        Ok(Heads { at, batch, rows, heads, width })
    }

    fn count(&self) -> usize {
        self.batch * self.rows * self.heads * self.width
    }

    fn shape(&self) -> Shape {
        Shape::from((self.batch, self.rows, self.heads, self.width))
    }
}
