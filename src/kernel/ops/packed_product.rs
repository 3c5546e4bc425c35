//! The matrix product `c = a b + bias`.
//!
//! Layout: `a` and `c` are row-major. `b` `[inner, columns]` is stored in contiguous panels of
//! eight columns ([`Packed`] in `weights/packed.rs`). The rows of `a` are packed into tiles
//! (`simd/pack.rs`), then multiplied panel by panel (`simd/matmul.rs`; `simd/transposed.rs` for a
//! backward pass); both run on all threads.
//!
//! Every sum runs over `inner` in order, independent of the number of rows: a row has the same bits as
//! a single row (decoding with the key/value cache) and among others (prefill).

use crate::kernel::dispatch::{Backend, backend, filled, parallel_for};
use crate::kernel::simd::format::{PanelFormat, RowLayout};
use crate::kernel::simd::job::Task;
use crate::kernel::simd::matmul::Product;
use crate::kernel::simd::pack::Tiles;
use crate::kernel::simd::tile_f32::{STREAMS, WIDTH};
use crate::kernel::simd::transposed::{AT_ONCE, Transposed};
use crate::kernel::weights::{Packed, largest_magnitude};

/// `a b + bias` for the rows `a` `[rows, inner]`: `[rows, columns]`.
pub fn product(a: &[f32], b: &Packed, bias: Option<&[f32]>) -> Vec<f32> {
    let (rows, columns) = (a.len() / b.inner(), b.columns());
    assert!(bias.is_none_or(|bias| bias.len() == columns));
    let tiles = tiles(a, b.format(), b.inner());
    let bias = Bias::new(bias, columns);
    // SAFETY: `out` has `rows` rows of `columns` floats, and `multiply` writes all of them. `tiles` are
    // in the format of `b`.
    unsafe { filled(rows * columns, |out| multiply(&tiles, b, &bias, rows, out)) }
}

/// `a bᵀ` for the rows `a` `[rows, columns]`: `[rows, inner]`. Rows of zeros at both ends are not
/// multiplied: the gradient of logits has such rows where an objective reads one row, or all but the
/// last one. They give zeros whatever the weights are.
pub fn transposed_product(a: &[f32], b: &Packed) -> Vec<f32> {
    let (columns, inner) = (b.columns(), b.inner());
    let is_filled = |row: &[f32]| largest_magnitude(row) != 0;
    let mut out = vec![0f32; a.len() / columns * inner];
    let Some(first) = a.chunks_exact(columns).position(is_filled) else { return out };
    let last = a.chunks_exact(columns).rposition(is_filled).unwrap_or(first);
    let products = transposed_rows(&a[first * columns..(last + 1) * columns], b);
    out[first * inner..][..products.len()].copy_from_slice(&products);
    out
}

/// The multiply-adds of a product, at most `usize::MAX`: with 32 bits, 1024 rows times 1024 by 4096
/// would be 0.
fn cost(sizes: [usize; 3]) -> usize {
    sizes.into_iter().fold(1, usize::saturating_mul)
}

/// The same for rows that are all multiplied (`simd/transposed.rs`).
fn transposed_rows(a: &[f32], b: &Packed) -> Vec<f32> {
    let (rows, columns, inner) = (a.len() / b.columns(), b.columns(), b.inner());
    let tiles = tiles(a, PanelFormat::F32, columns);
    let mut edge = edge(rows, inner);
    let edge_at = edge.as_mut_ptr();
    let task = |out| {
        Task::Transposed(Transposed {
            format: b.format(),
            rows,
            inner,
            columns,
            a: tiles.as_ptr().cast(),
            b: b.bytes().as_ptr(),
            out,
            edge: edge_at,
        })
    };
    let cost = cost([rows, inner, columns]);
    // SAFETY: `out` has `rows` rows of `inner` floats, all of which are written: whole panels by the
    // job, the rest from `edge`. Tiles and panels are as long as their formats require.
    unsafe {
        filled(rows * inner, |out| {
            parallel_for(task(out), inner.div_ceil(WIDTH), AT_ONCE, cost);
            copy_edge(&edge, out, inner);
        })
    }
}

/// The initial values of the sums, padded to whole panels.
struct Bias {
    numbers: Vec<f32>,
    /// The stride between panels, in floats.
    stride: usize,
}

impl Bias {
    fn new(bias: Option<&[f32]>, columns: usize) -> Bias {
        let Some(bias) = bias else { return Bias { numbers: vec![0.0; WIDTH], stride: 0 } };
        let mut numbers = bias.to_vec();
        numbers.resize(columns.next_multiple_of(WIDTH), 0.0);
        Bias { numbers, stride: WIDTH }
    }
}

/// Packs the rows `[.., inner]` into tiles, in the layout of [`Tiles`].
fn tiles(a: &[f32], format: PanelFormat, inner: usize) -> Vec<u32> {
    let rows = a.len() / inner;
    let layout = RowLayout::new(format, rows, backend());
    let words = rows * layout.row_bytes(format.steps(inner)) / size_of::<u32>();
    let mut tiles = Vec::<u32>::with_capacity(words);
    let out = tiles.as_mut_ptr().cast();
    let task = Task::Tiles(Tiles { format, rows, inner, x: a.as_ptr(), stride: inner, out });
    // SAFETY: `a` has `rows` rows of `inner` floats. `out` has room for the `words` of all tiles, and
    // every tile is written.
    unsafe {
        parallel_for(task, rows.div_ceil(layout.tile_rows), 1, a.len());
        tiles.set_len(words);
    }
    tiles
}

/// Writes the product to `out`.
///
/// # Safety
/// `out` must have `rows` rows with room for the columns of `b`; `tiles` must be in the format of
/// `b`.
unsafe fn multiply(tiles: &[u32], b: &Packed, bias: &Bias, rows: usize, out: *mut f32) {
    let columns = b.columns();
    let mut edge = edge(rows, columns);
    let product = Product {
        format: b.format(),
        rows,
        steps: b.steps(),
        columns,
        a: tiles.as_ptr().cast(),
        b: b.bytes().as_ptr(),
        bias: bias.numbers.as_ptr(),
        bias_stride: bias.stride,
        out,
        stride: columns,
        edge: edge.as_mut_ptr(),
        ones: [1; 8],
        dot_instruction: backend() == Backend::RelaxedDot,
    };
    let cost = cost([rows, b.inner(), columns]);
    // SAFETY: tiles and panels are as long as their formats require; the caller guarantees it for
    // `out`.
    unsafe {
        parallel_for(Task::Product(product), columns.div_ceil(WIDTH), STREAMS, cost);
        copy_edge(&edge, out, columns);
    }
}

/// Room for the last panel of each row of a result, if that panel is partial.
fn edge(rows: usize, columns: usize) -> Vec<f32> {
    vec![0f32; if columns.is_multiple_of(WIDTH) { 0 } else { rows * WIDTH }]
}

/// Copies the columns of the partial panel to `out`.
///
/// # Safety
/// `out` must have a row of `columns` floats for each row of `edge`.
unsafe fn copy_edge(edge: &[f32], out: *mut f32, columns: usize) {
    let whole = columns / WIDTH * WIDTH;
    for (row, edge) in edge.chunks_exact(WIDTH).enumerate() {
        // SAFETY: the caller guarantees the row and its columns.
        unsafe {
            out.add(row * columns + whole).copy_from_nonoverlapping(edge.as_ptr(), columns - whole);
        }
    }
}
