//! The options of a run.

use candle_core::Tensor;

use super::gradients::Objective;
use crate::intervene::{Compiler, Intervention};

/// The options of a run.
#[derive(Clone, Default)]
pub struct RunOptions {
    /// The values to capture: hook names, globs or regular expressions.
    pub names: Vec<String>,
    /// Changes, applied in this order. A capture gets the changed values.
    pub interventions: Vec<Intervention>,
    /// Capture only these rows along `pos` or `query`; negative ones count from the end.
    pub positions: Option<Vec<i64>>,
    /// Stop before this block. The run returns the residual stream there instead of logits.
    pub stop_at_layer: Option<usize>,
    /// Start from a residual stream instead of the embeddings.
    pub start: Option<Start>,
    /// Differentiate this with respect to every value that `names` selects.
    pub gradients_of: Option<Objective>,
    /// Compiles the source of a JavaScript intervention, in a browser.
    pub compiler: Option<Compiler>,
}

/// The start of a run that does not begin at the embeddings.
#[derive(Clone)]
pub struct Start {
    /// The first block to run; `n_layer` runs only the final LayerNorm and the unembedding.
    pub layer: usize,
    /// `blocks.{layer}.hook_resid_pre` of another run, `[1, T, D]`.
    pub resid: Tensor,
}
