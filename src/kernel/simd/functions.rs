//! Elementary functions, for vectors and for single numbers.
//!
//! Compiled like `tile_f32.rs`, with the same restrictions.

use super::vector::Float;

/// √(2/π), a constant of GPT-2's GELU.
pub const SQRT_2_OVER_PI: f32 = 0.797_884_6;
/// The factor of the cubic term of GPT-2's GELU.
pub const GELU_CUBIC: f32 = 0.044_715;

/// GPT-2's own GELU: `x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
#[inline(always)]
pub fn gelu<V: Float>(x: V) -> V {
    let cubic = x.mul(x).mul(V::splat(GELU_CUBIC));
    let inner = x.add(x.mul(cubic)).mul(V::splat(SQRT_2_OVER_PI));
    x.mul(V::splat(0.5)).mul(V::splat(1.0).add(tanh(inner)))
}

/// The derivative of [`gelu`].
#[inline(always)]
pub fn gelu_slope<V: Float>(x: V) -> V {
    let square = x.mul(x).mul(V::splat(GELU_CUBIC));
    let t = tanh(x.add(x.mul(square)).mul(V::splat(SQRT_2_OVER_PI)));
    let one = V::splat(1.0);
    let inner = one.add(V::splat(3.0).mul(square)).mul(V::splat(SQRT_2_OVER_PI));
    V::splat(0.5).mul(one.add(t).add(x.mul(one.sub(t.mul(t))).mul(inner)))
}

/// `1 - 2 / (e^2x + 1)`.
#[inline(always)]
pub fn tanh<V: Float>(x: V) -> V {
    let (one, two) = (V::splat(1.0), V::splat(2.0));
    one.sub(two.div(exp(x.add(x)).add(one)))
}

/// e^x (0 below -87) to 2 units in the last place: `x = n ln 2 + r`, a polynomial for e^r (the
/// coefficients of Cephes' `expf`), and `n` into the exponent.
#[inline(always)]
pub fn exp<V: Float>(x: V) -> V {
    let round = V::splat(12_582_912.0); // 1.5 * 2^23: adding and subtracting it rounds to an integer
    let within = x.min(V::splat(88.0)).max(V::splat(-87.0));
    let rounded = within.mul(V::splat(core::f32::consts::LOG2_E)).add(round);
    let n = rounded.sub(round);
    // ln 2 in two parts.
    let r = within.sub(n.mul(V::splat(355.0 / 512.0))).add(n.mul(V::splat(2.121_944_4e-4)));
    let p = V::splat(1.987_569_1e-4);
    let p = p.mul_add(r, V::splat(1.398_199_9e-3));
    let p = p.mul_add(r, V::splat(8.333_452e-3));
    let p = p.mul_add(r, V::splat(4.166_579_6e-2));
    let p = p.mul_add(r, V::splat(1.666_666_5e-1));
    let p = p.mul_add(r, V::splat(0.5));
    let power = p.mul(r).mul_add(r, r).add(V::splat(1.0)).mul(rounded.power_of_two());
    // Relaxed minimum and maximum may have dropped a NaN: it is restored here.
    power.zero_where_below(x, V::splat(-87.0)).propagate_nan(x)
}
