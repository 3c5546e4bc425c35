//! The thread pool.
//!
//! A helper thread is a web worker with an instance of `module.rs` over the memory of the main
//! thread. It enters the pool once, then alternates between running jobs and sleeping. The main
//! thread waits only for helpers that have joined the current job: one that arrives late finds the
//! job closed.
//!
//! Helpers execute only this file and the kernels, so the standard library does not need to be
//! built with atomics.

use core::sync::atomic::{AtomicPtr, AtomicU32};

use super::job::Job;

/// The state of the pool, at a fixed address in shared memory.
#[repr(C)]
pub struct Pool {
    /// The number of jobs so far. Helpers sleep on it with `Atomics.wait`.
    pub epoch: AtomicU32,
    /// Helpers that have been requested and may enter at any time.
    pub requested: AtomicU32,
    /// Helpers that have entered.
    pub helpers: AtomicU32,
    /// Not 0 if a helper sleeps, or is about to, that has not been woken.
    sleeping: AtomicU32,
    /// Helpers that may be reading the job.
    active: AtomicU32,
    /// 1 while the job may be joined.
    open: AtomicU32,
    /// The current job, valid while `open` is 1 or `active` is not 0.
    job: AtomicPtr<Job>,
}

impl Pool {
    /// A pool without helpers.
    pub const fn new() -> Pool {
        Pool {
            epoch: AtomicU32::new(0),
            requested: AtomicU32::new(0),
            helpers: AtomicU32::new(0),
            sleeping: AtomicU32::new(0),
            active: AtomicU32::new(0),
            open: AtomicU32::new(0),
            job: AtomicPtr::new(core::ptr::null_mut()),
        }
    }
}

#[cfg(shared)]
mod threads {
    use core::ptr::from_ref;
    use core::sync::atomic::Ordering::SeqCst;

    use super::{Job, Pool};
    use crate::job::run;

    /// Iterations that a helper spins before it sleeps, about 0.4 ms. While decoding, 0.1 to 0.3 ms
    /// pass between two products; waking a helper costs the main thread 10 µs, and the helper starts
    /// 50 µs later (Xeon at 2.8 GHz, 2026-11).
    const SPINS: u32 = 400_000;

    /// About 10 µs of work: smaller jobs run in the calling thread.
    const MIN_COST: usize = 200_000;

    impl Pool {
        /// Runs `job` to its end, with the helpers if it is large enough.
        ///
        /// # Safety
        /// As for [`run`], and only the main thread may call this, one job at a time.
        pub unsafe fn lead(&self, job: &Job, wake: impl Fn()) {
            if self.helpers.load(SeqCst) == 0 || job.cost < MIN_COST {
                // SAFETY: as for this function; 0 is the index of the calling thread.
                return unsafe { run(job, 0) };
            }
            self.job.store(from_ref(job).cast_mut(), SeqCst);
            self.open.store(1, SeqCst);
            // Before the epoch changes: a helper that is counted here waits on an older epoch, so that
            // either the change or the notification wakes it. One that comes later is counted for
            // the next job.
            let has_sleepers = self.sleeping.swap(0, SeqCst) > 0;
            self.epoch.fetch_add(1, SeqCst);
            if has_sleepers {
                wake();
            }
            // SAFETY: as for this function; 0 is the index of the calling thread, and helpers have
            // other indices.
            unsafe { run(job, 0) };
            self.open.store(0, SeqCst);
            // No helper can join any more: each increments `active` before it reads `open`.
            while self.active.load(SeqCst) > 0 {}
        }

        /// Registers the calling thread as a helper.
        pub fn enter(&self) {
            self.helpers.fetch_add(1, SeqCst);
        }

        /// Runs jobs until there was none for a while. Returns the epoch to sleep on: the next job
        /// changes it.
        pub fn help(&self, worker: usize) -> u32 {
            loop {
                let seen = self.epoch.load(SeqCst);
                self.active.fetch_add(1, SeqCst);
                if self.open.load(SeqCst) == 1 {
                    // SAFETY: `job` points to a valid job, because the main thread waits in `lead`
                    // until no helper is active. Each helper has a `worker` index of its own.
                    unsafe { run(&*self.job.load(SeqCst), worker) };
                }
                self.active.fetch_sub(1, SeqCst);
                let mut spins = 0;
                while self.epoch.load(SeqCst) == seen {
                    spins += 1;
                    if spins == SPINS {
                        self.sleeping.fetch_add(1, SeqCst);
                        return seen;
                    }
                }
            }
        }
    }
}
