//! Hugging Face's GPT-2, in PyTorch and in Flax: the canonical names. The linear layers are `Conv1D`, `[in, out]`;
//! programs that convert them to `nn.Linear` write `[out, in]`, which the shape of `c_attn` shows for all of them.

use super::super::json::{Fields, Json};
use super::super::layout::Layout;
use super::super::report::Report;
use super::super::shapes::in_block;
use super::super::shapes::{HEAD, HEAD_BIAS};
use super::listing::{Listed, Listing};
use super::member::{Default, Family, Meaning, Slot, rename, text};
use crate::error::Result;

/// Names of other programs for fields that are the same.
const ALIASES: [(&str, &str); 1] = [("block_size", "n_positions")];

/// The vectors and linear layers of a block.
const NORMS: [&str; 3] = ["ln_1", "ln_2", "mlp.ln"];
pub(super) const LINEAR: [&str; 4] = ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"];

pub(super) struct HuggingFace {
    /// The layout of linear layers.
    linear: Layout,
    is_flax: bool,
}

pub(super) fn recognizes(listing: &Listing) -> bool {
    let is_ours = |name: &str| {
        name == "wte.weight"
            || in_block(name, "h.").is_some_and(|(_, rest)| rest.starts_with("attn.c_attn."))
    };
    listing.names().any(is_ours)
}

/// Flax names as transformers writes them: `h.0.attn.c_attn.kernel` is `[out, in]`, which Flax itself never writes.
pub(super) fn recognizes_flax(listing: &Listing) -> bool {
    listing.matrices(".attn.c_attn.kernel").any(|[first, second]| first == second.saturating_mul(3))
}

/// The layout of linear layers, as the first matrix that is not square shows it. Where all are square, `own` is taken.
pub(super) fn linear_layout(listing: &Listing, own: Layout) -> Layout {
    let width = listing.get("wte.weight").and_then(|tensor| tensor.shape.get(1).copied());
    if let Some([first, second]) = listing.matrices("attn.c_attn.weight").next() {
        return if first == second.saturating_mul(3) { Layout::Transposed } else { Layout::Same };
    }
    let fc = listing.matrices("mlp.c_fc.weight").find(|[first, second]| first != second);
    match (fc, width) {
        (Some([_, second]), Some(width)) if second == width => Layout::Transposed,
        (Some([first, _]), Some(width)) if first == width => Layout::Same,
        _ => own,
    }
}

/// The meaning of a canonical name with `weight` and `bias`.
pub(super) fn canonical(name: &str, linear: Layout) -> Meaning {
    if ["wte.weight", "wpe.weight", "ln_f.weight", "ln_f.bias", HEAD, HEAD_BIAS].contains(&name) {
        return Slot::whole(name, Layout::Same);
    }
    let Some((_, rest)) = in_block(name, "h.") else { return Meaning::Unknown };
    if ["attn.bias", "attn.masked_bias"].contains(&rest) {
        return Meaning::Buffer;
    }
    match rest.rsplit_once('.') {
        Some((layer, "weight" | "bias")) if NORMS.contains(&layer) => {
            Slot::whole(name, Layout::Same)
        }
        Some((layer, "weight")) if LINEAR.contains(&layer) => Slot::whole(name, linear),
        Some((layer, "bias")) if LINEAR.contains(&layer) => Slot::whole(name, Layout::Same),
        _ => Meaning::Unknown,
    }
}

impl HuggingFace {
    pub fn new(listing: &Listing) -> HuggingFace {
        HuggingFace { linear: linear_layout(listing, Layout::Same), is_flax: false }
    }

    pub fn flax() -> HuggingFace {
        HuggingFace { linear: Layout::Transposed, is_flax: true }
    }
}

impl Family for HuggingFace {
    fn name(&self) -> &'static str {
        "Hugging Face GPT-2"
    }

    fn meaning(&self, Listed { name, .. }: &Listed) -> Meaning {
        if !self.is_flax {
            return canonical(name, self.linear);
        }
        match name.rsplit_once('.') {
            Some(("lm_head", "kernel")) => Slot::whole(HEAD, Layout::Transposed), // a Dense layer
            Some((layer, "kernel" | "scale" | "embedding")) => {
                canonical(&format!("{layer}.weight"), self.linear)
            }
            Some((_, "bias")) => canonical(name, self.linear),
            _ => Meaning::Unknown,
        }
    }

    fn ties_by_default(&self) -> bool {
        true
    }

    fn translate(&self, fields: Fields, _: &mut Report) -> Result<Fields> {
        rename(fields, &ALIASES)
    }

    fn defaults(&self, _: &Listing, _: &Fields) -> Vec<Default> {
        let why = "the default of Hugging Face's GPT-2";
        vec![
            Default { field: "layer_norm_epsilon", value: Json::Number(1e-5), why },
            Default { field: "activation_function", value: text("gelu_new"), why },
        ]
    }
}
