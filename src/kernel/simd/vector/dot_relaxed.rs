//! Products with relaxed SIMD.

use core::arch::wasm32::*;

use super::super::Backend;

pub const BACKEND: Backend = Backend::Relaxed;

/// A tile's operands are bytes.
pub const PARTS: usize = 1;

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

#[inline(always)]
pub fn parts(bytes: v128) -> [v128; PARTS] {
    [bytes]
}

/// Whether the machine computes [`i32x4_relaxed_dot_i8x16_i7x16_add`] in fewer instructions than
/// [`dot`] and an addition. x86 without a dot product of bytes computes it in two steps, with sums of two
/// products that are clamped to 16 bits: 127 · 255 · 2 becomes 32767. Its engine would also
/// construct the vector of ones each time. With VNNI nothing is clamped, and ARM reads 255 as -1; there
/// the instruction is at least as short as the two.
#[inline(always)]
pub fn has_dot_instruction() -> bool {
    let sum = i32x4_relaxed_dot_i8x16_i7x16_add(i8x16_splat(127), i8x16_splat(-1), i32x4_splat(0));
    i32x4_extract_lane::<0>(sum) != 2 * 32767
}

/// `sum` plus four products in each lane.
#[inline(always)]
pub fn add_part<const ONE: bool>(sum: v128, weights: v128, activations: v128, ones: v128) -> v128 {
    if ONE {
        i32x4_relaxed_dot_i8x16_i7x16_add(weights, activations, sum)
    } else {
        i32x4_add(sum, dot(&Weights(weights), &Activations(activations), ones))
    }
}
