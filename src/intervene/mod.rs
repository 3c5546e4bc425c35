//! Interventions: plain values that say where a run is changed and how, and the [`Plan`] that carries them out.
//!
//! An [`Intervention`] can be printed, stored as JSON and sent. A [`Plan`] resolves a list of them against a model and
//! a prompt, refuses what would select nothing, and then is the [`Hooks`] of a run or of a generation.
//!
//! Positions are those of the text: 0 is its first token, -1 the last token *of the prompt*. Generated tokens follow
//! the prompt, the token of step `s` at position `prompt length + s - 1`, so that an intervention names the same
//! places whether or not keys and values are cached, and wherever a cropped context begins.

mod edges;
mod plan;
mod resolve;
mod selection;
mod value;

pub(crate) use plan::{Change, Effect, Rows};
pub use plan::{Compiler, Function, Plan, Selected, TextLength};
pub(crate) use resolve::expect_position;
pub(crate) use selection::rows_of;
pub use value::{Action, Array, Choice, Edge, FORMS, Intervention, Named, Source, Values};
