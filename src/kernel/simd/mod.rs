//! The compute kernels: loops over raw memory that use neither the standard library, nor a stack,
//! nor constants in memory.
//!
//! In a browser these files run as separate wasm modules (`module.rs`), and the crate uses only
//! their layouts and job types; natively they are part of the crate.
//!
//! # Safety
//!
//! These rules hold for every pointer, and the comments in the files refer to them:
//!
//! - A pointer in a job or in an argument is valid for the number of elements that the comment on
//!   it names, for as long as the job runs. `dispatch.rs` allocates or borrows the memory with
//!   these sizes.
//! - No alignment beyond that of bytes is needed for loads and stores of whole vectors. Single
//!   floats are read and written through aligned pointers, because all buffers are vectors of `f32`
//!   or `u32`.
//! - Inputs are only read, by any number of workers. An output is divided by items (panels, tiles,
//!   heads, rows): a worker writes the part of the items that it has taken, and no other thread
//!   reads or writes that part before the job ends.
//! - Scratch memory belongs to one worker. It is uninitialized, and is written before it is read.

#![cfg_attr(target_arch = "wasm32", allow(dead_code))]

pub mod attention;
pub mod attention_grad;
pub mod conversion;
pub mod format;
pub mod functions;
pub mod job;
pub mod matmul;
pub mod one_query;
pub mod pack;
pub mod panels;
pub mod pool;
pub mod rowwise;
pub mod tile_f32;
pub mod tile_i8;
pub mod transposed;
pub mod vector;
