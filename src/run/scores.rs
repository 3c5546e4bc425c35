//! How well a run predicted its own text.

use candle_core::Tensor;

use crate::error::Result;
use crate::kernel;

/// The log-probabilities and ranks of the true next tokens. Entry `t` is about token `t + 1`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores {
    /// The natural logarithm of the token's probability; NaN if the logits are not finite.
    pub log_probs: Vec<f32>,
    /// The number of tokens with a greater logit: 0 for the first choice. None if the logits
    /// contain NaN or infinity.
    pub ranks: Vec<Option<u32>>,
}

impl Scores {
    /// Scores `logits` `[1, T, V]` against the tokens that they were computed from.
    ///
    /// # Errors
    /// Those of candle, if `logits` has another rank.
    pub fn of(logits: &Tensor, tokens: &[u32]) -> Result<Scores> {
        let (_, _, vocabulary) = logits.dims3()?;
        let mut scores = Scores::default();
        kernel::with_floats(&logits.contiguous()?, |all| {
            for (row, next) in all.chunks_exact(vocabulary).zip(tokens.iter().skip(1)) {
                let (logit, total) = (row[*next as usize], kernel::log_sum_exp(row));
                scores.log_probs.push(match total.is_finite() {
                    true => (f64::from(logit) - total) as f32,
                    false => f32::NAN,
                });
                let rank = || row.iter().map(|other| u32::from(*other > logit)).sum();
                scores.ranks.push(total.is_finite().then(rank));
            }
            Ok(())
        })?;
        Ok(scores)
    }

    /// The mean negative log-probability, in nats. None for a single token.
    pub fn loss(&self) -> Option<f32> {
        let count = self.log_probs.len() as f64;
        let sum: f64 = self.log_probs.iter().map(|log_prob| f64::from(*log_prob)).sum();
        (count > 0.0).then(|| (-sum / count) as f32)
    }
}
