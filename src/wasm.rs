//! The boundary: JavaScript values in, calls into the library, JavaScript values out. No arithmetic happens here.
//!
//! - Numbers leave as one typed array with its shape and axis names, copied once out of wasm memory; the receiver
//!   owns it.
//! - A failure leaves as an `Error` whose `name` is [`Error::name`]. Nothing here changes a model, so it stays
//!   usable after any failure.
//! - `free()` of a model, a generation or a measurement gives its memory back. The latter two hold on to their model's
//!   weights.
//!
//! `www/worker.js` is the only caller. Options arrive as plain data (`www/plain.js` sees to that) and are read strictly by
//! `wire.rs`: names, types and ranges are checked here and nowhere else.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use candle_core::{CpuStorage, DType, Device, Storage, Tensor};
use js_sys::{
    Array as JsArray, ArrayBuffer, Float32Array, Float64Array, Function, Reflect, Uint32Array,
};
use serde::Serialize;
use serde_wasm_bindgen::{Serializer, preserve};
use wasm_bindgen::prelude::*;
use web_sys::AbortSignal;

use crate::analysis::{Table, heads};
use crate::checkpoint::{Config, Report};
use crate::error::{Error, Result, shortened};
use crate::generate::{Generation, Step};
use crate::hook::HookPoint;
use crate::intervene::{self, Compiler};
use crate::kernel;
use crate::kernel::{Axes, MatrixBuilder, WeightFormat};
use crate::lab::{self, Findings, Lab, Measurement, RunCall};
use crate::load::Fingerprint;
use crate::load::{self, CachedFile, Files, LoadContext, Loaded, PendingSave};
use crate::model::Model;
use crate::run::{Cache, Run, Sink, run_into};
use crate::tokenizer::{Token, Tokenizer};
use crate::transform;
use crate::wire::Value;

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
    let asked = js_sys::Object::new();
    for (name, value) in
        [("module", module.into()), ("memory", memory), ("pool", kernel::pool(count).into())]
    {
        js_sys::Reflect::set(&asked, &name.into(), &value)?;
    }
    Ok(asked.into())
}

/// A loaded model with its tokenizer, if it came with one.
#[wasm_bindgen]
pub struct WasmModel {
    lab: Lab,
    format: WeightFormat,
    report: Report,
    /// In cells, so that each method borrows the model as shared: a call that ends in an exception never gives its borrow back.
    pending_save: RefCell<Option<PendingSave>>,
    /// None if the weights were rewritten after the load.
    fingerprint: RefCell<Option<Fingerprint>>,
}

#[wasm_bindgen]
impl WasmModel {
    /// Loads a model, its matrices in the format that `dtype` names. `on_progress` gets `(stage, file, loaded, total)`.
    pub async fn load(
        files: Files,
        dtype: &str,
        on_progress: Option<Function>,
        signal: Option<AbortSignal>,
    ) -> Result<WasmModel> {
        let format = WeightFormat::named(dtype)?;
        warm_up(format)?;
        let context = LoadContext::new(on_progress, signal);
        let Loaded { config, tokenizer, weights, report, pending_save } =
            load::load(&files, format, &context).await?;
        let mut report = report;
        if tokenizer.as_ref().is_some_and(Tokenizer::adds_special_tokens) {
            report.special_tokens_not_added();
        }
        let tokenizer = tokenizer.map(|tokenizer| tokenizer.for_model(config.vocab_size));
        let fingerprint = Some(Fingerprint::new(&config, tokenizer.as_ref(), &weights)?);
        let model = Model::new(config, &weights)?;
        let compiler: Compiler = Rc::new(compile);
        let lab = Lab { model, tokenizer, compiler: Some(compiler) };
        let (pending_save, fingerprint) = (RefCell::new(pending_save), RefCell::new(fingerprint));
        Ok(WasmModel { lab, format, report, pending_save, fingerprint })
    }

    /// A number in hexadecimal digits that is the same for the same config, tokenizer and weights in memory. Undefined
    /// until it is known: each call reads some megabytes, and the calls after the last give the same answer.
    ///
    /// # Errors
    /// [`Error::Input`] for a transformed model, which is known by the model and the transforms that made it.
    #[wasm_bindgen(js_name = fingerprintStep)]
    pub fn fingerprint_step(&self) -> Result<Option<String>> {
        match self.fingerprint.borrow_mut().as_mut() {
            Some(fingerprint) => fingerprint.step(),
            None => Err(Error::Input(
                "a transformed model has no fingerprint: ask the model that was loaded".into(),
            )),
        }
    }

    /// What is to be kept of this model for later visits; undefined at the second call, or if there is nothing.
    #[wasm_bindgen(js_name = takeUnkept)]
    pub fn take_unkept(&self) -> Option<WasmKeeping> {
        self.pending_save.take().map(WasmKeeping)
    }

    /// `{ config, parameters, parameterCount, hookPoints, backend, hasTokenizer, report }`.
    pub fn describe(&self) -> Result<JsValue> {
        let parameters = self.lab.model.parameters().iter().map(|parameter| ParameterRow {
            name: &parameter.name,
            shape: &parameter.shape,
            dtype: parameter.dtype,
            count: parameter.count,
        });
        let points = HookPoint::all(self.lab.model.config()).into_iter().map(|point| PointRow {
            name: point.to_string(),
            axes: point.axes(),
            on_request: point.on_request(),
        });
        to_js(&Description {
            config: self.lab.model.config(),
            parameters: parameters.collect(),
            parameter_count: self.lab.model.parameter_count(),
            hook_points: points.collect(),
            backend: Backend {
                build: build_name(),
                threads: kernel::workers(),
                dtype: self.format.name(),
                memory_bytes: memory_bytes(),
            },
            has_tokenizer: self.lab.tokenizer.is_some(),
            report: &self.report,
        })
    }

    /// `{ ids, strings, bytes }` of a text or of ids.
    pub fn tokenize(&self, input: JsValue, prepend_bos: bool) -> Result<JsValue> {
        let tokenizer = self.lab.tokenizer()?;
        let mut tokens = match input.as_string() {
            Some(text) => tokenizer.tokenize(&text)?,
            None => tokenizer.tokens(&lab::token_ids(&from_js(&input)?)?)?,
        };
        if prepend_bos {
            tokens.splice(0..0, tokenizer.tokens(&[self.lab.bos()?])?);
        }
        to_js(&Tokens::of(tokens))
    }

    /// `{ ids, strings, bytes }` of each id by itself.
    #[wasm_bindgen(js_name = tokenNames)]
    pub fn token_names(&self, ids: &[u32]) -> Result<JsValue> {
        to_js(&Tokens::of(self.lab.tokenizer()?.names(ids)?))
    }

    /// The text of `ids`.
    pub fn detokenize(&self, ids: &[u32]) -> Result<String> {
        self.lab.tokenizer()?.decode(ids)
    }

    /// One forward pass over a text or ids.
    #[wasm_bindgen(js_name = runWithCache)]
    pub fn run_with_cache(&self, input: JsValue, options: JsValue) -> Result<JsValue> {
        let RunCall { ids, options, head_scores } =
            self.lab.run_call(&from_js(&input)?, &from_js(&options)?)?;
        let sink =
            HandedOver { to_score: head_scores.then(Cache::default), ..HandedOver::default() };
        let run = run_into(sink, &self.lab.model, &ids, &options)?;
        let scores = run.cache.to_score.as_ref();
        let scores =
            scores.map(|cache| heads::head_scores(&self.lab.model, cache, &ids)).transpose()?;
        to_js(&RunAnswer::of(&ids, run, scores)?)
    }

    /// A generation that goes on after a text or ids, one step for each call of `next()`.
    pub fn generate(&self, input: JsValue, options: JsValue) -> Result<WasmGeneration> {
        let (ids, options) = self.lab.generate_call(&from_js(&input)?, &from_js(&options)?)?;
        let tokenizer = self.lab.tokenizer.clone();
        let generation = Generation::new(&self.lab.model, tokenizer.as_ref(), &ids, options)?;
        Ok(WasmGeneration { generation, tokenizer })
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

    /// The same model with its weights rewritten by these transforms, one after the other; in f32, whatever it was in.
    pub fn transformed(&self, transforms: Vec<String>) -> Result<WasmModel> {
        let model = transform::by_name(&self.lab.model, &transforms)?;
        let lab = Lab { model, ..self.lab.clone() };
        Ok(WasmModel {
            lab,
            format: WeightFormat::default(),
            report: self.report.clone(),
            pending_save: RefCell::default(),
            fingerprint: RefCell::default(),
        })
    }

    /// The measurement called `name`, of those that [`Lab::begin`] knows.
    pub fn measure(&self, name: &str, request: JsValue) -> Result<WasmMeasurement> {
        let measurement = self.lab.begin(name, from_js(&request)?)?;
        Ok(WasmMeasurement { measurement: Some(measurement) })
    }
}

/// A product of the size of a small model's, before there is a model: the browser begins to optimise the inner loops, which
/// takes it 60 ms beside this thread, while files are on their way. The first run was 100 ms longer without.
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

/// A checkpoint being written to a file. It holds on to the weights.
#[wasm_bindgen]
pub struct WasmKeeping(PendingSave);

#[wasm_bindgen]
impl WasmKeeping {
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

/// A text being generated.
#[wasm_bindgen]
pub struct WasmGeneration {
    generation: Generation,
    tokenizer: Option<Tokenizer>,
}

#[wasm_bindgen]
impl WasmGeneration {
    /// `{ id, string, logProb, top, cache }`, or undefined at the end.
    #[wasm_bindgen(js_name = next)]
    pub fn next_step(&mut self) -> Result<JsValue> {
        match self.generation.next_step()? {
            Some(step) => to_js(&StepAnswer::of(step, self.tokenizer.as_ref())?),
            None => Ok(JsValue::UNDEFINED),
        }
    }
}

/// A measurement under way.
#[wasm_bindgen]
pub struct WasmMeasurement {
    measurement: Option<Box<dyn Measurement>>,
}

#[wasm_bindgen]
impl WasmMeasurement {
    pub fn total(&self) -> usize {
        self.measurement.as_ref().map_or(0, |measurement| measurement.total())
    }

    pub fn done(&self) -> usize {
        self.measurement.as_ref().map_or(0, |measurement| measurement.done())
    }

    /// Does the next step; false when there was none left.
    pub fn step(&mut self) -> Result<bool> {
        self.measurement.as_mut().map_or(Ok(false), |measurement| measurement.step())
    }

    /// `{ tables, numbers, texts }`, each by name. Afterwards nothing is left.
    pub fn finish(&mut self) -> Result<JsValue> {
        match self.measurement.take() {
            Some(measurement) => to_js(&FindingsAnswer::of(measurement.finish()?)),
            None => Ok(JsValue::UNDEFINED),
        }
    }
}

#[derive(Serialize)]
struct FindingsAnswer {
    tables: BTreeMap<Cow<'static, str>, TableAnswer>,
    numbers: BTreeMap<&'static str, f32>,
    texts: BTreeMap<&'static str, Vec<String>>,
}

#[derive(Serialize)]
struct TableAnswer {
    #[serde(with = "preserve")]
    data: Float32Array,
    shape: Vec<usize>,
    axes: Vec<&'static str>,
    labels: BTreeMap<&'static str, Vec<String>>,
}

impl From<Table> for TableAnswer {
    fn from(Table { axes, shape, data, labels }: Table) -> TableAnswer {
        TableAnswer { data: data.as_slice().into(), shape, axes, labels }
    }
}

impl FindingsAnswer {
    fn of(findings: Findings) -> FindingsAnswer {
        FindingsAnswer {
            tables: findings.tables.into_iter().map(|(name, found)| (name, found.into())).collect(),
            numbers: findings.numbers.into_iter().collect(),
            texts: findings.texts.into_iter().collect(),
        }
    }
}

/// Makes the function of a JavaScript intervention from its text. It gets the selected values as a `Float32Array` and
/// returns as many numbers, or changes those it got and returns nothing.
///
/// The text is code and runs with the rights of the page's worker: it can reach the network and everything else that
/// the page's origin can. It is compiled with `Function`, so it sees the worker's globals only, and none of
/// the variables of the module that calls it.
fn compile(source: &str) -> Result<intervene::Function> {
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
    // A text that closes one kind of bracket to go on after it does not parse within the other kind.
    construct(format!("return (\n{source}\n);"))?;
    let maker: Function = construct(format!("return [\n{source}\n];"))?.unchecked_into();
    let list: JsArray = maker.call0(&JsValue::UNDEFINED).map_err(thrown)?.unchecked_into();
    let found = if list.length() == 1 { list.get(0) } else { list.into() };
    let function: Function = found.dyn_into().map_err(|found: JsValue| {
        Error::Input(format!("`js` is {}, expected one function (x, info) => …", in_words(&found)))
    })?;
    Ok(Box::new(move |values, selected| {
        let given = Float32Array::from(values.as_slice());
        let returned =
            function.call2(&JsValue::UNDEFINED, &given, &to_js(selected)?).map_err(|thrown| {
                Error::Hook(format!("the function at `{}` threw {}", selected.name, shown(&thrown)))
            })?;
        let returned = if returned.is_undefined() { given.into() } else { returned };
        returned_values(&returned, values.len(), selected)
    }))
}

/// Why a text is no function. Under a policy without `unsafe-eval`, the browser throws an `EvalError`.
fn uncompiled(thrown: &JsValue) -> Error {
    match thrown.dyn_ref::<js_sys::EvalError>() {
        Some(_) => Error::Hook(
            "the page's Content-Security-Policy forbids `js` interventions: expected 'unsafe-eval' in its script-src, or \
             an action that is data"
                .into(),
        ),
        None => Error::Input(format!("`js` is not a function: {}", shown(thrown))),
    }
}

/// What a function returned, once it is `expected` numbers. Nothing is converted before: not texts, holes or BigInts.
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
        return Err(wrong(in_words(returned)));
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
            .map_err(|thrown| wrong(format!("an array that threw {}", shown(&thrown))))?;
        let number = item.as_f64();
        let number = number
            .ok_or_else(|| wrong(format!("an array with {} at index {index}", in_words(&item))))?;
        values.push(number as f32);
    }
    Ok(values)
}

/// Whether a view is a typed array whose entries are numbers: no `DataView`, no BigInts.
fn holds_numbers(view: &JsValue) -> bool {
    let of_big_integers =
        view.has_type::<js_sys::BigInt64Array>() || view.has_type::<js_sys::BigUint64Array>();
    !of_big_integers && !view.has_type::<js_sys::DataView>()
}

/// What was thrown, in words. Nothing of its own is called.
fn shown(thrown: &JsValue) -> String {
    let property =
        |name: &str| Reflect::get(thrown, &name.into()).ok().and_then(|value| value.as_string());
    match (property("name"), property("message")) {
        (Some(name), Some(message)) => format!("{}: {}", shortened(&name), shortened(&message)),
        (None, Some(message)) => shortened(&message).into_owned(),
        _ => in_words(thrown),
    }
}

/// A value in a few words.
fn in_words(value: &JsValue) -> String {
    if let Some(text) = value.as_string() {
        return format!("the text \"{}\"", shortened(&text));
    }
    if let Some(number) = value.as_f64() {
        return format!("the number {number}");
    }
    match value.as_bool() {
        Some(flag) => flag.to_string(),
        None if value.is_null() => "null".into(),
        None => kind_of(value),
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
    report: &'m Report,
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

fn build_name() -> &'static str {
    match kernel::backend() {
        _ if kernel::workers() > 1 => "threads",
        kernel::Backend::Simd => "simd",
        kernel::Backend::Relaxed => "relaxed",
    }
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
    ranks: Vec<Option<u32>>,
    cache: Vec<Captured>,
    gradients: Vec<Captured>,
    head_scores: Option<TableAnswer>,
}

impl RunAnswer {
    fn of(ids: &[u32], run: Run<HandedOver>, head_scores: Option<Table>) -> Result<RunAnswer> {
        let logits = match run.residual() {
            None => Some(Numbers::of(run.logits()?, HookPoint::UnembedOut.axes())?),
            Some(_) => None,
        };
        let residual =
            run.residual().map(|x| Numbers::of(x, HookPoint::Embed.axes())).transpose()?;
        Ok(RunAnswer {
            ids: ids.into(),
            logits,
            residual,
            loss: run.scores.loss(),
            log_probs: run.scores.log_probs.as_slice().into(),
            ranks: run.scores.ranks,
            cache: run.cache.captured,
            gradients: captured(&run.gradients)?,
            head_scores: head_scores.map(TableAnswer::from),
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
    bytes: Vec<u8>,
    log_prob: f32,
}

impl StepAnswer {
    fn of(step: Step, tokenizer: Option<&Tokenizer>) -> Result<StepAnswer> {
        let ids: Vec<u32> = step.top.iter().map(|(id, _)| *id).collect();
        let mut names =
            tokenizer.map(|tokenizer| tokenizer.names(&ids)).transpose()?.into_iter().flatten();
        let top = step.top.into_iter().map(|(id, log_prob)| {
            let (string, bytes) =
                names.next().map(|token| (token.string, token.bytes)).unwrap_or_default();
            Choice { id, string, bytes, log_prob }
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

impl Captured {
    fn of(point: HookPoint, value: &Tensor) -> Result<Captured> {
        Ok(Captured { name: point.to_string(), value: Numbers::of(value, point.axes())? })
    }
}

fn captured(cache: &Cache) -> Result<Vec<Captured>> {
    cache.iter().map(|(point, value)| Captured::of(point, value)).collect()
}

/// What a run captured, copied to JavaScript value by value: while each is in the processor's caches, and so that its
/// memory serves for the next one. Everything about 256 tokens of GPT-2 124M would take 280 MB.
#[derive(Default)]
struct HandedOver {
    captured: Vec<Captured>,
    /// The same here, where scores of heads are to be computed from it.
    to_score: Option<Cache>,
}

impl Sink for HandedOver {
    const KEEPS: bool = false;

    fn take(&mut self, point: HookPoint, value: Tensor) -> Result<()> {
        self.captured.push(Captured::of(point, &value)?);
        self.to_score.as_mut().map_or(Ok(()), |cache| cache.take(point, value))
    }
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
            return Err(Error::Input(format!(
                "the result has dtype {:?}, expected F32; report this as a bug",
                tensor.dtype()
            )));
        };
        Ok(Numbers { data: values[start..end].into(), shape: tensor.dims().to_vec(), axes })
    }
}

fn memory_bytes() -> usize {
    core::arch::wasm32::memory_size(0) * 65536
}

/// Objects and arrays within each other; also what stops one that holds itself.
const DEEPEST: usize = 32;

fn from_js(value: &JsValue) -> Result<Value> {
    value_of(value, DEEPEST)
}

/// A JavaScript value as data. Typed arrays are copied in one go.
fn value_of(value: &JsValue, depth: usize) -> Result<Value> {
    if depth == 0 {
        return Err(Error::Input(format!(
            "the options are nested more than {DEEPEST} deep, expected plain data"
        )));
    }
    // The most frequent kinds first: each question is a call out of wasm.
    if let Some(number) = value.as_f64() {
        return Ok(Value::Number(number));
    }
    if let Some(text) = value.as_string() {
        return Ok(Value::Text(text));
    }
    if value.is_object() {
        return objects(value, depth);
    }
    match value.as_bool() {
        Some(flag) => Ok(Value::Bool(flag)),
        None if value.is_null() => Ok(Value::Null),
        None => Ok(Value::Unsupported(kind_of(value))),
    }
}

fn objects(value: &JsValue, depth: usize) -> Result<Value> {
    if JsArray::is_array(value) {
        let items = value.unchecked_ref::<JsArray>().iter().map(|item| value_of(&item, depth - 1));
        return items.collect::<Result<_>>().map(Value::List);
    }
    if !ArrayBuffer::is_view(value.unchecked_ref()) {
        return fields_of(value.unchecked_ref(), depth);
    }
    Ok(match value.dyn_ref::<Float32Array>() {
        Some(floats) => Value::Floats(floats.to_vec()),
        None if holds_numbers(value) => Value::Numbers(Float64Array::new(value).to_vec()),
        None => Value::Unsupported(kind_of(value)),
    })
}

fn fields_of(object: &js_sys::Object, depth: usize) -> Result<Value> {
    let mut fields = Vec::new();
    for name in js_sys::Object::keys(object).iter() {
        let value = Reflect::get(object, &name).unwrap_or_default();
        if !value.is_undefined() {
            fields.push((name.as_string().unwrap_or_default(), value_of(&value, depth - 1)?));
        }
    }
    Ok(Value::Object(fields))
}

/// The kind of a value that is no data, in words.
fn kind_of(value: &JsValue) -> String {
    let kind = value.js_typeof().as_string().unwrap_or_default();
    match kind.as_str() {
        "undefined" => kind,
        "bigint" => "a BigInt".into(),
        "object" => constructor_of(value)
            .map_or("an object".into(), |name| format!("a value of type {name}")),
        _ => format!("a {kind}"),
    }
}

fn constructor_of(value: &JsValue) -> Option<String> {
    let constructor = Reflect::get(value, &"constructor".into()).ok()?;
    Reflect::get(&constructor, &"name".into()).ok()?.as_string().filter(|name| !name.is_empty())
}

fn to_js<T: Serialize>(value: &T) -> Result<JsValue> {
    let answer = value.serialize(&Serializer::json_compatible());
    answer.map_err(|error| {
        Error::Input(format!(
            "the result cannot be converted to JavaScript ({error}); report this as a bug"
        ))
    })
}
