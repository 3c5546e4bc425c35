//! The types that can be read from plain data, what each accepts, and their TypeScript types.

use std::collections::BTreeMap;

use super::{Node, TypeScript, Value};
use crate::error::Result;

/// A type that can be read from a [`Value`].
pub trait FromValue: Sized {
    /// Reads a value.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) with the path to what does not fit.
    fn from_value(node: Node) -> Result<Self>;

    /// What is expected, for messages: "a whole number".
    fn singular() -> String;

    /// The plural of [`singular`](FromValue::singular): "whole numbers".
    fn plural() -> String {
        format!("values, each {}", Self::singular())
    }

    /// The value of a field that is absent; `None` if the field is required.
    fn absent() -> Option<Self> {
        None
    }

    /// The TypeScript type. Declares the types that it refers to.
    fn typescript(types: &mut TypeScript) -> String;

    /// The TypeScript type of a list.
    fn typescript_list(types: &mut TypeScript) -> String {
        let one = Self::typescript(types);
        let is_union = one.contains(" | ");
        if is_union { format!("readonly ({one})[]") } else { format!("readonly {one}[]") }
    }

    /// The value as JavaScript writes it, for the documentation of a default.
    fn literal(&self) -> Option<String> {
        None
    }
}

/// How a field of type `T` is read, if not as `T` itself: `pub names: Vec<String> as List<HookName>`.
pub trait ReadAs<T> {
    /// As [`FromValue::from_value`].
    ///
    /// # Errors
    /// As [`FromValue::from_value`].
    fn read_as(node: Node) -> Result<T>;

    /// As [`FromValue::singular`].
    fn singular_as() -> String;

    /// As [`FromValue::plural`].
    fn plural_as() -> String {
        format!("values, each {}", Self::singular_as())
    }

    /// As [`FromValue::absent`].
    fn when_absent() -> Option<T> {
        None
    }

    /// As [`FromValue::typescript`].
    fn typescript_as(types: &mut TypeScript) -> String;

    /// As [`FromValue::literal`].
    fn literal_of(_: &T) -> Option<String> {
        None
    }
}

impl<T: FromValue> ReadAs<T> for T {
    fn read_as(node: Node) -> Result<T> {
        T::from_value(node)
    }

    fn singular_as() -> String {
        T::singular()
    }

    fn plural_as() -> String {
        T::plural()
    }

    fn when_absent() -> Option<T> {
        T::absent()
    }

    fn typescript_as(types: &mut TypeScript) -> String {
        T::typescript(types)
    }

    fn literal_of(value: &T) -> Option<String> {
        value.literal()
    }
}

/// An array whose items are read as `W`.
pub struct List<W>(std::marker::PhantomData<W>);

impl<T, W: ReadAs<T>> ReadAs<Vec<T>> for List<W> {
    fn read_as(node: Node) -> Result<Vec<T>> {
        node.items(W::read_as).unwrap_or_else(|| Err(node.expected(Self::singular_as())))
    }

    fn singular_as() -> String {
        format!("an array of {}", W::plural_as())
    }

    fn typescript_as(types: &mut TypeScript) -> String {
        format!("readonly {}[]", W::typescript_as(types))
    }

    fn literal_of(value: &Vec<T>) -> Option<String> {
        value.is_empty().then(|| "[]".into())
    }
}

/// An array, or one item by itself.
pub struct OneOrMany<W>(std::marker::PhantomData<W>);

impl<T, W: ReadAs<T>> ReadAs<Vec<T>> for OneOrMany<W> {
    fn read_as(node: Node) -> Result<Vec<T>> {
        let one = || match W::read_as(node) {
            Ok(item) => Ok(vec![item]),
            Err(_) => Err(node.expected(Self::singular_as())),
        };
        node.items(W::read_as).unwrap_or_else(one)
    }

    fn singular_as() -> String {
        format!("{} or an array of {}", W::singular_as(), W::plural_as())
    }

    fn typescript_as(types: &mut TypeScript) -> String {
        let one = W::typescript_as(types);
        format!("{one} | readonly {one}[]")
    }

    fn literal_of(value: &Vec<T>) -> Option<String> {
        value.is_empty().then(|| "[]".into())
    }
}

/// A field that is read as `W`, or absent.
pub struct Optional<W>(std::marker::PhantomData<W>);

impl<T, W: ReadAs<T>> ReadAs<Option<T>> for Optional<W> {
    fn read_as(node: Node) -> Result<Option<T>> {
        W::read_as(node).map(Some)
    }

    fn singular_as() -> String {
        W::singular_as()
    }

    fn when_absent() -> Option<Option<T>> {
        Some(None)
    }

    fn typescript_as(types: &mut TypeScript) -> String {
        W::typescript_as(types)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(node: Node) -> Result<Option<T>> {
        T::from_value(node).map(Some)
    }

    fn singular() -> String {
        T::singular()
    }

    fn absent() -> Option<Option<T>> {
        Some(None)
    }

    fn typescript(types: &mut TypeScript) -> String {
        T::typescript(types)
    }

    fn literal(&self) -> Option<String> {
        self.as_ref().and_then(T::literal)
    }
}

impl FromValue for bool {
    fn from_value(node: Node) -> Result<bool> {
        match node.value() {
            Value::Bool(flag) => Ok(*flag),
            _ => Err(node.expected(Self::singular())),
        }
    }

    fn singular() -> String {
        "true or false".into()
    }

    fn typescript(_: &mut TypeScript) -> String {
        "boolean".into()
    }

    fn literal(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl FromValue for String {
    fn from_value(node: Node) -> Result<String> {
        node.text().map(str::to_string).ok_or_else(|| node.expected(Self::singular()))
    }

    fn singular() -> String {
        "a text".into()
    }

    fn plural() -> String {
        "texts".into()
    }

    fn typescript(_: &mut TypeScript) -> String {
        "string".into()
    }

    fn literal(&self) -> Option<String> {
        Some(format!("{self:?}"))
    }
}

/// A whole number from `min` to `max`.
fn whole(node: Node, min: f64, max: f64, expected: String) -> Result<f64> {
    let Value::Number(number) = node.value() else { return Err(node.expected(expected)) };
    match number.fract() == 0.0 && (min..=max).contains(number) {
        true => Ok(*number),
        false if number.fract() == 0.0 && *number > max => {
            Err(node.expected(format!("{expected}, at most {max}")))
        }
        false => Err(node.expected(expected)),
    }
}

/// JavaScript's `Number.MAX_SAFE_INTEGER`.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

macro_rules! whole_numbers {
    ($($type:ty: $min:expr, $max:expr, $singular:literal, $plural:literal;)*) => {
        $(impl FromValue for $type {
            fn from_value(node: Node) -> Result<$type> {
                Ok(whole(node, $min, $max, Self::singular())? as $type)
            }

            fn singular() -> String {
                $singular.into()
            }

            fn plural() -> String {
                $plural.into()
            }

            fn typescript(_: &mut TypeScript) -> String {
                "number".into()
            }

            fn literal(&self) -> Option<String> {
                Some(self.to_string())
            }
        })*
    };
}
// Sizes and positions have 32 bits on every target, because they have 32 bits in wasm.
whole_numbers! {
    u32: 0.0, f64::from(u32::MAX), "a whole number from 0", "whole numbers from 0";
    usize: 0.0, f64::from(u32::MAX), "a whole number from 0", "whole numbers from 0";
    u64: 0.0, MAX_SAFE_INTEGER, "a whole number from 0", "whole numbers from 0";
    i64: f64::from(i32::MIN), f64::from(i32::MAX), "a whole number", "whole numbers";
}

impl FromValue for f64 {
    fn from_value(node: Node) -> Result<f64> {
        match node.value() {
            Value::Number(number) => Ok(*number),
            _ => Err(node.expected(Self::singular())),
        }
    }

    fn singular() -> String {
        "a number".into()
    }

    fn plural() -> String {
        "numbers".into()
    }

    fn typescript(_: &mut TypeScript) -> String {
        "number".into()
    }

    fn literal(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// JSON has no infinities and no NaN, so they may be the texts "inf", "-inf" and "NaN".
impl FromValue for f32 {
    fn from_value(node: Node) -> Result<f32> {
        match node.value() {
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
                _ => Err(node.expected(Self::singular())),
            },
            _ => Err(node.expected(Self::singular())),
        }
    }

    fn singular() -> String {
        "a number".into()
    }

    fn plural() -> String {
        "numbers".into()
    }

    fn typescript(_: &mut TypeScript) -> String {
        "number".into()
    }

    fn typescript_list(_: &mut TypeScript) -> String {
        "ArrayLike<number>".into()
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(node: Node) -> Result<Vec<T>> {
        node.items(T::from_value).unwrap_or_else(|| Err(node.expected(Self::singular())))
    }

    fn singular() -> String {
        format!("an array of {}", T::plural())
    }

    fn plural() -> String {
        format!("arrays of {}", T::plural())
    }

    fn typescript(types: &mut TypeScript) -> String {
        T::typescript_list(types)
    }

    fn literal(&self) -> Option<String> {
        self.is_empty().then(|| "[]".into())
    }
}

/// Activations by hook name, as a cache holds them.
impl<T: FromValue> FromValue for BTreeMap<String, T> {
    fn from_value(node: Node) -> Result<BTreeMap<String, T>> {
        let entries = node.entries(T::from_value);
        entries.unwrap_or_else(|| Err(node.expected(Self::singular()))).map(BTreeMap::from_iter)
    }

    fn singular() -> String {
        "a cache, or an object of { shape, data } by hook point name".into()
    }

    fn typescript(types: &mut TypeScript) -> String {
        let docs = ["Activations by hook name: a `Cache`, or a stored copy of one."];
        types.alias("Activations", &docs, |types| {
            let one = T::typescript(types);
            format!(
                "\n  | {{ names(): string[]; get(name: string): {one} }}\n  | Readonly<Record<string, {one}>>"
            )
        })
    }
}
