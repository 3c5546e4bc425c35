//! What a forward pass does to rows of numbers besides products: GELU, softmax, the parts of LayerNorm.
//!
//! Compiled like `inner.rs`, by the same rules. Each row is computed alone, so how they are shared out changes no bit.
//! Four numbers are computed at once, in four such lanes where they are added up, because each addition waits for the
//! last; what is left over at the end of a row goes through the same steps one by one.

use super::simd::F32x4;

/// What happens to a row `x`.
#[derive(Clone, Copy)]
#[repr(C)]
pub enum Map {
    /// GPT-2's own GELU: `x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    Gelu,
    /// `exp(x) / sum(exp(x))`; `-inf` gets 0.
    Softmax,
    /// `sqrt(variance + eps)`, one number.
    Scale { eps: f32 },
    /// `(x - mean) / scale`, with one scale for each row.
    Normalize { scale: *const f32 },
    /// `x weight + bias`.
    Affine { weight: *const f32, bias: *const f32 },
    /// The greatest number, and `sum(exp(x - greatest))`.
    SumExp,
}

impl Map {
    /// How many numbers a row of `width` becomes.
    pub const fn width(self, width: usize) -> usize {
        match self {
            Map::Scale { .. } => 1,
            Map::SumExp => 2,
            _ => width,
        }
    }
}

/// Rows `[rows, width]` to rows.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Rows {
    pub map: Map,
    pub width: usize,
    pub x: *const f32,
    pub out: *mut f32,
}

/// Maps the rows from `first` to `last`.
///
/// # Safety
/// They must be readable in `x` and writable in `out`, and what the map holds readable.
pub unsafe fn map(rows: &Rows, first: usize, last: usize) {
    let Rows { map, width, x, out } = *rows;
    let mut row = first;
    while row < last {
        // SAFETY: as the caller promises.
        unsafe {
            let (x, out) = (x.add(row * width), out.add(row * map.width(width)));
            match map {
                Map::Gelu => each(width, x, out, gelu),
                Map::Softmax => softmax(width, x, out),
                Map::Scale { eps } => {
                    let mean = F32x4::splat(mean(width, x));
                    let square = |x: F32x4| x.sub(mean).mul(x.sub(mean));
                    *out = F32x4::splat(total(width, x, square) / width as f32 + eps).sqrt().first();
                }
                Map::Normalize { scale } => {
                    let mean = F32x4::splat(mean(width, x));
                    let inverse = F32x4::splat(1.0 / *scale.add(row));
                    each(width, x, out, |x| x.sub(mean).mul(inverse));
                }
                Map::Affine { weight, bias } => affine(width, x, weight, bias, out),
                Map::SumExp => {
                    let greatest = F32x4::splat(greatest(width, x));
                    *out = greatest.first();
                    *out.add(1) = total(width, x, |x| exp(x.sub(greatest)));
                }
            }
        }
        row += 1;
    }
}

/// What is masked behind the last number that is not costs nothing, and changes no bit of what is before it.
///
/// # Safety
/// `x` must be readable and `out` writable that far; they may be the same.
#[inline(always)]
pub unsafe fn softmax(width: usize, x: *const f32, out: *mut f32) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut seen = width;
        while seen > 0 && *x.add(seen - 1) == f32::NEG_INFINITY {
            seen -= 1;
        }
        // Where everything is masked, nothing is a number.
        let seen = if seen == 0 { width } else { seen };
        let top = F32x4::splat(greatest(seen, x));
        each(seen, x, out, |x| exp(x.sub(top)));
        let inverse = F32x4::splat(1.0 / total(seen, out, |x| x));
        each(seen, out, out, |x| x.mul(inverse));
        let mut i = seen;
        while i < width {
            *out.add(i) = 0.0;
            i += 1;
        }
    }
}

#[inline(always)]
unsafe fn affine(width: usize, x: *const f32, weight: *const f32, bias: *const f32, out: *mut f32) {
    let mut i = 0;
    // SAFETY: as in `map`.
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

#[inline(always)]
unsafe fn each(width: usize, x: *const f32, out: *mut f32, f: impl Fn(F32x4) -> F32x4) {
    let mut i = 0;
    // SAFETY: as in `map`.
    unsafe {
        while i + 4 <= width {
            f(F32x4::load(x.add(i))).store(out.add(i));
            i += 4;
        }
        while i < width {
            *out.add(i) = f(F32x4::load_splat(x.add(i))).first();
            i += 1;
        }
    }
}

#[inline(always)]
unsafe fn total(width: usize, x: *const f32, f: impl Fn(F32x4) -> F32x4) -> f32 {
    let zero = F32x4::splat(0.0);
    let mut sums = [zero, zero, zero, zero];
    let mut i = 0;
    // SAFETY: as in `map`.
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
        sums[0].add(sums[1]).add(sums[2].add(sums[3])).sum() + rest
    }
}

#[inline(always)]
unsafe fn mean(width: usize, x: *const f32) -> f32 {
    // SAFETY: as in `map`.
    unsafe { total(width, x, |x| x) / width as f32 }
}

/// -inf where there is none.
#[inline(always)]
unsafe fn greatest(width: usize, x: *const f32) -> f32 {
    let least = F32x4::splat(f32::NEG_INFINITY);
    let (mut even, mut odd) = (least, least);
    let mut i = 0;
    // SAFETY: as in `map`.
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
    even.max(odd).greatest()
}

#[inline(always)]
fn gelu(x: F32x4) -> F32x4 {
    let cubic = x.mul(x).mul(F32x4::splat(0.044_715));
    let inner = x.add(x.mul(cubic)).mul(F32x4::splat(0.797_884_6)); // √(2/π)
    x.mul(F32x4::splat(0.5)).mul(F32x4::splat(1.0).add(tanh(inner)))
}

#[inline(always)]
fn tanh(x: F32x4) -> F32x4 {
    let (one, two) = (F32x4::splat(1.0), F32x4::splat(2.0));
    one.sub(two.div(exp(x.add(x)).add(one)))
}

/// e^x (0 below -87) to 2 units in the last place: x = n ln 2 + r, a polynomial for e^r (the coefficients of Cephes'
/// expf), and n into the exponent.
#[inline(always)]
fn exp(x: F32x4) -> F32x4 {
    let round = F32x4::splat(12_582_912.0); // 1.5 * 2^23: adding and subtracting it rounds to an integer
    let within = x.min(F32x4::splat(88.0)).max(F32x4::splat(-87.0));
    let n = within.mul(F32x4::splat(core::f32::consts::LOG2_E)).add(round).sub(round);
    // ln 2 in two parts.
    let r = within.sub(n.mul(F32x4::splat(355.0 / 512.0))).add(n.mul(F32x4::splat(2.121_944_4e-4)));
    let p = F32x4::splat(1.987_569_1e-4);
    let p = p.mul_add(r, F32x4::splat(1.398_199_9e-3));
    let p = p.mul_add(r, F32x4::splat(8.333_452e-3));
    let p = p.mul_add(r, F32x4::splat(4.166_579_6e-2));
    let p = p.mul_add(r, F32x4::splat(1.666_666_5e-1));
    let p = p.mul_add(r, F32x4::splat(0.5));
    let power = p.mul(r).mul_add(r, r).add(F32x4::splat(1.0)).mul(n.power_of_two());
    // Where relaxed instructions took no number for a bound, it comes back here.
    power.zero_where_below(x, F32x4::splat(-87.0)).unless_nan(x)
}
