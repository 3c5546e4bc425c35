//! The parts of a model that analyses and transforms read beside its runs.

use std::collections::BTreeSet;

use candle_core::Tensor;

use super::Model;
use crate::checkpoint::Weights;
use crate::error::Result;

impl Model {
    /// The tensors that no file holds, which are zeros.
    pub(crate) fn filled(&self) -> &BTreeSet<String> {
        self.0.weights.filled()
    }

    /// The weights.
    pub(crate) fn weights(&self) -> &Weights {
        &self.0.weights
    }

    /// The tensor with this checkpoint key, as [`Weights::get`] names it; `lm_head.weight` is
    /// `wte.weight` if tied.
    ///
    /// # Errors
    /// [`Error::Weights`](crate::Error::Weights) if the model has no such tensor.
    pub fn weight(&self, name: &str) -> Result<Tensor> {
        let tied = self.0.config.tie_word_embeddings && name == "lm_head.weight";
        self.0.weights.get(if tied { "wte.weight" } else { name })
    }

    /// The embeddings of `tokens` (u32, of any shape), along a new last axis.
    ///
    /// # Errors
    /// Those of candle, if an id is not in the vocabulary.
    pub fn embedding_of(&self, tokens: &Tensor) -> Result<Tensor> {
        self.0.wte.embedding(tokens)
    }

    /// The directions that the logits of `tokens` (u32, of any shape) read from the output of the
    /// final LayerNorm, along a new last axis.
    ///
    /// # Errors
    /// Those of candle, if an id is not in the vocabulary.
    pub fn unembedding_of(&self, tokens: &Tensor) -> Result<Tensor> {
        self.0.lm_head.embedding(tokens)
    }

    /// The biases of the logits of `tokens` (u32, `[n]`), if the model has some.
    ///
    /// # Errors
    /// Those of candle, if an id is not in the vocabulary.
    pub fn unembedding_bias_of(&self, tokens: &Tensor) -> Result<Option<Tensor>> {
        let of_tokens = |bias: &Tensor| Ok(bias.index_select(tokens, 0)?);
        self.0.lm_head_bias.as_ref().map(of_tokens).transpose()
    }

    /// The residual stream `x` `[.., D]` as the unembedding reads it: through the final norm.
    ///
    /// # Errors
    /// Those of candle, if the last axis has another length.
    pub fn final_norm(&self, x: &Tensor) -> Result<Tensor> {
        self.0.ln_f.without_hooks(x)
    }
}
