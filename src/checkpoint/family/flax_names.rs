//! The names that GPTs in Flax give to the same modules. Names are compared in lower case.

use super::super::layout::Piece;

/// Names of a list of blocks, which a number follows: `h_0`, `blocks.0`, `TransformerBlock_0`.
const BLOCKS: [&str; 15] = [
    "h",
    "block",
    "blocks",
    "layer",
    "layers",
    "transformerblock",
    "transformer_block",
    "transformerlayer",
    "decoderblock",
    "decoder_block",
    "decoderlayer",
    "gptblock",
    "attentionblock",
    "resid_block",
    "residualblock",
];

/// Modules that only contain others.
const CONTAINERS: [&str; 10] = [
    "gpt",
    "gpt_0",
    "transformer",
    "transformer_0",
    "decoder",
    "decoder_0",
    "model",
    "backbone",
    "params",
    "gpt2",
];

const TOKENS: [&str; 12] = [
    "wte",
    "tok_embed",
    "tok_emb",
    "token_embed",
    "token_emb",
    "token_embedding",
    "token_embeddings",
    "tok_embedding",
    "embed_tokens",
    "embed",
    "embedding",
    "embed_0",
];
const POSITIONS: [&str; 12] = [
    "wpe",
    "pos_embed",
    "pos_emb",
    "pos_embedding",
    "pos_embeddings",
    "position_embed",
    "position_emb",
    "position_embedding",
    "position_embeddings",
    "positional_embedding",
    "embed_positions",
    "embed_1",
];
const FINAL_NORM: [&str; 12] = [
    "ln_f",
    "lnf",
    "ln_final",
    "final_ln",
    "final_norm",
    "norm_f",
    "norm",
    "ln",
    "layernorm_0",
    "layernorm",
    "final_layer_norm",
    "norm_final",
];
const HEAD: [&str; 9] = [
    "lm_head",
    "head",
    "unembed",
    "output",
    "output_layer",
    "logits",
    "to_logits",
    "dense_0",
    "dense",
];

const FIRST_NORM: [&str; 11] = [
    "ln_1",
    "ln1",
    "layernorm_0",
    "layer_norm_1",
    "layernorm1",
    "norm1",
    "norm_1",
    "ln_attn",
    "attn_norm",
    "attn_ln",
    "attention_norm",
];
const SECOND_NORM: [&str; 12] = [
    "ln_2",
    "ln2",
    "layernorm_1",
    "layer_norm_2",
    "layernorm2",
    "norm2",
    "norm_2",
    "ln_mlp",
    "mlp_norm",
    "mlp_ln",
    "ffn_norm",
    "ln_ffn",
];
const ATTENTION: [&str; 17] = [
    "attn",
    "attention",
    "self_attn",
    "self_attention",
    "selfattention",
    "selfattention_0",
    "attention_0",
    "causalselfattention_0",
    "causalattention_0",
    "multiheadattention_0",
    "multiheadselfattention_0",
    "multiheaddotproductattention_0",
    "causal_attn",
    "mha",
    "sa",
    "mhsa",
    "causal_self_attention",
];
const MLP: [&str; 11] = [
    "mlp",
    "mlp_0",
    "ffn",
    "ff",
    "feedforward",
    "feed_forward",
    "feedforward_0",
    "ffn_0",
    "mlpblock_0",
    "mlp_block",
    "ffwd",
];

const QKV: [&str; 6] = ["c_attn", "qkv", "qkv_proj", "in_proj", "to_qkv", "dense_0"];
const QUERY: [&str; 6] = ["query", "q", "q_proj", "wq", "to_q", "query_proj"];
const KEY: [&str; 6] = ["key", "k", "k_proj", "wk", "to_k", "key_proj"];
const VALUE: [&str; 6] = ["value", "v", "v_proj", "wv", "to_v", "value_proj"];
const ATTENTION_OUT: [&str; 8] =
    ["c_proj", "out", "proj", "out_proj", "o_proj", "wo", "to_out", "dense_1"];

const UP: [&str; 12] = [
    "c_fc", "fc1", "fc_1", "dense_0", "fc_in", "up", "up_proj", "wi", "linear1", "linear_1", "fc",
    "dense1",
];
const DOWN: [&str; 13] = [
    "c_proj",
    "fc2",
    "fc_2",
    "dense_1",
    "fc_out",
    "down",
    "down_proj",
    "wo",
    "linear2",
    "linear_2",
    "proj",
    "dense2",
    "out",
];

/// The module that a path names, under its canonical name, and which piece of it. None if the path is not known.
pub(super) fn module(path: &[&str]) -> Option<(String, Piece)> {
    let lower: Vec<String> = path.iter().map(|part| part.to_ascii_lowercase()).collect();
    let mut path: &[String] = &lower;
    while let [first, rest @ ..] = path {
        match CONTAINERS.contains(&first.as_str()) {
            true if !rest.is_empty() => path = rest,
            _ => break,
        }
    }
    if let [only] = path
        && let Some(found) = outside(only)
    {
        return Some((found.into(), Piece::Whole));
    }
    let (layer, rest) = block(path)?;
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let (name, piece) = inside(&rest)?;
    Some((format!("h.{layer}.{name}"), piece))
}

fn outside(name: &str) -> Option<&'static str> {
    let groups: [(&[&str], &str); 4] =
        [(&TOKENS, "wte"), (&POSITIONS, "wpe"), (&FINAL_NORM, "ln_f"), (&HEAD, "lm_head")];
    groups.iter().find(|(names, _)| names.contains(&name)).map(|(_, ours)| *ours)
}

/// The number of the block at the beginning of a path, and what follows.
fn block(path: &[String]) -> Option<(usize, &[String])> {
    if let [list, number, rest @ ..] = path
        && BLOCKS.contains(&list.as_str())
        && let Some(layer) = whole(number)
    {
        return Some((layer, rest));
    }
    let [first, rest @ ..] = path else { return None };
    let digits = first.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let list = digits.strip_suffix('_').unwrap_or(digits);
    let layer = whole(&first[digits.len()..])?;
    BLOCKS.contains(&list).then_some((layer, rest))
}

fn whole(digits: &str) -> Option<usize> {
    let number: usize = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

fn inside(path: &[&str]) -> Option<(&'static str, Piece)> {
    let is = |names: &[&str], name: &str| names.contains(&name);
    match path {
        [name] if is(&FIRST_NORM, name) => Some(("ln_1", Piece::Whole)),
        [name] if is(&SECOND_NORM, name) => Some(("ln_2", Piece::Whole)),
        [part, name] if is(&ATTENTION, part) => attention(name),
        [part, name] if is(&MLP, part) => mlp(name),
        // An MLP that the block itself contains.
        [name @ ("c_fc" | "fc1" | "fc_1" | "dense_0" | "fc2" | "fc_2" | "dense_1")] => mlp(name),
        _ => None,
    }
}

fn attention(name: &str) -> Option<(&'static str, Piece)> {
    let groups: [(&[&str], &str, Piece); 5] = [
        (&QKV, "attn.c_attn", Piece::Whole),
        (&QUERY, "attn.c_attn", Piece::Query),
        (&KEY, "attn.c_attn", Piece::Key),
        (&VALUE, "attn.c_attn", Piece::Value),
        (&ATTENTION_OUT, "attn.c_proj", Piece::Whole),
    ];
    groups.iter().find(|(names, ..)| names.contains(&name)).map(|(_, ours, piece)| (*ours, *piece))
}

fn mlp(name: &str) -> Option<(&'static str, Piece)> {
    let groups: [(&[&str], &str); 2] = [(&UP, "mlp.c_fc"), (&DOWN, "mlp.c_proj")];
    groups.iter().find(|(names, _)| names.contains(&name)).map(|(_, ours)| (*ours, Piece::Whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(path: &str) -> Option<String> {
        module(&path.split('.').collect::<Vec<_>>()).map(|(name, _)| name)
    }

    #[test]
    fn modules_are_known_under_the_names_that_people_give_them() {
        let same = [
            ("h_0.ln_1", "h.0.ln_1"),
            ("blocks_3.LayerNorm_0", "h.3.ln_1"),
            ("TransformerBlock_11.LayerNorm_1", "h.11.ln_2"),
            ("layers.2.norm2", "h.2.ln_2"),
            ("block0.attention.qkv", "h.0.attn.c_attn"),
            ("h.1.SelfAttention_0.out", "h.1.attn.c_proj"),
            ("h_0.MultiHeadDotProductAttention_0.query", "h.0.attn.c_attn"),
            ("h_0.mlp.Dense_1", "h.0.mlp.c_proj"),
            ("Block_0.Dense_0", "h.0.mlp.c_fc"),
            ("GPT_0.transformer.tok_embed", "wte"),
            ("Embed_1", "wpe"),
            ("head", "lm_head"),
        ];
        for (theirs, ours) in same {
            assert_eq!(named(theirs).as_deref(), Some(ours), "{theirs}");
        }
    }

    #[test]
    fn other_names_are_not_guessed() {
        for path in
            ["", "h", "h_x.ln_1", "h_01.ln_1", "h_0.gate", "h_0.attn.Dense_2", "rope", "h_0"]
        {
            assert_eq!(named(path), None, "{path}");
        }
    }
}
