//! `tokenizer.json` to a tokenizer of the `tokenizers` crate, validated first.
//!
//! The crate panics on some truncated or inconsistent files, and a panic ends the WebAssembly instance. Therefore the
//! file is parsed here, every precondition of the crate is checked, and the tokenizer is built from its parts.

use serde::Deserialize;
use serde_json::Value;
use serde_json::error::Category;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

use super::added_tokens::add_tokens;
use super::features::splits_into_bytes;
use super::messages::{MAX_BYTES, in_plain_words, wrong};
use super::model::ModelFields;
use super::pipeline::{decoder, normalizer, pre_tokenizer};
use crate::checkpoint::json::with_marks;
use crate::checkpoint::{NoticeKind, Report, recognize};
use crate::error::{Error, Result};

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
    /// Notices about the files that this one was made from ([`NOTICES_FIELD`](crate::checkpoint::tokenizer_json::NOTICES_FIELD)).
    #[serde(default)]
    candlescope_notices: Option<Report>,
}

/// A tokenizer from a file.
pub(super) struct Read {
    pub tokenizer: tokenizers::Tokenizer,
    /// The file asks for special tokens around each text, which are not added here.
    pub adds_special_tokens: bool,
    /// What was ignored or assumed.
    pub report: Report,
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
    let parsed = serde_json::from_slice(json).or_else(|error| match with_marks(json) {
        Some(marked) => serde_json::from_slice(&marked),
        None => Err(error),
    });
    let file: File = parsed.map_err(|error| wrong(not_read(&error)))?;
    let version = file.version.as_str();
    if !(file.version.is_null() || version == Some("1.0")) {
        return Err(wrong(format!("`version` is {}, expected \"1.0\"", file.version)));
    }
    let model = file.model.ok_or_else(|| wrong("`model` is missing"))?;
    let mut report = file.candlescope_notices.unwrap_or_default();
    let mut tokenizer = tokenizers::Tokenizer::new(model.build(&mut report)?);
    tokenizer.with_normalizer(normalizer(file.normalizer)?).map_err(Error::TokenizersCrate)?;
    tokenizer.with_pre_tokenizer(pre_tokenizer(file.pre_tokenizer)?);
    tokenizer.with_decoder(decoder(file.decoder)?);
    if tokenizer.get_decoder().is_none() && splits_into_bytes(&tokenizer) {
        tokenizer.with_decoder(Some(ByteLevel::default()));
        let message = "tokenizer.json: `decoder` is missing: byte level was taken, because texts are split into bytes.";
        report.push(NoticeKind::Assumed, "tokenizer.json", message.into());
    }
    add_tokens(&mut tokenizer, &file.added_tokens)?;
    let adds_special_tokens = adds_special_tokens(&file.post_processor);
    Ok(Read { tokenizer, adds_special_tokens, report })
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
