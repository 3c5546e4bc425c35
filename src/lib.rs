//! A lab for looking inside GPT-2 models.
//!
//! Load a checkpoint, run it with every activation readable and writable by its TransformerLens name, generate with
//! hooks active. The same code runs natively and, compiled to WebAssembly, in a browser tab.
//!
//! ```no_run
//! use candlescope::{Config, Model, Tokenizer, Weights, run_with_cache};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = std::path::Path::new("models/shakespeare");
//! let config = Config::from_json(&std::fs::read_to_string(folder.join("config.json"))?)?;
//! let weights = Weights::from_bytes(&config, &std::fs::read(folder.join("model.safetensors"))?)?;
//! let tokenizer = Tokenizer::from_json(&std::fs::read(folder.join("tokenizer.json"))?)?;
//! let model = Model::new(config, &weights)?;
//!
//! let tokens = tokenizer.encode("To be, or not to be")?;
//! let run = run_with_cache(&model, &tokens, &["blocks.*.attn.hook_pattern"])?;
//! println!("{:?}, loss {:?}", run.cache.names(), run.scores.loss());
//! # Ok(()) }
//! ```
//!
//! Data flows one way, and a file uses only those above it: [`error`], [`config`], [`weights`], [`hook`], [`kernel`],
//! [`model`], [`tokenizer`], [`intervene`], [`run`], [`generate`], [`store`], and at the end `download`, `fetch` and
//! `wasm`, which exist in a browser alone.

pub mod analysis;
pub mod config;
pub mod error;
pub mod generate;
mod header;
pub mod hook;
pub mod index;
pub mod intervene;
mod json;
pub mod kernel;
pub mod lab;
mod magic;
pub mod model;
mod nearest;
pub mod python;
pub mod report;
mod role;
pub mod run;
pub mod store;
pub mod tokenizer;
pub mod transform;
pub mod weights;
mod wire;

#[cfg(target_arch = "wasm32")]
mod download;
#[cfg(target_arch = "wasm32")]
pub mod fetch;
#[cfg(target_arch = "wasm32")]
pub mod wasm;

pub use config::{Activation, Config};
pub use error::{Error, Result};
pub use generate::{GenerateOptions, Generation, Step};
pub use hook::{BlockPoint, Chain, HookContext, HookPoint, Hooks, NoHooks, Selector};
pub use intervene::{Action, Array, Choice, Intervention, Plan, Source, TextLength, Values};
pub use model::{KvCache, Model, Parameter};
pub use run::{
    Cache, Capture, Objective, Run, RunOptions, Scores, Sink, Start, means, run, run_into,
    run_with_cache,
};
pub use tokenizer::{TextStream, Token, Tokenizer};
pub use weights::{Weights, WeightsReader, expected_shapes};
pub use wire::Value;
