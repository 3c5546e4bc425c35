//! `config.json` in, [`Config`] out: the fields, meanings and defaults of Hugging Face's `GPT2Config`.
//!
//! Fields that do not change what the model computes (dropout, initialisation, summaries) are ignored.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The shape of a GPT-2 and the switches that change its arithmetic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    pub n_layer: usize,
    pub n_head: usize,
    /// `d_model`, the width of the residual stream.
    pub n_embd: usize,
    /// `d_mlp`; four times `n_embd` when absent.
    pub n_inner: Option<usize>,
    /// The longest context, in tokens.
    pub n_positions: usize,
    pub vocab_size: usize,
    pub layer_norm_epsilon: f64,
    pub activation_function: Activation,
    /// Divide attention scores by the square root of `d_head`.
    pub scale_attn_weights: bool,
    /// Divide attention scores by the layer's number, counted from 1, as well.
    pub scale_attn_by_inverse_layer_idx: bool,
    /// Compute attention scores in f32. Here every score is, so this changes nothing.
    pub reorder_and_upcast_attn: bool,
    /// Unembed with the token embedding `wte` instead of a matrix `lm_head` of its own.
    pub tie_word_embeddings: bool,
    pub bos_token_id: Option<u32>,
    pub eos_token_id: Option<u32>,
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
            scale_attn_weights: true,
            scale_attn_by_inverse_layer_idx: false,
            reorder_and_upcast_attn: false,
            tie_word_embeddings: true,
            bos_token_id: Some(50256),
            eos_token_id: Some(50256),
        }
    }
}

/// The non-linearity of the MLP, under Hugging Face's names and their aliases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`, GPT-2's own.
    #[serde(alias = "gelu_pytorch_tanh", alias = "gelu_fast", alias = "gelu_accurate")]
    GeluNew,
    /// `0.5 x (1 + erf(x / sqrt(2)))`.
    #[serde(alias = "gelu_python")]
    Gelu,
    Relu,
    /// `x / (1 + exp(-x))`.
    #[serde(alias = "swish")]
    Silu,
    Tanh,
}

impl Config {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// [`Error::Config`] when the text is not JSON, describes another architecture, or names sizes that do
    /// not fit together.
    pub fn from_json(text: &str) -> Result<Config> {
        let mut json: serde_json::Value = serde_json::from_str(text).map_err(invalid)?;
        if let Some(found) = json.get("model_type").and_then(|value| value.as_str())
            && found != "gpt2"
        {
            return Err(Error::Config(format!("`model_type` is \"{found}\", expected \"gpt2\"")));
        }
        if json.get("add_cross_attention") == Some(&serde_json::Value::Bool(true)) {
            return Err(Error::Config("`add_cross_attention` is true, expected a decoder alone".into()));
        }
        use_canonical_names(&mut json);
        let config: Config = serde_json::from_value(json).map_err(invalid)?;
        config.validate()?;
        Ok(config)
    }

    /// The width of one head, `n_embd / n_head`.
    pub fn d_head(&self) -> usize {
        self.n_embd / self.n_head
    }

    /// The width of the MLP's hidden layer.
    pub fn d_mlp(&self) -> usize {
        self.n_inner.unwrap_or(self.n_embd.saturating_mul(4))
    }

    /// What attention scores in `layer` are divided by.
    pub fn attention_divisor(&self, layer: usize) -> f64 {
        let by_width = if self.scale_attn_weights { (self.d_head() as f64).sqrt() } else { 1.0 };
        let by_layer = if self.scale_attn_by_inverse_layer_idx { (layer + 1) as f64 } else { 1.0 };
        by_width * by_layer
    }

    fn validate(&self) -> Result<()> {
        let sizes = [
            ("n_layer", self.n_layer),
            ("n_head", self.n_head),
            ("n_embd", self.n_embd),
            ("n_inner", self.d_mlp()),
            ("n_positions", self.n_positions),
            ("vocab_size", self.vocab_size),
        ];
        if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(Error::Config(format!("`{name}` is 0, expected at least 1")));
        }
        // Larger than any model; every number of parameters then fits 64 bits.
        if let Some((name, size)) = sizes.iter().find(|(name, size)| *size > longest(name)) {
            let most = longest(name);
            return Err(Error::Config(format!("`{name}` is {size}, expected at most {most}")));
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

fn longest(size: &str) -> usize {
    if size == "n_layer" { 1 << 12 } else { 1 << 24 }
}

/// Hugging Face reads the names on the left as those on the right; old files write `n_ctx` beside or instead of
/// `n_positions`. (A serde alias would refuse a file that has both.)
const OTHER_NAMES: [(&str, &str); 5] = [
    ("num_hidden_layers", "n_layer"),
    ("num_attention_heads", "n_head"),
    ("hidden_size", "n_embd"),
    ("max_position_embeddings", "n_positions"),
    ("n_ctx", "n_positions"),
];

fn use_canonical_names(json: &mut serde_json::Value) {
    let Some(fields) = json.as_object_mut() else { return };
    for (other, canonical) in OTHER_NAMES {
        if let Some(value) = fields.get(other).cloned() {
            fields.entry(canonical).or_insert(value);
        }
    }
}

fn invalid(error: serde_json::Error) -> Error {
    let text = error.to_string();
    if text.contains("unknown variant") {
        return Error::Config(format!("`activation_function`: {text}"));
    }
    Error::Config(text)
}
