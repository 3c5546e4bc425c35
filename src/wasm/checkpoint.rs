//! A checkpoint that is written to the browser's storage in steps.

use js_sys::Array as JsArray;
use wasm_bindgen::prelude::*;

use crate::error::Result;
use crate::load::{CachedFile, PendingSave};

/// A checkpoint being written to a file. It holds on to the weights.
#[wasm_bindgen]
pub struct WasmPendingSave(pub(super) PendingSave);

#[wasm_bindgen]
impl WasmPendingSave {
    /// The bytes that it takes.
    #[wasm_bindgen(getter)]
    pub fn length(&self) -> f64 {
        self.0.length() as f64
    }

    /// `[{ address, identity }]` of the files that it was made from.
    #[wasm_bindgen(getter)]
    pub fn origins(&self) -> JsArray {
        self.0.origins()
    }

    /// Writes some megabytes; false when nothing was left to write.
    pub fn step(&mut self, file: &CachedFile) -> Result<bool> {
        self.0.step(file)
    }
}
