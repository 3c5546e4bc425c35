//! How well each token of a text was predicted.
//!
//! `loss = -log p(next)` and `entropy = -Σ p log p`, in nats; a rank is the number of tokens with a greater logit.

use candle_core::{IndexOp, Tensor};

use super::measurement::{MeasurementResult, once};
use crate::error::{Error, Result};
use crate::intervene::Intervention;
use crate::kernel;
use crate::lab::Lab;
use crate::named_array::NamedArray;
use crate::run::Scores;
use crate::wire::{Request, options, results};

options! {
    /// Options of `tokenScores`.
    #[derive(Debug, Clone)]
    pub struct TokenScoresOptions {
        /// What to change in the run.
        pub interventions: Vec<Intervention> = Vec::new(),
    }
}

results! {
    /// How well each token of a text was predicted. Losses and entropies are in nats.
    #[derive(Debug, Clone, PartialEq)]
    pub struct TokenScores {
        /// The loss of the token after each position but the last: axis `pos`. NaN if the logits are not finite.
        pub loss: NamedArray,
        /// How many tokens have a greater logit than that token: axis `pos`. NaN if the logits are not finite.
        pub rank: NamedArray,
        /// The entropy of the distribution over the next token, at every position: axis `pos`.
        pub entropy: NamedArray,
    }
}

pub(super) fn begin(
    lab: &Lab,
    Request { input, options, .. }: Request<TokenScoresOptions>,
) -> MeasurementResult<TokenScores> {
    let lab = lab.clone();
    once(move || {
        let run = lab.run(&input, &options.interventions, &[] as &[&str], None)?;
        token_scores(run.logits()?, &input)
    })
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
        loss: NamedArray::along("pos", log_probs.iter().map(|log_prob| -log_prob).collect()),
        rank: NamedArray::along(
            "pos",
            ranks.iter().map(|rank| rank.map_or(f32::NAN, |rank| rank as f32)).collect(),
        ),
        entropy: NamedArray::along("pos", (0..length).map(entropy).collect::<Result<_>>()?),
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
