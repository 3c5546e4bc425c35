//! The boundary to JavaScript: exports, conversions and calls, no arithmetic.
//!
//! `www/worker/worker.ts` is the only caller. The calls:
//!
//! - `chooseBuild(name)` is the first call, followed by `askHelpers(count)` if there are threads.
//! - `WasmModel.load(…)` gives a model. `describe`, `tokenize`, `tokenNames`, `detokenize`, `runWithCache` and `toPython`
//!   return when they are done. `fingerprintStep` is called until it gives the fingerprint.
//! - `model.generate(…)` gives a [`WasmGeneration`](generation::WasmGeneration): `next()` until it gives undefined.
//! - `model.measure(…)` gives a [`WasmMeasurement`](measurement::WasmMeasurement): `step()` until it gives false, then
//!   `finish()`.
//! - `model.takePendingSave()` gives a [`WasmPendingSave`](checkpoint::WasmPendingSave): `step(file)` until it gives false.
//!
//! **Data.** Options arrive as plain data (`www/api/serialize.ts`), which [`crate::wire`] reads strictly: it checks names
//! and types. Results leave as plain data of the types in `www/api/generated.ts`; an
//! array is `{ data, shape, axes, labels }`, whose typed array is a copy that JavaScript owns (`convert.rs`, `sink.rs`).
//!
//! **Memory.** JavaScript frees the objects that it gets: `free()` of a model, a generation, a measurement or a pending
//! save. They share the model's weights, which are freed with the last of them.
//!
//! **Errors** leave as an `Error` whose `name` is [`Error::name`]. The model is unchanged by any call, so it can be used
//! after an error; a generation tries the same step again.
//!
//! **Panics** are bugs. The message goes to the console, and the call ends with a `RuntimeError`. A trap runs no
//! destructors: locks stay taken, borrows stay counted and memory stays allocated, so the instance must not be used any
//! more. The worker reports the trap, and the page replaces the worker.

mod checkpoint;
mod convert;
mod functions;
mod generation;
mod measurement;
mod model;
mod sink;

pub use checkpoint::WasmPendingSave;
pub use generation::WasmGeneration;
pub use measurement::WasmMeasurement;
pub use model::WasmModel;

use js_sys::Object;
use wasm_bindgen::prelude::*;

use crate::error::{Error, FieldChoice, MissingField};
use crate::kernel;

#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
}

impl From<Error> for JsValue {
    fn from(error: Error) -> JsValue {
        let js = js_sys::Error::new(&error.to_string());
        js.set_name(error.name());
        let missing = error.missing_fields();
        if !missing.is_empty() {
            let fields = missing.iter().map(missing_field).collect::<js_sys::Array>();
            convert::set(&js, "missing", &fields);
        }
        js.into()
    }
}

/// `{ field, choices }`.
fn missing_field(missing: &MissingField) -> JsValue {
    let choice = |choice: &FieldChoice| match choice {
        FieldChoice::Number(number) => JsValue::from(*number as f64),
        FieldChoice::Word(word) => JsValue::from(*word),
    };
    let choices = missing.choices.iter().map(choice).collect::<js_sys::Array>();
    let field = Object::new();
    convert::set(&field, "field", &missing.field.into());
    convert::set(&field, "choices", &choices);
    field.into()
}

/// Selects the kernels `"simd"`, `"relaxed"` or `"relaxed-dot"` for all later calls; false if the browser does not support
/// them. Before `askHelpers`: helpers keep the module that they were started with, whose tiles have other sizes.
#[wasm_bindgen(js_name = chooseBuild)]
pub fn choose_build(build: &str) -> bool {
    match build {
        "simd" => kernel::select_backend(kernel::Backend::Simd),
        "relaxed" => kernel::select_backend(kernel::Backend::Relaxed),
        "relaxed-dot" => kernel::select_backend(kernel::Backend::RelaxedDot),
        _ => false,
    }
}

/// Requests `count` helper threads and returns what they need: `{ module, memory, pool }`, where `pool` is an address.
/// Each helper calls `enter(pool)` of the module once, then `help(pool, n)` with its own number `n` from 1 to `count`. A
/// helper may start at any time, or never.
///
/// # Errors
/// If the browser cannot compile the module.
#[wasm_bindgen(js_name = askHelpers)]
pub fn ask_helpers(count: u32) -> std::result::Result<JsValue, JsValue> {
    let (module, memory) = (kernel::module(kernel::backend())?, wasm_bindgen::memory());
    let needed = Object::new();
    for (name, value) in
        [("module", module.into()), ("memory", memory), ("pool", kernel::pool(count).into())]
    {
        convert::set(&needed, name, &value);
    }
    Ok(needed.into())
}
