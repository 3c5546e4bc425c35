//! Causal attention over candle tensors: `attend.rs` computes it.
//!
//! Queries, keys and values are `[B, rows, H, K]` with a contiguous last axis: views of a longer projection or of a
//! key/value cache as they are. How many positions there are before the queries follows from the shapes.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Shape, bail};

use super::Computed;
use super::apart::attend::{self, Attention, Part};
use super::apart::share::Task;
use super::floats;
use super::linked::{filled, share};

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
        let part = |out| Attention { pattern: out, ..attention(Part::Scores, &q, &k, &k, self.factor) };
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
            pattern: pattern.as_ptr().cast_mut(), // which is only read
            out,
            ..attention(Part::Mix, &q, &v, &v, 1.0)
        };
        // SAFETY: every query's row of every head is written.
        let z = unsafe { filled(q.count(), |out| attend(part(out), &q)) };
        Ok((CpuStorage::F32(z), q.shape()))
    }
}

/// All of it, for runs that look at neither scores nor pattern: `[B, T, H, K]` and twice `[B, S, H, K]` to `[B, T, H, K]`.
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

/// Without the places that the part needs.
fn attention(part: Part, q: &Heads, k: &Heads, v: &Heads, factor: f32) -> Attention {
    assert!(q.rows <= k.rows && (q.batch, q.heads, q.width) == (k.batch, k.heads, k.width));
    assert!((k.batch, k.rows, k.heads, k.width) == (v.batch, v.rows, v.heads, v.width));
    let (pattern, out) = (std::ptr::null_mut(), std::ptr::null_mut());
    let [q_at, k_at, v_at] = [q, k, v].map(|heads| heads.at);
    let (heads, queries, keys, width) = (q.heads, q.rows, k.rows, q.width);
    Attention { part, heads, queries, keys, width, factor, q: q_at, k: k_at, v: v_at, pattern, out }
}

/// # Safety
/// The places that the part needs must be as long as the shapes say.
unsafe fn attend(attention: Attention, q: &Heads) {
    let effort = 2 * q.count() * attention.keys;
    // SAFETY: as the caller promises, and the others were checked.
    unsafe { share(Task::Attention(attention), q.batch * q.heads, 1, effort) };
}

/// `[batch, rows, heads, width]` with a contiguous last axis.
#[derive(Clone, Copy)]
struct Heads {
    at: attend::Heads,
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
        let at = attend::Heads { data: numbers.as_ptr(), by_batch, by_row, by_head };
        Ok(Heads { at, batch, rows, heads, width })
    }

    fn count(&self) -> usize {
        self.batch * self.rows * self.heads * self.width
    }

    fn shape(&self) -> Shape {
        Shape::from((self.batch, self.rows, self.heads, self.width))
    }
}
