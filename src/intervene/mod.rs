//! Interventions: values that say where a run is changed and how, and the [`Plan`] that applies them.
//!
//! An [`Intervention`] can be printed, stored as JSON and sent. A [`Plan`] resolves a list of them against a model and
//! a prompt, refuses those that select nothing, and is the [`Hooks`](crate::Hooks) of a run or of a generation.
//!
//! Positions are those of the text: 0 is its first token, -1 the last token *of the prompt*. Generated tokens follow
//! the prompt: the token of step `s` is at position `prompt length + s - 1`. An intervention therefore names the same positions
//! with and without cached keys and values, and wherever a cropped context begins.
//!
//! Each file imports only from those before it: `types`, `selection`, `source`, `python`, `effect`, `fitted`,
//! `actions`, `intervention`, `resolve`, `plan`. A new action is one file in `actions/` and its registration in `actions/mod.rs`.

mod actions;
mod effect;
mod fitted;
mod intervention;
mod plan;
mod python;
mod resolve;
mod selection;
mod source;
mod types;

pub use actions::*;
pub use intervention::Intervention;
pub use plan::Plan;
pub(crate) use python::{Helper, PythonLine, tensor};
pub(crate) use resolve::{Change, check_rows, interventions_of_row};
pub(crate) use selection::Scope;
pub(crate) use types::expect_position;
pub use types::{Choice, Compiler, Function, Selected, Source, TextLength, Values};
