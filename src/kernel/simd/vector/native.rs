//! Vectors as plain arrays.

use std::array::from_fn;

use super::{Backend, DotProduct, Float, TileProduct, Vector};

pub const BACKEND: Backend = Backend::Simd;

/// Four f32.
#[derive(Clone, Copy)]
pub struct F32x4([f32; 4]);

impl F32x4 {
    /// Applies `f` to each lane of both vectors.
    #[inline(always)]
    fn zip(self, other: F32x4, f: impl Fn(f32, f32) -> f32) -> F32x4 {
        F32x4(from_fn(|i| f(self.0[i], other.0[i])))
    }
}

impl Float for F32x4 {
    #[inline(always)]
    fn splat(value: f32) -> F32x4 {
        F32x4([value; 4])
    }

    #[inline(always)]
    fn add(self, other: F32x4) -> F32x4 {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: F32x4) -> F32x4 {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, factor: F32x4) -> F32x4 {
        self.zip(factor, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, divisor: F32x4) -> F32x4 {
        self.zip(divisor, |a, b| a / b)
    }

    #[inline(always)]
    fn mul_add(self, factor: F32x4, summand: F32x4) -> F32x4 {
        F32x4(from_fn(|i| self.0[i] * factor.0[i] + summand.0[i]))
    }

    #[inline(always)]
    fn min(self, other: F32x4) -> F32x4 {
        self.zip(other, |a, b| if b < a { b } else { a })
    }

    #[inline(always)]
    fn max(self, other: F32x4) -> F32x4 {
        self.zip(other, |a, b| if b > a { b } else { a })
    }

    #[inline(always)]
    fn power_of_two(self) -> F32x4 {
        F32x4(self.0.map(Float::power_of_two))
    }

    #[inline(always)]
    fn zero_where_below(self, x: F32x4, limit: F32x4) -> F32x4 {
        F32x4(from_fn(|i| if x.0[i] < limit.0[i] { 0.0 } else { self.0[i] }))
    }

    #[inline(always)]
    fn propagate_nan(self, x: F32x4) -> F32x4 {
        self.zip(x, |value, x| if x.is_nan() { x } else { value })
    }
}

impl Vector for F32x4 {
    #[inline(always)]
    unsafe fn load(from: *const f32) -> F32x4 {
        // SAFETY: the caller guarantees 4 readable floats.
        F32x4(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_splat(from: *const f32) -> F32x4 {
        // SAFETY: the caller guarantees 1 readable float.
        F32x4([unsafe { from.read_unaligned() }; 4])
    }

    #[inline(always)]
    unsafe fn load_partial(from: *const f32, count: usize) -> F32x4 {
        // SAFETY: the caller guarantees `count` readable floats, and the index stays below `count`.
        F32x4(from_fn(|i| unsafe { from.add(i.min(count - 1)).read_unaligned() }))
    }

    #[inline(always)]
    unsafe fn load_halves(from: *const u16) -> F32x4 {
        // SAFETY: the caller guarantees 4 readable halves.
        let halves = unsafe { from.cast::<[u16; 4]>().read_unaligned() };
        F32x4(halves.map(|half| half::f16::from_bits(half).to_f32()))
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> F32x4 {
        // SAFETY: the caller guarantees 4 readable bytes.
        let bytes = unsafe { from.cast::<[i8; 4]>().read_unaligned() };
        F32x4(bytes.map(f32::from))
    }

    #[inline(always)]
    unsafe fn load_nibbles(from: *const u8) -> [F32x4; 2] {
        // SAFETY: the caller guarantees 4 readable bytes.
        let bytes = unsafe { from.cast::<[u8; 4]>().read_unaligned() };
        let less_8 = |nibble: u8| f32::from(nibble) - 8.0;
        [F32x4(bytes.map(|byte| less_8(byte & 15))), F32x4(bytes.map(|byte| less_8(byte >> 4)))]
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller guarantees 4 writable floats.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn store_halves(self, to: *mut u16) {
        let (least, greatest) = (half::f16::MIN.to_f32(), half::f16::MAX.to_f32());
        let half = |number: f32| half::f16::from_f32(number.clamp(least, greatest)).to_bits();
        // SAFETY: the caller guarantees 8 writable bytes.
        unsafe { to.cast::<[u16; 4]>().write_unaligned(self.0.map(half)) }
    }

    #[inline(always)]
    unsafe fn store_lowest_bytes(rows: [F32x4; 4], to: *mut u8) {
        let bytes: [[u8; 4]; 4] = from_fn(|lane| rows.map(|row| row.0[lane].to_bits() as u8));
        // SAFETY: the caller guarantees 16 writable bytes.
        unsafe { to.cast::<[[u8; 4]; 4]>().write_unaligned(bytes) }
    }

    #[inline(always)]
    fn to_array(self) -> [f32; 4] {
        self.0
    }

    #[inline(always)]
    fn transposed(a: F32x4, b: F32x4, c: F32x4, d: F32x4) -> [F32x4; 4] {
        from_fn(|i| F32x4([a.0[i], b.0[i], c.0[i], d.0[i]]))
    }

    #[inline(always)]
    fn sqrt(self) -> F32x4 {
        F32x4(self.0.map(f32::sqrt))
    }

    #[inline(always)]
    fn magnitude(self) -> F32x4 {
        F32x4(self.0.map(f32::abs))
    }

    #[inline(always)]
    fn larger_magnitude(self, other: F32x4) -> F32x4 {
        self.zip(other, |a, b| if b.abs() > a.abs() { b } else { a })
    }

    #[inline(always)]
    fn rounded(self) -> F32x4 {
        F32x4(self.0.map(f32::round))
    }

    #[inline(always)]
    fn first(self) -> f32 {
        self.0[0]
    }

    #[inline(always)]
    fn reduce_sum(self) -> f32 {
        (self.0[0] + self.0[2]) + (self.0[1] + self.0[3])
    }

    #[inline(always)]
    fn reduce_min(self) -> f32 {
        self.0.into_iter().fold(f32::INFINITY, f32::min)
    }

    #[inline(always)]
    fn reduce_max(self) -> f32 {
        self.0.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }

    #[inline(always)]
    fn lowest_bytes(self) -> u32 {
        u32::from_le_bytes(self.0.map(|lane| lane.to_bits() as u8))
    }
}

/// Eight 16-bit ones, which plain arrays do not need.
#[derive(Clone, Copy)]
pub struct Ones;

/// Four i32.
#[derive(Clone, Copy)]
pub struct I32x4([i32; 4]);

impl DotProduct for I32x4 {
    type Weights = [i8; 16];
    type Activations = [u8; 4];
    type Ones = Ones;

    const ZERO: I32x4 = I32x4([0; 4]);

    #[inline(always)]
    fn to_f32(self) -> F32x4 {
        F32x4(self.0.map(|lane| lane as f32))
    }

    #[inline(always)]
    fn add_dot(self, weights: &[i8; 16], activations: &[u8; 4], _: Ones) -> I32x4 {
        let dot = |lane: &[i8]| -> i32 {
            lane.iter().zip(activations).map(|(w, x)| i32::from(*w) * i32::from(*x)).sum()
        };
        I32x4(from_fn(|i| self.0[i] + dot(&weights[4 * i..][..4])))
    }

    #[inline(always)]
    unsafe fn load_ones(_: *const i16) -> Ones {
        Ones
    }

    #[inline(always)]
    unsafe fn load_weights(from: *const u8) -> [i8; 16] {
        // SAFETY: the caller guarantees 16 readable bytes.
        unsafe { from.cast::<[i8; 16]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn load_nibbles(from: *const u8) -> [[i8; 16]; 2] {
        // SAFETY: the caller guarantees 16 readable bytes.
        let bytes = unsafe { from.cast::<[u8; 16]>().read_unaligned() };
        [bytes.map(|byte| (byte & 15) as i8 - 8), bytes.map(|byte| (byte >> 4) as i8 - 8)]
    }

    #[inline(always)]
    unsafe fn load_activations(from: *const u8) -> [u8; 4] {
        // SAFETY: the caller guarantees 4 readable bytes.
        unsafe { from.cast::<[u8; 4]>().read_unaligned() }
    }
}

/// As with plain SIMD: 16-bit numbers.
impl TileProduct for I32x4 {
    const PARTS: usize = 2;
    type Part = [i16; 8];

    #[inline(always)]
    fn add_part<const ONE: bool>(self, w: [i16; 8], x: [i16; 8], _: Ones) -> I32x4 {
        let product = |i: usize| i32::from(w[i]) * i32::from(x[i]);
        I32x4(from_fn(|i| self.0[i] + product(2 * i) + product(2 * i + 1)))
    }

    #[inline(always)]
    unsafe fn load_part(from: *const u8) -> [i16; 8] {
        // SAFETY: the caller guarantees 16 readable bytes.
        unsafe { from.cast::<[i16; 8]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn splat_part(from: *const u8) -> [i16; 8] {
        // SAFETY: the caller guarantees 4 readable bytes.
        let [even, odd] = unsafe { from.cast::<[i16; 2]>().read_unaligned() };
        from_fn(|i| if i % 2 == 0 { even } else { odd })
    }

    #[inline(always)]
    unsafe fn widen_bytes(from: *const u8, to: *mut u8, stride: usize) {
        // SAFETY: the caller guarantees 16 readable bytes, and 16 writable bytes for each part.
        unsafe { store_parts(I32x4::load_weights(from), to, stride) }
    }

    #[inline(always)]
    unsafe fn widen_nibbles(from: *const u8, to: *mut u8, stride: usize) {
        // SAFETY: the caller guarantees 16 readable bytes, and 16 writable bytes for each part of
        // both steps.
        unsafe {
            let [low, high] = I32x4::load_nibbles(from);
            store_parts(low, to, stride);
            store_parts(high, to.add(2 * stride), stride);
        }
    }
}

/// # Safety
/// `to` and `to + stride` must be valid for writes of 16 bytes, and no other thread may access them.
#[inline(always)]
unsafe fn store_parts(bytes: [i8; 16], to: *mut u8, stride: usize) {
    for part in 0..2 {
        let numbers: [i16; 8] = from_fn(|i| i16::from(bytes[2 * i + part]));
        // SAFETY: the caller guarantees 16 writable bytes at both addresses.
        unsafe { to.add(part * stride).cast::<[i16; 8]>().write_unaligned(numbers) };
    }
}
