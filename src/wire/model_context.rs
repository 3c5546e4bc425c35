//! What reading the options of a call must know of the model.

use crate::error::{Error, Result};

/// The model that a call is about: its tokenizer, its vocabulary, and how many layers and heads it has.
pub trait ModelContext {
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

    /// How many layers it has; `None` without a model.
    fn layers(&self) -> Option<usize>;

    /// How many heads each layer has; `None` without a model.
    fn heads(&self) -> Option<usize>;
}

/// For options that are read without a model: they have no texts, and count layers and heads from 0.
pub struct NoModel;

impl ModelContext for NoModel {
    fn encode(&self, _: &str) -> Result<Vec<u32>> {
        Err(Error::Input("there is no tokenizer here, expected token ids".into()))
    }

    fn single_token(&self, text: &str) -> Result<u32> {
        self.encode(text).map(|ids| ids.first().copied().unwrap_or_default())
    }

    fn check_id(&self, _: &str, _: u32) -> Result<()> {
        Ok(())
    }

    fn layers(&self) -> Option<usize> {
        None
    }

    fn heads(&self) -> Option<usize> {
        None
    }
}
