//! What can go wrong, each kind with the stable name that a JavaScript caller sees as `Error.name`.
//!
//! A message says what was expected and what was found. A panic anywhere in this crate is a bug of ours.

use std::borrow::Cow;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure, by whose input it is about.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `config.json` is missing a field, or holds a value that no GPT-2 has.
    #[error("config.json: {0}")]
    Config(String),
    /// A safetensors file is damaged, or does not hold the tensors its config promises.
    #[error("{0}")]
    Weights(String),
    /// `tokenizer.json` cannot be read, or cannot encode a text.
    #[error("tokenizer.json: {0}")]
    Tokenizer(String),
    /// A hook point's name, selector or value does not fit the model.
    #[error("hook: {0}")]
    Hook(String),
    /// A prompt, an id or an option does not fit the model.
    #[error("input: {0}")]
    Input(String),
    /// A file could not be fetched.
    #[error("network: {0}")]
    Network(String),
    /// The memory that the weights or a run need cannot be had.
    #[error("memory: {0}")]
    Memory(String),
    /// The caller's `AbortSignal` fired.
    #[error("aborted: {0}")]
    Abort(String),
    /// A tensor operation failed: shapes were checked before, so this is a bug of ours.
    #[error("internal: {0}")]
    Candle(#[from] candle_core::Error),
}

impl Error {
    /// The name that `api` promises to JavaScript: `"ConfigError"`, `"WeightsError"`, ….
    pub fn name(&self) -> &'static str {
        match self {
            Error::Config(_) => "ConfigError",
            Error::Weights(_) => "WeightsError",
            Error::Tokenizer(_) => "TokenizerError",
            Error::Hook(_) => "HookError",
            Error::Input(_) => "InputError",
            Error::Network(_) => "NetworkError",
            Error::Memory(_) => "MemoryError",
            Error::Abort(_) => "AbortError",
            Error::Candle(_) => "InternalError",
        }
    }
}

/// What is quoted of a text from outside, in characters.
const QUOTED: usize = 100;

/// The text, or its beginning if it is long, for a message.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => Cow::Owned(format!("{}… ({} bytes)", &text[..end], text.len())),
        None => Cow::Borrowed(text),
    }
}

/// The up to `count` of `known` that are spelled most like `word`, for the end of a message.
pub(crate) fn nearest<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
    count: usize,
) -> String {
    let word = word.char_indices().nth(QUOTED).map_or(word, |(end, _)| &word[..end]); // the comparison is quadratic
    let mut ranked: Vec<(f64, &str)> =
        known.into_iter().map(|name| (strsim::jaro_winkler(word, name), name)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    ranked.iter().take(count).map(|(_, name)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
