//! Attention heads: how they attend, and what their weights read and write.

use candle_core::{Device, Tensor};
use serde::Deserialize;

use super::measurement::{Begun, Findings, once};
use super::{Lab, PathName, Prompt, Text};
use crate::analysis::circuits::{self, Composition, HeadMatrix, Through};
use crate::analysis::heads::{self, Excluded, Measure, RepeatedScores, RepeatedTokens};
use crate::error::{Error, Result};
use crate::intervene::{Extent, Intervention, Plan};

impl Lab {
    pub(super) fn head_scores(&self, request: HeadScoresRequest) -> Begun {
        let lab = self.clone();
        match request.input.clone() {
            Some(input) => {
                let text = Text { input, interventions: request.interventions.clone() };
                once(move || lab.head_scores_on(&text, request))
            }
            None if request.pattern.is_some() => Err(Error::Input(
                "`pattern` is compared with the attention on a text: expected an input".into(),
            )),
            None => {
                let tokens = RepeatedTokens::for_model(self.model.config());
                Ok(Box::new(RepeatedScores::new(&self.model, &tokens, request.interventions, lab.compiler)?))
            }
        }
    }

    fn head_scores_on(&self, text: &Text, request: HeadScoresRequest) -> Result<Findings> {
        let Some(pattern) = request.pattern else {
            let ids = self.ids(&text.input)?;
            let extent = Extent { prompt: ids.len(), new: 1 };
            let config = self.model.config();
            let plan = Plan::new(&text.interventions, config, extent, self.compiler.as_ref())?;
            return Ok(Findings::default().table("scores", heads::head_scores_on(&self.model, &ids, plan)?));
        };
        let (ids, run) = self.run(text, &heads::NAMES)?;
        let found = Findings::default().table("scores", heads::head_scores(&self.model, &run.cache, &ids)?);
        let (rows, columns) = (pattern.len(), pattern.first().map_or(0, Vec::len));
        if pattern.iter().any(|row| row.len() != columns) {
            return Err(Error::Input("`pattern` has rows of different lengths, expected a square".into()));
        }
        let pattern = Tensor::from_vec(pattern.concat(), (rows, columns), &Device::Cpu)?;
        let excluded = Excluded {
            first_token: request.exclude_first_token,
            current_token: request.exclude_current_token,
        };
        let measure = match request.measure {
            Some(Comparison::Abs) => Measure::Abs,
            Some(Comparison::Mul) | None => Measure::Mul,
        };
        let similarity = heads::similarity(&self.model, &run.cache, &pattern, measure, excluded)?;
        Ok(found.table("similarity", similarity))
    }

    pub(super) fn circuits(&self, request: &CircuitsRequest) -> Result<Findings> {
        let CircuitsRequest { layer, head, .. } = *request;
        let (top, components) = (request.top.unwrap_or(8), request.components.unwrap_or(8));
        let ov = circuits::circuit(&self.model, layer, head, HeadMatrix::Ov)?;
        let qk = circuits::circuit(&self.model, layer, head, HeadMatrix::Qk)?;
        let mut found =
            Findings::default().number("copyingScore", circuits::copying_score(&self.model, layer, head)?);
        let sides = [
            ("ovReads", "ovReadsStrings", &ov.left, Through::Embedding),
            ("ovWrites", "ovWritesStrings", &ov.right, Through::Unembedding),
            ("qkQueries", "qkQueriesStrings", &qk.left, Through::Embedding),
            ("qkKeys", "qkKeysStrings", &qk.right, Through::Embedding),
        ];
        for (name, strings, vectors, through) in sides {
            let along = circuits::tokens_along(&self.model, vectors, components, through, top)?;
            let spelled = self.spelled(&along.ids);
            found = found.table(name, along.ids).texts(strings, spelled);
        }
        Ok(found
            .number("ovPositiveShare", ov.positive_share)
            .number("qkPositiveShare", qk.positive_share)
            .table("ovSingularValues", ov.singular_values)
            .table("qkSingularValues", qk.singular_values)
            .table("ovEigenvalues", ov.eigenvalues)
            .table("qkEigenvalues", qk.eigenvalues))
    }

    pub(super) fn composition(&self, request: &CompositionRequest) -> Result<Findings> {
        let path = match request.path {
            PathName::Q => Composition::Q,
            PathName::K => Composition::K,
            PathName::V => Composition::V,
        };
        Ok(Findings::default().table("scores", circuits::composition_scores(&self.model, path)?))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HeadScoresRequest {
    input: Option<Prompt>,
    #[serde(default)]
    interventions: Vec<Intervention>,
    pattern: Option<Vec<Vec<f32>>>,
    measure: Option<Comparison>,
    #[serde(default)]
    exclude_first_token: bool,
    #[serde(default)]
    exclude_current_token: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Comparison {
    Mul,
    Abs,
}

#[derive(Deserialize)]
pub(super) struct CircuitsRequest {
    layer: usize,
    head: usize,
    top: Option<usize>,
    components: Option<usize>,
}

#[derive(Deserialize)]
pub(super) struct CompositionRequest {
    path: PathName,
}
