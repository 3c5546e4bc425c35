//! The matrix product `c = a b + bias`.
//!
//! Layout: `a` and `c` are row-major. `b` `[inner, columns]` is stored in contiguous panels of
//! eight columns ([`Packed`] in `weights/packed.rs`). The rows of `a` are packed into tiles
//! (`simd/pack.rs`), then multiplied panel by panel (`simd/matmul.rs`); both run on all threads.
//!
//! Every sum runs over `inner` in order, independent of the number of rows: a row has the same bits as
//! a single row (decoding with the key/value cache) and among others (prefill).

use crate::kernel::dispatch::{Backend, backend, filled, parallel_for};
use crate::kernel::simd::format::{PanelFormat, RowLayout};
use crate::kernel::simd::job::Task;
use crate::kernel::simd::matmul::Product;
use crate::kernel::simd::pack::Tiles;
use crate::kernel::simd::tile_f32::{STREAMS, WIDTH};
use crate::kernel::weights::Packed;

/// `a b + bias` for the rows `a` `[rows, inner]`: `[rows, columns]`.
pub fn product(a: &[f32], b: &Packed, bias: Option<&[f32]>) -> Vec<f32> {
    let (rows, columns) = (a.len() / b.inner(), b.columns());
    assert!(bias.is_none_or(|bias| bias.len() == columns));
    let tiles = tiles(a, b.format(), b.inner());
    let bias = Bias::new(bias, columns);
    // SAFETY: `out` has `rows` rows of `columns` floats, and `multiply` writes all of them. `tiles` are
    // in the format of `b`.
    unsafe { filled(rows * columns, |out| multiply(&tiles, b, &bias, rows, out, columns)) }
}

/// `a bᵀ` for the rows `a` `[rows, columns]`: `[rows, inner]`.
pub fn transposed_product(a: &[f32], b: &Packed) -> Vec<f32> {
    /// Columns that are transposed at once: some megabytes for an embedding.
    const AT_ONCE: usize = 8 * WIDTH;
    let (rows, columns) = (a.len() / b.columns(), b.inner());
    let tiles = tiles(a, PanelFormat::F32, b.columns());
    let bias = Bias::new(None, columns);
    let multiply_all = |out: *mut f32| {
        for first in (0..columns).step_by(AT_ONCE) {
            let part = b.transposed(first..(first + AT_ONCE).min(columns));
            // SAFETY: from `first` on, each of the `rows` rows of `out` has room for the columns of
            // `part`. Tiles and panels are in f32.
            unsafe { multiply(&tiles, &part, &bias, rows, out.add(first), columns) };
        }
    };
    // SAFETY: every column of every row is written.
    unsafe { filled(rows * columns, multiply_all) }
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

/// Writes the product to `out`, with a row stride of `stride` floats.
///
/// # Safety
/// `out` must have `rows` rows with room for the columns of `b`; `tiles` must be in the format of
/// `b`.
unsafe fn multiply(
    tiles: &[u32],
    b: &Packed,
    bias: &Bias,
    rows: usize,
    out: *mut f32,
    stride: usize,
) {
    let columns = b.columns();
    let whole = columns / WIDTH * WIDTH;
    let mut edge = vec![0f32; if whole == columns { 0 } else { rows * WIDTH }];
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
        stride,
        edge: edge.as_mut_ptr(),
        ones: [1; 8],
        dot_instruction: backend() == Backend::RelaxedDot,
    };
    let cost = rows * b.inner() * columns;
    // SAFETY: tiles and panels are as long as their formats require; the caller guarantees it for
    // `out`.
    unsafe {
        parallel_for(Task::Product(product), columns.div_ceil(WIDTH), STREAMS, cost);
        for (row, edge) in edge.chunks_exact(WIDTH).enumerate() {
            out.add(row * stride + whole).copy_from_nonoverlapping(edge.as_ptr(), columns - whole);
        }
    }
}
