//! The arithmetic that a forward pass is made of, one function for each operation, over candle tensors.
//!
//! Where a value on the way is differentiated (training, gradients), each function uses operations that have a
//! backward pass; elsewhere the fastest form. Which one runs never depends on hooks, so that looking inside a run
//! changes no bit of it.

use candle_core::{D, Tensor};
use candle_nn::ops;

use crate::config::Activation;
use crate::error::Result;

/// `x w + b` over the last axis of `x` `[.., in]`, with `w` `[in, out]` and `b` `[out]`.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    Ok(matmul(x, weight)?.broadcast_add(bias)?)
}

/// `x w` over the last axis of `x` `[.., in]`, with `w` `[in, out]`, as one product over all rows.
pub fn matmul(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let width = x.dim(D::Minus1)?;
    let mut shape = x.dims().to_vec();
    if let Some(last) = shape.last_mut() {
        *last = weight.dim(1)?;
    }
    Ok(x.reshape((x.elem_count() / width, width))?.matmul(weight)?.reshape(shape)?)
}

/// `exp(x) / sum(exp(x))` over the last axis; `-inf` gets exactly 0.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    // candle's fused form has no backward pass.
    Ok(if x.track_op() { ops::softmax(x, D::Minus1)? } else { ops::softmax_last_dim(&x.contiguous()?)? })
}

/// The MLP's non-linearity.
pub fn activation(x: &Tensor, function: Activation) -> Result<Tensor> {
    Ok(match function {
        Activation::GeluNew => x.gelu()?, // candle's `gelu` is the tanh form
        Activation::Gelu => x.gelu_erf()?,
        Activation::Relu => x.relu()?,
        Activation::Silu => x.silu()?,
        Activation::Tanh => x.tanh()?,
    })
}
