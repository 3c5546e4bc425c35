//! Random tokens repeated twice: texts in which only heads that look back can predict anything.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

use crate::checkpoint::Config;
use crate::error::{Error, Result};
use crate::generate::generator;

/// Random tokens repeated twice, in which only heads that look back can predict anything.
///
/// The tokens of a sequence are all different, so that each one of the second half occurred exactly once before; the
/// config's `bos_token_id` and `eos_token_id` are not among them. They are drawn by ChaCha with 8 rounds, keyed by the
/// seed as in [`crate::GenerateOptions::seed`]: of `n` ids in order, draw `i` swaps element `i` with element
/// `i + floor(u64 * (n - i) / 2^64)` and takes it, one u64 of the stream for each token, sequences one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepeatedTokens {
    /// The number of tokens before they repeat.
    pub period: usize,
    /// The number of sequences.
    pub sequences: usize,
    /// The seed of the random tokens.
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
    for index in 0..count {
        let left = (ids.len() - index) as u128;
        ids.swap(index, index + ((u128::from(rng.next_u64()) * left) >> 64) as usize);
    }
    ids.truncate(count);
    ids
}
