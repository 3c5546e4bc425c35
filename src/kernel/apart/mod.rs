//! What does the arithmetic: plain loops over raw memory, without a standard library, a stack or constants in memory.
//!
//! In a browser these files run in wasm modules of their own (`module.rs`), and of them the crate needs layouts and jobs
//! alone; natively they are part of it.

#![cfg_attr(target_arch = "wasm32", allow(dead_code))]

pub mod attend;
pub mod form;
pub mod inner;
pub mod multiply;
pub mod pool;
pub mod quantized;
pub mod rows;
pub mod share;
pub mod simd;
pub mod tiles;
