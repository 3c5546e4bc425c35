//! Text to token ids, and to tokens whose strings joined are the text.

use std::ops::Range;

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
        let ids = match self.parts.splits_as_gpt2 && text.is_ascii() && !has_added() {
            true => self.encode_ascii(text)?,
            false => {
                let encoding = self.parts.inner.encode_fast(text, false);
                encoding.map_err(Error::TokenizersCrate)?.get_ids().to_vec()
            }
        };
        self.check_ids(&ids)?;
        Ok(ids)
    }

    /// Checks that the model has an embedding for each id.
    fn check_ids(&self, ids: &[u32]) -> Result<()> {
        let rows = self.model_vocab_size;
        match ids.iter().find(|id| rows > 0 && **id as usize >= rows) {
            None => Ok(()),
            Some(id) => {
                let string = self.name(*id)?.string;
                Err(Error::Tokenizer(format!(
                    "{string:?} in the text is token {id}, but the model's ids end at {}: leave it out, or load the \
                     tokenizer that the model was trained with",
                    rows - 1
                )))
            }
        }
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
        let texts = splits.into_iter().filter(|(_, _, tokens)| tokens.is_none());
        let is_missing =
            |character: &char| inner.token_to_id(character.encode_utf8(&mut [0; 4])).is_none();
        for (piece, (start, end), _) in texts {
            if let Some(missing) = piece.chars().find(is_missing) {
                return Err(self.no_token(text, start..end, missing));
            }
        }
        Ok(())
    }

    /// `missing`: a character of what became of this range of the text. Names the character of the text itself.
    fn no_token(&self, text: &str, range: Range<usize>, missing: char) -> Error {
        let byte = self.parts.byte_of.as_ref().and_then(|byte_of| byte_of.get(&missing)).copied();
        let is_it = |(_, character): &(usize, char)| match byte {
            Some(byte) => character.encode_utf8(&mut [0; 4]).as_bytes().contains(&byte),
            None => *character == missing,
        };
        let part = text.get(range.clone()).unwrap_or_default();
        let (offset, character) = part.char_indices().find(is_it).unwrap_or((0, missing));
        let before = text.get(..range.start + offset).unwrap_or_default();
        let number = before.chars().count() + 1;
        Error::Tokenizer(format!(
            "the vocabulary has no token for {character:?}, character {number} of the text: leave it out, because it could not be \
             shown to the model"
        ))
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
