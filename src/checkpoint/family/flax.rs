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
const ALIASES: [(&str, &str); 32] = [
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
    ("ln_eps", "layer_norm_epsilon"),
    ("norm_eps", "layer_norm_epsilon"),
    ("layer_norm_eps", "layer_norm_epsilon"),
    ("layernorm_eps", "layer_norm_epsilon"),
    ("layernorm_epsilon", "layer_norm_epsilon"),
    ("seq_len", "n_positions"),
    ("ctx_len", "n_positions"),
    ("act", "activation_function"),
    ("act_fn", "activation_function"),
    ("activation", "activation_function"),
    ("hidden_act", "activation_function"),
    ("positional_encoding", "position_embedding"),
];

pub(super) struct FlaxGpt {
    /// Whether queries, keys and values are one matrix `[in, 3 * out]`, whose order no shape shows.
    is_fused: bool,
    /// Which layer of an MLP `Dense_0` is. Flax numbers layers as they are constructed: in `Dense(D)(gelu(Dense(F)(x)))` the
    /// second layer comes first.
    dense: Numbered,
    /// Which table `Embed_0` is: that of tokens comes first, or that of positions.
    embed: Numbered,
}

/// The order of two layers that only their numbers tell apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbered {
    /// There are none.
    None,
    InOrder,
    Swapped,
    /// The shapes do not show it: [`Numbered::InOrder`] is assumed.
    Unknown,
}

pub(super) fn recognizes(listing: &Listing) -> bool {
    let is_leaf = |name: &str| matches!(name.rsplit_once('.'), Some((path, "kernel" | "embedding")) if known(path).is_some());
    listing.names().any(is_leaf)
}

fn known(path: &str) -> Option<(String, Piece)> {
    module(&path.split('.').collect::<Vec<_>>())
}

impl FlaxGpt {
    pub fn new(listing: &Listing, config: &Fields) -> FlaxGpt {
        let is_fused = listing.tensors.iter().any(|listed| match slot(&listed.name) {
            Meaning::Parameter(Slot { name, piece: Piece::Whole, .. }) => {
                // With three heads `[in, 3, heads, channels]` may be `[in, heads, 3, channels]`.
                let is_ambiguous = matches!(listed.tensor.shape.as_slice(), [_, _] | [_, 3, 3, _]);
                name.ends_with("attn.c_attn.weight") && is_ambiguous
            }
            _ => false,
        });
        FlaxGpt { is_fused, dense: dense_order(listing), embed: embed_order(listing, config) }
    }
}

/// The tensor that its name makes this parameter.
fn stored_as<'l, 'c>(name: &str, listing: &'l Listing<'c>) -> Option<&'l Listed<'c>> {
    let is_it = |listed: &&Listed| matches!(slot(&listed.name), Meaning::Parameter(found) if found.name == name);
    listing.tensors.iter().find(is_it)
}

/// Compares the shapes of the first numbered MLP layers.
fn dense_order(listing: &Listing) -> Numbered {
    let is_first = |listed: &&Listed| {
        let name = listed.name.to_ascii_lowercase();
        let is_mlp = matches!(slot(&listed.name), Meaning::Parameter(Slot { name, .. }) if name.ends_with("mlp.c_fc.weight"));
        is_mlp && name.ends_with("dense_0.kernel")
    };
    let Some(first) = listing.tensors.iter().find(is_first) else { return Numbered::None };
    let width = stored_as("wte.weight", listing).and_then(|listed| listed.tensor.shape.last());
    match (first.tensor.shape.as_slice(), width) {
        ([inner, outer], Some(width)) if inner == outer && inner == width => Numbered::Unknown,
        ([inner, outer], Some(width)) if inner != width && outer == width => Numbered::Swapped,
        _ => Numbered::InOrder,
    }
}

/// Compares the numbers of rows of two numbered tables with the vocabulary that the head or the config shows.
fn embed_order(listing: &Listing, config: &Fields) -> Numbered {
    let rows = |end: &str| {
        let found =
            listing.tensors.iter().find(|listed| listed.name.to_ascii_lowercase().ends_with(end));
        found.and_then(|listed| listed.tensor.shape.first().copied())
    };
    let (Some(first), Some(second)) = (rows("embed_0.embedding"), rows("embed_1.embedding")) else {
        return Numbered::None;
    };
    let head = stored_as("lm_head.weight", listing);
    let head = head.and_then(|listed| listed.tensor.shape.last().copied());
    let said =
        ["vocab_size", "d_vocab", "n_vocab"].iter().find_map(|name| match config.get(*name) {
            Some(Json::Whole(size)) => Some(*size),
            _ => None,
        });
    match head.or(said) {
        Some(vocabulary) if first != second && vocabulary == second => Numbered::Swapped,
        Some(vocabulary) if first != second && vocabulary == first => Numbered::InOrder,
        _ => Numbered::Unknown,
    }
}

/// The other one of two names.
fn swapped(name: &str, [first, second]: [&str; 2]) -> String {
    match name.contains(first) {
        true => name.replace(first, second),
        false => name.replace(second, first),
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
        let path = name.to_ascii_lowercase();
        match slot(name) {
            Meaning::Parameter(mut slot) => {
                let is_mlp = slot.name.contains(".mlp.");
                if self.dense == Numbered::Swapped && is_mlp && path.contains(".dense_") {
                    slot.name = swapped(&slot.name, ["c_fc", "c_proj"]);
                }
                let is_table = path.contains("embed_0.") || path.contains("embed_1.");
                if self.embed == Numbered::Swapped && is_table {
                    slot.name = swapped(&slot.name, ["wte", "wpe"]);
                }
                Meaning::Parameter(slot)
            }
            other => other,
        }
    }

    fn translate(&self, fields: Fields, report: &mut Report) -> Result<Fields> {
        let own = ["activation", "act", "act_fn"].iter().find_map(|name| fields.get(*name));
        let is_flax_gelu = own == Some(&text("gelu"));
        let mut fields = rename(without(fields, &HARMLESS), &ALIASES)?;
        if is_flax_gelu {
            fields.insert("activation_function".into(), text("gelu_new"));
            let message = "\"gelu\" was taken to be Flax's `gelu`, the approximation with tanh (\"gelu_new\"). If the \
                           model has `approximate=False`, load it with `config: { activation_function: \"gelu\" }`.";
            report.push(NoticeKind::Assumed, "activation_function", message.into());
        }
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
        if stored_as("wpe.weight", listing).is_some() {
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
        let mut remarks = vec![
            "Each block was taken to normalize what attention and MLP read, as in GPT-2. The names do not show it: a model that \
             normalizes their sums with the residual stream computes other numbers.",
        ];
        if self.is_fused {
            remarks.push(
                "The matrix of queries, keys and values was taken to hold all queries first, then all keys, then all values, \
                 each head by head. No shape shows whether it does: if the patterns look wrong, save queries, keys and values \
                 as three matrices.",
            );
        }
        if self.dense == Numbered::Unknown {
            remarks.push(
                "`Dense_0` was taken to be the first layer of each MLP. Both are square, so no shape shows it, and Flax gives \
                 the number 0 to the second layer in `Dense(…)(gelu(Dense(…)(x)))`: if the model is written so, rename them.",
            );
        }
        if self.embed == Numbered::Unknown {
            remarks.push(
                "`Embed_0` was taken to be the table of tokens, and `Embed_1` that of positions: neither a head nor \
                 `vocab_size` in a config shows it.",
            );
        }
        Some(("blocks", remarks.join(" ")))
    }
}
