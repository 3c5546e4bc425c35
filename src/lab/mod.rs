//! Measurements by name: a request as plain data in, named tables out.
//!
//! What a caller outside Rust says in data becomes here a call of one function of [`crate::analysis`]. A new analysis
//! is one arm of [`Lab::begin`] and, in a file beside this one, a method and the request that it takes. The names of a
//! request's fields are those of the JavaScript face.

mod heads;
mod measurement;
mod patching;
mod stream;
mod texts;

use serde::{Deserialize, Deserializer};

use self::measurement::{Begun, once};
use self::patching::{Integrated, Method, PatchingRequest};
use crate::analysis::Table;
use crate::error::{Error, Result, nearest};
use crate::intervene::{Compiler, Intervention};
use crate::model::Model;
use crate::python::{attribution_script, integrated_script, path_script, sweep_script};
use crate::run::{Objective, Run, RunOptions, run};
use crate::tokenizer::Tokenizer;

pub use self::measurement::{Findings, Measurement};

/// A model, what reads its texts, and what compiles its JavaScript interventions.
#[derive(Clone)]
pub struct Lab {
    pub model: Model,
    pub tokenizer: Option<Tokenizer>,
    pub compiler: Option<Compiler>,
}

const MEASUREMENTS: [&str; 12] = [
    "logitLens",
    "attribution",
    "residual",
    "headScores",
    "patching",
    "pathPatching",
    "integratedGradients",
    "circuits",
    "compositionScores",
    "tokenScores",
    "mostActive",
    "means",
];

impl Lab {
    /// Gets the measurement called `name` ready.
    ///
    /// # Errors
    /// [`Error::Input`] when there is no such measurement, the request is malformed or does not fit the model;
    /// otherwise as the analysis itself, at its first step.
    pub fn begin<'de, D: Deserializer<'de>>(&self, name: &str, request: D) -> Begun {
        let lab = self.clone();
        match name {
            "logitLens" => parse(request).and_then(|request| lab.logit_lens(&request)),
            "attribution" => parse(request).and_then(|request| once(move || lab.attribution(&request))),
            "residual" => parse(request).and_then(|request| once(move || lab.residual(&request))),
            "headScores" => parse(request).and_then(|request| lab.head_scores(request)),
            "patching" => parse(request).and_then(|request| lab.patching(&request)),
            "pathPatching" => parse(request).and_then(|request| lab.path_patching(&request)),
            "integratedGradients" => parse(request).and_then(|request| lab.integrated_gradients(&request)),
            "circuits" => parse(request).and_then(|request| once(move || lab.circuits(&request))),
            "compositionScores" => parse(request).and_then(|request| once(move || lab.composition(&request))),
            "tokenScores" => parse(request).and_then(|request| once(move || lab.token_scores(&request))),
            "mostActive" => parse(request).and_then(|request| once(move || lab.most_active(&request))),
            "means" => parse(request).and_then(|request| once(move || lab.means(&request))),
            _ => Err(Error::Input(format!(
                "there is no measurement `{name}`; the nearest are {}",
                nearest(name, MEASUREMENTS, 3)
            ))),
        }
    }

    /// The Python that does in TransformerLens what the measurement called `name` does with the same request.
    ///
    /// # Errors
    /// As [`Lab::begin`]; [`Error::Input`] for a measurement that is no sweep, otherwise as [`crate::python`].
    pub fn to_python<'de, D: Deserializer<'de>>(
        &self,
        name: &str,
        request: D,
        folder: &str,
    ) -> Result<String> {
        let config = self.model.config();
        match name {
            "patching" => {
                let request: PatchingRequest = parse(request)?;
                let script = match request.method {
                    Some(Method::Attribution) => attribution_script,
                    Some(Method::Activation) | None => sweep_script,
                };
                script(config, folder, &self.sweep_options(&request)?)
            }
            "pathPatching" => path_script(config, folder, &self.path_options(&parse(request)?)?),
            "integratedGradients" => {
                let Integrated { ids, metric, baseline, steps } = self.integrated(&parse(request)?)?;
                integrated_script(config, folder, &ids, &metric, &baseline, steps)
            }
            _ => Err(Error::Input(format!(
                "`{name}` cannot be printed as Python, expected runWithCache, generate, patching, pathPatching or \
                 integratedGradients"
            ))),
        }
    }

    /// The ids of a text, or the ids that were given.
    pub fn ids(&self, prompt: &Prompt) -> Result<Vec<u32>> {
        match prompt {
            Prompt::Ids(ids) => Ok(ids.clone()),
            Prompt::Text(text) => self.tokenizer()?.encode(text),
        }
    }

    /// # Errors
    /// [`Error::Input`] when the model came without one.
    pub fn tokenizer(&self) -> Result<&Tokenizer> {
        self.tokenizer.as_ref().ok_or_else(|| {
            Error::Input(
                "the model came without a tokenizer.json, so text cannot be used: pass token ids".into(),
            )
        })
    }

    /// The id of an answer, whose text must be a single token.
    pub fn answer(&self, answer: &Answer) -> Result<u32> {
        match answer {
            Answer::Id(id) => Ok(*id),
            Answer::Text(text) => self.tokenizer()?.single_token(text),
        }
    }

    pub fn objective(&self, metric: &Metric) -> Result<Objective> {
        match (&metric.answer, metric.loss) {
            (None, Some(true)) => Ok(Objective::Loss),
            (Some(answer), None | Some(false)) => Ok(Objective::Logit {
                answer: self.answer(answer)?,
                against: metric.against.as_ref().map(|against| self.answer(against)).transpose()?,
                position: metric.position.unwrap_or(-1),
            }),
            _ => Err(Error::Input(
                "expected either `answer` (with `against`, `position`) or `loss: true`".into(),
            )),
        }
    }

    fn run<S: AsRef<str>>(&self, text: &Text, names: &[S]) -> Result<(Vec<u32>, Run)> {
        self.run_at(text, names, None)
    }

    /// As [`Lab::run`], capturing these positions alone.
    fn run_at<S: AsRef<str>>(
        &self,
        text: &Text,
        names: &[S],
        positions: Option<Vec<i64>>,
    ) -> Result<(Vec<u32>, Run)> {
        let ids = self.ids(&text.input)?;
        let options = RunOptions {
            names: names.iter().map(|name| name.as_ref().to_string()).collect(),
            interventions: text.interventions.clone(),
            positions,
            compiler: self.compiler.clone(),
            ..RunOptions::default()
        };
        let run = run(&self.model, &ids, &options)?;
        Ok((ids, run))
    }

    /// What each id of a table stands for, where there is a tokenizer.
    fn spelled(&self, ids: &Table) -> Vec<String> {
        let Some(tokenizer) = &self.tokenizer else { return Vec::new() };
        let tokenizer = tokenizer.for_model(self.model.config().vocab_size);
        let ids: Vec<u32> = ids.data.iter().map(|id| *id as u32).collect();
        let names = tokenizer.names(&ids).unwrap_or_default();
        names.into_iter().map(|token| token.string).collect()
    }
}

fn parse<'de, T: Deserialize<'de>, D: Deserializer<'de>>(request: D) -> Result<T> {
    T::deserialize(request).map_err(|error| Error::Input(error.to_string()))
}

/// A text, or token ids.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Prompt {
    Text(String),
    Ids(Vec<u32>),
}

/// A token's text, or its id.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    Text(String),
    Id(u32),
}

/// What a run's logits come down to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Metric {
    pub answer: Option<Answer>,
    pub against: Option<Answer>,
    /// The last one when absent.
    pub position: Option<i64>,
    pub loss: Option<bool>,
}

#[derive(Deserialize)]
struct Text {
    input: Prompt,
    #[serde(default)]
    interventions: Vec<Intervention>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PathName {
    Q,
    K,
    V,
}
