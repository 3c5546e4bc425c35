//! Vectors of wasm's 128-bit SIMD. What depends on relaxed SIMD is in `dot_plain.rs` and
//! `dot_relaxed.rs`.

use core::arch::wasm32::*;

use super::{DotProduct, Float, TileProduct, Vector};

#[cfg(not(target_feature = "relaxed-simd"))]
#[path = "dot_plain.rs"]
mod dot;
#[cfg(target_feature = "relaxed-simd")]
#[path = "dot_relaxed.rs"]
mod dot;

use dot::{Activations, Weights};
pub use dot::{BACKEND, has_dot_instruction};

/// Four f32.
#[derive(Clone, Copy)]
pub struct F32x4(v128);

impl Float for F32x4 {
    #[inline(always)]
    fn splat(value: f32) -> F32x4 {
        F32x4(f32x4_splat(value))
    }

    #[inline(always)]
    fn add(self, other: F32x4) -> F32x4 {
        F32x4(f32x4_add(self.0, other.0))
    }

    #[inline(always)]
    fn sub(self, other: F32x4) -> F32x4 {
        F32x4(f32x4_sub(self.0, other.0))
    }

    #[inline(always)]
    fn mul(self, factor: F32x4) -> F32x4 {
        F32x4(f32x4_mul(self.0, factor.0))
    }

    #[inline(always)]
    fn div(self, divisor: F32x4) -> F32x4 {
        F32x4(f32x4_div(self.0, divisor.0))
    }

    #[inline(always)]
    fn mul_add(self, factor: F32x4, summand: F32x4) -> F32x4 {
        F32x4(dot::mul_add(self.0, factor.0, summand.0))
    }

    #[inline(always)]
    fn min(self, other: F32x4) -> F32x4 {
        F32x4(f32x4_pmin(self.0, other.0))
    }

    #[inline(always)]
    fn max(self, other: F32x4) -> F32x4 {
        F32x4(f32x4_pmax(self.0, other.0))
    }

    #[inline(always)]
    fn power_of_two(self) -> F32x4 {
        F32x4(i32x4_shl(i32x4_add(self.0, i32x4_splat(127)), 23))
    }

    #[inline(always)]
    fn zero_where_below(self, x: F32x4, limit: F32x4) -> F32x4 {
        F32x4(v128_andnot(self.0, f32x4_lt(x.0, limit.0)))
    }

    #[inline(always)]
    fn propagate_nan(self, x: F32x4) -> F32x4 {
        F32x4(v128_bitselect(self.0, x.0, f32x4_eq(x.0, x.0)))
    }
}

impl Vector for F32x4 {
    #[inline(always)]
    unsafe fn load(from: *const f32) -> F32x4 {
        // SAFETY: the caller guarantees 4 readable floats.
        F32x4(unsafe { v128_load(from.cast()) })
    }

    #[inline(always)]
    unsafe fn load_splat(from: *const f32) -> F32x4 {
        // SAFETY: the caller guarantees 1 readable float.
        F32x4(unsafe { v128_load32_splat(from.cast()) })
    }

    #[inline(always)]
    unsafe fn load_partial(from: *const f32, count: usize) -> F32x4 {
        // SAFETY: the caller guarantees `count` readable floats, and each arm reads as many.
        unsafe {
            F32x4(match count {
                1 => v128_load32_splat(from.cast()),
                2 => v128_load64_splat(from.cast()),
                3 => v128_load32_lane::<2>(v128_load64_splat(from.cast()), from.add(2).cast()),
                _ => v128_load(from.cast()),
            })
        }
    }

    #[inline(always)]
    unsafe fn load_halves(from: *const u16) -> F32x4 {
        // The sign stays, and the other 15 bits move to their positions in an f32. The exponents'
        // biases differ by 112, which is a factor of 2^112.
        // SAFETY: the caller guarantees 4 readable halves.
        let wide = unsafe { i32x4_load_extend_i16x4(from.cast()) };
        let moved = v128_and(i32x4_shl(wide, 13), i32x4_splat(0x8FFF_E000_u32 as i32));
        F32x4(f32x4_mul(moved, f32x4_splat(f32::from_bits((127 + 112) << 23))))
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> F32x4 {
        // SAFETY: the caller guarantees 4 readable bytes.
        let bytes = unsafe { v128_load32_zero(from.cast()) };
        F32x4(f32x4_convert_i32x4(i32x4_extend_low_i16x8(i16x8_extend_low_i8x16(bytes))))
    }

    #[inline(always)]
    unsafe fn load_nibbles(from: *const u8) -> [F32x4; 2] {
        // SAFETY: the caller guarantees 4 readable bytes.
        let bytes = unsafe { v128_load32_zero(from.cast()) };
        let wide = u32x4_extend_low_u16x8(u16x8_extend_low_u8x16(bytes));
        let less_8 = |wide| F32x4(f32x4_convert_i32x4(i32x4_sub(wide, i32x4_splat(8))));
        [less_8(v128_and(wide, i32x4_splat(15))), less_8(u32x4_shr(wide, 4))]
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller guarantees 4 writable floats.
        unsafe { v128_store(to.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn store_halves(self, to: *mut u16) {
        let (least, greatest) = (f32x4_splat(-65504.0), f32x4_splat(65504.0));
        let number = f32x4_pmax(f32x4_pmin(self.0, greatest), least);
        let sign = v128_and(number, i32x4_splat(i32::MIN));
        let magnitude = v128_xor(number, sign);
        // Normal numbers: the exponents' biases differ by 112. Adding half a unit less one, and one
        // more if the last bit is odd, rounds to even.
        let odd = v128_and(u32x4_shr(magnitude, 13), i32x4_splat(1));
        let half_unit = i32x4_splat((0xFFF_u32.wrapping_sub(112 << 23)) as i32);
        let normal = u32x4_shr(i32x4_add(i32x4_add(magnitude, half_unit), odd), 13);
        // Others: in a sum with 0.5 the last bit is 2^-24, the smallest f16.
        let subnormal = i32x4_sub(f32x4_add(magnitude, f32x4_splat(0.5)), f32x4_splat(0.5));
        let is_subnormal = i32x4_lt(magnitude, i32x4_splat((127 - 14) << 23));
        let half = v128_bitselect(subnormal, normal, is_subnormal);
        let half = v128_or(half, u32x4_shr(sign, 16));
        // SAFETY: the caller guarantees 8 writable bytes.
        unsafe { v128_store64_lane::<0>(u16x8_narrow_i32x4(half, half), to.cast()) }
    }

    #[inline(always)]
    unsafe fn store_lowest_bytes([a, b, c, d]: [F32x4; 4], to: *mut u8) {
        let lowest = |row: F32x4| v128_and(row.0, i32x4_splat(0xFF));
        let low = v128_or(lowest(a), i32x4_shl(lowest(b), 8));
        let high = v128_or(i32x4_shl(lowest(c), 16), i32x4_shl(d.0, 24));
        // SAFETY: the caller guarantees 16 writable bytes.
        unsafe { v128_store(to.cast(), v128_or(low, high)) }
    }

    #[inline(always)]
    fn to_array(self) -> [f32; 4] {
        let mut array = [0.0; 4];
        // SAFETY: the array has room for 4 floats.
        unsafe { self.store(array.as_mut_ptr()) };
        array
    }

    #[inline(always)]
    fn transposed(a: F32x4, b: F32x4, c: F32x4, d: F32x4) -> [F32x4; 4] {
        let (ab_low, ab_high) =
            (i32x4_shuffle::<0, 4, 1, 5>(a.0, b.0), i32x4_shuffle::<2, 6, 3, 7>(a.0, b.0));
        let (cd_low, cd_high) =
            (i32x4_shuffle::<0, 4, 1, 5>(c.0, d.0), i32x4_shuffle::<2, 6, 3, 7>(c.0, d.0));
        [
            F32x4(i32x4_shuffle::<0, 1, 4, 5>(ab_low, cd_low)),
            F32x4(i32x4_shuffle::<2, 3, 6, 7>(ab_low, cd_low)),
            F32x4(i32x4_shuffle::<0, 1, 4, 5>(ab_high, cd_high)),
            F32x4(i32x4_shuffle::<2, 3, 6, 7>(ab_high, cd_high)),
        ]
    }

    #[inline(always)]
    fn sqrt(self) -> F32x4 {
        F32x4(f32x4_sqrt(self.0))
    }

    #[inline(always)]
    fn magnitude(self) -> F32x4 {
        F32x4(f32x4_abs(self.0))
    }

    #[inline(always)]
    fn larger_magnitude(self, other: F32x4) -> F32x4 {
        let is_larger = f32x4_gt(f32x4_abs(other.0), f32x4_abs(self.0));
        F32x4(v128_bitselect(other.0, self.0, is_larger))
    }

    #[inline(always)]
    fn rounded(self) -> F32x4 {
        // With 0.5 itself, the sum of the number below 0.5 would round to 1.
        let half = f32x4_splat(0.5_f32.next_down());
        let half = v128_or(half, v128_and(self.0, i32x4_splat(i32::MIN)));
        F32x4(f32x4_trunc(f32x4_add(self.0, half)))
    }

    #[inline(always)]
    fn first(self) -> f32 {
        f32x4_extract_lane::<0>(self.0)
    }

    #[inline(always)]
    fn reduce_sum(self) -> f32 {
        let halves = f32x4_add(self.0, i32x4_shuffle::<2, 3, 2, 3>(self.0, self.0));
        f32x4_extract_lane::<0>(halves) + f32x4_extract_lane::<1>(halves)
    }

    #[inline(always)]
    fn reduce_min(self) -> f32 {
        let halves = f32x4_pmin(self.0, i32x4_shuffle::<2, 3, 2, 3>(self.0, self.0));
        F32x4(f32x4_pmin(halves, i32x4_shuffle::<1, 1, 1, 1>(halves, halves))).first()
    }

    #[inline(always)]
    fn reduce_max(self) -> f32 {
        let halves = f32x4_pmax(self.0, i32x4_shuffle::<2, 3, 2, 3>(self.0, self.0));
        F32x4(f32x4_pmax(halves, i32x4_shuffle::<1, 1, 1, 1>(halves, halves))).first()
    }

    #[inline(always)]
    fn lowest_bytes(self) -> u32 {
        let bytes =
            u8x16_shuffle::<0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>(self.0, self.0);
        u32x4_extract_lane::<0>(bytes)
    }
}

/// Four i32.
#[derive(Clone, Copy)]
pub struct I32x4(v128);

/// Eight 16-bit ones.
#[derive(Clone, Copy)]
pub struct Ones(v128);

impl DotProduct for I32x4 {
    type Weights = Weights;
    type Activations = Activations;
    type Ones = Ones;

    const ZERO: I32x4 = I32x4(i32x4(0, 0, 0, 0));

    #[inline(always)]
    fn to_f32(self) -> F32x4 {
        F32x4(f32x4_convert_i32x4(self.0))
    }

    #[inline(always)]
    fn add_dot(self, weights: &Weights, activations: &Activations, ones: Ones) -> I32x4 {
        I32x4(i32x4_add(self.0, dot::dot(weights, activations, ones.0)))
    }

    #[inline(always)]
    unsafe fn load_ones(from: *const i16) -> Ones {
        // SAFETY: the caller guarantees 8 readable integers.
        Ones(unsafe { v128_load(from.cast()) })
    }

    #[inline(always)]
    unsafe fn load_weights(from: *const u8) -> Weights {
        // SAFETY: the caller guarantees 16 readable bytes.
        Weights::new(unsafe { v128_load(from.cast()) })
    }

    #[inline(always)]
    unsafe fn load_nibbles(from: *const u8) -> [Weights; 2] {
        // SAFETY: the caller guarantees 16 readable bytes.
        let [low, high] = nibbles(unsafe { v128_load(from.cast()) });
        [Weights::new(low), Weights::new(high)]
    }

    #[inline(always)]
    unsafe fn load_activations(from: *const u8) -> Activations {
        // SAFETY: the caller guarantees 4 readable bytes.
        Activations::new(unsafe { v128_load32_splat(from.cast()) })
    }
}

/// A vector of a tile: bytes or 16-bit numbers.
#[derive(Clone, Copy)]
pub struct Part(v128);

impl TileProduct for I32x4 {
    const PARTS: usize = dot::PARTS;
    type Part = Part;

    #[inline(always)]
    fn add_part<const ONE: bool>(self, weights: Part, activations: Part, ones: Ones) -> I32x4 {
        I32x4(dot::add_part::<ONE>(self.0, weights.0, activations.0, ones.0))
    }

    #[inline(always)]
    unsafe fn load_part(from: *const u8) -> Part {
        // SAFETY: the caller guarantees 16 readable bytes.
        Part(unsafe { v128_load(from.cast()) })
    }

    #[inline(always)]
    unsafe fn splat_part(from: *const u8) -> Part {
        // SAFETY: the caller guarantees 4 readable bytes.
        Part(unsafe { v128_load32_splat(from.cast()) })
    }

    #[inline(always)]
    unsafe fn widen_bytes(from: *const u8, to: *mut u8, stride: usize) {
        // SAFETY: the caller guarantees 16 readable bytes, and 16 writable bytes for each part.
        unsafe { store_parts(v128_load(from.cast()), to, stride) }
    }

    #[inline(always)]
    unsafe fn widen_nibbles(from: *const u8, to: *mut u8, stride: usize) {
        // SAFETY: the caller guarantees 16 readable bytes, and 16 writable bytes for each part of
        // both steps.
        unsafe {
            let [low, high] = nibbles(v128_load(from.cast()));
            store_parts(low, to, stride);
            store_parts(high, to.add(dot::PARTS * stride), stride);
        }
    }
}

/// # Safety
/// `to` must be valid for writes of 16 bytes at each multiple of `stride` below the number of
/// parts, and no other thread may access them.
#[inline(always)]
unsafe fn store_parts(bytes: v128, to: *mut u8, stride: usize) {
    for (i, part) in dot::parts(bytes).into_iter().enumerate() {
        // SAFETY: the caller guarantees 16 writable bytes for each part.
        unsafe { v128_store(to.add(i * stride).cast(), part) }
    }
}

/// The low and the high nibbles of 16 bytes, less 8.
#[inline(always)]
fn nibbles(bytes: v128) -> [v128; 2] {
    let eight = i8x16_splat(8);
    let low = i8x16_sub(v128_and(bytes, i8x16_splat(15)), eight);
    [low, i8x16_sub(u8x16_shr(bytes, 4), eight)]
}
