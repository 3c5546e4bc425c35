//! The two products of causal attention, which leave out what the mask makes zero.
//!
//! Queries, keys, values and patterns are `[B, H, rows, ..]` with a contiguous last axis; the rows of a key/value
//! cache may lie further apart than they are long. The number of earlier positions follows from the shapes: the
//! last query looks at the last key.

use candle_core::{CpuStorage, CustomOp2, Layout, Shape, bail};

use super::Computed;
use super::product::{ByColumns, ByRows, Rows, WIDTH, partial_product};

/// `q kᵀ`, `-inf` where the key comes after the query: `[B, H, T, K]` and `[B, H, S, K]` to `[B, H, T, S]`.
pub(super) struct Scores;

impl CustomOp2 for Scores {
    fn name(&self) -> &'static str {
        "attention-scores"
    }

    fn cpu_fwd(&self, q: &CpuStorage, ql: &Layout, k: &CpuStorage, kl: &Layout) -> Computed {
        let (q, k) = (Heads::new(q, ql)?, Heads::new(k, kl)?);
        let (queries, keys) = (q.rows, k.rows);
        let earlier = keys - queries;
        let mut scores = vec![f32::NEG_INFINITY; q.count() * queries * keys];
        for (head, out) in scores.chunks_exact_mut(queries * keys).enumerate() {
            let keys_of = ByColumns { data: k.head(head), inner: k.width, columns: keys, stride: k.stride };
            // A panel is wanted by the rows that see its first key.
            let depth = |rows: std::ops::Range<usize>, panel: usize| {
                if panel * WIDTH < earlier + rows.end { q.width } else { 0 }
            };
            partial_product(q.matrix(head), &keys_of, depth, out);
            for (query, row) in out.chunks_exact_mut(keys).enumerate() {
                row[earlier + query + 1..].fill(f32::NEG_INFINITY);
            }
        }
        Ok((CpuStorage::F32(scores), Shape::from((q.batch, q.heads, queries, keys))))
    }
}

/// `pattern v`: `[B, H, T, S]` and `[B, H, S, K]` to `[B, H, T, K]`.
pub(super) struct Mix;

impl CustomOp2 for Mix {
    fn name(&self) -> &'static str {
        "attention-mix"
    }

    fn cpu_fwd(&self, pattern: &CpuStorage, pl: &Layout, v: &CpuStorage, vl: &Layout) -> Computed {
        let (pattern, v) = (Heads::new(pattern, pl)?, Heads::new(v, vl)?);
        let (queries, width) = (pattern.rows, v.width);
        let mut z = vec![0f32; pattern.count() * queries * width];
        for (head, out) in z.chunks_exact_mut(queries * width).enumerate() {
            let rows = pattern.matrix(head);
            // A hook may have put a weight behind the diagonal, so the row itself says where its zeros begin.
            let ends: Vec<usize> = (0..queries)
                .map(|row| {
                    let weights = &rows.data[row * rows.stride..][..pattern.width];
                    weights.iter().rposition(|weight| *weight != 0.0).map_or(0, |last| last + 1)
                })
                .collect();
            let values = ByRows { data: v.head(head), inner: v.rows, columns: width, stride: v.stride };
            let depth = |rows: std::ops::Range<usize>, _| ends[rows].iter().copied().max().unwrap_or(0);
            partial_product(rows, &values, depth, out);
        }
        Ok((CpuStorage::F32(z), Shape::from((pattern.batch, pattern.heads, queries, width))))
    }
}

/// `[batch, heads, rows, width]` with a contiguous last axis.
struct Heads<'a> {
    data: &'a [f32],
    batch: usize,
    heads: usize,
    rows: usize,
    width: usize,
    /// From one batch, head and row to the next.
    strides: [usize; 2],
    stride: usize,
}

impl<'a> Heads<'a> {
    fn new(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<Heads<'a>> {
        let (batch, heads, rows, width) = layout.shape().dims4()?;
        let [by_batch, by_head, stride, 1] = *layout.stride() else {
            bail!("attention got strides {:?}, expected a contiguous last axis", layout.stride())
        };
        let data = &storage.as_slice::<f32>()?[layout.start_offset()..];
        Ok(Heads { data, batch, heads, rows, width, strides: [by_batch, by_head], stride })
    }

    fn count(&self) -> usize {
        self.batch * self.heads
    }

    fn head(&self, index: usize) -> &'a [f32] {
        let [by_batch, by_head] = self.strides;
        &self.data[index / self.heads * by_batch + index % self.heads * by_head..]
    }

    fn matrix(&self, index: usize) -> Rows<'a> {
        Rows { data: self.head(index), rows: self.rows, stride: self.stride }
    }
}
