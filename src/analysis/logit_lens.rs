//! What the model would predict if it stopped at a point of the residual stream.
//!
//! `softmax(LN_final(x) W_U + b_U)` at every point `x`, with the mean and scale of each `x` in the final LayerNorm, if the
//! model has one.
//! After nostalgebraist 2020, "interpreting GPT: the logit lens". The divergence is `KL(final || lens)`, in nats, as
//! Belrose et al. 2023 ("Eliciting Latent Predictions from Transformers with the Tuned Lens") measure it.

use std::str::FromStr;

use candle_core::{Device, Tensor};

use super::measurement::{Measurement, MeasurementResult};
use super::stream_parts::captured;
use crate::checkpoint::Config;
use crate::error::{Error, Result};
use crate::generate::most_probable;
use crate::hook::{BlockPoint, HookPoint, NoHooks};
use crate::intervene::Intervention;
use crate::kernel;
use crate::lab::{Lab, check_count};
use crate::model::Model;
use crate::named_array::{NO_TOKEN, NamedArray, NamedIds, axis_names};
use crate::run::{Cache, expect_memory};
use crate::wire::{Answer, FromValue, Node, Optional, Request, TypeScript, options, results};

/// Rows of logits that are in memory at once, at every point.
const ROWS: usize = 16;

options! {
    /// Options of `logitLens`.
    #[derive(Debug, Clone)]
    pub struct LogitLensOptions {
        /// The point of each layer.
        pub of: StreamPoint = StreamPoint::ResidPost,
        /// How many of the most probable tokens to list; 5 if absent, or all if there are fewer.
        pub top: Option<usize>,
        /// A token to follow besides the true next ones.
        pub answer: Option<u32> as Optional<Answer>,
        /// What to change in the run.
        pub interventions: Vec<Intervention> = Vec::new(),
    }
}

/// A point in each layer whose value has the axes of the residual stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamPoint {
    /// Before the attention.
    ResidPre,
    /// Between attention and MLP, in a model with MLPs.
    ResidMid,
    /// After the MLP.
    ResidPost,
    /// What the attention writes.
    AttnOut,
    /// What the MLP writes.
    MlpOut,
}

const STREAM_POINTS: [(&str, StreamPoint, BlockPoint); 5] = [
    ("resid_pre", StreamPoint::ResidPre, BlockPoint::ResidPre),
    ("resid_mid", StreamPoint::ResidMid, BlockPoint::ResidMid),
    ("resid_post", StreamPoint::ResidPost, BlockPoint::ResidPost),
    ("attn_out", StreamPoint::AttnOut, BlockPoint::AttnOut),
    ("mlp_out", StreamPoint::MlpOut, BlockPoint::MlpOut),
];

results! {
    /// What the model would predict if it stopped at each layer. The axis `layer` is labelled with the points' names. Where the
    /// logits of a point and position are not finite, the numbers are NaN.
    #[derive(Debug, Clone, PartialEq)]
    pub struct LogitLens {
        /// The ids of the most probable tokens: axes `layer pos top`. 4294967295, which is no token, if the logits are not
        /// finite.
        pub top_ids: NamedIds,
        /// Their probabilities: axes `layer pos top`.
        pub top_probabilities: NamedArray,
        /// Their strings, in the order of `topIds`; none without a tokenizer.
        pub top_strings: Vec<String>,
        /// The probability of the true next token, at every position but the last: axes `layer pos`.
        pub next_probability: NamedArray,
        /// How many tokens have a greater logit than the true next token: axes `layer pos`.
        pub next_rank: NamedArray,
        /// The probability of the answer, if one was given: axes `layer pos`.
        pub answer_probability: Option<NamedArray>,
        /// How many tokens have a greater logit than the answer, if one was given: axes `layer pos`.
        pub answer_rank: Option<NamedArray>,
        /// `KL(final || lens)` in nats: axes `layer pos`.
        pub kl: NamedArray,
    }
}

pub(super) fn begin(
    lab: &Lab,
    Request { input, options, .. }: Request<LogitLensOptions>,
) -> MeasurementResult<LogitLens> {
    let config = lab.model.config();
    let top = match options.top {
        Some(top) => check_count("top", top, config.vocab_size, "the size of the vocabulary")?,
        None => 5.min(config.vocab_size),
    };
    let points = points(config, options.of);
    let run = lab.run(&input, &options.interventions, &names(config, &points), None)?;
    let options = LensOptions { points, top, answer: options.answer };
    let lens = Lens::new(&lab.model, &run.cache, &input, options)?;
    Ok(Box::new(LensMeasurement { lens, lab: lab.clone() }))
}

/// A lens whose result gets the strings of its tokens.
struct LensMeasurement {
    lens: Lens,
    lab: Lab,
}

impl Measurement for LensMeasurement {
    type Output = LogitLens;

    fn total(&self) -> usize {
        self.lens.len()
    }

    fn done(&self) -> usize {
        self.lens.done()
    }

    fn step(&mut self) -> Result<bool> {
        self.lens.step()
    }

    fn finish(self: Box<Self>) -> Result<LogitLens> {
        let found = self.lens.finish()?;
        Ok(LogitLens { top_strings: self.lab.strings(&found.top_ids), ..found })
    }
}

/// The options of a [`Lens`].
#[derive(Debug, Clone, PartialEq)]
pub struct LensOptions {
    /// Points with the axes of the residual stream, captured at every position.
    pub points: Vec<HookPoint>,
    /// How many of the most probable tokens to list.
    pub top: usize,
    /// A token to follow besides the true next ones.
    pub answer: Option<u32>,
}

/// The point `of` in every layer.
pub fn points(config: &Config, of: StreamPoint) -> Vec<HookPoint> {
    let point = STREAM_POINTS[of as usize].2;
    (0..config.n_layer).map(|layer| HookPoint::Block(layer, point)).collect()
}

impl FromStr for StreamPoint {
    type Err = Error;

    fn from_str(name: &str) -> Result<StreamPoint> {
        let found = STREAM_POINTS.iter().find(|(known, ..)| *known == name);
        found.map(|(_, of, _)| *of).ok_or_else(|| {
            Error::Input(format!(
                "the logit lens cannot look at `{name}`, expected `resid_pre`, `resid_mid`, `resid_post`, `attn_out` or \
                 `mlp_out`"
            ))
        })
    }
}

impl FromValue for StreamPoint {
    fn from_value(node: Node) -> Result<StreamPoint> {
        String::from_value(node)?.parse()
    }

    fn singular() -> String {
        String::singular()
    }

    fn typescript(_: &mut TypeScript) -> String {
        STREAM_POINTS.map(|(name, ..)| format!("\"{name}\"")).join(" | ")
    }

    fn literal(&self) -> Option<String> {
        Some(format!("\"{}\"", STREAM_POINTS[*self as usize].0))
    }
}

/// The hook points that a run must capture: `points`, and the end of the stream, which gives the final distribution.
pub fn names(config: &Config, points: &[HookPoint]) -> Vec<String> {
    let end = HookPoint::Block(config.n_layer - 1, BlockPoint::ResidPost);
    let more = (!points.contains(&end)).then_some(end);
    points.iter().copied().chain(more).map(|point| point.to_string()).collect()
}

/// Applies the lens to a run of `tokens`.
///
/// # Errors
/// [`Error::Hook`] when [`names`] were not captured or a point has other axes than the stream, [`Error::Input`] when the answer
/// is not in the vocabulary or `tokens` are not those of the run.
pub fn logit_lens(
    model: &Model,
    cache: &Cache,
    tokens: &[u32],
    options: &LensOptions,
) -> Result<LogitLens> {
    Lens::new(model, cache, tokens, options.clone())?.finish()
}

/// The lens in steps of some positions at every point.
pub struct Lens {
    model: Model,
    tokens: Vec<u32>,
    options: LensOptions,
    /// The residual stream after the last block, `[T, D]`.
    end: Tensor,
    /// The stream at each point, `[T, D]`; None if the point is that end itself.
    streams: Vec<Option<Tensor>>,
    rows: Vec<Vec<Reading>>,
    done: usize,
}

impl Lens {
    /// # Errors
    /// As [`logit_lens`].
    pub fn new(model: &Model, cache: &Cache, tokens: &[u32], options: LensOptions) -> Result<Lens> {
        let config = model.config();
        let last = HookPoint::Block(config.n_layer - 1, BlockPoint::ResidPost);
        let end = captured(cache, last)?; // [T, D]
        let length = end.dim(0)?;
        if length != tokens.len() {
            let found = tokens.len();
            return Err(Error::Input(format!(
                "{found} tokens for a run that captured {length} positions"
            )));
        }
        if let Some(answer) = options.answer.filter(|answer| *answer as usize >= config.vocab_size)
        {
            return Err(Error::out_of_range(format_args!("answer id {answer}"), config.vocab_size));
        }
        let listed =
            length as u64 * options.points.len() as u64 * options.top.min(config.vocab_size) as u64;
        expect_memory(listed.saturating_mul(20), "the lens", "a smaller `top`, or a shorter text")?;
        let of =
            |point: &HookPoint| (*point != last).then(|| stream(cache, *point, length)).transpose();
        let streams = options.points.iter().map(of).collect::<Result<Vec<_>>>()?;
        let rows = vec![Vec::with_capacity(length); streams.len()];
        Ok(Lens {
            model: model.clone(),
            tokens: tokens.to_vec(),
            options,
            end,
            streams,
            rows,
            done: 0,
        })
    }

    /// The number of steps.
    pub fn len(&self) -> usize {
        self.tokens.len().div_ceil(ROWS)
    }

    /// Whether there are no steps.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The number of completed steps.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Does the next step; false if none was left.
    pub fn step(&mut self) -> Result<bool> {
        if self.done == self.len() {
            return Ok(false);
        }
        let first = self.done * ROWS;
        let count = ROWS.min(self.tokens.len() - first);
        let last = logits(&self.model, &self.end.narrow(0, first, count)?)?;
        for (rows, stream) in self.rows.iter_mut().zip(&self.streams) {
            let here = match stream {
                Some(stream) => logits(&self.model, &stream.narrow(0, first, count)?)?,
                None => last.clone(),
            };
            for (row, (here, last)) in here.iter().zip(&last).enumerate() {
                let next = self.tokens.get(first + row + 1).copied();
                rows.push(Reading::of(here, last, next, &self.options));
            }
        }
        self.done += 1;
        Ok(true)
    }

    /// Does the remaining steps and returns the result.
    pub fn finish(mut self) -> Result<LogitLens> {
        while self.step()? {}
        Ok(summarize(&self.rows.concat(), self.tokens.len(), &self.options))
    }
}

/// The logits of `ids` at every point: `layer pos token`.
pub fn logits_of(
    model: &Model,
    cache: &Cache,
    points: &[HookPoint],
    ids: &[u32],
) -> Result<NamedArray> {
    let vocab = model.config().vocab_size;
    if let Some(id) = ids.iter().find(|id| **id as usize >= vocab) {
        return Err(Error::out_of_range(format_args!("token id {id}"), vocab));
    }
    let ids = Tensor::from_slice(ids, ids.len(), &Device::Cpu)?;
    let columns = model.unembedding_of(&ids)?.t()?; // [D, token]
    let bias = model.unembedding_bias_of(&ids)?;
    let of_point = |point: &HookPoint| -> Result<Tensor> {
        let logits = model.final_norm(&captured(cache, *point)?)?.matmul(&columns)?; // [T, token]
        Ok(match &bias {
            None => logits,
            Some(bias) => logits.broadcast_add(bias)?,
        })
    };
    let values = points.iter().map(of_point).collect::<Result<Vec<_>>>()?;
    let array = NamedArray::new(&["layer", "pos", "token"], &Tensor::stack(&values, 0)?)?;
    Ok(array.labelled("layer", points.iter().map(HookPoint::to_string).collect()))
}

/// What the result contains of one distribution.
#[derive(Clone)]
struct Reading {
    top: Vec<Option<(u32, f32)>>,
    next: Option<(f32, f32)>,
    answer: Option<(f32, f32)>,
    kl: f32,
}

impl Reading {
    fn of(logits: &[f32], last: &[f32], next: Option<u32>, options: &LensOptions) -> Reading {
        let total = kernel::log_sum_exp(logits);
        if !total.is_finite() {
            return Reading::unknown(next, options, logits.len());
        }
        let probability = |id: u32| (f64::from(logits[id as usize]) - total).exp() as f32;
        let follow = |id: u32| {
            let rank = logits.iter().filter(|logit| **logit > logits[id as usize]).count();
            (probability(id), rank as f32)
        };
        let top = most_probable(logits, options.top)
            .into_iter()
            .map(|id| Some((id, probability(id))))
            .collect();
        Reading {
            top,
            next: next.map(follow),
            answer: options.answer.map(follow),
            kl: divergence(last, logits) as f32,
        }
    }

    /// The reading of logits that are not finite.
    fn unknown(next: Option<u32>, options: &LensOptions, vocab_size: usize) -> Reading {
        let pair = (f32::NAN, f32::NAN);
        Reading {
            top: vec![None; options.top.min(vocab_size)],
            next: next.map(|_| pair),
            answer: options.answer.map(|_| pair),
            kl: f32::NAN,
        }
    }
}

/// `KL(p || q)` of two distributions given by their logits, in nats.
fn divergence(p: &[f32], q: &[f32]) -> f64 {
    let (total_p, total_q) = (kernel::log_sum_exp(p), kernel::log_sum_exp(q));
    let term = |(p, q): (&f32, &f32)| {
        let log_p = f64::from(*p) - total_p;
        // A token that is impossible in `p` adds nothing, whatever it is in `q`.
        if log_p == f64::NEG_INFINITY {
            0.0
        } else {
            log_p.exp() * (log_p - (f64::from(*q) - total_q))
        }
    };
    p.iter().zip(q).map(term).sum()
}

/// The value at a point of the stream, `[T, D]`.
fn stream(cache: &Cache, point: HookPoint, length: usize) -> Result<Tensor> {
    if point.axes() != HookPoint::Embed.axes() {
        let found = point.axes().join(" ");
        return Err(Error::Hook(format!(
            "the logit lens cannot look at `{point}`: its axes are {found}, expected batch pos d_model"
        )));
    }
    let value = captured(cache, point)?;
    match value.dim(0)? {
        found if found == length => Ok(value),
        found => Err(Error::Hook(format!(
            "`{point}` was captured at {found} positions, expected {length}"
        ))),
    }
}

/// Through the final norm and the unembedding: `[T, D]` to T rows of V.
fn logits(model: &Model, x: &Tensor) -> Result<Vec<Vec<f32>>> {
    Ok(model.unembed(&x.unsqueeze(0)?, 0, &mut NoHooks)?.squeeze(0)?.to_vec2()?)
}

fn summarize(rows: &[Reading], length: usize, options: &LensOptions) -> LogitLens {
    let labels: Vec<String> = options.points.iter().map(HookPoint::to_string).collect();
    let count = labels.len();
    let by_position = |length: usize, data: Vec<f32>| {
        by_layer(&["layer", "pos"], vec![count, length], data, &labels)
    };
    let followed = |rows: Vec<(f32, f32)>| -> (NamedArray, NamedArray) {
        let length = rows.len() / count.max(1);
        let (probability, rank) = rows.into_iter().unzip();
        (by_position(length, probability), by_position(length, rank))
    };
    let top = vec![count, length, rows.first().map_or(0, |row| row.top.len())];
    let listed = |entry: &Option<(u32, f32)>| entry.unwrap_or((NO_TOKEN, f32::NAN));
    let (ids, probabilities) = rows.iter().flat_map(|row| &row.top).map(listed).unzip();
    let (next_probability, next_rank) = followed(rows.iter().filter_map(|row| row.next).collect());
    let answer =
        options.answer.map(|_| followed(rows.iter().filter_map(|row| row.answer).collect()));
    let (answer_probability, answer_rank) = answer.unzip();
    LogitLens {
        top_ids: by_layer(&["layer", "pos", "top"], top.clone(), ids, &labels),
        top_probabilities: by_layer(&["layer", "pos", "top"], top, probabilities, &labels),
        top_strings: Vec::new(),
        next_probability,
        next_rank,
        answer_probability,
        answer_rank,
        kl: by_position(length, rows.iter().map(|row| row.kl).collect()),
    }
}

/// Numbers of each layer, labelled with its point.
fn by_layer<T: Copy>(
    axes: &[&'static str],
    shape: Vec<usize>,
    data: Vec<T>,
    labels: &[String],
) -> NamedArray<T> {
    let array = NamedArray { axes: axis_names(axes), ..NamedArray::from_data(shape, data) };
    array.labelled("layer", labels.to_vec())
}
