//! The parts of the residual stream, kept as factors: their products are computed only on request.

use candle_core::{D, IndexOp, Tensor};

use crate::checkpoint::{Config, Normalization};
use crate::error::{Error, Result};
use crate::hook::{BlockPoint, HookPoint};
use crate::kernel;
use crate::model::Model;
use crate::run::Cache;
use crate::wire::{Layer, checked, options, words};

/// A sublayer that reads the stream through a norm. Everything written before it is part of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The attention of a layer.
    Attention(usize),
    /// The MLP of a layer.
    Mlp(usize),
    /// The unembedding.
    Unembed,
}

options! {
    /// A sublayer that reads the residual stream.
    #[derive(Debug, Clone)]
    pub struct Sublayer {
        /// The layer; a negative one counts from the last.
        pub layer: usize as Layer,
        /// Its attention or its MLP.
        pub part: Part,
    }
}

words! {
    /// A part of a layer.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Part {
        /// The attention.
        Attn = "attn",
        /// The MLP.
        Mlp = "mlp",
    }
}

impl TryFrom<Sublayer> for Reader {
    type Error = Error;

    fn try_from(sublayer: Sublayer) -> Result<Reader> {
        Ok(match sublayer.part {
            Part::Attn => Reader::Attention(sublayer.layer),
            Part::Mlp => Reader::Mlp(sublayer.layer),
        })
    }
}

checked!(Reader: Sublayer);

impl Reader {
    /// The number of attention sublayers that write before it, and of layers that are completely before it.
    ///
    /// # Errors
    /// [`Error::Input`] if the model does not have the reader.
    pub(super) fn layers(self, config: &Config) -> Result<(usize, usize)> {
        let (layer, counts) = match self {
            Reader::Attention(layer) => (layer, (layer, layer)),
            Reader::Mlp(layer) => {
                expect_mlp(config, "`reader` with the part \"mlp\"")?;
                (layer, (layer + 1, layer))
            }
            Reader::Unembed => (0, (config.n_layer, config.n_layer)),
        };
        if layer >= config.n_layer {
            let layers = config.n_layer;
            return Err(Error::out_of_range(format_args!("layer {layer}"), layers));
        }
        Ok(counts)
    }

    /// The layers that are completely before it.
    pub(super) fn layers_before(self, config: &Config) -> Result<Vec<usize>> {
        Ok((0..self.layers(config)?.1).collect())
    }

    /// The hook point of the scale of its norm.
    fn scale_point(self) -> HookPoint {
        match self {
            Reader::Attention(layer) => HookPoint::Block(layer, BlockPoint::Ln1Scale),
            Reader::Mlp(layer) => HookPoint::Block(layer, BlockPoint::Ln2Scale),
            Reader::Unembed => HookPoint::LnFinalScale,
        }
    }

    /// Its norm, once a run is known.
    pub(super) fn frozen_norm(self, model: &Model, cache: &Cache) -> Result<FrozenNorm> {
        let name = match self {
            Reader::Attention(layer) => format!("h.{layer}.ln_1"),
            Reader::Mlp(layer) => format!("h.{layer}.ln_2"),
            Reader::Unembed => "ln_f".to_string(),
        };
        let kind = model.config().normalization_type;
        let parameter = |part| model.weight(&format!("{name}.{part}"));
        let affine = match kind {
            Normalization::LayerNorm => Some((parameter("weight")?, parameter("bias")?)),
            Normalization::LayerNormPre | Normalization::None => None,
        };
        let scale = match kind {
            Normalization::None => None,
            _ => Some(captured(cache, self.scale_point())?),
        };
        Ok(FrozenNorm { scale, affine })
    }
}

/// A norm with the scale that it had in a run, which makes it a linear function of its input, plus a bias.
pub(super) struct FrozenNorm {
    /// `[T, 1]`; None if the stream is read as it is.
    pub scale: Option<Tensor>,
    /// Weight and bias, `[D]` each.
    affine: Option<(Tensor, Tensor)>,
}

impl FrozenNorm {
    /// The direction whose dot product with the stream at `position` is that of `direction` `[D]` with the output of
    /// the norm, less its bias.
    pub fn pull_back(&self, direction: &Tensor, position: usize) -> Result<Tensor> {
        let gained = self.gained(direction)?;
        let Some(scale) = &self.scale else { return Ok(gained) };
        let scale = scale.i((position, 0))?.to_scalar::<f32>()?;
        // Centring the direction instead of every part: (x - mean(x)) · v = x · (v - mean(v)).
        let centred = gained.broadcast_sub(&gained.mean_keepdim(0)?)?;
        Ok((&centred / f64::from(scale))?)
    }

    /// `direction` times the weight.
    pub fn gained(&self, direction: &Tensor) -> Result<Tensor> {
        match &self.affine {
            Some((weight, _)) => Ok((weight * direction)?),
            None => Ok(direction.clone()),
        }
    }

    /// The dot product of `direction` with the bias, if there is one.
    pub fn bias_along(&self, direction: &Tensor) -> Result<Option<f32>> {
        let along =
            |(_, bias): &(Tensor, Tensor)| Ok((bias * direction)?.sum_all()?.to_scalar()?);
        self.affine.as_ref().map(along).transpose()
    }

    /// Each component `[component, T, D]` through the norm, without its bias. None without normalization.
    pub fn apply(&self, components: &Tensor) -> Result<Option<Tensor>> {
        let Some(scale) = &self.scale else { return Ok(None) };
        let scale = scale.broadcast_left(components.dim(0)?)?.contiguous()?; // [component, T, 1]
        let normalized = kernel::normalize(components, &scale)?;
        Ok(Some(match &self.affine {
            Some((weight, _)) => normalized.broadcast_mul(weight)?,
            None => normalized,
        }))
    }
}

words! {
    /// How finely the stream is decomposed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum By {
        /// Embeddings, and each layer's attention and MLP with their biases.
        Component = "component",
        /// Attention by head and its bias; whole MLPs.
        Head = "head",
        /// Attention by head, MLPs by neuron, and the biases of both. Not for a model with attention only.
        Neuron = "neuron",
    }
}

impl By {
    /// The hook points that a run must capture for this decomposition.
    pub fn names(self, config: &Config) -> Vec<&'static str> {
        let [attention, mlp] = match self {
            By::Component => ["blocks.*.hook_attn_out", "blocks.*.hook_mlp_out"],
            By::Head => ["blocks.*.attn.hook_z", "blocks.*.hook_mlp_out"],
            By::Neuron => ["blocks.*.attn.hook_z", "blocks.*.mlp.hook_post"],
        };
        let mut names = vec!["hook_embed", attention];
        names.extend(config.position_embedding.is_in_stream().then_some("hook_pos_embed"));
        names.extend((!config.attn_only).then_some(mlp));
        names
    }
}

words! {
    /// The scale with which a LayerNorm is applied to parts of the stream.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum LayerNorm {
        /// That of the whole stream in the run.
        Frozen = "frozen",
        /// That of the part itself.
        Recomputed = "recomputed",
    }
}

/// Some parts of the stream, as factors.
pub(super) struct Parts {
    pub labels: Vec<String>,
    written: Written,
}

enum Written {
    /// `[T, D]`.
    Whole(Tensor),
    /// `z` `[T, H, K]` and `W_O` `[H, K, D]`.
    Heads(Tensor, Tensor),
    /// `post` `[T, M]` and `W_out` `[M, D]`.
    Neurons(Tensor, Tensor),
}

impl Parts {
    /// `[component, T, D]`.
    pub fn values(&self) -> Result<Tensor> {
        Ok(match &self.written {
            Written::Whole(value) => value.unsqueeze(0)?,
            Written::Heads(z, w_o) => z.transpose(0, 1)?.contiguous()?.matmul(w_o)?,
            Written::Neurons(post, w_out) => {
                post.t()?.contiguous()?.unsqueeze(2)?.broadcast_mul(&w_out.unsqueeze(1)?)?
            }
        })
    }

    /// The dot product of each with `direction` `[D]`: `[component, T]`, without computing the parts themselves.
    pub fn along(&self, direction: &Tensor) -> Result<Tensor> {
        let dot = |rows: &Tensor| rows.broadcast_mul(direction)?.sum(D::Minus1);
        Ok(match &self.written {
            Written::Whole(value) => dot(value)?.unsqueeze(0)?,
            Written::Heads(z, w_o) => z.broadcast_mul(&dot(w_o)?)?.sum(D::Minus1)?.t()?, // [H, K] by [T, H, K]
            Written::Neurons(post, w_out) => post.broadcast_mul(&dot(w_out)?)?.t()?,
        })
    }
}

/// The parts that `reader` reads, in the order in which they were written, at `positions` or at all.
pub(super) fn parts(
    model: &Model,
    cache: &Cache,
    reader: Reader,
    by: By,
    positions: Option<&[usize]>,
) -> Result<Vec<Parts>> {
    let config = model.config();
    let (attention, complete) = reader.layers(config)?;
    if by == By::Neuron {
        expect_mlp(config, "`by: \"neuron\"`")?;
    }
    let whole = |label: String, point| -> Result<Parts> {
        Ok(Parts { labels: vec![label], written: Written::Whole(rows(cache, point, positions)?) })
    };
    let embed = rows(cache, HookPoint::Embed, positions)?;
    let bias = |label: String, key: String| -> Result<Parts> {
        let bias = model.weight(&key)?.broadcast_as(embed.shape())?.contiguous()?;
        Ok(Parts { labels: vec![label], written: Written::Whole(bias) })
    };
    let mut parts = vec![whole("embed".into(), HookPoint::Embed)?];
    if config.position_embedding.is_in_stream() {
        parts.push(whole("pos_embed".into(), HookPoint::PosEmbed)?);
    }
    for layer in 0..attention {
        if by == By::Component {
            let point = HookPoint::Block(layer, BlockPoint::AttnOut);
            parts.push(whole(format!("{layer}_attn_out"), point)?);
        } else {
            parts.push(head_parts(model, cache, layer, positions)?);
            parts.push(bias(format!("{layer}_b_O"), format!("h.{layer}.attn.c_proj.bias"))?);
        }
        if layer >= complete || config.attn_only {
            continue;
        }
        if by == By::Neuron {
            parts.push(neuron_parts(model, cache, layer, positions)?);
            parts.push(bias(format!("{layer}_b_out"), format!("h.{layer}.mlp.c_proj.bias"))?);
        } else {
            let point = HookPoint::Block(layer, BlockPoint::MlpOut);
            parts.push(whole(format!("{layer}_mlp_out"), point)?);
        }
    }
    Ok(parts)
}

pub(super) fn head_parts(
    model: &Model,
    cache: &Cache,
    layer: usize,
    positions: Option<&[usize]>,
) -> Result<Parts> {
    let z = rows(cache, HookPoint::Block(layer, BlockPoint::Z), positions)?; // [T, H, K]
    let (_, heads, width) = z.dims3()?;
    let w_o = model.weight(&format!("h.{layer}.attn.c_proj.weight"))?;
    let w_o = w_o.reshape((heads, width, model.config().n_embd))?;
    let labels = (0..heads).map(|head| format!("L{layer}H{head}")).collect();
    Ok(Parts { labels, written: Written::Heads(z, w_o) })
}

pub(super) fn neuron_parts(
    model: &Model,
    cache: &Cache,
    layer: usize,
    positions: Option<&[usize]>,
) -> Result<Parts> {
    let post = rows(cache, HookPoint::Block(layer, BlockPoint::MlpPost), positions)?; // [T, M]
    let w_out = model.weight(&format!("h.{layer}.mlp.c_proj.weight"))?;
    let labels = (0..model.config().d_mlp()).map(|neuron| format!("L{layer}N{neuron}")).collect();
    Ok(Parts { labels, written: Written::Neurons(post, w_out) })
}

/// # Errors
/// [`Error::Input`] if the blocks have no MLP. `what` is what needs one.
pub(super) fn expect_mlp(config: &Config, what: &str) -> Result<()> {
    match config.attn_only {
        false => Ok(()),
        true => Err(Error::Input(format!(
            "{what} needs an MLP, but the blocks of this model have attention only (`attn_only` is true)"
        ))),
    }
}

/// What a run captured at `point`, without the batch axis.
pub(super) fn captured(cache: &Cache, point: HookPoint) -> Result<Tensor> {
    Ok(cache.get(&point.to_string())?.i(0)?)
}

fn rows(cache: &Cache, point: HookPoint, positions: Option<&[usize]>) -> Result<Tensor> {
    let value = captured(cache, point)?;
    let Some(positions) = positions else { return Ok(value) };
    let length = value.dim(0)?;
    if let Some(position) = positions.iter().find(|position| **position >= length) {
        return Err(Error::position_out_of_range(position, length));
    }
    let indices: Vec<u32> = positions.iter().map(|position| *position as u32).collect();
    let indices = Tensor::from_vec(indices, positions.len(), value.device())?;
    Ok(value.contiguous()?.index_select(&indices, 0)?)
}
