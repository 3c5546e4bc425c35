//! The arithmetic that a forward pass is made of, one function for each operation, over candle tensors.
//!
//! Where a value on the way is differentiated (training, gradients), each function uses operations that have a
//! backward pass; elsewhere the fastest form. Which one runs never depends on hooks, so that looking inside a run
//! changes no bit of it.

use candle_core::{D, Tensor};
use candle_nn::ops;

use crate::config::Activation;
use crate::error::Result;

pub mod trainable;

/// `x w + b` over the last axis of `x` `[.., in]`, with `w` `[in, out]` and `b` `[out]`.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let product = matmul(x, weight)?;
    Ok(if product.track_op() { trainable::add_bias(&product, bias)? } else { product.broadcast_add(bias)? })
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
    Ok(if x.track_op() { trainable::softmax(x)? } else { ops::softmax_last_dim(&x.contiguous()?)? })
}

/// Adds the causal mask `[T, S]` to attention scores `[.., T, S]`.
pub fn add_mask(scores: &Tensor, mask: &Tensor) -> Result<Tensor> {
    if !scores.track_op() {
        return Ok(scores.broadcast_add(mask)?);
    }
    let rows = scores.flatten_from(D::Minus2)?;
    Ok(trainable::add_bias(&rows, &mask.flatten_all()?)?.reshape(scores.shape())?)
}

/// `sqrt(variance + eps)` over the last axis of `x`, kept with length 1.
pub fn scale(x: &Tensor, eps: f64) -> Result<Tensor> {
    Ok(trainable::scale(x, eps)?)
}

/// `(x - mean) / scale` over the last axis of `x`.
pub fn normalize(x: &Tensor, scale: &Tensor) -> Result<Tensor> {
    Ok(trainable::normalize(x, scale)?)
}

/// `x weight + bias` elementwise along the last axis.
pub fn affine(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    Ok(trainable::affine(x, weight, bias)?)
}

/// The MLP's non-linearity.
pub fn activation(x: &Tensor, function: Activation) -> Result<Tensor> {
    Ok(match function {
        Activation::GeluNew if x.track_op() => trainable::gelu_new(x)?,
        Activation::GeluNew => x.gelu()?, // candle's `gelu` is the tanh form
        Activation::Gelu => x.gelu_erf()?,
        Activation::Relu => x.relu()?,
        Activation::Silu => x.silu()?,
        Activation::Tanh => x.tanh()?,
    })
}
