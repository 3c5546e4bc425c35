//! Single numbers, with the results that a lane of [`F32x4`](super::F32x4) has without fused
//! multiply-adds. Loops over them contain no branch and no call, so the compiler vectorizes them.

use super::Float;

impl Float for f32 {
    #[inline(always)]
    fn splat(value: f32) -> f32 {
        value
    }

    #[inline(always)]
    fn add(self, other: f32) -> f32 {
        self + other
    }

    #[inline(always)]
    fn sub(self, other: f32) -> f32 {
        self - other
    }

    #[inline(always)]
    fn mul(self, factor: f32) -> f32 {
        self * factor
    }

    #[inline(always)]
    fn div(self, divisor: f32) -> f32 {
        self / divisor
    }

    #[inline(always)]
    fn mul_add(self, factor: f32, summand: f32) -> f32 {
        self * factor + summand
    }

    #[inline(always)]
    fn min(self, other: f32) -> f32 {
        if other < self { other } else { self }
    }

    #[inline(always)]
    fn max(self, other: f32) -> f32 {
        if other > self { other } else { self }
    }

    #[inline(always)]
    fn power_of_two(self) -> f32 {
        f32::from_bits(self.to_bits().wrapping_add(127) << 23)
    }

    #[inline(always)]
    fn zero_where_below(self, x: f32, limit: f32) -> f32 {
        if x < limit { 0.0 } else { self }
    }

    #[inline(always)]
    fn propagate_nan(self, x: f32) -> f32 {
        if x.is_nan() { x } else { self }
    }
}
