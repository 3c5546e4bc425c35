//! The operations of a forward pass, one file for each, with the custom ops that give them a
//! backward pass.
//!
//! In: f32 tensors on the CPU. Out: the numbers of the same formulas composed from candle's
//! operations, up to rounding. Composed, they would cost several times the matrix products in
//! training: the backward pass of candle's GELU calls `powf` and `tanh` of the C library.

mod activation;
mod attention;
mod attention_grad;
mod cross_entropy;
mod heads;
mod layer_norm;
mod linear;
mod packed_product;
mod rows;
mod softmax;
mod storage;
#[cfg(test)]
mod tests;
mod whole_norm;

pub use activation::{Activation, activation};
pub use attention::{attention, attention_mix, attention_scores, self_attention};
pub use cross_entropy::cross_entropy;
pub(crate) use cross_entropy::{cross_entropy_grad, weighted_sum};
pub use layer_norm::{affine, normalize, scale};
pub use linear::{linear, matmul, transposed_matmul};
pub use softmax::{log_sum_exp, softmax};
pub(crate) use storage::with_floats;
pub use whole_norm::layer_norm;
