//! A generation, called step by step.

use js_sys::Array as JsArray;
use wasm_bindgen::prelude::*;

use super::convert::to_js;
use super::sink::captured;
use crate::error::Result;
use crate::generate::{self, BatchGeneration, Generation};
use crate::interface::Step;
use crate::tokenizer::Tokenizer;
use crate::wire::IntoValue;

/// A generation that is running.
#[wasm_bindgen]
pub struct WasmGeneration {
    generation: Generation,
    tokenizer: Option<Tokenizer>,
}

impl WasmGeneration {
    pub(super) fn new(generation: Generation, tokenizer: Option<Tokenizer>) -> WasmGeneration {
        WasmGeneration { generation, tokenizer }
    }
}

#[wasm_bindgen]
impl WasmGeneration {
    /// `{ id, string, logProb, top, cache }`, or undefined at the end.
    #[wasm_bindgen(js_name = next)]
    pub fn next_step(&mut self) -> Result<JsValue> {
        step_to_js(self.generation.next_step()?, self.tokenizer.as_ref())
    }
}

/// A generation of several texts that is running.
#[wasm_bindgen]
pub struct WasmBatchGeneration {
    generation: BatchGeneration,
    tokenizer: Option<Tokenizer>,
}

impl WasmBatchGeneration {
    pub(super) fn new(
        generation: BatchGeneration,
        tokenizer: Option<Tokenizer>,
    ) -> WasmBatchGeneration {
        WasmBatchGeneration { generation, tokenizer }
    }
}

#[wasm_bindgen]
impl WasmBatchGeneration {
    /// An array with what [`WasmGeneration`] returns for each text, undefined for one that has ended; undefined at the end
    /// of all.
    #[wasm_bindgen(js_name = next)]
    pub fn next_steps(&mut self) -> Result<Option<JsArray>> {
        let Some(steps) = self.generation.next_steps()? else { return Ok(None) };
        let to_js = |step| step_to_js(step, self.tokenizer.as_ref());
        steps.into_iter().map(to_js).collect::<Result<JsArray>>().map(Some)
    }
}

fn step_to_js(step: Option<generate::Step>, tokenizer: Option<&Tokenizer>) -> Result<JsValue> {
    let Some(mut step) = step else { return Ok(JsValue::UNDEFINED) };
    let cache = captured(&std::mem::take(&mut step.cache))?;
    Ok(to_js(Step::new(step, tokenizer, cache)?.into_value()))
}
