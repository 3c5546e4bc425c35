//! The errors of this crate. Each kind has a stable name, which JavaScript sees as `Error.name`.
//!
//! A message says what was expected, what was found and where. A panic anywhere in this crate is a bug in this crate.

use std::borrow::Cow;
use std::fmt::Display;

/// The result of every fallible function in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error, by the input that caused it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `config.json` lacks a field, or holds a value that no GPT-2 has.
    #[error("config.json: {0}")]
    Config(String),
    /// The config of a model cannot be used, or lacks fields that its files do not show.
    #[error("{place}: {message}")]
    ConfigOf {
        /// Where the config is, such as `config.json` or `the config in ckpt.pt`.
        place: String,
        /// What is wrong with it, and what to do.
        message: String,
        /// The fields that the option `config` must say.
        missing: Vec<MissingField>,
    },
    /// A safetensors file is damaged, or does not hold the tensors that its config promises.
    #[error("{0}")]
    Weights(String),
    /// A tokenizer's files cannot be read, or it cannot encode a text.
    #[error("{0}")]
    Tokenizer(String),
    /// The `tokenizers` crate refused `tokenizer.json` or a text.
    #[error("tokenizer.json: {0}")]
    TokenizersCrate(#[source] tokenizers::Error),
    /// A hook point's name, a selector or a value does not fit the model.
    #[error("hook: {0}")]
    Hook(String),
    /// A prompt, an id or an option does not fit the model.
    #[error("input: {0}")]
    Input(String),
    /// A file could not be fetched.
    #[error("network: {0}")]
    Network(String),
    /// The weights or a run need more memory than can be allocated.
    #[error("memory: {0}")]
    Memory(String),
    /// The caller's `AbortSignal` fired.
    #[error("aborted: {0}")]
    Abort(String),
    /// A tensor operation failed. Shapes are checked before, so this is a bug in this crate.
    #[error("internal: {0}")]
    Candle(#[from] candle_core::Error),
    /// A value of this crate could not be written as JSON, which is a bug in this crate.
    #[error("internal: {0}")]
    Json(#[source] serde_json::Error),
}

/// A field of the config that the files of a model do not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingField {
    /// Such as `n_head`.
    pub field: &'static str,
    /// The values that fit the files.
    pub choices: Vec<FieldChoice>,
}

/// A value that a field of the config may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldChoice {
    /// A size.
    Number(usize),
    /// A word.
    Word(&'static str),
}

impl Display for FieldChoice {
    fn fmt(&self, to: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            FieldChoice::Number(number) => write!(to, "{number}"),
            FieldChoice::Word(word) => write!(to, "\"{word}\""),
        }
    }
}

impl Error {
    /// What the files of a model do not say about it; empty for other errors.
    pub fn missing_fields(&self) -> &[MissingField] {
        match self {
            Error::ConfigOf { missing, .. } => missing,
            _ => &[],
        }
    }

    /// The value of `Error.name` in JavaScript: `"ConfigError"`, `"WeightsError"`, and so on.
    pub fn name(&self) -> &'static str {
        match self {
            Error::Config(_) | Error::ConfigOf { .. } => "ConfigError",
            Error::Weights(_) => "WeightsError",
            Error::Tokenizer(_) | Error::TokenizersCrate(_) => "TokenizerError",
            Error::Hook(_) => "HookError",
            Error::Input(_) => "InputError",
            Error::Network(_) => "NetworkError",
            Error::Memory(_) => "MemoryError",
            Error::Abort(_) => "AbortError",
            Error::Candle(_) | Error::Json(_) => "InternalError",
        }
    }
}

/// The messages that are needed in several modules.
impl Error {
    /// `what` names the index and its value, such as `token id 61`.
    pub(crate) fn out_of_range(what: impl Display, length: usize) -> Error {
        Error::Input(format!("{what} is out of range, expected below {length}"))
    }

    /// `what` names an index that is counted from the end of `length` if it is negative.
    pub(crate) fn index_out_of_range(what: impl Display, index: i64, length: usize) -> Error {
        let last = length.saturating_sub(1);
        Error::Input(format!("{what} {index} is out of range, expected -{length} to {last}"))
    }

    /// `position` is counted from the end of the text if it is negative.
    pub(crate) fn position_out_of_range(position: impl Display, length: usize) -> Error {
        Error::Input(format!("position {position} is out of range for {length} tokens"))
    }

    pub(crate) fn no_such_head([layer, head]: [usize; 2], [layers, heads]: [usize; 2]) -> Error {
        Error::Input(format!(
            "there is no head {head} in layer {layer}: the model has {layers} layers of {heads} heads"
        ))
    }

    /// Says which text of a batch the error is about, if there are several.
    pub(crate) fn in_row(self, row: usize, rows: usize) -> Error {
        if rows < 2 { self } else { self.about(format_args!("text {row} of the batch")) }
    }

    /// Puts what the error is about in front of its message.
    pub(crate) fn about(self, what: impl Display) -> Error {
        let about = |message: String| format!("{what}: {message}");
        match self {
            Error::Input(message) => Error::Input(about(message)),
            Error::Hook(message) => Error::Hook(about(message)),
            Error::Weights(message) => Error::Weights(about(message)),
            Error::Tokenizer(message) => Error::Tokenizer(about(message)),
            other => other,
        }
    }

    pub(crate) fn no_token() -> Error {
        Error::Input("there is no token, expected at least one".into())
    }

    pub(crate) fn loss_of_one_token() -> Error {
        Error::Input("the loss needs at least two tokens, found one".into())
    }

    pub(crate) fn context_too_long(length: usize, n_positions: usize) -> Error {
        Error::Input(format!(
            "the context has {length} tokens, expected at most {n_positions} (the model's `n_positions`)"
        ))
    }

    /// A JavaScript function at a hook point returned an array of another length.
    pub(crate) fn returned_count(
        point: impl Display,
        found: impl Display,
        shape: &[usize],
    ) -> Error {
        let expected: usize = shape.iter().product();
        Error::Hook(format!(
            "the function at `{point}` returned {found} values, expected {expected} for shape {shape:?}"
        ))
    }

    pub(crate) fn matrix_not_packed() -> Error {
        Error::Weights("a matrix that is not packed cannot be stored; report this as a bug".into())
    }

    /// Puts the file's name in front of a message about weights.
    pub(crate) fn in_file(self, name: &str) -> Error {
        match self {
            Error::Weights(reason) => Error::Weights(format!("{name}: {reason}")),
            other => other,
        }
    }
}

/// The maximum number of characters that a message quotes of a text.
const QUOTED_CHARS: usize = 100;

/// `text`, or its beginning and its length if it is long, for a message.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(QUOTED_CHARS) {
        Some((end, _)) => Cow::Owned(format!("{}… ({} bytes)", &text[..end], text.len())),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn an_error_that_wraps_another_gives_it_as_its_source() {
        let tokenizers = Error::TokenizersCrate("a word is too long".into());
        assert_eq!(tokenizers.to_string(), "tokenizer.json: a word is too long");
        assert_eq!(tokenizers.source().map(ToString::to_string), Some("a word is too long".into()));
        let candle = Error::from(candle_core::Error::Msg("a shape".into()));
        assert_eq!(candle.name(), "InternalError");
        assert!(candle.source().is_some());
    }
}
