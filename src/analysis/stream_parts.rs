//! The parts of the residual stream, kept as factors: their products are computed only on request.

use candle_core::{D, IndexOp, Tensor};

use crate::checkpoint::Config;
use crate::error::{Error, Result};
use crate::hook::{BlockPoint, HookPoint};
use crate::model::Model;
use crate::run::Cache;
use crate::wire::{checked, options, words};

/// A sublayer that reads the stream through a LayerNorm. Everything written before it is part of its input.
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
        /// The layer.
        pub layer: usize,
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
    /// The number of attention sublayers and of MLPs that write before it.
    pub(super) fn layers(self, config: &Config) -> Result<(usize, usize)> {
        let (layer, counts) = match self {
            Reader::Attention(layer) => (layer, (layer, layer)),
            Reader::Mlp(layer) => (layer, (layer + 1, layer)),
            Reader::Unembed => (0, (config.n_layer, config.n_layer)),
        };
        if layer >= config.n_layer {
            let layers = config.n_layer;
            return Err(Error::out_of_range(format_args!("layer {layer}"), layers));
        }
        Ok(counts)
    }

    /// The layers whose MLPs write before it.
    pub(super) fn layers_before(self, config: &Config) -> Result<Vec<usize>> {
        Ok((0..self.layers(config)?.1).collect())
    }

    /// Its LayerNorm's checkpoint key and the hook point of the LayerNorm's scale.
    pub(super) fn layer_norm(self) -> (String, HookPoint) {
        match self {
            Reader::Attention(layer) => {
                (format!("h.{layer}.ln_1"), HookPoint::Block(layer, BlockPoint::Ln1Scale))
            }
            Reader::Mlp(layer) => {
                (format!("h.{layer}.ln_2"), HookPoint::Block(layer, BlockPoint::Ln2Scale))
            }
            Reader::Unembed => ("ln_f".to_string(), HookPoint::LnFinalScale),
        }
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
        /// Attention by head, MLPs by neuron, and the biases of both.
        Neuron = "neuron",
    }
}

impl By {
    /// The hook points that a run must capture for this decomposition.
    pub fn names(self) -> Vec<&'static str> {
        let parts: &[&str] = match self {
            By::Component => &["blocks.*.hook_attn_out", "blocks.*.hook_mlp_out"],
            By::Head => &["blocks.*.attn.hook_z", "blocks.*.hook_mlp_out"],
            By::Neuron => &["blocks.*.attn.hook_z", "blocks.*.mlp.hook_post"],
        };
        [&["hook_embed", "hook_pos_embed"], parts].concat()
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
    let (attention, mlp) = reader.layers(model.config())?;
    let whole = |label: String, point| -> Result<Parts> {
        Ok(Parts { labels: vec![label], written: Written::Whole(rows(cache, point, positions)?) })
    };
    let embed = rows(cache, HookPoint::Embed, positions)?;
    let bias = |label: String, key: String| -> Result<Parts> {
        let bias = model.weight(&key)?.broadcast_as(embed.shape())?.contiguous()?;
        Ok(Parts { labels: vec![label], written: Written::Whole(bias) })
    };
    let mut parts = vec![
        whole("embed".into(), HookPoint::Embed)?,
        whole("pos_embed".into(), HookPoint::PosEmbed)?,
    ];
    for layer in 0..attention {
        if by == By::Component {
            let point = HookPoint::Block(layer, BlockPoint::AttnOut);
            parts.push(whole(format!("{layer}_attn_out"), point)?);
        } else {
            parts.push(head_parts(model, cache, layer, positions)?);
            parts.push(bias(format!("{layer}_b_O"), format!("h.{layer}.attn.c_proj.bias"))?);
        }
        if layer >= mlp {
            break;
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
