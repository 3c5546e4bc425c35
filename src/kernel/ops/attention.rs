//! Causal attention.
//!
//! Queries, keys and values are `[B, rows, H, K]` with a contiguous last axis; they may be views of
//! a projection or of a key/value cache. The position of the first query follows from the shapes:
//! the last query is at the last key. `simd/attention.rs` computes it, and `attention_grad.rs` the
//! backward passes.

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result as CandleResult, Shape, Tensor,
    bail,
};

use super::attention_grad::{attention_grad, joined_grad, mix_grad, scores_grad};
use super::storage::{Grads2, Grads3, OpOutput, floats};
use crate::error::Result;
use crate::kernel::dispatch::{filled, parallel_for};
use crate::kernel::simd::attention::{self as kernel, Attention, Part};
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

/// A task without its outputs.
pub(super) fn task(part: Part, q: &Heads, k: &Heads, v: &Heads, factor: f32) -> Attention {
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
pub(super) struct Heads {
    pub(super) at: kernel::Heads,
    pub(super) batch: usize,
    rows: usize,
    pub(super) heads: usize,
    width: usize,
}

impl Heads {
    pub(super) fn new(storage: &CpuStorage, layout: &Layout) -> CandleResult<Heads> {
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

    /// Queries, keys and values of `numbers` `[batch, rows, 3 heads * width]`.
    pub(super) fn joined(
        numbers: &[f32],
        layout: &Layout,
        heads: usize,
    ) -> CandleResult<[Heads; 3]> {
        let (batch, rows, row_stride) = layout.shape().dims3()?;
        let width = row_stride / 3 / heads;
        if 3 * heads * width != row_stride {
            bail!("queries, keys and values of {heads} heads in rows of {row_stride}")
        }
        let of = |path: usize| Heads {
            at: kernel::Heads {
                data: numbers[path * heads * width..].as_ptr(),
                batch_stride: rows * row_stride,
                row_stride,
                head_stride: width,
            },
            batch,
            rows,
            heads,
            width,
        };
        Ok([of(0), of(1), of(2)])
    }

    pub(super) fn count(&self) -> usize {
        self.batch * self.rows * self.heads * self.width
    }

    /// Those of a contiguous tensor of this shape: of the batch, the rows and the heads.
    pub(super) fn strides(&self) -> (usize, usize, usize) {
        let row = self.heads * self.width;
        (self.rows * row, row, self.width)
    }

    pub(super) fn shape(&self) -> Shape {
        Shape::from((self.batch, self.rows, self.heads, self.width))
    }
}
