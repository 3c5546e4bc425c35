//! Where threads meet to work at one product together.
//!
//! A helper is a worker of the page with an instance of `module.rs` over the memory of the first thread. It enters
//! once, then helps and sleeps in turns. The first thread never waits for a helper that has not come: who comes late
//! finds the job closed.
//!
//! No build of the standard library with atomics is needed, because only this file and `share.rs` run in helpers.

use core::sync::atomic::{AtomicPtr, AtomicU32};

use super::share::Job;

/// It lies in the memory that all threads share and is never moved.
#[repr(C)]
pub struct Pool {
    /// Counts jobs. Helpers sleep on it.
    pub epoch: AtomicU32,
    /// Helpers that have been asked to come, and may at any time.
    pub asked: AtomicU32,
    /// Helpers that have come.
    pub helpers: AtomicU32,
    /// Helpers that sleep or are about to.
    sleeping: AtomicU32,
    /// Helpers that are looking at the job.
    active: AtomicU32,
    /// 1 while the job may be joined.
    open: AtomicU32,
    job: AtomicPtr<Job>,
}

impl Pool {
    pub const fn new() -> Pool {
        Pool {
            epoch: AtomicU32::new(0),
            asked: AtomicU32::new(0),
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
    use crate::share::work;

    /// How often a helper looks for the next job before it sleeps, some 0.4 ms: between two products of a model there
    /// are 0.1 to 0.3 when decoding, and waking costs the first thread 0.05 each time.
    const TURNS: u32 = 400_000;

    /// Some 10 µs of work.
    const WORTH_SHARING: usize = 200_000;

    impl Pool {
        /// Works at `job` together with the helpers, if it is worth their while; all of it is done in the end.
        ///
        /// # Safety
        /// As for [`work`].
        pub unsafe fn lead(&self, job: &Job, wake: impl Fn()) {
            if self.helpers.load(SeqCst) == 0 || job.effort < WORTH_SHARING {
                // SAFETY: as the caller promises.
                return unsafe { work(job, 0) };
            }
            self.job.store(from_ref(job).cast_mut(), SeqCst);
            self.open.store(1, SeqCst);
            self.epoch.fetch_add(1, SeqCst);
            if self.sleeping.load(SeqCst) > 0 {
                wake();
            }
            // SAFETY: as the caller promises.
            unsafe { work(job, 0) };
            self.open.store(0, SeqCst);
            // From here on nobody joins: a helper counts itself before it looks whether the job is open.
            while self.active.load(SeqCst) > 0 {}
        }

        /// Counts the calling thread as a helper.
        pub fn enter(&self) {
            self.sleeping.fetch_add(1, SeqCst);
            self.helpers.fetch_add(1, SeqCst);
        }

        /// Helps until there has been nothing to do for a while. Gives the epoch to sleep on: the next job changes it.
        pub fn help(&self, worker: usize) -> u32 {
            self.sleeping.fetch_sub(1, SeqCst);
            loop {
                let seen = self.epoch.load(SeqCst);
                self.active.fetch_add(1, SeqCst);
                if self.open.load(SeqCst) == 1 {
                    // SAFETY: whoever opened the job waits until nobody is active.
                    unsafe { work(&*self.job.load(SeqCst), worker) };
                }
                self.active.fetch_sub(1, SeqCst);
                let mut turns = 0;
                while self.epoch.load(SeqCst) == seen {
                    turns += 1;
                    if turns == TURNS {
                        self.sleeping.fetch_add(1, SeqCst);
                        return seen;
                    }
                }
            }
        }
    }
}
