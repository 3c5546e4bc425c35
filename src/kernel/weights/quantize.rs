//! Rounding of weights: to the nearest f16; to 255 levels between minus and plus the largest of 64
//! numbers (8 bits); to 16 levels from the largest of 32 numbers down, by its sign (4 bits).
//!
//! Blocks have the layout of `simd/tile_i8.rs`.

use half::f16;

use crate::kernel::simd::tile_f32::WIDTH;
use crate::kernel::simd::tile_i8::{BLOCK_TAIL, STEP, STEP_BYTES};

pub(super) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

pub(super) fn get<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes[at..].first_chunk().expect("a panel is as long as its format says")
}

/// The nearest finite f16.
pub(super) fn to_half(number: f32) -> f16 {
    f16::from_f32(number.clamp(f16::MIN.to_f32(), f16::MAX.to_f32()))
}

/// Whether the nearest f16 is finite, so that [`to_half`] does not clamp.
fn fits_half(number: f32) -> bool {
    number.abs() < 65520.0
}

/// Writes one column of a block in 8 bits. Returns false if a scale or sum was too large for f16.
pub(super) fn set_block_of_8_bits(block: &mut [u8], lane: usize, numbers: &[f32]) -> bool {
    let exact = numbers.iter().fold(0f32, |largest, number| largest.max(number.abs())) / 127.0;
    let scale = to_half(exact);
    let inverse = inverse(scale);
    let mut sum = 0;
    for (row, number) in numbers.iter().enumerate() {
        let level = (number * inverse).round().clamp(-127.0, 127.0) as i8;
        block[row / STEP * STEP_BYTES + lane * STEP + row % STEP] = level as u8;
        sum += i32::from(level);
    }
    set_tail(block, lane, scale, sum as f32) && fits_half(exact)
}

/// `1 / scale`; 0 if the scale is 0.
fn inverse(scale: f16) -> f32 {
    if scale == f16::ZERO { 0.0 } else { scale.to_f32().recip() }
}

/// Writes the scale of a column in a block, and `scale * sum`, where `sum` is that of its levels.
fn set_tail(block: &mut [u8], lane: usize, scale: f16, sum: f32) -> bool {
    let tail = block.len() - BLOCK_TAIL + lane * 2;
    put(block, tail, scale.to_le_bytes());
    let sum = scale.to_f32() * sum;
    put(block, tail + 2 * WIDTH, to_half(sum).to_le_bytes());
    fits_half(sum)
}

/// Writes one column of a block in 4 bits. Returns false if a scale or sum was too large for f16.
pub(super) fn set_block_of_4_bits(block: &mut [u8], lane: usize, numbers: &[f32]) -> bool {
    let larger = |a: f32, b: &f32| if b.abs() > a.abs() { *b } else { a };
    // There are 8 levels below zero and 7 above, so the largest number gets the level -8.
    let exact = numbers.iter().fold(0f32, larger) / -8.0;
    let scale = to_half(exact);
    let inverse = inverse(scale);
    let mut sum = 0.0;
    for step in 0..(block.len() - BLOCK_TAIL) / STEP_BYTES * 2 {
        for offset in 0..STEP {
            let number = numbers.get(step * STEP + offset).copied().unwrap_or(0.0);
            let level = (number * inverse).round().clamp(-8.0, 7.0);
            let byte = &mut block[step / 2 * STEP_BYTES + lane * STEP + offset];
            let nibble = (level + 8.0) as u8;
            *byte = if step % 2 == 0 { *byte & 0xF0 | nibble } else { *byte & 0x0F | nibble << 4 };
            sum += level;
        }
    }
    set_tail(block, lane, scale, sum) && fits_half(exact)
}
