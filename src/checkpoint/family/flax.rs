//! A GPT that somebody wrote in Flax: nested names whose last part is `kernel` `[in, out]`, `scale`, `embedding` or `bias`.
//! `flax_names.rs` has the names of modules.

use super::super::json::{Fields, Json};
use super::super::layout::{Layout, Piece};
use super::super::report::{NoticeKind, Report};
use super::flax_names::module;
use super::listing::{Listed, Listing};
use super::member::{Default, Family, Meaning, Slot, rename, text, without};
use super::nanogpt::HARMLESS;
use crate::error::Result;

/// Names that notebooks give to the fields of a config.
const ALIASES: [(&str, &str); 22] = [
    ("block_size", "n_positions"),
    ("context_length", "n_positions"),
    ("max_len", "n_positions"),
    ("maxlen", "n_positions"),
    ("max_seq_len", "n_positions"),
    ("d_model", "n_embd"),
    ("emb_dim", "n_embd"),
    ("embed_dim", "n_embd"),
    ("n_embed", "n_embd"),
    ("num_embeds", "n_embd"),
    ("n_layers", "n_layer"),
    ("num_layers", "n_layer"),
    ("n_heads", "n_head"),
    ("num_heads", "n_head"),
    ("d_ff", "n_inner"),
    ("d_mlp", "n_inner"),
    ("mlp_dim", "n_inner"),
    ("d_vocab", "vocab_size"),
    ("eps", "layer_norm_epsilon"),
    ("epsilon", "layer_norm_epsilon"),
    ("activation", "activation_function"),
    ("positional_encoding", "position_embedding"),
];

pub(super) struct FlaxGpt {
    /// Whether queries, keys and values are one matrix `[in, 3 * out]`, whose order no shape shows.
    is_fused: bool,
}

pub(super) fn recognizes(listing: &Listing) -> bool {
    let is_leaf = |name: &str| matches!(name.rsplit_once('.'), Some((path, "kernel" | "embedding")) if known(path).is_some());
    listing.names().any(is_leaf)
}

fn known(path: &str) -> Option<(String, Piece)> {
    module(&path.split('.').collect::<Vec<_>>())
}

impl FlaxGpt {
    pub fn new(listing: &Listing) -> FlaxGpt {
        let is_fused = listing.tensors.iter().any(|listed| match slot(&listed.name) {
            Meaning::Parameter(Slot { name, piece: Piece::Whole, .. }) => {
                // With three heads `[in, 3, heads, channels]` may be `[in, heads, 3, channels]`.
                let is_ambiguous = matches!(listed.tensor.shape.as_slice(), [_, _] | [_, 3, 3, _]);
                name.ends_with("attn.c_attn.weight") && is_ambiguous
            }
            _ => false,
        });
        FlaxGpt { is_fused }
    }
}

fn slot(name: &str) -> Meaning {
    let Some((path, leaf)) = name.rsplit_once('.') else {
        return bare(name);
    };
    let Some((name, piece)) = known(path) else { return bare(name) };
    let is_embedding = ["wte", "wpe"].contains(&name.as_str());
    let is_norm = name.rsplit('.').next().is_some_and(|last| last.starts_with("ln_"));
    match leaf {
        "embedding" if is_embedding => Slot::whole(format!("{name}.weight"), Layout::Same),
        "scale" if is_norm => Slot::whole(format!("{name}.weight"), Layout::Same),
        "kernel" if name == "lm_head" => Slot::whole("lm_head.weight", Layout::Transposed),
        "kernel" if !is_norm && !is_embedding => {
            Slot::piece(format!("{name}.weight"), piece, Layout::Same)
        }
        "bias" if !is_embedding => Slot::piece(format!("{name}.bias"), piece, Layout::Same),
        _ => Meaning::Unknown,
    }
}

/// A table of positions that is a parameter of the model itself.
fn bare(name: &str) -> Meaning {
    match known(name) {
        Some((name, _)) if name == "wpe" => Slot::whole("wpe.weight", Layout::Same),
        _ => Meaning::Unknown,
    }
}

impl Family for FlaxGpt {
    fn name(&self) -> &'static str {
        "Flax GPT"
    }

    fn meaning(&self, Listed { name, .. }: &Listed) -> Meaning {
        slot(name)
    }

    fn translate(&self, fields: Fields, report: &mut Report) -> Result<Fields> {
        let mut fields = rename(without(fields, &HARMLESS), &ALIASES)?;
        if fields.get("activation_function") == Some(&text("gelu_tanh")) {
            fields.insert("activation_function".into(), text("gelu_new"));
        }
        if fields.get("activation_function") == Some(&text("gelu")) {
            let message = "\"gelu\" is the exact GELU, as in Hugging Face's configs. Flax's `gelu` computes the \
                           approximation with tanh unless `approximate=False`: if the model uses that, load it with \
                           `config: { activation_function: \"gelu_new\" }`.";
            report.push(NoticeKind::Assumed, "activation_function", message.into());
        }
        Ok(fields)
    }

    fn defaults(&self, listing: &Listing, _: &Fields) -> Vec<Default> {
        let mut defaults = vec![
            Default {
                field: "layer_norm_epsilon",
                value: Json::Number(1e-6),
                why: "the default of Flax's LayerNorm",
            },
            Default {
                field: "activation_function",
                value: text("gelu_new"),
                why: "what Flax's `gelu` computes by default",
            },
        ];
        let has_positions = listing.tensors.iter().any(|listed| {
            matches!(slot(&listed.name), Meaning::Parameter(Slot { name, .. }) if name == "wpe.weight")
        });
        if has_positions {
            let (field, value) = ("position_embedding", text("learned"));
            let why = "what a table of positions in the file is for";
            defaults.push(Default { field, value, why });
        }
        defaults
    }

    fn varies(&self) -> bool {
        true
    }

    fn remark(&self, _: &Listing) -> Option<(&'static str, String)> {
        let message = "The matrix of queries, keys and values was taken to hold all queries first, then all keys, then \
                       all values, each head by head. No shape shows whether it does: if the patterns look wrong, \
                       convert the model with `tools/convert.py`.";
        self.is_fused.then(|| ("h.0.attn.c_attn.weight", message.into()))
    }
}
