//! The list of a model's tensors.

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
        /// The dtype in memory.
        pub dtype: &'static str,
        /// The number of elements.
        pub count: usize,
    }
}

/// Every tensor that the files hold, each once, in the order of the forward pass.
pub(super) fn parameters(config: &Config, weights: &Weights) -> Result<Vec<Parameter>> {
    let parameter = |(name, shape): (String, Vec<usize>)| {
        let dtype = weights.dtype(&name)?;
        Ok(Parameter { count: shape.iter().product(), dtype, name, shape })
    };
    let is_held = |(name, _): &(String, _)| !weights.filled().contains(name);
    expected_shapes(config).into_iter().filter(is_held).map(parameter).collect()
}
