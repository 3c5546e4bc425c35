//! The int8 micro-kernels: one tile of a product with 8-bit weights, and one row times several panels of 8 or 4 bits.
//!
//! Compiled like `tile_f32.rs`, with the same restrictions.
//!
//! Layout: the inner axis is divided into blocks, and a block into steps of four numbers. A panel's block holds, for each
//! step, four bytes of each of its eight columns; then, for each column, the scale `s` of its weights `s w` and their sum
//! `s Σw`, stored as f16 (as f32 in the copy that a tile reads). A tile's block holds, for each step, four bytes of each of
//! its rows; then, for each row, the scale `t` and the minimum `m` of its activations `t x + m`, where `x` has 7 bits. A
//! block adds `t s Σwx + m s Σw` to the result.
//!
//! `Σwx` is an integer sum, so it is exact and does not depend on the machine or the number of rows. A step is two loads of
//! weights and, for each row, one load and two dot products of three instructions (multiply to pairs, add pairs, add): 32
//! multiply-adds in three instructions, up to 95 GOP/s where f32 reaches 54 GFLOP/s. With plain SIMD a dot product takes
//! four instructions: 58 GOP/s.
//!
//! A tile has 3 rows of 2 vectors. Its 6 accumulators, the weights, one activation, the ones and the temporaries fit into the
//! vector registers, also at the end of a block, where scales and weight sums are loaded. Whole products run 1.15 times as
//! fast as with 6 rows, which spill there. The loop is unrolled by two: 1.12 times as fast as not unrolled, and the same as
//! by four. Measured: 74 to 80 of 95 GOP/s. The rest is block ends: 9 instructions per accumulator convert 16 steps to f32.

use super::tile_f32::{Strides, WIDTH};
use super::vector::{DotProduct, F32x4, Float, I32x4, Vector};

type Activations = <I32x4 as DotProduct>::Activations;
type Ones = <I32x4 as DotProduct>::Ones;

/// Rows of a full tile.
pub const ROWS: usize = 3;
/// Numbers along the inner axis in one step.
pub const STEP: usize = 4;
/// Bytes of a panel in one step.
pub const STEP_BYTES: usize = STEP * WIDTH;
/// Bytes after the steps of a stored panel block: scales and weight sums in f16.
pub const BLOCK_TAIL: usize = 2 * 2 * WIDTH;
/// The same in the copy that a tile reads, in f32.
pub const WIDE_TAIL: usize = 2 * BLOCK_TAIL;
/// Bytes after the steps of a tile's block, for each row: scale and minimum, in f32.
pub const ROW_TAIL: usize = 2 * 4;

/// The factors of a tile: `a` with at most [`ROWS`] rows, and `b`. There are `steps` steps, `block_steps` in each block but the
/// last, which may have fewer.
pub struct Factors {
    pub rows: usize,
    pub steps: usize,
    pub block_steps: usize,
    pub a: *const u8,
    pub b: *const u8,
    pub ones: *const i16,
}

/// `to = from + a b`, with row strides in floats.
///
/// # Safety
/// `a`, `b` and eight `ones` must be readable; every row of `from` must be readable and every row of `to` writable for
/// `WIDTH` floats.
#[inline(always)]
pub unsafe fn tile(
    f: &Factors,
    from: *const f32,
    from_stride: usize,
    to: *mut f32,
    to_stride: usize,
) {
    // SAFETY: the caller guarantees it.
    unsafe {
        match f.rows {
            3 => tile_of::<3>(f, from, from_stride, to, to_stride),
            2 => tile_of::<2>(f, from, from_stride, to, to_stride),
            _ => tile_of::<1>(f, from, from_stride, to, to_stride),
        }
    }
}

#[inline(always)]
unsafe fn tile_of<const M: usize>(
    factors: &Factors,
    mut from: *const f32,
    mut from_stride: usize,
    to: *mut f32,
    to_stride: usize,
) {
    let Factors { steps, block_steps, mut a, mut b, ones, .. } = *factors;
    // SAFETY: every address is inside `a`, `b`, `from` or `to`; the pointers end one past their arrays.
    unsafe {
        let ones = I32x4::load_ones(ones);
        let mut left = steps;
        while left > 0 {
            let steps = if left < block_steps { left } else { block_steps };
            let mut sum = [[I32x4::ZERO; 2]; M];
            let mut step = 0;
            while step + 2 <= steps {
                add_step(&mut sum, a, b, ones);
                add_step(&mut sum, a.add(STEP * M), b.add(STEP_BYTES), ones);
                a = a.add(2 * STEP * M);
                b = b.add(2 * STEP_BYTES);
                step += 2;
            }
            if step < steps {
                add_step(&mut sum, a, b, ones);
                a = a.add(STEP * M);
                b = b.add(STEP_BYTES);
            }
            add_block::<M, 0, false>(&sum, a, b, (from, from_stride), (to, to_stride));
            add_block::<M, 1, false>(&sum, a, b, (from, from_stride), (to, to_stride));
            a = a.add(ROW_TAIL * M);
            b = b.add(WIDE_TAIL);
            (from, from_stride) = (to, to_stride);
            left -= steps;
        }
    }
}

#[inline(always)]
unsafe fn add_step<const M: usize>(
    sum: &mut [[I32x4; 2]; M],
    a: *const u8,
    b: *const u8,
    ones: Ones,
) {
    // SAFETY: as in `tile_of`.
    unsafe {
        let w = [I32x4::load_weights(b), I32x4::load_weights(b.add(16))];
        let mut i = 0;
        while i < M {
            let x = I32x4::load_activations(a.add(STEP * i));
            sum[i][0] = sum[i][0].add_dot(&w[0], &x, ones);
            sum[i][1] = sum[i][1].add_dot(&w[1], &x, ones);
            i += 1;
        }
    }
}

/// One row `a` times `P` panels at once, in 8 bits or in 4 (`NIBBLES`), where a byte holds a number of one step in its low
/// nibble and one of the next step in its high nibble.
///
/// # Safety
/// As for [`tile`], for each panel.
#[inline(always)]
pub unsafe fn row<const P: usize, const NIBBLES: bool>(
    factors: &Factors,
    mut from: *const f32,
    to: *mut f32,
    mut strides: Strides,
) {
    let Factors { steps, block_steps, mut a, mut b, ones, .. } = *factors;
    // SAFETY: every address is inside `a`, a panel, `from` or `to`; the pointers end one past their arrays.
    unsafe {
        let ones = I32x4::load_ones(ones);
        let mut left = steps;
        while left > 0 {
            let steps = if left < block_steps { left } else { block_steps };
            let mut sum = [[[I32x4::ZERO; 2]; 1]; P];
            let mut step = 0;
            while step < steps {
                let (x, next) = (
                    I32x4::load_activations(a),
                    I32x4::load_activations(a.add(if NIBBLES { STEP } else { 0 })),
                );
                let mut p = 0;
                while p < P {
                    let panel = b.add(p * strides.panels);
                    sum[p][0][0] = dot::<NIBBLES>(sum[p][0][0], panel, &x, &next, ones);
                    sum[p][0][1] = dot::<NIBBLES>(sum[p][0][1], panel.add(16), &x, &next, ones);
                    p += 1;
                }
                let taken = if NIBBLES { 2 } else { 1 };
                a = a.add(taken * STEP);
                b = b.add(STEP_BYTES);
                step += taken;
            }
            let mut p = 0;
            while p < P {
                let (from, to) = ((from.add(p * strides.from), 0), (to.add(p * strides.to), 0));
                let b = b.add(p * strides.panels);
                add_block::<1, 0, true>(&sum[p], a, b, from, to);
                add_block::<1, 1, true>(&sum[p], a, b, from, to);
                p += 1;
            }
            a = a.add(ROW_TAIL);
            b = b.add(BLOCK_TAIL);
            (from, strides.from) = (to, strides.to);
            left -= steps;
        }
    }
}

/// Adds one step of 8 bits, or two steps of 4.
#[inline(always)]
unsafe fn dot<const NIBBLES: bool>(
    sum: I32x4,
    weights: *const u8,
    x: &Activations,
    next: &Activations,
    ones: Ones,
) -> I32x4 {
    // SAFETY: as in `row`.
    unsafe {
        if NIBBLES {
            let [lower, upper] = I32x4::load_nibbles(weights);
            sum.add_dot(&lower, x, ones).add_dot(&upper, next, ones)
        } else {
            sum.add_dot(&I32x4::load_weights(weights), x, ones)
        }
    }
}

/// Adds a block's result for the four columns of one vector (`SIDE`); `a` and `b` point behind the block's steps.
#[inline(always)]
unsafe fn add_block<const M: usize, const SIDE: usize, const HALVES: bool>(
    sum: &[[I32x4; 2]; M],
    a: *const u8,
    b: *const u8,
    (from, from_stride): (*const f32, usize),
    (to, to_stride): (*mut f32, usize),
) {
    // SAFETY: as in `tile_of`.
    unsafe {
        let (scale, weights) = if HALVES {
            let tail = b.cast::<u16>().add(4 * SIDE);
            (F32x4::load_halves(tail), F32x4::load_halves(tail.add(WIDTH)))
        } else {
            let tail = b.cast::<f32>().add(4 * SIDE);
            (F32x4::load(tail), F32x4::load(tail.add(WIDTH)))
        };
        let mut i = 0;
        while i < M {
            let row = a.cast::<f32>().add(2 * i);
            let start = F32x4::load(from.add(i * from_stride + 4 * SIDE));
            let start = weights.mul_add(F32x4::load_splat(row.add(1)), start);
            let products = sum[i][SIDE].to_f32().mul(scale);
            products.mul_add(F32x4::load_splat(row), start).store(to.add(i * to_stride + 4 * SIDE));
            i += 1;
        }
    }
}
