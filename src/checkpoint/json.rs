//! JSON files of a model, read strictly: a duplicate key is an error, and messages do not use serde's terms.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use super::magic;
use crate::error::shortened;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// A whole number that is not negative.
    Whole(u64),
    /// Any other number.
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Fields),
}

pub(crate) type Fields = BTreeMap<String, Json>;

impl Json {
    /// The value in a few words, for a message.
    pub fn describe(&self) -> String {
        match self {
            Json::Null => "null".into(),
            Json::Bool(flag) => flag.to_string(),
            Json::Whole(number) => number.to_string(),
            Json::Number(number) => format!("{number:?}"), // as 1e30, not with 30 zeros
            Json::Text(text) => format!("the text \"{}\"", shortened(text)),
            Json::List(items) => format!("a list of length {}", items.len()),
            Json::Object(fields) => format!("an object with {} fields", fields.len()),
        }
    }

    /// The value for other readers of JSON, in which a number that is not finite is null.
    pub fn to_value(&self) -> serde_json::Value {
        match self {
            Json::Null => serde_json::Value::Null,
            Json::Bool(flag) => (*flag).into(),
            Json::Whole(number) => (*number).into(),
            Json::Number(number) => (*number).into(),
            Json::Text(text) => text.as_str().into(),
            Json::List(items) => items.iter().map(Json::to_value).collect(),
            Json::Object(fields) => {
                fields.iter().map(|(key, value)| (key.clone(), value.to_value())).collect()
            }
        }
    }

    /// Whether the value is null, false, or an empty list, object or string.
    pub fn is_empty(&self) -> bool {
        match self {
            Json::Null | Json::Bool(false) => true,
            Json::Text(text) => text.is_empty(),
            Json::List(items) => items.is_empty(),
            Json::Object(fields) => fields.is_empty(),
            _ => false,
        }
    }
}

/// The fields of a JSON object of at most `max_bytes` bytes. A byte-order mark is skipped.
///
/// # Errors
/// The reason, as the rest of a sentence about the file.
pub(crate) fn object(bytes: &[u8], max_bytes: usize) -> Result<Fields, String> {
    if bytes.len() > max_bytes {
        return Err(format!("it has {} bytes, expected at most {max_bytes}", bytes.len()));
    }
    if let Some(found) = magic::recognize(bytes) {
        return Err(format!("{found}; expected JSON"));
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if bytes.trim_ascii().is_empty() {
        return Err("it is empty, expected JSON".into());
    }
    match serde_json::from_slice(bytes) {
        Ok(Json::Object(fields)) => Ok(fields),
        Ok(other) => Err(format!("it is {}, expected a JSON object", other.describe())),
        Err(error) => Err(in_plain_words(bytes, &error)),
    }
}

fn in_plain_words(bytes: &[u8], error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    match error.classify() {
        Category::Data => {
            text.split(" at line ").next().unwrap_or_default().to_string()
                + &format!(" (line {line})")
        }
        Category::Eof => {
            format!("it is not whole: its JSON ends on line {line} in the middle of a value")
        }
        _ if text.starts_with("recursion limit") => {
            "its JSON is nested more than 127 levels deep".into()
        }
        _ if text.starts_with("number out of range") => {
            format!("the number on line {line} that ends in column {column} is too large")
        }
        _ => {
            let rest =
                bytes.split(|byte| *byte == b'\n').nth(line.saturating_sub(1)).unwrap_or_default();
            let rest = rest.get(column.saturating_sub(1)..).unwrap_or_default();
            let found = String::from_utf8_lossy(&rest[..rest.len().min(20)]);
            let place = format!("it is not JSON: line {line}, column {column}");
            match found.trim() {
                "" => place,
                found
                    if ["NaN", "Infinity", "nfinity"]
                        .iter()
                        .any(|name| found.starts_with(name)) =>
                {
                    format!("{place} holds NaN or an infinity, which JSON does not have")
                }
                found => format!("{place}, before `{found}`"),
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Json, D::Error> {
        from.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, to: &mut std::fmt::Formatter) -> std::fmt::Result {
        to.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json, E> {
        Ok(Json::Bool(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Whole(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number as f64)) // negative: the others come as u64
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut fields = Fields::new();
        while let Some(key) = entries.next_key::<String>()? {
            match fields.entry(key) {
                Entry::Occupied(field) => {
                    let key = shortened(field.key());
                    return Err(A::Error::custom(format!("`{key}` is there twice in one object")));
                }
                Entry::Vacant(field) => field.insert(entries.next_value()?),
            };
        }
        Ok(Json::Object(fields))
    }
}
