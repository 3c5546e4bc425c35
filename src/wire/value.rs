//! Plain data, which crosses the boundary in both directions.

use std::any::Any;
use std::fmt;
use std::rc::Rc;

use crate::error::shortened;

/// Plain data from JavaScript, or for it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// An array.
    List(Vec<Value>),
    /// A typed array of numbers.
    Numbers(Vec<f64>),
    /// A `Float32Array`: activations, which are large.
    Floats(Vec<f32>),
    /// A `Uint32Array`: token ids.
    Ids(Vec<u32>),
    /// Fields in their order.
    Object(Vec<(String, Value)>),
    /// A value that is not plain data, described for messages: "a function".
    Unsupported(String),
    /// A value of the host, which Rust does not inspect.
    Host(HostValue),
}

/// A value of the host language, such as a JavaScript array with its contents.
#[derive(Clone)]
pub struct HostValue(Rc<dyn Any>);

impl HostValue {
    /// Wraps a value.
    pub fn new(value: impl Any) -> HostValue {
        HostValue(Rc::new(value))
    }

    /// The value, if it is a `T`.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for HostValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of the host")
    }
}

impl PartialEq for HostValue {
    fn eq(&self, other: &HostValue) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Value {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(flag) => Value::Bool(flag),
            serde_json::Value::Number(number) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(text) => Value::Text(text),
            serde_json::Value::Array(items) => {
                Value::List(items.into_iter().map(Value::from).collect())
            }
            serde_json::Value::Object(fields) => Value::Object(
                fields.into_iter().map(|(name, value)| (name, value.into())).collect(),
            ),
        }
    }
}

impl Value {
    /// The field called `name`, if this is an object that has it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let Value::Object(fields) = self else { return None };
        fields.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The number of texts, if this is an array of texts or of arrays of token ids.
    pub fn batch_size(&self) -> Option<usize> {
        let Value::List(items) = self else { return None };
        match items.first()? {
            Value::Text(_) | Value::Object(_) => Some(items.len()), // an object is a tensor
            first => first.length().map(|_| items.len()),
        }
    }

    /// An item of an array; `None` if this is not an array that has it.
    pub(super) fn item(&self, index: usize) -> Option<Value> {
        match self {
            Value::List(items) => items.get(index).cloned(),
            Value::Numbers(numbers) => numbers.get(index).map(|number| Value::Number(*number)),
            Value::Floats(floats) => {
                floats.get(index).map(|float| Value::Number(f64::from(*float)))
            }
            Value::Ids(ids) => ids.get(index).map(|id| Value::Number(f64::from(*id))),
            _ => None,
        }
    }

    /// The value in a few words, for the end of a message.
    pub(super) fn describe(&self) -> String {
        match self {
            Value::Null => "null".into(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number_in_words(*number),
            Value::Text(text) => format!("\"{}\"", shortened(text)),
            Value::List(_) | Value::Numbers(_) | Value::Floats(_) | Value::Ids(_) => {
                format!("an array of length {}", self.length().unwrap_or_default())
            }
            Value::Object(fields) => {
                let names: Vec<_> =
                    fields.iter().take(8).map(|(name, _)| shortened(name)).collect();
                let more = if fields.len() > 8 { ", …" } else { "" };
                format!("an object {{ {}{more} }}", names.join(", "))
            }
            Value::Unsupported(what) => what.clone(),
            Value::Host(_) => "a value of the host".into(),
        }
    }

    pub(super) fn length(&self) -> Option<usize> {
        match self {
            Value::List(items) => Some(items.len()),
            Value::Numbers(numbers) => Some(numbers.len()),
            Value::Floats(floats) => Some(floats.len()),
            Value::Ids(ids) => Some(ids.len()),
            _ => None,
        }
    }
}

/// The number as JavaScript writes it.
fn number_in_words(number: f64) -> String {
    match number {
        number if number == f64::INFINITY => "Infinity".into(),
        number if number == f64::NEG_INFINITY => "-Infinity".into(),
        number if number.abs() >= 1e21 => format!("{number:e}"),
        number => number.to_string(),
    }
}
