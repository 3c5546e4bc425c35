//! Token ids to text: each id by itself, the text of several, and the text of ids that arrive one by one.

use super::bytes::{complete_characters, fallback_byte};
use super::{Token, Tokenizer};
use crate::error::{Error, Result};

impl Tokenizer {
    /// The text of each id by itself, independent of the ids before it. A token that is not valid UTF-8 has U+FFFD in
    /// its string; its bytes are exact.
    ///
    /// # Errors
    /// [`Error::Input`] when an id is neither in the vocabulary nor in the model's.
    pub fn names(&self, ids: &[u32]) -> Result<Vec<Token>> {
        ids.iter().map(|id| self.name(*id)).collect()
    }

    /// As [`Tokenizer::names`], for one id.
    pub(crate) fn name(&self, id: u32) -> Result<Token> {
        let Some(written) = self.written(id)? else {
            return Ok(Token { id, string: nameless(id), bytes: Vec::new() });
        };
        let (string, bytes) = match self.bytes(id, &written) {
            Some(bytes) => (String::from_utf8_lossy(&bytes).into_owned(), bytes),
            // Decoded after itself, because decoders drop the space before a text's first word.
            None => match self.decoded_after(Some(id), id)? {
                repeated if repeated.is_empty() => (self.decoded_after(None, id)?, Vec::new()),
                string => (string, Vec::new()),
            },
        };
        Ok(Token { id, string, bytes })
    }

    /// The tokens of the text that `ids` decode to. Bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// [`Error::Input`] when an id is neither in the vocabulary nor in the model's.
    pub fn tokens(&self, ids: &[u32]) -> Result<Vec<Token>> {
        let mut stream = TextStream::new(self.clone());
        let mut tokens = ids.iter().map(|id| stream.push(*id)).collect::<Result<Vec<_>>>()?;
        if let Some(last) = tokens.last_mut() {
            last.string.push_str(&stream.finish());
        }
        Ok(tokens)
    }

    /// The text of `ids`. Bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// [`Error::Input`] when an id is neither in the vocabulary nor in the model's.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        Ok(self.tokens(ids)?.into_iter().map(|token| token.string).collect())
    }

    /// The bytes of a token, from its spelling in the vocabulary; None if its spelling is not one of bytes.
    fn bytes(&self, id: u32, written: &str) -> Option<Vec<u8>> {
        let name = self.parts.added.get(&id);
        match &self.parts.byte_of {
            Some(_) if name.is_some() => name.map(|name| name.as_bytes().to_vec()),
            Some(byte_of) => {
                Some(written.chars().filter_map(|letter| byte_of.get(&letter).copied()).collect())
            }
            None if self.parts.spells_text => Some(written.as_bytes().to_vec()),
            None if self.parts.byte_fallback => fallback_byte(written).map(|byte| vec![byte]),
            None => None,
        }
    }

    /// The text that `id` adds after `before`, or begins a text with. Decoders look back one token at most.
    fn decoded_after(&self, before: Option<u32>, id: u32) -> Result<String> {
        let decode =
            |ids: &[u32]| self.parts.inner.decode(ids, false).map_err(Error::TokenizersCrate);
        let Some(before) = before else { return decode(&[id]) };
        let (first, both) = (decode(&[before])?, decode(&[before, id])?);
        match both.strip_prefix(&first) {
            Some(added) => Ok(added.to_string()),
            None => decode(&[id]),
        }
    }

    /// The spelling of a token in the vocabulary; None for an id that only the model has.
    fn written(&self, id: u32) -> Result<Option<String>> {
        let written = self.parts.inner.id_to_token(id);
        if written.is_none() && id as usize >= self.model_vocab_size {
            let size = self.vocab_size().max(self.model_vocab_size);
            return Err(Error::Input(format!(
                "token id {id} is not in the tokenizer's vocabulary, expected an id below {size}"
            )));
        }
        Ok(written)
    }
}

/// The text of an id that the model has an embedding for and the tokenizer has no token for.
fn nameless(id: u32) -> String {
    format!("⟨{id}⟩")
}

/// Decodes ids that arrive one by one, each in constant time.
pub struct TextStream {
    tokenizer: Tokenizer,
    /// The bytes of an incomplete character.
    pending: Vec<u8>,
    /// The token before, which matters to tokenizers that are not byte-level.
    before: Option<u32>,
}

impl TextStream {
    /// An empty text.
    pub fn new(tokenizer: Tokenizer) -> TextStream {
        TextStream { tokenizer, pending: Vec::new(), before: None }
    }

    /// Decodes the next token. Its string holds the characters that are complete with it.
    ///
    /// # Errors
    /// [`Error::Input`] when the id is neither in the vocabulary nor in the model's. The stream ignores such an id.
    pub fn push(&mut self, id: u32) -> Result<Token> {
        let written = self.tokenizer.written(id)?;
        let bytes = written.as_ref().and_then(|written| self.tokenizer.bytes(id, written));
        if let Some(bytes) = bytes {
            self.pending.extend_from_slice(&bytes);
            self.before = Some(id);
            let (string, rest) = complete_characters(&self.pending);
            self.pending = rest;
            return Ok(Token { id, string, bytes });
        }
        let (before, added) = match written {
            Some(_) => (Some(id), self.tokenizer.decoded_after(self.before, id)?),
            None => (self.before, nameless(id)),
        };
        let unfinished = std::mem::take(&mut self.pending);
        self.before = before;
        let string = String::from_utf8_lossy(&unfinished).into_owned() + &added;
        Ok(Token { id, string, bytes: Vec::new() })
    }

    /// The rest of the text: U+FFFD for a character that was not completed.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }
}
