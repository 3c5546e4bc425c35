//! Direct logit attribution: how much each part of the residual stream adds to a logit, or to a difference of two.
//!
//! With `u` the unembedding column of the answer (less that of the other token), and `x = Σ parts` the stream after the
//! last layer, the logit is `LN(x) · u = Σ ((part - mean(part)) / scale * weight) · u + bias · u`, with the scale of the
//! whole stream. A model without normalization has no LN, and one with a bias of the logits adds it. After Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits", and TransformerLens's
//! `logit_attrs` on a model after `fold_ln`. The weights here are the raw ones, so gain and bias are in the formula.

use candle_core::{Device, IndexOp, Tensor};

use super::measurement::{MeasurementResult, once};
pub use super::stream_parts::{By, LayerNorm};
use super::stream_parts::{Parts, Reader, captured, parts};
use crate::checkpoint::Config;
use crate::error::{Error, Result};
use crate::hook::HookPoint;
use crate::intervene::{Intervention, expect_position};
use crate::lab::Lab;
use crate::model::Model;
use crate::named_array::NamedArray;
use crate::run::Cache;
use crate::wire::{Answer, Optional, Request, checked, options, results};

/// What is attributed.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// The logit of a token.
    Answer(u32),
    /// The logit of `answer` minus that of `against`.
    Difference {
        /// The token whose logit counts.
        answer: u32,
        /// The token whose logit is subtracted.
        against: u32,
    },
    /// The dot product of the unembedding's input with these `d_model` numbers.
    Direction(Vec<f32>),
}

options! {
    /// A [`Target`] as options.
    #[derive(Debug, Clone)]
    pub struct TargetOptions {
        /// The token whose logit is attributed.
        pub answer: Option<u32> as Optional<Answer>,
        /// The token whose logit is subtracted.
        pub against: Option<u32> as Optional<Answer>,
        /// Instead of a logit: the dot product of the unembedding's input with these `d_model` numbers.
        pub direction: Option<Vec<f32>>,
    }
}

impl TryFrom<TargetOptions> for Target {
    type Error = Error;

    fn try_from(options: TargetOptions) -> Result<Target> {
        match (options.answer, options.against, options.direction) {
            (Some(answer), None, None) => Ok(Target::Answer(answer)),
            (Some(answer), Some(against), None) => Ok(Target::Difference { answer, against }),
            (None, None, Some(direction)) => Ok(Target::Direction(direction)),
            _ => Err(Error::Input(
                "the target is ambiguous or missing: expected `answer`, `answer` and `against`, or only `direction`".into(),
            )),
        }
    }
}

checked!(Target: TargetOptions);

options! {
    /// Options of `attribution`.
    #[derive(Debug, Clone)]
    pub struct AttributionOptions {
        /// The position whose prediction is attributed; negative ones count from the end.
        pub position: i64 = -1,
        /// How finely the residual stream is decomposed.
        pub by: By = By::Component,
        /// The scale of the final LayerNorm. "frozen": that of the whole stream, so shares are linear in the parts and
        /// their order does not matter. "recomputed": that of the stream up to this part, so a share is the increase of
        /// the target when the part is added to all earlier parts. The heads of a layer, and its neurons, are then added
        /// in the order of their indices, although they act at once.
        pub layer_norm: LayerNorm = LayerNorm::Frozen,
        /// What to change in the run.
        pub interventions: Vec<Intervention> = Vec::new(),
        ..pub target: Target,
    }
}

results! {
    /// How much each part of the residual stream adds to a logit, or to a difference of two.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Attribution {
        /// The share of every part, in logits: axis `component`, labelled. Those of the final LayerNorm's bias and of the
        /// bias of the logits come last, if the model has them. They add up to the target.
        pub shares: NamedArray,
    }
}

pub(super) fn begin(
    lab: &Lab,
    Request { input, options, .. }: Request<AttributionOptions>,
) -> MeasurementResult<Attribution> {
    let lab = lab.clone();
    once(move || {
        let names = names(lab.model.config(), options.by);
        let run = lab.run(&input, &options.interventions, &names, None)?;
        Ok(Attribution { shares: attribution(&lab.model, &run.cache, &options)? })
    })
}

/// The hook points that a run must capture, at every position.
pub fn names(config: &Config, by: By) -> Vec<&'static str> {
    let mut names = by.names(config);
    names.extend(HookPoint::LnFinalScale.exists(config).then_some("ln_final.hook_scale"));
    names
}

/// The share of every part, then those of ln_final's bias and of the bias of the logits, if the model has them. The shares add
/// up to the target. Axis `component`.
///
/// # Errors
/// [`Error::Hook`] when [`names`] were not captured, [`Error::Input`] when the target or the position does not fit, or the
/// model has no neurons.
pub fn attribution(
    model: &Model,
    cache: &Cache,
    options: &AttributionOptions,
) -> Result<NamedArray> {
    let direction = options.target.direction(model)?;
    let norm = Reader::Unembed.frozen_norm(model, cache)?;
    let length = captured(cache, HookPoint::Embed)?.dim(0)?;
    let position = expect_position(options.position, length)?;
    let parts = parts(model, cache, Reader::Unembed, options.by, Some(&[position]))?;
    let mut shares = match options.layer_norm {
        LayerNorm::Recomputed if norm.scale.is_some() => {
            recomputed(model, &parts, &norm.gained(&direction)?)?
        }
        // Without normalization, a share does not depend on the other parts.
        LayerNorm::Frozen | LayerNorm::Recomputed => {
            along(&parts, &norm.pull_back(&direction, position)?)?
        }
    };
    let biases = [
        ("ln_final_bias", norm.bias_along(&direction)?),
        ("unembed_bias", options.target.bias(model)?),
    ];
    let mut labels: Vec<String> = parts.into_iter().flat_map(|part| part.labels).collect();
    for (label, bias) in biases {
        labels.extend(bias.map(|_| label.to_string()));
        shares.extend(bias);
    }
    let shares = Tensor::from_vec(shares, labels.len(), &Device::Cpu)?;
    Ok(NamedArray::new(&["component"], &shares)?.labelled("component", labels))
}

impl Target {
    /// The part of the target that is a bias of the logits, if the model has them. A direction reads the input of the
    /// unembedding, in which they are not.
    fn bias(&self, model: &Model) -> Result<Option<f32>> {
        let bias = |id: u32| -> Result<Option<f32>> {
            let bias = model.unembedding_bias_of(&Tensor::new(&[id], &Device::Cpu)?)?;
            Ok(bias.map(|bias| bias.get(0)?.to_scalar()).transpose()?)
        };
        match self {
            Target::Answer(answer) => bias(*answer),
            Target::Difference { answer, against } => {
                Ok(bias(*answer)?.zip(bias(*against)?).map(|(answer, against)| answer - against))
            }
            Target::Direction(_) => Ok(None),
        }
    }

    /// The vector whose dot product with the unembedding's input is the target: `[D]`.
    fn direction(&self, model: &Model) -> Result<Tensor> {
        let (vocab, width) = (model.config().vocab_size, model.config().n_embd);
        let column = |id: u32| match (id as usize) < vocab {
            true => model.unembedding_of(&Tensor::new(id, &Device::Cpu)?),
            false => Err(Error::out_of_range(format_args!("answer id {id}"), vocab)),
        };
        match self {
            Target::Answer(answer) => column(*answer),
            Target::Difference { answer, against } => Ok((column(*answer)? - column(*against)?)?),
            Target::Direction(values) if values.len() == width => {
                Ok(Tensor::from_slice(values, width, &Device::Cpu)?)
            }
            Target::Direction(values) => {
                let found = values.len();
                Err(Error::Input(format!(
                    "the direction has {found} numbers, expected `n_embd`, {width}"
                )))
            }
        }
    }
}

/// The dot product of each part with `direction`.
fn along(parts: &[Parts], direction: &Tensor) -> Result<Vec<f32>> {
    let mut shares = Vec::new();
    for part in parts {
        let along = part.along(direction)?; // [component, 1]
        shares.extend(along.flatten_all()?.to_vec1::<f32>()?);
    }
    Ok(shares)
}

/// The increase of `LN(stream) · gained` with each part.
fn recomputed(model: &Model, parts: &[Parts], gained: &Tensor) -> Result<Vec<f32>> {
    let gained: Vec<f32> = gained.to_vec1()?;
    let epsilon = model.config().layer_norm_epsilon;
    let mut stream = vec![0.0; gained.len()];
    let mut before = 0.0;
    let mut shares = Vec::new();
    for part in parts {
        for written in part.values()?.i((.., 0))?.to_vec2::<f32>()? {
            stream.iter_mut().zip(written).for_each(|(sum, value)| *sum += f64::from(value));
            let after = normalized_along(&stream, &gained, epsilon);
            shares.push((after - before) as f32);
            before = after;
        }
    }
    Ok(shares)
}

/// `(x - mean(x)) / sqrt(variance + eps) · direction`.
fn normalized_along(x: &[f64], direction: &[f32], epsilon: f64) -> f64 {
    let count = x.len() as f64;
    let mean = x.iter().sum::<f64>() / count;
    let variance = x.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    let along: f64 =
        x.iter().zip(direction).map(|(value, other)| (value - mean) * f64::from(*other)).sum();
    along / (variance + epsilon).sqrt()
}
