//! Fast passes over numbers while a checkpoint loads.

use crate::kernel::simd::vector::{F32x4, Vector};

/// The bits of a float except its sign.
const MAGNITUDE: u32 = 0x7FFF_FFFF;

/// The values of f16 bit patterns, none of which may be an infinity or NaN.
pub fn finite_halves(halves: [u16; 4]) -> [f32; 4] {
    // SAFETY: the array has 4 halves.
    unsafe { F32x4::load_halves(halves.as_ptr()) }.to_array()
}

/// The largest bit pattern without sign: that of the number with the largest magnitude, or 0 if
/// there is no number. The pattern of NaN is above that of infinity, which is above that of any
/// other number.
pub(crate) fn largest_magnitude(values: &[f32]) -> u32 {
    let (fours, rest) = values.as_chunks::<4>();
    let largest = rest.iter().fold(0, |largest, value| largest.max(value.to_bits() & MAGNITUDE));
    largest_of_fours(fours).into_iter().fold(largest, u32::max)
}

/// Written with intrinsics, because the crate is optimized for size, which disables vectorization.
#[cfg(target_arch = "wasm32")]
fn largest_of_fours(fours: &[[f32; 4]]) -> [u32; 4] {
    use std::arch::wasm32::{
        u32x4_extract_lane as lane, u32x4_max, u32x4_splat, v128_and, v128_load,
    };
    let magnitude = u32x4_splat(MAGNITUDE);
    let mut largest = u32x4_splat(0);
    for four in fours {
        // SAFETY: the array has 4 floats, which are 16 bytes; a load needs no alignment.
        let four = unsafe { v128_load(four.as_ptr().cast()) };
        largest = u32x4_max(largest, v128_and(four, magnitude));
    }
    [lane::<0>(largest), lane::<1>(largest), lane::<2>(largest), lane::<3>(largest)]
}

#[cfg(not(target_arch = "wasm32"))]
fn largest_of_fours(fours: &[[f32; 4]]) -> [u32; 4] {
    let mut largest = [0; 4];
    for four in fours {
        for (largest, value) in largest.iter_mut().zip(four) {
            *largest = (*largest).max(value.to_bits() & MAGNITUDE);
        }
    }
    largest
}
