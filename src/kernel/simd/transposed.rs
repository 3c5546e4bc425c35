//! A product with a transposed weight matrix, for backward passes: the gradient of `x` in `x b` is
//! that of the product times `bᵀ`.
//!
//! Compiled like `tile_f32.rs`, with the same restrictions.
//!
//! A panel of `b` has eight columns, a panel of `bᵀ` eight rows of `b`. A worker copies the rows
//! `AT_ONCE * WIDTH` of 64 panels of `b` into panels of `bᵀ` in its scratch memory (64 kB, within
//! L2), in f32 whatever the format of `b`; then the tiles of `tile_f32.rs` run over them, as in
//! `matmul.rs`. The copy reads each number of `b` once, in runs of 1 kB (f32), because the next
//! panel of `b` is in another page of memory. It takes about one instruction for each number, and
//! the product `rows / 2` instructions of multiply-adds.

use super::attention::multiply_tile;
use super::format::PanelFormat;
use super::tile_f32::{ROWS, WIDTH};
use super::tile_i8::{BLOCK_TAIL, STEP, STEP_BYTES};
use super::vector::{F32x4, Float, Vector};

/// Panels of `bᵀ` that a worker copies at once.
pub const AT_ONCE: usize = 4;
/// Columns of `b` that it copies at once.
const DEPTH: usize = PanelFormat::F32.depth();
/// Floats of the copy of one panel of `bᵀ`.
const COPY: usize = DEPTH * WIDTH;
/// The maximum number of rows in a group of tiles, whose packed rows stay in L2.
const GROUP: usize = (256 / ROWS + 1) * ROWS;

/// `out = a bᵀ`.
#[repr(C)]
pub struct Transposed {
    /// The format of `b`.
    pub format: PanelFormat,
    pub rows: usize,
    /// Rows of `b`, columns of the result.
    pub inner: usize,
    /// Columns of `b` and of `a`.
    pub columns: usize,
    /// The packed rows `[rows, columns]` in f32: `[block][tile]`, in the layout of `tile_f32.rs`.
    /// Read by all workers.
    pub a: *const f32,
    /// The panels of `b`: `format.panel_bytes(format.steps(inner))` bytes for each `WIDTH` columns.
    /// Read by all workers.
    pub b: *const u8,
    /// `[rows, inner]`. A worker writes the columns of its panels.
    pub out: *mut f32,
    /// `[rows, WIDTH]`: output of the last panel if it has fewer than `WIDTH` columns, else unused.
    /// Written by the worker that takes that panel.
    pub edge: *mut f32,
}

impl Transposed {
    /// Bytes of scratch memory that one worker needs: the copy, `WIDTH` zeros, and the scales of
    /// `WIDTH` columns.
    pub const fn scratch_bytes(&self) -> usize {
        4 * (AT_ONCE * COPY + 2 * WIDTH)
    }
}

/// Computes the panels `first..last` of the result.
///
/// # Safety
/// The pointers of `job` must be valid for the sizes that its fields name, and `scratch` for reads
/// and writes of [`Transposed::scratch_bytes`] bytes. No other thread may access `scratch`, or the
/// output of these panels.
pub unsafe fn panels(job: &Transposed, first: usize, last: usize, scratch: *mut f32) {
    // SAFETY: as for this function; every panel is below `last`, every block of columns inside `b`.
    unsafe {
        let zeros = scratch.add(AT_ONCE * COPY);
        F32x4::splat(0.0).store(zeros);
        F32x4::splat(0.0).store(zeros.add(4));
        let mut panel = first;
        while panel < last {
            let count = if last - panel < AT_ONCE { last - panel } else { AT_ONCE };
            let mut start = 0;
            while start < job.columns {
                let left = job.columns - start;
                let depth = if left < DEPTH { left } else { DEPTH };
                copy(job, panel, count, start, depth, scratch);
                multiply(job, panel, count, start, depth, scratch);
                start += DEPTH;
            }
            panel += AT_ONCE;
        }
    }
}

/// Multiplies the packed rows with the copy of `depth` columns from `start` on.
///
/// # Safety
/// As for [`panels`], with the copy of `count` panels from `first` on in `scratch`.
#[inline(always)]
unsafe fn multiply(
    job: &Transposed,
    first: usize,
    count: usize,
    start: usize,
    depth: usize,
    scratch: *mut f32,
) {
    let mut group = 0;
    while group < job.rows {
        let end = if group + GROUP < job.rows { group + GROUP } else { job.rows };
        let mut panel = 0;
        while panel < count {
            let mut row = group;
            while row < end {
                let height = if end - row < ROWS { end - row } else { ROWS };
                // SAFETY: a block of `a` has all rows, one tile after the other. The output of a
                // panel is in `out`, or in `edge` if it is partial; the sums of earlier blocks are
                // there.
                unsafe {
                    let a = job.a.add(job.rows * start + row * depth);
                    let column = (first + panel) * WIDTH;
                    let (out, stride) = if column + WIDTH > job.inner {
                        (job.edge.add(row * WIDTH), WIDTH)
                    } else {
                        (job.out.add(row * job.inner + column), job.inner)
                    };
                    let zeros = scratch.add(AT_ONCE * COPY);
                    let initial = if start == 0 { zeros } else { out };
                    let initial_stride = if start == 0 { 0 } else { stride };
                    let b = scratch.add(panel * COPY);
                    multiply_tile(
                        height,
                        depth,
                        a,
                        b,
                        0,
                        WIDTH,
                        1,
                        initial,
                        initial_stride,
                        out,
                        stride,
                    );
                }
                row += ROWS;
            }
            panel += 1;
        }
        group = end;
    }
}

/// Copies `depth` columns of `b` from `start` on: `[count][DEPTH][WIDTH]`.
///
/// # Safety
/// As for [`panels`].
#[inline(always)]
unsafe fn copy(
    job: &Transposed,
    first: usize,
    count: usize,
    start: usize,
    depth: usize,
    scratch: *mut f32,
) {
    let Transposed { format, inner, .. } = *job;
    let (steps, row, rows) = (format.steps(inner), first * WIDTH, count * WIDTH);
    let mut at = 0;
    while at < depth {
        // SAFETY: the columns from `start + at` on are a panel of `b`. Its eight columns are inside
        // the copy, because `DEPTH` is a multiple of `WIDTH`.
        unsafe {
            let b = job.b.add((start + at) / WIDTH * format.panel_bytes(steps));
            let to = scratch.add(at * WIDTH);
            let scales = scratch.add(AT_ONCE * COPY + WIDTH);
            match format {
                PanelFormat::F32 => copy_floats::<false>(b, inner, row, rows, to),
                PanelFormat::F16 => copy_floats::<true>(b, inner, row, rows, to),
                PanelFormat::Q8 => copy_blocks::<false>(b, steps, row, rows, scales, to),
                PanelFormat::Q4 => copy_blocks::<true>(b, steps, row, rows, scales, to),
            }
        }
        at += WIDTH;
    }
}

/// Copies `count` rows from `first` on of a panel in f16 (`HALVES`) or f32, four at a time. Rows
/// after the last repeat it; their products are in `edge` and dropped.
///
/// # Safety
/// `b` must be valid for reads of `inner` rows of `WIDTH` numbers, and `to` for writes of `WIDTH`
/// columns of the copy of `count` rows.
#[inline(always)]
unsafe fn copy_floats<const HALVES: bool>(
    b: *const u8,
    inner: usize,
    first: usize,
    count: usize,
    to: *mut f32,
) {
    let mut row = 0;
    while row < count {
        let mut half = 0;
        while half < WIDTH {
            // SAFETY: the row is below `inner`, and the stores are inside the copy.
            unsafe {
                let four = |i: usize| {
                    let row = first + row + i;
                    let at = (if row < inner { row } else { inner - 1 }) * WIDTH + half;
                    if HALVES {
                        F32x4::load_halves(b.cast::<u16>().add(at))
                    } else {
                        F32x4::load(b.cast::<f32>().add(at))
                    }
                };
                let [a, b, c, d] = F32x4::transposed(four(0), four(1), four(2), four(3));
                let to = to.add(row / WIDTH * COPY + row % WIDTH + half * WIDTH);
                a.store(to);
                b.store(to.add(WIDTH));
                c.store(to.add(2 * WIDTH));
                d.store(to.add(3 * WIDTH));
            }
            half += 4;
        }
        row += 4;
    }
}

/// Copies `count` rows from `first` on of a panel in 4 bits (`NIBBLES`) or 8, in steps. Steps after
/// the last repeat it.
///
/// # Safety
/// `b` must be valid for reads of the blocks of `steps` steps, `scales` for reads and writes of
/// `WIDTH` floats, and `to` as for [`copy_floats`].
#[inline(always)]
unsafe fn copy_blocks<const NIBBLES: bool>(
    b: *const u8,
    steps: usize,
    first: usize,
    count: usize,
    scales: *mut f32,
    to: *mut f32,
) {
    let format = if NIBBLES { PanelFormat::Q4 } else { PanelFormat::Q8 };
    let taken = if NIBBLES { 2 } else { 1 }; // steps at once
    let mut row = 0;
    while row < count {
        let step = (first + row) / STEP;
        let step = if step < steps { step } else { steps - taken };
        let start = step / format.block_steps() * format.block_steps();
        let end = start + format.block_steps();
        let end = if end < steps { end } else { steps };
        // SAFETY: `step` is below `steps` (even in 4 bits), and a block ends with the scales of its
        // columns. The stores are inside the copy.
        unsafe {
            let tail = b.add(format.panel_bytes(end) - BLOCK_TAIL).cast::<u16>();
            F32x4::load_halves(tail).store(scales);
            F32x4::load_halves(tail.add(4)).store(scales.add(4));
            let bytes = b.add(format.panel_bytes(start) + (step - start) / taken * STEP_BYTES);
            let to = to.add(row / WIDTH * COPY + row % WIDTH);
            let mut column = 0;
            while column < WIDTH {
                let scale = F32x4::load_splat(scales.add(column));
                let (from, to) = (bytes.add(column * STEP), to.add(column * WIDTH));
                if NIBBLES {
                    let [low, high] = F32x4::load_nibbles(from);
                    low.mul(scale).store(to);
                    high.mul(scale).store(to.add(STEP));
                } else {
                    F32x4::load_bytes(from).mul(scale).store(to);
                }
                column += 1;
            }
        }
        row += taken * STEP;
    }
}
