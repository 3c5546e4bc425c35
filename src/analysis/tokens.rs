//! How surprising each token is, and where in some texts a neuron is most active.
//!
//! `loss = -log p(next)` and `entropy = -Σ p log p`, in nats; a rank is the number of tokens with a greater logit.

use candle_core::{Device, IndexOp, Tensor};

use super::Table;
use super::residual::captured;
use crate::error::{Error, Result};
use crate::hook::HookPoint;
use crate::kernel;
use crate::model::Model;
use crate::run::{Scores, run_with_cache};

/// What the model made of each position of a text. Axis `pos`.
pub struct TokenScores {
    /// About the token after each position but the last. NaN where the logits are not finite; so are ranks.
    pub loss: Table,
    pub rank: Table,
    /// Of the distribution over the next token, at every position.
    pub entropy: Table,
}

/// Scores `logits` `[1, T, V]` against the tokens that they were computed from.
pub fn token_scores(logits: &Tensor, tokens: &[u32]) -> Result<TokenScores> {
    let length = logits.dim(1)?;
    if length != tokens.len() {
        return Err(Error::Input(format!(
            "{} tokens for logits at {length} positions",
            tokens.len()
        )));
    }
    let Scores { log_probs, ranks } = Scores::of(logits, tokens)?;
    let entropy = |position| Ok(entropy(&logits.i((0, position))?.to_vec1()?) as f32);
    Ok(TokenScores {
        loss: along_positions(log_probs.iter().map(|log_prob| -log_prob).collect())?,
        rank: along_positions(
            ranks.iter().map(|rank| rank.map_or(f32::NAN, |rank| rank as f32)).collect(),
        )?,
        entropy: along_positions((0..length).map(entropy).collect::<Result<_>>()?)?,
    })
}

fn entropy(logits: &[f32]) -> f64 {
    let total = kernel::log_sum_exp(logits);
    let term = |logit: &f32| {
        let log_prob = f64::from(*logit) - total;
        // A logit of minus infinity adds nothing.
        if log_prob == f64::NEG_INFINITY { 0.0 } else { -log_prob.exp() * log_prob }
    };
    logits.iter().map(term).sum()
}

fn along_positions(values: Vec<f32>) -> Result<Table> {
    let length = values.len();
    Table::new(&["pos"], &Tensor::from_vec(values, length, &Device::Cpu)?)
}

/// One number of an activation: a neuron of `blocks.0.mlp.hook_post`, a dimension of a head's `hook_z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channel {
    pub point: HookPoint,
    /// Which head, at points that have heads.
    pub head: Option<usize>,
    /// Which place along the last axis.
    pub index: usize,
}

/// How active a channel was at one position of one text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Activity {
    pub text: usize,
    pub position: usize,
    pub value: f32,
}

/// Where a channel is most active.
#[derive(Debug, Clone, PartialEq)]
pub struct MostActive {
    pub places: Vec<Activity>,
    /// How many of all values are infinite or NaN. NaN is never among the places.
    pub not_finite: usize,
}

/// The `count` positions of `texts` where `channel` has its greatest values, the greatest first, the earlier one on a tie.
///
/// # Errors
/// [`Error::Hook`] when the point has no position axis or needs a head, [`Error::Input`] when an index is out of range
/// or a text does not fit the model.
pub fn most_active(
    model: &Model,
    texts: &[Vec<u32>],
    channel: Channel,
    count: usize,
) -> Result<MostActive> {
    channel.check_axes()?;
    let (mut all, mut not_finite) = (Vec::new(), 0);
    for (text, tokens) in texts.iter().enumerate() {
        let run = run_with_cache(model, tokens, &[channel.point.to_string()])?;
        let values = channel.of(&captured(&run.cache, channel.point)?)?;
        not_finite += values.iter().filter(|value| !value.is_finite()).count();
        let here = values.into_iter().enumerate().filter(|(_, value)| !value.is_nan());
        all.extend(here.map(|(position, value)| Activity { text, position, value }));
        if all.len() / 2 > count.max(MANY) {
            keep_greatest(&mut all, count);
        }
    }
    keep_greatest(&mut all, count);
    Ok(MostActive { places: all, not_finite })
}

/// A shorter list is not sorted after each text.
const MANY: usize = 1 << 16;

fn keep_greatest(all: &mut Vec<Activity>, count: usize) {
    all.sort_by(|a, b| b.value.total_cmp(&a.value)); // stable, so that earlier ones stay in front
    all.truncate(count);
}

impl Channel {
    fn check_axes(&self) -> Result<()> {
        let Channel { point, head, .. } = self;
        let axes = point.axes();
        if axes.get(1) != Some(&"pos") {
            let found = axes.join(" ");
            return Err(Error::Hook(format!(
                "`{point}` has no value for each position: its axes are {found}"
            )));
        }
        match (axes.contains(&"head"), head) {
            (true, None) => Err(Error::Hook(format!(
                "`{point}` has a head axis, expected `head` to select one head"
            ))),
            (false, Some(_)) => Err(Error::Hook(format!("`{point}` has no heads"))),
            _ => Ok(()),
        }
    }

    /// Its values along the positions of `activation` `[T, (H,) channels]`.
    fn of(&self, activation: &Tensor) -> Result<Vec<f32>> {
        let values = match self.head {
            Some(head) => {
                activation.narrow(1, in_range("head", head, activation.dim(1)?)?, 1)?.squeeze(1)?
            }
            None => activation.clone(),
        }; // [T, channels]
        let index = in_range("index", self.index, values.dim(1)?)?;
        Ok(values.narrow(1, index, 1)?.squeeze(1)?.to_vec1()?)
    }
}

fn in_range(name: &str, index: usize, length: usize) -> Result<usize> {
    match index < length {
        true => Ok(index),
        false => Err(Error::out_of_range(format_args!("`{name}` {index}"), length)),
    }
}
