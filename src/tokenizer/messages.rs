//! Limits of `tokenizer.json` and parts of messages that several readers of its fields need.

use std::fmt;

use serde_json::Value;

use crate::checkpoint::json::MARK;
use crate::error::Error;

/// Ids are below this: `f32` represents each whole number up to it.
pub(super) const MAX_ID: u64 = 1 << 24;
/// The longest token in bytes. The trie of a Unigram model is as deep, and is freed recursively.
const MAX_TOKEN_BYTES: usize = 1024;

/// The largest tokenizer file that is read, in bytes.
pub(super) const MAX_BYTES: usize = 64 << 20;

/// An error about `tokenizer.json`.
pub(super) fn wrong(message: impl fmt::Display) -> Error {
    Error::Tokenizer(format!("tokenizer.json: {message}"))
}

/// An error about the file `name`.
pub(super) fn refused(name: &str, message: impl fmt::Display) -> Error {
    Error::Tokenizer(format!("{name}: {message}"))
}

/// A whole number, which may be written as text.
pub(super) fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        _ => value.as_u64(),
    }
}

/// A value in an error message.
pub(super) fn brief(value: &Value) -> String {
    let text = match value {
        Value::String(text) if text.starts_with(MARK) => text.replace(MARK, ""), // NaN or an infinity
        _ => value.to_string(),
    };
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The message of `error` in terms of JSON instead of serde's ("found an object" instead of "map").
pub(super) fn in_plain_words(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    for (serde, json) in [
        ("invalid type: map,", "found an object,"),
        ("invalid type: sequence,", "found an array,"),
        ("invalid type: null,", "found null,"),
        ("invalid type: ", "found the "),
        ("invalid value: ", "found the "),
        ("invalid length ", "found a list of length "),
        ("duplicate field ", "there are two fields "),
        ("missing field ", "there is no field "),
        ("unknown variant ", "there is no kind "),
        (" at line ", ", in line "),
        (" column ", ", column "),
    ] {
        text = text.replace(serde, json);
    }
    text
}

/// # Errors
/// When the token is too long, as the end of a message.
pub(super) fn check_token(token: &str) -> std::result::Result<(), String> {
    let length = token.len();
    if length > MAX_TOKEN_BYTES {
        return Err(format!("a token has {length} bytes, expected at most {MAX_TOKEN_BYTES}"));
    }
    Ok(())
}
