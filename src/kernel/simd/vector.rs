//! Vectors of 128 bits: `core::arch::wasm32` in a browser, plain arrays natively, where only tests use them.
//!
//! Only this file contains instructions of a particular instruction set.

#[cfg(target_arch = "wasm32")]
pub use wasm::*;

#[cfg(not(target_arch = "wasm32"))]
pub use arrays::*;

#[cfg(target_arch = "wasm32")]
mod wasm {
    use core::arch::wasm32::*;

    /// Four f32.
    #[derive(Clone, Copy)]
    pub struct F32x4(v128);

    impl F32x4 {
        /// # Safety
        /// Four floats must be readable at `from`.
        #[inline(always)]
        pub unsafe fn load(from: *const f32) -> F32x4 {
            F32x4(unsafe { v128_load(from.cast()) })
        }

        /// # Safety
        /// One float must be readable at `from`.
        #[inline(always)]
        pub unsafe fn load_splat(from: *const f32) -> F32x4 {
            F32x4(unsafe { v128_load32_splat(from.cast()) })
        }

        /// # Safety
        /// Four floats must be writable at `to`.
        #[inline(always)]
        pub unsafe fn store(self, to: *mut f32) {
            unsafe { v128_store(to.cast(), self.0) }
        }

        /// The first `count` floats at `from`, 1 to 4; unused lanes repeat earlier ones.
        ///
        /// # Safety
        /// They must be readable.
        #[inline(always)]
        pub unsafe fn load_partial(from: *const f32, count: usize) -> F32x4 {
            unsafe {
                F32x4(match count {
                    1 => v128_load32_splat(from.cast()),
                    2 => v128_load64_splat(from.cast()),
                    3 => v128_load32_lane::<2>(v128_load64_splat(from.cast()), from.add(2).cast()),
                    _ => v128_load(from.cast()),
                })
            }
        }

        /// The rows of a matrix as its columns.
        #[inline(always)]
        pub fn transposed(a: F32x4, b: F32x4, c: F32x4, d: F32x4) -> [F32x4; 4] {
            let (ab, ab_behind) =
                (i32x4_shuffle::<0, 4, 1, 5>(a.0, b.0), i32x4_shuffle::<2, 6, 3, 7>(a.0, b.0));
            let (cd, cd_behind) =
                (i32x4_shuffle::<0, 4, 1, 5>(c.0, d.0), i32x4_shuffle::<2, 6, 3, 7>(c.0, d.0));
            [
                F32x4(i32x4_shuffle::<0, 1, 4, 5>(ab, cd)),
                F32x4(i32x4_shuffle::<2, 3, 6, 7>(ab, cd)),
                F32x4(i32x4_shuffle::<0, 1, 4, 5>(ab_behind, cd_behind)),
                F32x4(i32x4_shuffle::<2, 3, 6, 7>(ab_behind, cd_behind)),
            ]
        }

        /// Converts four finite f16 at `from`. Infinities and NaN are not supported: weights in f16 are checked when they load.
        ///
        /// # Safety
        /// Four halves must be readable at `from`.
        #[inline(always)]
        pub unsafe fn load_halves(from: *const u16) -> F32x4 {
            // Sign and the other 15 bits to their scratch; the difference of the exponents' biases is a factor.
            let wide = unsafe { i32x4_load_extend_i16x4(from.cast()) };
            let moved = v128_and(i32x4_shl(wide, 13), i32x4_splat(0x8FFF_E000_u32 as i32));
            F32x4(f32x4_mul(moved, f32x4_splat(f32::from_bits((127 + 112) << 23))))
        }

        #[inline(always)]
        pub fn splat(value: f32) -> F32x4 {
            F32x4(f32x4_splat(value))
        }

        #[inline(always)]
        pub fn to_array(self) -> [f32; 4] {
            let mut array = [0.0; 4];
            // SAFETY: it has room for four.
            unsafe { self.store(array.as_mut_ptr()) };
            array
        }

        #[inline(always)]
        pub fn reduce_min(self) -> f32 {
            let halves = f32x4_pmin(self.0, i32x4_shuffle::<2, 3, 2, 3>(self.0, self.0));
            F32x4(f32x4_pmin(halves, i32x4_shuffle::<1, 1, 1, 1>(halves, halves))).first()
        }

        #[inline(always)]
        pub fn add(self, other: F32x4) -> F32x4 {
            F32x4(f32x4_add(self.0, other.0))
        }

        #[inline(always)]
        pub fn mul(self, factor: F32x4) -> F32x4 {
            F32x4(f32x4_mul(self.0, factor.0))
        }

        #[inline(always)]
        pub fn sub(self, other: F32x4) -> F32x4 {
            F32x4(f32x4_sub(self.0, other.0))
        }

        #[inline(always)]
        pub fn div(self, other: F32x4) -> F32x4 {
            F32x4(f32x4_div(self.0, other.0))
        }

        #[inline(always)]
        pub fn sqrt(self) -> F32x4 {
            F32x4(f32x4_sqrt(self.0))
        }

        /// The first lane.
        #[inline(always)]
        pub fn first(self) -> f32 {
            f32x4_extract_lane::<0>(self.0)
        }

        #[inline(always)]
        pub fn reduce_sum(self) -> f32 {
            let halves = f32x4_add(self.0, i32x4_shuffle::<2, 3, 2, 3>(self.0, self.0));
            f32x4_extract_lane::<0>(halves) + f32x4_extract_lane::<1>(halves)
        }

        #[inline(always)]
        pub fn reduce_max(self) -> f32 {
            let halves = f32x4_pmax(self.0, i32x4_shuffle::<2, 3, 2, 3>(self.0, self.0));
            F32x4(f32x4_pmax(halves, i32x4_shuffle::<1, 1, 1, 1>(halves, halves))).first()
        }

        /// 2 to the power of each lane, an integer from -126 to 127.
        #[inline(always)]
        pub fn power_of_two(self) -> F32x4 {
            F32x4(i32x4_shl(i32x4_add(i32x4_trunc_sat_f32x4(self.0), i32x4_splat(127)), 23))
        }

        /// 0 in the lanes where `x` is below `limit`.
        #[inline(always)]
        pub fn zero_where_below(self, x: F32x4, limit: F32x4) -> F32x4 {
            F32x4(v128_andnot(self.0, f32x4_lt(x.0, limit.0)))
        }

        /// `x` in the lanes where `x` is NaN, `self` elsewhere.
        #[inline(always)]
        pub fn propagate_nan(self, x: F32x4) -> F32x4 {
            F32x4(v128_bitselect(self.0, x.0, f32x4_eq(x.0, x.0)))
        }

        /// The minimum of each lane. If one lane is NaN the result is unspecified: relaxed SIMD allows either.
        #[inline(always)]
        pub fn min(self, other: F32x4) -> F32x4 {
            F32x4(f32x4_pmin(self.0, other.0))
        }

        /// The maximum of each lane, with the same rule for NaN.
        #[inline(always)]
        pub fn max(self, other: F32x4) -> F32x4 {
            F32x4(f32x4_pmax(self.0, other.0))
        }

        /// The lowest bytes of the four bit patterns, in one word.
        #[inline(always)]
        pub fn lowest_bytes(self) -> u32 {
            let bytes =
                u8x16_shuffle::<0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>(self.0, self.0);
            u32x4_extract_lane::<0>(bytes)
        }

        /// `self * factor + summand`, rounded once where the machine can.
        #[inline(always)]
        pub fn mul_add(self, factor: F32x4, summand: F32x4) -> F32x4 {
            #[cfg(target_feature = "relaxed-simd")]
            let sum = f32x4_relaxed_madd(self.0, factor.0, summand.0);
            #[cfg(not(target_feature = "relaxed-simd"))]
            let sum = f32x4_add(summand.0, f32x4_mul(self.0, factor.0));
            F32x4(sum)
        }
    }

    /// Four i32.
    #[derive(Clone, Copy)]
    pub struct I32x4(v128);

    impl I32x4 {
        pub const ZERO: I32x4 = I32x4(i32x4(0, 0, 0, 0));

        #[inline(always)]
        pub fn to_f32(self) -> F32x4 {
            F32x4(f32x4_convert_i32x4(self.0))
        }

        /// Adds to each lane the dot product of its four weights and four activations. The result is exact on every machine.
        #[inline(always)]
        pub fn add_dot(self, weights: &Weights, activations: &Activations, ones: Ones) -> I32x4 {
            #[cfg(target_feature = "relaxed-simd")]
            let products = {
                // Sums of two products fit in 16 bits: activations have 7 bits and weights are at least -127.
                let pairs = i16x8_relaxed_dot_i8x16_i7x16(weights.0, activations.0);
                i32x4_dot_i16x8(pairs, ones.0)
            };
            #[cfg(not(target_feature = "relaxed-simd"))]
            let products = {
                let _ = ones;
                let even = i32x4_dot_i16x8(weights.even, activations.even);
                i32x4_add(even, i32x4_dot_i16x8(weights.odd, activations.odd))
            };
            I32x4(i32x4_add(self.0, products))
        }
    }

    /// Eight 16-bit ones. They are loaded from memory because the engine would rematerialise a constant in every iteration.
    #[derive(Clone, Copy)]
    pub struct Ones(v128);

    impl Ones {
        /// # Safety
        /// Eight ones must be readable at `from`.
        #[inline(always)]
        pub unsafe fn load(from: *const i16) -> Ones {
            Ones(unsafe { v128_load(from.cast()) })
        }
    }

    /// Four signed bytes for each of four lanes.
    #[derive(Clone, Copy)]
    #[cfg(target_feature = "relaxed-simd")]
    pub struct Weights(v128);

    /// Four bytes from 0 to 127, the same for each of four lanes.
    #[derive(Clone, Copy)]
    #[cfg(target_feature = "relaxed-simd")]
    pub struct Activations(v128);

    #[cfg(target_feature = "relaxed-simd")]
    impl Weights {
        /// # Safety
        /// 16 bytes must be readable at `from`.
        #[inline(always)]
        pub unsafe fn load(from: *const u8) -> Weights {
            Weights::new(unsafe { v128_load(from.cast()) })
        }

        #[inline(always)]
        fn new(bytes: v128) -> Weights {
            Weights(bytes)
        }
    }

    #[cfg(target_feature = "relaxed-simd")]
    impl Activations {
        /// # Safety
        /// 4 bytes must be readable at `from`.
        #[inline(always)]
        pub unsafe fn load(from: *const u8) -> Activations {
            Activations(unsafe { v128_load32_splat(from.cast()) })
        }
    }

    /// Four signed bytes for each of four lanes, those with even and with odd scratch in 16 bits each.
    #[derive(Clone, Copy)]
    #[cfg(not(target_feature = "relaxed-simd"))]
    pub struct Weights {
        even: v128,
        odd: v128,
    }

    /// Four bytes from 0 to 127, the same for each of four lanes, widened in the same way.
    #[derive(Clone, Copy)]
    #[cfg(not(target_feature = "relaxed-simd"))]
    pub struct Activations {
        even: v128,
        odd: v128,
    }

    #[cfg(not(target_feature = "relaxed-simd"))]
    impl Weights {
        /// # Safety
        /// 16 bytes must be readable at `from`.
        #[inline(always)]
        pub unsafe fn load(from: *const u8) -> Weights {
            Weights::new(unsafe { v128_load(from.cast()) })
        }

        #[inline(always)]
        fn new(bytes: v128) -> Weights {
            Weights { even: i16x8_shr(i16x8_shl(bytes, 8), 8), odd: i16x8_shr(bytes, 8) }
        }
    }

    #[cfg(not(target_feature = "relaxed-simd"))]
    impl Activations {
        /// # Safety
        /// 4 bytes must be readable at `from`.
        #[inline(always)]
        pub unsafe fn load(from: *const u8) -> Activations {
            let bytes = unsafe { v128_load32_splat(from.cast()) };
            Activations { even: v128_and(bytes, i16x8_splat(0xFF)), odd: u16x8_shr(bytes, 8) }
        }
    }

    impl Weights {
        /// Unpacks 32 unsigned 4-bit numbers at `from` and subtracts 8: low nibbles first, then high nibbles.
        ///
        /// # Safety
        /// 16 bytes must be readable at `from`.
        #[inline(always)]
        pub unsafe fn load_nibbles(from: *const u8) -> (Weights, Weights) {
            let (bytes, eight) = (unsafe { v128_load(from.cast()) }, i8x16_splat(8));
            let lower = i8x16_sub(v128_and(bytes, i8x16_splat(15)), eight);
            (Weights::new(lower), Weights::new(i8x16_sub(u8x16_shr(bytes, 4), eight)))
        }
    }

    /// Unpacks 32 unsigned 4-bit numbers at `from`, subtracts 8 and stores bytes: low nibbles at `to`, high nibbles at
    /// `to + stride`.
    ///
    /// # Safety
    /// 16 bytes must be readable at `from`, 16 writable at `to` and at `to + stride`.
    #[inline(always)]
    pub unsafe fn widen_nibbles(from: *const u8, to: *mut u8, stride: usize) {
        unsafe {
            let (bytes, eight) = (v128_load(from.cast()), i8x16_splat(8));
            v128_store(to.cast(), i8x16_sub(v128_and(bytes, i8x16_splat(15)), eight));
            v128_store(to.add(stride).cast(), i8x16_sub(u8x16_shr(bytes, 4), eight));
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod arrays {
    use std::array::from_fn;

    #[derive(Clone, Copy)]
    pub struct F32x4([f32; 4]);

    impl F32x4 {
        /// # Safety
        /// Four floats must be readable at `from`.
        pub unsafe fn load(from: *const f32) -> F32x4 {
            F32x4(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
        }

        /// # Safety
        /// One float must be readable at `from`.
        pub unsafe fn load_splat(from: *const f32) -> F32x4 {
            F32x4([unsafe { from.read_unaligned() }; 4])
        }

        /// # Safety
        /// Four floats must be writable at `to`.
        pub unsafe fn store(self, to: *mut f32) {
            unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
        }

        /// # Safety
        /// The first `count` floats must be readable, at least one.
        pub unsafe fn load_partial(from: *const f32, count: usize) -> F32x4 {
            F32x4(from_fn(|i| unsafe { *from.add(i.min(count - 1)) }))
        }

        pub fn transposed(a: F32x4, b: F32x4, c: F32x4, d: F32x4) -> [F32x4; 4] {
            from_fn(|i| F32x4([a.0[i], b.0[i], c.0[i], d.0[i]]))
        }

        /// # Safety
        /// Four halves must be readable at `from`.
        pub unsafe fn load_halves(from: *const u16) -> F32x4 {
            let halves = unsafe { from.cast::<[u16; 4]>().read_unaligned() };
            F32x4(halves.map(|half| half::f16::from_bits(half).to_f32()))
        }

        pub fn splat(value: f32) -> F32x4 {
            F32x4([value; 4])
        }

        pub fn to_array(self) -> [f32; 4] {
            self.0
        }

        pub fn add(self, other: F32x4) -> F32x4 {
            F32x4(from_fn(|i| self.0[i] + other.0[i]))
        }

        pub fn mul(self, factor: F32x4) -> F32x4 {
            F32x4(from_fn(|i| self.0[i] * factor.0[i]))
        }

        pub fn sub(self, other: F32x4) -> F32x4 {
            F32x4(from_fn(|i| self.0[i] - other.0[i]))
        }

        pub fn div(self, other: F32x4) -> F32x4 {
            F32x4(from_fn(|i| self.0[i] / other.0[i]))
        }

        pub fn sqrt(self) -> F32x4 {
            F32x4(self.0.map(f32::sqrt))
        }

        pub fn first(self) -> f32 {
            self.0[0]
        }

        pub fn reduce_sum(self) -> f32 {
            (self.0[0] + self.0[2]) + (self.0[1] + self.0[3])
        }

        pub fn reduce_max(self) -> f32 {
            self.0.into_iter().fold(f32::NEG_INFINITY, f32::max)
        }

        pub fn reduce_min(self) -> f32 {
            self.0.into_iter().fold(f32::INFINITY, f32::min)
        }

        pub fn power_of_two(self) -> F32x4 {
            F32x4(self.0.map(|lane| f32::from_bits(((lane as i32 + 127) << 23) as u32)))
        }

        pub fn zero_where_below(self, x: F32x4, limit: F32x4) -> F32x4 {
            F32x4(from_fn(|i| if x.0[i] < limit.0[i] { 0.0 } else { self.0[i] }))
        }

        pub fn propagate_nan(self, x: F32x4) -> F32x4 {
            F32x4(from_fn(|i| if x.0[i].is_nan() { x.0[i] } else { self.0[i] }))
        }

        pub fn min(self, other: F32x4) -> F32x4 {
            F32x4(from_fn(|i| if other.0[i] < self.0[i] { other.0[i] } else { self.0[i] }))
        }

        pub fn max(self, other: F32x4) -> F32x4 {
            F32x4(from_fn(|i| if other.0[i] > self.0[i] { other.0[i] } else { self.0[i] }))
        }

        pub fn lowest_bytes(self) -> u32 {
            u32::from_le_bytes(self.0.map(|lane| lane.to_bits() as u8))
        }

        /// `self * factor + summand`.
        pub fn mul_add(self, factor: F32x4, summand: F32x4) -> F32x4 {
            F32x4(from_fn(|i| self.0[i] * factor.0[i] + summand.0[i]))
        }
    }

    #[derive(Clone, Copy)]
    pub struct I32x4([i32; 4]);

    impl I32x4 {
        pub const ZERO: I32x4 = I32x4([0; 4]);

        pub fn to_f32(self) -> F32x4 {
            F32x4(self.0.map(|lane| lane as f32))
        }

        pub fn add_dot(self, weights: &Weights, activations: &Activations, _: Ones) -> I32x4 {
            let dot = |lane: &[i8]| -> i32 {
                lane.iter().zip(activations.0).map(|(w, x)| i32::from(*w) * i32::from(x)).sum()
            };
            I32x4(from_fn(|i| self.0[i] + dot(&weights.0[4 * i..][..4])))
        }
    }

    #[derive(Clone, Copy)]
    pub struct Ones;

    impl Ones {
        /// # Safety
        /// None is needed.
        pub unsafe fn load(_: *const i16) -> Ones {
            Ones
        }
    }

    #[derive(Clone, Copy)]
    pub struct Weights([i8; 16]);

    impl Weights {
        /// # Safety
        /// 16 bytes must be readable at `from`.
        pub unsafe fn load(from: *const u8) -> Weights {
            Weights(unsafe { from.cast::<[i8; 16]>().read_unaligned() })
        }

        /// # Safety
        /// 16 bytes must be readable at `from`.
        pub unsafe fn load_nibbles(from: *const u8) -> (Weights, Weights) {
            let bytes = unsafe { from.cast::<[u8; 16]>().read_unaligned() };
            (
                Weights(bytes.map(|byte| (byte & 15) as i8 - 8)),
                Weights(bytes.map(|byte| (byte >> 4) as i8 - 8)),
            )
        }
    }

    #[derive(Clone, Copy)]
    pub struct Activations([u8; 4]);

    impl Activations {
        /// # Safety
        /// 4 bytes must be readable at `from`.
        pub unsafe fn load(from: *const u8) -> Activations {
            Activations(unsafe { from.cast::<[u8; 4]>().read_unaligned() })
        }
    }

    /// # Safety
    /// 16 bytes must be readable at `from`, 16 writable at `to` and at `to + stride`.
    pub unsafe fn widen_nibbles(from: *const u8, to: *mut u8, stride: usize) {
        unsafe {
            let bytes = from.cast::<[u8; 16]>().read_unaligned();
            to.cast::<[u8; 16]>().write_unaligned(bytes.map(|byte| (byte & 15).wrapping_sub(8)));
            to.add(stride)
                .cast::<[u8; 16]>()
                .write_unaligned(bytes.map(|byte| (byte >> 4).wrapping_sub(8)));
        }
    }
}
