//! Products without relaxed SIMD.

use core::arch::wasm32::*;

use super::super::Backend;

pub const BACKEND: Backend = Backend::Simd;

/// A tile's operands are 16-bit numbers.
pub const PARTS: usize = 2;

/// `a * b + c`, rounded twice.
#[inline(always)]
pub fn mul_add(a: v128, b: v128, c: v128) -> v128 {
    f32x4_add(c, f32x4_mul(a, b))
}

/// Four signed bytes for each of four lanes; those with even and those with odd positions are
/// widened to 16 bits each.
#[derive(Clone, Copy)]
pub struct Weights {
    even: v128,
    odd: v128,
}

/// Four bytes from 0 to 127, the same for each of four lanes, widened in the same way.
#[derive(Clone, Copy)]
pub struct Activations {
    even: v128,
    odd: v128,
}

impl Weights {
    #[inline(always)]
    pub fn new(bytes: v128) -> Weights {
        Weights { even: i16x8_shr(i16x8_shl(bytes, 8), 8), odd: i16x8_shr(bytes, 8) }
    }
}

impl Activations {
    #[inline(always)]
    pub fn new(bytes: v128) -> Activations {
        Activations { even: v128_and(bytes, i16x8_splat(0xFF)), odd: u16x8_shr(bytes, 8) }
    }
}

/// The dot product of four weights and four activations in each lane.
#[inline(always)]
pub fn dot(weights: &Weights, activations: &Activations, _ones: v128) -> v128 {
    let even = i32x4_dot_i16x8(weights.even, activations.even);
    i32x4_add(even, i32x4_dot_i16x8(weights.odd, activations.odd))
}

/// The 16-bit numbers of bytes with even positions, then of those with odd positions.
#[inline(always)]
pub fn parts(bytes: v128) -> [v128; PARTS] {
    let Weights { even, odd } = Weights::new(bytes);
    [even, odd]
}

/// There is no such instruction.
#[inline(always)]
pub fn has_dot_instruction() -> bool {
    false
}

/// `sum` plus two products in each lane.
#[inline(always)]
pub fn add_part<const ONE: bool>(sum: v128, weights: v128, activations: v128, _ones: v128) -> v128 {
    i32x4_add(sum, i32x4_dot_i16x8(weights, activations))
}
