//! [`tokenizer_json`]: the tokenizer files of a model, whatever their kind, to the bytes of one `tokenizer.json`.
//!
//! `content` recognizes a file by what it holds. `gpt2`, `ranks` and `characters` each make a `tokenizer.json` of one
//! kind of tokenizer, with the added tokens that `settings` finds. `choice` decides between several tokenizers. What
//! was ignored or assumed is a notice in the `tokenizer.json`, which [`Tokenizer::report`](super::Tokenizer::report) gives.

mod characters;
mod choice;
mod content;
mod gpt2;
mod merges;
mod ranks;
mod settings;
mod values;

use self::choice::{Chosen, choose};
use crate::error::Result;

/// The `tokenizer.json` of a tokenizer in other files. Files are recognized by what they hold: a `tokenizer.json`, which is
/// returned as it is; GPT-2's `vocab.json` and `merges.txt`; the characters of a `meta.json` or nanoGPT's `meta.pkl`; the
/// ranks of tiktoken. `added_tokens.json`, `special_tokens_map.json` and `tokenizer_config.json` add tokens to the last three.
///
/// # Errors
/// [`Error::Tokenizer`](crate::Error::Tokenizer) when a file is no tokenizer, or when files contradict each other.
pub fn tokenizer_json(files: &[(String, Vec<u8>)]) -> Result<Vec<u8>> {
    let (chosen, settings) = choose(files)?;
    let parts = match chosen {
        Chosen::TokenizerJson(json) => return Ok(json),
        Chosen::Gpt2 { vocab, merges } => gpt2::parts(vocab, merges, &settings)?,
        Chosen::Ranks(name, ranks) => ranks::parts(&name, &ranks, &settings)?,
        Chosen::Characters(name, characters) => characters::parts(&name, characters, &settings)?,
    };
    Ok(parts.into_json())
}
