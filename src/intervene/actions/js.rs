//! `{ js }`: a JavaScript function of the selected values.

use candle_core::Tensor;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::intervene::effect::{Effect, Form, Resolve, ResolveContext};
use crate::intervene::python::PythonLine;
use crate::intervene::selection::{Scope, Selection, VisitContext};
use crate::intervene::types::{Function, HookFunction, TextLength};
use crate::wire::options;

options! {
    /// Calls a JavaScript function `(x, { name, axes, shape, positions, row, show }) => values` in the model's worker.
    ///
    /// The function is code with the rights of the page. Do not run code from sources that you do not trust.
    #[derive(Debug, Clone, PartialEq, Serialize)]
    pub struct Js {
        /// The source text of the function.
        pub js: String as HookFunction,
    }
}

impl Resolve for Js {
    const FORM: Form = Form::Object { key: "js", optional: &[], shown: "{ js }" };

    fn resolve(&self, context: &ResolveContext) -> Result<Box<dyn Effect>> {
        match context.compiler {
            Some(compiler) => {
                Ok(Box::new(JsEffect { function: compiler(&self.js)?, row: context.row }))
            }
            None => Err(Error::Input(
                "`js` interventions run only in a browser; use `scale`, `add` or `set`".into(),
            )),
        }
    }
}

struct JsEffect {
    function: Function,
    row: usize,
}

impl Effect for JsEffect {
    fn apply(
        &mut self,
        value: &Tensor,
        selection: Selection,
        visit: VisitContext,
    ) -> Result<Tensor> {
        let given = selection.gather(value)?;
        let selected = selection.describe(visit.point, self.row);
        let returned = (self.function)(given.clone(), &selected)?;
        if returned.len() != given.len() {
            return Err(Error::returned_count(selected.name, returned.len(), &selected.shape));
        }
        if is_same(&returned, &given) {
            return Ok(value.clone()); // the function only looked at it: the same tensor, for the model and for gradients
        }
        selection.replace(value, &selection.scatter(&returned)?)
    }

    /// JavaScript is not translated.
    fn python(&self, _: usize, _: &Scope, _: TextLength) -> Option<PythonLine<'_>> {
        None
    }
}

fn is_same(a: &[f32], b: &[f32]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}
