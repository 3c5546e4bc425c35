//! Row-wise operations: GELU, softmax, LayerNorm and its parts, and their gradients.
//!
//! Compiled like `tile_f32.rs`, with the same restrictions. Each row is computed by one thread, so
//! the number of threads changes no bit. Sums use four vector accumulators to hide the latency of
//! additions; the tail of a row is computed by the same vector code, one number at a time.

use super::functions::{exp, gelu, gelu_slope};
use super::panels::{copy, fill, longest};
use super::vector::{F32x4, Float, Vector};

/// The operation on a row `x`.
#[derive(Clone, Copy)]
#[repr(C)]
pub enum RowOp {
    /// GPT-2's own GELU: `x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    Gelu,
    /// `exp(x) / sum(exp(x))`; `-inf` gets 0.
    Softmax,
    /// The softmax times the row's weight; 0 if that is 0. `weights` has one float for each row, and
    /// is only read.
    WeightedSoftmax { weights: *const f32 },
    /// `sqrt(variance + eps)`, one number.
    Scale { eps: f32 },
    /// `(x - mean) / scale`. `scale` has one float for each row, and is only read.
    Normalize { scale: *const f32 },
    /// `x weight + bias`. Both have `width` floats, and are only read.
    Affine { weight: *const f32, bias: *const f32 },
    /// The maximum, and `sum(exp(x - max))`.
    SumExp,
    /// `Scale`, `Normalize` and `Affine` with the bits of the three. `weight` and `bias` have `width`
    /// floats or are null, and are only read.
    LayerNorm { eps: f32, weight: *const f32, bias: *const f32 },
    /// The gradient of the scale in `Normalize`, one number: from the normalized row `x` and the
    /// gradient of the output, `[rows, width]`. `scale` is as for `Normalize`; both are only read.
    NormalizeScaleGrad { scale: *const f32, grad: *const f32 },
    /// The gradient of `x` in `Scale`, from that of the scale. `scale` and `grad` have one float for
    /// each row, and are only read.
    ScaleGrad { scale: *const f32, grad: *const f32 },
    /// The gradient of `x` in `LayerNorm`, from that of the output, `[rows, width]`, only read: with
    /// the bits of the gradients of the three.
    LayerNormGrad { eps: f32, weight: *const f32, grad: *const f32 },
    /// The gradient of `x` in `Gelu`, from that of the output, `[rows, width]`, only read.
    GeluGrad { grad: *const f32 },
    /// The gradient of the scores, from the pattern `x` and its gradient, `[rows, width]`, only read.
    SoftmaxGrad { grad: *const f32 },
}

impl RowOp {
    /// The length of the output for a row of `width` numbers.
    pub const fn width(self, width: usize) -> usize {
        match self {
            RowOp::Scale { .. } | RowOp::NormalizeScaleGrad { .. } => 1,
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
                RowOp::WeightedSoftmax { weights } => {
                    let weight = *weights.add(row);
                    if weight == 0.0 {
                        fill(out, 0.0, 0, width);
                    } else {
                        softmax(width, x, out);
                        let weight = F32x4::splat(weight);
                        each(width, out, out, |x| x.mul(weight));
                    }
                }
                RowOp::Scale { eps } => *out = scale(width, x, mean(width, x), eps),
                RowOp::Normalize { scale } => {
                    normalize(width, x, mean(width, x), *scale.add(row), out)
                }
                RowOp::Affine { weight, bias } => affine(width, x, weight, bias, out),
                RowOp::SumExp => {
                    let max = F32x4::splat(max(width, x));
                    *out = max.first();
                    *out.add(1) = total(width, x, |x| exp(x.sub(max)));
                }
                RowOp::LayerNorm { eps, weight, bias } => {
                    let mean = mean(width, x);
                    normalize(width, x, mean, scale(width, x, mean, eps), out);
                    if !weight.is_null() {
                        affine(width, out, weight, bias, out);
                    }
                }
                RowOp::NormalizeScaleGrad { scale, grad } => {
                    *out = scale_slope(width, x, grad.add(row * width), *scale.add(row));
                }
                RowOp::ScaleGrad { scale, grad } => {
                    let slope = *grad.add(row) / (*scale.add(row) * width as f32);
                    let (mean, slope) = (F32x4::splat(mean(width, x)), F32x4::splat(slope));
                    each(width, x, out, |x| x.sub(mean).mul(slope));
                }
                RowOp::LayerNormGrad { eps, weight, grad } => {
                    layer_norm_grad(width, x, eps, weight, grad.add(row * width), out)
                }
                RowOp::GeluGrad { grad } => {
                    let grad = grad.add(row * width);
                    each_pair(width, x, grad, out, |x, g| g.mul(gelu_slope(x)));
                }
                RowOp::SoftmaxGrad { grad } => softmax_grad(width, x, grad.add(row * width), out),
            }
        }
        row += 1;
    }
}

/// `exp(x) / sum(exp(x))`, not inlined: the code serves attention too. A masked (`-inf`) tail of the
/// row is skipped, which changes no bit of the rest.
///
/// # Safety
/// `x` must be valid for reads and `out` for reads and writes of `width` floats; they may be the
/// same. No other thread may access those of `out`.
#[inline(never)]
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

/// `p (g - sum(p g))` for a pattern `p` and its gradient `g`, not inlined, like [`softmax`]. The zeros
/// at the end of the pattern are skipped, so that masked keys change no bit of the rest.
///
/// # Safety
/// `p` and `g` must be valid for reads and `out` for writes of `width` floats; `out` may be `g`. No
/// other thread may access those of `out`.
#[inline(never)]
pub unsafe fn softmax_grad(width: usize, p: *const f32, g: *const f32, out: *mut f32) {
    // SAFETY: as for this function; `length` is at most `width`.
    unsafe {
        let length = longest(1, p, width, width);
        let mean = F32x4::splat(total_of_pairs(length, p, g, |p, g| p.mul(g)));
        each_pair(length, p, g, out, |p, g| p.mul(g.sub(mean)));
        fill(out, 0.0, length, width);
    }
}

/// `sqrt(variance + eps)`.
///
/// # Safety
/// `x` must be valid for reads of `width` floats.
#[inline(always)]
unsafe fn scale(width: usize, x: *const f32, mean: f32, eps: f32) -> f32 {
    let mean = F32x4::splat(mean);
    let square = |x: F32x4| x.sub(mean).mul(x.sub(mean));
    // SAFETY: as for this function.
    F32x4::splat(unsafe { total(width, x, square) } / width as f32 + eps).sqrt().first()
}

/// `(x - mean) / scale`.
///
/// # Safety
/// `x` must be valid for reads and `out` for writes of `width` floats.
#[inline(always)]
unsafe fn normalize(width: usize, x: *const f32, mean: f32, scale: f32, out: *mut f32) {
    let (mean, inverse) = (F32x4::splat(mean), F32x4::splat(1.0 / scale));
    // SAFETY: as for this function.
    unsafe { each(width, x, out, |x| x.sub(mean).mul(inverse)) };
}

/// The gradient of the scale: `-sum(n g) / scale` for a normalized row `n` and its gradient `g`.
///
/// # Safety
/// `n` and `g` must be valid for reads of `width` floats.
#[inline(always)]
unsafe fn scale_slope(width: usize, n: *const f32, g: *const f32, scale: f32) -> f32 {
    // SAFETY: as for this function.
    -unsafe { total_of_pairs(width, n, g, |n, g| n.mul(g)) } / scale
}

/// With `n` the normalized row and `h` the gradient times the weight: `(h - mean(h) - n mean(h n)) /
/// scale`, in the order of the steps.
///
/// # Safety
/// `x` and `grad` must be valid for reads and `out` for writes of `width` floats; `weight` for reads
/// of `width` floats, unless it is null.
#[inline(always)]
unsafe fn layer_norm_grad(
    width: usize,
    x: *const f32,
    eps: f32,
    weight: *const f32,
    grad: *const f32,
    out: *mut f32,
) {
    // SAFETY: as for this function; `out` has `h` when it is read.
    unsafe {
        if weight.is_null() {
            copy(grad, out, width);
        } else {
            each_pair(width, grad, weight, out, |g, w| g.mul(w));
        }
        let mean_x = mean(width, x);
        let scale = scale(width, x, mean_x, eps);
        let (mean_x, inverse) = (F32x4::splat(mean_x), F32x4::splat(1.0 / scale));
        let along = total_of_pairs(width, x, out, |x, h| x.sub(mean_x).mul(inverse).mul(h));
        let slope = F32x4::splat(-along / scale / (scale * width as f32));
        let mean_h = F32x4::splat(mean(width, out));
        each_pair(width, x, out, out, |x, h| {
            h.sub(mean_h).mul(inverse).add(x.sub(mean_x).mul(slope))
        });
    }
}

/// # Safety
/// `x`, `weight` and `bias` must be valid for reads and `out` for writes of `width` floats; `x` and
/// `out` may be the same.
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

/// Writes `f(x, y)` to `out`, element by element.
///
/// # Safety
/// `x` and `y` must be valid for reads and `out` for writes of `width` floats; they may be the same.
#[inline(always)]
unsafe fn each_pair(
    width: usize,
    x: *const f32,
    y: *const f32,
    out: *mut f32,
    f: impl Fn(F32x4, F32x4) -> F32x4,
) {
    let mut i = 0;
    // SAFETY: all indices are below `width`.
    unsafe {
        while i + 4 <= width {
            f(F32x4::load(x.add(i)), F32x4::load(y.add(i))).store(out.add(i));
            i += 4;
        }
        while i < width {
            *out.add(i) = f(F32x4::load_splat(x.add(i)), F32x4::load_splat(y.add(i))).first();
            i += 1;
        }
    }
}

/// The sum of `f(x, y)`.
///
/// # Safety
/// `x` and `y` must be valid for reads of `width` floats.
#[inline(always)]
unsafe fn total_of_pairs(
    width: usize,
    x: *const f32,
    y: *const f32,
    f: impl Fn(F32x4, F32x4) -> F32x4,
) -> f32 {
    let (mut even, mut odd) = (F32x4::splat(0.0), F32x4::splat(0.0));
    let mut i = 0;
    // SAFETY: all indices are below `width`.
    unsafe {
        let pair = |i: usize| f(F32x4::load(x.add(i)), F32x4::load(y.add(i)));
        while i + 8 <= width {
            even = even.add(pair(i));
            odd = odd.add(pair(i + 4));
            i += 8;
        }
        let mut rest = 0.0;
        while i < width {
            rest += f(F32x4::load_splat(x.add(i)), F32x4::load_splat(y.add(i))).first();
            i += 1;
        }
        even.add(odd).reduce_sum() + rest
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
