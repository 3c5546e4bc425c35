//! The compute kernels: loops over raw memory that use neither the standard library, nor a stack, nor constants in memory.
//!
//! In a browser these files run as separate wasm modules (`module.rs`), and the crate uses only their layouts and job
//! types; natively they are part of the crate.

#![cfg_attr(target_arch = "wasm32", allow(dead_code))]

pub mod attention;
pub mod format;
pub mod functions;
pub mod job;
pub mod matmul;
pub mod pack;
pub mod pool;
pub mod rowwise;
pub mod tile_f32;
pub mod tile_i8;
pub mod vector;
