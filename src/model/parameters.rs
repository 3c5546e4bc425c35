//! The list of a model's tensors.

use super::weight_views::{checkpoint_axes, weight_views};
use crate::checkpoint::{Config, Weights, expected_shapes};
use crate::error::Result;
use crate::wire::results;

results! {
    /// A tensor of the checkpoint.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Parameter {
        /// The checkpoint key, such as `h.0.attn.c_attn.weight`.
        pub name: String,
        /// Its shape in the checkpoint.
        pub shape: Vec<usize>,
        /// The names of its axes.
        pub axes: &'static [&'static str],
        /// The dtype in memory.
        pub dtype: &'static str,
        /// The number of elements.
        pub count: usize,
        /// The weights of TransformerLens that are this tensor or a part of it.
        pub views: Vec<ParameterView>,
    }
}

results! {
    /// A weight under its name in TransformerLens.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ParameterView {
        /// Its name, such as `blocks.0.attn.W_Q`.
        pub name: String,
        /// Its shape.
        pub shape: Vec<usize>,
        /// The names of its axes.
        pub axes: &'static [&'static str],
    }
}

/// Every tensor that the files hold, each once, in the order of the forward pass.
pub(super) fn parameters(config: &Config, weights: &Weights) -> Result<Vec<Parameter>> {
    let all = weight_views(config);
    let parameter = |(name, shape): (String, Vec<usize>)| {
        let views = all.iter().filter(|view| view.tensor == name).map(|view| ParameterView {
            name: view.name.clone(),
            shape: view.part.shape(&shape, config.n_head),
            axes: view.axes,
        });
        Ok(Parameter {
            count: shape.iter().product(),
            dtype: weights.dtype(&name)?,
            axes: checkpoint_axes(&name),
            views: views.collect(),
            name,
            shape,
        })
    };
    let is_held = |(name, _): &(String, _)| !weights.filled().contains(name);
    expected_shapes(config).into_iter().filter(is_held).map(parameter).collect()
}
