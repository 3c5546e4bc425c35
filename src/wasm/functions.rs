//! JavaScript functions in interventions: compiling, calling, and checking what they return.

use js_sys::{Array as JsArray, ArrayBuffer, Float32Array, Function, Reflect};
use wasm_bindgen::prelude::*;

use super::convert::{describe, holds_numbers, kind_of, to_js};
use crate::error::{Error, Result, shortened};
use crate::intervene;
use crate::wire::IntoValue;

/// Makes the function of a JavaScript intervention from its text. It gets the selected values as a `Float32Array` and
/// returns as many numbers, or changes those it got and returns nothing.
///
/// The text is code and runs with the rights of the page's worker: it can reach the network and everything else that
/// the page's origin can. It is compiled with `Function`, so it sees the worker's globals only, and none of
/// the variables of the module that calls it.
///
/// `show_of` makes the function `show` of a call from its values and their description.
pub(super) fn compile(source: &str, show_of: Option<&Function>) -> Result<intervene::Function> {
    let constructor: Function = Reflect::get(&js_sys::global(), &"Function".into())
        .and_then(JsCast::dyn_into)
        .map_err(|_| {
            Error::Hook("this worker has no `Function`, so a `js` intervention cannot run".into())
        })?;
    let thrown = |thrown: JsValue| uncompiled(&thrown);
    let construct = |body: String| {
        Reflect::construct(&constructor, &JsArray::of1(&body.into()))
            .map_err(|error| uncompiled(&error))
    };
    // A text that closes one kind of bracket and continues after it does not parse in the other kind.
    construct(format!("return (\n{source}\n);"))?;
    let maker: Function = construct(format!("return [\n{source}\n];"))?.unchecked_into();
    let list: JsArray = maker.call0(&JsValue::UNDEFINED).map_err(thrown)?.unchecked_into();
    let found = if list.length() == 1 { list.get(0) } else { list.into() };
    let function: Function = found.dyn_into().map_err(|found: JsValue| {
        Error::Input(format!("`js` is {}, expected one function (x, info) => …", describe(&found)))
    })?;
    let show_of = show_of.cloned();
    Ok(Box::new(move |values, selected| {
        let given = Float32Array::from(values.as_slice());
        let info = to_js(selected.clone().into_value());
        let called = show_of.iter().try_for_each(|show_of| {
            let show = show_of.call2(&JsValue::UNDEFINED, &given, &info)?;
            Reflect::set(&info, &"show".into(), &show).map(|_| ())
        });
        let called = called.and_then(|()| function.call2(&JsValue::UNDEFINED, &given, &info));
        let returned = called.map_err(|thrown| {
            Error::Hook(format!(
                "the function at `{}` threw {}",
                selected.name,
                describe_thrown(&thrown)
            ))
        })?;
        let returned = if returned.is_undefined() { given.into() } else { returned };
        returned_values(&returned, values.len(), selected)
    }))
}

/// The error for a text that is not a function. Under a policy without `unsafe-eval`, the browser throws an `EvalError`.
fn uncompiled(thrown: &JsValue) -> Error {
    match thrown.dyn_ref::<js_sys::EvalError>() {
        Some(_) => Error::Hook(
            "the page's Content-Security-Policy forbids `js` interventions: expected 'unsafe-eval' in its script-src, or \
             an action that is data"
                .into(),
        ),
        None => Error::Input(format!("`js` is not a function: {}", describe_thrown(thrown))),
    }
}

/// Checks that a function returned `expected` numbers, and copies them. Texts, holes and BigInts are not converted.
fn returned_values(
    returned: &JsValue,
    expected: usize,
    selected: &intervene::Selected,
) -> Result<Vec<f32>> {
    let name = &selected.name;
    let wrong = |found: String| {
        Error::Hook(format!(
            "the function at `{name}` returned {found}, expected an array of numbers"
        ))
    };
    let is_view = ArrayBuffer::is_view(returned.unchecked_ref());
    if !JsArray::is_array(returned) && !is_view {
        return Err(wrong(describe(returned)));
    }
    if is_view && !holds_numbers(returned) {
        return Err(wrong(kind_of(returned)));
    }
    let length = Reflect::get(returned, &"length".into()).ok().and_then(|length| length.as_f64());
    if length != Some(expected as f64) {
        return Err(Error::returned_count(name, length.unwrap_or(f64::NAN), &selected.shape));
    }
    if is_view {
        return Ok(Float32Array::new(returned).to_vec());
    }
    let mut values = Vec::with_capacity(expected);
    for index in 0..expected as u32 {
        let item = Reflect::get_u32(returned, index)
            .map_err(|thrown| wrong(format!("an array that threw {}", describe_thrown(&thrown))))?;
        let number = item.as_f64();
        let number = number
            .ok_or_else(|| wrong(format!("an array with {} at index {index}", describe(&item))))?;
        values.push(number as f32);
    }
    Ok(values)
}

/// A thrown value for a message. No method of the value is called.
fn describe_thrown(thrown: &JsValue) -> String {
    let property =
        |name: &str| Reflect::get(thrown, &name.into()).ok().and_then(|value| value.as_string());
    match (property("name"), property("message")) {
        (Some(name), Some(message)) => format!("{}: {}", shortened(&name), shortened(&message)),
        (None, Some(message)) => shortened(&message).into_owned(),
        _ => describe(thrown),
    }
}
