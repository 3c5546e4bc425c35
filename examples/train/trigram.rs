//! The baseline: a model that predicts the next token from the last two.

use std::collections::HashMap;

/// A trigram model with interpolated Kneser-Ney smoothing and three discounts for each order (Chen and
/// Goodman, 1999), the strongest of the classic n-gram models.
pub struct Trigram {
    vocab: usize,
    /// Unigrams, bigrams, trigrams.
    orders: [Order; 3],
}

#[derive(Default)]
struct Order {
    counts: HashMap<[u32; 3], u32>,
    contexts: HashMap<[u32; 3], Context>,
    discounts: [f64; 3],
}

/// The tokens after a context: their total count, and how many of them occur once, twice and more often.
#[derive(Default)]
struct Context {
    total: u32,
    kinds: [u32; 3],
}

/// Fills the front of shorter n-grams. No token has this id.
const NONE: u32 = u32::MAX;

impl Trigram {
    pub fn new(tokens: &[u32], vocab: usize) -> Trigram {
        let mut trigrams: HashMap<[u32; 3], u32> = HashMap::new();
        for window in tokens.windows(3) {
            *trigrams.entry([window[0], window[1], window[2]]).or_default() += 1;
        }
        // Kneser-Ney counts the contexts of shorter n-grams, not their occurrences.
        let bigrams = continuations(&trigrams, 1);
        let unigrams = continuations(&bigrams, 2);
        Trigram { vocab, orders: [unigrams, bigrams, trigrams].map(Order::new) }
    }

    /// The probability of `next` after `before`.
    pub fn probability(&self, before: [u32; 2], next: u32) -> f64 {
        let [a, b] = before;
        let longer = [[NONE, NONE, next], [NONE, b, next], [a, b, next]];
        let uniform = 1.0 / self.vocab as f64;
        self.orders
            .iter()
            .zip(longer)
            .fold(uniform, |shorter, (order, ngram)| order.probability(ngram, shorter))
    }

    /// The mean of `-ln p` over `tokens[1..]`, each from the two before it.
    pub fn loss(&self, tokens: &[u32]) -> f64 {
        let loss = |i: usize| {
            let before = [if i > 1 { tokens[i - 2] } else { NONE }, tokens[i - 1]];
            -self.probability(before, tokens[i]).ln()
        };
        (1..tokens.len()).map(loss).sum::<f64>() / (tokens.len() - 1) as f64
    }
}

impl Order {
    fn new(counts: HashMap<[u32; 3], u32>) -> Order {
        let mut contexts: HashMap<[u32; 3], Context> = HashMap::new();
        for (&[a, b, _], &count) in &counts {
            let context = contexts.entry([a, b, NONE]).or_default();
            context.total += count;
            context.kinds[count.min(3) as usize - 1] += 1;
        }
        let discounts = discounts(&counts);
        Order { counts, contexts, discounts }
    }

    /// The discounted share of `ngram` in its context, and `shorter` for what the discounts left over.
    fn probability(&self, ngram: [u32; 3], shorter: f64) -> f64 {
        let [a, b, _] = ngram;
        let Some(context) = self.contexts.get(&[a, b, NONE]) else { return shorter };
        let count = self.counts.get(&ngram).copied().unwrap_or(0);
        let own = if count > 0 {
            f64::from(count) - self.discounts[count.min(3) as usize - 1]
        } else {
            0.0
        };
        let left: f64 =
            self.discounts.iter().zip(context.kinds).map(|(d, n)| d * f64::from(n)).sum();
        (own + left * shorter) / f64::from(context.total)
    }
}

/// The number of contexts of each n-gram, which loses its token at `from - 1`.
fn continuations(longer: &HashMap<[u32; 3], u32>, from: usize) -> HashMap<[u32; 3], u32> {
    let mut counts = HashMap::new();
    for ngram in longer.keys() {
        let mut shorter = *ngram;
        shorter[..from].fill(NONE);
        *counts.entry(shorter).or_default() += 1;
    }
    counts
}

/// The discounts, estimated from how many n-grams occur once, twice, three and four times; 0.5 if there are too few.
fn discounts(counts: &HashMap<[u32; 3], u32>) -> [f64; 3] {
    let occurring = |times: u32| counts.values().filter(|&&count| count == times).count() as f64;
    let [n1, n2, n3, n4] = [1, 2, 3, 4].map(occurring);
    let y = n1 / (n1 + 2.0 * n2);
    let raw = [1.0 - 2.0 * y * n2 / n1, 2.0 - 3.0 * y * n3 / n2, 3.0 - 4.0 * y * n4 / n3];
    let mut limit = 0.0;
    raw.map(|d| {
        limit += 1.0;
        if d.is_finite() && d > 0.0 && d < limit { d } else { 0.5 }
    })
}
