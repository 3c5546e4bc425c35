//! Names of weights: full, short, and those of the checkpoint.

use std::collections::BTreeSet;

use crate::checkpoint::{
    Config, HEAD, HEAD_BIAS, Normalization, PositionEmbedding, expected_shapes,
};
use crate::error::{Error, Result, shortened};
use crate::kernel::Activation;
use crate::model::{Part, WeightView, checkpoint_axes, weight_views};
use crate::nearest::nearest;

/// What a name stands for.
pub(super) struct Named {
    /// The name, complete unless it stands for all layers.
    pub(super) name: String,
    /// One weight, or one for each layer.
    pub(super) views: Vec<WeightView>,
    /// Whether it has an axis `layer`.
    pub(super) is_stacked: bool,
}

impl Named {
    /// # Errors
    /// [`Error::Input`] if the model has no such weight, with the reason or the nearest names.
    pub(super) fn resolve(config: &Config, name: &str) -> Result<Named> {
        let bare = name.strip_prefix("transformer.").unwrap_or(name);
        if let Some(view) = checkpoint_view(config, bare) {
            return Ok(Named { name: bare.into(), views: vec![view], is_stacked: false });
        }
        let all = weight_views(config);
        if let Some(view) = all.iter().find(|view| view.name == name) {
            return Ok(Named { name: name.into(), views: vec![view.clone()], is_stacked: false });
        }
        let named = |view: &&WeightView| short_names(&view.name).any(|short| short == name);
        let views: Vec<WeightView> = all.iter().filter(named).cloned().collect();
        match views.as_slice() {
            [] => Err(absent(config, name, &all)),
            [one] if in_block(&one.name).is_none() => {
                Ok(Named { name: one.name.clone(), views, is_stacked: false })
            }
            _ => Ok(Named { name: name.into(), views, is_stacked: true }),
        }
    }

    /// The names of the axes.
    pub(super) fn axes(&self) -> Vec<&'static str> {
        let layer = self.is_stacked.then_some("layer");
        layer.into_iter().chain(self.views[0].axes.iter().copied()).collect()
    }
}

/// A tensor of the checkpoint. The unembedding has its name even if it is tied to the embedding.
fn checkpoint_view(config: &Config, name: &str) -> Option<WeightView> {
    let is_known = matches!(name, HEAD | HEAD_BIAS)
        || expected_shapes(config).iter().any(|(known, _)| known == name);
    let tensor = if name == HEAD && config.tie_word_embeddings { "wte.weight" } else { name };
    is_known.then(|| WeightView {
        name: name.into(),
        tensor: tensor.into(),
        part: Part::Whole,
        axes: checkpoint_axes(name),
    })
}

/// "attn.W_Q" of "blocks.0.attn.W_Q".
fn in_block(name: &str) -> Option<&str> {
    Some(name.strip_prefix("blocks.")?.split_once('.')?.1)
}

/// "W_Q" and "attn.W_Q" of "blocks.0.attn.W_Q"; "ln1.w" of "blocks.0.ln1.w": a letter alone would name several weights.
fn short_names(name: &str) -> impl Iterator<Item = &str> {
    let inner = in_block(name);
    let last = name.rsplit('.').next().filter(|last| last.len() > 1);
    inner.into_iter().chain(last)
}

/// Why the model has no weight of this name.
fn absent(config: &Config, name: &str, all: &[WeightView]) -> Error {
    let wanted = shortened(name);
    let reason = match config.position_embedding {
        PositionEmbedding::Sinusoidal if is_positions(name) => Some(
            "the positions of this model are sines and cosines, which are not weights: capture `hook_pos_embed`",
        ),
        PositionEmbedding::None if is_positions(name) => Some("this model has no positions"),
        _ if has(
            &Config { normalization_type: Normalization::LayerNorm, ..config.clone() },
            name,
        ) =>
        {
            Some("the normalization of this model has no weights")
        }
        _ if config.attn_only && has(&gpt2_like(config), name) => {
            Some("this model has attention only")
        }
        _ => None,
    };
    if let Some(reason) = reason {
        return Error::Input(format!("there is no weight `{wanted}`: {reason}"));
    }
    let layers = config.n_layer;
    let missing_layer = in_block(name)
        .is_some_and(|inner| all.iter().any(|view| in_block(&view.name) == Some(inner)));
    if missing_layer {
        return Error::Input(format!(
            "there is no weight `{wanted}`: the model has {layers} layers, counted from 0"
        ));
    }
    let checkpoint = expected_shapes(config);
    let full = all.iter().map(|view| view.name.as_str());
    let short = all.iter().flat_map(|view| short_names(&view.name));
    let known: BTreeSet<&str> =
        full.chain(short).chain(checkpoint.iter().map(|(name, _)| name.as_str())).collect();
    let nearest = nearest(name, known, 3);
    Error::Input(format!("there is no weight `{wanted}`; the nearest are {nearest}"))
}

fn is_positions(name: &str) -> bool {
    matches!(name, "W_pos" | "pos_embed.W_pos" | "wpe.weight" | "transformer.wpe.weight")
}

/// A model of the same size with every kind of weight.
fn gpt2_like(config: &Config) -> Config {
    Config {
        normalization_type: Normalization::LayerNorm,
        attn_only: false,
        activation_function: Activation::SoluLn,
        ..config.clone()
    }
}

/// Whether a model of this config has a weight of this name.
fn has(config: &Config, name: &str) -> bool {
    let mut views = weight_views(config).into_iter();
    views.any(|view| view.name == name || short_names(&view.name).any(|short| short == name))
        || expected_shapes(config).iter().any(|(known, _)| known == name)
}
