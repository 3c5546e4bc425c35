//! Plain data from JavaScript values, and back.
//!
//! A typed array is copied as a whole, into wasm memory or out of it. JavaScript owns the copy.

use js_sys::{
    Array as JsArray, ArrayBuffer, Float32Array, Float64Array, Object, Reflect, Uint32Array,
};
use wasm_bindgen::prelude::*;

use crate::error::{Error, Result, shortened};
use crate::wire::Value;

/// Plain data as a JavaScript value.
pub(super) fn to_js(value: Value) -> JsValue {
    match value {
        Value::Null => JsValue::NULL,
        Value::Bool(flag) => flag.into(),
        Value::Number(number) => number.into(),
        Value::Text(text) => text.into(),
        Value::List(items) => items.into_iter().map(to_js).collect::<JsArray>().into(),
        Value::Numbers(numbers) => Float64Array::from(numbers.as_slice()).into(),
        Value::Floats(floats) => Float32Array::from(floats.as_slice()).into(),
        Value::Ids(ids) => Uint32Array::from(ids.as_slice()).into(),
        Value::Object(fields) => {
            let object = Object::new();
            for (name, value) in fields {
                set(&object, &name, &to_js(value));
            }
            object.into()
        }
        Value::Host(value) => value.get::<JsValue>().cloned().unwrap_or_default(),
        Value::Unsupported(_) => JsValue::UNDEFINED,
    }
}

/// Sets a field of an object that was made here, which cannot fail.
pub(super) fn set(object: &Object, name: &str, value: &JsValue) {
    let _ = Reflect::set(object, &name.into(), value);
}

/// The limit for nested objects and arrays. It also stops at a value that contains itself.
const MAX_DEPTH: usize = 32;

/// A JavaScript value as plain data.
///
/// # Errors
/// [`Error::Input`] for data that is nested too deep.
pub(super) fn from_js(value: &JsValue) -> Result<Value> {
    value_of(value, MAX_DEPTH)
}

/// The same with `depth` levels left.
fn value_of(value: &JsValue, depth: usize) -> Result<Value> {
    if depth == 0 {
        return Err(Error::Input(format!(
            "the options are nested more than {MAX_DEPTH} deep, expected plain data"
        )));
    }
    // The most frequent kinds first, because each check is a call from wasm to JavaScript.
    if let Some(number) = value.as_f64() {
        return Ok(Value::Number(number));
    }
    if let Some(text) = value.as_string() {
        return Ok(Value::Text(text));
    }
    if value.is_object() {
        return objects(value, depth);
    }
    match value.as_bool() {
        Some(flag) => Ok(Value::Bool(flag)),
        None if value.is_null() => Ok(Value::Null),
        None => Ok(Value::Unsupported(kind_of(value))),
    }
}

fn objects(value: &JsValue, depth: usize) -> Result<Value> {
    if JsArray::is_array(value) {
        let items = value.unchecked_ref::<JsArray>().iter().map(|item| value_of(&item, depth - 1));
        return items.collect::<Result<_>>().map(Value::List);
    }
    if !ArrayBuffer::is_view(value.unchecked_ref()) {
        return fields_of(value.unchecked_ref(), depth);
    }
    Ok(match value.dyn_ref::<Float32Array>() {
        Some(floats) => Value::Floats(floats.to_vec()),
        None if holds_numbers(value) => Value::Numbers(Float64Array::new(value).to_vec()),
        None => Value::Unsupported(kind_of(value)),
    })
}

fn fields_of(object: &js_sys::Object, depth: usize) -> Result<Value> {
    let mut fields = Vec::new();
    for name in js_sys::Object::keys(object).iter() {
        let value = Reflect::get(object, &name).unwrap_or_default();
        if !value.is_undefined() {
            fields.push((name.as_string().unwrap_or_default(), value_of(&value, depth - 1)?));
        }
    }
    Ok(Value::Object(fields))
}

/// The kind of a value that is not plain data, for messages.
pub(super) fn kind_of(value: &JsValue) -> String {
    let kind = value.js_typeof().as_string().unwrap_or_default();
    match kind.as_str() {
        "undefined" => kind,
        "bigint" => "a BigInt".into(),
        "object" => constructor_of(value)
            .map_or("an object".into(), |name| format!("a value of type {name}")),
        _ => format!("a {kind}"),
    }
}

fn constructor_of(value: &JsValue) -> Option<String> {
    let constructor = Reflect::get(value, &"constructor".into()).ok()?;
    Reflect::get(&constructor, &"name".into()).ok()?.as_string().filter(|name| !name.is_empty())
}

/// Whether a view is a typed array of numbers: not a `DataView`, not of BigInts.
pub(super) fn holds_numbers(view: &JsValue) -> bool {
    let of_big_integers =
        view.has_type::<js_sys::BigInt64Array>() || view.has_type::<js_sys::BigUint64Array>();
    !of_big_integers && !view.has_type::<js_sys::DataView>()
}

/// A value in a few words.
pub(super) fn describe(value: &JsValue) -> String {
    if let Some(text) = value.as_string() {
        return format!("the text \"{}\"", shortened(&text));
    }
    if let Some(number) = value.as_f64() {
        return format!("the number {number}");
    }
    match value.as_bool() {
        Some(flag) => flag.to_string(),
        None if value.is_null() => "null".into(),
        None => kind_of(value),
    }
}
