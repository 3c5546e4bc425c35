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
            Json::Number(number) if number.is_infinite() => {
                if *number > 0.0 { "Infinity" } else { "-Infinity" }.into()
            }
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

/// The numbers that Python writes and JSON does not have.
const NOT_FINITE: [(&str, f64); 3] =
    [("NaN", f64::NAN), ("Infinity", f64::INFINITY), ("-Infinity", f64::NEG_INFINITY)];
/// The character before the name of such a number in a text that stands for it.
pub(crate) const MARK: char = '\u{0}';

/// The JSON with texts in place of numbers that are not finite; None if there are none.
pub(crate) fn with_marks(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut marked = Vec::new();
    let (mut place, mut in_text) = (0, false);
    while let Some(byte) = bytes.get(place) {
        let rest = &bytes[place..];
        let found =
            NOT_FINITE.iter().find(|(name, _)| !in_text && rest.starts_with(name.as_bytes()));
        let length = match (byte, found) {
            (_, Some((name, _))) => {
                marked.extend_from_slice(format!("\"\\u0000{name}\"").as_bytes());
                place += name.len();
                continue;
            }
            (b'\\', None) if in_text => 2.min(rest.len()),
            (b'"', None) => {
                in_text = !in_text;
                1
            }
            _ => 1,
        };
        marked.extend_from_slice(&rest[..length]);
        place += length;
    }
    (marked.len() > bytes.len()).then_some(marked)
}

/// The fields of a JSON object of at most `max_bytes` bytes. A byte-order mark is skipped; `NaN`, `Infinity` and
/// `-Infinity` are numbers, as Python's `json` writes them.
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
    let read = serde_json::from_slice(bytes).or_else(|error| match with_marks(bytes) {
        Some(marked) => serde_json::from_slice(&marked),
        None => Err(error),
    });
    match read {
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
        let not_finite = text.strip_prefix(MARK);
        let number = NOT_FINITE.iter().find(|(name, _)| Some(*name) == not_finite);
        Ok(number.map_or_else(|| Json::Text(text.into()), |(_, number)| Json::Number(*number)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_python_writes_are_read_and_texts_are_kept() {
        let json = br#"{"a": NaN, "b": [-Infinity, Infinity], "c": "NaN \" Infinity", "d": {"Infinity": 1}}"#;
        let fields = object(json, 1000).unwrap();
        assert!(matches!(fields["a"], Json::Number(number) if number.is_nan()));
        let infinities = [f64::NEG_INFINITY, f64::INFINITY].map(Json::Number);
        assert_eq!(fields["b"], Json::List(infinities.to_vec()));
        assert_eq!(fields["c"], Json::Text("NaN \" Infinity".into()));
        assert_eq!(fields["b"].describe(), "a list of length 2");
        assert_eq!(Json::Number(f64::NEG_INFINITY).describe(), "-Infinity");
        for wrong in ["{\"a\": nan}", "{\"a\": NaN", "{\"a\": NaNN}", "{NaN: 1}{"] {
            assert!(object(wrong.as_bytes(), 1000).is_err(), "{wrong}");
        }
    }
}
