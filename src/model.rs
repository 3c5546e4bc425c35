//! GPT-2: token ids in, logits out, and every intermediate value offered to [`Hooks`].
//!
//! The small parts come first, then the block, whose `forward` is two formulas, then the [`Model`].
//! Fields are named after the checkpoint keys. In shapes, B is the batch, T the new positions, S
//! all positions with those in the key/value cache, D d_model, H heads, K d_head, M d_mlp and V the
//! vocabulary. [`crate::checkpoint`] loads the weights and [`crate::kernel`] computes.

mod kv_cache;
mod parameters;
mod split_heads;
mod tap;

use std::ops::Range;
use std::sync::Arc;

use candle_core::Tensor;

use crate::checkpoint::{Config, Weights};
use crate::error::{Error, Result};
use crate::hook::{BlockPoint, HookPoint, Hooks};
use crate::kernel::{self, Activation, Matrix};

pub use kv_cache::KvCache;
use kv_cache::LayerCache;
pub use parameters::Parameter;
use tap::Tap;

/// The inputs of queries, keys and values that a hook replaced: `[B, T, H, D]`, normalized. None
/// for a path that reads the residual stream like the others.
type PathInputs = [Option<Tensor>; 3];

/// `x w + b`: a `Conv1D` of the checkpoint.
struct Linear {
    weight: Matrix, // [in, out]
    bias: Tensor,   // [out]
}

impl Linear {
    fn load(weights: &Weights, name: &str) -> Result<Linear> {
        Ok(Linear {
            weight: weights.matrix(&format!("{name}.weight"))?,
            bias: weights.get(&format!("{name}.bias"))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        kernel::linear(x, &self.weight, &self.bias)
    }
}

/// `(x - mean) / sqrt(variance + eps) * weight + bias` over the last axis.
struct LayerNorm {
    weight: Tensor, // [D]
    bias: Tensor,   // [D]
    epsilon: f64,
    points: [HookPoint; 2], // of the scale, and of the value before weight and bias
}

impl LayerNorm {
    fn load(
        weights: &Weights,
        name: &str,
        config: &Config,
        points: [HookPoint; 2],
    ) -> Result<LayerNorm> {
        let tensor = |part| weights.get(&format!("{name}.{part}"));
        let (weight, bias) = (tensor("weight")?, tensor("bias")?);
        Ok(LayerNorm { weight, bias, epsilon: config.layer_norm_epsilon, points })
    }

    fn forward(&self, x: &Tensor, tap: &mut Tap) -> Result<Tensor> {
        let scale = tap.at(self.points[0], kernel::scale(x, self.epsilon)?)?; // [B, T, 1]
        let normalized = tap.at(self.points[1], kernel::normalize(x, &scale)?)?; // [B, T, D]
        kernel::affine(&normalized, &self.weight, &self.bias)
    }

    fn without_hooks(&self, x: &Tensor) -> Result<Tensor> {
        let normalized = kernel::normalize(x, &kernel::scale(x, self.epsilon)?)?;
        kernel::affine(&normalized, &self.weight, &self.bias)
    }
}

/// Causal multi-head self-attention: `softmax(q kᵀ / divisor) v` for each head, then a projection.
struct Attention {
    c_attn: Linear, // [D, 3 D]: queries, keys and values, in each the heads side by side
    c_proj: Linear, // [D, D], rows grouped by head
    n_head: usize,
    divisor: f64,
}

impl Attention {
    fn load(weights: &Weights, layer: usize, config: &Config) -> Result<Attention> {
        Ok(Attention {
            c_attn: Linear::load(weights, &format!("h.{layer}.attn.c_attn"))?,
            c_proj: Linear::load(weights, &format!("h.{layer}.attn.c_proj"))?,
            n_head: config.n_head,
            divisor: config.attention_divisor(layer),
        })
    }

    /// Reads the normalized residual stream `x` `[B, T, D]`. `inputs` replaces it for some paths;
    /// `past` has the keys and values of earlier positions.
    fn forward(
        &self,
        x: &Tensor,
        inputs: PathInputs,
        past: Option<&mut LayerCache>,
        tap: &mut Tap,
    ) -> Result<Tensor> {
        let [q, k, v] = self.project(x, inputs)?; // [B, T, H, K] each
        let q = tap.block(BlockPoint::Q, q)?;
        let k = tap.block(BlockPoint::K, k)?;
        let v = tap.block(BlockPoint::V, v)?;

        let (k, v) = match past {
            Some(past) => past.append(&k, &v)?, // [B, S, H, K]
            None => (k, v),
        };
        let z = if tap.wants(BlockPoint::AttnScores) || tap.wants(BlockPoint::Pattern) {
            let scores = kernel::attention_scores(&q, &k, self.divisor)?; // [B, H, T, S], -inf if masked
            let scores = tap.block(BlockPoint::AttnScores, scores)?;
            let pattern = tap.block(BlockPoint::Pattern, kernel::softmax(&scores)?)?;
            kernel::attention_mix(&pattern, &v)?
        } else {
            kernel::attention(&q, &k, &v, self.divisor)?
        }; // [B, T, H, K]
        let z = tap.block(BlockPoint::Z, z)?;
        self.output(&z, tap)
    }

    /// Queries, keys and values `[B, T, H, K]`. A path with an input of its own has one row for
    /// each head.
    fn project(&self, x: &Tensor, inputs: PathInputs) -> Result<[Tensor; 3]> {
        let (b, t, d) = x.dims3()?;
        let joined = self.c_attn.forward(x)?.reshape((b, t, 3, self.n_head, d / self.n_head))?;
        let path = |index: usize| match &inputs[index] {
            None => Ok(joined.narrow(2, index, 1)?.squeeze(2)?),
            Some(input) => self.project_heads(input, index),
        };
        Ok([path(0)?, path(1)?, path(2)?])
    }

    /// The sum of what the heads write to the residual stream: `z` `[B, T, H, K]` to `[B, T, D]`.
    fn output(&self, z: &Tensor, tap: &mut Tap) -> Result<Tensor> {
        if tap.wants(BlockPoint::Result) {
            let result = self.head_results(z)?;
            let returned = tap.block(BlockPoint::Result, result.clone())?;
            if returned.id() != result.id() {
                return Ok(returned.sum(2)?.broadcast_add(&self.c_proj.bias)?);
            }
        }
        self.c_proj.forward(&z.flatten_from(2)?)
    }
}

/// `activation(x c_fc) c_proj`.
struct Mlp {
    c_fc: Linear,   // [D, M]
    c_proj: Linear, // [M, D]
    activation: Activation,
}

impl Mlp {
    fn load(weights: &Weights, layer: usize, config: &Config) -> Result<Mlp> {
        Ok(Mlp {
            c_fc: Linear::load(weights, &format!("h.{layer}.mlp.c_fc"))?,
            c_proj: Linear::load(weights, &format!("h.{layer}.mlp.c_proj"))?,
            activation: config.activation_function,
        })
    }

    fn forward(&self, x: &Tensor, tap: &mut Tap) -> Result<Tensor> {
        let pre = tap.block(BlockPoint::MlpPre, self.c_fc.forward(x)?)?; // [B, T, M]
        let post = tap.block(BlockPoint::MlpPost, kernel::activation(&pre, self.activation)?)?;
        self.c_proj.forward(&post) // [B, T, D]
    }
}

/// Attention and MLP. Each reads the residual stream through a LayerNorm and adds its output to it.
struct Block {
    ln_1: LayerNorm,
    attn: Attention,
    ln_2: LayerNorm,
    mlp: Mlp,
}

impl Block {
    fn load(weights: &Weights, layer: usize, config: &Config) -> Result<Block> {
        use BlockPoint::{Ln1Normalized, Ln1Scale, Ln2Normalized, Ln2Scale};
        let layer_norm = |name: &str, points: [BlockPoint; 2]| {
            let points = points.map(|point| HookPoint::Block(layer, point));
            LayerNorm::load(weights, &format!("h.{layer}.{name}"), config, points)
        };
        Ok(Block {
            ln_1: layer_norm("ln_1", [Ln1Scale, Ln1Normalized])?,
            attn: Attention::load(weights, layer, config)?,
            ln_2: layer_norm("ln_2", [Ln2Scale, Ln2Normalized])?,
            mlp: Mlp::load(weights, layer, config)?,
        })
    }

    /// `x = x + attn(ln_1(x))`, then `x = x + mlp(ln_2(x))`: `[B, T, D]` throughout.
    fn forward(&self, x: Tensor, past: Option<&mut LayerCache>, tap: &mut Tap) -> Result<Tensor> {
        let x = tap.block(BlockPoint::ResidPre, x)?;
        let attn_out = self.attn_out(&x, past, tap)?;
        let x = tap.block(BlockPoint::ResidMid, (x + attn_out)?)?;
        let mlp_out = self.mlp_out(&x, tap)?;
        tap.block(BlockPoint::ResidPost, (x + mlp_out)?)
    }

    fn attn_out(&self, x: &Tensor, past: Option<&mut LayerCache>, tap: &mut Tap) -> Result<Tensor> {
        let inputs = self.path_inputs(x, tap)?;
        let x = self.ln_1.forward(x, tap)?;
        let attn_out = self.attn.forward(&x, inputs, past, tap)?;
        tap.block(BlockPoint::AttnOut, attn_out)
    }

    fn mlp_out(&self, x: &Tensor, tap: &mut Tap) -> Result<Tensor> {
        let x = tap.block(BlockPoint::MlpIn, x.clone())?;
        let x = self.ln_2.forward(&x, tap)?;
        let mlp_out = self.mlp.forward(&x, tap)?;
        tap.block(BlockPoint::MlpOut, mlp_out)
    }
}

/// A GPT-2 with its weights. It is immutable; a clone shares the weights.
#[derive(Clone)]
pub struct Model(Arc<Parts>);

struct Parts {
    config: Config,
    wte: Matrix, // [D, V]
    wpe: Tensor, // [n_positions, D]
    blocks: Vec<Block>,
    ln_f: LayerNorm,
    lm_head: Matrix, // [D, V], shared with `wte` if tied
    parameters: Vec<Parameter>,
    weights: Weights,
}

impl Model {
    /// Builds the model. If `weights` has a `lm_head.weight`, it is the unembedding even if the
    /// config says that the embeddings are tied.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing.
    pub fn new(config: Config, weights: &Weights) -> Result<Model> {
        let config = weights.config(config);
        let head = if config.tie_word_embeddings { "wte.weight" } else { "lm_head.weight" };
        let ln_final = [HookPoint::LnFinalScale, HookPoint::LnFinalNormalized];
        let blocks = (0..config.n_layer).map(|layer| Block::load(weights, layer, &config));
        Ok(Model(Arc::new(Parts {
            wte: weights.matrix("wte.weight")?,
            wpe: weights.get("wpe.weight")?,
            blocks: blocks.collect::<Result<_>>()?,
            ln_f: LayerNorm::load(weights, "ln_f", &config, ln_final)?,
            lm_head: weights.matrix(head)?,
            parameters: parameters::parameters(&config, weights)?,
            weights: weights.clone(),
            config,
        })))
    }

    /// The configuration, as the weights require it.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Every tensor of the checkpoint, each once, in the order of the forward pass.
    pub fn parameters(&self) -> &[Parameter] {
        &self.0.parameters
    }

    /// The number of elements of all parameters.
    pub fn parameter_count(&self) -> usize {
        self.0.parameters.iter().map(|parameter| parameter.count).sum()
    }

    /// The tensor with this checkpoint key, as [`Weights::get`] names it; `lm_head.weight` is
    /// `wte.weight` if tied.
    ///
    /// # Errors
    /// [`Error::Weights`] if the model has no such tensor.
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

    /// Logits `[B, T, V]` of `tokens` `[B, T]` (u32), which follow the positions in `kv` if there
    /// is one.
    ///
    /// # Errors
    /// [`Error::Input`] if the context is longer than `n_positions`, an id is not in the
    /// vocabulary, or there is no token; [`Error::Hook`] if a hook returns another shape; the
    /// errors of the hooks.
    pub fn forward(
        &self,
        tokens: &Tensor,
        kv: Option<&mut KvCache>,
        hooks: &mut dyn Hooks,
    ) -> Result<Tensor> {
        let first_position = kv.as_deref().map_or(0, KvCache::len);
        let x = self.embed(tokens, first_position, hooks)?;
        let x = self.blocks(x, 0..self.0.config.n_layer, kv, hooks)?;
        self.unembed(&x, first_position, hooks)
    }

    /// The residual stream before the first block, `[B, T, D]`, for tokens that start at
    /// `first_position`.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn embed(
        &self,
        tokens: &Tensor,
        first_position: usize,
        hooks: &mut dyn Hooks,
    ) -> Result<Tensor> {
        self.check_input(tokens, first_position)?;
        let mut tap = Tap::new(hooks, first_position);
        let (batch, length) = tokens.dims2()?;
        let embed = tap.at(HookPoint::Embed, self.0.wte.embedding(tokens)?)?; // [B, T, D]
        let positions = self.0.wpe.narrow(0, first_position, length)?.unsqueeze(0)?; // [1, T, D]
        let positions =
            positions.broadcast_as((batch, length, self.0.config.n_embd))?.contiguous()?;
        let pos_embed = tap.at(HookPoint::PosEmbed, positions)?;
        Ok((embed + pos_embed)?)
    }

    /// The residual stream `x` `[B, T, D]` after the blocks in `layers`. `kv` has the positions
    /// before it.
    ///
    /// # Errors
    /// As [`Model::forward`].
    ///
    /// # Panics
    /// If the model does not have one of the layers.
    pub fn blocks(
        &self,
        mut x: Tensor,
        layers: Range<usize>,
        mut kv: Option<&mut KvCache>,
        hooks: &mut dyn Hooks,
    ) -> Result<Tensor> {
        let first_position = kv.as_deref().map_or(0, KvCache::len);
        for layer in layers {
            let past = kv.as_deref_mut().map(|kv| kv.layer(layer));
            let mut tap = Tap::in_block(layer, &mut *hooks, first_position);
            x = self.0.blocks[layer].forward(x, past, &mut tap)?;
        }
        Ok(x)
    }

    /// Logits `[B, T, V]` of the residual stream after the last block, `[B, T, D]`.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn unembed(
        &self,
        x: &Tensor,
        first_position: usize,
        hooks: &mut dyn Hooks,
    ) -> Result<Tensor> {
        let mut tap = Tap::new(hooks, first_position);
        let x = self.0.ln_f.forward(x, &mut tap)?; // [B, T, D]
        let x = tap.at(HookPoint::UnembedIn, x)?;
        tap.at(HookPoint::UnembedOut, kernel::matmul(&x, &self.0.lm_head)?)
    }

    fn check_input(&self, tokens: &Tensor, first_position: usize) -> Result<()> {
        let n_positions = self.0.config.n_positions;
        let length = first_position + tokens.dims2()?.1;
        if tokens.elem_count() == 0 {
            return Err(Error::no_token());
        }
        if length > n_positions {
            return Err(Error::context_too_long(length, n_positions));
        }
        self.check_ids(tokens)
    }

    /// Checks that the vocabulary has every id.
    pub(crate) fn check_ids(&self, tokens: &Tensor) -> Result<()> {
        let vocab_size = self.0.config.vocab_size;
        let ids = tokens.flatten_all()?.to_vec1::<u32>()?;
        match ids.iter().find(|id| **id as usize >= vocab_size) {
            Some(id) => Err(Error::out_of_range(format_args!("token id {id}"), vocab_size)),
            None => Ok(()),
        }
    }
}
