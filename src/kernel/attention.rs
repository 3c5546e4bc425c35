//! Causal attention over candle tensors, computed by `simd/attention.rs`.
//!
//! Queries, keys and values are `[B, rows, H, K]` with a contiguous last axis; they may be views of a projection or of a
//! key/value cache. The position of the first query follows from the shapes: the last query is at the last key.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Shape, bail};

use super::Computed;
use super::dispatch::{filled, parallel_for};
use super::floats;
use super::simd::attention::{self as kernel, Attention, Part};
use super::simd::job::Task;

/// `factor q kᵀ` for every head, `-inf` where the key comes after the query: `[B, T, H, K]` and `[B, S, H, K]` to
/// `[B, H, T, S]`.
pub(super) struct Scores {
    pub factor: f32,
}

impl CustomOp2 for Scores {
    fn name(&self) -> &'static str {
        "attention-scores"
    }

    fn cpu_fwd(&self, q: &CpuStorage, ql: &Layout, k: &CpuStorage, kl: &Layout) -> Computed {
        let (q, k) = (Heads::new(q, ql)?, Heads::new(k, kl)?);
        let part =
            |out| Attention { pattern: out, ..attention(Part::Scores, &q, &k, &k, self.factor) };
        let shape = Shape::from((q.batch, q.heads, q.rows, k.rows));
        // SAFETY: the score of every query with every key is written.
        let scores = unsafe { filled(shape.elem_count(), |out| attend(part(out), &q)) };
        Ok((CpuStorage::F32(scores), shape))
    }
}

/// `pattern v`: `[B, H, T, S]` and `[B, S, H, K]` to `[B, T, H, K]`.
pub(super) struct Mix;

impl CustomOp2 for Mix {
    fn name(&self) -> &'static str {
        "attention-mix"
    }

    fn cpu_fwd(&self, pattern: &CpuStorage, pl: &Layout, v: &CpuStorage, vl: &Layout) -> Computed {
        let (_, _, queries, _) = pl.shape().dims4()?;
        let (pattern, v) = (floats(pattern, pl)?, Heads::new(v, vl)?);
        let q = Heads { rows: queries, ..v };
        let part = |out| Attention {
            pattern: pattern.as_ptr().cast_mut(), // only read
            out,
            ..attention(Part::Mix, &q, &v, &v, 1.0)
        };
        // SAFETY: every query's row of every head is written.
        let z = unsafe { filled(q.count(), |out| attend(part(out), &q)) };
        Ok((CpuStorage::F32(z), q.shape()))
    }
}

/// Scores, softmax and mix in one pass, for runs that capture neither scores nor pattern: q `[B, T, H, K]`, k and v
/// `[B, S, H, K]` to `[B, T, H, K]`.
pub(super) struct Whole {
    pub factor: f32,
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
    ) -> Computed {
        let (q, k, v) = (Heads::new(q, ql)?, Heads::new(k, kl)?, Heads::new(v, vl)?);
        let whole = |out| Attention { out, ..attention(Part::Whole, &q, &k, &v, self.factor) };
        // SAFETY: every query's row of every head is written.
        let z = unsafe { filled(q.count(), |out| attend(whole(out), &q)) };
        Ok((CpuStorage::F32(z), q.shape()))
    }
}

/// A job without its outputs.
fn attention(part: Part, q: &Heads, k: &Heads, v: &Heads, factor: f32) -> Attention {
    assert!(q.rows <= k.rows && (q.batch, q.heads, q.width) == (k.batch, k.heads, k.width));
    assert!((k.batch, k.rows, k.heads, k.width) == (v.batch, v.rows, v.heads, v.width));
    let (pattern, out) = (std::ptr::null_mut(), std::ptr::null_mut());
    let [q_at, k_at, v_at] = [q, k, v].map(|heads| heads.at);
    let (heads, queries, keys, width) = (q.heads, q.rows, k.rows, q.width);
    Attention { part, heads, queries, keys, width, factor, q: q_at, k: k_at, v: v_at, pattern, out }
}

/// # Safety
/// The outputs of the part must be as long as the shapes require.
unsafe fn attend(attention: Attention, q: &Heads) {
    let cost = 2 * q.count() * attention.keys;
    // SAFETY: the caller guarantees it for the outputs; the inputs were checked by `Heads::new`.
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
        let [by_batch, by_row, by_head, 1] = *layout.stride() else {
            bail!("attention got strides {:?}, expected a contiguous last axis", layout.stride())
        };
        let numbers = &storage.as_slice::<f32>()?[layout.start_offset()..];
        let last = (batch - 1) * by_batch + (rows - 1) * by_row + (heads - 1) * by_head + width;
        assert!(numbers.len() >= last, "{} numbers for shape {:?}", numbers.len(), layout.shape());
        let at = kernel::Heads { data: numbers.as_ptr(), by_batch, by_row, by_head };
        Ok(Heads { at, batch, rows, heads, width })
    }

    fn count(&self) -> usize {
        self.batch * self.rows * self.heads * self.width
    }

    fn shape(&self) -> Shape {
        Shape::from((self.batch, self.rows, self.heads, self.width))
    }
}
