//! Products with relaxed SIMD.

use core::arch::wasm32::*;

/// `a * b + c`, rounded once if the machine can do so.
#[inline(always)]
pub fn mul_add(a: v128, b: v128, c: v128) -> v128 {
    f32x4_relaxed_madd(a, b, c)
}

/// Four signed bytes for each of four lanes.
#[derive(Clone, Copy)]
pub struct Weights(v128);

/// Four bytes from 0 to 127, the same for each of four lanes.
#[derive(Clone, Copy)]
pub struct Activations(v128);

impl Weights {
    #[inline(always)]
    pub fn new(bytes: v128) -> Weights {
        Weights(bytes)
    }
}

impl Activations {
    #[inline(always)]
    pub fn new(bytes: v128) -> Activations {
        Activations(bytes)
    }
}

/// The dot product of four weights and four activations in each lane.
///
/// The sums of two products fit in 16 bits on every machine, because activations have 7 bits and
/// weights are at least -127.
#[inline(always)]
pub fn dot(weights: &Weights, activations: &Activations, ones: v128) -> v128 {
    i32x4_dot_i16x8(i16x8_relaxed_dot_i8x16_i7x16(weights.0, activations.0), ones)
}
