//! A checkpoint that is written to the browser's storage in steps.

use js_sys::Array as JsArray;
use wasm_bindgen::prelude::*;

use crate::error::Result;
use crate::load::{CachedFile, PendingSave};

/// A checkpoint that is written to a file. It keeps the weights in memory.
#[wasm_bindgen]
pub struct WasmPendingSave(pub(super) PendingSave);

#[wasm_bindgen]
impl WasmPendingSave {
    /// The length of the file in bytes.
    #[wasm_bindgen(getter)]
    pub fn length(&self) -> f64 {
        self.0.length() as f64
    }

    /// `[{ address, identity }]` of the downloaded files.
    #[wasm_bindgen(getter)]
    pub fn origins(&self) -> JsArray {
        self.0.origins()
    }

    /// Writes up to 4 MB; false if nothing was left.
    pub fn step(&mut self, file: &CachedFile) -> Result<bool> {
        self.0.step(file)
    }
}
