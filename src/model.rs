//! All of GPT-2: token ids in, logits out, and every value on the way offered to [`Hooks`].
//!
//! Axes are `batch pos head d_head d_model d_mlp vocab`; in shapes, B batch, T new positions, S positions with those
//! in the key/value cache, D d_model, H heads, K d_head, M d_mlp, V vocabulary. Loading is in [`crate::weights`],
//! arithmetic in [`crate::kernel`], and who looks at or changes a value is no concern of this file.

use std::ops::Range;
use std::sync::Arc;

use candle_core::Tensor;

use crate::config::{Activation, Config};
use crate::error::{Error, Result};
use crate::hook::{BlockPoint, HookContext, HookPoint, Hooks, NoHooks};
use crate::kernel::{self, Matrix};
use crate::weights::{Weights, expected_shapes};

/// `x w + b`, a `Conv1D` of the checkpoint.
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
}

impl LayerNorm {
    fn load(weights: &Weights, name: &str, config: &Config) -> Result<LayerNorm> {
        let tensor = |part| weights.get(&format!("{name}.{part}"));
        Ok(LayerNorm {
            weight: tensor("weight")?,
            bias: tensor("bias")?,
            epsilon: config.layer_norm_epsilon,
        })
    }

    /// The normalisation shows its `scale` and its value before gain and bias at two hook points.
    fn forward(
        &self,
        x: &Tensor,
        [scale, normalized]: [HookPoint; 2],
        tap: &mut Tap,
    ) -> Result<Tensor> {
        let scale = tap.at(scale, kernel::scale(x, self.epsilon)?)?; // [B, T, 1]
        let normalized = tap.at(normalized, kernel::normalize(x, &scale)?)?;
        kernel::affine(&normalized, &self.weight, &self.bias)
    }

    fn without_hooks(&self, x: &Tensor) -> Result<Tensor> {
        let nowhere = [HookPoint::LnFinalScale, HookPoint::LnFinalNormalized];
        self.forward(x, nowhere, &mut Tap { hooks: &mut NoHooks, layer: 0, first_position: 0 })
    }
}

/// Causal multi-head self-attention.
struct Attention {
    c_attn: Linear, // [D, 3 D]: queries, keys, values side by side, heads side by side in each
    c_proj: Linear, // [D, D], its rows grouped by head
    n_head: usize,
    divisor: f64,
}

/// What queries, keys and values read, for those whose input a hook replaced: `[B, T, H, D]`, normalised.
type PathInputs = [Option<Tensor>; 3];

impl Attention {
    fn load(weights: &Weights, layer: usize, config: &Config) -> Result<Attention> {
        Ok(Attention {
            c_attn: Linear::load(weights, &format!("h.{layer}.attn.c_attn"))?,
            c_proj: Linear::load(weights, &format!("h.{layer}.attn.c_proj"))?,
            n_head: config.n_head,
            divisor: config.attention_divisor(layer),
        })
    }

    /// `x` is the normalised residual stream `[B, T, D]`, `past` the keys and values of earlier positions.
    fn forward(
        &self,
        x: &Tensor,
        split: PathInputs,
        past: Option<&mut LayerCache>,
        tap: &mut Tap,
    ) -> Result<Tensor> {
        let [q, k, v] = self.project(x, split)?; // [B, T, H, K] each
        let q = tap.block(BlockPoint::Q, q)?;
        let k = tap.block(BlockPoint::K, k)?;
        let v = tap.block(BlockPoint::V, v)?;

        let (k, v) = match past {
            Some(past) => past.append(&k, &v)?, // [B, S, H, K]
            None => (k, v),
        };
        let z = if tap.wants(BlockPoint::AttnScores) || tap.wants(BlockPoint::Pattern) {
            let scores = kernel::attention_scores(&q, &k, self.divisor)?; // [B, H, T, S], -inf where masked
            let scores = tap.block(BlockPoint::AttnScores, scores)?;
            let pattern = tap.block(BlockPoint::Pattern, kernel::softmax(&scores)?)?;
            kernel::attention_mix(&pattern, &v)?
        } else {
            kernel::attention(&q, &k, &v, self.divisor)?
        }; // [B, T, H, K]
        let z = tap.block(BlockPoint::Z, z)?;
        self.output(&z, tap)
    }

    /// Queries, keys and values. A path whose input was replaced has one input for each of its heads.
    fn project(&self, x: &Tensor, split: PathInputs) -> Result<[Tensor; 3]> {
        let (b, t, d) = x.dims3()?;
        let joined = self.c_attn.forward(x)?.reshape((b, t, 3, self.n_head, d / self.n_head))?;
        let path = |index: usize| match &split[index] {
            None => Ok(joined.narrow(2, index, 1)?.squeeze(2)?),
            Some(input) => self.project_heads(input, index),
        };
        Ok([path(0)?, path(1)?, path(2)?])
    }

    /// One path of the projection where every head reads its own row of `input` `[B, T, H, D]`.
    fn project_heads(&self, input: &Tensor, path: usize) -> Result<Tensor> {
        let (_, _, heads, d) = input.dims4()?;
        let width = d / heads;
        let each = (0..heads).map(|head| {
            let columns = path * d + head * width;
            let weight = self.c_attn.weight.columns(columns..columns + width)?;
            let bias = self.c_attn.bias.narrow(0, columns, width)?;
            kernel::linear(&input.narrow(2, head, 1)?.squeeze(2)?.contiguous()?, &weight, &bias) // [B, T, K]
        });
        Ok(Tensor::stack(&each.collect::<Result<Vec<_>>>()?, 2)?)
    }

    /// Adds up what the heads write into the residual stream: `z` `[B, T, H, K]` to `[B, T, D]`.
    fn output(&self, z: &Tensor, tap: &mut Tap) -> Result<Tensor> {
        if tap.wants(BlockPoint::Result) {
            let result = self.head_results(z)?;
            let seen = tap.block(BlockPoint::Result, result.clone())?;
            if seen.id() != result.id() {
                return Ok(seen.sum(2)?.broadcast_add(&self.c_proj.bias)?);
            }
        }
        self.c_proj.forward(&z.flatten_from(2)?)
    }

    /// Each head's own output, without the bias that belongs to none: `[B, T, H, D]`.
    fn head_results(&self, z: &Tensor) -> Result<Tensor> {
        let (_, _, heads, width) = z.dims4()?;
        let each = (0..heads).map(|head| {
            let weight = self.c_proj.weight.rows(head * width..(head + 1) * width)?; // [K, D]
            kernel::matmul(&z.narrow(2, head, 1)?.squeeze(2)?.contiguous()?, &weight)
        });
        Ok(Tensor::stack(&each.collect::<Result<Vec<_>>>()?, 2)?)
    }
}

/// Two layers with a non-linearity between them.
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
        self.c_proj.forward(&post)
    }
}

/// Attention and MLP, each reading from the residual stream through a LayerNorm and adding to it.
struct Block {
    ln_1: LayerNorm,
    attn: Attention,
    ln_2: LayerNorm,
    mlp: Mlp,
}

impl Block {
    fn load(weights: &Weights, layer: usize, config: &Config) -> Result<Block> {
        Ok(Block {
            ln_1: LayerNorm::load(weights, &format!("h.{layer}.ln_1"), config)?,
            attn: Attention::load(weights, layer, config)?,
            ln_2: LayerNorm::load(weights, &format!("h.{layer}.ln_2"), config)?,
            mlp: Mlp::load(weights, layer, config)?,
        })
    }

    fn forward(&self, x: Tensor, past: Option<&mut LayerCache>, tap: &mut Tap) -> Result<Tensor> {
        let resid_pre = tap.block(BlockPoint::ResidPre, x)?; // [B, T, D]
        let split = self.path_inputs(&resid_pre, tap)?;
        let ln1 = [tap.point(BlockPoint::Ln1Scale), tap.point(BlockPoint::Ln1Normalized)];
        let normalized = self.ln_1.forward(&resid_pre, ln1, tap)?;
        let attn_out = self.attn.forward(&normalized, split, past, tap)?;
        let attn_out = tap.block(BlockPoint::AttnOut, attn_out)?;
        let resid_mid = tap.block(BlockPoint::ResidMid, (resid_pre + attn_out)?)?;

        let mlp_in = tap.block(BlockPoint::MlpIn, resid_mid.clone())?;
        let ln2 = [tap.point(BlockPoint::Ln2Scale), tap.point(BlockPoint::Ln2Normalized)];
        let mlp_out = self.mlp.forward(&self.ln_2.forward(&mlp_in, ln2, tap)?, tap)?;
        let mlp_out = tap.block(BlockPoint::MlpOut, mlp_out)?;
        tap.block(BlockPoint::ResidPost, (resid_mid + mlp_out)?)
    }

    /// Offers queries, keys and values an input of their own; keeps those that a hook replaced.
    ///
    /// They are normalised on their own: ln1's hook points show the stream that the other paths share. A path that was only looked at reads that
    /// one too, so that looking changes no bit.
    fn path_inputs(&self, resid_pre: &Tensor, tap: &mut Tap) -> Result<PathInputs> {
        use BlockPoint::{AttnIn, KInput, QInput, VInput};
        let paths = [QInput, KInput, VInput];
        if !tap.wants(AttnIn) && !paths.iter().any(|path| tap.wants(*path)) {
            return Ok([None, None, None]);
        }
        let (b, t, d) = resid_pre.dims3()?;
        let copies =
            resid_pre.unsqueeze(2)?.broadcast_as((b, t, self.attn.n_head, d))?.contiguous()?;
        let attn_in = tap.block(AttnIn, copies.clone())?;
        let mut split = [None, None, None];
        for (input, path) in split.iter_mut().zip(paths) {
            let seen = tap.block(path, attn_in.clone())?; // [B, T, H, D]
            if seen.id() != copies.id() {
                *input = Some(self.ln_1.without_hooks(&seen)?);
            }
        }
        Ok(split)
    }
}

/// Keys and values of one layer, after the hooks on them: the first `len` rows of buffers `[B, H, capacity, K]`.
#[derive(Default)]
struct LayerCache {
    buffers: Option<(Tensor, Tensor)>,
    len: usize,
}

impl LayerCache {
    /// Keys and values of all positions, `[B, S, H, K]` each, after `k` and `v` of the new ones.
    fn append(&mut self, k: &Tensor, v: &Tensor) -> Result<(Tensor, Tensor)> {
        let by_head = |x: &Tensor| x.transpose(1, 2)?.contiguous();
        let (k, v) = (by_head(k)?, by_head(v)?);
        let len = self.len + k.dim(2)?;
        let (keys, values) = self.buffers_for(len, &k)?;
        keys.slice_set(&k, 2, self.len)?;
        values.slice_set(&v, 2, self.len)?;
        let seen = |buffer: &Tensor| buffer.narrow(2, 0, len)?.transpose(1, 2);
        let seen = (seen(&keys)?, seen(&values)?);
        (self.buffers, self.len) = (Some((keys, values)), len);
        Ok(seen)
    }

    /// Buffers with room for `len` positions that hold those there are. They double, so that a step copies none.
    fn buffers_for(&mut self, len: usize, like: &Tensor) -> Result<(Tensor, Tensor)> {
        let (batch, heads, _, width) = like.dims4()?;
        let grown = |old: Option<&Tensor>| -> Result<Tensor> {
            let new = Tensor::zeros(
                (batch, heads, len.next_power_of_two(), width),
                like.dtype(),
                like.device(),
            )?;
            if let Some(old) = old {
                new.slice_set(&old.narrow(2, 0, self.len)?.contiguous()?, 2, 0)?;
            }
            Ok(new)
        };
        match self.buffers.take() {
            Some((k, v)) if k.dim(2)? >= len => Ok((k, v)),
            Some((k, v)) => Ok((grown(Some(&k))?, grown(Some(&v))?)),
            None => Ok((grown(None)?, grown(None)?)),
        }
    }
}

impl Clone for LayerCache {
    /// A copy of the numbers: each clone writes its own positions into its buffers.
    fn clone(&self) -> LayerCache {
        let copy = |buffer: &Tensor| buffer.copy().expect("the memory of a tensor can be copied");
        let buffers = self.buffers.as_ref().map(|(k, v)| (copy(k), copy(v)));
        LayerCache { buffers, len: self.len }
    }
}

/// The keys and values of the positions that a model has seen, so that a later call computes new positions alone.
#[derive(Clone)]
pub struct KvCache {
    layers: Vec<LayerCache>,
}

impl KvCache {
    pub fn new(config: &Config) -> KvCache {
        KvCache { layers: vec![LayerCache::default(); config.n_layer] }
    }

    /// How many positions it holds.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it held when it held `length` positions: those before `length` do not depend on later ones.
    pub fn prefix(&self, length: usize) -> Result<KvCache> {
        if length == 0 {
            return Ok(KvCache { layers: vec![LayerCache::default(); self.layers.len()] });
        }
        let prefix = |layer: &LayerCache| {
            let rows = |buffer: &Tensor| -> Result<Tensor> {
                Ok(buffer.narrow(2, 0, length)?.contiguous()?)
            };
            let buffers = layer.buffers.as_ref().map(|(k, v)| Ok::<_, Error>((rows(k)?, rows(v)?)));
            Ok(LayerCache { buffers: buffers.transpose()?, len: length })
        };
        Ok(KvCache { layers: self.layers.iter().map(prefix).collect::<Result<_>>()? })
    }
}

/// Offers values to the hooks, and says where they were met.
struct Tap<'h> {
    hooks: &'h mut dyn Hooks,
    layer: usize,
    first_position: usize,
}

impl Tap<'_> {
    fn point(&self, point: BlockPoint) -> HookPoint {
        HookPoint::Block(self.layer, point)
    }

    fn wants(&self, point: BlockPoint) -> bool {
        self.hooks.wants(self.point(point))
    }

    fn block(&mut self, point: BlockPoint, value: Tensor) -> Result<Tensor> {
        self.at(self.point(point), value)
    }

    /// The value with which the run goes on.
    fn at(&mut self, point: HookPoint, value: Tensor) -> Result<Tensor> {
        if !self.hooks.wants(point) {
            return Ok(value);
        }
        let expected = value.shape().clone();
        let seen =
            self.hooks.visit(HookContext { point, first_position: self.first_position }, value)?;
        if *seen.shape() != expected {
            let (found, expected) = (seen.dims(), expected.dims());
            return Err(Error::Hook(format!(
                "`{point}` was set to shape {found:?}, expected {expected:?}"
            )));
        }
        Ok(seen)
    }
}

/// A tensor of the checkpoint, as the page's parameter tree lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The checkpoint key, `h.0.attn.c_attn.weight` say.
    pub name: String,
    pub shape: Vec<usize>,
    /// As it is held in memory.
    pub dtype: &'static str,
    /// How many numbers it holds.
    pub count: usize,
}

/// A GPT-2 with its weights. It never changes, and a clone shares the weights.
#[derive(Clone)]
pub struct Model(Arc<Parts>);

struct Parts {
    config: Config,
    wte: Matrix, // [D, V]
    wpe: Tensor, // [n_positions, D]
    blocks: Vec<Block>,
    ln_f: LayerNorm,
    lm_head: Matrix, // [D, V], `wte` itself where tied
    parameters: Vec<Parameter>,
    weights: Weights,
}

impl Model {
    /// Puts the weights in their places. A `lm_head.weight` among them is the unembedding, whatever the config says of tied
    /// embeddings.
    ///
    /// # Errors
    /// [`Error::Weights`] when a tensor is missing.
    pub fn new(config: Config, weights: &Weights) -> Result<Model> {
        let config = weights.config(config);
        let head = if config.tie_word_embeddings { "wte.weight" } else { "lm_head.weight" };
        let blocks = (0..config.n_layer).map(|layer| Block::load(weights, layer, &config));
        Ok(Model(Arc::new(Parts {
            wte: weights.matrix("wte.weight")?,
            wpe: weights.get("wpe.weight")?,
            blocks: blocks.collect::<Result<_>>()?,
            ln_f: LayerNorm::load(weights, "ln_f", &config)?,
            lm_head: weights.matrix(head)?,
            parameters: parameters(&config, weights)?,
            weights: weights.clone(),
            config,
        })))
    }

    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Every tensor of the checkpoint, each once, in the order of the forward pass.
    pub fn parameters(&self) -> &[Parameter] {
        &self.0.parameters
    }

    pub fn parameter_count(&self) -> usize {
        self.0.parameters.iter().map(|parameter| parameter.count).sum()
    }

    /// The tensor with this checkpoint key, as [`Weights::get`] names it; `lm_head.weight` is `wte.weight` where tied.
    pub fn weight(&self, name: &str) -> Result<Tensor> {
        let tied = self.0.config.tie_word_embeddings && name == "lm_head.weight";
        self.0.weights.get(if tied { "wte.weight" } else { name })
    }

    /// What tokens (u32, of any shape) are embedded as, along a new last axis.
    pub fn embedding_of(&self, tokens: &Tensor) -> Result<Tensor> {
        self.0.wte.embedding(tokens)
    }

    /// The directions of the last residual stream, after the final LayerNorm, that are read as the logits of tokens
    /// (u32, of any shape), along a new last axis.
    pub fn unembedding_of(&self, tokens: &Tensor) -> Result<Tensor> {
        self.0.lm_head.embedding(tokens)
    }

    /// Logits `[B, T, V]` of `tokens` `[B, T]` (u32), which follow the positions in `kv` if there is one.
    ///
    /// # Errors
    /// [`Error::Input`] when the context is longer than `n_positions`, an id is not in the vocabulary, or there is
    /// no token; [`Error::Hook`] when a hook returns another shape; whatever a hook itself fails with.
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

    /// The residual stream before the first block, `[B, T, D]`, for tokens that start at `first_position`.
    pub fn embed(
        &self,
        tokens: &Tensor,
        first_position: usize,
        hooks: &mut dyn Hooks,
    ) -> Result<Tensor> {
        self.check_input(tokens, first_position)?;
        let mut tap = Tap { hooks, layer: 0, first_position };
        let (batch, length) = tokens.dims2()?;
        let embed = tap.at(HookPoint::Embed, self.0.wte.embedding(tokens)?)?; // [B, T, D]
        let positions = self.0.wpe.narrow(0, first_position, length)?.unsqueeze(0)?; // [1, T, D]
        let positions =
            positions.broadcast_as((batch, length, self.0.config.n_embd))?.contiguous()?;
        let pos_embed = tap.at(HookPoint::PosEmbed, positions)?;
        Ok((embed + pos_embed)?)
    }

    /// The residual stream `x` `[B, T, D]` after the blocks in `layers`. `kv` holds the positions before it.
    pub fn blocks(
        &self,
        mut x: Tensor,
        layers: Range<usize>,
        mut kv: Option<&mut KvCache>,
        hooks: &mut dyn Hooks,
    ) -> Result<Tensor> {
        let first_position = kv.as_deref().map_or(0, KvCache::len);
        for layer in layers {
            let past = kv.as_deref_mut().map(|kv| &mut kv.layers[layer]);
            let mut tap = Tap { hooks: &mut *hooks, layer, first_position };
            x = self.0.blocks[layer].forward(x, past, &mut tap)?;
        }
        Ok(x)
    }

    /// Logits `[B, T, V]` of the residual stream after the last block, `[B, T, D]`.
    pub fn unembed(
        &self,
        x: &Tensor,
        first_position: usize,
        hooks: &mut dyn Hooks,
    ) -> Result<Tensor> {
        let mut tap = Tap { hooks, layer: 0, first_position };
        let ln_final = [HookPoint::LnFinalScale, HookPoint::LnFinalNormalized];
        let x = self.0.ln_f.forward(x, ln_final, &mut tap)?;
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

fn parameters(config: &Config, weights: &Weights) -> Result<Vec<Parameter>> {
    let parameter = |(name, shape): (String, Vec<usize>)| {
        let dtype = weights.dtype(&name)?;
        Ok(Parameter { count: shape.iter().product(), dtype, name, shape })
    };
    expected_shapes(config).into_iter().map(parameter).collect()
}
