//! TransformerLens: `W_E`, `blocks.0.attn.W_Q` `[head, d_model, d_head]`, with the fields of `HookedTransformerConfig`.

use super::super::json::{Fields, Json};
use super::super::layout::{Layout, Piece};
use super::super::report::Report;
use super::super::shapes::in_block;
use super::super::shapes::{HEAD, HEAD_BIAS};
use super::listing::{Listed, Listing};
use super::member::{Default, Family, Meaning, Slot, rename, text, without};
use crate::error::{Error, Result};

const OUTSIDE: [(&str, &str, Layout); 6] = [
    ("embed.W_E", "wte.weight", Layout::Same),
    ("pos_embed.W_pos", "wpe.weight", Layout::Same),
    ("ln_final.w", "ln_f.weight", Layout::Same),
    ("ln_final.b", "ln_f.bias", Layout::Same),
    ("unembed.W_U", HEAD, Layout::Transposed),
    ("unembed.b_U", HEAD_BIAS, Layout::Same),
];

const IN_BLOCK: [(&str, &str, Piece, Layout); 18] = [
    ("ln1.w", "ln_1.weight", Piece::Whole, Layout::Same),
    ("ln1.b", "ln_1.bias", Piece::Whole, Layout::Same),
    ("attn.W_Q", "attn.c_attn.weight", Piece::Query, Layout::HeadFirst),
    ("attn.W_K", "attn.c_attn.weight", Piece::Key, Layout::HeadFirst),
    ("attn.W_V", "attn.c_attn.weight", Piece::Value, Layout::HeadFirst),
    ("attn.b_Q", "attn.c_attn.bias", Piece::Query, Layout::Same),
    ("attn.b_K", "attn.c_attn.bias", Piece::Key, Layout::Same),
    ("attn.b_V", "attn.c_attn.bias", Piece::Value, Layout::Same),
    ("attn.W_O", "attn.c_proj.weight", Piece::Whole, Layout::Same), // [head, d_head, d_model]
    ("attn.b_O", "attn.c_proj.bias", Piece::Whole, Layout::Same),
    ("ln2.w", "ln_2.weight", Piece::Whole, Layout::Same),
    ("ln2.b", "ln_2.bias", Piece::Whole, Layout::Same),
    ("mlp.W_in", "mlp.c_fc.weight", Piece::Whole, Layout::Same),
    ("mlp.b_in", "mlp.c_fc.bias", Piece::Whole, Layout::Same),
    ("mlp.ln.w", "mlp.ln.weight", Piece::Whole, Layout::Same),
    ("mlp.ln.b", "mlp.ln.bias", Piece::Whole, Layout::Same),
    ("mlp.W_out", "mlp.c_proj.weight", Piece::Whole, Layout::Same),
    ("mlp.b_out", "mlp.c_proj.bias", Piece::Whole, Layout::Same),
];

/// Constants of the attention, the last of them in old versions.
const BUFFERS: [&str; 4] = ["attn.mask", "attn.IGNORE", "attn.causal_mask", "attn.masked_bias"];

const ALIASES: [(&str, &str); 8] = [
    ("d_model", "n_embd"),
    ("n_layers", "n_layer"),
    ("n_heads", "n_head"),
    ("d_mlp", "n_inner"),
    ("d_vocab", "vocab_size"),
    ("act_fn", "activation_function"),
    ("eps", "layer_norm_epsilon"),
    ("use_attn_scale", "scale_attn_weights"),
];

/// Fields that, if they are set, make another architecture.
const REFUSED: [&str; 19] = [
    "clip_qkv",
    "final_rms",
    "gated_mlp",
    "load_in_4bit",
    "num_experts",
    "parallel_attn_mlp",
    "post_embedding_ln",
    "quantization_method",
    "relative_attention_max_distance",
    "relative_attention_num_buckets",
    "rotary_dim",
    "use_attention_sinks",
    "use_dynamic_ntk_rope",
    "use_local_attn",
    "use_logn_attn",
    "use_normalization_before_and_after",
    "use_NTK_by_parts_rope",
    "use_qk_norm",
    "uses_rms_norm",
];

/// Fields of hooks, of the training, of the tokenizer, and of what [`REFUSED`] switches on.
#[rustfmt::skip]
const HARMLESS: [&str; 64] = [
    "NTK_by_parts_factor", "NTK_by_parts_high_freq_factor", "NTK_by_parts_low_freq_factor", "NTK_original_ctx_len", "attn_scale",
    "attn_scores_soft_cap", "attn_types", "attention_dir", "checkpoint_index", "checkpoint_label_type", "checkpoint_value",
    "d_head", "d_vocab_out", "decoder_start_token_id", "default_prepend_bos", "device", "dtype", "experts_per_token",
    "from_checkpoint", "init_mode", "init_weights", "initializer_range", "layer_norm_folding", "model_name", "model_type", "n_ctx",
    "n_devices", "n_key_value_heads", "n_params", "norm_topk_prob", "original_architecture", "output_logits_soft_cap",
    "positional_embedding_type", "rotary_adjacent_pairs", "rotary_base", "rotary_base_local", "rotary_scaling_factor", "seed",
    "tie_word_embeddings", "tokenizer_name", "tokenizer_prepends_bos", "train_seq_length", "trust_remote_code",
    "ungroup_grouped_query_attention", "use_attn_in", "use_attn_result", "use_hook_mlp_in", "use_hook_tokens", "use_split_qkv_input",
    "window_size", "yarn_attention_factor", "yarn_beta_fast", "yarn_beta_slow", "yarn_factor", "yarn_global_attn_only",
    "yarn_original_max_position_embeddings", "yarn_truncate", "use_yarn_rope", "model_family", "completed_tokens", "dataset_name",
    "lr", "batch_size", "weight_decay",
];

const REMEDY: &str = "Such a model is not supported: load another one";

pub(super) struct TransformerLens;

pub(super) fn recognizes(listing: &Listing) -> bool {
    let has_query = |name: &str| {
        in_block(name, "blocks.").is_some_and(|(_, rest)| rest.starts_with("attn.W_Q"))
    };
    listing.get("embed.W_E").is_some() || listing.names().any(has_query)
}

impl Family for TransformerLens {
    fn name(&self) -> &'static str {
        "TransformerLens"
    }

    fn meaning(&self, Listed { name, .. }: &Listed) -> Meaning {
        if let Some((_, ours, layout)) = OUTSIDE.iter().find(|(theirs, ..)| theirs == name) {
            return Slot::whole(*ours, *layout);
        }
        let Some((layer, rest)) = in_block(name, "blocks.") else { return Meaning::Unknown };
        if BUFFERS.contains(&rest) {
            return Meaning::Buffer;
        }
        match IN_BLOCK.iter().find(|(theirs, ..)| *theirs == rest) {
            Some((_, ours, piece, layout)) => {
                Slot::piece(format!("h.{layer}.{ours}"), *piece, *layout)
            }
            None => Meaning::Unknown,
        }
    }

    fn translate(&self, mut fields: Fields, _: &mut Report) -> Result<Fields> {
        check(&fields)?;
        // A config under the names of config.json is read as it is.
        if let Some(length) = fields.get("n_ctx").cloned() {
            fields.entry("n_positions".into()).or_insert(length);
        }
        if fields.remove("shortformer_pos") == Some(Json::Bool(true)) {
            fields.insert("positional_embedding_type".into(), text("shortformer")); // of older configs
        }
        match fields.get("positional_embedding_type") {
            Some(Json::Text(kind)) if kind == "standard" => {
                fields.insert("position_embedding".into(), text("learned"));
            }
            Some(Json::Text(kind)) if kind == "shortformer" => {
                fields.insert("position_embedding".into(), text("shortformer"));
            }
            None | Some(Json::Null) => {}
            Some(found) => {
                let found = found.describe();
                return Err(Error::Config(format!(
                    "`positional_embedding_type` is {found}, expected \"standard\" or \"shortformer\". {REMEDY}"
                )));
            }
        }
        if fields.get("normalization_type") == Some(&Json::Null) {
            fields.insert("normalization_type".into(), text("none"));
        }
        if fields.get("act_fn") == Some(&Json::Null) {
            fields.remove("act_fn");
        }
        fields.retain(|name, value| !REFUSED.contains(&name.as_str()) || !value.is_empty());
        rename(without(fields, &HARMLESS), &ALIASES)
    }

    fn defaults(&self, listing: &Listing, _: &Fields) -> Vec<Default> {
        let epsilon = Json::Number(1e-5);
        let why = "TransformerLens's default";
        let mut defaults = vec![Default { field: "layer_norm_epsilon", value: epsilon, why }];
        let has = |end: &str| listing.names().any(|name| name.ends_with(end));
        if has("pos_embed.W_pos") {
            let value = text("learned");
            defaults.push(Default { field: "position_embedding", value, why });
        }
        defaults
    }

    fn varies(&self) -> bool {
        true
    }

    fn drops_zero_head_bias(&self) -> bool {
        true
    }
}

/// Refuses what a GPT-2 cannot compute.
fn check(fields: &Fields) -> Result<()> {
    let refuse = |name: &str, expected: &str| {
        let found = fields[name].describe();
        Err(Error::Config(format!("`{name}` is {found}, expected {expected}. {REMEDY}")))
    };
    let number = |name: &str| match fields.get(name) {
        Some(Json::Whole(number)) => Some(*number as f64),
        Some(Json::Number(number)) => Some(*number),
        _ => None,
    };
    if let Some(name) =
        REFUSED.into_iter().find(|name| fields.get(*name).is_some_and(|value| !value.is_empty()))
    {
        return refuse(name, "it to be off, as in a GPT-2");
    }
    if let Some(found) = fields.get("attention_dir")
        && *found != text("causal")
    {
        return refuse("attention_dir", "\"causal\"");
    }
    for name in ["attn_scores_soft_cap", "output_logits_soft_cap"] {
        if number(name).is_some_and(|cap| cap > 0.0) {
            return refuse(name, "-1, because a GPT-2 has no soft cap");
        }
    }
    let same = [("d_vocab_out", "d_vocab"), ("n_key_value_heads", "n_heads")].into_iter().find(
        |(a, b)| {
            let (a, b) = (number(a), number(b));
            a.is_some_and(|a| a >= 0.0) && b.is_some() && a != b
        },
    );
    if let Some((name, other)) = same {
        return refuse(name, &format!("the same as `{other}`"));
    }
    let (Some(width), Some(heads)) = (number("d_model"), number("n_heads")) else { return Ok(()) };
    let d_head = number("d_head").unwrap_or(width / heads);
    if d_head * heads != width {
        return refuse("d_head", "`d_model` divided by `n_heads`, as in a GPT-2");
    }
    let is_scaled = fields.get("use_attn_scale") != Some(&Json::Bool(false));
    match number("attn_scale") {
        Some(scale) if is_scaled && scale > 0.0 && (scale - d_head.sqrt()).abs() > 1e-5 * scale => {
            refuse("attn_scale", "the square root of `d_head`, as in a GPT-2")
        }
        _ => Ok(()),
    }
}
