//! What a tokenizer file holds, recognized by its bytes.

use super::characters::{self, Characters};
use super::merges::{self, Merge};
use super::ranks::{self, Ranks};
use super::values::{EXPECTED, Ids, base_name, ids, whole};
use crate::checkpoint::json::{self, Fields, Json};
use crate::checkpoint::recognize;
use crate::error::Result;
use crate::tokenizer::messages::{MAX_BYTES, refused};

/// The parsed content of a file.
pub(super) enum Content {
    /// A `tokenizer.json`. Its content is not checked.
    TokenizerJson,
    /// The ids of tokens: `vocab.json` or `added_tokens.json`.
    Ids(Ids),
    /// `merges.txt`.
    Merges(Vec<Merge>),
    /// The ranks of tiktoken.
    Ranks(Ranks),
    /// `meta.json` or `meta.pkl`.
    Characters(Characters),
    /// `tokenizer_config.json` or `special_tokens_map.json`.
    Settings(Fields),
}

/// Recognizes and parses a file.
///
/// # Errors
/// [`Error::Tokenizer`](crate::Error::Tokenizer) that names the file, when it is no tokenizer file or is damaged.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Content> {
    let length = bytes.len();
    if length > MAX_BYTES {
        return Err(refused(
            name,
            format!("the file has {length} bytes, expected at most {MAX_BYTES}"),
        ));
    }
    let is_named_tokenizer = base_name(name) == "tokenizer.json";
    if let [0x80, 2..=5, ..] = bytes {
        return characters::from_pickle(name, bytes).map(Content::Characters);
    }
    if let Some(found) = recognize(bytes) {
        return match is_named_tokenizer {
            true => Ok(Content::TokenizerJson), // whose reader says so
            false => Err(refused(name, format!("{found}; {EXPECTED}"))),
        };
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match bytes.trim_ascii_start().first() {
        _ if is_tokenizer_json(bytes) => Ok(Content::TokenizerJson),
        Some(b'{') => match object(name, bytes) {
            Err(_) | Ok(Content::Settings(_)) if is_named_tokenizer => Ok(Content::TokenizerJson),
            content => content,
        },
        _ if is_named_tokenizer => Ok(Content::TokenizerJson),
        Some(b'[') => characters::from_list(name, bytes).map(Content::Characters),
        None if !is_merges_name(name) => {
            Err(refused(name, format!("the file is empty, {EXPECTED}")))
        }
        _ => text(name, bytes),
    }
}

fn is_merges_name(name: &str) -> bool {
    let name = base_name(name);
    name.contains("merges") || name.ends_with(".bpe")
}

/// Whether the bytes have a field `model` that is an object. In a vocabulary, `"model"` is followed by a number.
fn is_tokenizer_json(bytes: &[u8]) -> bool {
    const KEY: &[u8] = b"\"model\"";
    let is_object = |at: usize| {
        let after = bytes[at + KEY.len()..].trim_ascii_start();
        let value = after.strip_prefix(b":").map(<[u8]>::trim_ascii_start);
        value.is_some_and(|value| value.starts_with(b"{"))
    };
    let starts = bytes.trim_ascii_start().starts_with(b"{");
    starts
        && bytes
            .windows(KEY.len())
            .enumerate()
            .any(|(at, window)| window[0] == b'"' && window == KEY && is_object(at))
}

fn object(name: &str, bytes: &[u8]) -> Result<Content> {
    let fields = json::object(bytes, MAX_BYTES).map_err(|reason| refused(name, reason))?;
    if fields.contains_key("stoi") || fields.contains_key("itos") {
        return characters::from_fields(name, fields).map(Content::Characters);
    }
    if is_settings(&fields) {
        return Ok(Content::Settings(fields));
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let texts = |value: &Json| matches!(value, Json::Text(text) if !is_number(text));
    if !fields.is_empty() && fields.keys().all(|key| is_number(key)) && fields.values().any(texts) {
        let fields = Fields::from([("itos".to_string(), Json::Object(fields))]);
        return characters::from_fields(name, fields).map(Content::Characters);
    }
    if fields.values().any(|value| whole(value).is_some()) && !fields.contains_key("model_type") {
        return ids(name, "", fields).map(Content::Ids);
    }
    Err(refused(name, format!("the file is no tokenizer; {EXPECTED}")))
}

/// Whether these are fields of `tokenizer_config.json` or `special_tokens_map.json`. A vocabulary may have tokens with such
/// names, whose values are their ids.
fn is_settings(fields: &Fields) -> bool {
    const FIELDS: [&str; 7] = [
        "tokenizer_class",
        "added_tokens_decoder",
        "additional_special_tokens",
        "bos_token",
        "eos_token",
        "pad_token",
        "unk_token",
    ];
    let is_setting = |name: &&str| fields.get(*name).is_some_and(|value| whole(value).is_none());
    let is_only_length = || fields.len() == 1 && fields.contains_key("model_max_length");
    fields.is_empty() || is_only_length() || FIELDS.iter().any(is_setting)
}

/// The lines of a text file: ranks or merges.
fn text(name: &str, bytes: &[u8]) -> Result<Content> {
    if bytes.first() == Some(&b'\n') && bytes.contains(&0) {
        return Err(refused(
            name,
            "this looks like a SentencePiece model, which is not supported; save the tokenizer as a tokenizer.json",
        ));
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(refused(name, format!("the file is neither JSON nor text; {EXPECTED}")));
    };
    match ranks::looks_like(text) {
        true => ranks::read(name, text).map(Content::Ranks),
        false => merges::read(name, text).map(Content::Merges),
    }
}
