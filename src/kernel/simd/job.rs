//! Parallel jobs: each worker takes chunks of a job's items until none are left.
//!
//! The first chunks are large, because a product of one row reads long streams of panels, and the last ones
//! small, because the other workers wait for the one that finishes last: a chunk is half of an equal
//! share of what is left.
//!
//! Compiled like `tile_f32.rs`, with the same restrictions. `dispatch.rs` creates a [`Job`];
//! [`run`] is all that the threads of `pool.rs` execute.

use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

use super::attention::{self, Attention};
use super::attention_grad::{self, AttentionGrad};
use super::conversion::{self, Conversion};
use super::matmul::{self, Product};
use super::pack::{self, Tiles};
use super::rowwise::{self, Rows};
use super::transposed::{self, Transposed};

/// A task of `count` items.
#[repr(C)]
pub struct Job {
    pub task: Task,
    /// The number of items.
    pub count: usize,
    /// Workers take multiples of this number of items at once (all but the last), at least 1.
    pub min_chunk: NonZeroUsize,
    /// Twice the number of workers.
    pub shares: NonZeroUsize,
    /// The first item that no worker has taken.
    pub next: AtomicU32,
    /// The approximate number of multiply-adds.
    pub cost: usize,
    /// `scratch_bytes` for each worker, aligned to 16 bytes, uninitialized. Worker `i` uses the
    /// bytes from `i * scratch_bytes` on.
    pub scratch: *mut u8,
    /// At least [`Task::scratch_bytes`], and a multiple of 16.
    pub scratch_bytes: usize,
}

/// The operation of a job.
#[repr(C)]
pub enum Task {
    /// Items are panels.
    Product(Product),
    /// Items are tiles.
    Tiles(Tiles),
    /// Items are heads.
    Attention(Attention),
    /// Items are heads.
    AttentionGrad(AttentionGrad),
    /// Items are rows.
    Rows(Rows),
    /// Items are panels.
    Conversion(Conversion),
    /// Items are panels of the transposed matrix.
    Transposed(Transposed),
}

impl Task {
    /// Bytes of scratch that one worker needs.
    pub fn scratch_bytes(&self) -> usize {
        match self {
            Task::Product(product) => product.scratch_bytes(),
            Task::Attention(attention) => attention.scratch_bytes(),
            Task::Conversion(_) => conversion::SCRATCH_BYTES,
            Task::AttentionGrad(attention) => attention.scratch_bytes(),
            Task::Transposed(transposed) => transposed.scratch_bytes(),
            Task::Tiles(_) | Task::Rows(_) => 0,
        }
    }
}

/// Runs chunks of `job` until all are taken. `worker` is the index of the calling thread; 0 is the
/// thread that created the job.
///
/// # Safety
/// The pointers of the task must be valid for the sizes that its fields name, and `scratch` for
/// `scratch_bytes` bytes of each worker up to this one. No two threads may pass the same `worker`
/// at the same time.
pub unsafe fn run(job: &Job, worker: usize) {
    while let Some((first, last)) = take(job) {
        // SAFETY: the caller guarantees the pointers of the task and the scratch memory of this
        // worker. The items from `first` to `last` are taken by this worker only, because `next` is
        // incremented atomically.
        unsafe {
            let scratch = job.scratch.add(worker * job.scratch_bytes);
            match &job.task {
                Task::Product(product) => matmul::panels(product, first, last, scratch),
                Task::Tiles(tiles) => pack::tiles(tiles, first, last),
                Task::Attention(attention) => {
                    attention::heads(attention, first, last, scratch.cast())
                }
                Task::AttentionGrad(attention) => {
                    attention_grad::heads(attention, first, last, scratch.cast())
                }
                Task::Rows(rows) => rowwise::rows(rows, first, last),
                Task::Conversion(conversion) => {
                    conversion::panels(conversion, first, last, scratch.cast())
                }
                Task::Transposed(transposed) => {
                    transposed::panels(transposed, first, last, scratch.cast())
                }
            }
        }
    }
}

/// Takes the next chunk: its first item, and the first one after it. None if all are taken.
#[inline(always)]
fn take(job: &Job) -> Option<(usize, usize)> {
    let mut first = job.next.load(SeqCst);
    loop {
        let left = job.count.saturating_sub(first as usize);
        if left == 0 {
            return None;
        }
        // At least one unit of `min_chunk` items, and no more than are left.
        let min_chunk = job.min_chunk.get();
        let units = left / job.min_chunk / job.shares;
        let chunk = if units > 1 { units * min_chunk } else { min_chunk };
        let chunk = if chunk < left { chunk } else { left };
        match job.next.compare_exchange(first, first + chunk as u32, SeqCst, SeqCst) {
            Ok(_) => return Some((first as usize, first as usize + chunk)),
            Err(taken) => first = taken,
        }
    }
}
