//! A measurement, called step by step.

use wasm_bindgen::prelude::*;

use super::convert::to_js;
use crate::analysis::Measurement;
use crate::error::Result;
use crate::wire::Value;

/// A measurement that is running.
#[wasm_bindgen]
pub struct WasmMeasurement {
    measurement: Option<Box<dyn Measurement<Output = Value>>>,
}

impl WasmMeasurement {
    pub(super) fn new(measurement: Box<dyn Measurement<Output = Value>>) -> WasmMeasurement {
        WasmMeasurement { measurement: Some(measurement) }
    }
}

#[wasm_bindgen]
impl WasmMeasurement {
    /// The number of steps.
    pub fn total(&self) -> usize {
        self.measurement.as_ref().map_or(0, |measurement| measurement.total())
    }

    /// The number of completed steps.
    pub fn done(&self) -> usize {
        self.measurement.as_ref().map_or(0, |measurement| measurement.done())
    }

    /// Does the next step; false if none was left.
    pub fn step(&mut self) -> Result<bool> {
        self.measurement.as_mut().map_or(Ok(false), |measurement| measurement.step())
    }

    /// The result: an object with the fields of the analysis's result type, whose arrays are `{ data, shape, axes, labels }`.
    /// Undefined at the second call.
    pub fn finish(&mut self) -> Result<JsValue> {
        match self.measurement.take() {
            Some(measurement) => Ok(to_js(measurement.finish()?)),
            None => Ok(JsValue::UNDEFINED),
        }
    }
}
