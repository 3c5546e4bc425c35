//! The matrix product `c = a b + bias`.
//!
//! Layout: `a` and `c` are row-major. `b` `[inner, columns]` is read in panels of eight columns, one after the other.
//! A weight is stored that way ([`Packed`], in `packed.rs`); anything else is copied into panels on the way ([`Panels`]).
//!
//! This file cuts the product into tiles of a few rows by 8; what happens inside one is in `inner.rs` and `quantized.rs`, and
//! how the tiles of a weight's product are shared out in `share.rs`.
//!
//! Every sum runs over `inner` in order, whatever the number of rows: a row's result is the same bits alone
//! (decoding with the key/value cache) and among others (the whole text at once).

use std::ops::Range;

use super::inner::{Factors, STREAMS};
use super::linked;
use super::packed::Packed;
use super::quantized::STEP;
use super::share::{DEPTH, DEPTH_STEPS, Form, GROUP, Product, SCRATCH, Task};
use super::simd::F32x4;

pub use super::inner::WIDTH;

/// Rows of a full tile of f32.
const ROWS: usize = Form::F32.rows();

/// A right-hand matrix `[inner, columns]` that can be read in panels.
pub trait Panels {
    fn inner(&self) -> usize;

    fn columns(&self) -> usize;

    /// Steps `steps` of panel `index`: `[steps, WIDTH]`, zero where the matrix has no more columns. `scratch` is
    /// there to be filled by matrices that are not stored in panels.
    fn panel<'a>(&'a self, index: usize, steps: Range<usize>, scratch: &'a mut Vec<f32>) -> &'a [f32];
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
pub fn product(a: Rows, b: &Packed, bias: Option<&[f32]>, out: &mut [f32]) {
    let (form, columns) = (b.form(), b.columns());
    assert!(out.len() >= a.rows * columns && bias.is_none_or(|bias| bias.len() == columns));
    let (floats, words);
    let rows: *const u8 = if form.is_quantized() {
        words = quantized_tiles(a, b);
        words.as_ptr().cast()
    } else {
        floats = tiles(a, b.inner());
        floats.as_ptr().cast()
    };
    let panels = columns.div_ceil(WIDTH);
    let whole = columns % WIDTH == 0;
    let (padded, bias_step) = match bias {
        None => (vec![0.0; WIDTH], 0),
        Some(_) if whole => (Vec::new(), WIDTH),
        Some(bias) => (bias.iter().copied().chain([0.0; WIDTH]).collect(), WIDTH),
    };
    let bias = bias.filter(|_| whole).unwrap_or(&padded);
    let mut edge = vec![0f32; if whole { 0 } else { a.rows * WIDTH }];
    let workers = linked::workers();
    let scratch = matches!(form, Form::F16 | Form::Q4);
    let mut scratch = vec![0f32; if scratch { workers * SCRATCH / 4 } else { 0 }];
    let product = Product {
        form,
        rows: a.rows,
        inner: b.depth(),
        columns,
        a: rows,
        b: b.bytes().as_ptr(),
        bias: bias.as_ptr(),
        bias_step,
        out: out.as_mut_ptr(),
        edge: edge.as_mut_ptr(),
        scratch: scratch.as_mut_ptr().cast(),
        ones: [1; 8],
    };
    let effort = a.rows * b.inner() * columns;
    // SAFETY: everything is as long as the job's sizes say: `rows` and `b` by their layouts, `out` as was checked.
    unsafe { linked::share(Task::Product(product), panels, STREAMS, effort) };
    if !whole {
        let first = columns / WIDTH * WIDTH;
        for (to, from) in out.chunks_exact_mut(columns).zip(edge.chunks_exact(WIDTH)) {
            to[first..].copy_from_slice(&from[..columns - first]);
        }
    }
}

/// Rows in tiles, depth by depth: `[depth][tile][step][row in tile]`.
fn tiles(a: Rows, inner: usize) -> Vec<f32> {
    if a.rows == 1 {
        return a.data[..inner].to_vec();
    }
    let mut tiles = vec![0f32; a.rows * inner];
    let mut rest = &mut tiles[..];
    for start in (0..inner).step_by(DEPTH) {
        let steps = start..(start + DEPTH).min(inner);
        let (depth, after) = rest.split_at_mut(a.rows * steps.len());
        pack_rows(a, 0..a.rows, steps, depth);
        rest = after;
    }
    tiles
}

/// The same in 7 bits, in the layout of `quantized.rs`.
fn quantized_tiles(a: Rows, b: &Packed) -> Vec<u32> {
    let (form, inner, all_steps) = (b.form(), b.inner(), b.depth());
    let mut words = Vec::with_capacity(a.rows * form.row_bytes(all_steps) / 4);
    let block = form.block_steps();
    let mut numbers = vec![0f32; block * STEP];
    for depth in (0..all_steps).step_by(DEPTH_STEPS) {
        let depth = depth..(depth + DEPTH_STEPS).min(all_steps);
        for first in (0..a.rows).step_by(form.rows()) {
            let rows = first..(first + form.rows()).min(a.rows);
            for start in depth.clone().step_by(block) {
                let steps = block.min(depth.end - start);
                let at = words.len();
                words.resize(at + rows.len() * (steps + 2), 0);
                let (bytes, tails) = words[at..].split_at_mut(rows.len() * steps);
                for (i, row) in rows.clone().enumerate() {
                    let row = &a.data[row * a.stride..][..inner];
                    let row = &row[(start * STEP).min(inner)..((start + steps) * STEP).min(inner)];
                    let numbers = &mut numbers[..steps * STEP];
                    numbers[..row.len()].copy_from_slice(row);
                    numbers[row.len()..].fill(row.last().copied().unwrap_or(0.0));
                    let [scale, least] = quantize(numbers, bytes[i..].iter_mut().step_by(rows.len()));
                    (tails[2 * i], tails[2 * i + 1]) = (scale.to_bits(), least.to_bits());
                }
            }
        }
    }
    words
}

/// `numbers` as `scale x + least` with `x` from 0 to 127, four to a word. A block that holds an infinity or no number
/// has no scale, and so no product.
fn quantize<'w>(numbers: &[f32], words: impl Iterator<Item = &'w mut u32>) -> [f32; 2] {
    let fours = numbers.as_chunks::<STEP>().0.iter();
    // SAFETY: a chunk has four floats.
    let fours = fours.map(|four| unsafe { F32x4::load(four.as_ptr()) });
    let (infinity, zero) = (F32x4::splat(f32::INFINITY), F32x4::splat(0.0));
    let mut least = infinity;
    let mut most = F32x4::splat(f32::NEG_INFINITY);
    let mut finite = zero; // 0, or no number where one is infinite or none
    for four in fours.clone() {
        (least, most) = (least.min(four), most.max(four));
        finite = four.mul_add(zero, finite);
    }
    let least = least.to_array().into_iter().fold(f32::INFINITY, f32::min);
    let most = most.to_array().into_iter().fold(f32::NEG_INFINITY, f32::max);
    let finite: f32 = finite.to_array().iter().sum();
    let scale = (most - least) / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let (minus_least, factor) = (F32x4::splat(-least), F32x4::splat(inverse));
    // Adding 2²³ leaves the nearest integer in the lowest bits.
    let to_integer = F32x4::splat(8_388_608.0);
    for (four, word) in fours.zip(words) {
        *word = four.add(minus_least).mul(factor).add(to_integer).lowest_bytes() & 0x7F7F_7F7F;
    }
    [scale + finite, least + finite]
}

/// A product that stops early: `depth(rows, panel)` says how many steps of `inner` those rows need in that panel,
/// all later ones being zero in `a`, or 0 where the result is not wanted and `out` keeps what it has.
pub fn partial_product(
    a: Rows,
    b: &impl Panels,
    depth: impl Fn(Range<usize>, usize) -> usize,
    out: &mut [f32],
) {
    let (inner, columns) = (b.inner(), b.columns());
    assert!(out.len() >= a.rows * columns, "an output of {} for {} by {columns}", out.len(), a.rows);
    let (mut packed, mut scratch) = (Vec::new(), Vec::new());
    for start in (0..inner).step_by(DEPTH) {
        let steps = start..(start + DEPTH).min(inner);
        for first in (0..a.rows).step_by(GROUP) {
            let group = first..(first + GROUP).min(a.rows);
            packed.clear();
            packed.resize(group.len() * steps.len(), 0.0);
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
                        let begin = if start == 0 { Begin::Zero } else { Begin::Sum };
                        add_tile(&factors, begin, Place { row, column: panel * WIDTH, columns }, out);
                    }
                }
            }
        }
    }
}

/// Copies rows into tiles, `[tile][step][row in tile]`, so that a tile reads one stream.
fn pack_rows(a: Rows, group: Range<usize>, steps: Range<usize>, packed: &mut [f32]) {
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
enum Begin {
    Zero,
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
        Begin::Zero => (ZEROS.as_ptr(), 0),
        Begin::Sum => (out.as_ptr(), columns),
    };
    // SAFETY: the output has these rows, as was checked, and the one row of zeros stands for all.
    unsafe { linked::tile(factors, from, from_stride, out.as_mut_ptr(), columns) };
}

/// The last columns, fewer than a panel has.
fn add_edge_tile(factors: &Factors, begin: Begin, column: usize, columns: usize, out: &mut [f32]) {
    let width = columns - column;
    let mut sums = [[0f32; WIDTH]; ROWS];
    for (i, sum) in sums[..factors.rows].iter_mut().enumerate() {
        match begin {
            Begin::Zero => {}
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
