//! Queries, keys and values as the attention kernels read them.

use candle_core::{CpuStorage, Layout, Result as CandleResult, Shape, bail};

use crate::kernel::simd::attention::{self as kernel, Attention, Part};

/// `[batch, rows, heads, width]` with a contiguous last axis.
#[derive(Clone, Copy)]
pub(super) struct Heads {
    pub(super) at: kernel::Heads,
    pub(super) batch: usize,
    pub(super) rows: usize,
    pub(super) heads: usize,
    pub(super) width: usize,
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

/// A task without its outputs.
pub(super) fn task(part: Part, q: &Heads, k: &Heads, v: &Heads, factor: f32) -> Attention {
    assert!(q.rows <= k.rows && (q.batch, q.heads, q.width) == (k.batch, k.heads, k.width));
    assert!((k.batch, k.rows, k.heads, k.width) == (v.batch, v.rows, v.heads, v.width));
    let (pattern, out) = (std::ptr::null_mut(), std::ptr::null_mut());
    let [q_at, k_at, v_at] = [q, k, v].map(|heads| heads.at);
    let (heads, queries, keys, width) = (q.heads, q.rows, k.rows, q.width);
    Attention { part, heads, queries, keys, width, factor, q: q_at, k: k_at, v: v_at, pattern, out }
}
