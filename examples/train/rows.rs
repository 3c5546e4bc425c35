//! The rows of each training step: pieces of the text, and repeated pieces that teach a model to copy from its context.

use std::str::FromStr;

use super::Result;
use super::rng::Rng;

/// A phase of the training: the length of rows, and the share of them that are repeated pieces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Phase {
    /// None for the last phase, which lasts until the end.
    pub steps: Option<usize>,
    pub length: usize,
    /// The share of rows that consist of one repeated piece.
    pub repeated: f64,
}

/// Parsed from `STEPSxLENGTH:SHARE`, the last without steps: `1000x64:0.5,1000x128:0.4,256:0.2`.
#[derive(Debug, Clone, PartialEq)]
pub struct Phases(pub Vec<Phase>);

impl Phases {
    pub fn at(&self, step: usize) -> Phase {
        let mut start = 0;
        for phase in &self.0 {
            match phase.steps {
                Some(steps) if step >= start + steps => start += steps,
                _ => return *phase,
            }
        }
        self.0[self.0.len() - 1]
    }
}

impl FromStr for Phases {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Phases, String> {
        let phase = |part: &str| {
            let (size, share) = part.split_once(':')?;
            let (steps, length) = match size.split_once('x') {
                Some((steps, length)) => (Some(steps.parse().ok()?), length),
                None => (None, size),
            };
            let phase =
                Phase { steps, length: length.parse().ok()?, repeated: share.parse().ok()? };
            (phase.length >= 8 && (0.0..=1.0).contains(&phase.repeated)).then_some(phase)
        };
        let parts: Option<Vec<Phase>> = text.split(',').map(phase).collect();
        parts.map(Phases).ok_or_else(|| {
            format!(
                "`{text}` is not a list of phases: expected STEPSxLENGTH:SHARE,…,LENGTH:SHARE with lengths of 8 or more"
            )
        })
    }
}

/// The rows of one step. Each list is `[rows, length]`.
pub struct Batch {
    pub rows: usize,
    pub length: usize,
    pub tokens: Vec<u32>,
    /// The next token at each position.
    pub targets: Vec<u32>,
    /// 0 if the target is random and cannot be predicted, else 1.
    pub weights: Vec<f32>,
}

impl Batch {
    /// The batch in at most `parts` parts of whole rows.
    pub fn split(&self, parts: usize) -> Vec<Batch> {
        let share = self.rows.div_ceil(parts.max(1));
        let part = |first: usize| {
            let rows = share.min(self.rows - first);
            let range = first * self.length..(first + rows) * self.length;
            Batch {
                rows,
                length: self.length,
                tokens: self.tokens[range.clone()].to_vec(),
                targets: self.targets[range.clone()].to_vec(),
                weights: self.weights[range].to_vec(),
            }
        };
        (0..self.rows).step_by(share).map(part).collect()
    }

    pub fn weight(&self) -> f32 {
        self.weights.iter().sum()
    }
}

/// The rows of step `step`, about `size` tokens. They depend only on the text, the seed and the step.
pub fn batch(
    text: &[u32],
    vocab: usize,
    size: usize,
    phase: Phase,
    seed: u64,
    step: usize,
) -> Result<Batch> {
    let Phase { length, repeated, .. } = phase;
    if text.len() <= length {
        return Err(format!(
            "the text has {} tokens, expected more than a row's {length}",
            text.len()
        )
        .into());
    }
    let mut rng = Rng::new(seed, 1 + step as u64);
    let rows = (size / length).max(1);
    let mut batch =
        Batch { rows, length, tokens: Vec::new(), targets: Vec::new(), weights: Vec::new() };
    for _ in 0..rows {
        let repeats = rng.unit() < repeated;
        let (row, free) = if repeats {
            repeated_row(text, vocab, length, &mut rng)
        } else {
            (piece(text, length + 1, &mut rng), 0)
        };
        batch.tokens.extend(&row[..length]);
        batch.targets.extend(&row[1..]);
        batch.weights.extend((1..=length).map(|target| if target < free { 0.0 } else { 1.0 }));
    }
    Ok(batch)
}

/// A repeated piece of 4 to `length / 2` tokens, and how many tokens at its start cannot be predicted. Three in four
/// pieces are random tokens, the others are text.
fn repeated_row(text: &[u32], vocab: usize, length: usize, rng: &mut Rng) -> (Vec<u32>, usize) {
    let period = 4 + rng.below(length / 2 - 3);
    let random = rng.below(4) > 0;
    let piece = if random { random_tokens(vocab, period, rng) } else { piece(text, period, rng) };
    let row = piece.iter().copied().cycle().take(length + 1).collect();
    (row, if random { period } else { 0 })
}

fn piece(text: &[u32], length: usize, rng: &mut Rng) -> Vec<u32> {
    let start = rng.below(text.len() - length + 1);
    text[start..start + length].to_vec()
}

/// Uniformly random tokens without `<|endoftext|>` (0).
pub fn random_tokens(vocab: usize, length: usize, rng: &mut Rng) -> Vec<u32> {
    (0..length).map(|_| 1 + rng.below(vocab - 1) as u32).collect()
}
