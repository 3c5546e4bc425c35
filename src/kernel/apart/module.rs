//! The root of a second, tiny wasm module over the memory of the first: the inner loops, with plain or relaxed SIMD, for
//! one thread or several.
//!
//! `build.rs` compiles it four times, and `linked.rs` puts the one in place that the browser can run. A module that holds
//! one relaxed instruction is refused as a whole by a browser that lacks them, and several builds of everything would
//! multiply what is built, tested and kept: this one has some 14 kB. It owns no memory, no constants in memory and no
//! stack, so any number of threads can run it.

#![no_std]
// Some of what these files hold is for the owner alone.
#![allow(dead_code)]

mod attend;
mod form;
mod inner;
mod multiply;
mod pool;
mod quantized;
mod rows;
mod share;
mod simd;
mod tiles;

/// As [`share::work`], with the helpers in `pool` where there are threads.
#[cfg(not(shared))]
#[unsafe(no_mangle)]
unsafe extern "C" fn work(_: &pool::Pool, job: &share::Job) {
    unsafe { share::work(job, 0) }
}

#[cfg(shared)]
mod threads {
    use crate::{pool::Pool, share::Job};

    unsafe extern "C" {
        /// Wakes the helpers that sleep.
        safe fn wake();
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn work(pool: &Pool, job: &Job) {
        unsafe { pool.lead(job, || wake()) }
    }

    #[unsafe(no_mangle)]
    extern "C" fn enter(pool: &Pool) {
        pool.enter();
    }

    #[unsafe(no_mangle)]
    extern "C" fn help(pool: &Pool, worker: usize) -> u32 {
        pool.help(worker)
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}
