//! Text to token ids and back, with the `tokenizer.json` of a checkpoint.
//!
//! A token has two strings. Its *name* ([`Tokenizer::names`]) depends on its id only. Its *label* in a text
//! ([`Tokenizer::tokenize`]) is a part of that text: the labels joined are exactly the text. If a character is split
//! over several tokens, it is in the last token's label; the other tokens show their bytes.
//!
//! `file` reads and validates `tokenizer.json` with `model` (the vocabulary), `added_tokens` and `pipeline` (the
//! normalizer, the pre-tokenizer and the decoder). `encode` and `decode` use `ascii` (the fast path for ASCII texts)
//! and `bytes` (how tokens spell bytes); `features` decides which path applies.

mod added_tokens;
mod ascii;
mod bytes;
mod decode;
mod encode;
mod features;
mod file;
mod files;
mod messages;
mod model;
mod pipeline;

use std::collections::HashMap;
use std::sync::Arc;

use tokenizers::decoders::DecoderWrapper;
use xxhash_rust::xxh3::xxh3_64;

use self::bytes::byte_letters;
pub use self::decode::TextStream;
use self::features::{drops_characters, has_byte_fallback, spells_text, splits_as_gpt2};
pub use self::files::tokenizer_json;
use crate::checkpoint::Report;
use crate::error::Result;

/// A tokenizer. It is immutable, and a clone shares its tables.
#[derive(Clone)]
pub struct Tokenizer {
    parts: Arc<Parts>,
    /// The model's ids below this that the tokenizer lacks are shown as `⟨350⟩`.
    model_vocab_size: usize,
}

struct Parts {
    inner: tokenizers::Tokenizer,
    /// Added tokens: they are found before the text is split, and their content is their text.
    added: HashMap<u32, String>,
    /// The byte of each letter of the byte alphabet, for byte-level tokenizers such as GPT-2's.
    byte_of: Option<HashMap<char, u8>>,
    /// A token such as `<0xE2>` is a byte.
    byte_fallback: bool,
    /// Each token is spelt as its text, as in a vocabulary of characters.
    spells_text: bool,
    /// Texts are split by GPT-2's regular expression.
    splits_as_gpt2: bool,
    /// The model silently drops characters that its vocabulary lacks.
    drops_characters: bool,
    /// The file asks for special tokens around each text, which [`Tokenizer::encode`] does not add.
    adds_special_tokens: bool,
    /// XXH3 of the file.
    fingerprint: u64,
    /// What was ignored or assumed.
    report: Report,
}

/// A token of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its index in the vocabulary.
    pub id: u32,
    /// The characters that are complete with this token. The strings of a text's tokens joined are the text.
    pub string: String,
    /// The bytes of the token itself. Empty if the tokenizer is not byte-level.
    pub bytes: Vec<u8>,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`, or what [`tokenizer_json`] made of other files. Its truncation, padding, post-processing and
    /// dropout are ignored.
    ///
    /// # Errors
    /// [`Error::Tokenizer`](crate::Error::Tokenizer) when the file is not a tokenizer, is inconsistent, or needs an unsupported feature.
    pub fn from_json(json: &[u8]) -> Result<Tokenizer> {
        let file::Read { tokenizer: inner, adds_special_tokens, report } = file::read(json)?;
        let byte_level = matches!(inner.get_decoder(), Some(DecoderWrapper::ByteLevel(_)));
        let byte_fallback = inner.get_decoder().is_some_and(has_byte_fallback);
        let byte_of = byte_level.then(|| byte_letters().into_iter().zip(0..=255).collect());
        let added = inner
            .get_added_tokens_decoder()
            .into_iter()
            .map(|(id, token)| (id, token.content))
            .collect();
        let splits_as_gpt2 = splits_as_gpt2(&inner);
        let drops_characters = drops_characters(&inner, byte_level);
        let spells_text = spells_text(&inner);
        let fingerprint = xxh3_64(json);
        let parts = Parts {
            inner,
            added,
            byte_of,
            byte_fallback,
            spells_text,
            splits_as_gpt2,
            drops_characters,
            adds_special_tokens,
            fingerprint,
            report,
        };
        Ok(Tokenizer { parts: Arc::new(parts), model_vocab_size: 0 })
    }

    /// The same tokenizer for a model with `vocab_size` rows of embeddings, which may be more than the tokenizer has
    /// tokens: an id below `vocab_size` that it lacks is shown as `⟨50260⟩` and is not an error.
    pub fn for_model(&self, vocab_size: usize) -> Tokenizer {
        Tokenizer { parts: self.parts.clone(), model_vocab_size: vocab_size }
    }

    /// XXH3 of the bytes of `tokenizer.json`.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.parts.fingerprint
    }

    /// Whether `tokenizer.json` asks for special tokens around each text, which [`Tokenizer::encode`] does not add.
    pub fn adds_special_tokens(&self) -> bool {
        self.parts.adds_special_tokens
    }

    /// What was ignored or assumed: in the files that the tokenizer was made from, and beside the embedding that
    /// [`Tokenizer::for_model`] names.
    pub fn report(&self) -> Report {
        let mut report = self.parts.report.clone();
        let largest = self.parts.inner.get_vocab(true).into_values().max().unwrap_or_default();
        report.tokenizer_size(largest as usize + 1, self.model_vocab_size);
        report
    }

    /// The number of tokens, with added ones.
    pub fn vocab_size(&self) -> usize {
        self.parts.inner.get_vocab_size(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokenizer_in_either_notation_of_merges_is_the_crates_own() {
        let json = include_str!("../../models/shakespeare/tokenizer.json");
        let mut old: serde_json::Value = serde_json::from_str(json).unwrap();
        let model = old["model"].as_object_mut().unwrap();
        model.remove("type");
        for merge in model["merges"].as_array_mut().unwrap() {
            *merge =
                format!("{} {}", merge[0].as_str().unwrap(), merge[1].as_str().unwrap()).into();
        }
        for json in [json.to_string(), old.to_string()] {
            let found = file::read(json.as_bytes()).unwrap();
            let mut expected = tokenizers::Tokenizer::from_bytes(&json).unwrap();
            expected.with_post_processor(None::<tokenizers::PostProcessorWrapper>);
            assert_eq!(
                found.tokenizer.to_string(false).unwrap(),
                expected.to_string(false).unwrap()
            );
        }
    }
}
