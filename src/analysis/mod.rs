//! Measurements: functions of a model and of what a run captured, that return small named arrays.
//!
//! One file each, opening with its formula and its source. None of them is known to the model.

pub mod attribution;
pub mod circuits;
pub mod factored;
pub mod gradients;
pub mod heads;
pub mod logit_lens;
pub mod patching;
pub mod path_patching;
pub mod residual;
pub mod tokens;

use std::collections::BTreeMap;

use candle_core::Tensor;

use crate::error::Result;
use crate::model::Model;

/// Numbers with named axes, the last axis running fastest.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    pub axes: Vec<&'static str>,
    pub shape: Vec<usize>,
    pub data: Vec<f32>,
    /// What the places along an axis stand for, where numbers alone do not say it: the components of an attribution,
    /// say.
    pub labels: BTreeMap<&'static str, Vec<String>>,
}

impl Table {
    /// # Panics
    /// When the axes are not as many as the tensor has: a bug of the caller.
    pub fn new(axes: &[&'static str], tensor: &Tensor) -> Result<Table> {
        assert_eq!(axes.len(), tensor.rank(), "one name for each axis of {:?}", tensor.shape());
        let data = tensor.flatten_all()?.to_vec1()?;
        Ok(Table {
            axes: axes.to_vec(),
            shape: tensor.dims().to_vec(),
            data,
            labels: BTreeMap::new(),
        })
    }

    pub fn labelled(mut self, axis: &'static str, labels: Vec<String>) -> Table {
        self.labels.insert(axis, labels);
        self
    }

    /// The number at `index`, one coordinate for each axis.
    pub fn at(&self, index: &[usize]) -> f32 {
        self.data
            [index.iter().zip(&self.shape).fold(0, |flat, (index, length)| flat * length + index)]
    }
}

/// One head's own part of the projections, with `x W_Q + b_Q` its queries and `z W_O` what it writes.
pub struct HeadWeights {
    /// `[D, K]` each.
    pub w_q: Tensor,
    pub w_k: Tensor,
    pub w_v: Tensor,
    /// `[K, D]`.
    pub w_o: Tensor,
    /// `[K]` each.
    pub b_q: Tensor,
    pub b_k: Tensor,
    pub b_v: Tensor,
}

impl HeadWeights {
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
