//! Text to token ids, and to tokens whose strings joined are the text.

use tokenizers::{Model, OffsetReferential, OffsetType, PreTokenizer};

use super::ascii::ascii_words;
use super::bytes::byte_letters;
use super::{Token, Tokenizer};
use crate::error::{Error, Result};

impl Tokenizer {
    /// The ids of `text`, without a beginning-of-text token.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when the vocabulary cannot express a character of `text`.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        if self.parts.drops_characters {
            self.check_characters(text)?;
        }
        let has_added = || self.parts.added.values().any(|token| text.contains(token));
        if self.parts.splits_as_gpt2 && text.is_ascii() && !has_added() {
            return self.encode_ascii(text);
        }
        Ok(self
            .parts
            .inner
            .encode_fast(text, false)
            .map_err(Error::TokenizersCrate)?
            .get_ids()
            .to_vec())
    }

    /// Checks that the vocabulary has each character of the normalized and pre-tokenized `text`.
    fn check_characters(&self, text: &str) -> Result<()> {
        let inner = &self.parts.inner;
        let mut pieces =
            inner.get_added_vocabulary().extract_and_normalize(inner.get_normalizer(), text);
        if let Some(pre_tokenizer) = inner.get_pre_tokenizer() {
            pre_tokenizer.pre_tokenize(&mut pieces).map_err(Error::TokenizersCrate)?;
        }
        let splits = pieces.get_splits(OffsetReferential::Original, OffsetType::Byte);
        let texts =
            splits.into_iter().filter(|(_, _, tokens)| tokens.is_none()).map(|(piece, ..)| piece);
        let is_missing =
            |character: &char| inner.token_to_id(character.encode_utf8(&mut [0; 4])).is_none();
        match texts.flat_map(str::chars).find(is_missing) {
            Some(character) => Err(Error::Tokenizer(format!(
                "`model.vocab` has no token for {character:?} and there is no `unk_token`, so this text cannot be encoded \
                 without losing it"
            ))),
            None => Ok(()),
        }
    }

    fn encode_ascii(&self, text: &str) -> Result<Vec<u32>> {
        let (model, letters) = (self.parts.inner.get_model(), byte_letters());
        let mut ids = Vec::new();
        for word in ascii_words(text) {
            let spelt: String = word.bytes().map(|byte| letters[usize::from(byte)]).collect();
            ids.extend(
                model
                    .tokenize(&spelt)
                    .map_err(Error::TokenizersCrate)?
                    .into_iter()
                    .map(|token| token.id),
            );
        }
        Ok(ids)
    }

    /// The tokens of `text`. Their strings joined are `text`, also if the tokenizer normalizes it.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn tokenize(&self, text: &str) -> Result<Vec<Token>> {
        let mut tokens = self.tokens(&self.encode(text)?)?;
        if tokens.iter().map(|token| token.string.as_str()).collect::<String>() != text {
            self.split_at_offsets(text, &mut tokens)?;
        }
        Ok(tokens)
    }

    /// The id of `text`, which must be a single token.
    ///
    /// # Errors
    /// [`Error::Input`] when it is several tokens, or none; the message shows them.
    pub fn single_token(&self, text: &str) -> Result<u32> {
        let tokens = self.tokenize(text)?;
        let [token] = tokens.as_slice() else {
            let strings: Vec<_> = tokens.iter().map(|token| &token.string).collect();
            return Err(Error::Input(format!(
                "{text:?} is {} tokens {strings:?}, expected one",
                tokens.len()
            )));
        };
        Ok(token.id)
    }

    /// Splits `text` at the offsets of its tokens, for tokenizers that normalize their input. Text between two tokens,
    /// such as white space that was dropped, goes to the second. Text that two tokens share goes to the second.
    fn split_at_offsets(&self, text: &str, tokens: &mut [Token]) -> Result<()> {
        let encoding = self.parts.inner.encode(text, false).map_err(Error::TokenizersCrate)?;
        let offsets = encoding.get_offsets();
        let mut from = 0;
        for (i, token) in tokens.iter_mut().enumerate() {
            let end = match (offsets.get(i), offsets.get(i + 1)) {
                (Some((_, end)), Some((next, _))) => *end.min(next).max(&from),
                _ => text.len(),
            };
            let end = (from..=end.min(text.len()))
                .rev()
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or(from);
            token.string = text[from..end].to_string();
            from = end;
        }
        Ok(())
    }
}
