//! The inner loop of products with weights in 8 bits: what happens inside one tile.
//!
//! Compiled like `inner.rs`, by the same rules.
//!
//! Layout: the inner axis is cut into blocks, a block into steps of four. A panel's block holds, for each step, four
//! bytes of each of its eight columns, then for each column the scale `s` of its weights `s w` and their sum `s Σw`.
//! A tile's block holds, for each step, four bytes of each of its rows, then for each row the scale `t` and the least
//! value `m` of its activations `t x + m`, where `x` has 7 bits. So a block adds `t s Σwx + m s Σw` to a sum.
//!
//! `Σwx` is computed in integers, exactly, so every machine and every number of rows gives the same one. A step is two
//! loads of weights and, for each row, one load and two dots of three instructions (multiply to pairs, add pairs, add):
//! 32 multiplications and additions in three, up to 95 GOP/s where f32 reaches 54. With plain SIMD a dot takes four: 58.
//!
//! Tile: 3 rows by 2 vectors. Its 6 sums, the weights, an activation, the ones and what is between two instructions fit
//! the vector registers, at the end of a block too, where scales and sums of weights come in. Whole products run 1.15
//! times as fast as with 6 rows, which spill there.

use super::inner::WIDTH;
use super::simd::{Activations, F32x4, I32x4, Ones, Weights};

/// Numbers along the inner axis that one step takes in.
pub const STEP: usize = 4;
/// Bytes of a panel in one step.
pub const STEP_BYTES: usize = STEP * WIDTH;
/// Bytes behind the steps of a panel's block: scales and sums.
pub const BLOCK_TAIL: usize = 2 * 4 * WIDTH;
/// Bytes behind the steps of a tile's block for each of its rows: scale and least value.
pub const ROW_TAIL: usize = 2 * 4;

/// The factors of a tile: `a` with at most three rows, `b`; `steps` in all, `block_steps` in a block, fewer in the last.
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
            for _ in 0..steps {
                let w = [Weights::load(b), Weights::load(b.add(16))];
                let mut i = 0;
                while i < M {
                    let x = Activations::load(a.add(STEP * i));
                    sum[i][0] = sum[i][0].add_dot(&w[0], &x, ones);
                    sum[i][1] = sum[i][1].add_dot(&w[1], &x, ones);
                    i += 1;
                }
                a = a.add(STEP * M);
                b = b.add(STEP_BYTES);
            }
            add_block::<M, 0>(&sum, a, b, (from, from_stride), (to, to_stride));
            add_block::<M, 1>(&sum, a, b, (from, from_stride), (to, to_stride));
            a = a.add(ROW_TAIL * M);
            b = b.add(BLOCK_TAIL);
            (from, from_stride) = (to, to_stride);
            left -= steps;
        }
    }
}

/// One row `a` with `P` panels, `panel_bytes` apart, side by side: alone it waits for memory, and several streams keep more
/// cache lines on the way than one. `to` has the panels' columns side by side, and so does `from` if `from_step` is
/// `WIDTH`; with 0 they all start from the same.
///
/// # Safety
/// As for [`tile`], of each panel.
#[inline(always)]
pub unsafe fn row<const P: usize>(
    factors: &Factors,
    panel_bytes: usize,
    mut from: *const f32,
    mut from_step: usize,
    to: *mut f32,
) {
    let Factors { steps, block_steps, mut a, mut b, ones, .. } = *factors;
    // SAFETY: every address is inside `a`, a panel, `from` or `to`; the pointers end one past their arrays.
    unsafe {
        let ones = Ones::load(ones);
        let mut left = steps;
        while left > 0 {
            let steps = if left < block_steps { left } else { block_steps };
            let mut sum = [[[I32x4::ZERO; 2]; 1]; P];
            for _ in 0..steps {
                let x = Activations::load(a);
                let mut p = 0;
                while p < P {
                    let panel = b.add(p * panel_bytes);
                    sum[p][0][0] = sum[p][0][0].add_dot(&Weights::load(panel), &x, ones);
                    sum[p][0][1] = sum[p][0][1].add_dot(&Weights::load(panel.add(16)), &x, ones);
                    p += 1;
                }
                a = a.add(STEP);
                b = b.add(STEP_BYTES);
            }
            let mut p = 0;
            while p < P {
                let (from, to) = ((from.add(p * from_step), 0), (to.add(p * WIDTH), 0));
                add_block::<1, 0>(&sum[p], a, b.add(p * panel_bytes), from, to);
                add_block::<1, 1>(&sum[p], a, b.add(p * panel_bytes), from, to);
                p += 1;
            }
            a = a.add(ROW_TAIL);
            b = b.add(BLOCK_TAIL);
            (from, from_step) = (to, WIDTH);
            left -= steps;
        }
    }
}

/// Adds what a block's four columns on one side come to; `a` and `b` point behind its steps.
#[inline(always)]
unsafe fn add_block<const M: usize, const SIDE: usize>(
    sum: &[[I32x4; 2]; M],
    a: *const u8,
    b: *const u8,
    (from, from_stride): (*const f32, usize),
    (to, to_stride): (*mut f32, usize),
) {
    // SAFETY: as in `tile_of`.
    unsafe {
        let tail = b.cast::<f32>().add(4 * SIDE);
        let (scale, weights) = (F32x4::load(tail), F32x4::load(tail.add(WIDTH)));
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
