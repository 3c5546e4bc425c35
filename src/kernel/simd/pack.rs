//! Packs the rows of a product's left factor into the tiles that the micro-kernels read.
//!
//! Compiled like `tile_f32.rs`, with the same restrictions. Layout: `[block][tile]`, a tile as
//! `tile_f32.rs` or `tile_i8.rs` reads it.

use super::format::{PanelFormat, RowLayout};
use super::tile_f32::ROWS;
use super::tile_i8::{ROW_TAIL, STEP};
use super::vector::{BACKEND, F32x4, Float, Vector};

/// Rows to pack, and the output for their tiles.
#[repr(C)]
pub struct Tiles {
    pub format: PanelFormat,
    pub rows: usize,
    pub inner: usize,
    /// `[rows, inner]` with a row stride of `stride` floats. Read by all workers.
    pub x: *const f32,
    pub stride: usize,
    /// `rows * RowLayout::row_bytes(format.steps(inner))` bytes. A worker writes the parts of its
    /// tiles in every block.
    pub out: *mut u8,
}

/// Packs the tiles `first..last`.
///
/// # Safety
/// The pointers of `job` must be valid for the sizes that its fields name. No other thread may
/// access the output of these tiles.
pub unsafe fn tiles(job: &Tiles, first: usize, last: usize) {
    let Tiles { format, rows, inner, x, stride, out } = *job;
    let steps = format.steps(inner);
    let layout = RowLayout::new(format, rows, BACKEND);
    let mut tile = first;
    while tile < last {
        let row = tile * layout.tile_rows;
        let height = if rows - row < layout.tile_rows { rows - row } else { layout.tile_rows };
        let mut start = 0;
        while start < steps {
            let depth = if steps - start < format.depth() { steps - start } else { format.depth() };
            // SAFETY: the rows `row..row + height` are inside `x`, and the block from `start` on of
            // these rows is inside `out`: a block has all rows, one tile after the other.
            unsafe {
                let from = x.add(row * stride);
                let to = out.add(rows * layout.row_bytes(start) + row * layout.row_bytes(depth));
                if format.is_quantized() {
                    blocks(job, layout, height, from, start, depth, to);
                } else {
                    interleave(height, from.add(start), stride, depth, 1.0, to.cast());
                }
            }
            start += depth;
        }
        tile += 1;
    }
}

/// Interleaves `depth` numbers of each row, multiplied by `factor`: `[depth, height]`.
///
/// # Safety
/// `x` must be valid for reads of `height` rows of `depth` floats with a stride of `stride` floats;
/// `to` for writes of `depth * height` floats, which no other thread may access.
#[inline(never)]
pub unsafe fn interleave(
    height: usize,
    x: *const f32,
    stride: usize,
    depth: usize,
    factor: f32,
    to: *mut f32,
) {
    // SAFETY: `step` is below `depth` and `i` below `height`.
    unsafe {
        let mut step =
            if height == ROWS { interleave_full(x, stride, depth, factor, to) } else { 0 };
        while step < depth {
            let mut i = 0;
            while i < height {
                *to.add(step * height + i) = *x.add(i * stride + step) * factor;
                i += 1;
            }
            step += 1;
        }
    }
}

/// Interleaves a full tile four steps at a time; returns the number of steps done.
///
/// # Safety
/// As for [`interleave`] with [`ROWS`] rows.
#[inline(always)]
unsafe fn interleave_full(
    x: *const f32,
    stride: usize,
    depth: usize,
    factor: f32,
    to: *mut f32,
) -> usize {
    let factor = F32x4::splat(factor);
    let mut step = 0;
    // A step's second store writes `8 - ROWS` numbers too many, which the next step overwrites, so
    // another step must follow.
    while step + 4 < depth {
        // SAFETY: four numbers from `step` on are inside each row. The stores write up to
        // `8 - ROWS` floats past the four steps, where `to` has room for another step.
        unsafe {
            let row = |i: usize| F32x4::load(x.add(i * stride + step)).mul(factor);
            let (e, f) = (row(4), row(ROWS - 1));
            let four = F32x4::transposed(row(0), row(1), row(2), row(3));
            let two = F32x4::transposed(e, f, e, f);
            let to = to.add(step * ROWS);
            let mut i = 0;
            while i < 4 {
                four[i].store(to.add(i * ROWS));
                two[i].store(to.add(i * ROWS + 4));
                i += 1;
            }
        }
        step += 4;
    }
    step
}

/// One cache block of a tile, quantized to 7 bits.
///
/// # Safety
/// `x` must be valid for reads of `height` rows of `job.inner` floats with a stride of `job.stride`
/// floats; `to` for writes of `height * layout.row_bytes(depth)` bytes, which no other thread
/// may access.
unsafe fn blocks(
    job: &Tiles,
    layout: RowLayout,
    height: usize,
    x: *const f32,
    start: usize,
    depth: usize,
    mut to: *mut u8,
) {
    let block_steps = job.format.block_steps();
    let mut done = 0;
    while done < depth {
        let steps = if depth - done < block_steps { depth - done } else { block_steps };
        let at = (start + done) * STEP;
        let count = if job.inner - at < steps * STEP { job.inner - at } else { steps * STEP };
        // SAFETY: a block has `step_bytes` for each step and row, in parts of four bytes, then a
        // scale and a minimum for each row. `count` numbers from `at` on are inside each row.
        unsafe {
            let tails = to.add(height * steps * layout.step_bytes);
            let mut i = 0;
            while i < height {
                let tail = tails.add(i * ROW_TAIL).cast();
                let (x, to) = (x.add(i * job.stride + at), to.add(i * STEP).cast());
                if layout.step_bytes == STEP {
                    quantize::<1>(x, count, steps, to, height, tail);
                } else {
                    quantize::<2>(x, count, steps, to, height, tail);
                }
                i += 1;
            }
            to = tails.add(height * ROW_TAIL);
        }
        done += steps;
    }
}

/// Writes `count` numbers as `scale q + min` with `q` from 0 to 127: each step of four as one word
/// of four bytes, or as two words of two 16-bit numbers (`PARTS`), first those with even and then
/// those with odd positions, with a stride of `stride` words; `tail` gets `scale` and `min`. Both are NaN if the block contains an infinity
/// or a NaN, so that its products are NaN too.
///
/// # Safety
/// `x` must be valid for reads of `count` floats, `words` for writes of `PARTS * steps` words with
/// the stride, `tail` for writes of 2 floats. No other thread may access the latter two.
#[inline(always)]
unsafe fn quantize<const PARTS: usize>(
    x: *const f32,
    count: usize,
    steps: usize,
    words: *mut u32,
    stride: usize,
    tail: *mut f32,
) {
    let zero = F32x4::splat(0.0);
    let mut finite = zero; // 0, or NaN if a number is not finite
    let mut min = F32x4::splat(f32::INFINITY);
    let mut max = F32x4::splat(f32::NEG_INFINITY);
    let mut scan = |four: F32x4| {
        (min, max) = (min.min(four), max.max(four));
        finite = four.mul_add(zero, finite);
    };
    let (whole, some) = (count / STEP, count % STEP);
    // SAFETY: `four` is called with `step < whole`, and `last` with `step == whole` if `some`
    // numbers remain.
    unsafe {
        let four = |step: usize| F32x4::load(x.add(step * STEP));
        let last = |step: usize| F32x4::load_partial(x.add(step * STEP), some);
        let mut step = 0;
        while step < whole {
            scan(four(step));
            step += 1;
        }
        if some > 0 {
            scan(last(whole));
        }
        let (min, finite) = (min.reduce_min(), finite.reduce_sum());
        let scale = (max.reduce_max() - min) / 127.0;
        let inverse = F32x4::splat(if scale > 0.0 { 1.0 / scale } else { 0.0 });
        let minus_min = F32x4::splat(-min);
        // Adding 2²³ leaves the nearest integer in the low mantissa bits.
        let to_integer = F32x4::splat(8_388_608.0);
        let level = |four: F32x4| {
            four.add(minus_min).mul(inverse).add(to_integer).lowest_bytes() & 0x7F7F_7F7F
        };
        let put = |step: usize, level: u32| {
            let words = words.add(PARTS * step * stride);
            if PARTS == 1 {
                *words = level;
            } else {
                *words = level & 0x007F_007F;
                *words.add(stride) = level >> 8 & 0x007F_007F;
            }
        };
        step = 0;
        while step < whole {
            put(step, level(four(step)));
            step += 1;
        }
        while step < steps {
            put(step, if step == whole && some > 0 { level(last(step)) } else { 0 });
            step += 1;
        }
        *tail = scale + finite;
        *tail.add(1) = min + finite;
    }
}
