//! The message about a file whose names no family has.

use super::super::json::{Fields, Json};
use super::listing::Listing;
use crate::error::{Error, shortened};

/// Parts of names, and the architecture whose they are.
const OTHERS: [(&str, &str); 14] = [
    ("self_attn.q_proj", "Llama or a relative of it"),
    ("mlp.gate_proj", "Llama or a relative of it"),
    ("gpt_neox.", "GPT-NeoX"),
    ("attention.query_key_value", "GPT-NeoX or BLOOM"),
    ("self_attention.query_key_value", "BLOOM or Falcon"),
    ("attn.attention.q_proj", "GPT-Neo"),
    ("attn.q_proj", "GPT-J or CodeGen"),
    ("decoder.layers.", "OPT or an encoder-decoder"),
    ("encoder.layer.", "BERT or a relative of it"),
    ("rotary", "a model with rotary positions"),
    ("inv_freq", "a model with rotary positions"),
    ("mixer.", "Mamba"),
    ("time_mix", "RWKV"),
    ("SelfAttention.q", "T5"),
];

/// The families that are read, for the message.
const KNOWN: &str = "Hugging Face GPT-2 (`h.0.attn.c_attn.weight`), nanoGPT and minGPT, a GPT in Flax (`h_0.attn.c_attn.kernel`), \
    TransformerLens (`blocks.0.attn.W_Q`) and GGUF of a GPT-2 (`blk.0.attn_qkv.weight`)";
const MAX_SHOWN: usize = 4;

pub(super) fn error(listing: &Listing, config: &Fields) -> Error {
    let keys = listing.tensors.iter().map(|listed| listed.tensor.key.as_str());
    let shown: Vec<_> =
        keys.clone().take(MAX_SHOWN).map(|key| format!("`{}`", shortened(key))).collect();
    let found = match listing.tensors.len() {
        0 => return Error::Weights("the file has no tensor, expected those of a GPT-2".into()),
        count if count > MAX_SHOWN => {
            format!("{} and {} more", shown.join(", "), count - MAX_SHOWN)
        }
        _ => shown.join(", "),
    };
    let by_keys = OTHERS.iter().find(|(part, _)| keys.clone().any(|key| key.contains(part)));
    let by_config = match config.get("model_type") {
        Some(Json::Text(name)) if name != "gpt2" => Some(shortened(name).into_owned()),
        _ => None,
    };
    let other = by_config.or_else(|| by_keys.map(|(_, name)| (*name).to_string()));
    let other = other.map_or(String::new(), |name| format!(" They look like those of {name}."));
    Error::Weights(format!(
        "the tensors are those of no family that is read: found {found}.{other} Known are {KNOWN}. If the model is a \
         GPT-2, rename its tensors, or convert it with `tools/convert.py`"
    ))
}
