//! Measurements by name: a request as plain data in, named tables out.
//!
//! What a caller outside Rust says in data becomes here a call of one function of [`crate::analysis`]. A new analysis
//! is one arm of [`Lab::begin`] and the request it takes. The names of a request's fields are those of the JavaScript
//! face.

use std::borrow::Cow;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Deserializer};

use crate::analysis::Table;
use crate::analysis::attribution::{self, AttributionOptions, By, FinalLayerNorm};
use crate::analysis::circuits::{self, Composition, HeadMatrix, Through};
use crate::analysis::gradients::{Baseline, IntegratedGradients, attribution_patching};
use crate::analysis::heads::{self, Excluded, Measure, RepeatedTokens};
use crate::analysis::logit_lens::{self, LensOptions};
use crate::analysis::patching::{Contrast, Direction, Patched, Sweep, SweepOptions};
use crate::analysis::path_patching::{Input as Path, Mlps, PathOptions, PathSweep, Receiver, Receivers};
use crate::analysis::residual::{self, Reader, Stack, Steps};
use crate::analysis::tokens::{self, Lane};
use crate::error::{Error, Result, nearest};
use crate::hook::HookPoint;
use crate::intervene::{Compiler, Extent, Intervention, Plan};
use crate::model::Model;
use crate::python::{attribution_script, integrated_script, path_script, sweep_script};
use crate::run::{Objective, Run, RunOptions, means, run};
use crate::tokenizer::Tokenizer;

/// What a measurement found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    pub tables: Vec<(Cow<'static, str>, Table)>,
    pub numbers: Vec<(&'static str, f32)>,
    /// Texts beside a table: the tokens whose ids it holds, say.
    pub texts: Vec<(&'static str, Vec<String>)>,
}

impl Findings {
    fn table(mut self, name: impl Into<Cow<'static, str>>, table: Table) -> Findings {
        self.tables.push((name.into(), table));
        self
    }

    fn number(mut self, name: &'static str, number: f32) -> Findings {
        self.numbers.push((name, number));
        self
    }

    fn texts(mut self, name: &'static str, texts: Vec<String>) -> Findings {
        self.texts.push((name, texts));
        self
    }
}

impl From<Patched> for Findings {
    fn from(patched: Patched) -> Findings {
        let found = Findings::default()
            .table("raw", patched.raw)
            .number("clean", patched.clean)
            .number("corrupted", patched.corrupted);
        match patched.normalized {
            Some(normalized) => found.table("normalized", normalized),
            None => found,
        }
    }
}

/// A measurement under way, so that a caller can show progress and stop between steps.
pub trait Measurement {
    fn total(&self) -> usize;
    fn done(&self) -> usize;
    /// Does the next step; false when there was none left.
    fn step(&mut self) -> Result<bool>;
    /// Does what is left, and sums up.
    fn finish(self: Box<Self>) -> Result<Findings>;
}

macro_rules! stepwise {
    ($type:ty, $found:expr) => {
        impl Measurement for $type {
            fn total(&self) -> usize {
                self.len()
            }

            fn done(&self) -> usize {
                <$type>::done(self)
            }

            fn step(&mut self) -> Result<bool> {
                <$type>::step(self)
            }

            fn finish(self: Box<Self>) -> Result<Findings> {
                Ok($found(<$type>::finish(*self)?))
            }
        }
    };
}

stepwise!(Sweep, Findings::from);
stepwise!(PathSweep, Findings::from);
stepwise!(IntegratedGradients, |shares: crate::analysis::gradients::Shares| {
    let error = shares.error();
    let found = Findings::default().number("metric", shares.metric).number("baseline", shares.baseline);
    found.number("error", error).table("shares", shares.shares)
});

/// A measurement of one step.
struct Single<F>(Option<F>, Findings);

impl<F: FnOnce() -> Result<Findings>> Measurement for Single<F> {
    fn total(&self) -> usize {
        1
    }

    fn done(&self) -> usize {
        usize::from(self.0.is_none())
    }

    fn step(&mut self) -> Result<bool> {
        let Some(measure) = self.0.take() else { return Ok(false) };
        self.1 = measure()?;
        Ok(true)
    }

    fn finish(mut self: Box<Self>) -> Result<Findings> {
        self.step()?;
        Ok(self.1)
    }
}

type Begun = Result<Box<dyn Measurement>>;

fn once(measure: impl FnOnce() -> Result<Findings> + 'static) -> Begun {
    Ok(Box::new(Single(Some(measure), Findings::default())))
}

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
            "logitLens" => parse(request).and_then(|request| once(move || lab.logit_lens(&request))),
            "attribution" => parse(request).and_then(|request| once(move || lab.attribution(&request))),
            "residual" => parse(request).and_then(|request| once(move || lab.residual(&request))),
            "headScores" => parse(request).and_then(|request| once(move || lab.head_scores(request))),
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
        let spell = |id: &f32| tokenizer.decode(&[*id as u32]).unwrap_or_default();
        ids.data.iter().map(spell).collect()
    }

    fn logit_lens(&self, request: &LensRequest) -> Result<Findings> {
        let config = self.model.config();
        let points = logit_lens::points(config, request.of.as_deref().unwrap_or("resid_post"))?;
        let (ids, run) = self.run(&request.text, &logit_lens::names(config, &points))?;
        let answer = request.answer.as_ref().map(|answer| self.answer(answer)).transpose()?;
        let options = LensOptions { points, top: request.top.unwrap_or(5), answer };
        let lens = logit_lens::logit_lens(&self.model, &run.cache, &ids, &options)?;
        let spelled = self.spelled(&lens.top_ids);
        let mut found = Findings::default()
            .table("topIds", lens.top_ids)
            .table("topProbabilities", lens.top_probabilities)
            .texts("topStrings", spelled)
            .table("nextProbability", lens.next.probability)
            .table("nextRank", lens.next.rank)
            .table("kl", lens.kl);
        if let Some(answer) = lens.answer {
            found = found.table("answerProbability", answer.probability).table("answerRank", answer.rank);
        }
        Ok(found)
    }

    fn attribution(&self, request: &AttributionRequest) -> Result<Findings> {
        let by = request.by.unwrap_or(Fineness::Component).into();
        let (_, run) = self.run(&request.text, &attribution::names(by))?;
        let answer = |answer: &Answer| self.answer(answer);
        let target = match (&request.answer, &request.against, &request.direction) {
            (Some(token), None, None) => attribution::Target::Answer(answer(token)?),
            (Some(token), Some(against), None) => {
                attribution::Target::Difference { answer: answer(token)?, against: answer(against)? }
            }
            (None, None, Some(direction)) => attribution::Target::Direction(direction.clone()),
            _ => {
                let expected = "expected `answer`, `answer` and `against`, or `direction` alone";
                return Err(Error::Input(expected.into()));
            }
        };
        let options = AttributionOptions {
            target,
            position: request.position.unwrap_or(-1),
            by,
            layer_norm: match request.layer_norm {
                Some(Norm::Recomputed) => FinalLayerNorm::Recomputed,
                Some(Norm::Frozen) | None => FinalLayerNorm::Frozen,
            },
        };
        Ok(Findings::default().table("shares", attribution::attribution(&self.model, &run.cache, &options)?))
    }

    fn residual(&self, request: &ResidualRequest) -> Result<Findings> {
        let (model, by) = (&self.model, request.by.unwrap_or(Fineness::Component).into());
        let reader = request.reader.as_ref().map_or(Reader::Unembed, ReaderRequest::reader);
        let mut names = match request.stack {
            None | Some(StackName::Decomposed) => By::names(by),
            Some(StackName::Accumulated) => vec!["/hook_resid_(pre|mid|post)$/"],
            Some(StackName::Heads) => vec!["blocks.*.attn.hook_z"],
            Some(StackName::Neurons) => vec!["blocks.*.mlp.hook_post"],
        };
        names.extend(request.layer_norm.map(|_| "/hook_scale$/"));
        let (ids, run) = self.run_at(&request.text, &names, request.positions.clone())?;
        let stack = match request.stack {
            None | Some(StackName::Decomposed) => residual::decomposed(model, &run.cache, reader, by)?,
            Some(StackName::Accumulated) => {
                let steps = if request.sublayers { Steps::Sublayers } else { Steps::Layers };
                residual::accumulated(model, &run.cache, reader, steps)?
            }
            Some(StackName::Heads) => residual::heads(model, &run.cache, reader)?,
            Some(StackName::Neurons) => {
                let rows = 0..request.positions.as_ref().map_or(ids.len(), Vec::len);
                let layers = reader.layers_before(model.config())?;
                residual::neurons(model, &run.cache, &layers, &rows.collect::<Vec<_>>())?
            }
        };
        let read = self.through(&run, stack, reader, request.layer_norm)?;
        Ok(Findings::default().table("parts", read.table()?))
    }

    /// The stack as `reader` reads it through a LayerNorm, or as it is.
    fn through(&self, run: &Run, stack: Stack, reader: Reader, norm: Option<Norm>) -> Result<Stack> {
        match (norm, reader) {
            (None, _) => Ok(stack),
            (Some(Norm::Frozen), _) => {
                residual::through_frozen_layer_norm(&self.model, &run.cache, &stack, reader)
            }
            (Some(Norm::Recomputed), Reader::Unembed) => {
                residual::through_recomputed_layer_norm(&self.model, &stack)
            }
            (Some(Norm::Recomputed), _) => Err(Error::Input(
                "`layerNorm: \"recomputed\"` is the final LayerNorm's: leave `reader` out, or take \"frozen\"".into(),
            )),
        }
    }

    fn means(&self, request: &MeansRequest) -> Result<Findings> {
        let texts = request.texts.iter().map(|text| self.ids(text)).collect::<Result<Vec<_>>>()?;
        let found = means(&self.model, &texts, &request.names)?;
        let tables = found.into_iter().map(|(name, array)| {
            let axes = name.parse::<HookPoint>()?.axes().to_vec();
            Ok((name.into(), Table { axes, shape: array.shape, data: array.data, ..Table::default() }))
        });
        Ok(Findings { tables: tables.collect::<Result<_>>()?, ..Findings::default() })
    }

    fn head_scores(&self, request: HeadScoresRequest) -> Result<Findings> {
        let Some(input) = request.input else {
            let tokens = RepeatedTokens::for_model(self.model.config());
            let scores = heads::scores_on_repeated_tokens(&self.model, &tokens)?;
            return Ok(Findings::default().table("scores", scores));
        };
        let text = Text { input, interventions: request.interventions };
        let Some(pattern) = request.pattern else {
            let ids = self.ids(&text.input)?;
            let extent = Extent { prompt: ids.len(), new: 1 };
            let config = self.model.config();
            let plan = Plan::new(&text.interventions, config, extent, self.compiler.as_ref())?;
            return Ok(Findings::default().table("scores", heads::head_scores_on(&self.model, &ids, plan)?));
        };
        let (ids, run) = self.run(&text, &heads::NAMES)?;
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

    fn contrast(&self, request: &ContrastRequest) -> Result<Contrast> {
        Ok(Contrast {
            clean: self.ids(&request.clean)?,
            corrupted: self.ids(&request.corrupted)?,
            direction: match request.direction {
                Some(Way::Noise) => Direction::Noise,
                Some(Way::Denoise) | None => Direction::Denoise,
            },
            metric: self.objective(&request.metric)?,
        })
    }

    fn sweep_options(&self, request: &PatchingRequest) -> Result<SweepOptions> {
        Ok(SweepOptions {
            contrast: self.contrast(&request.contrast)?,
            at: request.at.as_deref().unwrap_or("resid_pre").parse()?,
            each_position: request.each_position,
        })
    }

    fn patching(&self, request: &PatchingRequest) -> Begun {
        let options = self.sweep_options(request)?;
        match request.method {
            Some(Method::Attribution) => {
                let model = self.model.clone();
                once(move || Ok(attribution_patching(&model, &options)?.into()))
            }
            Some(Method::Activation) | None => Ok(Box::new(Sweep::new(&self.model, options)?)),
        }
    }

    fn path_options(&self, request: &PathRequest) -> Result<PathOptions> {
        let receivers = match &request.receivers {
            ReceiversRequest::Logits(LogitsWord::Logits) => Receivers::Logits,
            ReceiversRequest::Heads(heads) => {
                Receivers::Heads(heads.iter().map(ReceiverRequest::receiver).collect())
            }
        };
        Ok(PathOptions {
            contrast: self.contrast(&request.contrast)?,
            receivers,
            mlps: match request.mlps {
                Some(MlpsRequest::Recomputed) => Mlps::Recomputed,
                Some(MlpsRequest::Frozen) | None => Mlps::Frozen,
            },
        })
    }

    fn path_patching(&self, request: &PathRequest) -> Begun {
        Ok(Box::new(PathSweep::new(&self.model, self.path_options(request)?)?))
    }

    fn integrated(&self, request: &IntegratedRequest) -> Result<Integrated> {
        Ok(Integrated {
            ids: self.ids(&request.input)?,
            metric: self.objective(&request.metric)?,
            baseline: match &request.baseline {
                None => Baseline::Zero,
                Some(prompt) => Baseline::Tokens(self.ids(prompt)?),
            },
            steps: request.steps.unwrap_or(32),
        })
    }

    fn integrated_gradients(&self, request: &IntegratedRequest) -> Begun {
        let Integrated { ids, metric, baseline, steps } = self.integrated(request)?;
        Ok(Box::new(IntegratedGradients::new(&self.model, &ids, &metric, &baseline, steps)?))
    }

    fn circuits(&self, request: &CircuitsRequest) -> Result<Findings> {
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

    fn composition(&self, request: &CompositionRequest) -> Result<Findings> {
        let path = match request.path {
            PathName::Q => Composition::Q,
            PathName::K => Composition::K,
            PathName::V => Composition::V,
        };
        Ok(Findings::default().table("scores", circuits::composition_scores(&self.model, path)?))
    }

    fn token_scores(&self, request: &Text) -> Result<Findings> {
        let (ids, run) = self.run(request, &[] as &[&str])?;
        let scores = tokens::token_scores(run.logits()?, &ids)?;
        Ok(Findings::default()
            .table("loss", scores.loss)
            .table("rank", scores.rank)
            .table("entropy", scores.entropy))
    }

    fn most_active(&self, request: &ActiveRequest) -> Result<Findings> {
        let texts = request.texts.iter().map(|text| self.ids(text)).collect::<Result<Vec<_>>>()?;
        let lane = Lane { point: request.at.parse()?, head: request.head, index: request.index };
        let found = tokens::most_active(&self.model, &texts, lane, request.count.unwrap_or(20))?;
        let column = |of: fn(&tokens::Activity) -> f32| Table {
            axes: vec!["place"],
            shape: vec![found.len()],
            data: found.iter().map(of).collect(),
            ..Table::default()
        };
        Ok(Findings::default()
            .table("text", column(|activity| activity.text as f32))
            .table("position", column(|activity| activity.position as f32))
            .table("value", column(|activity| activity.value)))
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

#[derive(Deserialize)]
struct LensRequest {
    #[serde(flatten)]
    text: Text,
    top: Option<usize>,
    of: Option<String>,
    answer: Option<Answer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttributionRequest {
    #[serde(flatten)]
    text: Text,
    answer: Option<Answer>,
    against: Option<Answer>,
    direction: Option<Vec<f32>>,
    position: Option<i64>,
    by: Option<Fineness>,
    layer_norm: Option<Norm>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Fineness {
    Component,
    Head,
    Neuron,
}

impl From<Fineness> for By {
    fn from(by: Fineness) -> By {
        match by {
            Fineness::Component => By::Component,
            Fineness::Head => By::Head,
            Fineness::Neuron => By::Neuron,
        }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Norm {
    Frozen,
    Recomputed,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResidualRequest {
    #[serde(flatten)]
    text: Text,
    stack: Option<StackName>,
    by: Option<Fineness>,
    #[serde(default)]
    sublayers: bool,
    reader: Option<ReaderRequest>,
    layer_norm: Option<Norm>,
    positions: Option<Vec<i64>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StackName {
    Decomposed,
    Accumulated,
    Heads,
    Neurons,
}

#[derive(Deserialize)]
struct ReaderRequest {
    layer: usize,
    part: ReaderPart,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ReaderPart {
    Attn,
    Mlp,
}

impl ReaderRequest {
    fn reader(&self) -> Reader {
        match self.part {
            ReaderPart::Attn => Reader::Attention(self.layer),
            ReaderPart::Mlp => Reader::Mlp(self.layer),
        }
    }
}

#[derive(Deserialize)]
struct MeansRequest {
    texts: Vec<Prompt>,
    names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeadScoresRequest {
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
struct ContrastRequest {
    clean: Prompt,
    corrupted: Prompt,
    direction: Option<Way>,
    #[serde(flatten)]
    metric: Metric,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    Denoise,
    Noise,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PatchingRequest {
    #[serde(flatten)]
    contrast: ContrastRequest,
    at: Option<String>,
    method: Option<Method>,
    #[serde(default)]
    each_position: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Method {
    Activation,
    Attribution,
}

#[derive(Deserialize)]
struct PathRequest {
    #[serde(flatten)]
    contrast: ContrastRequest,
    receivers: ReceiversRequest,
    mlps: Option<MlpsRequest>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ReceiversRequest {
    Logits(LogitsWord),
    Heads(Vec<ReceiverRequest>),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum LogitsWord {
    Logits,
}

#[derive(Deserialize)]
struct ReceiverRequest {
    layer: usize,
    head: usize,
    input: PathName,
}

impl ReceiverRequest {
    fn receiver(&self) -> Receiver {
        let input = match self.input {
            PathName::Q => Path::Q,
            PathName::K => Path::K,
            PathName::V => Path::V,
        };
        Receiver { layer: self.layer, head: self.head, input }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PathName {
    Q,
    K,
    V,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum MlpsRequest {
    Frozen,
    Recomputed,
}

#[derive(Deserialize)]
struct IntegratedRequest {
    input: Prompt,
    #[serde(flatten)]
    metric: Metric,
    baseline: Option<Prompt>,
    steps: Option<usize>,
}

/// What integrated gradients are computed of.
struct Integrated {
    ids: Vec<u32>,
    metric: Objective,
    baseline: Baseline,
    steps: usize,
}

#[derive(Deserialize)]
struct CircuitsRequest {
    layer: usize,
    head: usize,
    top: Option<usize>,
    components: Option<usize>,
}

#[derive(Deserialize)]
struct CompositionRequest {
    path: PathName,
}

#[derive(Deserialize)]
struct ActiveRequest {
    texts: Vec<Prompt>,
    at: String,
    head: Option<usize>,
    index: usize,
    count: Option<usize>,
}
