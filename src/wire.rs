//! Requests as plain data, read strictly: one schema for every option, the same natively and in a browser.
//!
//! In: a [`Value`], which JavaScript values (`wasm.rs`) and JSON are both converted to. Out: typed requests, through
//! [`FromValue`]. An unknown field, a missing one and a value of another type are each an [`Error::Input`] with the path
//! to it (`interventions[0].position`), what was expected there, and the nearest known name.
//!
//! serde is not used here: `serde-wasm-bindgen` ignores unknown fields, and serde's `flatten` and `untagged` lose both
//! the field names and the path of an error.

use std::collections::BTreeMap;

use crate::error::{Error, Result, shortened};
use crate::nearest::likely_meant;

/// Plain data from outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Value>),
    /// A list of numbers, such as a typed array.
    Numbers(Vec<f64>),
    /// A list of 32-bit floats: activations, which are large.
    Floats(Vec<f32>),
    /// Fields in their order.
    Object(Vec<(String, Value)>),
    /// A value that is no data, in words: "a function".
    Unsupported(String),
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
    /// The value in a few words, for the end of a message.
    fn describe(&self) -> String {
        match self {
            Value::Null => "null".into(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number_in_words(*number),
            Value::Text(text) => format!("\"{}\"", shortened(text)),
            Value::List(_) | Value::Numbers(_) | Value::Floats(_) => {
                format!("an array of length {}", self.length().unwrap_or_default())
            }
            Value::Object(fields) => {
                let names: Vec<_> =
                    fields.iter().take(8).map(|(name, _)| shortened(name)).collect();
                let more = if fields.len() > 8 { ", …" } else { "" };
                format!("an object {{ {}{more} }}", names.join(", "))
            }
            Value::Unsupported(what) => what.clone(),
        }
    }

    fn length(&self) -> Option<usize> {
        match self {
            Value::List(items) => Some(items.len()),
            Value::Numbers(numbers) => Some(numbers.len()),
            Value::Floats(floats) => Some(floats.len()),
            _ => None,
        }
    }
}

/// As JavaScript writes it.
fn number_in_words(number: f64) -> String {
    match number {
        number if number == f64::INFINITY => "Infinity".into(),
        number if number == f64::NEG_INFINITY => "-Infinity".into(),
        number if number.abs() >= 1e21 => format!("{number:e}"),
        number => number.to_string(),
    }
}

/// A value and the way to it.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a> {
    value: &'a Value,
    path: Path<'a>,
}

#[derive(Clone, Copy)]
enum Path<'a> {
    /// The options of a call. `also` are options that the caller handles itself.
    Root {
        call: &'a str,
        also: &'a [&'static str],
    },
    Field(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl Path<'_> {
    fn call(&self) -> &str {
        match self {
            Path::Root { call, .. } => call,
            Path::Field(outer, _) | Path::Item(outer, _) => outer.call(),
        }
    }

    fn write(&self, path: &mut String) {
        match self {
            Path::Root { .. } => {}
            Path::Field(outer, name) => {
                outer.write(path);
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&shortened(name));
            }
            Path::Item(outer, index) => {
                outer.write(path);
                path.push_str(&format!("[{index}]"));
            }
        }
    }

    /// "`interventions[0].at` of runWithCache", or "the options of runWithCache".
    fn in_words(&self) -> String {
        let mut path = String::new();
        self.write(&mut path);
        match path.is_empty() {
            true if self.call().starts_with("the ") => self.call().into(),
            true => format!("the options of {}", self.call()),
            false => format!("`{path}` of {}", self.call()),
        }
    }
}

impl<'a> Node<'a> {
    /// An error about this value: "`top` of logitLens " and then `what`.
    pub(crate) fn error(&self, what: impl std::fmt::Display) -> Error {
        Error::Input(format!("{} {what}", self.path.in_words()))
    }

    /// "… is "x", expected …".
    pub(crate) fn expected(&self, what: impl std::fmt::Display) -> Error {
        self.error(format!("is {}, expected {what}", self.value.describe()))
    }

    pub(crate) fn value(&self) -> &'a Value {
        self.value
    }

    pub(crate) fn text(&self) -> Option<&'a str> {
        match self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Reads each item of a list; none when this is no list.
    fn items<T: FromValue>(&self) -> Option<Result<Vec<T>>> {
        let read = |(index, value): (usize, &Value)| {
            T::from_value(Node { value, path: Path::Item(&self.path, index) })
        };
        let number = |(index, number): (usize, f64)| read((index, &Value::Number(number)));
        match self.value {
            Value::List(items) => Some(items.iter().enumerate().map(read).collect()),
            Value::Numbers(numbers) => {
                Some(numbers.iter().copied().enumerate().map(number).collect())
            }
            Value::Floats(floats) => {
                Some(floats.iter().map(|float| f64::from(*float)).enumerate().map(number).collect())
            }
            _ => None,
        }
    }

    /// The fields, once each of their names is one of `known`.
    pub(crate) fn object(
        &self,
        known: &[&'static str],
        expected: fn() -> String,
    ) -> Result<Object<'a>> {
        let Value::Object(fields) = self.value else { return Err(self.expected(expected())) };
        match fields.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(self.unknown_option(name, known)),
            None => Ok(Object { fields, path: self.path }),
        }
    }

    fn unknown_option(&self, name: &str, known: &[&'static str]) -> Error {
        let mut known = known.to_vec();
        let mut what = match self.path {
            Path::Root { call, also } => {
                known.extend(also);
                format!("{call} has no option `{}`", shortened(name))
            }
            path => format!("{}: unknown option", Path::Field(&path, name).in_words()),
        };
        if let Some(near) = likely_meant(name, &known) {
            what.push_str(&format!("; did you mean `{near}`?"));
            return Error::Input(format!("{what} Expected one of {}", known.join(", ")));
        }
        Error::Input(format!("{what}; expected one of {}", known.join(", ")))
    }
}

/// An object whose field names are known.
pub(crate) struct Object<'a> {
    fields: &'a [(String, Value)],
    path: Path<'a>,
}

impl Object<'_> {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known == name)
    }

    /// The field, if it is there.
    pub(crate) fn optional<T: FromValue>(&self, name: &str) -> Result<Option<T>> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found
            .map(|(name, value)| T::from_value(Node { value, path: Path::Field(&self.path, name) }))
            .transpose()
    }

    /// The field, which must be there.
    pub(crate) fn required<T: FromValue>(&self, name: &str) -> Result<T> {
        self.optional(name)?.ok_or_else(|| {
            let place = Path::Field(&self.path, name).in_words();
            Error::Input(format!("{place} is missing, expected {}", T::one()))
        })
    }
}

/// What can be read from a [`Value`].
pub(crate) trait FromValue: Sized {
    fn from_value(node: Node) -> Result<Self>;
    /// What is expected, in words: "a whole number".
    fn one() -> String;
    /// Of several: "whole numbers".
    fn many() -> String {
        format!("values, each {}", Self::one())
    }
}

/// A part of an object: its field names, and how they are read. Several parts can make one object.
pub(crate) trait Fields: Sized {
    fn names(names: &mut Vec<&'static str>);
    fn read(object: &Object) -> Result<Self>;
}

/// Reads the options of `call`. `also` are the names of options that the caller has handled itself, for messages.
pub(crate) fn read<T: FromValue>(call: &str, also: &[&'static str], value: &Value) -> Result<T> {
    T::from_value(Node { value, path: Path::Root { call, also } })
}

/// Implements [`Fields`] and [`FromValue`] for a struct: `field: "name"` is required, `field: "name" optional` an `Option`,
/// `field: "name" or value` has a default; `..part: Type` reads another struct from the same object.
macro_rules! fields {
    ($type:ident { $($field:ident: $name:literal $($kind:ident $($default:expr)?)?),* $(, ..$part:ident: $part_type:ty)* $(,)? }) => {
        impl $crate::wire::Fields for $type {
            fn names(names: &mut Vec<&'static str>) {
                $(<$part_type as $crate::wire::Fields>::names(names);)*
                names.extend([$($name),*] as [&'static str; { [$($name),*].len() }]);
            }

            fn read(object: &$crate::wire::Object) -> $crate::error::Result<Self> {
                Ok($type {
                    $($field: $crate::wire::fields!(@ object $name $($kind $($default)?)?),)*
                    $($part: <$part_type as $crate::wire::Fields>::read(object)?,)*
                })
            }
        }

        impl $crate::wire::FromValue for $type {
            fn from_value(node: $crate::wire::Node) -> $crate::error::Result<Self> {
                let mut names = Vec::with_capacity(16);
                <$type as $crate::wire::Fields>::names(&mut names);
                let expected = <$type as $crate::wire::FromValue>::one;
                <$type as $crate::wire::Fields>::read(&node.object(&names, expected)?)
            }

            fn one() -> String {
                let mut names = Vec::new();
                <$type as $crate::wire::Fields>::names(&mut names);
                format!("an object with {}", names.join(", "))
            }

            fn many() -> String {
                let mut names = Vec::new();
                <$type as $crate::wire::Fields>::names(&mut names);
                format!("objects with {}", names.join(", "))
            }
        }
    };
    (@ $object:ident $name:literal) => { $object.required($name)? };
    (@ $object:ident $name:literal optional) => { $object.optional($name)? };
    (@ $object:ident $name:literal or $default:expr) => { $object.optional($name)?.unwrap_or_else(|| $default) };
}
pub(crate) use fields;

/// Implements [`FromValue`] for an enum whose variants are texts.
macro_rules! words {
    ($type:ident { $($word:literal => $variant:ident),* $(,)? }) => {
        impl $crate::wire::FromValue for $type {
            fn from_value(node: $crate::wire::Node) -> $crate::error::Result<Self> {
                match node.text() {
                    $(Some($word) => Ok($type::$variant),)*
                    _ => Err(node.expected(<$type as $crate::wire::FromValue>::one())),
                }
            }

            fn one() -> String {
                $crate::wire::alternatives(&[$($word),*])
            }
        }
    };
}
pub(crate) use words;

/// `"q", "k" or "v"`.
pub(crate) fn alternatives(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

impl FromValue for bool {
    fn from_value(node: Node) -> Result<bool> {
        match node.value {
            Value::Bool(flag) => Ok(*flag),
            _ => Err(node.expected(Self::one())),
        }
    }

    fn one() -> String {
        "true or false".into()
    }
}

impl FromValue for String {
    fn from_value(node: Node) -> Result<String> {
        node.text().map(str::to_string).ok_or_else(|| node.expected(Self::one()))
    }

    fn one() -> String {
        "a text".into()
    }

    fn many() -> String {
        "texts".into()
    }
}

/// A whole number from `lowest` to `highest`.
fn whole(node: Node, lowest: f64, highest: f64, expected: String) -> Result<f64> {
    let Value::Number(number) = node.value else { return Err(node.expected(expected)) };
    match number.fract() == 0.0 && (lowest..=highest).contains(number) {
        true => Ok(*number),
        false if number.fract() == 0.0 && *number > highest => {
            Err(node.expected(format!("{expected}, at most {highest}")))
        }
        false => Err(node.expected(expected)),
    }
}

/// Numbers that are exact in a JavaScript number.
const LARGEST_INTEGER: f64 = 9_007_199_254_740_991.0;

macro_rules! whole_numbers {
    ($($type:ty: $lowest:expr, $highest:expr, $one:literal, $many:literal;)*) => {
        $(impl FromValue for $type {
            fn from_value(node: Node) -> Result<$type> {
                Ok(whole(node, $lowest, $highest, Self::one())? as $type)
            }

            fn one() -> String {
                $one.into()
            }

            fn many() -> String {
                $many.into()
            }
        })*
    };
}
// Sizes and positions have 32 bits in wasm, so they have everywhere.
whole_numbers! {
    u32: 0.0, f64::from(u32::MAX), "a whole number from 0", "whole numbers from 0";
    usize: 0.0, f64::from(u32::MAX), "a whole number from 0", "whole numbers from 0";
    u64: 0.0, LARGEST_INTEGER, "a whole number from 0", "whole numbers from 0";
    i64: f64::from(i32::MIN), f64::from(i32::MAX), "a whole number", "whole numbers";
}

impl FromValue for f64 {
    fn from_value(node: Node) -> Result<f64> {
        match node.value {
            Value::Number(number) => Ok(*number),
            _ => Err(node.expected(Self::one())),
        }
    }

    fn one() -> String {
        "a number".into()
    }

    fn many() -> String {
        "numbers".into()
    }
}

/// JSON has no infinities and no NaN: there they are the texts "inf", "-inf" and "NaN".
impl FromValue for f32 {
    fn from_value(node: Node) -> Result<f32> {
        match node.value {
            Value::Number(number) => match *number as f32 {
                float if float.is_infinite() && number.is_finite() => {
                    Err(node.expected("a number that a 32-bit float can hold, at most 3.4e38"))
                }
                float => Ok(float),
            },
            Value::Text(text) => match text.as_str() {
                "inf" => Ok(f32::INFINITY),
                "-inf" => Ok(f32::NEG_INFINITY),
                "NaN" => Ok(f32::NAN),
                _ => Err(node.expected(Self::one())),
            },
            _ => Err(node.expected(Self::one())),
        }
    }

    fn one() -> String {
        "a number".into()
    }

    fn many() -> String {
        "numbers".into()
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(node: Node) -> Result<Vec<T>> {
        node.items().unwrap_or_else(|| Err(node.expected(Self::one())))
    }

    fn one() -> String {
        format!("an array of {}", T::many())
    }

    fn many() -> String {
        format!("arrays of {}", T::many())
    }
}

impl<T: FromValue> FromValue for BTreeMap<String, T> {
    fn from_value(node: Node) -> Result<BTreeMap<String, T>> {
        let Value::Object(fields) = node.value else { return Err(node.expected(Self::one())) };
        let read = |(name, value): &(String, Value)| {
            Ok((name.clone(), T::from_value(Node { value, path: Path::Field(&node.path, name) })?))
        };
        fields.iter().map(read).collect()
    }

    fn one() -> String {
        "a cache, or an object of { shape, data } by hook point name".into()
    }
}
