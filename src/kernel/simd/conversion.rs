//! Converts the numbers of a checkpoint into the panels of a weight matrix.
//!
//! Compiled like `tile_f32.rs`, with the same restrictions. In: whole rows or whole columns in f32.
//! Out: panels in the formats of `format.rs`, rounded
//!
//! - to the nearest finite f16;
//! - in 8 bits, to 255 levels between minus and plus the largest of 64 numbers;
//! - in 4 bits, to 16 levels from the largest of 32 numbers down, by its sign.
//!
//! The scale of a block is rounded to f16 first, and levels are rounded half away from zero. All
//! instruction sets give the same bits.
//!
//! A worker takes whole panels. It copies up to 64 rows of eight columns into scratch memory, and
//! rounds them from there with one lane for each column, so that a scale is a lane and no sum
//! crosses lanes. The copy is needed because rows are some kilobytes apart in the source: read
//! twice, they would fall out of the few sets of the L1 cache that such strides reach.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::format::PanelFormat;
use super::panels::{fill, pack_columns, pack_rows};
use super::tile_f32::WIDTH;
use super::tile_i8::{STEP, STEP_BYTES};
use super::vector::{F32x4, Float, Vector};

/// Rows that are copied at once if the format has no blocks.
const ROWS: usize = 64;
/// Bytes of scratch memory for one worker: the copy.
pub const SCRATCH_BYTES: usize = ROWS * WIDTH * 4;
/// The smallest number that rounds to infinity in f16.
const F16_OVERFLOW: f32 = 65520.0;
/// 1.5 · 2²³: adding it leaves an integer in the low bits of the mantissa.
const TO_INTEGER: f32 = 12_582_912.0;

/// Consecutive rows or columns of a matrix.
#[repr(C)]
pub struct Conversion {
    pub format: PanelFormat,
    /// The length of the inner axis of the matrix.
    pub inner: usize,
    /// The first of the rows, at the start of a block.
    pub first: usize,
    /// The number of rows. Only the last block of the matrix may be incomplete.
    pub rows: usize,
    /// The number of columns, from the start of a panel on.
    pub columns: usize,
    /// Whether `x` is `[columns, rows]` instead of `[rows, columns]`.
    pub by_column: bool,
    /// `rows * columns` floats. Read by all workers.
    pub x: *const f32,
    /// The panels of these columns, each of which has `inner` rows. A worker writes the rows of its
    /// panels.
    pub out: *mut u8,
    /// Set to 1 if a scale or a sum of a block is too large for f16, or if a block has a NaN.
    pub clipped: *const AtomicU32,
}

/// Converts the panels `first..last`.
///
/// # Safety
/// The pointers of `job` must be valid for the sizes that its fields name, and `scratch` for reads
/// and writes of [`SCRATCH_BYTES`] bytes. No other thread may access `scratch`, or these panels.
#[inline(never)] // in every module, so that they are alike and compress well together
pub unsafe fn panels(job: &Conversion, first: usize, last: usize, scratch: *mut f32) {
    let Conversion { format, inner, rows, columns, x, out, .. } = *job;
    let at_once = if format.is_quantized() { format.block_steps() * STEP } else { ROWS };
    let steps_of = |rows: usize| if format.is_quantized() { rows / STEP } else { rows };
    let size = format.panel_bytes(format.steps(inner));
    let mut panel = first;
    while panel < last {
        let column = panel * WIDTH;
        let width = if columns - column < WIDTH { columns - column } else { WIDTH };
        let mut row = 0;
        while row < rows {
            let height = if rows - row < at_once { rows - row } else { at_once };
            // SAFETY: the caller guarantees `x` and the panels of `out`. The rows and columns are
            // below `rows` and `columns`. A copy has at most `ROWS` rows, for which the scratch
            // memory has room; in f32, its rows are those of the panel.
            unsafe {
                let to = out.add(panel * size + format.panel_bytes(steps_of(job.first + row)));
                let copy = if matches!(format, PanelFormat::F32) { to.cast() } else { scratch };
                if job.by_column {
                    pack_columns(x.add(column * rows + row), rows, width, height, copy);
                } else {
                    pack_rows(x.add(row * columns + column), columns, height, width, copy);
                }
                let largest = match format {
                    PanelFormat::F32 => 0.0,
                    PanelFormat::F16 => narrow(copy, to.cast(), height * WIDTH),
                    _ => block(matches!(format, PanelFormat::Q4), copy, height, width, to),
                };
                if largest >= F16_OVERFLOW || largest.is_nan() {
                    (*job.clipped).store(1, Relaxed);
                }
            }
            row += height;
        }
        panel += 1;
    }
}

/// Rounds `count` numbers, a multiple of 4, to f16. Returns 0: the loader has checked their range.
///
/// # Safety
/// `x` must be valid for reads and `to` for writes of `count` numbers, and no other thread may
/// access those of `to`.
#[inline(always)]
unsafe fn narrow(x: *const f32, to: *mut u16, count: usize) -> f32 {
    let mut i = 0;
    while i < count {
        // SAFETY: four numbers from `i` on are below `count`.
        unsafe { F32x4::load(x.add(i)).store_halves(to.add(i)) };
        i += 4;
    }
    0.0
}

/// Rounds a block of `height` rows, `[height, WIDTH]`, of which `width` columns exist, to 8 bits or
/// to 4 (`nibbles`). Returns the largest magnitude of its scales and sums, NaN if it has a NaN.
///
/// # Safety
/// `x` must be valid for reads and writes of [`SCRATCH_BYTES`] bytes, and `to` for writes of the
/// block, with the layout of `tile_i8.rs`. No other thread may access either.
#[inline(never)] // one copy for both formats
unsafe fn block(nibbles: bool, x: *mut f32, height: usize, width: usize, to: *mut u8) -> f32 {
    // The rows in one word of a column, and what a level of 0 is stored as.
    let (word, zero) = if nibbles { (2 * STEP, 0x88) } else { (STEP, 0) };
    let to_integer = F32x4::splat(TO_INTEGER + f32::from(zero as u8));
    let padded = height.next_multiple_of(word);
    let words = padded / word * STEP_BYTES;
    let mut largest = 0.0;
    // SAFETY: the caller guarantees the copy and the block: words for `padded` rows, then a tail.
    unsafe {
        fill(x, 0.0, height * WIDTH, padded * WIDTH);
        let tail = to.add(words).cast::<u16>();
        let mut column = 0;
        while column < WIDTH {
            let x = x.add(column);
            largest += levels(nibbles, x, padded, tail.add(column));
            let level = |row: usize| {
                let low = F32x4::load(x.add(row * WIDTH));
                if !nibbles {
                    return low.add(to_integer);
                }
                let high = F32x4::load(x.add((row + STEP) * WIDTH));
                low.add(high.mul(F32x4::splat(16.0))).add(to_integer)
            };
            let mut row = 0;
            while row < padded {
                let four = [level(row), level(row + 1), level(row + 2), level(row + 3)];
                let at = to.add(row / word * STEP_BYTES + column * STEP);
                F32x4::store_lowest_bytes(four, at);
                row += word;
            }
            column += 4;
        }
        // Columns that do not exist are zeros in every bit, which a level of 0 in 4 bits is not.
        let mut lane = width;
        while lane < WIDTH {
            let mut at = 0;
            while at < words {
                to.add(at).cast::<[u8; STEP]>().add(lane).write([0; STEP]);
                at += STEP_BYTES;
            }
            tail.add(lane).write(0);
            tail.add(WIDTH + lane).write(0);
            lane += 1;
        }
    }
    largest
}

/// Replaces four columns of a block by their levels, and writes their part of its tail. Returns as
/// [`block`].
///
/// # Safety
/// `x` must be valid for reads and writes of `rows` rows of 4 floats with a stride of `WIDTH`, and
/// `tail` for writes of 4 f16 at 0 and at `WIDTH`. No other thread may access either.
#[inline(never)]
unsafe fn levels(nibbles: bool, x: *mut f32, rows: usize, tail: *mut u16) -> f32 {
    // There are 8 levels below zero and 7 above in 4 bits: the largest number gets the level -8.
    let (min, max, divisor) = if nibbles { (-8.0, 7.0, -8.0) } else { (-127.0, 127.0, 127.0) };
    let (min, max) = (F32x4::splat(min), F32x4::splat(max));
    let zero = F32x4::splat(0.0);
    // SAFETY: `row` is below `rows`; the caller guarantees the tail.
    unsafe {
        let mut largest = zero;
        let mut row = 0;
        while row < rows {
            largest = largest.larger_magnitude(F32x4::load(x.add(row * WIDTH)));
            row += 1;
        }
        let exact = largest.div(F32x4::splat(divisor));
        let exact = if nibbles { exact } else { exact.magnitude() };
        exact.store_halves(tail);
        let scale = F32x4::load_halves(tail);
        // 0 if the scale is 0, which is the only one below all normal numbers.
        let inverse = F32x4::splat(1.0)
            .div(scale)
            .zero_where_below(scale.magnitude(), F32x4::splat(f32::MIN_POSITIVE));
        let mut sum = zero;
        row = 0;
        while row < rows {
            let at = x.add(row * WIDTH);
            let level = F32x4::load(at).mul(inverse).rounded().min(max).max(min);
            sum = sum.add(level); // exact: integers below 2²⁴
            level.store(at);
            row += 1;
        }
        let sum = sum.mul(scale);
        sum.store_halves(tail.add(WIDTH));
        let nan = sum.mul(zero).reduce_sum(); // 0, or NaN if a sum is not finite
        exact.magnitude().max(sum.magnitude()).reduce_max() + nan
    }
}
