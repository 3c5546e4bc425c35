//! The operations of a forward pass, one file for each, with the custom ops that give them a
//! backward pass.
//!
//! In: f32 tensors on the CPU. Out: the numbers of the same formulas composed from candle's
//! operations, up to rounding. Composed, they would cost several times the matrix products in
//! training: the backward pass of candle's GELU calls `powf` and `tanh` of the C library.

mod activation;
mod attention;
mod cross_entropy;
mod layer_norm;
mod linear;
mod packed_product;
mod rows;
mod softmax;
mod storage;
#[cfg(test)]
mod tests;

pub use activation::{Activation, activation};
pub use attention::{attention, attention_mix, attention_scores};
pub use cross_entropy::cross_entropy;
pub use layer_norm::{affine, normalize, scale};
pub use linear::{linear, matmul};
pub use softmax::{log_sum_exp, softmax};
pub(crate) use storage::with_floats;
