//! Row-wise operations: GELU, softmax, the parts of LayerNorm.
//!
//! Compiled like `tile_f32.rs`, with the same restrictions. Each row is computed by one thread, so
//! the number of threads changes no bit. Sums use four vector accumulators to hide the latency of
//! additions; the tail of a row is computed by the same vector code, one number at a time.

use super::functions::{exp, gelu};
use super::vector::{F32x4, Float, Vector};

/// The operation on a row `x`.
#[derive(Clone, Copy)]
#[repr(C)]
pub enum RowOp {
    /// GPT-2's own GELU: `x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    Gelu,
    /// `exp(x) / sum(exp(x))`; `-inf` gets 0.
    Softmax,
    /// `sqrt(variance + eps)`, one number.
    Scale { eps: f32 },
    /// `(x - mean) / scale`. `scale` has one float for each row, and is only read.
    Normalize { scale: *const f32 },
    /// `x weight + bias`. Both have `width` floats, and are only read.
    Affine { weight: *const f32, bias: *const f32 },
    /// The maximum, and `sum(exp(x - max))`.
    SumExp,
}

impl RowOp {
    /// The length of the output for a row of `width` numbers.
    pub const fn width(self, width: usize) -> usize {
        match self {
            RowOp::Scale { .. } => 1,
            RowOp::SumExp => 2,
            _ => width,
        }
    }
}

/// An operation on rows `[rows, width]`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Rows {
    pub op: RowOp,
    /// The length of a row.
    pub width: usize,
    /// `[rows, width]`. Read by the worker that takes the row.
    pub x: *const f32,
    /// `[rows, op.width(width)]`. Written by the worker that takes the row.
    pub out: *mut f32,
}

/// Applies the operation to the rows `first..last`.
///
/// # Safety
/// The pointers of `rows` and of its operation must be valid for the sizes that their fields name,
/// for the rows before `last`. No other thread may access the output of these rows.
pub unsafe fn rows(rows: &Rows, first: usize, last: usize) {
    let Rows { op, width, x, out } = *rows;
    let mut row = first;
    while row < last {
        // SAFETY: `row` is below `last`, so `x` and `out` point to a row of `width` and of
        // `op.width(width)` floats.
        unsafe {
            let (x, out) = (x.add(row * width), out.add(row * op.width(width)));
            match op {
                RowOp::Gelu => each(width, x, out, gelu),
                RowOp::Softmax => softmax(width, x, out),
                RowOp::Scale { eps } => {
                    let mean = F32x4::splat(mean(width, x));
                    let square = |x: F32x4| x.sub(mean).mul(x.sub(mean));
                    *out =
                        F32x4::splat(total(width, x, square) / width as f32 + eps).sqrt().first();
                }
                RowOp::Normalize { scale } => {
                    let mean = F32x4::splat(mean(width, x));
                    let inverse = F32x4::splat(1.0 / *scale.add(row));
                    each(width, x, out, |x| x.sub(mean).mul(inverse));
                }
                RowOp::Affine { weight, bias } => affine(width, x, weight, bias, out),
                RowOp::SumExp => {
                    let max = F32x4::splat(max(width, x));
                    *out = max.first();
                    *out.add(1) = total(width, x, |x| exp(x.sub(max)));
                }
            }
        }
        row += 1;
    }
}

/// `exp(x) / sum(exp(x))`. A masked (`-inf`) tail of the row is skipped, which changes no bit of
/// the rest.
///
/// # Safety
/// `x` must be valid for reads and `out` for reads and writes of `width` floats; they may be the
/// same. No other thread may access those of `out`.
#[inline(always)]
pub unsafe fn softmax(width: usize, x: *const f32, out: *mut f32) {
    // SAFETY: all indices are below `width`.
    unsafe {
        let mut length = width;
        while length > 0 && *x.add(length - 1) == f32::NEG_INFINITY {
            length -= 1;
        }
        // A fully masked row gives NaN, as PyTorch does.
        let length = if length == 0 { width } else { length };
        let top = F32x4::splat(max(length, x));
        each(length, x, out, |x| exp(x.sub(top)));
        let inverse = F32x4::splat(1.0 / total(length, out, |x| x));
        each(length, out, out, |x| x.mul(inverse));
        let mut i = length;
        while i < width {
            *out.add(i) = 0.0;
            i += 1;
        }
    }
}

/// # Safety
/// `x`, `weight` and `bias` must be valid for reads and `out` for writes of `width` floats.
#[inline(always)]
unsafe fn affine(width: usize, x: *const f32, weight: *const f32, bias: *const f32, out: *mut f32) {
    let mut i = 0;
    // SAFETY: all indices are below `width`.
    unsafe {
        while i + 4 <= width {
            let product = F32x4::load(x.add(i)).mul(F32x4::load(weight.add(i)));
            product.add(F32x4::load(bias.add(i))).store(out.add(i));
            i += 4;
        }
        while i < width {
            *out.add(i) = *x.add(i) * *weight.add(i) + *bias.add(i);
            i += 1;
        }
    }
}

/// Writes `f(x)` to `out`, element by element, four vectors at a time: V8 constructs the constants of
/// `f` in every iteration, and one vector's operations wait for each other. GELU takes 33 instead of
/// 50 cycles for a vector.
///
/// # Safety
/// `x` must be valid for reads and `out` for writes of `width` floats; they may be the same.
#[inline(always)]
unsafe fn each(width: usize, x: *const f32, out: *mut f32, f: impl Fn(F32x4) -> F32x4) {
    let mut i = 0;
    // SAFETY: all indices are below `width`.
    unsafe {
        let at = |i: usize| f(F32x4::load(x.add(i)));
        while i + 16 <= width {
            let y = [at(i), at(i + 4), at(i + 8), at(i + 12)];
            y[0].store(out.add(i));
            y[1].store(out.add(i + 4));
            y[2].store(out.add(i + 8));
            y[3].store(out.add(i + 12));
            i += 16;
        }
        while i + 4 <= width {
            at(i).store(out.add(i));
            i += 4;
        }
        while i < width {
            *out.add(i) = f(F32x4::load_splat(x.add(i))).first();
            i += 1;
        }
    }
}

/// The sum of `f(x)`.
///
/// # Safety
/// `x` must be valid for reads of `width` floats.
#[inline(always)]
unsafe fn total(width: usize, x: *const f32, f: impl Fn(F32x4) -> F32x4) -> f32 {
    let zero = F32x4::splat(0.0);
    let mut sums = [zero, zero, zero, zero];
    let mut i = 0;
    // SAFETY: all indices are below `width`.
    unsafe {
        while i + 16 <= width {
            sums[0] = sums[0].add(f(F32x4::load(x.add(i))));
            sums[1] = sums[1].add(f(F32x4::load(x.add(i + 4))));
            sums[2] = sums[2].add(f(F32x4::load(x.add(i + 8))));
            sums[3] = sums[3].add(f(F32x4::load(x.add(i + 12))));
            i += 16;
        }
        let mut rest = 0.0;
        while i < width {
            rest += f(F32x4::load_splat(x.add(i))).first();
            i += 1;
        }
        sums[0].add(sums[1]).add(sums[2].add(sums[3])).reduce_sum() + rest
    }
}

/// # Safety
/// `x` must be valid for reads of `width` floats.
#[inline(always)]
unsafe fn mean(width: usize, x: *const f32) -> f32 {
    // SAFETY: as for this function.
    unsafe { total(width, x, |x| x) / width as f32 }
}

/// The maximum; `-inf` for an empty row.
///
/// # Safety
/// `x` must be valid for reads of `width` floats.
#[inline(always)]
unsafe fn max(width: usize, x: *const f32) -> f32 {
    let lowest = F32x4::splat(f32::NEG_INFINITY);
    let (mut even, mut odd) = (lowest, lowest);
    let mut i = 0;
    // SAFETY: all indices are below `width`.
    unsafe {
        while i + 8 <= width {
            even = even.max(F32x4::load(x.add(i)));
            odd = odd.max(F32x4::load(x.add(i + 4)));
            i += 8;
        }
        while i < width {
            even = even.max(F32x4::load_splat(x.add(i)));
            i += 1;
        }
    }
    even.max(odd).reduce_max()
}
