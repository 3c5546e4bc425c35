//! The weights under their TransformerLens names: which part of which checkpoint tensor each one is.
//!
//! A checkpoint stores queries, keys and values in one matrix with the heads side by side; TransformerLens has a tensor
//! for each, with an axis `head`. Shapes and orders of axes are those of its `HookedTransformer`.

use candle_core::{Device, Tensor};

use crate::checkpoint::{Config, HEAD, HEAD_BIAS, Normalization};
use crate::error::Result;

/// A weight as TransformerLens has it.
#[derive(Debug, Clone)]
pub(crate) struct WeightView {
    /// Its name, such as `blocks.0.attn.W_Q`.
    pub(crate) name: String,
    /// The checkpoint tensor that holds it.
    pub(crate) tensor: String,
    /// Which part of that tensor it is.
    pub(crate) part: Part,
    /// The names of its axes.
    pub(crate) axes: &'static [&'static str],
}

/// A part of a checkpoint tensor. H heads of width K, with H K = D.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// The tensor as it is.
    Whole,
    /// A matrix, transposed.
    Transposed,
    /// The queries (0), keys (1) or values (2) of `c_attn.weight` `[D, 3 D]`, as `[H, D, K]`.
    Projection(usize),
    /// The same of `c_attn.bias` `[3 D]`, as `[H, K]`.
    ProjectionBias(usize),
    /// `attn.c_proj.weight` `[D, D]`, as `[H, K, D]`.
    Output,
}

impl Part {
    /// The part of `stored`.
    ///
    /// # Errors
    /// Those of candle, if `stored` does not have the shape of the checkpoint.
    pub(crate) fn of(self, stored: &Tensor, heads: usize) -> Result<Tensor> {
        Ok(match self {
            Part::Whole => stored.clone(),
            Part::Transposed => stored.t()?,
            Part::Projection(path) => {
                let (d, all) = stored.dims2()?;
                let split = stored.reshape((d, 3, heads, all / 3 / heads))?;
                split.narrow(1, path, 1)?.squeeze(1)?.transpose(0, 1)?
            }
            Part::ProjectionBias(path) => {
                let all = stored.dims1()?;
                stored.reshape((3, heads, all / 3 / heads))?.get(path)?
            }
            Part::Output => {
                let (all, d) = stored.dims2()?;
                stored.reshape((heads, all / heads, d))?
            }
        })
    }

    /// `stored` with this part replaced by `value`, which has the shape of the part.
    ///
    /// # Errors
    /// As [`Part::of`].
    pub(crate) fn replaced(self, stored: &Tensor, value: &Tensor, heads: usize) -> Result<Tensor> {
        match self {
            Part::Whole => Ok(value.clone()),
            Part::Transposed => Ok(value.t()?.contiguous()?),
            Part::Projection(_) | Part::ProjectionBias(_) | Part::Output => {
                // The index in `stored` of each number of the part, found by taking the part of the indices themselves.
                let count = stored.elem_count();
                let indices = Tensor::arange(0, count as u32, &Device::Cpu)?;
                let indices = self.of(&indices.reshape(stored.dims())?, heads)?;
                let mut numbers = stored.flatten_all()?.to_vec1::<f32>()?;
                let values = value.flatten_all()?.to_vec1::<f32>()?;
                for (index, value) in indices.flatten_all()?.to_vec1::<u32>()?.iter().zip(values) {
                    numbers[*index as usize] = value;
                }
                Ok(Tensor::from_vec(numbers, stored.dims(), &Device::Cpu)?)
            }
        }
    }

    /// The shape of the part of a tensor of this shape.
    pub(crate) fn shape(self, stored: &[usize], heads: usize) -> Vec<usize> {
        match (self, stored) {
            (Part::Transposed, [rows, columns]) => vec![*columns, *rows],
            (Part::Projection(_), [d, all]) => vec![heads, *d, all / 3 / heads],
            (Part::ProjectionBias(_), [all]) => vec![heads, all / 3 / heads],
            (Part::Output, [all, d]) => vec![heads, all / heads, *d],
            _ => stored.to_vec(),
        }
    }

    /// Whether a number of the tensor belongs to both parts.
    pub(crate) fn overlaps(self, other: Part) -> bool {
        match (self, other) {
            (Part::Projection(one), Part::Projection(another))
            | (Part::ProjectionBias(one), Part::ProjectionBias(another)) => one == another,
            _ => true,
        }
    }
}

/// Every weight of TransformerLens that a model of this config has, in the order of the forward pass. `unembed.b_U` is in
/// the list even if the logits have no bias: TransformerLens has zeros there.
pub(crate) fn weight_views(config: &Config) -> Vec<WeightView> {
    let mut views = vec![view("embed.W_E", "wte.weight", Part::Whole, &["vocab", "d_model"])];
    if config.position_embedding.is_learned() {
        views.push(view("pos_embed.W_pos", "wpe.weight", Part::Whole, &["pos", "d_model"]));
    }
    for layer in 0..config.n_layer {
        views.extend(block_views(config).into_iter().map(|block| WeightView {
            name: format!("blocks.{layer}.{}", block.name),
            tensor: format!("h.{layer}.{}", block.tensor),
            ..block
        }));
    }
    views.extend(norm_views("ln_final", "ln_f", config.normalization_type, &["d_model"]));
    let head = if config.tie_word_embeddings { "wte.weight" } else { HEAD };
    views.push(view("unembed.W_U", head, Part::Transposed, &["d_model", "vocab"]));
    views.push(view("unembed.b_U", HEAD_BIAS, Part::Whole, &["vocab"]));
    views
}

/// The weights of a block, without `blocks.{layer}.` and `h.{layer}.`.
fn block_views(config: &Config) -> Vec<WeightView> {
    let mut views = norm_views("ln1", "ln_1", config.normalization_type, &["d_model"]);
    for (path, letter) in ["Q", "K", "V"].into_iter().enumerate() {
        let axes = &["head", "d_model", "d_head"];
        let name = format!("attn.W_{letter}");
        views.push(view(&name, "attn.c_attn.weight", Part::Projection(path), axes));
    }
    for (path, letter) in ["Q", "K", "V"].into_iter().enumerate() {
        let name = format!("attn.b_{letter}");
        let part = Part::ProjectionBias(path);
        views.push(view(&name, "attn.c_attn.bias", part, &["head", "d_head"]));
    }
    let axes = &["head", "d_head", "d_model"];
    views.push(view("attn.W_O", "attn.c_proj.weight", Part::Output, axes));
    views.push(view("attn.b_O", "attn.c_proj.bias", Part::Whole, &["d_model"]));
    if config.attn_only {
        return views;
    }
    views.extend(norm_views("ln2", "ln_2", config.normalization_type, &["d_model"]));
    views.push(view("mlp.W_in", "mlp.c_fc.weight", Part::Whole, &["d_model", "d_mlp"]));
    views.push(view("mlp.b_in", "mlp.c_fc.bias", Part::Whole, &["d_mlp"]));
    if config.normalizes_neurons() {
        views.extend(norm_views("mlp.ln", "mlp.ln", config.neuron_normalization(), &["d_mlp"]));
    }
    views.push(view("mlp.W_out", "mlp.c_proj.weight", Part::Whole, &["d_mlp", "d_model"]));
    views.push(view("mlp.b_out", "mlp.c_proj.bias", Part::Whole, &["d_model"]));
    views
}

fn norm_views(
    name: &str,
    tensor: &str,
    kind: Normalization,
    axes: &'static [&'static str],
) -> Vec<WeightView> {
    match kind {
        Normalization::LayerNorm => [("w", "weight"), ("b", "bias")]
            .map(|(letter, part)| {
                let tensor = format!("{tensor}.{part}");
                view(&format!("{name}.{letter}"), &tensor, Part::Whole, axes)
            })
            .into(),
        Normalization::LayerNormPre | Normalization::None => Vec::new(),
    }
}

fn view(name: &str, tensor: &str, part: Part, axes: &'static [&'static str]) -> WeightView {
    WeightView { name: name.into(), tensor: tensor.into(), part, axes }
}

/// The names of the axes of a checkpoint tensor. Where heads lie side by side, `qkv` has queries, keys and values of all
/// heads, and `d_attn` the outputs of all heads.
pub(crate) fn checkpoint_axes(name: &str) -> &'static [&'static str] {
    const AXES: [(&str, &[&str]); 12] = [
        ("wte.weight", &["vocab", "d_model"]),
        ("wpe.weight", &["pos", "d_model"]),
        (HEAD, &["vocab", "d_model"]),
        (HEAD_BIAS, &["vocab"]),
        ("attn.c_attn.weight", &["d_model", "qkv"]),
        ("attn.c_attn.bias", &["qkv"]),
        ("attn.c_proj.weight", &["d_attn", "d_model"]),
        ("mlp.c_fc.weight", &["d_model", "d_mlp"]),
        ("mlp.c_fc.bias", &["d_mlp"]),
        ("mlp.c_proj.weight", &["d_mlp", "d_model"]),
        ("mlp.ln.weight", &["d_mlp"]),
        ("mlp.ln.bias", &["d_mlp"]),
    ];
    let found = AXES.iter().find(|(end, _)| name.ends_with(end));
    found.map_or(&["d_model"], |(_, axes)| axes) // the other LayerNorms and biases
}
