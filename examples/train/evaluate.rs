//! Scores a model: its loss on held-out text, and what its heads attend to in repeated sequences.

use candlescope::{Model, run_with_cache};

use super::Result;
use super::rng::Rng;
use super::rows::{Batch, random_tokens};
use super::trainer::batch_loss;

/// The tokens that [`loss`] scores with rows of `length`: a whole number of rows and the token after them.
pub fn scored(tokens: &[u32], length: usize) -> &[u32] {
    &tokens[..(tokens.len() - 1) / length * length + 1]
}

/// The mean loss over all tokens but the first, in independent rows of `length`.
pub fn loss(model: &Model, tokens: &[u32], length: usize) -> Result<f64> {
    let tokens = scored(tokens, length);
    let starts: Vec<usize> = (0..tokens.len() - 1).step_by(length).collect();
    let mut total = 0.0;
    for starts in starts.chunks(8) {
        let rows = |offset: usize| {
            starts.iter().flat_map(move |s| &tokens[s + offset..][..length]).copied().collect()
        };
        let weights = vec![1.0; starts.len() * length];
        let batch =
            Batch { rows: starts.len(), length, tokens: rows(0), targets: rows(1), weights };
        total += f64::from(batch_loss(model, batch)?.to_scalar::<f32>()?) * starts.len() as f64;
    }
    Ok(total / starts.len() as f64)
}

/// The mean attention of one head in random tokens repeated twice.
#[derive(Debug, Clone, Copy)]
pub struct HeadScore {
    pub layer: usize,
    pub head: usize,
    /// To the token after the earlier occurrence of the current one.
    pub induction: f64,
    /// To the token before the current one.
    pub previous: f64,
}

impl std::fmt::Display for HeadScore {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(
            f,
            "L{}H{} induction {:.3} previous {:.3}",
            self.layer, self.head, self.induction, self.previous
        )
    }
}

/// The scores of every head, over `sequences` of `period` random tokens and the same tokens again.
pub fn head_scores(
    model: &Model,
    period: usize,
    sequences: usize,
    seed: u64,
) -> Result<Vec<HeadScore>> {
    let config = model.config();
    let heads =
        (0..config.n_layer).flat_map(|layer| (0..config.n_head).map(move |head| (layer, head)));
    let mut scores: Vec<HeadScore> = heads
        .map(|(layer, head)| HeadScore { layer, head, induction: 0.0, previous: 0.0 })
        .collect();
    let mut rng = Rng::new(seed, 0);
    for _ in 0..sequences {
        let once = random_tokens(config.vocab_size, period, &mut rng);
        let run = run_with_cache(model, &once.repeat(2), &["blocks.*.attn.hook_pattern"])?;
        for score in &mut scores {
            let pattern = run.cache.get(&format!("blocks.{}.attn.hook_pattern", score.layer))?;
            let pattern: Vec<Vec<f32>> = pattern.get(0)?.get(score.head)?.to_vec2()?; // [query, key]
            let mean = |queries: std::ops::Range<usize>, back: usize| {
                let count = queries.len() as f64;
                queries.map(|query| f64::from(pattern[query][query - back])).sum::<f64>() / count
            };
            score.induction += mean(period..2 * period, period - 1) / sequences as f64;
            score.previous += mean(1..2 * period, 1) / sequences as f64;
        }
    }
    Ok(scores)
}

/// The head with the largest `value`.
pub fn best(scores: &[HeadScore], value: fn(&HeadScore) -> f64) -> HeadScore {
    *scores
        .iter()
        .max_by(|a, b| value(a).total_cmp(&value(b)))
        .expect("a model has at least one head")
}
