//! The tokenizer in a GGUF file, as a `tokenizer.json`.

use std::collections::{BTreeMap, HashMap};

use candle_core::quantized::gguf_file::Value;

use crate::checkpoint::report::Report;
use crate::checkpoint::tokenizer_json::{AddedToken, Splitting, TokenizerParts};

/// The keys of the long lists.
pub(super) const LISTS: [&str; 4] = [
    "tokenizer.ggml.tokens",
    "tokenizer.ggml.token_type",
    "tokenizer.ggml.merges",
    "tokenizer.ggml.scores",
];
/// Token types of llama.cpp.
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

/// The bytes of a `tokenizer.json`; None if the file has no tokenizer.
///
/// # Errors
/// Why the tokenizer is not one of GPT-2, as the rest of a sentence.
pub(super) fn json(metadata: &HashMap<String, Value>) -> Result<Option<Vec<u8>>, String> {
    let Some(tokens) = metadata.get("tokenizer.ggml.tokens") else { return Ok(None) };
    for (name, known) in
        [("tokenizer.ggml.model", &["gpt2"][..]), ("tokenizer.ggml.pre", &["gpt-2", "default"])]
    {
        if let Some(Value::String(found)) = metadata.get(name)
            && !known.contains(&found.as_str())
        {
            return Err(format!("`{name}` is \"{found}\", which is not GPT-2's"));
        }
    }
    let tokens = texts(tokens).ok_or("its tokens are no texts")?;
    let merges = metadata.get("tokenizer.ggml.merges").and_then(texts);
    let merges = merges.ok_or("it has no merges")?;
    let merges: Option<Vec<(String, String)>> = merges
        .iter()
        .map(|merge| merge.split_once(' ').map(|(first, second)| (first.into(), second.into())))
        .collect();
    let merges = merges.ok_or("a merge is not of two tokens")?;
    let vocab: BTreeMap<String, u32> =
        tokens.iter().map(|token| token.to_string()).zip(0..).collect();
    if vocab.len() < tokens.len() {
        return Err("a token is in its vocabulary twice".into());
    }
    let types = match metadata.get("tokenizer.ggml.token_type") {
        Some(Value::Array(types)) => types.iter().map(number).collect(),
        _ => Vec::new(),
    };
    let ends: Vec<i64> = ["bos", "eos", "unknown", "padding"]
        .iter()
        .filter_map(|name| metadata.get(&format!("tokenizer.ggml.{name}_token_id")))
        .map(number)
        .collect();
    let added = tokens.iter().enumerate().filter_map(|(id, token)| {
        let kind = types.get(id).copied().unwrap_or(1);
        let special = kind == CONTROL || ends.contains(&(id as i64));
        (special || kind == USER_DEFINED).then(|| AddedToken::new(token, special))
    });
    let parts = TokenizerParts {
        added: added.collect(),
        vocab,
        splitting: Splitting::Gpt2 { merges, add_prefix_space: false, whole_words: false },
        report: Report::default(),
    };
    Ok(Some(parts.into_json()))
}

fn texts(value: &Value) -> Option<Vec<&str>> {
    let Value::Array(items) = value else { return None };
    items.iter().map(text).collect()
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn number(value: &Value) -> i64 {
    match value {
        Value::U8(number) => (*number).into(),
        Value::I8(number) => (*number).into(),
        Value::U16(number) => (*number).into(),
        Value::I16(number) => (*number).into(),
        Value::U32(number) => (*number).into(),
        Value::I32(number) => (*number).into(),
        Value::I64(number) => *number,
        _ => -1,
    }
}
