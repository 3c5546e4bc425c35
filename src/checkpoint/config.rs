//! [`Config`]: the fields, meanings and defaults of Hugging Face's `GPT2Config`.

use serde::{Deserialize, Serialize};

use super::architecture::{Normalization, PositionEmbedding};
use crate::error::{Error, Result};
use crate::kernel::Activation;
use crate::wire::{IntoValue, TypeScript, Value, results};

results! {
    /// The sizes of a GPT-2 and the switches that change its arithmetic, under Hugging Face's names.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    pub struct Config as snake_case {
        /// The number of blocks.
        pub n_layer: usize,
        /// The number of attention heads in a block.
        pub n_head: usize,
        /// `d_model`, the width of the residual stream.
        pub n_embd: usize,
        /// `d_mlp`; four times `n_embd` when absent.
        pub n_inner: Option<usize>,
        /// The longest context, in tokens.
        pub n_positions: usize,
        /// The number of tokens.
        pub vocab_size: usize,
        /// Added to the variance in LayerNorm.
        pub layer_norm_epsilon: f64,
        /// The non-linearity of the MLP.
        pub activation_function: Activation,
        /// How positions enter.
        pub position_embedding: PositionEmbedding,
        /// The normalization in front of each part.
        pub normalization_type: Normalization,
        /// Blocks have attention and no MLP.
        pub attn_only: bool,
        /// The logits have a bias for each token, which GPT-2 itself does not have.
        pub unembed_bias: bool,
        /// Divide attention scores by the square root of `d_head`.
        pub scale_attn_weights: bool,
        /// Divide attention scores by the layer's number, counted from 1, as well.
        pub scale_attn_by_inverse_layer_idx: bool,
        /// Compute attention scores in f32. They always are here, so this changes nothing.
        pub reorder_and_upcast_attn: bool,
        /// Unembed with the token embedding `wte` instead of a matrix `lm_head`.
        pub tie_word_embeddings: bool,
        /// The token at the beginning of a text.
        pub bos_token_id: Option<u32>,
        /// The token at the end of a text.
        pub eos_token_id: Option<u32>,
    }
}

impl IntoValue for Activation {
    fn into_value(self) -> Value {
        Value::Text(activation_name(self).into())
    }

    fn typescript(_: &mut TypeScript) -> String {
        use Activation::{Gelu, GeluNew, Relu, Silu, SoluLn, Tanh};
        let names = [GeluNew, Gelu, Relu, Silu, Tanh, SoluLn].map(activation_name);
        names.map(|name| format!("\"{name}\"")).join(" | ")
    }
}

fn activation_name(activation: Activation) -> &'static str {
    match activation {
        Activation::GeluNew => "gelu_new",
        Activation::Gelu => "gelu",
        Activation::Relu => "relu",
        Activation::Silu => "silu",
        Activation::Tanh => "tanh",
        Activation::SoluLn => "solu_ln",
    }
}

impl Default for Config {
    /// GPT-2 with 124M parameters, as `GPT2Config()` has it.
    fn default() -> Self {
        Config {
            n_layer: 12,
            n_head: 12,
            n_embd: 768,
            n_inner: None,
            n_positions: 1024,
            vocab_size: 50257,
            layer_norm_epsilon: 1e-5,
            activation_function: Activation::GeluNew,
            position_embedding: PositionEmbedding::Learned,
            normalization_type: Normalization::LayerNorm,
            attn_only: false,
            unembed_bias: false,
            scale_attn_weights: true,
            scale_attn_by_inverse_layer_idx: false,
            reorder_and_upcast_attn: false,
            tie_word_embeddings: true,
            bos_token_id: Some(50256),
            eos_token_id: Some(50256),
        }
    }
}

impl Config {
    /// The width of one head, `n_embd / n_head`.
    pub fn d_head(&self) -> usize {
        self.n_embd / self.n_head
    }

    /// The width of the MLP's hidden layer.
    pub fn d_mlp(&self) -> usize {
        self.n_inner.unwrap_or(self.n_embd.saturating_mul(4))
    }

    /// Whether the MLP normalizes the output of its activation function.
    pub fn normalizes_neurons(&self) -> bool {
        !self.attn_only && self.activation_function == Activation::SoluLn
    }

    /// The normalization of the neurons, if there is one. It has parameters if that of the residual stream has some, as
    /// in TransformerLens.
    pub(crate) fn neuron_normalization(&self) -> Normalization {
        match self.normalization_type {
            Normalization::LayerNorm => Normalization::LayerNorm,
            Normalization::LayerNormPre | Normalization::None => Normalization::LayerNormPre,
        }
    }

    /// The divisor of attention scores in `layer`.
    pub fn attention_divisor(&self, layer: usize) -> f64 {
        let by_width = if self.scale_attn_weights { (self.d_head() as f64).sqrt() } else { 1.0 };
        let by_layer = if self.scale_attn_by_inverse_layer_idx { (layer + 1) as f64 } else { 1.0 };
        by_width * by_layer
    }

    pub(super) fn validate(&self) -> Result<()> {
        let sizes = [
            ("n_layer", self.n_layer),
            ("n_head", self.n_head),
            ("n_embd", self.n_embd),
            ("n_inner", self.d_mlp()),
            ("n_positions", self.n_positions),
            ("vocab_size", self.vocab_size),
        ];
        for (name, size) in sizes {
            check_size(name, size as u64)?;
        }
        if !self.n_embd.is_multiple_of(self.n_head) {
            let (width, heads) = (self.n_embd, self.n_head);
            return Err(Error::Config(format!(
                "`n_embd` is {width}, expected a multiple of `n_head`, which is {heads}"
            )));
        }
        Ok(())
    }
}

/// The largest value of a size, above that of any model. The number of parameters then fits 64 bits.
pub(super) fn max_size(name: &str) -> u64 {
    if name == "n_layer" { 1 << 12 } else { 1 << 24 }
}

/// Checks that the size is positive and at most [`max_size`].
pub(super) fn check_size(name: &str, size: u64) -> Result<()> {
    let max = max_size(name);
    match size {
        0 => Err(Error::Config(format!("`{name}` is 0, expected at least 1"))),
        size if size > max => {
            Err(Error::Config(format!("`{name}` is {size}, expected at most {max}")))
        }
        _ => Ok(()),
    }
}
