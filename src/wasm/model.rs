//! A loaded model: its description, its tokens, and its calls.

use std::cell::RefCell;
use std::rc::Rc;

use candle_core::{DType, Device, Tensor};
use js_sys::{Array as JsArray, Function};
use wasm_bindgen::prelude::*;
use web_sys::AbortSignal;

use super::checkpoint::WasmPendingSave;
use super::convert::{from_js, to_js};
use super::functions;
use super::generation::{WasmBatchGeneration, WasmGeneration};
use super::measurement::WasmMeasurement;
use super::sink::{self, JsSink};
use crate::analysis::heads;
use crate::calls::{self, RunCall};
use crate::checkpoint::Report;
use crate::error::{Error, Result};
use crate::generate::{BatchGeneration, Generation};
use crate::hook::HookPoint;
use crate::interface::{self, Backend, Tokens};
use crate::intervene::Compiler;
use crate::kernel::{self, Axes, MatrixBuilder, WeightFormat};
use crate::lab::Lab;
use crate::load::{self, File, Files, Fingerprint, LoadContext, Loaded, PendingSave};
use crate::model::Model;
use crate::run::{Run, run_batch_into};
use crate::tokenizer::Tokenizer;
use crate::transform;
use crate::wire::{IntoValue, Value};

/// A loaded model with its tokenizer, if it came with one.
#[wasm_bindgen]
pub struct WasmModel {
    lab: Lab,
    format: WeightFormat,
    report: Report,
    checkpoint: interface::Checkpoint,
    /// In a cell, like `fingerprint`, so that every method takes `&self`: a call that ends in an exception does not
    /// release its borrow.
    pending_save: RefCell<Option<PendingSave>>,
    /// None if the weights were rewritten after the load.
    fingerprint: RefCell<Option<Fingerprint>>,
}

#[wasm_bindgen]
impl WasmModel {
    /// Loads a model, its matrices in the format that `dtype` names. `on_progress` gets `(stage, file, loaded, total)`.
    /// `show_of` gets `(x, info)` before each call of a function of an intervention, and returns its `show`.
    pub async fn load(
        files: Files,
        dtype: &str,
        on_progress: Option<Function>,
        signal: Option<AbortSignal>,
        show_of: Option<Function>,
    ) -> Result<WasmModel> {
        let format = WeightFormat::named(dtype)?;
        warm_up(format)?;
        let context = LoadContext::new(on_progress, signal);
        let Loaded {
            config,
            tokenizer,
            weights,
            report,
            pending_save,
            family,
            format: file_format,
        } = load::load(&files, format, &context).await?;
        let mut report = report;
        if tokenizer.as_ref().is_some_and(Tokenizer::adds_special_tokens) {
            report.special_tokens_not_added();
        }
        let tokenizer = tokenizer.map(|tokenizer| tokenizer.for_model(config.vocab_size));
        report.append(tokenizer.as_ref().map(Tokenizer::report).unwrap_or_default());
        let fingerprint = Some(Fingerprint::new(&config, tokenizer.as_ref(), &weights)?);
        let model = Model::new(config, &weights)?;
        let compiler: Compiler =
            Rc::new(move |source: &str| functions::compile(source, show_of.as_ref()));
        let lab = Lab { model, tokenizer, compiler: Some(compiler) };
        let (pending_save, fingerprint) = (RefCell::new(pending_save), RefCell::new(fingerprint));
        let checkpoint = interface::Checkpoint { family, format: file_format };
        Ok(WasmModel { lab, format, report, checkpoint, pending_save, fingerprint })
    }

    /// A hash in hexadecimal digits of the config, the tokenizer and the weights in memory. Undefined until it is
    /// complete: each call hashes up to 4 MB. Calls after the last return the same hash.
    ///
    /// # Errors
    /// [`Error::Input`] for a transformed model, which its model and its transforms identify.
    #[wasm_bindgen(js_name = fingerprintStep)]
    pub fn fingerprint_step(&self) -> Result<Option<String>> {
        match self.fingerprint.borrow_mut().as_mut() {
            Some(fingerprint) => fingerprint.step(),
            None => Err(Error::Input(
                "a transformed model has no fingerprint: ask the model that was loaded".into(),
            )),
        }
    }

    /// The copy of this model to save for later visits; undefined if there is none, and at the second call.
    #[wasm_bindgen(js_name = takePendingSave)]
    pub fn take_pending_save(&self) -> Option<WasmPendingSave> {
        self.pending_save.take().map(WasmPendingSave)
    }

    /// `{ config, parameters, parameterCount, hookPoints, backend, hasTokenizer, checkpoint, report }`.
    pub fn describe(&self) -> Result<JsValue> {
        let (model, config) = (&self.lab.model, self.lab.model.config());
        let points: Vec<_> =
            HookPoint::all(config).iter().map(interface::HookPoint::from).collect();
        let backend = Backend::new(self.format, kernel::workers(), memory_bytes());
        let fields = [
            ("config", config.clone().into_value()),
            ("parameters", model.parameters().to_vec().into_value()),
            ("parameterCount", model.parameter_count().into_value()),
            ("hookPoints", points.into_value()),
            ("backend", backend.into_value()),
            ("hasTokenizer", self.lab.tokenizer.is_some().into_value()),
            ("checkpoint", self.checkpoint.clone().into_value()),
            ("report", self.report.notices().to_vec().into_value()),
        ];
        Ok(to_js(Value::Object(fields.map(|(name, value)| (name.into(), value)).into())))
    }

    /// `{ ids, strings, bytes }` of a text or of ids.
    pub fn tokenize(&self, input: JsValue, prepend_bos: bool) -> Result<JsValue> {
        let tokenizer = self.lab.tokenizer()?;
        let mut tokens = match input.as_string() {
            Some(text) => tokenizer.tokenize(&text)?,
            None => tokenizer.tokens(&calls::token_ids(&from_js(&input)?)?)?,
        };
        if prepend_bos {
            tokens.splice(0..0, tokenizer.tokens(&[self.lab.bos()?])?);
        }
        Ok(to_js(Tokens::from(tokens).into_value()))
    }

    /// `{ ids, strings, bytes }` of each id by itself.
    #[wasm_bindgen(js_name = tokenNames)]
    pub fn token_names(&self, ids: &[u32]) -> Result<JsValue> {
        Ok(to_js(Tokens::from(self.lab.tokenizer()?.names(ids)?).into_value()))
    }

    /// The text of `ids`.
    pub fn detokenize(&self, ids: &[u32]) -> Result<String> {
        self.lab.tokenizer()?.decode(ids)
    }

    /// One forward pass over a text or ids.
    #[wasm_bindgen(js_name = runWithCache)]
    pub fn run_with_cache(&self, input: JsValue, options: JsValue) -> Result<JsValue> {
        let mut runs = self.run(self.lab.run_call(&from_js(&input)?, &from_js(&options)?)?)?;
        Ok(runs.pop().expect("a run for each text"))
    }

    /// One forward pass over several texts: an array with what `runWithCache` returns for each.
    #[wasm_bindgen(js_name = runBatch)]
    pub fn run_batch(&self, inputs: JsValue, options: JsValue) -> Result<JsArray> {
        let runs = self.run(self.lab.batch_call(&from_js(&inputs)?, &from_js(&options)?)?)?;
        Ok(runs.into_iter().collect())
    }

    /// A generation that continues a text or ids, one step for each call of `next()`.
    pub fn generate(&self, input: JsValue, options: JsValue) -> Result<WasmGeneration> {
        let (ids, options) = self.lab.generate_call(&from_js(&input)?, &from_js(&options)?)?;
        let tokenizer = self.lab.tokenizer.clone();
        let generation = Generation::new(&self.lab.model, tokenizer.as_ref(), &ids, options)?;
        Ok(WasmGeneration::new(generation, tokenizer))
    }

    /// A generation that continues several texts together; `next()` returns an array with a step of each.
    #[wasm_bindgen(js_name = generateBatch)]
    pub fn generate_batch(&self, inputs: JsValue, options: JsValue) -> Result<WasmBatchGeneration> {
        let (texts, options) =
            self.lab.generate_batch_call(&from_js(&inputs)?, &from_js(&options)?)?;
        let tokenizer = self.lab.tokenizer.clone();
        let generation =
            BatchGeneration::new(&self.lab.model, tokenizer.as_ref(), &texts, options)?;
        Ok(WasmBatchGeneration::new(generation, tokenizer))
    }

    /// The Python that does in TransformerLens what the call named `call` does with the same arguments.
    #[wasm_bindgen(js_name = toPython)]
    pub fn to_python(
        &self,
        call: &str,
        input: JsValue,
        options: JsValue,
        folder: &str,
    ) -> Result<String> {
        self.lab.to_python(call, &from_js(&input)?, &from_js(&options)?, folder)
    }

    /// The same model with the tokenizer that these files hold. The weights are shared.
    #[wasm_bindgen(js_name = withTokenizer)]
    pub async fn with_tokenizer(
        &self,
        files: Vec<File>,
        signal: Option<AbortSignal>,
    ) -> Result<WasmModel> {
        let (lab, mut report) = (self.lab.clone(), self.report.clone());
        let (format, checkpoint) = (self.format, self.checkpoint.clone());
        let context = LoadContext::new(None, signal);
        if let Some(former) = &lab.tokenizer {
            report.remove(&former.report());
        }
        let lab = lab.with_tokenizer(Some(load::load_tokenizer(&files, &context).await?));
        report.forget("tokenizer.json");
        if let Some(tokenizer) = &lab.tokenizer {
            if tokenizer.adds_special_tokens() {
                report.special_tokens_not_added();
            }
            report.append(tokenizer.report());
        }
        let (pending_save, fingerprint) = (RefCell::default(), RefCell::default());
        Ok(WasmModel { lab, format, report, checkpoint, pending_save, fingerprint })
    }

    /// The model after these transforms of its weights, one after the other. Its weights are in f32.
    pub fn transformed(&self, transforms: Vec<String>) -> Result<WasmModel> {
        let model = transform::by_name(&self.lab.model, &transforms)?;
        let lab = Lab { model, ..self.lab.clone() };
        Ok(WasmModel {
            lab,
            format: WeightFormat::default(),
            report: self.report.clone(),
            checkpoint: self.checkpoint.clone(),
            pending_save: RefCell::default(),
            fingerprint: RefCell::default(),
        })
    }

    /// `{ value, name, note }` of a weight.
    pub fn parameter(&self, name: &str, options: JsValue) -> Result<JsValue> {
        let weight = self.lab.parameter(name, &from_js(&options)?)?;
        let fields = [
            ("value", sink::copy(&weight.tensor, &weight.axes)?),
            ("name", weight.name.into_value()),
            ("note", weight.note.into_value()),
        ];
        Ok(to_js(Value::Object(fields.map(|(name, value)| (name.into(), value)).into())))
    }

    /// The same model with other numbers in some weights: `[{ name, shape, data, axes }]`.
    #[wasm_bindgen(js_name = withParameters)]
    pub fn with_parameters(&self, weights: JsValue) -> Result<WasmModel> {
        let (lab, replaced) = self.lab.with_parameters(&from_js(&weights)?)?;
        let mut report = self.report.clone();
        report.append(replaced);
        Ok(WasmModel {
            lab,
            format: self.format,
            report,
            checkpoint: self.checkpoint.clone(),
            pending_save: RefCell::default(),
            fingerprint: RefCell::default(),
        })
    }

    /// The measurement called `name`, of those that [`Lab::begin`] knows.
    pub fn measure(&self, name: &str, request: JsValue) -> Result<WasmMeasurement> {
        let measurement = self.lab.begin(name, from_js(&request)?)?;
        Ok(WasmMeasurement::new(measurement))
    }
}

impl WasmModel {
    /// One pass over the texts of a call: what JavaScript gets for each.
    fn run(&self, call: RunCall) -> Result<Vec<JsValue>> {
        let RunCall { texts, options, head_scores } = call;
        let sinks = texts.iter().map(|_| JsSink::new(head_scores)).collect();
        let runs = run_batch_into(sinks, &self.lab.model, &texts, &options)?;
        let to_js = |(ids, run): (&Vec<u32>, Run<JsSink>)| {
            let scores = run.cache.to_score.as_ref();
            let scores =
                scores.map(|cache| heads::head_scores(&self.lab.model, cache, ids)).transpose()?;
            sink::run_to_js(ids, run, scores)
        };
        texts.iter().zip(runs).map(to_js).collect()
    }
}

/// Computes a product of the size of a small model's before the model is downloaded, so that the browser optimises the
/// inner loops meanwhile, in another thread. Without it, the first run took 100 ms longer (November 2026).
fn warm_up(format: WeightFormat) -> Result<()> {
    const ROWS: usize = 64;
    const WIDTH: usize = 256;
    let out_of_memory =
        |_| Error::Memory("there is not enough memory to start; close other tabs".into());
    let mut builder =
        MatrixBuilder::new([WIDTH, WIDTH], Axes::InOut, format).map_err(out_of_memory)?;
    builder.push(&vec![0.0; WIDTH * WIDTH]);
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
    kernel::linear(&zeros(&[ROWS, WIDTH])?, &builder.finish()?, &zeros(&[WIDTH])?)?;
    Ok(())
}

fn memory_bytes() -> usize {
    core::arch::wasm32::memory_size(0) * 65536
}
