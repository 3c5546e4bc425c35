//! The arithmetic of a forward pass, one function for each operation, over candle tensors.
//!
//! A call such as `linear(x, weight, bias)` flows through the folders in this order:
//!
//! 1. `ops` has one file for each operation. It checks shapes, and gives values that are tracked
//!    for gradients (training, attribution) a backward pass. Products with plain tensors then take
//!    another form. The choice never depends on hooks, so capturing values changes no bit of a run.
//! 2. `weights` stores the matrices: [`WeightFormat`] names a format, [`MatrixBuilder`] converts
//!    the rows of a checkpoint into it, and [`Matrix`] is the operand of [`linear`] and [`matmul`].
//! 3. `dispatch` divides the work into chunks and runs them on all threads, with the instruction
//!    set of the [`Backend`].
//! 4. `simd` contains the compute kernels: loops over raw memory. In a browser they are separate
//!    wasm modules.

mod dispatch;
mod ops;
mod simd;
mod weights;

pub use dispatch::{Backend, backend, select_backend};
#[cfg(target_arch = "wasm32")]
pub(crate) use dispatch::{module, pool, workers};
pub use ops::{
    Activation, activation, affine, attention, attention_mix, attention_scores, cross_entropy,
    layer_norm, linear, log_sum_exp, matmul, normalize, scale, self_attention, softmax,
    transposed_matmul,
};
pub(crate) use ops::{cross_entropy_grad, weighted_sum, with_floats};
pub(crate) use weights::largest_magnitude;
pub use weights::{Axes, Matrix, MatrixBuilder, WeightFormat, finite_halves};
