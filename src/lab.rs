//! A model with its tokenizer and its compiler of interventions, on which every call from JavaScript works.

use crate::error::{Error, Result};
use crate::intervene::{Compiler, Intervention};
use crate::model::Model;
use crate::named_array::{NO_TOKEN, NamedIds};
use crate::run::{Run, RunOptions, run};
use crate::tokenizer::Tokenizer;
use crate::wire::ModelContext;

/// A model, its tokenizer, and the compiler of its JavaScript interventions.
#[derive(Clone)]
pub struct Lab {
    /// The model.
    pub model: Model,
    /// Without one, all inputs and answers are token ids.
    pub tokenizer: Option<Tokenizer>,
    /// Without one, interventions that are JavaScript functions are errors.
    pub compiler: Option<Compiler>,
}

impl ModelContext for Lab {
    fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.tokenizer()?.encode(text)
    }

    fn single_token(&self, text: &str) -> Result<u32> {
        self.tokenizer()?.single_token(text)
    }

    fn check_id(&self, what: &str, id: u32) -> Result<()> {
        let vocab_size = self.model.config().vocab_size;
        match (id as usize) < vocab_size {
            true => Ok(()),
            false => Err(Error::out_of_range(format_args!("{what} id {id}"), vocab_size)),
        }
    }

    fn layers(&self) -> Option<usize> {
        Some(self.model.config().n_layer)
    }

    fn heads(&self) -> Option<usize> {
        Some(self.model.config().n_head)
    }
}

impl Lab {
    /// The same model with another tokenizer, or with none. The weights are shared and not copied.
    pub fn with_tokenizer(&self, tokenizer: Option<Tokenizer>) -> Lab {
        let vocab_size = self.model.config().vocab_size;
        let tokenizer = tokenizer.map(|tokenizer| tokenizer.for_model(vocab_size));
        Lab { tokenizer, ..self.clone() }
    }

    /// The tokenizer.
    ///
    /// # Errors
    /// [`Error::Input`] if the model came without one.
    pub fn tokenizer(&self) -> Result<&Tokenizer> {
        self.tokenizer.as_ref().ok_or_else(|| {
            Error::Input(
                "the model came without a tokenizer, so text cannot be used: pass token ids, or add a tokenizer with \
                 `withTokenizer`"
                    .into(),
            )
        })
    }

    /// The token that `prependBos` puts in front.
    ///
    /// # Errors
    /// [`Error::Input`] if the config names no such token.
    pub fn bos(&self) -> Result<u32> {
        self.model.config().bos_token_id.ok_or_else(|| {
            Error::Input("`prependBos` is true, but the config has no `bos_token_id`".into())
        })
    }

    /// A run of `tokens` under interventions, which captures `positions` of `names`; all positions if `None`.
    pub(crate) fn run<S: AsRef<str>>(
        &self,
        tokens: &[u32],
        interventions: &[Intervention],
        names: &[S],
        positions: Option<Vec<i64>>,
    ) -> Result<Run> {
        let options = RunOptions {
            names: names.iter().map(|name| name.as_ref().to_string()).collect(),
            interventions: interventions.to_vec(),
            positions,
            compiler: self.compiler.clone(),
            ..RunOptions::default()
        };
        run(&self.model, tokens, &options)
    }

    /// The string of each id in an array; an empty list without a tokenizer. That of [`NO_TOKEN`] is empty.
    pub(crate) fn strings(&self, ids: &NamedIds) -> Vec<String> {
        let Some(tokenizer) = &self.tokenizer else { return Vec::new() };
        let tokenizer = tokenizer.for_model(self.model.config().vocab_size);
        let string = |id: &u32| match *id {
            NO_TOKEN => String::new(),
            id => tokenizer.name(id).map(|token| token.string).unwrap_or_default(),
        };
        ids.data.iter().map(string).collect()
    }
}

/// Checks a number of things to list. `name` is that of the option, and `what` says what `max` is.
pub(crate) fn check_count(name: &str, count: usize, max: usize, what: &str) -> Result<usize> {
    match count {
        0 => Err(Error::Input(format!("`{name}` is 0, expected at least 1"))),
        count if count > max => {
            Err(Error::Input(format!("`{name}` is {count}, expected at most {max}, {what}")))
        }
        count => Ok(count),
    }
}
