//! The residual stream taken apart into what was written into it.
//!
//! `resid = embed + pos_embed + Σ_layer (Σ_head z W_O + b_O) + Σ_layer (Σ_neuron post W_out + b_out)`
//!
//! After Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits", and TransformerLens's
//! `ActivationCache` (`accumulated_resid`, `decompose_resid`, `stack_head_results`, `stack_neuron_results`,
//! `apply_ln_to_stack`), whose labels these are. Biases are parts of their own, so that all parts add up to the stream.

use candle_core::{D, IndexOp, Tensor};

use super::Table;
use crate::checkpoint::Config;
use crate::error::{Error, Result};
use crate::hook::{BlockPoint, HookPoint};
use crate::kernel;
use crate::model::Model;
use crate::run::Cache;

/// Who reads the stream through a LayerNorm: everything written before it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    Attention(usize),
    Mlp(usize),
    Unembed,
}

impl Reader {
    /// How many layers' attention and how many layers' MLP wrote before it.
    fn layers(self, config: &Config) -> Result<(usize, usize)> {
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

    /// The layers whose MLPs wrote before it.
    pub fn layers_before(self, config: &Config) -> Result<Vec<usize>> {
        Ok((0..self.layers(config)?.1).collect())
    }

    /// Its LayerNorm's checkpoint key and the hook point of the LayerNorm's scale.
    fn layer_norm(self) -> (String, HookPoint) {
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

/// How finely the stream is taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Embeddings, and each layer's attention and MLP with their biases.
    Component,
    /// Attention by head, its bias apart; MLPs whole.
    Head,
    /// Attention by head and MLPs by neuron, their biases apart.
    Neuron,
}

impl By {
    /// What a run must capture to be taken apart so.
    pub fn names(self) -> Vec<&'static str> {
        let parts: &[&str] = match self {
            By::Component => &["blocks.*.hook_attn_out", "blocks.*.hook_mlp_out"],
            By::Head => &["blocks.*.attn.hook_z", "blocks.*.hook_mlp_out"],
            By::Neuron => &["blocks.*.attn.hook_z", "blocks.*.mlp.hook_post"],
        };
        [&["hook_embed", "hook_pos_embed"], parts].concat()
    }
}

/// Parts or states of the stream: one label for each, and `[component, pos, d_model]`.
pub struct Stack {
    pub labels: Vec<String>,
    pub values: Tensor,
}

impl Stack {
    pub fn table(&self) -> Result<Table> {
        let table = Table::new(&["component", "pos", "d_model"], &self.values)?;
        Ok(table.labelled("component", self.labels.clone()))
    }

    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// Where [`accumulated`] looks at the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// Before each layer.
    Layers,
    /// Before each layer and between its attention and its MLP.
    Sublayers,
}

/// The stream on its way to `reader`: `0_pre`, `0_mid`, `1_pre`, …, `final_post`.
///
/// Needs `blocks.*.hook_resid_pre`, `blocks.*.hook_resid_mid` and `blocks.*.hook_resid_post` captured.
pub fn accumulated(model: &Model, cache: &Cache, reader: Reader, steps: Steps) -> Result<Stack> {
    let layers = model.config().n_layer;
    let (attention, mlp) = reader.layers(model.config())?;
    let mut states = Vec::new();
    for layer in 0..=mlp.min(layers - 1) {
        states.push((format!("{layer}_pre"), HookPoint::Block(layer, BlockPoint::ResidPre)));
        let is_last = layer == mlp;
        if (steps == Steps::Sublayers && !is_last) || (is_last && attention > mlp) {
            states.push((format!("{layer}_mid"), HookPoint::Block(layer, BlockPoint::ResidMid)));
        }
    }
    if reader == Reader::Unembed {
        states
            .push(("final_post".to_string(), HookPoint::Block(layers - 1, BlockPoint::ResidPost)));
    }
    let values =
        states.iter().map(|(_, point)| captured(cache, *point)).collect::<Result<Vec<_>>>()?;
    let labels = states.into_iter().map(|(label, _)| label).collect();
    Ok(Stack { labels, values: Tensor::stack(&values, 0)? })
}

/// All parts of the stream that `reader` reads, in the order in which they were written: they add up to it.
///
/// Needs [`By::names`] captured. By neuron this is `n_layer * d_mlp * pos * d_model` numbers: capture few positions.
pub fn decomposed(model: &Model, cache: &Cache, reader: Reader, by: By) -> Result<Stack> {
    stack(&parts(model, cache, reader, by, None)?)
}

/// What each head wrote before `reader`: `L0H0`, `L0H1`, …. Needs `blocks.*.attn.hook_z` captured.
pub fn heads(model: &Model, cache: &Cache, reader: Reader) -> Result<Stack> {
    let (attention, _) = reader.layers(model.config())?;
    let parts = (0..attention).map(|layer| head_parts(model, cache, layer, None));
    stack(&parts.collect::<Result<Vec<_>>>()?)
}

/// What each neuron of `layers` wrote at `positions`: `L0N0`, `L0N1`, …. Needs `mlp.hook_post` of `layers` captured.
pub fn neurons(
    model: &Model,
    cache: &Cache,
    layers: &[usize],
    positions: &[usize],
) -> Result<Stack> {
    let parts = layers.iter().map(|layer| neuron_parts(model, cache, *layer, Some(positions)));
    stack(&parts.collect::<Result<Vec<_>>>()?)
}

/// What each of `stack` adds to what `reader` reads: `(x - mean(x)) / scale * weight`, with the scale of the whole
/// stream as the run had it. The LayerNorm's bias belongs to no part.
///
/// Needs the scale of the reader's LayerNorm captured.
pub fn through_frozen_layer_norm(
    model: &Model,
    cache: &Cache,
    stack: &Stack,
    reader: Reader,
) -> Result<Stack> {
    reader.layers(model.config())?;
    let (name, scale) = reader.layer_norm();
    let scale = captured(cache, scale)?.broadcast_left(stack.len())?.contiguous()?; // [component, T, 1]
    let normalized = kernel::normalize(&stack.values, &scale)?;
    let values = normalized.broadcast_mul(&model.weight(&format!("{name}.weight"))?)?;
    Ok(Stack { labels: stack.labels.clone(), values })
}

/// Each of `stack` through the final LayerNorm, with a mean and a scale of its own, gain and bias included: what the
/// unembedding would read if the stream were that alone.
pub fn through_recomputed_layer_norm(model: &Model, stack: &Stack) -> Result<Stack> {
    let scale = kernel::scale(&stack.values, model.config().layer_norm_epsilon)?;
    let normalized = kernel::normalize(&stack.values, &scale)?;
    let values =
        kernel::affine(&normalized, &model.weight("ln_f.weight")?, &model.weight("ln_f.bias")?)?;
    Ok(Stack { labels: stack.labels.clone(), values })
}

/// Some parts of the stream, by what they are the product of.
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

fn head_parts(
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

fn neuron_parts(
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

fn stack(parts: &[Parts]) -> Result<Stack> {
    if parts.is_empty() {
        return Err(Error::Input(
            "no component writes before a `reader` at layer 0; choose a later layer".into(),
        ));
    }
    let values = parts.iter().map(Parts::values).collect::<Result<Vec<_>>>()?;
    let labels = parts.iter().flat_map(|part| part.labels.clone()).collect();
    Ok(Stack { labels, values: Tensor::cat(&values, 0)? })
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
