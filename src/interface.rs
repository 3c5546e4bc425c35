//! The results of calls that are not analyses: the description of a model, a run, a step of a generation, and tokens.
//!
//! [`typescript`] writes the TypeScript types of everything that crosses the boundary.

use crate::analysis;
use crate::calls::{GenerateCallOptions, RunCallOptions};
use crate::checkpoint::{Config, Notice};
use crate::generate;
use crate::hook;
use crate::kernel::{self, WeightFormat};
use crate::model::Parameter;
use crate::named_array::{NamedArray, NamedIds};
use crate::parameter::ParameterOptions;
use crate::tokenizer::{self, Tokenizer};
use crate::wire::{
    Answer, FromValue, HookName, Host, Ids, IntoValue, Nullable, Prompt, ReadAs, TypeScript, Value,
    results, words,
};

results! {
    /// A point of the forward pass whose value can be captured and changed.
    #[derive(Debug, Clone)]
    pub struct HookPoint {
        /// Its name, as in TransformerLens.
        pub name: String,
        /// The names of its axes.
        pub axes: &'static [&'static str],
        /// Whether it is computed only if a name or an intervention asks for it.
        pub on_request: bool,
    }
}

words! {
    /// The build of the compute kernels.
    #[derive(Debug, Clone, Copy)]
    pub enum Build {
        /// Plain SIMD.
        Simd = "simd",
        /// Relaxed SIMD.
        Relaxed = "relaxed",
        /// Several threads.
        Threads = "threads",
    }
}

results! {
    /// How the model is computed.
    #[derive(Debug, Clone)]
    pub struct Backend {
        /// The build of the compute kernels.
        pub build: Build,
        /// How many threads compute.
        pub threads: usize,
        /// The format of weight matrices.
        pub dtype: &'static str,
        /// The size of wasm memory, which all models share. It never shrinks, so it is the maximum so far.
        pub memory_bytes: usize,
    }
}

impl Backend {
    /// The backend in use.
    pub fn new(format: WeightFormat, threads: usize, memory_bytes: usize) -> Backend {
        let build = match kernel::backend() {
            _ if threads > 1 => Build::Threads,
            kernel::Backend::Simd => Build::Simd,
            kernel::Backend::Relaxed | kernel::Backend::RelaxedDot => Build::Relaxed,
        };
        Backend { build, threads, dtype: format.name(), memory_bytes }
    }
}

results! {
    /// What a model was read from.
    #[derive(Debug, Clone)]
    pub struct Checkpoint {
        /// Whose names and layout its tensors have, such as "Hugging Face GPT-2" or "nanoGPT".
        pub family: String,
        /// The format of its files, such as "safetensors" or "PyTorch".
        pub format: String,
    }
}

results! {
    /// Tokens of a text, or the names of ids.
    #[derive(Debug, Clone)]
    pub struct Tokens {
        /// The ids.
        pub ids: Ids,
        /// The string of each. Those of a text, joined, are the text.
        pub strings: Vec<String>,
        /// The bytes of each, for a token that holds part of a character.
        pub bytes: Vec<Vec<u8>>,
    }
}

impl From<Vec<tokenizer::Token>> for Tokens {
    fn from(tokens: Vec<tokenizer::Token>) -> Tokens {
        let ids = tokens.iter().map(|token| token.id).collect();
        let (strings, bytes) = tokens.into_iter().map(|token| (token.string, token.bytes)).unzip();
        Tokens { ids: Ids(ids), strings, bytes }
    }
}

results! {
    /// One forward pass. T is the number of tokens, V the size of the vocabulary.
    pub struct Run {
        /// The tokens that were run, over `pos`.
        pub ids: NamedIds,
        /// [1, T, V] over `batch pos vocab`; null if the run stopped at a layer.
        pub logits: Host<NamedArray>,
        /// [1, T, d_model] over `batch pos d_model`, if the run stopped at a layer; otherwise null.
        pub residual: Nullable<Host<NamedArray>>,
        /// The mean of -logProbs; null for a single token.
        pub loss: Nullable<f32>,
        /// The log-probability of each true next token in nats, over `pos`: T - 1 numbers, the first of which is about the
        /// second token.
        pub log_probs: NamedArray,
        /// How many tokens have a greater logit than the true next token, as `logProbs`: 0 if it was the first choice, NaN if the
        /// logits are not finite.
        pub ranks: NamedArray,
        /// What was captured.
        pub cache: Host<Cache>,
        /// The scores of heads: axes `score layer head`, labelled; null unless the option asks for them.
        pub head_scores: Nullable<NamedArray>,
    }
}

results! {
    /// A probable next token.
    #[derive(Debug, Clone)]
    pub struct Choice {
        /// Its id.
        pub id: u32,
        /// Its string.
        pub string: String,
        /// Its bytes, for a token that holds part of a character.
        pub bytes: Vec<u8>,
        /// Its log-probability in nats, before penalties, temperature, topK and topP.
        pub log_prob: f32,
    }
}

results! {
    /// One token of a generation.
    pub struct Step {
        /// Its id.
        pub id: u32,
        /// The characters that are complete with this token; empty without a tokenizer.
        pub string: String,
        /// Its log-probability in nats, before penalties, temperature, topK and topP.
        pub log_prob: f32,
        /// The most probable tokens, the most probable first.
        pub top: Vec<Choice>,
        /// What was captured: only the new positions if keys and values are cached.
        pub cache: Host<Cache>,
    }
}

impl Step {
    /// A step and its captured values, which the host holds.
    ///
    /// # Errors
    /// As [`Tokenizer::names`].
    pub fn new(
        step: generate::Step,
        tokenizer: Option<&Tokenizer>,
        cache: Value,
    ) -> crate::Result<Step> {
        let ids: Vec<u32> = step.top.iter().map(|(id, _)| *id).collect();
        let names = tokenizer.map(|tokenizer| tokenizer.names(&ids)).transpose()?;
        let mut names = names.into_iter().flatten();
        let choice = |(id, log_prob)| {
            let named = names.next().map(|token| (token.string, token.bytes));
            let (string, bytes) = named.unwrap_or_default();
            Choice { id, string, bytes, log_prob }
        };
        Ok(Step {
            id: step.id,
            string: step.string,
            log_prob: step.log_prob,
            top: step.top.into_iter().map(choice).collect(),
            cache: Host::new(cache),
        })
    }
}

/// The class `Cache` of JavaScript.
pub struct Cache;

impl IntoValue for Cache {
    fn into_value(self) -> Value {
        Value::Null
    }

    fn typescript(types: &mut TypeScript) -> String {
        types.import("./cache.js", "Cache")
    }
}

impl From<&hook::HookPoint> for HookPoint {
    fn from(point: &hook::HookPoint) -> HookPoint {
        HookPoint { name: point.to_string(), axes: point.axes(), on_request: point.on_request() }
    }
}

/// The first lines of `www/api/generated.ts`.
const HEADER: &str = "\
// The options and results of the calls, as Rust declares them. Generated: do not edit. To write it again, run
// `UPDATE_TYPES=1 cargo test --test typescript`.
//
// Options that do not leave the page (`signal`, `onProgress`, `onShow`) are declared in options.ts.

";

/// The TypeScript module with the types of all options and results: `www/api/generated.ts`.
pub fn typescript() -> String {
    let mut types = TypeScript::default();
    let types_of = &mut types;
    <Prompt as ReadAs<Vec<u32>>>::typescript_as(types_of);
    <Answer as ReadAs<u32>>::typescript_as(types_of);
    <HookName as ReadAs<String>>::typescript_as(types_of);
    Config::typescript(types_of);
    Parameter::typescript(types_of);
    ParameterOptions::typescript(types_of);
    HookPoint::typescript(types_of);
    Backend::typescript(types_of);
    Checkpoint::typescript(types_of);
    Notice::typescript(types_of);
    Tokens::typescript(types_of);
    types_of.alias(
        "Transform",
        &["A rewriting of the weights that leaves the predictions as they are."],
        |_| {
            let names = crate::transform::names().map(|name| format!("\"{name}\""));
            names.collect::<Vec<_>>().join(" | ")
        },
    );
    RunCallOptions::typescript(types_of);
    Run::typescript(types_of);
    GenerateCallOptions::typescript(types_of);
    Step::typescript(types_of);
    analysis::typescript(types_of);
    types.module(HEADER)
}
