//! Fast passes over numbers while a checkpoint loads.

use crate::kernel::simd::vector::{F32x4, Vector};

/// Halves, given as bits, that are neither infinite nor no number.
pub fn finite_halves(halves: [u16; 4]) -> [f32; 4] {
    // SAFETY: there are four.
    unsafe { F32x4::load_halves(halves.as_ptr()) }.to_array()
}

/// The bits of the number of the largest magnitude, without its sign; 0 of none. Those of NaN are
/// larger than those of infinity, and both are larger than those of any other number.
pub(crate) fn largest_magnitude(values: &[f32]) -> u32 {
    const MAGNITUDE: u32 = 0x7FFF_FFFF;
    let (fours, rest) = values.as_chunks::<4>();
    let largest = rest.iter().fold(0, |largest, value| largest.max(value.to_bits() & MAGNITUDE));
    largest_of_fours(fours).into_iter().fold(largest, u32::max)
}

/// By hand, since the crate is built for size, where this is not made of vectors.
#[cfg(target_arch = "wasm32")]
fn largest_of_fours(fours: &[[f32; 4]]) -> [u32; 4] {
    use std::arch::wasm32::{
        u32x4_extract_lane as lane, u32x4_max, u32x4_splat, v128_and, v128_load,
    };
    let magnitude = u32x4_splat(0x7FFF_FFFF);
    let mut largest = u32x4_splat(0);
    for four in fours {
        // SAFETY: there are four, which are 16 bytes; any alignment will do.
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
            *largest = (*largest).max(value.to_bits() & 0x7FFF_FFFF);
        }
    }
    largest
}
