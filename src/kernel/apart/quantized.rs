//! The inner loop of products with weights in 8 bits: what happens inside one tile.
//!
//! Compiled like `inner.rs`, by the same rules.
//!
//! Layout: the inner axis is cut into blocks, a block into steps of four. A panel's block holds, for each step, four
//! bytes of each of its eight columns, then for each column the scale `s` of its weights `s w` and their sum `s Σw`, both
//! in halves, or in f32 where a tile reads it.
//! A tile's block holds, for each step, four bytes of each of its rows, then for each row the scale `t` and the least
//! value `m` of its activations `t x + m`, where `x` has 7 bits. So a block adds `t s Σwx + m s Σw` to a sum.
//!
//! `Σwx` is computed in integers, exactly, so every machine and every number of rows gives the same one. A step is two
//! loads of weights and, for each row, one load and two dots of three instructions (multiply to pairs, add pairs, add):
//! 32 multiplications and additions in three, up to 95 GOP/s where f32 reaches 54. With plain SIMD a dot takes four: 58.
//!
//! Tile: 3 rows by 2 vectors. Its 6 sums, the weights, an activation, the ones and what is between two instructions fit
//! the vector registers, at the end of a block too, where scales and sums of weights come in. Whole products run 1.15
//! times as fast as with 6 rows, which spill there. Two steps are taken in a turn of the loop, whose own three
//! instructions count: 1.12 times as fast as one, and as four. That makes 74 to 80 GOP/s of 95; the rest is the ends of
//! blocks, where 9 instructions for each sum bring 16 steps to f32.

use super::inner::{Apart, WIDTH};
use super::simd::{Activations, F32x4, I32x4, Ones, Weights};

/// Rows of a full tile.
pub const ROWS: usize = 3;
/// Numbers along the inner axis that one step takes in.
pub const STEP: usize = 4;
/// Bytes of a panel in one step.
pub const STEP_BYTES: usize = STEP * WIDTH;
/// Bytes behind the steps of a panel's block as it is stored: scales and sums in halves.
pub const BLOCK_TAIL: usize = 2 * 2 * WIDTH;
/// The same as a tile reads it, in f32.
pub const WIDE_TAIL: usize = 2 * BLOCK_TAIL;
/// Bytes behind the steps of a tile's block for each of its rows: scale and least value.
pub const ROW_TAIL: usize = 2 * 4;

/// The factors of a tile: `a` with at most [`ROWS`] rows, `b`; `steps` in all, `block_steps` in a block, fewer in the last.
pub struct Factors {
    pub rows: usize,
    pub steps: usize,
    pub block_steps: usize,
    pub a: *const u8,
    pub b: *const u8,
    pub ones: *const i16,
}

/// `to = from + a b`, row by row; the rows of `from` and of `to` lie as far apart as their strides say.
///
/// # Safety
/// `a`, `b` and eight `ones` must be readable, every row of `from` readable, of `to` writable for `WIDTH` floats.
#[inline(always)]
pub unsafe fn tile(f: &Factors, from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
    // SAFETY: as the caller promises.
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
        let ones = Ones::load(ones);
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
unsafe fn add_step<const M: usize>(sum: &mut [[I32x4; 2]; M], a: *const u8, b: *const u8, ones: Ones) {
    // SAFETY: as in `tile_of`.
    unsafe {
        let w = [Weights::load(b), Weights::load(b.add(16))];
        let mut i = 0;
        while i < M {
            let x = Activations::load(a.add(STEP * i));
            sum[i][0] = sum[i][0].add_dot(&w[0], &x, ones);
            sum[i][1] = sum[i][1].add_dot(&w[1], &x, ones);
            i += 1;
        }
    }
}

/// One row `a` with `P` panels side by side, in 8 bits, or in 4 with two steps in one: the lower halves of its bytes, then
/// the upper ones.
///
/// # Safety
/// As for [`tile`], of each panel.
#[inline(always)]
pub unsafe fn row<const P: usize, const NIBBLES: bool>(
    factors: &Factors,
    mut from: *const f32,
    to: *mut f32,
    mut apart: Apart,
) {
    let Factors { steps, block_steps, mut a, mut b, ones, .. } = *factors;
    // SAFETY: every address is inside `a`, a panel, `from` or `to`; the pointers end one past their arrays.
    unsafe {
        let ones = Ones::load(ones);
        let mut left = steps;
        while left > 0 {
            let steps = if left < block_steps { left } else { block_steps };
            let mut sum = [[[I32x4::ZERO; 2]; 1]; P];
            let mut step = 0;
            while step < steps {
                let (x, next) =
                    (Activations::load(a), Activations::load(a.add(if NIBBLES { STEP } else { 0 })));
                let mut p = 0;
                while p < P {
                    let panel = b.add(p * apart.panels);
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
                let (from, to) = ((from.add(p * apart.from), 0), (to.add(p * apart.to), 0));
                let b = b.add(p * apart.panels);
                add_block::<1, 0, true>(&sum[p], a, b, from, to);
                add_block::<1, 1, true>(&sum[p], a, b, from, to);
                p += 1;
            }
            a = a.add(ROW_TAIL);
            b = b.add(BLOCK_TAIL);
            (from, apart.from) = (to, apart.to);
            left -= steps;
        }
    }
}

/// Adds a step of 8 bits, or two of 4.
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
            let (lower, upper) = Weights::load_nibbles(weights);
            sum.add_dot(&lower, x, ones).add_dot(&upper, next, ones)
        } else {
            sum.add_dot(&Weights::load(weights), x, ones)
        }
    }
}

/// Adds what a block's four columns on one side come to; `a` and `b` point behind its steps.
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
