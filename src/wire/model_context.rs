//! The token ids of texts among the options.

use crate::error::{Error, Result};

/// Gives the token ids of texts and checks ids: a model's tokenizer and vocabulary.
pub trait Vocabulary {
    /// The ids of a text.
    ///
    /// # Errors
    /// [`Error::Input`] without a tokenizer, otherwise as the tokenizer.
    fn encode(&self, text: &str) -> Result<Vec<u32>>;

    /// The id of a text that is a single token.
    ///
    /// # Errors
    /// [`Error::Input`] without a tokenizer, or if the text has several tokens or none.
    fn single_token(&self, text: &str) -> Result<u32>;

    /// Checks that an id is in the vocabulary. `what` names it in the message: "token", "answer".
    ///
    /// # Errors
    /// [`Error::Input`] if it is not.
    fn check_id(&self, what: &str, id: u32) -> Result<()>;
}

/// For options that have neither an input nor an answer.
pub struct NoVocabulary;

impl Vocabulary for NoVocabulary {
    fn encode(&self, _: &str) -> Result<Vec<u32>> {
        Err(Error::Input("there is no tokenizer here, expected token ids".into()))
    }

    fn single_token(&self, text: &str) -> Result<u32> {
        self.encode(text).map(|ids| ids.first().copied().unwrap_or_default())
    }

    fn check_id(&self, _: &str, _: u32) -> Result<()> {
        Ok(())
    }
}
