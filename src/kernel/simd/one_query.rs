//! What attention does for a single query, as in decoding: it uses each key and value once, so that packing
//! them would take as long as about four products with them, and it waits for the memory.
//!
//! Compiled like `tile_f32.rs`, with the same restrictions. Four keys are transposed in registers at a time: their
//! products with a query of width K take K/4 times 4 loads, 8 shuffles and 4 multiply-adds.

use super::vector::{F32x4, Float, Vector};

/// Floats in a vector.
pub const LANES: usize = 4;

/// The products of one row with `rows` others, read in place. Each sum runs over the columns in order, as in a
/// tile. Not inlined, to leave the loop its registers.
///
/// # Safety
/// `x` must be valid for reads of `width` floats, a multiple of [`LANES`]; `right` for reads of `rows`
/// rows of as many with a stride of `stride` floats; `to` for writes of `rows` floats, rounded up to
/// [`LANES`], which no other thread may access.
#[inline(never)]
pub unsafe fn multiply_rows(
    x: *const f32,
    width: usize,
    right: *const f32,
    stride: usize,
    rows: usize,
    to: *mut f32,
) {
    // Four sums wait for their own last addition in turn.
    const BLOCKS: usize = 4;
    let mut row = 0;
    // SAFETY: as for this function; a block reads rows below `rows` only.
    unsafe {
        while row + BLOCKS * LANES <= rows {
            let from = right.add(row * stride);
            // `rows` is a constant here, so that the loop compares nothing.
            multiply_blocks::<BLOCKS>(x, width, from, stride, BLOCKS * LANES, to.add(row));
            row += BLOCKS * LANES;
        }
        while row < rows {
            let from = right.add(row * stride);
            multiply_blocks::<1>(x, width, from, stride, rows - row, to.add(row));
            row += LANES;
        }
    }
}

/// [`multiply_rows`] for `N` blocks of [`LANES`] rows, of which `rows` are there: the first row stands
/// in for the others.
///
/// # Safety
/// As for [`multiply_rows`].
#[inline(always)]
unsafe fn multiply_blocks<const N: usize>(
    x: *const f32,
    width: usize,
    right: *const f32,
    stride: usize,
    rows: usize,
    to: *mut f32,
) {
    let mut sums = [F32x4::splat(0.0); N];
    let mut at = 0;
    // SAFETY: as for this function; `at` is below `width`, and `row` below `rows`.
    unsafe {
        while at < width {
            let mut block = 0;
            while block < N {
                let load = |lane: usize| {
                    let row = block * LANES + lane;
                    let row = if row < rows { row } else { 0 };
                    F32x4::load(right.add(row * stride + at))
                };
                let columns = F32x4::transposed(load(0), load(1), load(2), load(3));
                let mut i = 0;
                while i < LANES {
                    let x = F32x4::load_splat(x.add(at + i));
                    sums[block] = x.mul_add(columns[i], sums[block]);
                    i += 1;
                }
                block += 1;
            }
            at += LANES;
        }
        let mut block = 0;
        while block < N {
            sums[block].store(to.add(block * LANES));
            block += 1;
        }
    }
}

/// Brings `rows` rows into the cache: reads a number of each line, in order, as memory delivers them fastest. Wasm
/// has no instruction that prefetches, and the products of one query, which jump between rows, take 1.2 times as
/// long without this (560 keys, EPYC, two threads, 2026-11).
///
/// # Safety
/// `x` must be valid for reads of `rows` rows of `width` floats with a stride of `stride` floats.
#[inline(never)]
pub unsafe fn read_lines(x: *const f32, stride: usize, rows: usize, width: usize) {
    const LINE: usize = 64 / size_of::<f32>();
    let mut row = 0;
    while row < rows {
        let mut at = 0;
        while at < width {
            // SAFETY: `row` is below `rows` and `at` below `width`. Volatile, so that the
            // compiler keeps a read whose value is unused.
            unsafe { x.add(row * stride + at).read_volatile() };
            at += LINE;
        }
        row += 1;
    }
}
