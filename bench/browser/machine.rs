//! The limits of the machine: bytes read per second, and multiply-adds per second on registers.
//! Compiled with and without relaxed SIMD by `run.mjs`.

#![no_std]

use core::arch::wasm32::*;

fn multiply_add(x: v128, factor: v128, summand: v128) -> v128 {
    #[cfg(target_feature = "relaxed-simd")]
    return f32x4_relaxed_madd(x, factor, summand);
    #[cfg(not(target_feature = "relaxed-simd"))]
    f32x4_add(summand, f32x4_mul(x, factor))
}

/// `steps` times twelve multiply-adds of four floats.
#[unsafe(no_mangle)]
extern "C" fn arithmetic(seed: f32, steps: usize) -> f32 {
    let factor = f32x4_splat(seed);
    let mut sums = [f32x4_splat(0.0); 12];
    for step in 0..steps {
        let summand = f32x4_splat(step as f32);
        for sum in &mut sums {
            *sum = multiply_add(*sum, factor, summand);
        }
    }
    // Each sum has a different weight, so that the compiler can remove none.
    let mut total = 0.0;
    for (i, sum) in sums.into_iter().enumerate() {
        total += i as f32 * f32x4_extract_lane::<0>(sum);
    }
    total
}

/// Adds up `bytes` bytes, in four streams of two vectors.
///
/// # Safety
/// They must be readable.
#[unsafe(no_mangle)]
unsafe extern "C" fn read(from: *const v128, bytes: usize) -> f32 {
    let stream = bytes / 64;
    let mut sums = [f32x4_splat(0.0); 8];
    let mut at = 0;
    while at + 2 <= stream {
        for (i, sums) in sums.chunks_exact_mut(2).enumerate() {
            unsafe {
                sums[0] = f32x4_add(sums[0], *from.add(i * stream + at));
                sums[1] = f32x4_add(sums[1], *from.add(i * stream + at + 1));
            }
        }
        at += 2;
    }
    sums.into_iter().map(|sum| f32x4_extract_lane::<0>(sum)).sum()
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    unreachable()
}
