//! Values that several tokenizer files hold, and words of the messages about them.

use std::collections::BTreeMap;

use crate::checkpoint::json::{Fields, Json};
use crate::error::Result;
use crate::tokenizer::messages::{MAX_ID, refused};

/// The id of each token.
pub(super) type Ids = BTreeMap<String, u32>;

/// Part of a message.
pub(super) const EXPECTED: &str = "expected a tokenizer.json, a vocab.json with a merges.txt, a meta.json or meta.pkl with `stoi` or `itos`, or \
     the ranks of tiktoken";

/// The name without its folders.
pub(super) fn base_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The ids of an object of tokens. `path`: where the object is in the file, or empty.
pub(super) fn ids(name: &str, path: &str, fields: Fields) -> Result<Ids> {
    let mut tokens: BTreeMap<u32, String> = BTreeMap::new();
    let mut ids = Ids::new();
    for (token, value) in fields {
        let Some(id) = whole(&value).filter(|id| *id < MAX_ID) else {
            let found = value.describe();
            return Err(refused(
                name,
                format!(
                    "{path}{token:?} has {found} as its id, expected a whole number below {MAX_ID}"
                ),
            ));
        };
        let id = id as u32;
        if let Some(other) = tokens.insert(id, token.clone()) {
            return Err(refused(
                name,
                format!("{path}{token:?} and {other:?} both have the id {id}, expected one token"),
            ));
        }
        ids.insert(token, id);
    }
    Ok(ids)
}

/// A whole number, which may be written as text or with a decimal point.
pub(super) fn whole(value: &Json) -> Option<u64> {
    match value {
        Json::Whole(number) => Some(*number),
        Json::Number(number) if *number >= 0.0 && number.fract() == 0.0 && *number < 1e15 => {
            Some(*number as u64)
        }
        Json::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}
