//! The boundary: JavaScript values in, calls into the library, JavaScript values out. No arithmetic happens here.
//!
//! - Numbers leave as one typed array with its shape and axis names, copied once out of wasm memory; the receiver
//!   owns it.
//! - A failure leaves as an `Error` whose `name` is [`Error::name`]. Nothing here changes a model, so it stays
//!   usable after any failure.
//! - `free()` of a model or a generation gives its memory back. A generation holds on to its model's weights.
//!
//! `www/worker.js` is the only caller; it checks nothing, so what comes in here was checked by `www/candlescope.js`.

use candle_core::{CpuStorage, Storage, Tensor};
use js_sys::{Float32Array, Function, Uint32Array};
use serde::{Deserialize, Serialize};
use serde_wasm_bindgen::{Serializer, preserve};
use wasm_bindgen::prelude::*;
use web_sys::AbortSignal;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::fetch::{self, Files, Watch};
use crate::generate::{GenerateOptions, Generation, Step};
use crate::hook::HookPoint;
use crate::model::Model;
use crate::run::{Cache, Run, RunOptions, run};
use crate::tokenizer::{Token, Tokenizer};

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

/// A loaded model with its tokenizer, if it came with one.
#[wasm_bindgen]
pub struct WasmModel {
    model: Model,
    tokenizer: Option<Tokenizer>,
}

#[wasm_bindgen]
impl WasmModel {
    /// Loads the first of `candidates` that is there. `on_progress` gets `(stage, file, loaded, total)`.
    pub async fn load(
        candidates: Vec<Files>,
        on_progress: Option<Function>,
        signal: Option<AbortSignal>,
    ) -> Result<WasmModel> {
        let checkpoint = fetch::load(&candidates, &Watch { on_progress, signal }).await?;
        let model = Model::new(checkpoint.config, &checkpoint.weights)?;
        Ok(WasmModel { model, tokenizer: checkpoint.tokenizer })
    }

    /// `{ config, parameters, parameterCount, hookPoints, backend, hasTokenizer }`.
    pub fn describe(&self) -> Result<JsValue> {
        let parameters = self.model.parameters().iter().map(|parameter| ParameterRow {
            name: &parameter.name,
            shape: &parameter.shape,
            dtype: parameter.dtype,
            count: parameter.count,
        });
        let points = HookPoint::all(self.model.config()).into_iter().map(|point| PointRow {
            name: point.to_string(),
            axes: point.axes(),
            on_request: point.on_request(),
        });
        to_js(&Description {
            config: self.model.config(),
            parameters: parameters.collect(),
            parameter_count: self.model.parameter_count(),
            hook_points: points.collect(),
            backend: Backend { build: "simd", threads: 1, dtype: "f32", memory_bytes: memory_bytes() },
            has_tokenizer: self.tokenizer.is_some(),
        })
    }

    /// `{ ids, strings, bytes }` of a text or of ids.
    pub fn tokenize(&self, input: JsValue, prepend_bos: bool) -> Result<JsValue> {
        let tokenizer = self.tokenizer()?;
        let mut tokens = match input.as_string() {
            Some(text) => tokenizer.tokenize(&text)?,
            None => tokenizer.tokens(&ids_of(input))?,
        };
        if prepend_bos {
            tokens.splice(0..0, tokenizer.tokens(&[self.bos()?])?);
        }
        to_js(&Tokens::of(tokens))
    }

    /// The text of `ids`.
    pub fn detokenize(&self, ids: &[u32]) -> Result<String> {
        self.tokenizer()?.decode(ids)
    }

    /// One forward pass over a text or ids.
    #[wasm_bindgen(js_name = runWithCache)]
    pub fn run_with_cache(&self, input: JsValue, options: JsValue) -> Result<JsValue> {
        let request: RunRequest = from_js(options)?;
        let ids = self.ids(input, request.prepend_bos)?;
        let options = RunOptions {
            names: request.names,
            positions: request.positions,
            stop_at_layer: request.stop_at_layer,
            ..RunOptions::default()
        };
        to_js(&RunAnswer::of(&ids, &run(&self.model, &ids, &options)?)?)
    }

    /// A generation that goes on after a text or ids, one step for each call of `next()`.
    pub fn generate(&self, input: JsValue, options: JsValue) -> Result<WasmGeneration> {
        let request: GenerateRequest = from_js(options)?;
        let ids = self.ids(input, request.prepend_bos)?;
        let generation = Generation::new(&self.model, self.tokenizer.as_ref(), &ids, request.into())?;
        Ok(WasmGeneration { generation, tokenizer: self.tokenizer.clone() })
    }
}

impl WasmModel {
    fn tokenizer(&self) -> Result<&Tokenizer> {
        self.tokenizer.as_ref().ok_or_else(|| {
            Error::Input(
                "the model came without a tokenizer.json, so text cannot be used: pass token ids".into(),
            )
        })
    }

    fn ids(&self, input: JsValue, prepend_bos: bool) -> Result<Vec<u32>> {
        let mut ids = match input.as_string() {
            Some(text) => self.tokenizer()?.encode(&text)?,
            None => ids_of(input),
        };
        if prepend_bos {
            ids.insert(0, self.bos()?);
        }
        Ok(ids)
    }

    fn bos(&self) -> Result<u32> {
        self.model
            .config()
            .bos_token_id
            .ok_or_else(|| Error::Input("`prependBos` is true, but the config has no `bos_token_id`".into()))
    }
}

/// A text being generated.
#[wasm_bindgen]
pub struct WasmGeneration {
    generation: Generation,
    tokenizer: Option<Tokenizer>,
}

#[wasm_bindgen]
impl WasmGeneration {
    /// `{ id, string, logProb, top, cache }`, or undefined at the end.
    pub fn next(&mut self) -> Result<JsValue> {
        match self.generation.next_step()? {
            Some(step) => to_js(&StepAnswer::of(step, self.tokenizer.as_ref())?),
            None => Ok(JsValue::UNDEFINED),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct RunRequest {
    prepend_bos: bool,
    names: Vec<String>,
    positions: Option<Vec<i64>>,
    stop_at_layer: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct GenerateRequest {
    prepend_bos: bool,
    max_new_tokens: usize,
    do_sample: bool,
    temperature: f64,
    top_k: Option<usize>,
    top_p: Option<f64>,
    seed: u64,
    stop: Vec<String>,
    stop_at_eos: bool,
    top: usize,
    names: Vec<String>,
}

impl Default for GenerateRequest {
    fn default() -> GenerateRequest {
        let options = GenerateOptions::default();
        GenerateRequest {
            prepend_bos: false,
            max_new_tokens: options.max_new_tokens,
            do_sample: options.do_sample,
            temperature: options.temperature,
            top_k: options.top_k,
            top_p: options.top_p,
            seed: options.seed,
            stop: options.stop,
            stop_at_eos: options.stop_at_eos,
            top: options.top,
            names: options.names,
        }
    }
}

impl From<GenerateRequest> for GenerateOptions {
    fn from(request: GenerateRequest) -> GenerateOptions {
        GenerateOptions {
            max_new_tokens: request.max_new_tokens,
            do_sample: request.do_sample,
            temperature: request.temperature,
            top_k: request.top_k,
            top_p: request.top_p,
            seed: request.seed,
            stop: request.stop,
            stop_at_eos: request.stop_at_eos,
            top: request.top,
            names: request.names,
            ..GenerateOptions::default()
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Description<'m> {
    config: &'m Config,
    parameters: Vec<ParameterRow<'m>>,
    parameter_count: usize,
    hook_points: Vec<PointRow>,
    backend: Backend,
    has_tokenizer: bool,
}

#[derive(Serialize)]
struct ParameterRow<'m> {
    name: &'m str,
    shape: &'m [usize],
    dtype: &'static str,
    count: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PointRow {
    name: String,
    axes: &'static [&'static str],
    on_request: bool,
}

/// How the model is computed, and how much wasm memory there is: as it never shrinks, the most that was needed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Backend {
    build: &'static str,
    threads: usize,
    dtype: &'static str,
    memory_bytes: usize,
}

#[derive(Serialize)]
struct Tokens {
    #[serde(with = "preserve")]
    ids: Uint32Array,
    strings: Vec<String>,
    bytes: Vec<Vec<u8>>,
}

impl Tokens {
    fn of(tokens: Vec<Token>) -> Tokens {
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        let (strings, bytes) = tokens.into_iter().map(|token| (token.string, token.bytes)).unzip();
        Tokens { ids: ids.as_slice().into(), strings, bytes }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunAnswer {
    #[serde(with = "preserve")]
    ids: Uint32Array,
    logits: Option<Numbers>,
    residual: Option<Numbers>,
    loss: Option<f32>,
    #[serde(with = "preserve")]
    log_probs: Float32Array,
    #[serde(with = "preserve")]
    ranks: Uint32Array,
    cache: Vec<Captured>,
}

impl RunAnswer {
    fn of(ids: &[u32], run: &Run) -> Result<RunAnswer> {
        let logits = match run.residual() {
            None => Some(Numbers::of(run.logits()?, HookPoint::UnembedOut.axes())?),
            Some(_) => None,
        };
        let residual = run.residual().map(|x| Numbers::of(x, HookPoint::Embed.axes())).transpose()?;
        Ok(RunAnswer {
            ids: ids.into(),
            logits,
            residual,
            loss: run.scores.loss(),
            log_probs: run.scores.log_probs.as_slice().into(),
            ranks: run.scores.ranks.as_slice().into(),
            cache: captured(&run.cache)?,
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StepAnswer {
    id: u32,
    string: String,
    log_prob: f32,
    top: Vec<Choice>,
    cache: Vec<Captured>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Choice {
    id: u32,
    string: String,
    log_prob: f32,
}

impl StepAnswer {
    fn of(step: Step, tokenizer: Option<&Tokenizer>) -> Result<StepAnswer> {
        let top = step.top.into_iter().map(|(id, log_prob)| Choice {
            id,
            string: tokenizer.and_then(|tokenizer| tokenizer.decode(&[id]).ok()).unwrap_or_default(),
            log_prob,
        });
        Ok(StepAnswer {
            id: step.id,
            string: step.string,
            log_prob: step.log_prob,
            top: top.collect(),
            cache: captured(&step.cache)?,
        })
    }
}

/// What was captured at one point.
#[derive(Serialize)]
struct Captured {
    name: String,
    value: Numbers,
}

fn captured(cache: &Cache) -> Result<Vec<Captured>> {
    let entry = |point: HookPoint| {
        let name = point.to_string();
        let value = Numbers::of(cache.get(&name)?, point.axes())?;
        Ok(Captured { name, value })
    };
    cache.points().map(entry).collect()
}

/// One typed array with its shape and axes, the last axis running fastest.
#[derive(Serialize)]
struct Numbers {
    #[serde(with = "preserve")]
    data: Float32Array,
    shape: Vec<usize>,
    axes: &'static [&'static str],
}

impl Numbers {
    fn of(tensor: &Tensor, axes: &'static [&'static str]) -> Result<Numbers> {
        let tensor = tensor.contiguous()?;
        let (storage, layout) = tensor.storage_and_layout();
        let (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) =
            (&*storage, layout.contiguous_offsets())
        else {
            return Err(Error::Input(format!("a tensor of dtype {:?} cannot be handed out", tensor.dtype())));
        };
        Ok(Numbers { data: values[start..end].into(), shape: tensor.dims().to_vec(), axes })
    }
}

fn memory_bytes() -> usize {
    core::arch::wasm32::memory_size(0) * 65536
}

fn ids_of(input: JsValue) -> Vec<u32> {
    input.unchecked_into::<Uint32Array>().to_vec()
}

fn from_js<T: for<'de> Deserialize<'de>>(value: JsValue) -> Result<T> {
    serde_wasm_bindgen::from_value(value).map_err(|error| Error::Input(error.to_string()))
}

fn to_js<T: Serialize>(value: &T) -> Result<JsValue> {
    let answer = value.serialize(&Serializer::json_compatible());
    answer.map_err(|error| Error::Input(format!("the answer cannot be handed over: {error}")))
}
