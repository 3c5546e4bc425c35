//! One run and one generation: their options from plain data.

use candle_core::{Device, Tensor};

use super::{Lab, Metric, Prompt};
use crate::error::{Error, Result};
use crate::generate::GenerateOptions;
use crate::intervene::{Array, Intervention};
use crate::run::{RunOptions, Start};
use crate::wire::{self, FromValue, Value, fields};

/// What a call of `runWithCache` asks for.
pub struct RunCall {
    pub ids: Vec<u32>,
    pub options: RunOptions,
    /// Whether the captured patterns are to be measured, see [`crate::analysis::heads`].
    pub head_scores: bool,
}

impl Lab {
    /// The tokens and options of a run.
    ///
    /// # Errors
    /// [`Error::Input`] when the request is malformed or the input does not fit the model.
    pub fn run_call(&self, input: &Value, options: &Value) -> Result<RunCall> {
        let request: RunRequest = parse("runWithCache", options)?;
        let gradients_of =
            request.gradients_of.map(|metric| self.objective(&metric)).transpose()?;
        let options = RunOptions {
            names: request.names,
            interventions: request.interventions,
            positions: request.positions,
            stop_at_layer: request.stop_at_layer,
            start: request.start_at.map(StartRequest::start).transpose()?,
            gradients_of,
            compiler: self.compiler.clone(),
        };
        let ids = self.prompt_ids(input, request.prepend_bos)?;
        Ok(RunCall { ids, options, head_scores: request.head_scores })
    }

    /// The prompt and options of a generation.
    ///
    /// # Errors
    /// As [`Lab::run_call`].
    pub fn generate_call(
        &self,
        input: &Value,
        options: &Value,
    ) -> Result<(Vec<u32>, GenerateOptions)> {
        let request: GenerateRequest = parse("generate", options)?;
        let ids = self.prompt_ids(input, request.prepend_bos)?;
        Ok((ids, GenerateOptions { compiler: self.compiler.clone(), ..request.into() }))
    }

    fn prompt_ids(&self, input: &Value, prepend_bos: bool) -> Result<Vec<u32>> {
        let mut ids = self.ids(&wire::read("the input", &[], input)?)?;
        if prepend_bos {
            ids.insert(0, self.bos()?);
        }
        Ok(ids)
    }

    /// # Errors
    /// [`Error::Input`] when the config names no such token.
    pub fn bos(&self) -> Result<u32> {
        self.model.config().bos_token_id.ok_or_else(|| {
            Error::Input("`prependBos` is true, but the config has no `bos_token_id`".into())
        })
    }
}

/// Ids from plain data.
///
/// # Errors
/// [`Error::Input`] when the value is not an array of token ids.
pub fn token_ids(value: &Value) -> Result<Vec<u32>> {
    match wire::read("the input", &[], value)? {
        Prompt::Ids(ids) => Ok(ids),
        Prompt::Text(_) => {
            Err(Error::Input("the input is a text, expected an array of token ids".into()))
        }
    }
}

/// Options that the caller handles itself, for messages.
const HANDLED_BY_CALLER: [&str; 1] = ["signal"];

fn parse<T: FromValue>(call: &str, options: &Value) -> Result<T> {
    wire::read(call, &HANDLED_BY_CALLER, options)
}

struct StartRequest {
    layer: usize,
    resid: Array,
}

fields! { StartRequest { layer: "layer", resid: "resid" } }

impl StartRequest {
    fn start(self) -> Result<Start> {
        let expected = self.resid.expected_length();
        let Array { shape, data } = self.resid;
        if Some(data.len()) != expected {
            let (found, expected) =
                (data.len(), expected.map_or("more".into(), |count| count.to_string()));
            return Err(Error::Input(format!(
                "`startAt.resid` of runWithCache has {found} values, expected {expected} for its shape {shape:?}"
            )));
        }
        Ok(Start { layer: self.layer, resid: Tensor::from_vec(data, shape, &Device::Cpu)? })
    }
}

struct RunRequest {
    prepend_bos: bool,
    names: Vec<String>,
    interventions: Vec<Intervention>,
    positions: Option<Vec<i64>>,
    stop_at_layer: Option<usize>,
    start_at: Option<StartRequest>,
    gradients_of: Option<Metric>,
    head_scores: bool,
}

fields! { RunRequest {
    prepend_bos: "prependBos" or false,
    names: "names" or Vec::new(),
    interventions: "interventions" or Vec::new(),
    positions: "positions" optional,
    stop_at_layer: "stopAtLayer" optional,
    start_at: "startAt" optional,
    gradients_of: "gradientsOf" optional,
    head_scores: "headScores" or false,
} }

struct GenerateRequest {
    prepend_bos: bool,
    max_new_tokens: Option<usize>,
    do_sample: Option<bool>,
    temperature: Option<f64>,
    top_k: Option<usize>,
    top_p: Option<f64>,
    seed: Option<u64>,
    stop: Vec<String>,
    stop_at_eos: Option<bool>,
    top: Option<usize>,
    names: Vec<String>,
    interventions: Vec<Intervention>,
    use_cache: Option<bool>,
}

fields! { GenerateRequest {
    prepend_bos: "prependBos" or false,
    max_new_tokens: "maxNewTokens" optional,
    do_sample: "doSample" optional,
    temperature: "temperature" optional,
    top_k: "topK" optional,
    top_p: "topP" optional,
    seed: "seed" optional,
    stop: "stop" or Vec::new(),
    stop_at_eos: "stopAtEos" optional,
    top: "top" optional,
    names: "names" or Vec::new(),
    interventions: "interventions" or Vec::new(),
    use_cache: "useCache" optional,
} }

impl From<GenerateRequest> for GenerateOptions {
    fn from(request: GenerateRequest) -> GenerateOptions {
        let default = GenerateOptions::default();
        GenerateOptions {
            max_new_tokens: request.max_new_tokens.unwrap_or(default.max_new_tokens),
            do_sample: request.do_sample.unwrap_or(default.do_sample),
            temperature: request.temperature.unwrap_or(default.temperature),
            top_k: request.top_k,
            top_p: request.top_p,
            seed: request.seed.unwrap_or(default.seed),
            stop: request.stop,
            stop_at_eos: request.stop_at_eos.unwrap_or(default.stop_at_eos),
            top: request.top.unwrap_or(default.top),
            names: request.names,
            interventions: request.interventions,
            use_cache: request.use_cache.unwrap_or(default.use_cache),
            compiler: None,
        }
    }
}
