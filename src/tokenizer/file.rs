//! `tokenizer.json` to a tokenizer of the `tokenizers` crate, validated first.
//!
//! The crate panics on some truncated or inconsistent files, and a panic ends the WebAssembly instance. Therefore the
//! file is parsed here, every precondition of the crate is checked, and the tokenizer is built from its parts.

use serde::Deserialize;
use serde_json::Value;
use serde_json::error::Category;

use super::added_tokens::add_tokens;
use super::messages::{in_plain_words, wrong};
use super::model::ModelFields;
use super::pipeline::{decoder, normalizer, pre_tokenizer};
use crate::checkpoint::recognize;
use crate::error::{Error, Result};

/// The largest file that is read.
const MAX_BYTES: usize = 64 << 20;

/// The fields of the file. Truncation and padding are ignored. The post-processor only adds special tokens, which are
/// not added here; it is read to be able to report it.
#[derive(Deserialize)]
#[serde(expecting = "an object with `model`")]
struct File {
    #[serde(default)]
    version: Value,
    #[serde(default)]
    added_tokens: Value,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    decoder: Value,
    model: Option<ModelFields>,
}

/// A tokenizer from a file.
pub(super) struct Read {
    pub tokenizer: tokenizers::Tokenizer,
    /// The file asks for special tokens around each text, which are not added here.
    pub adds_special_tokens: bool,
}

/// # Errors
/// [`Error::Tokenizer`] that names the field, when the file is not a tokenizer that can be used.
pub(super) fn read(json: &[u8]) -> Result<Read> {
    if json.len() > MAX_BYTES {
        return Err(wrong(format!(
            "the file has {} bytes, expected at most {MAX_BYTES}",
            json.len()
        )));
    }
    if let Some(found) = recognize(json) {
        return Err(wrong(format!("{found}; expected JSON")));
    }
    let json = json.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(json);
    let file: File = serde_json::from_slice(json).map_err(|error| wrong(not_read(&error)))?;
    let version = file.version.as_str();
    if !(file.version.is_null() || version == Some("1.0")) {
        return Err(wrong(format!("`version` is {}, expected \"1.0\"", file.version)));
    }
    let model = file.model.ok_or_else(|| wrong("`model` is missing"))?;
    let mut tokenizer = tokenizers::Tokenizer::new(model.build()?);
    tokenizer.with_normalizer(normalizer(file.normalizer)?).map_err(Error::TokenizersCrate)?;
    tokenizer.with_pre_tokenizer(pre_tokenizer(file.pre_tokenizer)?);
    tokenizer.with_decoder(decoder(file.decoder)?);
    add_tokens(&mut tokenizer, &file.added_tokens)?;
    Ok(Read { tokenizer, adds_special_tokens: adds_special_tokens(&file.post_processor) })
}

/// Whether a post-processor does more than adjust offsets, as that of type `ByteLevel` does.
fn adds_special_tokens(post_processor: &Value) -> bool {
    match post_processor["type"].as_str() {
        Some("Sequence") => post_processor["processors"]
            .as_array()
            .is_some_and(|all| all.iter().any(adds_special_tokens)),
        kind => kind.is_some_and(|kind| kind != "ByteLevel"),
    }
}

/// Why the file cannot be read as a tokenizer, without serde's terms.
fn not_read(error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        Category::Eof => {
            format!("the file ends too early, at {place}: it is cut, load it again")
        }
        Category::Data => in_plain_words(error),
        _ => format!("the file is not JSON at {place}"),
    }
}
