//! What kind of head a head is, from where it attends.
//!
//! Each kind wants certain attention edges; a head's score is the attention that it gives to wanted keys, summed over
//! each query's keys, then averaged over the queries that have any:
//!
//! - *previous token*: the key before the query;
//! - *duplicate token*: every earlier position with the query's own token;
//! - *induction*: every position after an earlier occurrence of the query's token (Olsson et al. 2022, "In-context
//!   Learning and Induction Heads"); after `a a`, that is the second `a` itself.
//!
//! A query without any wanted key does not count. Where no query counts there is no score: the number is NaN.
//! [`similarity`] measures against any pattern of one's own, as TransformerLens's `head_detector` does.

use candle_core::{D, Device, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

use super::Table;
use super::residual::captured;
use crate::checkpoint::Config;
use crate::error::{Error, Result};
use crate::generate::generator;
use crate::hook::{BlockPoint, Chain, HookContext, HookPoint, Hooks};
use crate::intervene::{Compiler, Intervention, Plan, TextLength};
use crate::model::Model;
use crate::run::{Cache, as_batch};

/// What a run must capture, at every position.
pub const NAMES: [&str; 1] = ["blocks.*.attn.hook_pattern"];

/// A kind of head, by the edges that it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    PreviousToken,
    DuplicateToken,
    Induction,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::PreviousToken, Kind::DuplicateToken, Kind::Induction];

    pub fn name(self) -> &'static str {
        match self {
            Kind::PreviousToken => "previous_token",
            Kind::DuplicateToken => "duplicate_token",
            Kind::Induction => "induction",
        }
    }

    fn wants(self, tokens: &[u32], query: usize, key: usize) -> bool {
        match self {
            Kind::PreviousToken => key + 1 == query,
            Kind::DuplicateToken => key < query && tokens[key] == tokens[query],
            Kind::Induction => key > 0 && key <= query && tokens[key - 1] == tokens[query],
        }
    }

    /// 1 on the wanted edges, 0 elsewhere: `[T, T]`.
    pub fn pattern(self, tokens: &[u32]) -> Result<Tensor> {
        let length = tokens.len();
        let edges = (0..length).flat_map(|query| (0..length).map(move |key| (query, key)));
        let wanted = edges.map(|(query, key)| f32::from(u8::from(self.wants(tokens, query, key))));
        Ok(Tensor::from_iter(wanted, &Device::Cpu)?.reshape((length, length))?)
    }
}

/// The scores of every head on the text that was run: `score layer head`, labelled with [`Kind::name`].
///
/// # Errors
/// [`Error::Hook`] when [`NAMES`] were not captured, [`Error::Input`] when `tokens` are not those of the run.
pub fn head_scores(model: &Model, cache: &Cache, tokens: &[u32]) -> Result<Table> {
    let wanted = Wanted::all(tokens)?;
    let of_layer = |layer| Wanted::scores(&wanted, &attention(cache, layer, tokens.len())?);
    table((0..model.config().n_layer).map(of_layer).collect::<Result<Vec<_>>>()?)
}

/// The same of a text that is run for it under `plan`. Each pattern is measured when it comes and then let go: those of
/// 144 heads on 1024 tokens would take 604 MB together.
///
/// # Errors
/// [`Error::Input`] when the tokens do not fit the model, whatever an intervention fails with.
pub fn head_scores_on(model: &Model, tokens: &[u32], mut plan: Plan) -> Result<Table> {
    let batch = as_batch(tokens)?;
    let mut scorer = Scorer { wanted: Wanted::all(tokens)?, layers: Vec::new() };
    model.forward(&batch, None, &mut Chain(vec![&mut plan, &mut scorer]))?;
    plan.check_fired()?;
    table(scorer.layers)
}

/// One kind's edges on a text.
struct Wanted {
    /// `[T, T]`.
    edges: Tensor,
    /// How many queries want any key.
    queries: f64,
}

impl Wanted {
    fn all(tokens: &[u32]) -> Result<Vec<Wanted>> {
        as_batch(tokens)?; // at least one
        let of_kind = |kind: &Kind| -> Result<Wanted> {
            let edges = kind.pattern(tokens)?;
            let queries: f32 = edges.max(D::Minus1)?.sum_all()?.to_scalar()?;
            Ok(Wanted { edges, queries: f64::from(queries) })
        };
        Kind::ALL.iter().map(of_kind).collect()
    }

    /// The scores of a layer's heads, `[score, H]`, from its pattern `[H, T, T]`.
    fn scores(all: &[Wanted], pattern: &Tensor) -> Result<Tensor> {
        let score = |wanted: &Wanted| -> Result<Tensor> {
            Ok((pattern.broadcast_mul(&wanted.edges)?.sum((1, 2))? / wanted.queries)?)
        };
        Ok(Tensor::stack(&all.iter().map(score).collect::<Result<Vec<_>>>()?, 0)?)
    }
}

/// Hooks that measure each layer's pattern.
struct Scorer {
    wanted: Vec<Wanted>,
    /// `[score, H]` each.
    layers: Vec<Tensor>,
}

impl Hooks for Scorer {
    fn wants(&self, point: HookPoint) -> bool {
        matches!(point, HookPoint::Block(_, BlockPoint::Pattern))
    }

    fn visit(&mut self, _: HookContext, value: Tensor) -> Result<Tensor> {
        self.layers.push(Wanted::scores(&self.wanted, &value.squeeze(0)?)?);
        Ok(value)
    }
}

/// `[score, H]` of each layer as `score layer head`.
fn table(layers: Vec<Tensor>) -> Result<Table> {
    let labels = Kind::ALL.map(|kind| kind.name().to_string()).to_vec();
    Ok(Table::new(&["score", "layer", "head"], &Tensor::stack(&layers, 1)?)?
        .labelled("score", labels))
}

/// How a head's attention is compared with a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// `Σ attention * pattern / Σ attention`: with a pattern of ones and zeros, the share of all attention that goes to
    /// wanted edges.
    Mul,
    /// `1 - Σ |attention - pattern| / T`: 1 for the same pattern, -1 for attention that is nowhere the same.
    Abs,
}

/// What [`similarity`] leaves out of the comparison.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Excluded {
    /// Attention to the first token, where heads that find nothing rest.
    pub first_token: bool,
    /// Attention of each token to itself.
    pub current_token: bool,
}

/// How alike every head's attention and `pattern` `[T, T]` are: `layer head`.
///
/// # Errors
/// [`Error::Input`] when the pattern has another shape than the run's attention, or wants a key after its query.
pub fn similarity(
    model: &Model,
    cache: &Cache,
    pattern: &Tensor,
    measure: Measure,
    excluded: Excluded,
) -> Result<Table> {
    let (length, keys) = pattern.dims2()?;
    let kept = compared(length, keys, excluded)?; // [T, T]
    let later = pattern.to_vec2::<f32>()?.into_iter().enumerate().any(|(query, row)| {
        row.iter().skip(query + 1).any(|wanted| *wanted != 0.0) // a causal model attends to none of these
    });
    if later {
        return Err(Error::Input("`pattern` is not 0 above the diagonal, expected zeros there: a token cannot attend to later tokens".into()));
    }
    let scores = (0..model.config().n_layer).map(|layer| -> Result<Tensor> {
        let attention = attention(cache, layer, length)?; // [H, T, T]
        let total = |x: Tensor| Ok::<_, Error>(x.broadcast_mul(&kept)?.sum((1, 2))?);
        match measure {
            Measure::Mul => {
                Ok((total(attention.broadcast_mul(pattern)?)? / total(attention)?)?) // [H]
            }
            Measure::Abs => {
                let apart = total(attention.broadcast_sub(pattern)?.abs()?)?;
                Ok(apart.affine(-1.0 / length as f64, 1.0)?)
            }
        }
    });
    Table::new(&["layer", "head"], &Tensor::stack(&scores.collect::<Result<Vec<_>>>()?, 0)?)
}

/// Random tokens repeated twice, in which only heads that look back can predict anything.
///
/// The tokens of a sequence are all different, so that each one of the second half occurred exactly once before; the
/// config's `bos_token_id` and `eos_token_id` are not among them. They are drawn by ChaCha with 8 rounds, keyed by the
/// seed as in [`crate::GenerateOptions::seed`]: of `n` ids in order, draw `i` swaps place `i` with place
/// `i + floor(u64 * (n - i) / 2^64)` and takes it, one u64 of the stream for each token, sequences one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepeatedTokens {
    /// How many tokens there are before they repeat.
    pub period: usize,
    pub sequences: usize,
    pub seed: u64,
}

impl RepeatedTokens {
    /// Four sequences of 50 tokens twice, or of as many as the model can take.
    pub fn for_model(config: &Config) -> RepeatedTokens {
        let period = 50.min(config.n_positions / 2).min(usable_ids(config).len());
        RepeatedTokens { period, sequences: 4, seed: 0 }
    }

    /// The sequences, each `2 * period` tokens long.
    ///
    /// # Errors
    /// [`Error::Input`] when a sequence does not fit the model's context or vocabulary, or there is none.
    pub fn draw(&self, config: &Config) -> Result<Vec<Vec<u32>>> {
        let ids = usable_ids(config);
        let longest = (config.n_positions / 2).min(ids.len());
        if self.period == 0 || self.period > longest || self.sequences == 0 {
            let RepeatedTokens { period, sequences, .. } = self;
            return Err(Error::Input(format!(
                "found {sequences} sequences of {period} repeated tokens, expected at least one sequence and 1 to {longest} \
                 tokens (different ones, twice within `n_positions`)"
            )));
        }
        let mut rng = generator(self.seed);
        Ok((0..self.sequences)
            .map(|_| draw_different(&ids, self.period, &mut rng).repeat(2))
            .collect())
    }
}

fn usable_ids(config: &Config) -> Vec<u32> {
    let special = [config.bos_token_id, config.eos_token_id];
    (0..config.vocab_size as u32).filter(|id| !special.contains(&Some(*id))).collect()
}

fn draw_different(ids: &[u32], count: usize, rng: &mut ChaCha8Rng) -> Vec<u32> {
    let mut ids = ids.to_vec();
    for place in 0..count {
        let left = (ids.len() - place) as u128;
        ids.swap(place, place + ((u128::from(rng.next_u64()) * left) >> 64) as usize);
    }
    ids.truncate(count);
    ids
}

/// The scores of every head on random tokens repeated twice, the mean over the sequences: `score layer head`.
pub fn scores_on_repeated_tokens(model: &Model, tokens: &RepeatedTokens) -> Result<Table> {
    RepeatedScores::new(model, tokens, Vec::new(), None)?.finish()
}

/// The same under way, and under interventions: a step is one sequence.
pub struct RepeatedScores {
    model: Model,
    sequences: Vec<Vec<u32>>,
    interventions: Vec<Intervention>,
    compiler: Option<Compiler>,
    found: Vec<Table>,
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

    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    pub fn done(&self) -> usize {
        self.found.len()
    }

    /// Does the next sequence; false when there was none left.
    pub fn step(&mut self) -> Result<bool> {
        let Some(sequence) = self.sequences.get(self.found.len()) else { return Ok(false) };
        let length = TextLength { prompt: sequence.len(), new: 1 };
        let plan =
            Plan::new(&self.interventions, self.model.config(), length, self.compiler.as_ref())?;
        self.found.push(head_scores_on(&self.model, sequence, plan)?);
        Ok(true)
    }

    /// Does what is left, and takes the mean.
    pub fn finish(mut self) -> Result<Table> {
        while self.step()? {}
        let count = self.found.len() as f32;
        let mut tables = self.found.into_iter();
        let mut mean = tables.next().ok_or_else(|| Error::Input("there is no sequence".into()))?;
        for table in tables {
            mean.data.iter_mut().zip(&table.data).for_each(|(sum, score)| *sum += score);
        }
        mean.data.iter_mut().for_each(|sum| *sum /= count);
        Ok(mean)
    }
}

/// The attention pattern of a layer, `[H, T, T]`.
fn attention(cache: &Cache, layer: usize, length: usize) -> Result<Tensor> {
    let pattern = captured(cache, HookPoint::Block(layer, BlockPoint::Pattern))?;
    let (_, queries, keys) = pattern.dims3()?;
    if (queries, keys) != (length, length) {
        return Err(Error::Input(format!(
            "{length} tokens for attention of {queries} queries to {keys} keys, expected as many of each"
        )));
    }
    Ok(pattern)
}

/// 1 where attention is compared, 0 where it is left out: `[T, T]`.
fn compared(queries: usize, keys: usize, excluded: Excluded) -> Result<Tensor> {
    let keeps = |query, key| {
        let left_out =
            (excluded.first_token && key == 0) || (excluded.current_token && key == query);
        f32::from(u8::from(!left_out))
    };
    let edges = (0..queries).flat_map(|query| (0..keys).map(move |key| keeps(query, key)));
    Ok(Tensor::from_iter(edges, &Device::Cpu)?.reshape((queries, keys))?)
}

/// The head with the greatest score of a kind, as `(layer, head, score)`: heads without a score are passed over.
pub fn strongest(scores: &Table, kind: Kind) -> Option<(usize, usize, f32)> {
    let row = Kind::ALL.iter().position(|other| *other == kind)?;
    let [_, layers, heads] = *scores.shape.as_slice() else { return None };
    let all = (0..layers).flat_map(|layer| (0..heads).map(move |head| (layer, head)));
    let scored = all.map(|(layer, head)| (layer, head, scores.at(&[row, layer, head])));
    scored.filter(|(.., score)| !score.is_nan()).max_by(|a, b| a.2.total_cmp(&b.2))
}
