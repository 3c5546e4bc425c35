//! The int8 micro-kernels: one tile of a product with 8-bit weights, and one row times several
//! panels of 8 or 4 bits.
//!
//! Compiled like `tile_f32.rs`, with the same restrictions.
//!
//! Layout: the inner axis is divided into blocks, and a block into steps of four numbers. A panel's
//! block holds, for each step, four bytes of each of its eight columns; then, for each column, the
//! scale `s` of its weights `s w` and their sum `s Σw`, stored as f16 (as f32 in the copy that a
//! tile reads). A tile's block holds, for each step, four bytes of each of its rows; then, for each
//! row, the scale `t` and the minimum `m` of its activations `t x + m`, where `x` has 7 bits. A
//! block adds `t s Σwx + m s Σw` to the result.
//!
//! `Σwx` is an integer sum, so it is exact and does not depend on the machine, the instruction set or
//! the number of rows.
//!
//! # Instructions
//!
//! - Relaxed SIMD: a dot product of 16 numbers takes three instructions (multiply to pairs, add
//!   pairs, add); a step is two loads of weights and, for each row, one load and two dot products.
//!   [`Backend::RelaxedDot`] takes one instruction instead of the three.
//! - Plain SIMD has only a dot product of 16-bit numbers. The operands of a tile are widened when
//!   they are packed, so that 8 numbers take two instructions. (Widening them in the tile took
//!   1.4 times as long.)
//!
//! A tile has 4 rows of 2 vectors: 8 integer accumulators, 2 vectors of weights, one activation, the
//! ones and a temporary. Its 8 f32 sums do not fit into the 15 vector registers beside them, but V8
//! keeps them on its stack for less than it costs to read and write `out` at every block's end, where
//! 7 instructions per accumulator convert 16 steps to f32. Tiles of 3 rows and unrolled loops are as
//! fast; tiles of 5 or 6 rows spill.
//!
//! Measured in Chromium, 120 rows by 768 by 3072, without the widening: 86 GOP/s with relaxed SIMD
//! (78 with sums in `out`), 96 without block ends; 69 GOP/s with plain SIMD, 75 without block ends.
//! The same machine reaches 51 GFLOP/s with relaxed multiply-adds. (EPYC at 3.2 GHz, 2026-11.)

use super::tile_f32::{Strides, WIDTH, load_sums, store_sums};
use super::vector::{BACKEND, Backend, DotProduct, F32x4, Float, I32x4, TileProduct, Vector};

type Activations = <I32x4 as DotProduct>::Activations;
type Ones = <I32x4 as DotProduct>::Ones;

/// Rows of a full tile.
pub const ROWS: usize = 4;
/// Numbers along the inner axis in one step.
pub const STEP: usize = 4;
/// Bytes of a panel in one step.
pub const STEP_BYTES: usize = STEP * WIDTH;
/// Bytes after the steps of a stored panel block: scales and weight sums in f16.
pub const BLOCK_TAIL: usize = 2 * 2 * WIDTH;
/// The same in the copy that a tile reads, in f32.
pub const WIDE_TAIL: usize = 2 * BLOCK_TAIL;
/// Bytes of one step in that copy.
pub const WIDE_STEP_BYTES: usize = I32x4::PARTS * STEP_BYTES;
/// Bytes after the steps of a tile's block, for each row: scale and minimum, in f32.
pub const ROW_TAIL: usize = 2 * 4;

/// The factors of a tile.
pub struct Factors {
    /// Rows of `a`, at most [`ROWS`].
    pub rows: usize,
    /// The length of the inner axis in steps.
    pub steps: usize,
    /// Steps of each block; the last may have fewer.
    pub block_steps: usize,
    /// The blocks of `rows` rows: in each, for each step, its parts ([`TileProduct`]), four bytes of
    /// each row; then `ROW_TAIL` bytes for each row. The blocks of one row ([`row`]) have `STEP` bytes
    /// for each step.
    pub a: *const u8,
    /// The blocks of a panel: in each, `WIDE_STEP_BYTES` for each step, part by part, and the gap
    /// of the [`Tails`] ([`tile`]), or `STEP_BYTES` for each step and `BLOCK_TAIL` bytes ([`row`]).
    pub b: *const u8,
    /// 8 ones.
    pub ones: *const i16,
}

/// Bytes of a row in one step of a tile.
pub const fn row_step_bytes(backend: Backend) -> usize {
    match backend {
        Backend::Simd => 2 * STEP,
        Backend::Relaxed | Backend::RelaxedDot => STEP,
    }
}

const _: () = assert!(row_step_bytes(BACKEND) == I32x4::PARTS * STEP);

/// What follows the blocks of a panel: for a tile in f32, apart from the steps.
#[derive(Clone, Copy)]
pub struct Tails {
    /// `WIDE_TAIL` bytes for each block.
    pub wide: *const u8,
    /// Bytes of `Factors::b` between the steps of two blocks.
    pub gap: usize,
}

/// `out = initial + a b`, with row strides in floats. `ONE` stands for [`Backend::RelaxedDot`].
///
/// # Safety
/// The pointers of `f` and `tails` must be valid for reads of the sizes that their fields name.
/// `initial` must be valid for reads and `out` for writes of `f.rows` rows of `WIDTH` floats with
/// their strides; they may be the same rows. No other thread may access the rows of `out`.
#[inline(always)]
pub unsafe fn tile<const ONE: bool>(
    f: &Factors,
    tails: Tails,
    initial: *const f32,
    initial_stride: usize,
    out: *mut f32,
    out_stride: usize,
) {
    let Factors { rows, steps, block_steps, a, b, ones } = *f;
    let Tails { wide, gap } = tails;
    macro_rules! tile_of {
        ($rows:literal) => {
            tile_of::<$rows, ONE>(
                steps,
                block_steps,
                a,
                b,
                gap,
                wide,
                ones,
                initial,
                initial_stride,
                out,
                out_stride,
            )
        };
    }
    // SAFETY: the caller guarantees `rows` rows, and each arm accesses as many.
    unsafe {
        match rows {
            4 => tile_of!(4),
            3 => tile_of!(3),
            2 => tile_of!(2),
            _ => tile_of!(1),
        }
    }
}

/// [`tile`] with `M` rows, not inlined: in a function of its own, V8 keeps more of the loop's
/// values in registers (1.03 times as fast).
///
/// # Safety
/// As for [`tile`], with the fields of [`Factors`] and [`Tails`].
#[expect(clippy::too_many_arguments, reason = "there is no stack that could hold a struct of them")]
#[inline(never)]
unsafe fn tile_of<const M: usize, const ONE: bool>(
    steps: usize,
    block_steps: usize,
    mut a: *const u8,
    mut b: *const u8,
    gap: usize,
    mut tails: *const u8,
    ones: *const i16,
    initial: *const f32,
    initial_stride: usize,
    out: *mut f32,
    out_stride: usize,
) {
    // SAFETY: as for `tile` with `M` rows. Each iteration reads one block of `a` and of `b` and
    // moves the pointers to the next; after the last they may be beyond their arrays, hence
    // `wrapping_add`.
    unsafe {
        let ones = I32x4::load_ones(ones);
        let mut total = load_sums::<M>(initial, initial_stride);
        let mut left = steps;
        while left > 0 {
            let steps = if left < block_steps { left } else { block_steps };
            let mut sum = [[I32x4::ZERO; 2]; M];
            let mut parts = I32x4::PARTS * steps;
            while parts > 0 {
                add_part::<M, ONE>(&mut sum, a, b, ones);
                a = a.add(STEP * M);
                b = b.add(STEP_BYTES);
                parts -= 1;
            }
            add_block(&mut total, &sum, a, tails);
            a = a.add(ROW_TAIL * M);
            b = b.wrapping_add(gap);
            tails = tails.add(WIDE_TAIL);
            left -= steps;
        }
        store_sums(&total, out, out_stride);
    }
}

/// Adds the products of one part.
///
/// # Safety
/// `a` must be valid for reads of `STEP * M` bytes and `b` of `STEP_BYTES`.
#[inline(always)]
unsafe fn add_part<const M: usize, const ONE: bool>(
    sum: &mut [[I32x4; 2]; M],
    a: *const u8,
    b: *const u8,
    ones: Ones,
) {
    // SAFETY: the caller guarantees 32 bytes at `b`, and 4 at `a` for each row below `M`.
    unsafe {
        let (left, right) = (I32x4::load_part(b), I32x4::load_part(b.add(16)));
        let mut i = 0;
        while i < M {
            let x = I32x4::splat_part(a.add(STEP * i));
            sum[i][0] = sum[i][0].add_part::<ONE>(left, x, ones);
            sum[i][1] = sum[i][1].add_part::<ONE>(right, x, ones);
            i += 1;
        }
    }
}

/// Adds a block's results. `a` points to the end of the block's steps, `b` to its tail.
///
/// # Safety
/// `a` must be valid for reads of `ROW_TAIL * M` bytes and `b` of `WIDE_TAIL`.
#[inline(always)]
unsafe fn add_block<const M: usize>(
    total: &mut [[F32x4; 2]; M],
    sum: &[[I32x4; 2]; M],
    a: *const u8,
    b: *const u8,
) {
    let (row, column) = (a.cast::<f32>(), b.cast::<f32>());
    // SAFETY: the caller guarantees the tails: `WIDTH` scales and `WIDTH` sums at `b`, two floats
    // for each row at `a`. `i` is below `M`.
    unsafe {
        let scale = [F32x4::load(column), F32x4::load(column.add(4))];
        let weights = [F32x4::load(column.add(WIDTH)), F32x4::load(column.add(WIDTH + 4))];
        let mut i = 0;
        while i < M {
            let t = F32x4::load_splat(row.add(2 * i));
            let min = F32x4::load_splat(row.add(2 * i + 1));
            total[i][0] = block_end(total[i][0], sum[i][0], scale[0], weights[0], t, min);
            total[i][1] = block_end(total[i][1], sum[i][1], scale[1], weights[1], t, min);
            i += 1;
        }
    }
}

/// `total + t s Σwx + min s Σw`, where `weights` are `s Σw`.
#[inline(always)]
fn block_end(
    total: F32x4,
    products: I32x4,
    scale: F32x4,
    weights: F32x4,
    t: F32x4,
    min: F32x4,
) -> F32x4 {
    let total = weights.mul_add(min, total);
    products.to_f32().mul(scale).mul_add(t, total)
}

/// One row `a` times `P` panels at once, in 8 bits or in 4 (`NIBBLES`), where a byte holds a number
/// of one step in its low nibble and one of the next step in its high nibble.
///
/// # Safety
/// `factors` describes one row, and panel `p` starts at `factors.b + p * strides.panels`; its
/// pointers must be valid for reads of the sizes that their fields name, for each panel. `WIDTH`
/// floats must be readable at `initial + p * strides.initial` and readable and writable at `out + p
/// * strides.out`. No other thread may access those of `out`.
#[inline(always)]
pub unsafe fn row<const P: usize, const NIBBLES: bool>(
    factors: &Factors,
    mut initial: *const f32,
    out: *mut f32,
    mut strides: Strides,
) {
    let Factors { steps, block_steps, mut a, mut b, ones, .. } = *factors;
    // SAFETY: the caller guarantees the sizes. Each iteration reads one block of `a` and of every
    // panel; after the last the pointers are one past their arrays. With nibbles, the number of
    // steps is even, so `next` is inside the block.
    unsafe {
        let ones = I32x4::load_ones(ones);
        let mut left = steps;
        while left > 0 {
            let steps = if left < block_steps { left } else { block_steps };
            let mut sum = [[I32x4::ZERO; 2]; P];
            let mut step = 0;
            while step < steps {
                let (x, next) = (
                    I32x4::load_activations(a),
                    I32x4::load_activations(a.add(if NIBBLES { STEP } else { 0 })),
                );
                let mut p = 0;
                while p < P {
                    let panel = b.add(p * strides.panels);
                    sum[p][0] = dot::<NIBBLES>(sum[p][0], panel, &x, &next, ones);
                    sum[p][1] = dot::<NIBBLES>(sum[p][1], panel.add(16), &x, &next, ones);
                    p += 1;
                }
                let taken = if NIBBLES { 2 } else { 1 };
                a = a.add(taken * STEP);
                b = b.add(STEP_BYTES);
                step += taken;
            }
            let mut p = 0;
            while p < P {
                let (initial, out) = (initial.add(p * strides.initial), out.add(p * strides.out));
                let b = b.add(p * strides.panels);
                add_row_block::<0>(sum[p][0], a, b, initial, out);
                add_row_block::<1>(sum[p][1], a, b, initial, out);
                p += 1;
            }
            a = a.add(ROW_TAIL);
            b = b.add(BLOCK_TAIL);
            (initial, strides.initial) = (out, strides.out);
            left -= steps;
        }
    }
}

/// Adds one step of 8 bits, or two steps of 4.
///
/// # Safety
/// `weights` must be valid for reads of 16 bytes.
#[inline(always)]
unsafe fn dot<const NIBBLES: bool>(
    sum: I32x4,
    weights: *const u8,
    x: &Activations,
    next: &Activations,
    ones: Ones,
) -> I32x4 {
    // SAFETY: the caller guarantees 16 readable bytes.
    unsafe {
        if NIBBLES {
            let [lower, upper] = I32x4::load_nibbles(weights);
            sum.add_dot(&lower, x, ones).add_dot(&upper, next, ones)
        } else {
            sum.add_dot(&I32x4::load_weights(weights), x, ones)
        }
    }
}

/// Adds a block's result for one row and the four columns of one vector (`SIDE`). `a` and `b` point to
/// the end of the block's steps.
///
/// # Safety
/// `a` must be valid for reads of `ROW_TAIL` bytes and `b` of `BLOCK_TAIL`; `initial` for reads and
/// `out` for writes of `WIDTH` floats, and no other thread may access those of `out`.
#[inline(always)]
unsafe fn add_row_block<const SIDE: usize>(
    sum: I32x4,
    a: *const u8,
    b: *const u8,
    initial: *const f32,
    out: *mut f32,
) {
    let (row, column) = (a.cast::<f32>(), b.cast::<u16>());
    // SAFETY: the caller guarantees the tails: `WIDTH` scales and `WIDTH` sums at `b`, two floats at
    // `a`.
    unsafe {
        let scale = F32x4::load_halves(column.add(4 * SIDE));
        let weights = F32x4::load_halves(column.add(WIDTH + 4 * SIDE));
        let (t, min) = (F32x4::load_splat(row), F32x4::load_splat(row.add(1)));
        block_end(F32x4::load(initial.add(4 * SIDE)), sum, scale, weights, t, min)
            .store(out.add(4 * SIDE));
    }
}
