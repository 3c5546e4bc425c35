//! Results to plain data, and their TypeScript types.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::{TypeScript, Value};

/// A type that can be sent to JavaScript as a [`Value`].
pub trait IntoValue: Sized {
    /// The value.
    fn into_value(self) -> Value;

    /// The value as a field of an object; `None` leaves the field out.
    fn into_field(self) -> Option<Value> {
        Some(self.into_value())
    }

    /// Whether a field can be left out.
    const OPTIONAL: bool = false;

    /// The TypeScript type. Declares the types that it refers to.
    fn typescript(types: &mut TypeScript) -> String;
}

macro_rules! into_value {
    ($($type:ty: $typescript:literal, |$value:ident| $convert:expr;)*) => {
        $(impl IntoValue for $type {
            fn into_value(self) -> Value {
                let $value = self;
                $convert
            }

            fn typescript(_: &mut TypeScript) -> String {
                $typescript.into()
            }
        })*
    };
}
into_value! {
    bool: "boolean", |flag| Value::Bool(flag);
    f32: "number", |number| Value::Number(f64::from(number));
    f64: "number", |number| Value::Number(number);
    u8: "number", |number| Value::Number(f64::from(number));
    u32: "number", |number| Value::Number(f64::from(number));
    u64: "number", |number| Value::Number(number as f64);
    usize: "number", |number| Value::Number(number as f64);
    String: "string", |text| Value::Text(text);
    &'static str: "string", |text| Value::Text(text.into());
    Cow<'static, str>: "string", |text| Value::Text(text.into_owned());
}

impl<T: IntoValue> IntoValue for Vec<T> {
    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(T::into_value).collect())
    }

    fn typescript(types: &mut TypeScript) -> String {
        let one = T::typescript(types);
        if one.contains(" | ") { format!("({one})[]") } else { format!("{one}[]") }
    }
}

impl<K: Into<String>, T: IntoValue> IntoValue for BTreeMap<K, T> {
    fn into_value(self) -> Value {
        let field = |(name, value): (K, T)| Some((name.into(), value.into_field()?));
        Value::Object(self.into_iter().filter_map(field).collect())
    }

    fn typescript(types: &mut TypeScript) -> String {
        format!("Record<string, {}>", T::typescript(types))
    }
}

/// A field that is left out if there is no value.
impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }

    fn into_field(self) -> Option<Value> {
        self.map(T::into_value)
    }

    const OPTIONAL: bool = true;

    fn typescript(types: &mut TypeScript) -> String {
        T::typescript(types)
    }
}

/// A value that is `null` if there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nullable<T>(pub Option<T>);

impl<T: IntoValue> IntoValue for Nullable<T> {
    fn into_value(self) -> Value {
        self.0.into_value()
    }

    fn typescript(types: &mut TypeScript) -> String {
        format!("{} | null", T::typescript(types))
    }
}

/// A `Uint32Array`: token ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Ids(pub Vec<u32>);

into_value! {
    Ids: "Uint32Array", |ids| Value::Ids(ids.0);
    &'static [&'static str]: "string[]", |texts| texts.to_vec().into_value();
}

/// A value of the type `T` that the host holds already, such as an array that was copied to JavaScript.
pub struct Host<T>(Value, PhantomData<T>);

impl<T> Host<T> {
    /// The value as it is.
    pub fn new(value: Value) -> Host<T> {
        Host(value, PhantomData)
    }
}

impl<T: IntoValue> IntoValue for Host<T> {
    fn into_value(self) -> Value {
        self.0
    }

    fn typescript(types: &mut TypeScript) -> String {
        T::typescript(types)
    }
}
