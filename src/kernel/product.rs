//! The f32 matrix product `c = a b + bias`.
//!
//! Layout: `a` and `c` are row-major. `b` `[inner, columns]` is read in panels of eight columns, `[inner, 8]` each,
//! one after the other; a weight is stored that way, anything else is copied into panels on the way ([`Panels`]).
//!
//! Tile: 6 rows by 2 vectors. Its 12 sums, the 2 vectors of `b` and 1 value of `a` fill the 15 vector registers that
//! V8 hands out on x86-64; one more would spill. A step of `inner` is 8 loads for 12 multiply-adds, enough of them
//! in flight to hide the latency of each: 54 GFLOP/s where two relaxed multiply-adds a cycle allow 55. The loads
//! must stay between the multiply-adds, just before their use. LLVM's scheduler would move them all to the front,
//! and the flag `-pre-RA-sched=source` in `.cargo/config.toml` keeps it from that; without it the tile reaches 31.
//!
//! One row alone ([`row_product`]) waits for memory, not for arithmetic: four panels are read side by side, because
//! four streams keep more cache lines on the way than one (11 GB/s against 7).
//!
//! Every sum runs over `inner` in order, whatever the number of rows: a row's result is the same bits alone
//! (decoding with the key/value cache) and among others (the whole text at once).

use std::ops::Range;

use super::simd::F32x4;

/// Columns in a panel.
pub const WIDTH: usize = 8;
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
        self.0.columns
    }

    fn columns(&self) -> usize {
        self.0.inner
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
                        let place = Place { rows, column: panel * WIDTH, columns };
                        let begin = if start == 0 { Begin::Bias(bias) } else { Begin::Sum };
                        add_tile(a, b, depth, begin, place, out);
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

/// Where in the output a tile lies.
struct Place {
    rows: Range<usize>,
    column: usize,
    columns: usize,
}

impl Place {
    fn width(&self) -> usize {
        (self.columns - self.column).min(WIDTH)
    }
}

fn add_tile(a: &[f32], b: &[f32], depth: usize, begin: Begin, place: Place, out: &mut [f32]) {
    match place.rows.len() {
        6 => tile::<6>(a, b, depth, begin, place, out),
        5 => tile::<5>(a, b, depth, begin, place, out),
        4 => tile::<4>(a, b, depth, begin, place, out),
        3 => tile::<3>(a, b, depth, begin, place, out),
        2 => tile::<2>(a, b, depth, begin, place, out),
        _ => tile::<1>(a, b, depth, begin, place, out),
    }
}

fn tile<const M: usize>(a: &[f32], b: &[f32], depth: usize, begin: Begin, place: Place, out: &mut [f32]) {
    assert!(a.len() >= depth * M && b.len() >= depth * WIDTH && place.rows.len() == M);
    let mut edge = [[0f32; WIDTH]; M];
    let width = place.width();
    let row = |i: usize| (place.rows.start + i) * place.columns + place.column;
    for (i, edge) in edge.iter_mut().enumerate() {
        match begin {
            Begin::Bias(None) => {}
            Begin::Bias(Some(bias)) => edge[..width].copy_from_slice(&bias[place.column..][..width]),
            Begin::Sum => edge[..width].copy_from_slice(&out[row(i)..][..width]),
        }
    }
    // SAFETY: the lengths were checked above.
    unsafe { multiply_add::<M>(a.as_ptr(), b.as_ptr(), depth, &mut edge) };
    for (i, edge) in edge.iter().enumerate() {
        out[row(i)..][..width].copy_from_slice(&edge[..width]);
    }
}

/// `sums += a b` for `a` `[depth, M]` and `b` `[depth, WIDTH]`.
///
/// # Safety
/// `a` and `b` must be readable that far.
#[inline(always)]
unsafe fn multiply_add<const M: usize>(
    mut a: *const f32,
    mut b: *const f32,
    depth: usize,
    sums: &mut [[f32; WIDTH]; M],
) {
    // SAFETY: every address below is inside `a`, `b` or `sums`; the pointers end one past their arrays.
    unsafe {
        let mut sum: [[F32x4; 2]; M] =
            std::array::from_fn(|i| [F32x4::load(sums[i].as_ptr()), F32x4::load(sums[i].as_ptr().add(4))]);
        for _ in 0..depth {
            let (left, right) = (F32x4::load(b), F32x4::load(b.add(4)));
            for (i, sum) in sum.iter_mut().enumerate() {
                let x = F32x4::load_splat(a.add(i));
                sum[0] = x.mul_add(left, sum[0]);
                sum[1] = x.mul_add(right, sum[1]);
            }
            (a, b) = (a.add(M), b.add(WIDTH));
        }
        for (sum, to) in sum.iter().zip(sums) {
            sum[0].store(to.as_mut_ptr());
            sum[1].store(to.as_mut_ptr().add(4));
        }
    }
}

/// Panels that one row is multiplied with side by side.
const STREAMS: usize = 4;

/// `out = x b + bias` for one row `x`, `b` stored in panels.
pub fn row_product(x: &[f32], panels: &[f32], bias: Option<&[f32]>, out: &mut [f32]) {
    let size = x.len() * WIDTH;
    let groups = panels.chunks(STREAMS * size).zip(out.chunks_mut(STREAMS * WIDTH));
    for (group, (panels, out)) in groups.enumerate() {
        let mut sums = [0f32; STREAMS * WIDTH];
        if let Some(bias) = bias {
            sums[..out.len()].copy_from_slice(&bias[group * STREAMS * WIDTH..][..out.len()]);
        }
        match panels.len() / size {
            STREAMS => row_by_panels::<STREAMS>(x, panels, &mut sums),
            count => {
                for panel in 0..count {
                    row_by_panels::<1>(x, &panels[panel * size..][..size], &mut sums[panel * WIDTH..]);
                }
            }
        }
        out.copy_from_slice(&sums[..out.len()]);
    }
}

fn row_by_panels<const P: usize>(x: &[f32], panels: &[f32], sums: &mut [f32]) {
    let size = x.len() * WIDTH;
    assert!(panels.len() == P * size && sums.len() >= P * WIDTH);
    // SAFETY: as the lengths above say, every panel has eight values for each of `x`, and `sums` eight for each panel.
    unsafe {
        let at = |panel: usize| sums.as_ptr().add(panel * WIDTH);
        let mut sum: [[F32x4; 2]; P] =
            std::array::from_fn(|p| [F32x4::load(at(p)), F32x4::load(at(p).add(4))]);
        let mut b = panels.as_ptr();
        for x in x {
            let x = F32x4::load_splat(x);
            for (panel, sum) in sum.iter_mut().enumerate() {
                sum[0] = x.mul_add(F32x4::load(b.add(panel * size)), sum[0]);
                sum[1] = x.mul_add(F32x4::load(b.add(panel * size + 4)), sum[1]);
            }
            b = b.add(WIDTH);
        }
        for (panel, sum) in sum.iter().enumerate() {
            sum[0].store(sums.as_mut_ptr().add(panel * WIDTH));
            sum[1].store(sums.as_mut_ptr().add(panel * WIDTH + 4));
        }
    }
}
