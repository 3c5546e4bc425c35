//! Attention heads: how they attend, and what their weights read and write.

use super::measurement::{Begun, Findings, once};
use super::{Lab, PathName, Prompt, Text, check_count};
use crate::analysis::circuits::{self, Composition, HeadMatrix, Through};
use crate::analysis::heads::{self, Excluded, Measure, RepeatedScores, RepeatedTokens};
use crate::error::{Error, Result};
use crate::intervene::{Intervention, Plan, TextLength};
use crate::wire::{fields, words};
use candle_core::{Device, Tensor};

impl Lab {
    pub(super) fn head_scores(&self, request: HeadScoresRequest) -> Begun {
        if let (None, Some(option)) = (&request.pattern, request.of_comparison()) {
            return Err(Error::Input(format!(
                "`{option}` says how `pattern` is compared: expected a `pattern` too"
            )));
        }
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
                Ok(Box::new(RepeatedScores::new(
                    &self.model,
                    &tokens,
                    request.interventions,
                    lab.compiler,
                )?))
            }
        }
    }

    fn head_scores_on(&self, text: &Text, request: HeadScoresRequest) -> Result<Findings> {
        let ids = self.ids(&text.input)?;
        let Some(pattern) = request.pattern else {
            let length = TextLength { prompt: ids.len(), new: 1 };
            let config = self.model.config();
            let plan = Plan::new(&text.interventions, config, length, self.compiler.as_ref())?;
            return Ok(Findings::default()
                .table("scores", heads::head_scores_on(&self.model, &ids, plan)?));
        };
        let length = ids.len();
        if pattern.len() != length || pattern.iter().any(|row| row.len() != length) {
            let (rows, columns) = (pattern.len(), pattern.first().map_or(0, Vec::len));
            return Err(Error::Input(format!(
                "`pattern` has {rows} rows, the first of {columns} numbers; expected {length} rows of {length}, as the \
                 text has {length} tokens"
            )));
        }
        let (ids, run) = self.run(text, &heads::NAMES)?;
        let found =
            Findings::default().table("scores", heads::head_scores(&self.model, &run.cache, &ids)?);
        let pattern = Tensor::from_vec(pattern.concat(), (length, length), &Device::Cpu)?;
        let excluded = Excluded {
            first_token: request.exclude_first_token.unwrap_or(false),
            current_token: request.exclude_current_token.unwrap_or(false),
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
        let config = self.model.config();
        let top = match request.top {
            Some(top) => check_count("top", top, config.vocab_size, "the size of the vocabulary")?,
            None => 8.min(config.vocab_size),
        };
        let components = match request.components {
            Some(count) => {
                check_count("components", count, config.d_head(), "the rank of a head's matrices")?
            }
            None => 8.min(config.d_head()),
        };
        let ov = circuits::circuit(&self.model, layer, head, HeadMatrix::Ov)?;
        let qk = circuits::circuit(&self.model, layer, head, HeadMatrix::Qk)?;
        let mut found = Findings::default()
            .number("copyingScore", circuits::copying_score(&self.model, layer, head)?);
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

pub(super) struct HeadScoresRequest {
    input: Option<Prompt>,
    interventions: Vec<Intervention>,
    pattern: Option<Vec<Vec<f32>>>,
    measure: Option<Comparison>,
    exclude_first_token: Option<bool>,
    exclude_current_token: Option<bool>,
}

fields! { HeadScoresRequest {
    input: "input" optional,
    interventions: "interventions" or Vec::new(),
    pattern: "pattern" optional,
    measure: "measure" optional,
    exclude_first_token: "excludeFirstToken" optional,
    exclude_current_token: "excludeCurrentToken" optional,
} }

impl HeadScoresRequest {
    /// The first option that says how a pattern is compared.
    fn of_comparison(&self) -> Option<&'static str> {
        let given = [
            (self.measure.is_some(), "measure"),
            (self.exclude_first_token.is_some(), "excludeFirstToken"),
            (self.exclude_current_token.is_some(), "excludeCurrentToken"),
        ];
        given.into_iter().find(|(given, _)| *given).map(|(_, name)| name)
    }
}

#[derive(Clone, Copy)]
enum Comparison {
    Mul,
    Abs,
}

words! { Comparison { "mul" => Mul, "abs" => Abs } }

pub(super) struct CircuitsRequest {
    layer: usize,
    head: usize,
    top: Option<usize>,
    components: Option<usize>,
}

fields! { CircuitsRequest { layer: "layer", head: "head", top: "top" optional, components: "components" optional } }

pub(super) struct CompositionRequest {
    path: PathName,
}

fields! { CompositionRequest { path: "path" } }
