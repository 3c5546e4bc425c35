//! The options of a run.

use candle_core::Tensor;

use super::gradients::Objective;
use crate::intervene::{Compiler, Intervention};
use crate::wire::{self, HookName, List, options};

options! {
    /// The options of a run.
    #[derive(Clone)]
    pub struct RunOptions {
        /// The values to capture.
        pub names: Vec<String> as List<HookName> = Vec::new(),
        /// Changes, applied in this order. A capture gets the changed values.
        pub interventions: Vec<Intervention> = Vec::new(),
        /// Capture only these rows along `pos` or `query`; negative ones count from the end.
        pub positions: Option<Vec<i64>>,
        /// Stop before this block. The run returns the residual stream there instead of logits.
        pub stop_at_layer: Option<usize>,
        /// Start from a residual stream instead of the embeddings.
        pub start: Option<Start> => "startAt",
        /// Differentiate this number with respect to every value that `names` selects.
        pub gradients_of: Option<Objective>,
    } with {
        /// Compiles the source of a JavaScript intervention, in a browser.
        pub compiler: Option<Compiler>,
    }
}

impl Default for RunOptions {
    fn default() -> Self {
        wire::defaults()
    }
}

options! {
    /// The start of a run that does not begin at the embeddings.
    #[derive(Clone)]
    pub struct Start {
        /// The first block to run; `n_layer` runs only the final LayerNorm and the unembedding.
        pub layer: usize,
        /// `blocks.{layer}.hook_resid_pre` of another run, [1, T, d_model].
        pub resid: Tensor,
    }
}
