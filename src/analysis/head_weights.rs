//! The weights of one attention head.

use candle_core::Tensor;

use crate::error::Result;
use crate::model::Model;
use crate::wire::words;

words! {
    /// One of the three inputs of a head, through which it reads the residual stream.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum HeadInput {
        /// The queries.
        Q = "q",
        /// The keys.
        K = "k",
        /// The values.
        V = "v",
    }
}

/// The weights of one head. Its queries are `x W_Q + b_Q`, and it writes `z W_O` to the residual stream.
pub struct HeadWeights {
    /// `[D, K]` each.
    pub w_q: Tensor,
    /// The key matrix.
    pub w_k: Tensor,
    /// The value matrix.
    pub w_v: Tensor,
    /// `[K, D]`.
    pub w_o: Tensor,
    /// `[K]` each.
    pub b_q: Tensor,
    /// The bias of keys.
    pub b_k: Tensor,
    /// The bias of values.
    pub b_v: Tensor,
}

impl HeadWeights {
    /// The weights of a head of a model.
    pub fn of(model: &Model, layer: usize, head: usize) -> Result<HeadWeights> {
        let (d, width) = (model.config().n_embd, model.config().d_head());
        let weight = model.weight(&format!("h.{layer}.attn.c_attn.weight"))?; // [D, 3 D]
        let bias = model.weight(&format!("h.{layer}.attn.c_attn.bias"))?; // [3 D]
        let columns = |path: usize| weight.narrow(1, path * d + head * width, width)?.contiguous();
        let entries = |path: usize| bias.narrow(0, path * d + head * width, width)?.contiguous();
        let output = model.weight(&format!("h.{layer}.attn.c_proj.weight"))?;
        Ok(HeadWeights {
            w_q: columns(0)?,
            w_k: columns(1)?,
            w_v: columns(2)?,
            w_o: output.narrow(0, head * width, width)?.contiguous()?,
            b_q: entries(0)?,
            b_k: entries(1)?,
            b_v: entries(2)?,
        })
    }
}
