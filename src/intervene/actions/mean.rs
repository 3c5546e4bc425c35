//! `"mean"`: the mean over the positions of the prompt.

use std::collections::HashMap;

use candle_core::Tensor;
use serde::{Serialize, Serializer};

use crate::error::{Error, Result};
use crate::hook::HookPoint;
use crate::intervene::effect::{Effect, Form, Resolve, ResolveContext};
use crate::intervene::python::{Helper, PythonLine};
use crate::intervene::selection::{Scope, Selection, VisitContext, is_attention};
use crate::intervene::types::TextLength;

/// Replaces the selected values with the mean of the point's values over the positions of the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mean;

impl Serialize for Mean {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str("mean")
    }
}

impl Resolve for Mean {
    const FORM: Form = Form::Word("mean");

    fn resolve(&self, context: &ResolveContext) -> Result<Box<dyn Effect>> {
        match context.scope.points.iter().find(|point| is_attention(**point)) {
            Some(point) => Err(Error::Hook(format!(
                "`mean` is not defined at `{point}`, because each query has different keys; use `set`"
            ))),
            None => Ok(Box::new(MeanEffect::default())),
        }
    }
}

/// The means by point, computed when the prompt is run.
#[derive(Default)]
struct MeanEffect(HashMap<HookPoint, Tensor>);

impl Effect for MeanEffect {
    fn apply(
        &mut self,
        value: &Tensor,
        selection: Selection,
        visit: VisitContext,
    ) -> Result<Tensor> {
        let mean = match self.0.get(&visit.point) {
            Some(mean) => mean.clone(),
            None => {
                let left = visit.text.prompt.saturating_sub(visit.first_position);
                let prompt = left.clamp(1, value.dim(1)?);
                let mean = value.narrow(1, 0, prompt)?.mean_keepdim(1)?;
                self.0.insert(visit.point, mean.clone());
                mean
            }
        };
        selection.replace(value, &mean.broadcast_as(value.shape())?.contiguous()?)
    }

    fn python(&self, number: usize, _: &Scope, text: TextLength) -> Option<PythonLine<'_>> {
        let statement =
            format!("y[part] = mean_of_prompt(x, ({number}, name), {})[part]", text.prompt);
        Some(PythonLine::new(statement, &[Helper::MeanOfPrompt]))
    }
}
