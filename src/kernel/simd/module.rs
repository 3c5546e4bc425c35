//! The root of a small wasm module that shares the memory of the main module and contains only the
//! compute kernels.
//!
//! `build.rs` compiles it four times: with plain or relaxed SIMD, for one thread or several.
//! `dispatch.rs` instantiates the one that the browser supports. A browser without relaxed SIMD
//! rejects a whole module that contains one such instruction, and four builds of the whole crate
//! would be too large; this module has about 76 kB (`docs/decisions/kernels.md`). It owns no memory, no data section and no
//! stack, so any number of threads can run it.

#![no_std]
// Some items of these files are used only by the main module.
#![allow(dead_code)]

mod attention;
mod conversion;
mod attention_grad;
mod format;
mod functions;
mod job;
mod matmul;
mod one_query;
mod pack;
mod panels;
mod pool;
mod rowwise;
mod tile_f32;
mod tile_i8;
mod transposed;
mod vector;

/// Runs a job ([`job::run`]).
///
/// # Safety
/// As for [`job::run`].
#[cfg(not(shared))]
#[unsafe(no_mangle)]
unsafe extern "C" fn work(_: &pool::Pool, job: &job::Job) {
    // SAFETY: the caller guarantees what `job::run` requires, and there is one thread.
    unsafe { job::run(job, 0) }
}

#[cfg(shared)]
mod threads {
    use crate::{job::Job, pool::Pool};

    unsafe extern "C" {
        /// Wakes sleeping helper threads.
        safe fn wake();
    }

    /// Runs a job ([`crate::job::run`]), together with the helper threads of `pool`.
    ///
    /// # Safety
    /// As for [`Pool::lead`].
    #[unsafe(no_mangle)]
    unsafe extern "C" fn work(pool: &Pool, job: &Job) {
        // SAFETY: the caller guarantees what `lead` requires.
        unsafe { pool.lead(job, || wake()) }
    }

    /// Registers the calling thread as a helper.
    #[unsafe(no_mangle)]
    extern "C" fn enter(pool: &Pool) {
        pool.enter();
    }

    /// Runs jobs until there was none for a while; returns the epoch to sleep on.
    #[unsafe(no_mangle)]
    extern "C" fn help(pool: &Pool, worker: usize) -> u32 {
        pool.help(worker)
    }
}

/// Whether the machine has an instruction for the dot product of bytes.
#[unsafe(no_mangle)]
extern "C" fn has_dot_instruction() -> bool {
    vector::has_dot_instruction()
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}
