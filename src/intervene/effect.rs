//! What each action implements: how it is written, its checks against a model and a text, and its effect on a value.

use candle_core::Tensor;

use super::python::PythonLine;
use super::selection::{Scope, Selection, VisitContext};
use super::types::{Compiler, TextLength};
use crate::error::{Error, Result, shortened};

/// How an action is written in JSON.
pub(super) enum Form {
    /// A word, such as `"zero"`.
    Word(&'static str),
    /// An object that has the field `key`, and may have the fields `optional`.
    Object {
        key: &'static str,
        optional: &'static [&'static str],
        /// The object in messages.
        shown: &'static str,
    },
}

impl Form {
    /// The form for messages.
    pub(super) fn shown(&self) -> String {
        match self {
            Form::Word(word) => format!("\"{word}\""),
            Form::Object { shown, .. } => (*shown).into(),
        }
    }
}

/// An action as the user wrote it.
pub(super) trait Resolve {
    const FORM: Form;

    /// Checks the action against the model and the text.
    ///
    /// # Errors
    /// [`Error::Hook`] if it does not fit the hook points, [`Error::Input`] if its values do not fit the text.
    fn resolve(&self, context: &ResolveContext) -> Result<Box<dyn Effect>>;
}

/// A resolved action.
pub(crate) trait Effect {
    /// Returns `value` with its selected part changed. Each hook point has its own call in each forward pass.
    fn apply(
        &mut self,
        value: &Tensor,
        selection: Selection,
        visit: VisitContext,
    ) -> Result<Tensor>;

    /// The same change in Python, as change `number` of a script. None if Python cannot express it.
    fn python(&self, number: usize, scope: &Scope, text: TextLength) -> Option<PythonLine<'_>>;
}

/// What an action is checked against.
pub(super) struct ResolveContext<'a> {
    pub(super) scope: &'a Scope,
    pub(super) text: TextLength,
    /// Compiles JavaScript; none outside a browser.
    pub(super) compiler: Option<&'a Compiler>,
    /// Which text of a batch it is.
    pub(super) row: usize,
}

impl ResolveContext<'_> {
    /// How many positions the intervention selects, the prompt's if it lists none.
    pub(super) fn selected_positions(&self) -> usize {
        self.scope.positions.as_deref().map_or(self.text.prompt, <[usize]>::len)
    }

    /// "the intervention at `…` " and then `what`.
    pub(super) fn error(&self, what: String) -> Error {
        intervention_error(&self.scope.at, what)
    }
}

/// "the intervention at `…` " and then `what`.
pub(super) fn intervention_error(at: &str, what: String) -> Error {
    Error::Input(format!("the intervention at `{}` {what}", shortened(at)))
}

/// The error for an empty list.
pub(super) fn selects_nothing(at: &str, name: &str) -> Error {
    intervention_error(at, format!("selects nothing: `{name}` is empty"))
}
