//! Logits to a token: temperature, top-k, top-p and the random generator.

use std::borrow::Cow;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::options::GenerateOptions;
use crate::intervene::Choice;

/// Draws one of the tokens after `text` by their logits, of which at least one is finite and none is NaN.
pub(super) fn draw(
    logits: &[f32],
    text: &[u32],
    options: &GenerateOptions,
    rng: &mut ChaCha8Rng,
) -> Option<u32> {
    let logits = penalized(logits, text, options);
    let kept = distribution(&logits, options);
    let total: f64 = kept.iter().map(|(_, probability)| probability).sum();
    let mut left = unit_interval(rng.next_u64()) * total;
    let drawn = kept.iter().find(|(_, probability)| {
        left -= probability;
        left < 0.0
    });
    drawn.or(kept.last()).map(|(id, _)| *id)
}

/// The generator of text `row` of a batch: see [`GenerateOptions::seed`].
pub(super) fn generator_of_row(seed: &Choice<u64>, row: usize) -> ChaCha8Rng {
    match seed {
        Choice::Many(seeds) => generator(seeds[row]),
        Choice::One(seed) => {
            let mut rng = generator(*seed);
            rng.set_stream(row as u64);
            rng
        }
    }
}

/// The ids of the `count` largest logits: largest first, the lowest id first on a tie. NaN is never among them.
pub(crate) fn most_probable(logits: &[f32], count: usize) -> Vec<u32> {
    /// Up to this count, one pass with insertion is faster than sorting.
    const FEW: usize = 64;
    if count <= FEW {
        return first_choices(logits, count);
    }
    let mut ids: Vec<u32> =
        (0..logits.len() as u32).filter(|id| !logits[*id as usize].is_nan()).collect();
    let order = |a: &u32, b: &u32| by_rank(logits, *a, *b);
    if count < ids.len() {
        ids.select_nth_unstable_by(count, order);
        ids.truncate(count);
    }
    ids.sort_unstable_by(order);
    ids
}

fn by_rank(logits: &[f32], a: u32, b: u32) -> std::cmp::Ordering {
    logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b))
}

fn first_choices(logits: &[f32], count: usize) -> Vec<u32> {
    let mut best: Vec<u32> = Vec::with_capacity(count + 1);
    let mut min = f32::NEG_INFINITY;
    for (id, logit) in logits.iter().enumerate() {
        if *logit < min || logit.is_nan() {
            continue; // nearly all of them
        }
        let index = best.partition_point(|other| by_rank(logits, *other, id as u32).is_lt());
        best.insert(index, id as u32);
        best.truncate(count);
        if best.len() == count {
            min = best.last().map_or(f32::INFINITY, |last| logits[*last as usize]);
        }
    }
    best
}

/// The logits less the frequency penalty of each token in `text`. `distribution` divides them by the temperature, so the
/// penalty is multiplied by it here.
fn penalized<'l>(logits: &'l [f32], text: &[u32], options: &GenerateOptions) -> Cow<'l, [f32]> {
    let penalty = (options.frequency_penalty * options.temperature) as f32;
    if penalty <= 0.0 {
        return Cow::Borrowed(logits);
    }
    let mut logits = logits.to_vec();
    text.iter().for_each(|id| logits[*id as usize] -= penalty);
    Cow::Owned(logits)
}

/// The tokens that may be drawn, in the order of ids, with probabilities up to a common factor: temperature first,
/// then top-k, then top-p, as Hugging Face orders them.
fn distribution(logits: &[f32], options: &GenerateOptions) -> Vec<(u32, f64)> {
    let logit = |id: u32| f64::from(logits[id as usize]);
    let Some(max) = most_probable(logits, 1).first().map(|id| logit(*id)) else {
        return Vec::new();
    };
    let probability = |id: u32| ((logit(id) - max) / options.temperature).exp();
    let ranked = options.top_k.map(|top_k| most_probable(logits, top_k));
    let lowest =
        ranked.and_then(|ranked| ranked.last().map(|id| logit(*id))).unwrap_or(f64::NEG_INFINITY);
    let ids = (0..logits.len() as u32).filter(|id| logit(*id) >= lowest); // false for NaN
    let mut kept: Vec<(u32, f64)> = ids.map(|id| (id, probability(id))).collect();
    if let Some(top_p) = options.top_p {
        kept.sort_unstable_by(|(a, _), (b, _)| by_rank(logits, *a, *b));
        kept.truncate(nucleus_size(&kept, top_p));
    }
    kept.sort_unstable_by_key(|(id, _)| *id);
    kept
}

/// How many of the most probable tokens have a share of at least `top_p` together.
fn nucleus_size(ranked: &[(u32, f64)], top_p: f64) -> usize {
    let total: f64 = ranked.iter().map(|(_, probability)| probability).sum();
    let mut sum = 0.0;
    let before = ranked.iter().take_while(|(_, probability)| {
        let short = sum < top_p * total;
        sum += probability;
        short
    });
    before.count().max(1)
}

pub(crate) fn generator(seed: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// A fraction in [0, 1) from the upper 53 bits.
fn unit_interval(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(kept: &[(u32, f64)]) -> Vec<u32> {
        kept.iter().map(|(id, _)| *id).collect()
    }

    #[test]
    fn top_k_keeps_ties_of_its_last_token() {
        let options = GenerateOptions { top_k: Some(2), ..GenerateOptions::default() };
        assert_eq!(ids(&distribution(&[1.0, 3.0, 1.0, 0.0], &options)), [0, 1, 2]);
    }

    #[test]
    fn top_p_keeps_the_token_that_crosses_it_and_never_none() {
        let logits = [0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln()];
        let kept = |top_p| {
            let options = GenerateOptions { top_p: Some(top_p), ..GenerateOptions::default() };
            ids(&distribution(&logits, &options))
        };
        assert_eq!(kept(1e-9), [0]);
        assert_eq!(kept(0.6), [0, 1]);
        assert_eq!(kept(1.0), [0, 1, 2]);
    }

    #[test]
    fn a_low_temperature_sharpens() {
        let options = GenerateOptions { temperature: 0.5, ..GenerateOptions::default() };
        let kept = distribution(&[0.0, -1.0], &options);
        assert!((kept[1].1 - (-2.0f64).exp()).abs() < 1e-12);
    }

    #[test]
    fn the_greatest_logits_come_first_and_nan_never() {
        assert_eq!(most_probable(&[1.0, f32::NAN, 2.0, 2.0], 3), [2, 3, 0]);
    }

    #[test]
    fn a_few_are_the_first_of_many() {
        // With ties, infinities, both zeros and NaN among them.
        let logit = |i: u32| match i % 97 {
            0 => f32::NAN,
            1 => f32::NEG_INFINITY,
            2 => -0.0,
            3 => 0.0,
            _ => (i.wrapping_mul(0x9E37_79B9) >> 24) as f32 - 100.0,
        };
        let logits: Vec<f32> = (0..1000).map(logit).collect();
        let many = most_probable(&logits, logits.len());
        assert_eq!(many.len(), 1000 - 11);
        for count in [0, 1, 2, 10, 64] {
            assert_eq!(most_probable(&logits, count), many[..count]);
        }
        assert_eq!(most_probable(&logits[..5], 10), most_probable(&logits[..5], 1000));
    }

    /// The expected words come from a ChaCha written for this purpose in Python after RFC 8439, with 8 rounds.
    #[test]
    fn the_generator_is_chacha8_keyed_by_the_seed() {
        assert_eq!(generator(0).next_u64(), 0xd640_5f89_2fef_003e);
        assert_eq!(generator(42).next_u64(), 0x5927_3471_198f_a887);
        assert_eq!(generator_of_row(&Choice::One(42), 0).next_u64(), 0x5927_3471_198f_a887);
        assert_eq!(generator_of_row(&Choice::One(42), 3).next_u64(), 0x74ee_5ce4_4646_5e4e);
        assert_eq!(generator_of_row(&Choice::Many(vec![1, 42]), 1), generator(42));
    }
}
