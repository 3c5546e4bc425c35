//! Copies between the rows of attention's operands and panels of [`WIDTH`] columns.
//!
//! Compiled like `tile_f32.rs`, with the same restrictions. Functions for whole heads or blocks are not
//! inlined: each module has one copy of them.

use super::tile_f32::WIDTH;
use super::vector::{F32x4, Float, Vector};

/// Packs `[rows, width]` into the panels of its transpose: `[rows / WIDTH, width, WIDTH]`, padded
/// with zeros.
///
/// # Safety
/// `x` must be valid for reads of `rows` rows of `width` floats with a stride of `stride` floats;
/// `to` for writes of all panels, which no other thread may access.
#[inline(never)]
pub unsafe fn pack_columns(
    x: *const f32,
    stride: usize,
    rows: usize,
    width: usize,
    mut to: *mut f32,
) {
    let mut row = 0;
    // SAFETY: rows below `rows` and columns below `width` are read; the writes fill one panel row
    // after the other.
    unsafe {
        while row < rows {
            let full = row + WIDTH <= rows;
            let mut at = 0;
            while full && at + 4 <= width {
                let mut half = 0;
                while half < WIDTH {
                    let from = x.add((row + half) * stride + at);
                    let four = |i: usize| F32x4::load(from.add(i * stride));
                    let [a, b, c, d] = F32x4::transposed(four(0), four(1), four(2), four(3));
                    let to = to.add(at * WIDTH + half);
                    a.store(to);
                    b.store(to.add(WIDTH));
                    c.store(to.add(2 * WIDTH));
                    d.store(to.add(3 * WIDTH));
                    half += 4;
                }
                at += 4;
            }
            while at < width {
                let mut lane = 0;
                while lane < WIDTH {
                    let there = row + lane < rows;
                    *to.add(at * WIDTH + lane) =
                        if there { *x.add((row + lane) * stride + at) } else { 0.0 };
                    lane += 1;
                }
                at += 1;
            }
            to = to.add(width * WIDTH);
            row += WIDTH;
        }
    }
}

/// Packs `[rows, width]` into panels: `[width / WIDTH, rows, WIDTH]`, padded with zeros.
///
/// # Safety
/// As for [`pack_columns`].
#[inline(never)]
pub unsafe fn pack_rows(x: *const f32, stride: usize, rows: usize, width: usize, to: *mut f32) {
    let mut row = 0;
    // SAFETY: rows below `rows` and columns below `width` are read; the writes fill one panel row
    // after the other.
    unsafe {
        while row < rows {
            let (from, to) = (x.add(row * stride), to.add(row * WIDTH));
            let mut at = 0;
            while at + WIDTH <= width {
                let to = to.add(at * rows);
                F32x4::load(from.add(at)).store(to);
                F32x4::load(from.add(at + 4)).store(to.add(4));
                at += WIDTH;
            }
            let mut lane = 0;
            while at < width && lane < WIDTH {
                *to.add(at * rows + lane) =
                    if at + lane < width { *from.add(at + lane) } else { 0.0 };
                lane += 1;
            }
            row += 1;
        }
    }
}

/// The length of the longest row without its trailing zeros. A hook may have written above the
/// diagonal, so the length is read from the rows and not from the mask.
///
/// # Safety
/// `pattern` must be valid for reads of `height` rows of `limit` floats with a stride of `stride`
/// floats.
#[inline(never)]
pub unsafe fn longest(height: usize, pattern: *const f32, stride: usize, limit: usize) -> usize {
    let (mut longest, mut i) = (0, 0);
    while i < height {
        // SAFETY: `i` is below `height` and `end` at most `limit`.
        unsafe {
            let row = pattern.add(i * stride);
            let mut end = limit;
            while end > longest && *row.add(end - 1) == 0.0 {
                end -= 1;
            }
            longest = end;
        }
        i += 1;
    }
    longest
}

/// # Safety
/// `from` must be valid for reads and `to` for writes of `count` floats; they must not overlap.
#[inline(never)]
pub unsafe fn copy(from: *const f32, to: *mut f32, count: usize) {
    let mut i = 0;
    // SAFETY: `i` is below `count`.
    unsafe {
        while i + 4 <= count {
            F32x4::load(from.add(i)).store(to.add(i));
            i += 4;
        }
        while i < count {
            *to.add(i) = *from.add(i);
            i += 1;
        }
    }
}

/// Writes `value` to the elements `first..last`.
///
/// # Safety
/// `to` must be valid for writes of `last` floats.
#[inline(never)]
pub unsafe fn fill(to: *mut f32, value: f32, first: usize, last: usize) {
    let mut i = first;
    // SAFETY: `i` is below `last`.
    unsafe {
        while i + 4 <= last {
            F32x4::splat(value).store(to.add(i));
            i += 4;
        }
        while i < last {
            *to.add(i) = value;
            i += 1;
        }
    }
}
