//! The boundary to JavaScript. The only folder with `wasm_bindgen` types in signatures: conversions and calls, no maths.
//!
//! `www/worker/worker.ts` is the only caller. The calls:
//!
//! - `chooseBuild(name)` before everything else, then `askHelpers(count)` if the build has threads.
//! - `WasmModel.load(…)` gives a model. `describe`, `tokenize`, `tokenNames`, `detokenize`, `runWithCache` and `toPython`
//!   return when they are done. `fingerprintStep` is called until it gives the fingerprint.
//! - `model.generate(…)` gives a [`WasmGeneration`](generation::WasmGeneration): `next()` until it gives undefined.
//! - `model.measure(…)` gives a [`WasmMeasurement`](measurement::WasmMeasurement): `step()` until it gives false, then
//!   `finish()`.
//! - `model.takePendingSave()` gives a [`WasmPendingSave`](checkpoint::WasmPendingSave): `step(file)` until it gives false.
//!
//! **Data.** Options arrive as plain data (`www/api/serialize.ts`), which is read strictly by [`crate::wire`]: names, types
//! and ranges are checked there and nowhere else. Results leave as plain data of the types in `www/api/generated.ts`; an
//! array is `{ data, shape, axes, labels }`, whose typed array is a copy that JavaScript owns (`convert.rs`, `sink.rs`).
//!
//! **Memory.** JavaScript frees what it was given: `free()` of a model, a generation, a measurement or a checkpoint. Each of
//! them holds the model's weights, which are freed with the last. A loaded file's copy is freed by the worker.
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

use crate::error::Error;
use crate::kernel;

#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
}

impl From<Error> for JsValue {
    fn from(error: Error) -> JsValue {
        let js = js_sys::Error::new(&error.to_string());
        js.set_name(error.name());
        js.into()
    }
}

/// Computes with the kernels of this build from now on, `"simd"` or `"relaxed"`; false where the browser lacks it.
#[wasm_bindgen(js_name = chooseBuild)]
pub fn choose_build(build: &str) -> bool {
    match build {
        "simd" => kernel::select_backend(kernel::Backend::Simd),
        "relaxed" => kernel::select_backend(kernel::Backend::Relaxed),
        _ => false,
    }
}

/// What `count` workers need to help with products: `{ module, memory, pool }`, the last one an address. Each of them
/// runs `enter(pool)` of the module once, then `help(pool, n)` with a number of its own from 1 to `count`; they may come
/// at any time, or never.
///
/// # Errors
/// When this is not the build with shared memory.
#[wasm_bindgen(js_name = askHelpers)]
pub fn ask_helpers(count: u32) -> std::result::Result<JsValue, JsValue> {
    let (module, memory) = (kernel::module(kernel::backend())?, wasm_bindgen::memory());
    let asked = Object::new();
    for (name, value) in
        [("module", module.into()), ("memory", memory), ("pool", kernel::pool(count).into())]
    {
        convert::set(&asked, name, &value);
    }
    Ok(asked.into())
}
