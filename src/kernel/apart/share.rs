//! Work to be shared out: everyone who works at a job takes a few of its pieces at a time until none are left.
//!
//! Compiled like `inner.rs`, by the same rules. Whoever owns the memory fills in a [`Job`] (`linked.rs`); this file hands
//! its pieces to whoever does such work. Threads (`pool.rs`) run nothing but this, so nothing else needs to know of them.

use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

use super::attend::{self, Attention};
use super::multiply::{self, Product};
use super::rows::{self, Rows};
use super::tiles::{self, Tiles};

/// Work that can be shared out in `count` pieces: everyone takes `grain` of them at a time, from `next` on.
#[repr(C)]
pub struct Job {
    pub task: Task,
    pub count: usize,
    pub grain: usize,
    pub next: AtomicU32,
    /// Roughly how many numbers are multiplied.
    pub effort: usize,
    /// `scratch_bytes` for each worker, as many as the task says that it needs.
    pub scratch: *mut u8,
    pub scratch_bytes: usize,
}

#[repr(C)]
pub enum Task {
    /// Its pieces are panels.
    Product(Product),
    /// Its pieces are tiles.
    Tiles(Tiles),
    /// Its pieces are heads.
    Attention(Attention),
    /// Its pieces are rows.
    Rows(Rows),
}

impl Task {
    /// Bytes that one worker needs besides.
    pub fn scratch(&self) -> usize {
        match self {
            Task::Product(product) => product.scratch(),
            Task::Attention(attention) => attention.scratch(),
            Task::Tiles(_) | Task::Rows(_) => 0,
        }
    }
}

/// Works at `job` until all of it is taken. `worker` tells those who work at it apart: 0 is the owner.
///
/// # Safety
/// The job's pointers must be good for what its sizes say.
pub unsafe fn work(job: &Job, worker: usize) {
    loop {
        let first = job.next.fetch_add(job.grain as u32, SeqCst) as usize;
        if first >= job.count {
            return;
        }
        let last = if first + job.grain < job.count { first + job.grain } else { job.count };
        // SAFETY: as the caller promises.
        unsafe {
            let scratch = job.scratch.add(worker * job.scratch_bytes);
            match &job.task {
                Task::Product(product) => multiply::panels(product, first, last, scratch),
                Task::Tiles(tiles) => tiles::fill(tiles, first, last),
                Task::Attention(attention) => attend::heads(attention, first, last, scratch.cast()),
                Task::Rows(rows) => rows::map(rows, first, last),
            }
        }
    }
}
