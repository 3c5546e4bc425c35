//! Parallel jobs: each worker takes chunks of a job's items until none are left.
//!
//! Compiled like `tile_f32.rs`, with the same restrictions. `dispatch.rs` creates a [`Job`]; [`run`] is all that the threads of
//! `pool.rs` execute.

use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

use super::attention::{self, Attention};
use super::matmul::{self, Product};
use super::pack::{self, Tiles};
use super::rowwise::{self, Rows};

/// A task of `count` items. Workers take chunks of `grain` items, starting at `next`.
#[repr(C)]
pub struct Job {
    pub task: Task,
    pub count: usize,
    pub grain: usize,
    pub next: AtomicU32,
    /// The approximate number of multiply-adds.
    pub cost: usize,
    /// `scratch_bytes` for each worker, at least [`Task::scratch`].
    pub scratch: *mut u8,
    pub scratch_bytes: usize,
}

#[repr(C)]
pub enum Task {
    /// Items are panels.
    Product(Product),
    /// Items are tiles.
    Tiles(Tiles),
    /// Items are heads.
    Attention(Attention),
    /// Items are rows.
    Rows(Rows),
}

impl Task {
    /// Bytes of scratch that one worker needs.
    pub fn scratch(&self) -> usize {
        match self {
            Task::Product(product) => product.scratch(),
            Task::Attention(attention) => attention.scratch(),
            Task::Tiles(_) | Task::Rows(_) => 0,
        }
    }
}

/// Runs chunks of `job` until all are taken. `worker` is the index of the calling thread; 0 is the thread that created the job.
///
/// # Safety
/// The job's pointers must be valid for its sizes, and no two threads may pass the same `worker`.
pub unsafe fn run(job: &Job, worker: usize) {
    loop {
        let first = job.next.fetch_add(job.grain as u32, SeqCst) as usize;
        if first >= job.count {
            return;
        }
        let last = if first + job.grain < job.count { first + job.grain } else { job.count };
        // SAFETY: the caller guarantees it.
        unsafe {
            let scratch = job.scratch.add(worker * job.scratch_bytes);
            match &job.task {
                Task::Product(product) => matmul::panels(product, first, last, scratch),
                Task::Tiles(tiles) => pack::fill(tiles, first, last),
                Task::Attention(attention) => {
                    attention::heads(attention, first, last, scratch.cast())
                }
                Task::Rows(rows) => rowwise::map(rows, first, last),
            }
        }
    }
}
