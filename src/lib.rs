//! A lab for looking inside GPT-2 models.
//!
//! Load a checkpoint, run it with every activation readable and writable by its TransformerLens name, and generate
//! with hooks active. The same code runs natively and, compiled to WebAssembly, in a browser tab.
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
//! # Hooks
//!
//! A run calls [`Hooks`] at every hook point that they want. This one removes what the MLPs write, and measures the
//! residual stream after each block:
//!
//! ```
//! use candle_core::{Device, Tensor};
//! use candlescope::{BlockPoint, HookContext, HookPoint, Hooks, Result};
//!
//! #[derive(Default)]
//! struct WithoutMlps {
//!     norms: Vec<f32>,
//! }
//!
//! impl Hooks for WithoutMlps {
//!     fn wants(&self, point: HookPoint) -> bool {
//!         matches!(point, HookPoint::Block(_, BlockPoint::MlpOut | BlockPoint::ResidPost))
//!     }
//!
//!     fn visit(&mut self, context: HookContext, value: Tensor) -> Result<Tensor> {
//!         if let HookPoint::Block(_, BlockPoint::MlpOut) = context.point {
//!             return Ok(value.zeros_like()?); // the run continues with this value
//!         }
//!         self.norms.push(value.sqr()?.sum_all()?.sqrt()?.to_scalar()?);
//!         Ok(value)
//!     }
//! }
//!
//! # fn random_model() -> Result<candlescope::Model> {
//! #     use candlescope::{Config, Model, Weights, expected_shapes};
//! #     let config = Config { n_layer: 2, n_head: 2, n_embd: 8, n_positions: 16, vocab_size: 10, ..Config::default() };
//! #     let random = |shape: Vec<usize>| Tensor::randn(0f32, 0.1, shape, &Device::Cpu);
//! #     let named = |(name, shape)| Ok((name, random(shape)?));
//! #     let tensors = expected_shapes(&config).into_iter().map(named).collect::<Result<_>>()?;
//! #     Model::new(config.clone(), &Weights::from_tensors(&config, tensors)?)
//! # }
//! let model = random_model()?; // two blocks, a vocabulary of ten tokens
//! let tokens = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu)?; // [batch, pos]
//! let mut hooks = WithoutMlps::default();
//! let logits = model.forward(&tokens, None, &mut hooks)?;
//! assert_eq!(logits.dims(), [1, 3, 10]); // [batch, pos, vocab]
//! assert_eq!(hooks.norms.len(), 2);
//! # Ok::<(), candlescope::Error>(())
//! ```
//!
//! An [`Intervention`] is such a change as a value, which can be printed, stored and sent.
//!
//! # Generation
//!
//! A [`Generation`] gives one token at a time. With a [`Tokenizer`], each [`Step`] has the token's text too.
//!
//! ```
//! use candlescope::{GenerateOptions, Generation};
//!
//! # use candle_core::{Device, Tensor};
//! # use candlescope::{Config, Model, Result, Weights, expected_shapes};
//! # fn random_model() -> Result<Model> {
//! #     let config = Config { n_layer: 2, n_head: 2, n_embd: 8, n_positions: 16, vocab_size: 10, ..Config::default() };
//! #     let random = |shape: Vec<usize>| Tensor::randn(0f32, 0.1, shape, &Device::Cpu);
//! #     let named = |(name, shape)| Ok((name, random(shape)?));
//! #     let tensors = expected_shapes(&config).into_iter().map(named).collect::<Result<_>>()?;
//! #     Model::new(config.clone(), &Weights::from_tensors(&config, tensors)?)
//! # }
//! let model = random_model()?; // two blocks, a vocabulary of ten tokens
//! let options = GenerateOptions {
//!     max_new_tokens: 5,
//!     do_sample: true,
//!     temperature: 0.8,
//!     ..GenerateOptions::default()
//! };
//! let mut generation = Generation::new(&model, None, &[1, 2, 3], options)?;
//! while let Some(step) = generation.next_step()? {
//!     println!("token {} with log-probability {:.2}", step.id, step.log_prob);
//! }
//! assert_eq!(generation.tokens().len(), 3 + 5);
//! # Ok::<(), candlescope::Error>(())
//! ```
//!
//! # Modules
//!
//! Data flows one way, and a module imports only from those before it: [`error`], [`named_array`], [`kernel`],
//! [`checkpoint`], [`hook`], [`model`], [`tokenizer`], [`intervene`], [`mod@run`], [`generate`], [`transform`], [`parameter`], [`lab`],
//! [`analysis`], [`python`], [`calls`], [`interface`], [`load`], and at the end `wasm`, which exists only in a browser.

#![warn(missing_docs)]

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
pub mod parameter;
pub mod python;
pub mod run;
pub mod tokenizer;
pub mod transform;
mod wire;

#[cfg(target_arch = "wasm32")]
pub mod wasm;

pub use checkpoint::{
    Config, Normalization, PositionEmbedding, Weights, WeightsReader, expected_shapes,
};
pub use error::{Error, Result};
pub use generate::{BatchGeneration, GenerateOptions, Generation, Step};
pub use hook::{BlockPoint, Chain, HookContext, HookPoint, Hooks, NoHooks, PerRow, Selector};
pub use intervene::{Action, Choice, Intervention, Plan, Source, TextLength, Values};
pub use kernel::Activation;
pub use model::{KvCache, Model, Parameter, ParameterView};
pub use named_array::{NO_TOKEN, NamedArray, NamedIds};
pub use run::{
    Cache, Capture, Objective, Run, RunOptions, Scores, Sink, Start, means, run, run_batch,
    run_batch_into, run_into, run_with_cache,
};
pub use tokenizer::{TextStream, Token, Tokenizer};
pub use wire::{HostValue, Value};
