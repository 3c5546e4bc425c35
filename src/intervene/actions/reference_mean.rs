//! `{ mean }`: means that were computed before, such as those over a reference set of prompts.

use serde::Serialize;

use super::patch::PatchEffect;
use crate::error::Result;
use crate::intervene::effect::{Effect, Form, Resolve, ResolveContext};
use crate::intervene::source::{SourceRows, ordered_source, source_rows};
use crate::intervene::types::Source;
use crate::wire::options;

options! {
    /// Replaces the selected values with values whose position axis has length 1.
    #[derive(Debug, Clone, PartialEq, Serialize)]
    pub struct ReferenceMean {
        /// The means, as `means` computes them.
        pub mean: Source,
    }
}

impl Resolve for ReferenceMean {
    const FORM: Form = Form::Object { key: "mean", optional: &[], shown: "{ mean }" };

    fn resolve(&self, context: &ResolveContext) -> Result<Box<dyn Effect>> {
        let source = ordered_source(&self.mean, &context.scope.points)?;
        for point in &context.scope.points {
            let found = source_rows(&source, *point)?;
            if found != 1 {
                return Err(context.error(format!(
                    "has means with {found} positions for `{point}`, expected 1: take the mean over positions"
                )));
            }
        }
        Ok(Box::new(PatchEffect { source, rows: SourceRows::Broadcast }))
    }
}
