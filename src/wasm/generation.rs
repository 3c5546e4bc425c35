//! A generation, called step by step.

use wasm_bindgen::prelude::*;

use super::convert::to_js;
use super::sink::captured;
use crate::error::Result;
use crate::generate::Generation;
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
        let Some(mut step) = self.generation.next_step()? else { return Ok(JsValue::UNDEFINED) };
        let cache = captured(&std::mem::take(&mut step.cache))?;
        Ok(to_js(Step::new(step, self.tokenizer.as_ref(), cache)?.into_value()))
    }
}
