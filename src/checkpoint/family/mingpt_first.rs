//! minGPT in its first version, of 2020: `blocks.0.attn.key` and `pos_emb` `[1, T, D]`, `nn.Linear` layers `[out, in]`.

use super::super::json::{Fields, Json};
use super::super::layout::{Layout, Piece};
use super::super::report::Report;
use super::super::shapes::HEAD;
use super::super::shapes::in_block;
use super::listing::{Listed, Listing};
use super::member::{Default, Family, Meaning, Slot, text};
use super::nanogpt::translated;
use crate::error::Result;

/// Names outside the blocks, and what they are.
const OUTSIDE: [(&str, &str); 5] = [
    ("tok_emb.weight", "wte.weight"),
    ("pos_emb", "wpe.weight"),
    ("ln_f.weight", "ln_f.weight"),
    ("ln_f.bias", "ln_f.bias"),
    ("head.weight", HEAD),
];

/// Modules of a block, what they are, and whether they are linear.
const IN_BLOCK: [(&str, &str, Piece, bool); 8] = [
    ("ln1", "ln_1", Piece::Whole, false),
    ("ln2", "ln_2", Piece::Whole, false),
    ("attn.query", "attn.c_attn", Piece::Query, true),
    ("attn.key", "attn.c_attn", Piece::Key, true),
    ("attn.value", "attn.c_attn", Piece::Value, true),
    ("attn.proj", "attn.c_proj", Piece::Whole, true),
    ("mlp.0", "mlp.c_fc", Piece::Whole, true),
    ("mlp.2", "mlp.c_proj", Piece::Whole, true),
];

pub(super) struct FirstMinGpt;

pub(super) fn recognizes(listing: &Listing) -> bool {
    let has_query =
        |name: &str| in_block(name, "blocks.").is_some_and(|(_, rest)| rest == "attn.query.weight");
    listing.get("tok_emb.weight").is_some() && listing.names().any(has_query)
}

impl Family for FirstMinGpt {
    fn name(&self) -> &'static str {
        "minGPT"
    }

    fn meaning(&self, Listed { name, .. }: &Listed) -> Meaning {
        if let Some((_, ours)) = OUTSIDE.iter().find(|(theirs, _)| theirs == name) {
            return Slot::whole(*ours, Layout::Same);
        }
        let Some((layer, rest)) = in_block(name, "blocks.") else { return Meaning::Unknown };
        if rest == "attn.mask" {
            return Meaning::Buffer;
        }
        let Some((module, leaf @ ("weight" | "bias"))) = rest.rsplit_once('.') else {
            return Meaning::Unknown;
        };
        let Some((_, ours, piece, is_linear)) = IN_BLOCK.iter().find(|row| row.0 == module) else {
            return Meaning::Unknown;
        };
        let is_transposed = *is_linear && leaf == "weight";
        let layout = if is_transposed { Layout::Transposed } else { Layout::Same };
        Slot::piece(format!("h.{layer}.{ours}.{leaf}"), *piece, layout)
    }

    fn translate(&self, fields: Fields, _: &mut Report) -> Result<Fields> {
        translated(fields)
    }

    fn defaults(&self, _: &Listing, _: &Fields) -> Vec<Default> {
        let epsilon = Json::Number(1e-5);
        vec![
            Default {
                field: "layer_norm_epsilon",
                value: epsilon,
                why: "the number in PyTorch's LayerNorm",
            },
            Default {
                field: "activation_function",
                value: text("gelu"),
                why: "that of minGPT's first version",
            },
        ]
    }
}
