//! The f32 matrix product `c = a b + bias`.
//!
//! Layout: `a` and `c` are row-major. `b` `[inner, columns]` is read in panels of eight columns, `[inner, 8]` each,
//! one after the other; a weight is stored that way, anything else is copied into panels on the way ([`Panels`]).
//!
//! This file cuts the product into tiles of 6 by 8; what happens inside one is in `inner.rs`.
//!
//! Every sum runs over `inner` in order, whatever the number of rows: a row's result is the same bits alone
//! (decoding with the key/value cache) and among others (the whole text at once).

use std::ops::Range;

use super::inner::{Factors, STREAMS};
use super::linked;

pub use super::inner::WIDTH;

/// Rows of a full tile.
const ROWS: usize = 6;
/// Steps of `inner` in one go: a panel's part (16 kB) and a tile's rows (12 kB) stay in the first-level cache…
const DEPTH: usize = 512;
/// … and the rows of this many tiles (504 kB) in the second.
const TILES: usize = 42;

/// A right-hand matrix `[inner, columns]` that can be read in panels.
pub trait Panels {
    fn inner(&self) -> usize;

    fn columns(&self) -> usize;

    /// Steps `steps` of panel `index`: `[steps, WIDTH]`, zero where the matrix has no more columns. `scratch` is
    /// there to be filled by matrices that are not stored in panels.
    fn panel<'a>(&'a self, index: usize, steps: Range<usize>, scratch: &'a mut Vec<f32>) -> &'a [f32];

    /// All panels one after the other, where they are stored so.
    fn stored(&self) -> Option<&[f32]> {
        None
    }
}

/// A matrix stored in panels: `[panel][inner][WIDTH]`.
#[derive(Debug)]
pub struct Packed {
    data: Vec<f32>,
    inner: usize,
    columns: usize,
}

impl Packed {
    /// All zeros, to be filled.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn zeros(inner: usize, columns: usize) -> Result<Packed, std::collections::TryReserveError> {
        let len = columns.div_ceil(WIDTH) * WIDTH * inner;
        let mut data = Vec::new();
        data.try_reserve_exact(len)?;
        data.resize(len, 0.0);
        Ok(Packed { data, inner, columns })
    }

    /// The panels as they lie in memory.
    pub fn bytes(&self) -> &[u8] {
        super::bytes_of(&self.data)
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        super::bytes_of_mut(&mut self.data)
    }

    pub fn set_row(&mut self, row: usize, values: &[f32]) {
        let panels = self.data.chunks_exact_mut(self.inner * WIDTH);
        for (panel, values) in panels.zip(values.chunks(WIDTH)) {
            panel[row * WIDTH..][..values.len()].copy_from_slice(values);
        }
    }

    pub fn set_column(&mut self, column: usize, values: &[f32]) {
        let panel = &mut self.data[column / WIDTH * WIDTH * self.inner..][..WIDTH * self.inner];
        for (row, value) in panel.chunks_exact_mut(WIDTH).zip(values) {
            row[column % WIDTH] = *value;
        }
    }

    pub fn copy_row(&self, row: usize, columns: Range<usize>, to: &mut [f32]) {
        for (column, to) in columns.zip(to) {
            *to = self.data[(column / WIDTH * self.inner + row) * WIDTH + column % WIDTH];
        }
    }

    pub fn copy_column(&self, column: usize, to: &mut [f32]) {
        let panel = &self.data[column / WIDTH * WIDTH * self.inner..];
        for (row, to) in panel.chunks_exact(WIDTH).zip(to) {
            *to = row[column % WIDTH];
        }
    }
}

impl Panels for Packed {
    fn inner(&self) -> usize {
        self.inner
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn panel<'a>(&'a self, index: usize, steps: Range<usize>, _: &'a mut Vec<f32>) -> &'a [f32] {
        &self.data[(index * self.inner + steps.start) * WIDTH..][..steps.len() * WIDTH]
    }

    fn stored(&self) -> Option<&[f32]> {
        Some(&self.data)
    }
}

/// The transpose of a packed matrix. The blocks of 8 by 8 that make it up lie in one piece.
pub struct Transposed<'m>(pub &'m Packed);

impl Panels for Transposed<'_> {
    fn inner(&self) -> usize {
        self.0.columns()
    }

    fn columns(&self) -> usize {
        self.0.inner()
    }

    fn panel<'a>(&'a self, index: usize, steps: Range<usize>, scratch: &'a mut Vec<f32>) -> &'a [f32] {
        let Packed { data, inner, .. } = self.0;
        let width = (inner - index * WIDTH).min(WIDTH);
        scratch.clear();
        scratch.resize(steps.len() * WIDTH, 0.0);
        for (step, row) in steps.zip(scratch.chunks_exact_mut(WIDTH)) {
            let block = &data[(step / WIDTH * inner + index * WIDTH) * WIDTH + step % WIDTH..];
            row[..width].iter_mut().zip(block.iter().step_by(WIDTH)).for_each(|(to, from)| *to = *from);
        }
        scratch
    }
}

/// `[inner, columns]` by rows, the rows `stride` apart.
pub struct ByRows<'m> {
    pub data: &'m [f32],
    pub inner: usize,
    pub columns: usize,
    pub stride: usize,
}

impl Panels for ByRows<'_> {
    fn inner(&self) -> usize {
        self.inner
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn panel<'a>(&'a self, index: usize, steps: Range<usize>, scratch: &'a mut Vec<f32>) -> &'a [f32] {
        let width = (self.columns - index * WIDTH).min(WIDTH);
        scratch.clear();
        scratch.resize(steps.len() * WIDTH, 0.0);
        for (step, to) in steps.zip(scratch.chunks_exact_mut(WIDTH)) {
            to[..width].copy_from_slice(&self.data[step * self.stride + index * WIDTH..][..width]);
        }
        scratch
    }
}

/// `[inner, columns]` by columns, the columns `stride` apart: the transpose of a row-major matrix.
pub struct ByColumns<'m> {
    pub data: &'m [f32],
    pub inner: usize,
    pub columns: usize,
    pub stride: usize,
}

impl Panels for ByColumns<'_> {
    fn inner(&self) -> usize {
        self.inner
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn panel<'a>(&'a self, index: usize, steps: Range<usize>, scratch: &'a mut Vec<f32>) -> &'a [f32] {
        let width = (self.columns - index * WIDTH).min(WIDTH);
        scratch.clear();
        scratch.resize(steps.len() * WIDTH, 0.0);
        for lane in 0..width {
            let column = &self.data[(index * WIDTH + lane) * self.stride..][steps.clone()];
            for (to, from) in scratch.chunks_exact_mut(WIDTH).zip(column) {
                to[lane] = *from;
            }
        }
        scratch
    }
}

/// The left-hand matrix: `rows` rows, `stride` apart, each as long as the right-hand matrix's `inner`.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    pub data: &'a [f32],
    pub rows: usize,
    pub stride: usize,
}

/// `out = a b + bias`, `out` with rows `b.columns()` apart.
pub fn product(a: Rows, b: &impl Panels, bias: Option<&[f32]>, out: &mut [f32]) {
    match b.stored() {
        Some(panels) if a.rows == 1 => row_product(&a.data[..b.inner()], panels, bias, out),
        _ => partial_product(a, b, bias, |_, _| b.inner(), out),
    }
}

/// A product that stops early: `depth(rows, panel)` says how many steps of `inner` those rows need in that panel,
/// all later ones being zero in `a`, or 0 where the result is not wanted and `out` keeps what it has.
pub fn partial_product(
    a: Rows,
    b: &impl Panels,
    bias: Option<&[f32]>,
    depth: impl Fn(Range<usize>, usize) -> usize,
    out: &mut [f32],
) {
    let (inner, columns) = (b.inner(), b.columns());
    assert!(out.len() >= a.rows * columns, "an output of {} for {} by {columns}", out.len(), a.rows);
    let (mut packed, mut scratch) = (Vec::new(), Vec::new());
    for start in (0..inner).step_by(DEPTH) {
        let steps = start..(start + DEPTH).min(inner);
        for first in (0..a.rows).step_by(TILES * ROWS) {
            let group = first..(first + TILES * ROWS).min(a.rows);
            pack_rows(a, group.clone(), steps.clone(), &mut packed);
            for panel in 0..columns.div_ceil(WIDTH) {
                let b = b.panel(panel, steps.clone(), &mut scratch);
                for row in group.clone().step_by(ROWS) {
                    let rows = row..(row + ROWS).min(group.end);
                    let depth = depth(rows.clone(), panel).clamp(start, steps.end) - start;
                    if depth > 0 {
                        let a = &packed[(row - first) * steps.len()..];
                        assert!(a.len() >= depth * rows.len() && b.len() >= depth * WIDTH);
                        let factors = Factors { rows: rows.len(), depth, a: a.as_ptr(), b: b.as_ptr() };
                        let begin = if start == 0 { Begin::Bias(bias) } else { Begin::Sum };
                        add_tile(&factors, begin, Place { row, column: panel * WIDTH, columns }, out);
                    }
                }
            }
        }
    }
}

/// Copies rows into tiles, `[tile][step][row in tile]`, so that a tile reads one stream.
fn pack_rows(a: Rows, group: Range<usize>, steps: Range<usize>, packed: &mut Vec<f32>) {
    packed.clear();
    packed.resize(group.len() * steps.len(), 0.0);
    for (tile, to) in packed.chunks_mut(ROWS * steps.len()).enumerate() {
        let height = to.len() / steps.len();
        for row in 0..height {
            let from = &a.data[(group.start + tile * ROWS + row) * a.stride..][steps.clone()];
            for (to, from) in to.chunks_exact_mut(height).zip(from) {
                to[row] = *from;
            }
        }
    }
}

/// What a tile's sums start from.
#[derive(Clone, Copy)]
enum Begin<'b> {
    Bias(Option<&'b [f32]>),
    /// What is in the output already.
    Sum,
}

static ZEROS: [f32; WIDTH] = [0.0; WIDTH];

/// Where in the output a tile lies.
struct Place {
    row: usize,
    column: usize,
    /// From one row of the output to the next.
    columns: usize,
}

fn add_tile(factors: &Factors, begin: Begin, place: Place, out: &mut [f32]) {
    let Place { row, column, columns } = place;
    let width = (columns - column).min(WIDTH);
    let out = &mut out[row * columns + column..];
    assert!(out.len() >= (factors.rows - 1) * columns + width);
    if width < WIDTH {
        return add_edge_tile(factors, begin, column, columns, out);
    }
    let (from, from_stride) = match begin {
        Begin::Bias(None) => (ZEROS.as_ptr(), 0),
        Begin::Bias(Some(bias)) => (bias[column..][..WIDTH].as_ptr(), 0),
        Begin::Sum => (out.as_ptr(), columns),
    };
    // SAFETY: the output has these rows, as was checked, and the one row of bias or zeros stands for all.
    unsafe { linked::tile(factors, from, from_stride, out.as_mut_ptr(), columns) };
}

/// The last columns, fewer than a panel has.
fn add_edge_tile(factors: &Factors, begin: Begin, column: usize, columns: usize, out: &mut [f32]) {
    let width = columns - column;
    let mut sums = [[0f32; WIDTH]; ROWS];
    for (i, sum) in sums[..factors.rows].iter_mut().enumerate() {
        match begin {
            Begin::Bias(None) => {}
            Begin::Bias(Some(bias)) => sum[..width].copy_from_slice(&bias[column..]),
            Begin::Sum => sum[..width].copy_from_slice(&out[i * columns..][..width]),
        }
    }
    let sums_at = sums.as_mut_ptr().cast::<f32>();
    // SAFETY: there are sums for six rows.
    unsafe { linked::tile(factors, sums_at, WIDTH, sums_at, WIDTH) };
    for (i, sum) in sums[..factors.rows].iter().enumerate() {
        out[i * columns..][..width].copy_from_slice(&sum[..width]);
    }
}

/// `out = x b + bias` for one row `x`, `b` stored in panels.
pub fn row_product(x: &[f32], panels: &[f32], bias: Option<&[f32]>, out: &mut [f32]) {
    let size = x.len() * WIDTH;
    let groups = panels.chunks(STREAMS * size).zip(out.chunks_mut(STREAMS * WIDTH));
    for (group, (panels, out)) in groups.enumerate() {
        let mut sums = [0f32; STREAMS * WIDTH];
        if let Some(bias) = bias {
            sums[..out.len()].copy_from_slice(&bias[group * STREAMS * WIDTH..][..out.len()]);
        }
        // SAFETY: each of these panels has `WIDTH` values for each of `x`, and at most `STREAMS` panels have sums.
        unsafe { linked::row(x.as_ptr(), x.len(), panels.as_ptr(), panels.len() / size, sums.as_mut_ptr()) };
        out.copy_from_slice(&sums[..out.len()]);
    }
}
