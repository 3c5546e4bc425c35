//! The root of a second, tiny wasm module: the inner loops with relaxed SIMD, over the memory of the first.
//!
//! `build.rs` compiles it, `linked.rs` puts it in place where the browser has relaxed SIMD. A module that holds one
//! relaxed instruction is refused as a whole by a browser that lacks them, and a second build of everything would
//! double what is built, tested and kept: this one has a few kilobytes. It owns no memory and no stack.

#![no_std]

mod inner;
mod simd;

#[unsafe(no_mangle)]
unsafe extern "C" fn tile(
    factors: &inner::Factors,
    from: *const f32,
    from_stride: usize,
    to: *mut f32,
    to_stride: usize,
) {
    unsafe { inner::tile(factors, from, from_stride, to, to_stride) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn row(x: *const f32, depth: usize, panels: *const f32, count: usize, sums: *mut f32) {
    unsafe { inner::row(x, depth, panels, count, sums) }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}
