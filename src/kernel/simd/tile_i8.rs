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
//! `Σwx` is an integer sum, so it is exact and does not depend on the machine or the number of
//! rows. A step is two loads of weights and, for each row, one load and two dot products of three
//! instructions (multiply to pairs, add pairs, add): 32 multiply-adds in three instructions, up to
//! 95 GOP/s where f32 reaches 54 GFLOP/s. With plain SIMD a dot product takes four instructions: 58
//! GOP/s.
//!
//! A tile has 3 rows of 2 vectors. Its 6 accumulators, the weights, one activation, the ones and
//! the temporaries fit into the vector registers, also at the end of a block, where scales and
//! weight sums are loaded. Whole products run 1.15 times as fast as with 6 rows, which spill there.
//! The loop is unrolled by two: 1.12 times as fast as not unrolled, and the same as by four.
//! Measured: 74 to 80 of 95 GOP/s. The rest is block ends: 9 instructions per accumulator convert
//! 16 steps to f32.

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

/// The factors of a tile.
pub struct Factors {
    /// Rows of `a`, at most [`ROWS`].
    pub rows: usize,
    /// The length of the inner axis in steps.
    pub steps: usize,
    /// Steps of each block; the last may have fewer.
    pub block_steps: usize,
    /// The blocks of `rows` rows: in each, `STEP` bytes for each step and row, then `ROW_TAIL`
    /// bytes for each row.
    pub a: *const u8,
    /// The blocks of a panel: in each, `STEP_BYTES` for each step, then `WIDE_TAIL` bytes
    /// ([`tile`]) or `BLOCK_TAIL` bytes ([`row`]).
    pub b: *const u8,
    /// 8 ones.
    pub ones: *const i16,
}

/// `out = initial + a b`, with row strides in floats.
///
/// # Safety
/// The pointers of `f` must be valid for reads of the sizes that their fields name. `initial` must
/// be valid for reads and `out` for reads and writes of `f.rows` rows of `WIDTH` floats with their
/// strides; they may be the same rows. No other thread may access the rows of `out`.
#[inline(always)]
pub unsafe fn tile(
    f: &Factors,
    initial: *const f32,
    initial_stride: usize,
    out: *mut f32,
    out_stride: usize,
) {
    // SAFETY: the caller guarantees `rows` rows, and each arm accesses as many.
    unsafe {
        match f.rows {
            3 => tile_of::<3>(f, initial, initial_stride, out, out_stride),
            2 => tile_of::<2>(f, initial, initial_stride, out, out_stride),
            _ => tile_of::<1>(f, initial, initial_stride, out, out_stride),
        }
    }
}

/// # Safety
/// As for [`tile`], with `M` rows.
#[inline(always)]
unsafe fn tile_of<const M: usize>(
    factors: &Factors,
    mut initial: *const f32,
    mut initial_stride: usize,
    out: *mut f32,
    out_stride: usize,
) {
    let Factors { steps, block_steps, mut a, mut b, ones, .. } = *factors;
    // SAFETY: as for `tile` with `M` rows. Each iteration reads one block of `a` and of `b` and
    // moves the pointers to the next; after the last they are one past their arrays. From the
    // second block on, the initial values are the output so far.
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
            add_block::<M, 0, false>(&sum, a, b, (initial, initial_stride), (out, out_stride));
            add_block::<M, 1, false>(&sum, a, b, (initial, initial_stride), (out, out_stride));
            a = a.add(ROW_TAIL * M);
            b = b.add(WIDE_TAIL);
            (initial, initial_stride) = (out, out_stride);
            left -= steps;
        }
    }
}

/// Adds the products of one step.
///
/// # Safety
/// `a` must be valid for reads of `STEP * M` bytes and `b` of `STEP_BYTES`.
#[inline(always)]
unsafe fn add_step<const M: usize>(
    sum: &mut [[I32x4; 2]; M],
    a: *const u8,
    b: *const u8,
    ones: Ones,
) {
    // SAFETY: the caller guarantees 32 bytes at `b`, and 4 at `a` for each row below `M`.
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
                let (initial, out) =
                    ((initial.add(p * strides.initial), 0), (out.add(p * strides.out), 0));
                let b = b.add(p * strides.panels);
                add_block::<1, 0, true>(&sum[p], a, b, initial, out);
                add_block::<1, 1, true>(&sum[p], a, b, initial, out);
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

/// Adds a block's result for the four columns of one vector (`SIDE`). `a` and `b` point to the end
/// of the block's steps.
///
/// # Safety
/// `a` must be valid for reads of `ROW_TAIL * M` bytes; `b` of `BLOCK_TAIL` bytes (`HALVES`) or
/// `WIDE_TAIL`. `initial` must be valid for reads and `out` for writes of `M` rows of `WIDTH`
/// floats with their strides, and no other thread may access those of `out`.
#[inline(always)]
unsafe fn add_block<const M: usize, const SIDE: usize, const HALVES: bool>(
    sum: &[[I32x4; 2]; M],
    a: *const u8,
    b: *const u8,
    (initial, initial_stride): (*const f32, usize),
    (out, out_stride): (*mut f32, usize),
) {
    // SAFETY: the caller guarantees the tails: `WIDTH` scales and `WIDTH` sums at `b`, two floats
    // for each row at `a`. `i` is below `M`.
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
            let start = F32x4::load(initial.add(i * initial_stride + 4 * SIDE));
            let start = weights.mul_add(F32x4::load_splat(row.add(1)), start);
            let products = sum[i][SIDE].to_f32().mul(scale);
            products
                .mul_add(F32x4::load_splat(row), start)
                .store(out.add(i * out_stride + 4 * SIDE));
            i += 1;
        }
    }
}
