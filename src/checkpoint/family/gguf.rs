//! GGUF of a GPT-2, with the names and metadata of llama.cpp. Its converter writes linear layers as `[out, in]`.

use super::super::json::{Fields, Json};
use super::super::layout::Layout;
use super::super::report::Report;
use super::super::shapes::HEAD;
use super::super::shapes::in_block;
use super::listing::{Listed, Listing};
use super::member::{Default, Family, Meaning, Slot, text};
use crate::error::{Error, Result};

const OUTSIDE: [(&str, &str); 5] = [
    ("token_embd.weight", "wte.weight"),
    ("position_embd.weight", "wpe.weight"),
    ("output_norm.weight", "ln_f.weight"),
    ("output_norm.bias", "ln_f.bias"),
    ("output.weight", HEAD),
];

/// Modules of a block, what they are, and the layout of their weights.
const IN_BLOCK: [(&str, &str, Layout); 6] = [
    ("attn_norm", "ln_1", Layout::Same),
    ("attn_qkv", "attn.c_attn", Layout::Transposed),
    ("attn_output", "attn.c_proj", Layout::Transposed),
    ("ffn_norm", "ln_2", Layout::Same),
    ("ffn_up", "mlp.c_fc", Layout::Transposed),
    ("ffn_down", "mlp.c_proj", Layout::Transposed),
];

/// Metadata, and the fields of `config.json` that they are.
const METADATA: [(&str, &str); 8] = [
    ("gpt2.block_count", "n_layer"),
    ("gpt2.embedding_length", "n_embd"),
    ("gpt2.feed_forward_length", "n_inner"),
    ("gpt2.attention.head_count", "n_head"),
    ("gpt2.attention.layer_norm_epsilon", "layer_norm_epsilon"),
    ("gpt2.context_length", "n_positions"),
    ("tokenizer.ggml.bos_token_id", "bos_token_id"),
    ("tokenizer.ggml.eos_token_id", "eos_token_id"),
];

pub(super) struct Gguf;

pub(super) fn recognizes(listing: &Listing) -> bool {
    listing.get("token_embd.weight").is_some()
}

impl Family for Gguf {
    fn name(&self) -> &'static str {
        "Hugging Face GPT-2" // from which llama.cpp converts
    }

    fn meaning(&self, Listed { name, .. }: &Listed) -> Meaning {
        if let Some((_, ours)) = OUTSIDE.iter().find(|(theirs, _)| theirs == name) {
            return Slot::whole(*ours, Layout::Same);
        }
        let Some((layer, rest)) = in_block(name, "blk.") else { return Meaning::Unknown };
        let Some((module, leaf @ ("weight" | "bias"))) = rest.rsplit_once('.') else {
            return Meaning::Unknown;
        };
        let Some((_, ours, layout)) = IN_BLOCK.iter().find(|(theirs, ..)| *theirs == module) else {
            return Meaning::Unknown;
        };
        let layout = if leaf == "weight" { *layout } else { Layout::Same };
        Slot::whole(format!("h.{layer}.{ours}.{leaf}"), layout)
    }

    fn translate(&self, fields: Fields, _: &mut Report) -> Result<Fields> {
        if let Some(found) = fields.get("general.architecture")
            && *found != text("gpt2")
        {
            let found = found.describe();
            return Err(Error::Config(format!(
                "`general.architecture` is {found}, expected \"gpt2\"; only GPT-2 is supported in GGUF"
            )));
        }
        let mut translated = Fields::new();
        for (name, value) in fields {
            match METADATA.iter().find(|(theirs, _)| *theirs == name) {
                Some((_, ours)) => drop(translated.insert((*ours).into(), value)),
                None if ["general.", "tokenizer.", "quantize.", "split.", "GGUF."]
                    .iter()
                    .any(|prefix| name.starts_with(prefix)) => {}
                None => drop(translated.insert(name, value)),
            }
        }
        Ok(translated)
    }

    fn defaults(&self, _: &Listing, _: &Fields) -> Vec<Default> {
        let epsilon = Json::Number(1e-5);
        let why = "the default of Hugging Face's GPT-2, from which GGUF is converted";
        vec![
            Default { field: "layer_norm_epsilon", value: epsilon, why },
            Default {
                field: "activation_function",
                value: text("gelu_new"),
                why: "that of llama.cpp's GPT-2, because GGUF does not say it",
            },
        ]
    }
}
