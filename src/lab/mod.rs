//! Measurements by name: a request as plain data in, named tables out.
//!
//! What a caller outside Rust says in data becomes here a call of one function of [`crate::analysis`]. A new analysis
//! is one arm of [`Lab::begin`] and, in a file beside this one, a method and the request that it takes. The names of a
//! request's fields are those of the JavaScript face.

mod heads;
mod measurement;
mod patching;
mod runs;
mod stream;
mod texts;

use self::measurement::{Begun, once};
use self::patching::{Integrated, Method, PatchingRequest};
use crate::analysis::Table;
use crate::error::{Error, Result, shortened};
use crate::intervene::{Compiler, Intervention};
use crate::model::Model;
use crate::nearest::nearest;
use crate::python::{
    attribution_script, generation_script, integrated_script, path_script, run_script, sweep_script,
};
use crate::run::{Objective, Run, RunOptions, run};
use crate::tokenizer::Tokenizer;
use crate::wire::{self, FromValue, Node, Value, fields, words};

pub use self::measurement::{Findings, Measurement};
pub use self::runs::{RunCall, token_ids};

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
    pub fn begin(&self, name: &str, request: impl Into<Value>) -> Begun {
        let (lab, request) = (self.clone(), &request.into());
        match name {
            "logitLens" => lab.logit_lens(&parse(name, request)?),
            "attribution" => {
                parse(name, request).and_then(|request| once(move || lab.attribution(&request)))
            }
            "residual" => {
                parse(name, request).and_then(|request| once(move || lab.residual(&request)))
            }
            "headScores" => lab.head_scores(parse(name, request)?),
            "patching" => lab.patching(&parse(name, request)?),
            "pathPatching" => lab.path_patching(&parse(name, request)?),
            "integratedGradients" => lab.integrated_gradients(&parse(name, request)?),
            "circuits" => {
                parse(name, request).and_then(|request| once(move || lab.circuits(&request)))
            }
            "compositionScores" => {
                parse(name, request).and_then(|request| once(move || lab.composition(&request)))
            }
            "tokenScores" => {
                parse(name, request).and_then(|request| once(move || lab.token_scores(&request)))
            }
            "mostActive" => {
                parse(name, request).and_then(|request| once(move || lab.most_active(&request)))
            }
            "means" => parse(name, request).and_then(|request| once(move || lab.means(&request))),
            _ => Err(Error::Input(format!(
                "there is no measurement `{}`; the nearest are {}",
                shortened(name),
                nearest(name, MEASUREMENTS, 3)
            ))),
        }
    }

    /// The Python that does in TransformerLens what the call named `name` does with the same input and options.
    ///
    /// # Errors
    /// As the call itself; [`Error::Input`] for one that cannot be printed, otherwise as [`crate::python`].
    pub fn to_python(
        &self,
        name: &str,
        input: &Value,
        request: &Value,
        folder: &str,
    ) -> Result<String> {
        let config = self.model.config();
        match name {
            "runWithCache" => {
                let RunCall { ids, options, .. } = self.run_call(input, request)?;
                run_script(config, folder, &ids, &options)
            }
            "generate" => {
                let (ids, options) = self.generate_call(input, request)?;
                generation_script(config, folder, &ids, &options)
            }
            "patching" => {
                let request: PatchingRequest = parse(name, request)?;
                let script = match request.method {
                    Some(Method::Attribution) => attribution_script,
                    Some(Method::Activation) | None => sweep_script,
                };
                script(config, folder, &self.sweep_options(&request)?)
            }
            "pathPatching" => {
                path_script(config, folder, &self.path_options(&parse(name, request)?)?)
            }
            "integratedGradients" => {
                let Integrated { ids, metric, baseline, steps } =
                    self.integrated(&parse(name, request)?)?;
                integrated_script(config, folder, &ids, &metric, &baseline, steps)
            }
            _ => Err(Error::Input(format!(
                "`{name}` cannot be printed as Python, expected runWithCache, generate, patching, pathPatching or \
                 integratedGradients"
            ))),
        }
    }

    /// The ids of a text, or the ids that were given: at least one, each of them in the vocabulary.
    ///
    /// # Errors
    /// [`Error::Input`] when there is none or the vocabulary lacks one, or for a text without a tokenizer.
    pub fn ids(&self, prompt: &Prompt) -> Result<Vec<u32>> {
        let ids = match prompt {
            Prompt::Ids(ids) => ids.clone(),
            Prompt::Text(text) => self.tokenizer()?.encode(text)?,
        };
        if ids.is_empty() {
            return Err(Error::no_token());
        }
        ids.iter().try_for_each(|id| self.check_id("token", *id))?;
        Ok(ids)
    }

    fn check_id(&self, what: &str, id: u32) -> Result<()> {
        let vocab_size = self.model.config().vocab_size;
        match (id as usize) < vocab_size {
            true => Ok(()),
            false => Err(Error::out_of_range(format_args!("{what} id {id}"), vocab_size)),
        }
    }

    /// The ids of several texts.
    fn ids_of_all(&self, texts: &[Prompt]) -> Result<Vec<Vec<u32>>> {
        if texts.is_empty() {
            return Err(Error::Input(
                "`texts` is empty, so there is no prompt; expected at least one".into(),
            ));
        }
        texts.iter().map(|text| self.ids(text)).collect()
    }

    /// # Errors
    /// [`Error::Input`] when the model came without one.
    pub fn tokenizer(&self) -> Result<&Tokenizer> {
        self.tokenizer.as_ref().ok_or_else(|| {
            Error::Input(
                "the model came without a tokenizer.json, so text cannot be used: pass token ids"
                    .into(),
            )
        })
    }

    /// The id of an answer, whose text must be a single token.
    pub fn answer(&self, answer: &Answer) -> Result<u32> {
        let id = match answer {
            Answer::Id(id) => *id,
            Answer::Text(text) => self.tokenizer()?.single_token(text)?,
        };
        self.check_id("answer", id)?;
        Ok(id)
    }

    pub fn objective(&self, metric: &Metric) -> Result<Objective> {
        let beside = metric.against.is_some() || metric.position.is_some();
        match (&metric.answer, metric.loss) {
            (None, Some(true)) if !beside => Ok(Objective::Loss),
            (Some(answer), None | Some(false)) => Ok(Objective::Logit {
                answer: self.answer(answer)?,
                against: metric.against.as_ref().map(|against| self.answer(against)).transpose()?,
                position: metric.position.unwrap_or(-1),
            }),
            _ => Err(Error::Input(
                "the metric is ambiguous or missing: expected either `answer` (with `against`, `position`) or only `loss: true`".into(),
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
        // An id is NaN if the logits are not finite, because then there is no token.
        let spell = |id: &f32| match id.is_nan() {
            true => String::new(),
            false => tokenizer.name(*id as u32).map(|token| token.string).unwrap_or_default(),
        };
        ids.data.iter().map(spell).collect()
    }
}

/// Options of every measurement that its caller handles itself, for messages.
const HANDLED_BY_CALLER: [&str; 2] = ["signal", "onProgress"];

fn parse<T: FromValue>(name: &str, request: &Value) -> Result<T> {
    wire::read(name, &HANDLED_BY_CALLER, request)
}

/// Checks a number of things to list. `name` is that of the option.
pub(crate) fn check_count(name: &str, count: usize, most: usize, what: &str) -> Result<usize> {
    match count {
        0 => Err(Error::Input(format!("`{name}` is 0, expected at least 1"))),
        count if count > most => {
            Err(Error::Input(format!("`{name}` is {count}, expected at most {most}, {what}")))
        }
        count => Ok(count),
    }
}

/// A text, or token ids.
#[derive(Debug, Clone)]
pub enum Prompt {
    Text(String),
    Ids(Vec<u32>),
}

impl FromValue for Prompt {
    fn from_value(node: Node) -> Result<Prompt> {
        match node.value() {
            Value::Text(text) => Ok(Prompt::Text(text.clone())),
            Value::List(_) | Value::Numbers(_) | Value::Floats(_) => {
                Vec::from_value(node).map(Prompt::Ids)
            }
            _ => Err(node.expected(Self::one())),
        }
    }

    fn one() -> String {
        "a text or an array of token ids".into()
    }

    fn many() -> String {
        "texts or arrays of token ids".into()
    }
}

/// A token's text, or its id.
#[derive(Debug, Clone)]
pub enum Answer {
    Text(String),
    Id(u32),
}

/// No token is longer; a longer text is not worth tokenizing.
const LONGEST_ANSWER: usize = 300;

impl FromValue for Answer {
    fn from_value(node: Node) -> Result<Answer> {
        match node.value() {
            Value::Text(text) if text.len() > LONGEST_ANSWER => {
                Err(node.error(format!("has {} bytes, expected the text of one token", text.len())))
            }
            Value::Text(text) => Ok(Answer::Text(text.clone())),
            Value::Number(number) if number.fract() == 0.0 && *number >= 0.0 => {
                u32::from_value(node).map(Answer::Id)
            }
            _ => Err(node.expected(Self::one())),
        }
    }

    fn one() -> String {
        "a token's text or its id".into()
    }
}

/// What a run's logits come down to.
#[derive(Debug, Clone, Default)]
pub struct Metric {
    pub answer: Option<Answer>,
    pub against: Option<Answer>,
    /// The last one when absent.
    pub position: Option<i64>,
    pub loss: Option<bool>,
}

fields! { Metric {
    answer: "answer" optional,
    against: "against" optional,
    position: "position" optional,
    loss: "loss" optional,
} }

struct Text {
    input: Prompt,
    interventions: Vec<Intervention>,
}

fields! { Text { input: "input", interventions: "interventions" or Vec::new() } }

#[derive(Clone, Copy)]
enum PathName {
    Q,
    K,
    V,
}

words! { PathName { "q" => Q, "k" => K, "v" => V } }
