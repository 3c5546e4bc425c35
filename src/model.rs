//! GPT-2 and its relatives: token ids in, logits out, and every intermediate value offered to
//! [`Hooks`](crate::hook::Hooks).
//!
//! The small parts come first, then the block, whose `forward` is two formulas, then the [`Model`].
//! What distinguishes the members of the family is a value in one of them: `norm` and `positions`
//! have a file each, and a block without an MLP is `mlp: None`.
//! Fields are named after the checkpoint keys. In shapes, B is the batch, T the new positions, S
//! all positions with those in the key/value cache, D d_model, H heads, K d_head, M d_mlp and V the
//! vocabulary. [`crate::checkpoint`] loads the weights and [`crate::kernel`] computes.

mod kv_cache;
mod norm;
mod parameters;
mod parts;
mod pass;
mod positions;
mod rows;
mod split_heads;
mod tap;
mod weight_views;

use std::sync::Arc;

use candle_core::Tensor;

use crate::checkpoint::{Config, Normalization, Weights};
use crate::error::{Error, Result};
use crate::hook::{BlockPoint, HookPoint};
use crate::kernel::{self, Activation, Matrix};

pub use kv_cache::KvCache;
use norm::Norm;
pub use parameters::{Parameter, ParameterView};
use positions::Positions;
pub(crate) use rows::{Rows, packed_ids};
use tap::Tap;
pub(crate) use weight_views::{Part, WeightView, checkpoint_axes, weight_views};

/// The inputs of queries, keys and values that a hook replaced, for each text: `[B, T, H, D]`,
/// normalized, with positions. None for a path that reads the residual stream like the others;
/// empty if no hook wants them.
type PathInputs = Vec<[Option<Tensor>; 3]>;

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

    /// Reads the normalized residual stream `x` `[B, T, D]`, to which queries and keys add
    /// `positions`. `inputs` replaces it for some paths; `past` has the keys and values of earlier
    /// positions of each text.
    fn forward(
        &self,
        x: &Tensor,
        positions: Option<&Tensor>,
        inputs: PathInputs,
        mut past: Option<&mut [KvCache]>,
        tap: &mut Tap,
    ) -> Result<Tensor> {
        use BlockPoint::{AttnScores, K, Pattern, Q, V};
        let alone = positions.is_none() && inputs.is_empty() && past.is_none();
        let observed = [Q, K, V, AttnScores, Pattern].into_iter().any(|point| tap.wants(point));
        if alone && !observed && tap.rows().only().is_some() {
            let z = kernel::self_attention(&self.c_attn.forward(x)?, self.n_head, self.divisor)?;
            let z = tap.block(BlockPoint::Z, z)?;
            return self.output(&z, tap);
        }
        let [q, k, v] = self.project(x, positions, inputs, tap.rows())?; // [B, T, H, K] each
        let q = tap.block(BlockPoint::Q, q)?;
        let k = tap.block(BlockPoint::K, k)?;
        let v = tap.block(BlockPoint::V, v)?;

        let observed = tap.wants(BlockPoint::AttnScores) || tap.wants(BlockPoint::Pattern);
        let layer = tap.layer();
        let z = tap.rows().map(|row| {
            let [q, k, v] = [row.of(&q)?, row.of(&k)?, row.of(&v)?];
            let (k, v) = match past.as_deref_mut() {
                Some(past) => past[row.index].layer(layer).append(&k, &v)?, // [B, S, H, K]
                None => (k, v),
            };
            if !observed {
                return kernel::attention(&q, &k, &v, self.divisor);
            }
            let scores = kernel::attention_scores(&q, &k, self.divisor)?; // [B, H, T, S], -inf if masked
            let scores = tap.row(row, BlockPoint::AttnScores, scores)?;
            let pattern = tap.row(row, BlockPoint::Pattern, kernel::softmax(&scores)?)?;
            kernel::attention_mix(&pattern, &v)
        })?; // [B, T, H, K]
        let z = tap.block(BlockPoint::Z, z)?;
        self.output(&z, tap)
    }

    /// Queries, keys and values `[B, T, H, K]`. A path with an input of its own has one row for
    /// each head.
    fn project(
        &self,
        x: &Tensor,
        positions: Option<&Tensor>,
        inputs: PathInputs,
        rows: &Rows,
    ) -> Result<[Tensor; 3]> {
        let (b, t, d) = x.dims3()?;
        let project = |x: &Tensor| -> Result<Tensor> {
            Ok(self.c_attn.forward(x)?.reshape((b, t, 3, self.n_head, d / self.n_head))?)
        };
        let of_values = project(x)?;
        let of_queries_and_keys = match positions {
            None => of_values.clone(),
            Some(positions) => project(&(x + positions)?)?,
        };
        let path = |joined: &Tensor, index: usize| {
            let shared = joined.narrow(2, index, 1)?.squeeze(2)?;
            if inputs.iter().all(|of_row| of_row[index].is_none()) {
                return Ok(shared);
            }
            rows.map(|row| match &inputs[row.index][index] {
                None => row.of(&shared),
                Some(input) => self.project_heads(input, index),
            })
        };
        Ok([path(&of_queries_and_keys, 0)?, path(&of_queries_and_keys, 1)?, path(&of_values, 2)?])
    }

    /// The sum of what the heads write to the residual stream: `z` `[B, T, H, K]` to `[B, T, D]`.
    fn output(&self, z: &Tensor, tap: &mut Tap) -> Result<Tensor> {
        if tap.wants(BlockPoint::Result) {
            return self.output_by_head(z, tap);
        }
        self.c_proj.forward(&z.flatten_from(2)?)
    }
}

/// `activation(x c_fc) c_proj`; with `solu_ln`, `ln(activation(x c_fc)) c_proj`.
struct Mlp {
    ln_2: Norm,
    c_fc: Linear, // [D, M]
    activation: Activation,
    ln: Option<Norm>, // over the M neurons
    c_proj: Linear,   // [M, D]
}

impl Mlp {
    fn load(weights: &Weights, layer: usize, config: &Config) -> Result<Mlp> {
        use BlockPoint::{Ln2Normalized, Ln2Scale, MlpLnNormalized, MlpLnScale};
        let norm = |name, kind, points| block_norm(weights, layer, config, name, kind, points);
        let neurons = config.normalizes_neurons().then(|| config.neuron_normalization());
        Ok(Mlp {
            ln_2: norm("ln_2", config.normalization_type, [Ln2Scale, Ln2Normalized])?,
            c_fc: Linear::load(weights, &format!("h.{layer}.mlp.c_fc"))?,
            activation: config.activation_function,
            ln: neurons
                .map(|kind| norm("mlp.ln", kind, [MlpLnScale, MlpLnNormalized]))
                .transpose()?,
            c_proj: Linear::load(weights, &format!("h.{layer}.mlp.c_proj"))?,
        })
    }

    /// Reads the residual stream `x` `[B, T, D]`.
    fn forward(&self, x: &Tensor, tap: &mut Tap) -> Result<Tensor> {
        let x = tap.block(BlockPoint::MlpIn, x.clone())?;
        let x = self.ln_2.forward(&x, tap)?;
        let pre = tap.block(BlockPoint::MlpPre, self.c_fc.forward(&x)?)?; // [B, T, M]
        let active = kernel::activation(&pre, self.activation)?;
        let active = match &self.ln {
            None => active,
            Some(ln) => ln.forward(&tap.block(BlockPoint::MlpMid, active)?, tap)?,
        };
        let post = tap.block(BlockPoint::MlpPost, active)?;
        tap.block(BlockPoint::MlpOut, self.c_proj.forward(&post)?) // [B, T, D]
    }
}

/// Attention and, unless the model has attention only, an MLP. Each reads the residual stream
/// through a norm and adds its output to it.
struct Block {
    ln_1: Norm,
    attn: Attention,
    mlp: Option<Mlp>,
}

impl Block {
    fn load(weights: &Weights, layer: usize, config: &Config) -> Result<Block> {
        let points = [BlockPoint::Ln1Scale, BlockPoint::Ln1Normalized];
        let kind = config.normalization_type;
        let mlp = (!config.attn_only).then(|| Mlp::load(weights, layer, config));
        Ok(Block {
            ln_1: block_norm(weights, layer, config, "ln_1", kind, points)?,
            attn: Attention::load(weights, layer, config)?,
            mlp: mlp.transpose()?,
        })
    }

    /// `x = x + attn(ln_1(x))`, then `x = x + mlp(ln_2(x))`: `[B, T, D]` throughout.
    fn forward(
        &self,
        x: Tensor,
        positions: Option<&Tensor>,
        past: Option<&mut [KvCache]>,
        tap: &mut Tap,
    ) -> Result<Tensor> {
        let x = tap.block(BlockPoint::ResidPre, x)?;
        let attn_out = self.attn_out(&x, positions, past, tap)?;
        let mut x = (x + attn_out)?;
        if let Some(mlp) = &self.mlp {
            x = tap.block(BlockPoint::ResidMid, x)?;
            let mlp_out = mlp.forward(&x, tap)?;
            x = (x + mlp_out)?;
        }
        tap.block(BlockPoint::ResidPost, x)
    }

    fn attn_out(
        &self,
        x: &Tensor,
        positions: Option<&Tensor>,
        past: Option<&mut [KvCache]>,
        tap: &mut Tap,
    ) -> Result<Tensor> {
        let inputs = self.path_inputs(x, positions, tap)?;
        let x = self.ln_1.forward(x, tap)?;
        let attn_out = self.attn.forward(&x, positions, inputs, past, tap)?;
        tap.block(BlockPoint::AttnOut, attn_out)
    }
}

fn block_norm(
    weights: &Weights,
    layer: usize,
    config: &Config,
    name: &str,
    kind: Normalization,
    points: [BlockPoint; 2],
) -> Result<Norm> {
    let points = points.map(|point| HookPoint::Block(layer, point));
    let epsilon = config.layer_norm_epsilon;
    Norm::load(weights, &format!("h.{layer}.{name}"), kind, epsilon, points)
}

/// A model of the GPT-2 family with its weights. It is immutable; a clone shares the weights.
#[derive(Clone)]
pub struct Model(Arc<Parts>);

struct Parts {
    config: Config,
    wte: Matrix, // [D, V]
    positions: Positions,
    blocks: Vec<Block>,
    ln_f: Norm,
    lm_head: Matrix,              // [D, V], shared with `wte` if tied
    lm_head_bias: Option<Tensor>, // [V]
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
            positions: Positions::load(weights, &config)?,
            blocks: blocks.collect::<Result<_>>()?,
            ln_f: Norm::load(
                weights,
                "ln_f",
                config.normalization_type,
                config.layer_norm_epsilon,
                ln_final,
            )?,
            lm_head: weights.matrix(head)?,
            lm_head_bias: config.unembed_bias.then(|| weights.get("lm_head.bias")).transpose()?,
            parameters: parameters::parameters(&config, weights)?,
            weights: weights.clone(),
            config,
        })))
    }

    /// The configuration, as the weights require it.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Every tensor that the files hold, each once, in the order of the forward pass. Biases that
    /// they lack are zeros and not in the list.
    pub fn parameters(&self) -> &[Parameter] {
        &self.0.parameters
    }

    /// The number of elements of all parameters.
    pub fn parameter_count(&self) -> usize {
        self.0.parameters.iter().map(|parameter| parameter.count).sum()
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
