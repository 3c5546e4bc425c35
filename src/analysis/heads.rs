//! Scores of attention heads for known kinds of heads, from their attention patterns.
//!
//! A kind is a set of attention edges. A head's score is its attention on these edges, summed over the keys of each query
//! and averaged over the queries that have such an edge:
//!
//! - *previous token*: the key before the query;
//! - *duplicate token*: every earlier position with the query's own token;
//! - *induction*: every position after an earlier occurrence of the query's token (Olsson et al. 2022, "In-context
//!   Learning and Induction Heads"); after `a a`, that is the second `a` itself.
//!
//! A query without such an edge does not count. If no query counts, the score is NaN. [`similarity`] compares with any
//! given pattern, as TransformerLens's `head_detector` does.

use candle_core::{D, Device, Tensor};

use super::measurement::{MeasurementResult, measurement, once};
pub use super::repeated_tokens::RepeatedTokens;
use super::several::{mean_of, several};
use super::similarity::attention;
pub use super::similarity::{Excluded, Measure, similarity};
use crate::error::{Error, Result};
use crate::hook::{BlockPoint, Chain, HookContext, HookPoint, Hooks};
use crate::intervene::{
    Compiler, Intervention, Plan, TextLength, check_rows, interventions_of_row,
};
use crate::lab::Lab;
use crate::model::Model;
use crate::named_array::NamedArray;
use crate::run::{Cache, as_batch};
use crate::wire::{Optional, Prompts, Request, Texts, options, results};

options! {
    /// Options of `headScores`.
    #[derive(Debug, Clone)]
    pub struct HeadScoresOptions {
        /// A pattern to compare each head's attention with: the weight from each query (row) to each key.
        pub pattern: Option<Vec<Vec<f32>>>,
        /// How the attention is compared with the pattern; "mul" if absent. "mul" is the share of all attention that the
        /// pattern selects; "abs" is 1 for the same pattern, and less the more they differ.
        pub measure: Option<Measure>,
        /// Leave out attention to the first token, to which heads attend if nothing else matches; false if absent.
        pub exclude_first_token: Option<bool>,
        /// Leave out attention of each token to itself; false if absent.
        pub exclude_current_token: Option<bool>,
        /// What to change in the run.
        pub interventions: Vec<Intervention> = Vec::new(),
    }
}

results! {
    /// The scores of each head for known kinds of heads, from its attention.
    #[derive(Debug, Clone, PartialEq)]
    pub struct HeadScores {
        /// Attention to the previous token, to duplicates of the token, and to tokens after an earlier duplicate: axes
        /// `score layer head`, scores labelled. NaN if no query counts.
        pub scores: NamedArray,
        /// How similar the attention is to `pattern`, if one was given: axes `layer head`.
        pub similarity: Option<NamedArray>,
        /// The result of each text, if there are several: the others are their means. A text without a query that counts for
        /// a score does not count in its mean.
        pub prompts: Option<Vec<HeadScores>>,
    }
}

/// Scores on a text, on several or, without one, on random tokens that repeat.
pub(super) fn begin(
    lab: &Lab,
    Request { input, options, .. }: Request<HeadScoresOptions, Optional<Prompts>, Option<Texts>>,
) -> MeasurementResult<HeadScores> {
    options.check()?;
    let lab = lab.clone();
    match input {
        Some(Texts::One(tokens)) => once(move || scores_on_text(&lab, &tokens, options)),
        Some(Texts::Batch(texts)) => {
            let counting = texts.iter().map(|tokens| Kind::ALL.map(|kind| kind.counts_on(tokens)));
            let (counting, count): (Vec<_>, _) = (counting.collect(), texts.len());
            check_rows(&options.interventions, count)?;
            let of_text = |(row, tokens): (usize, Vec<u32>)| {
                let interventions = interventions_of_row(&options.interventions, row, count)?;
                let (lab, options) =
                    (lab.clone(), HeadScoresOptions { interventions, ..options.clone() });
                once(move || scores_on_text(&lab, &tokens, options))
            };
            let begun: Vec<_> = texts.into_iter().enumerate().map(of_text).collect();
            several(begun, move |found| mean_scores(found, &counting))
        }
        None if options.pattern.is_some() => Err(Error::Input(
            "`pattern` is compared with the attention on a text: expected an input".into(),
        )),
        None => {
            let tokens = RepeatedTokens::for_model(lab.model.config());
            let scores =
                RepeatedScores::new(&lab.model, &tokens, options.interventions, lab.compiler)?;
            Ok(Box::new(scores))
        }
    }
}

impl HeadScoresOptions {
    /// # Errors
    /// [`Error::Input`] for an option about a pattern, without one.
    fn check(&self) -> Result<()> {
        let given = [
            (self.measure.is_some(), "measure"),
            (self.exclude_first_token.is_some(), "excludeFirstToken"),
            (self.exclude_current_token.is_some(), "excludeCurrentToken"),
        ];
        match (&self.pattern, given.iter().find(|(given, _)| *given)) {
            (None, Some((_, option))) => Err(Error::Input(format!(
                "`{option}` says how `pattern` is compared: expected a `pattern` too"
            ))),
            _ => Ok(()),
        }
    }
}

fn scores_on_text(lab: &Lab, tokens: &[u32], options: HeadScoresOptions) -> Result<HeadScores> {
    let (model, length) = (&lab.model, tokens.len());
    let Some(pattern) = options.pattern else {
        let text = TextLength { prompt: length, new: 1 };
        let plan = Plan::new(&options.interventions, model.config(), text, lab.compiler.as_ref())?;
        let scores = head_scores_on(model, tokens, plan)?;
        return Ok(HeadScores { scores, similarity: None, prompts: None });
    };
    if pattern.len() != length || pattern.iter().any(|row| row.len() != length) {
        let (rows, columns) = (pattern.len(), pattern.first().map_or(0, Vec::len));
        return Err(Error::Input(format!(
            "`pattern` has {rows} rows, the first of {columns} numbers; expected {length} rows of {length}, as the \
             text has {length} tokens"
        )));
    }
    let run = lab.run(tokens, &options.interventions, &NAMES, None)?;
    let pattern = Tensor::from_vec(pattern.concat(), (length, length), &Device::Cpu)?;
    let excluded = Excluded {
        first_token: options.exclude_first_token.unwrap_or(false),
        current_token: options.exclude_current_token.unwrap_or(false),
    };
    let measure = options.measure.unwrap_or(Measure::Mul);
    Ok(HeadScores {
        scores: head_scores(model, &run.cache, tokens)?,
        similarity: Some(similarity(model, &run.cache, &pattern, measure, excluded)?),
        prompts: None,
    })
}

/// The means over several texts; `counting` says which kinds have a query in each.
fn mean_scores(found: Vec<HeadScores>, counting: &[[bool; Kind::ALL.len()]]) -> Result<HeadScores> {
    let scores: Vec<_> = found.iter().map(|of_text| &of_text.scores).collect();
    let similarities: Vec<_> =
        found.iter().filter_map(|of_text| of_text.similarity.as_ref()).collect();
    let of_kind = scores.first().map_or(1, |scores| scores.data.len() / Kind::ALL.len());
    let scores = mean_of(&scores, |text, index| counting[text][index / of_kind]);
    Ok(HeadScores {
        scores: scores.ok_or_else(|| Error::Input("there is no text".into()))?,
        similarity: mean_of(&similarities, |_, _| true),
        prompts: Some(found),
    })
}

/// The hook points that a run must capture, at every position.
pub const NAMES: [&str; 1] = ["blocks.*.attn.hook_pattern"];

/// A kind of head: a set of attention edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Attends to the token before the query.
    PreviousToken,
    /// Attends to earlier occurrences of the query's token.
    DuplicateToken,
    /// Attends to the tokens after earlier occurrences of the query's token.
    Induction,
}

impl Kind {
    /// Every kind, in the order of scores.
    pub const ALL: [Kind; 3] = [Kind::PreviousToken, Kind::DuplicateToken, Kind::Induction];

    /// The name in results: `"previous_token"`, `"duplicate_token"` or `"induction"`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::PreviousToken => "previous_token",
            Kind::DuplicateToken => "duplicate_token",
            Kind::Induction => "induction",
        }
    }

    fn includes(self, tokens: &[u32], query: usize, key: usize) -> bool {
        match self {
            Kind::PreviousToken => key + 1 == query,
            Kind::DuplicateToken => key < query && tokens[key] == tokens[query],
            Kind::Induction => key > 0 && key <= query && tokens[key - 1] == tokens[query],
        }
    }

    /// Whether a query of the text has an edge of this kind.
    fn counts_on(self, tokens: &[u32]) -> bool {
        let length = tokens.len();
        (0..length).any(|query| (0..length).any(|key| self.includes(tokens, query, key)))
    }

    /// 1 on the edges of this kind, 0 elsewhere: `[T, T]`.
    pub fn pattern(self, tokens: &[u32]) -> Result<Tensor> {
        let length = tokens.len();
        let edges = (0..length).flat_map(|query| (0..length).map(move |key| (query, key)));
        let weight = |(query, key)| f32::from(u8::from(self.includes(tokens, query, key)));
        Ok(Tensor::from_iter(edges.map(weight), &Device::Cpu)?.reshape((length, length))?)
    }
}

/// The scores of every head on the text that was run: `score layer head`, labelled with [`Kind::name`].
///
/// # Errors
/// [`Error::Hook`] when [`NAMES`] were not captured, [`Error::Input`] when `tokens` are not those of the run.
pub fn head_scores(model: &Model, cache: &Cache, tokens: &[u32]) -> Result<NamedArray> {
    let kinds = KindEdges::all(tokens)?;
    let of_layer = |layer| KindEdges::scores(&kinds, &attention(cache, layer, tokens.len())?);
    by_score((0..model.config().n_layer).map(of_layer).collect::<Result<Vec<_>>>()?)
}

/// The same from a new run of `tokens` under `plan`. Each pattern is scored as soon as it is computed and is then freed:
/// the patterns of 144 heads on 1024 tokens would take 604 MB.
///
/// # Errors
/// [`Error::Input`] if the tokens do not fit the model; the errors of interventions.
pub fn head_scores_on(model: &Model, tokens: &[u32], mut plan: Plan) -> Result<NamedArray> {
    let batch = as_batch(tokens)?;
    let mut scorer = Scorer { kinds: KindEdges::all(tokens)?, layers: Vec::new() };
    model.forward(&batch, None, &mut Chain(vec![&mut plan, &mut scorer]))?;
    plan.check_fired()?;
    by_score(scorer.layers)
}

/// The edges of one kind on a text.
struct KindEdges {
    /// `[T, T]`.
    edges: Tensor,
    /// How many queries have an edge.
    queries: f64,
}

impl KindEdges {
    fn all(tokens: &[u32]) -> Result<Vec<KindEdges>> {
        as_batch(tokens)?; // at least one
        let of_kind = |kind: &Kind| -> Result<KindEdges> {
            let edges = kind.pattern(tokens)?;
            let queries: f32 = edges.max(D::Minus1)?.sum_all()?.to_scalar()?;
            Ok(KindEdges { edges, queries: f64::from(queries) })
        };
        Kind::ALL.iter().map(of_kind).collect()
    }

    /// The scores of a layer's heads, `[score, H]`, from its pattern `[H, T, T]`.
    fn scores(all: &[KindEdges], pattern: &Tensor) -> Result<Tensor> {
        let score = |kind: &KindEdges| -> Result<Tensor> {
            Ok((pattern.broadcast_mul(&kind.edges)?.sum((1, 2))? / kind.queries)?)
        };
        Ok(Tensor::stack(&all.iter().map(score).collect::<Result<Vec<_>>>()?, 0)?)
    }
}

/// Hooks that score each layer's pattern.
struct Scorer {
    kinds: Vec<KindEdges>,
    /// `[score, H]` each.
    layers: Vec<Tensor>,
}

impl Hooks for Scorer {
    fn wants(&self, point: HookPoint) -> bool {
        matches!(point, HookPoint::Block(_, BlockPoint::Pattern))
    }

    fn visit(&mut self, _: HookContext, value: Tensor) -> Result<Tensor> {
        self.layers.push(KindEdges::scores(&self.kinds, &value.squeeze(0)?)?);
        Ok(value)
    }
}

/// `[score, H]` of each layer as `score layer head`.
fn by_score(layers: Vec<Tensor>) -> Result<NamedArray> {
    let labels = Kind::ALL.map(|kind| kind.name().to_string()).to_vec();
    Ok(NamedArray::new(&["score", "layer", "head"], &Tensor::stack(&layers, 1)?)?
        .labelled("score", labels))
}

/// The scores of every head on random tokens repeated twice, the mean over the sequences: `score layer head`.
pub fn scores_on_repeated_tokens(model: &Model, tokens: &RepeatedTokens) -> Result<NamedArray> {
    Ok(RepeatedScores::new(model, tokens, Vec::new(), None)?.finish()?.scores)
}

/// [`scores_on_repeated_tokens`] in steps of one sequence, under interventions.
pub struct RepeatedScores {
    model: Model,
    sequences: Vec<Vec<u32>>,
    interventions: Vec<Intervention>,
    compiler: Option<Compiler>,
    found: Vec<NamedArray>,
}

impl RepeatedScores {
    /// # Errors
    /// As [`RepeatedTokens::draw`].
    pub fn new(
        model: &Model,
        tokens: &RepeatedTokens,
        interventions: Vec<Intervention>,
        compiler: Option<Compiler>,
    ) -> Result<RepeatedScores> {
        let sequences = tokens.draw(model.config())?;
        Ok(RepeatedScores {
            model: model.clone(),
            sequences,
            interventions,
            compiler,
            found: Vec::new(),
        })
    }

    /// The number of sequences.
    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    /// Whether there are no sequences.
    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// The number of completed sequences.
    pub fn done(&self) -> usize {
        self.found.len()
    }

    /// Runs the next sequence; false if none was left.
    pub fn step(&mut self) -> Result<bool> {
        let Some(sequence) = self.sequences.get(self.found.len()) else { return Ok(false) };
        let length = TextLength { prompt: sequence.len(), new: 1 };
        let plan =
            Plan::new(&self.interventions, self.model.config(), length, self.compiler.as_ref())?;
        self.found.push(head_scores_on(&self.model, sequence, plan)?);
        Ok(true)
    }

    /// Runs the remaining sequences and takes the mean.
    pub fn finish(mut self) -> Result<HeadScores> {
        while self.step()? {}
        let count = self.found.len() as f32;
        let mut found = self.found.into_iter();
        let mut mean = found.next().ok_or_else(|| Error::Input("there is no sequence".into()))?;
        for scores in found {
            mean.data.iter_mut().zip(&scores.data).for_each(|(sum, score)| *sum += score);
        }
        mean.data.iter_mut().for_each(|sum| *sum /= count);
        Ok(HeadScores { scores: mean, similarity: None, prompts: None })
    }
}

measurement!(RepeatedScores => HeadScores);

/// The head with the highest score of a kind, as `(layer, head, score)`. Heads without a score are skipped.
pub fn strongest(scores: &NamedArray, kind: Kind) -> Option<(usize, usize, f32)> {
    let row = Kind::ALL.iter().position(|other| *other == kind)?;
    let [_, layers, heads] = *scores.shape.as_slice() else { return None };
    let all = (0..layers).flat_map(|layer| (0..heads).map(move |head| (layer, head)));
    let scored = all.map(|(layer, head)| (layer, head, scores.at(&[row, layer, head])));
    scored.filter(|(.., score)| !score.is_nan()).max_by(|a, b| a.2.total_cmp(&b.2))
}
