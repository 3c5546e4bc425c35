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
//! Data flows one way, and a module imports only from those before it: [`error`], [`kernel`], [`checkpoint`],
//! [`tokenizer`], [`load`], [`hook`], [`model`], [`intervene`], [`run`], [`generate`], [`analysis`], [`lab`], and at the
//! end `wasm`, which exists only in a browser.

pub mod analysis;
pub mod calls;
pub mod checkpoint;
pub mod error;
pub mod generate;
pub mod hook;
pub mod interface;
pub mod intervene;
pub mod kernel;
pub mod lab;
pub mod load;
pub mod model;
pub mod named_array;
mod nearest;
pub mod python;
pub mod run;
pub mod tokenizer;
pub mod transform;
mod wire;

#[cfg(target_arch = "wasm32")]
pub mod wasm;

pub use checkpoint::{Config, Weights, WeightsReader, expected_shapes};
pub use error::{Error, Result};
pub use generate::{GenerateOptions, Generation, Step};
pub use hook::{BlockPoint, Chain, HookContext, HookPoint, Hooks, NoHooks, Selector};
pub use intervene::{Action, Choice, Intervention, Plan, Source, TextLength, Values};
pub use kernel::Activation;
pub use model::{KvCache, Model, Parameter};
pub use named_array::NamedArray;
pub use run::{
    Cache, Capture, Objective, Run, RunOptions, Scores, Sink, Start, means, run, run_into,
    run_with_cache,
};
pub use tokenizer::{TextStream, Token, Tokenizer};
pub use wire::{HostValue, Value};
