//! Causal attention.
//!
//! Queries, keys and values are `[B, rows, H, K]` with a contiguous last axis; they may be views of
//! a projection or of a key/value cache. The position of the first query follows from the shapes:
//! the last query is at the last key. `simd/attention.rs` computes it, and `attention_grad.rs` the
//! backward passes.

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result as CandleResult, Shape, Tensor,
};

use super::attention_grad::{attention_grad, joined_grad, mix_grad, scores_grad};
use super::heads::{Heads, task};
use super::storage::{Grads2, Grads3, OpOutput, floats};
use crate::error::Result;
use crate::kernel::dispatch::{filled, parallel_for};
use crate::kernel::simd::attention::{Attention, Part};
use crate::kernel::simd::job::Task;

/// `q kᵀ / divisor` for every head, `-inf` where the key comes after the query: `[B, T, H, K]` and
/// `[B, S, H, K]` to `[B, H, T, S]`. The last query is at the last key. Masked scores are constant:
/// no gradient flows through them.
///
/// # Errors
/// Those of candle, for other shapes.
pub fn attention_scores(q: &Tensor, k: &Tensor, divisor: f64) -> Result<Tensor> {
    Ok(in_rows(q)?.apply_op2(&in_rows(k)?, Scores { factor: divisor.recip() as f32 })?)
}

/// `pattern v` for every head: `[B, H, T, S]` and `[B, S, H, K]` to `[B, T, H, K]`.
///
/// # Errors
/// Those of candle, for other shapes.
pub fn attention_mix(pattern: &Tensor, v: &Tensor) -> Result<Tensor> {
    Ok(pattern.contiguous()?.apply_op2(&in_rows(v)?, Mix)?)
}

/// [`attention_scores`], softmax and [`attention_mix`] in one pass, for runs that capture neither
/// scores nor pattern: the same bits in less time.
///
/// # Errors
/// Those of candle, for other shapes.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, divisor: f64) -> Result<Tensor> {
    let [q, k, v] = [in_rows(q)?, in_rows(k)?, in_rows(v)?];
    Ok(q.apply_op3(&k, &v, Whole { factor: divisor.recip() as f32 })?)
}

/// [`attention`] with queries, keys and values side by side, `[B, T, 3 D]` with the heads side by
/// side in each, for runs that capture none of them: the same bits, and one gradient for the three.
///
/// # Errors
/// Those of candle, for another shape.
pub fn self_attention(joined: &Tensor, n_head: usize, divisor: f64) -> Result<Tensor> {
    let factor = divisor.recip() as f32;
    Ok(joined.contiguous()?.apply_op1(Joined { n_head, factor })?)
}

/// `x` with a contiguous last axis; copies only if it has none.
fn in_rows(x: &Tensor) -> Result<Tensor> {
    Ok(if x.stride().last() == Some(&1) { x.clone() } else { x.contiguous()? })
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

    fn bwd(&self, q: &Tensor, k: &Tensor, _: &Tensor, grad: &Tensor) -> CandleResult<Grads2> {
        scores_grad(q, k, grad, self.factor)
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

    fn bwd(&self, pattern: &Tensor, v: &Tensor, _: &Tensor, grad: &Tensor) -> CandleResult<Grads2> {
        mix_grad(pattern, v, grad)
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
        whole([q, k, v], self.factor)
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> CandleResult<Grads3> {
        attention_grad([q, k, v], grad, self.factor)
    }
}

/// The same for queries, keys and values side by side: `[B, T, 3 D]` to `[B, T, H, K]`.
struct Joined {
    n_head: usize,
    factor: f32,
}

impl CustomOp1 for Joined {
    fn name(&self) -> &'static str {
        "self-attention"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> OpOutput {
        whole(Heads::joined(floats(x, layout)?, layout, self.n_head)?, self.factor)
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> CandleResult<Option<Tensor>> {
        joined_grad(x, self.n_head, grad, self.factor).map(Some)
    }
}

fn whole([q, k, v]: [Heads; 3], factor: f32) -> OpOutput {
    let whole = |out| Attention { out, ..task(Part::Whole, &q, &k, &v, factor) };
    // SAFETY: the output has one row for each query and head, and each is written. `Heads` and `task`
    // have checked the sizes of `q`, `k` and `v`.
    let z = unsafe { filled(q.count(), |out| attend(whole(out), &q)) };
    Ok((CpuStorage::F32(z), q.shape()))
}

/// Computes attention for all heads of the batch.
///
/// # Safety
/// The pointers of `attention` must be valid for the sizes that its fields name.
unsafe fn attend(attention: Attention, q: &Heads) {
    // Packing a key or a value takes as long as about four products with it. A single query packs nothing,
    // but waits for the memory about as long as one product takes.
    let per_key = if q.rows == 1 { 2 } else { 8 };
    let reading = q.batch * q.heads * q.width * attention.keys;
    let cost = 2 * q.count() * attention.keys + per_key * reading;
    // SAFETY: the caller guarantees every pointer of `attention` for the sizes that its fields name.
    unsafe { parallel_for(Task::Attention(attention), q.batch * q.heads, 1, cost) };
}
