//! The schema of everything that crosses the boundary: options, read strictly, and results, with their TypeScript types.
//!
//! An option is declared once, in an [`options!`] struct beside the function that uses it: its name, type, default and
//! documentation. The declaration gives:
//!
//! - the Rust struct,
//! - the reader ([`FromValue`]), which takes a [`Value`] from JavaScript or JSON. An unknown field, a missing one and a
//!   value of another type are each an [`Error::Input`] with the path (`interventions[0].position`), what was expected
//!   there, and the nearest known name,
//! - the interface in `www/api/generated.ts` ([`TypeScript`]).
//!
//! A result is declared once in a [`results!`] struct, which gives the Rust struct, the conversion to a [`Value`]
//! ([`IntoValue`]) and the interface.
//!
//! `docs/decisions/options.md` says why this is not serde and ts-rs.

mod declare;
mod from_value;
mod index;
mod into_value;
mod json_number;
mod model_context;
mod node;
mod object;
mod prompt;
mod typescript;
mod value;

pub(crate) use declare::{
    alternatives, camel, camel_case, camel_length, checked, options, result_field, results, words,
};
pub use from_value::{FromValue, List, OneOrMany, Optional, ReadAs};
pub use index::{Head, Layer, LayerBoundary};
pub(crate) use index::{expect_index, resolve_index};
pub use into_value::{Host, Ids, IntoValue, Nullable};
pub use json_number::{number, numbers};
pub use model_context::{ModelContext, NoModel};
pub use node::Node;
pub use object::{Fields, Object};
pub use prompt::{Answer, HookName, HookNames, Prompt, PromptAfterBos, Prompts, Request, Texts};
pub use typescript::{Interface, TypeScript};
pub use value::{HostValue, Value};

use crate::error::Result;

/// Reads the options of `call`. `also` are the names of options that the caller has handled itself, for messages.
pub(crate) fn read<T: FromValue>(call: &str, also: &[&'static str], value: &Value) -> Result<T> {
    read_with(&NoModel, call, also, value)
}

/// As [`read`], for options of a call to a model: texts are read as token ids, and negative layers and heads count from the end.
pub(crate) fn read_with<T: FromValue>(
    model: &dyn ModelContext,
    call: &str,
    also: &[&'static str],
    value: &Value,
) -> Result<T> {
    T::from_value(Node::root(value, node::Root { call, also, model }))
}

/// Reads one value as `W`. `what` names it in messages: "the input".
pub(crate) fn read_as<T, W: ReadAs<T>>(
    model: &dyn ModelContext,
    what: &str,
    value: &Value,
) -> Result<T> {
    W::read_as(Node::root(value, node::Root { call: what, also: &[], model }))
}

/// Options with their defaults.
///
/// # Panics
/// If an option of `T` has no default.
pub(crate) fn defaults<T: FromValue>() -> T {
    read("the defaults", &[], &Value::Object(Vec::new())).expect("every option has a default")
}
