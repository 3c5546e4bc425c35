//! One forward pass looked into: tokens in; logits, the loss and a [`Cache`] of captured activations out.

use candle_core::{Device, Tensor};

use crate::config::Config;
use crate::error::{Error, Result, nearest};
use crate::hook::{HookPoint, Hooks, Selector, Site};
use crate::model::Model;

/// Captured activations, in the order in which they were computed.
#[derive(Clone, Default)]
pub struct Cache {
    entries: Vec<(HookPoint, Tensor)>,
}

impl Cache {
    /// The hook points that were captured, in firing order.
    pub fn points(&self) -> impl Iterator<Item = HookPoint> {
        self.entries.iter().map(|(point, _)| *point)
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.points().map(|point| point.to_string()).collect()
    }

    /// The value at `name`, with the axes of [`HookPoint::axes`].
    ///
    /// # Errors
    /// [`Error::Hook`] when it was not captured; the message lists the nearest names that were.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        let found = self.entries.iter().find(|(point, _)| point.to_string() == name);
        found.map(|(_, value)| value).ok_or_else(|| {
            let names = self.names();
            match names.len() {
                0 => Error::Hook(format!("`{name}` was not captured: nothing was; ask for it in `names`")),
                _ => {
                    let nearest = nearest(name, names.iter().map(String::as_str), 3);
                    Error::Hook(format!("`{name}` was not captured; the nearest that were are {nearest}"))
                }
            }
        })
    }

    /// The value at `point`, if it was captured.
    pub fn at(&self, point: HookPoint) -> Option<&Tensor> {
        self.entries.iter().find(|(captured, _)| *captured == point).map(|(_, value)| value)
    }
}

/// Hooks that keep the values at some points and change none.
pub struct Capture {
    wanted: Vec<HookPoint>,
    cache: Cache,
}

impl Capture {
    /// Keeps the points that the names, globs and regular expressions select.
    ///
    /// # Errors
    /// [`Error::Hook`] when one of them matches nothing.
    pub fn new<S: AsRef<str>>(names: &[S], config: &Config) -> Result<Capture> {
        let mut wanted = Vec::new();
        for name in names {
            wanted.extend_from_slice(Selector::parse(name.as_ref(), config)?.points());
        }
        Ok(Capture { wanted, cache: Cache::default() })
    }

    /// The same points with nothing kept yet.
    pub(crate) fn fresh(&self) -> Capture {
        Capture { wanted: self.wanted.clone(), cache: Cache::default() }
    }

    pub fn into_cache(self) -> Cache {
        self.cache
    }
}

impl Hooks for Capture {
    fn wants(&self, point: HookPoint) -> bool {
        self.wanted.contains(&point)
    }

    fn visit(&mut self, site: Site, value: Tensor) -> Result<Tensor> {
        self.cache.entries.push((site.point, value.clone()));
        Ok(value)
    }
}

/// What one forward pass gave.
pub struct Run {
    /// `[1, T, V]`.
    pub logits: Tensor,
    /// How well each token but the first was predicted.
    pub scores: Scores,
    pub cache: Cache,
}

/// How well the true next tokens were predicted: entry `t` is about token `t + 1`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores {
    /// The natural logarithm of its probability.
    pub log_probs: Vec<f32>,
    /// How many tokens were given a greater logit: 0 when it was the first choice.
    pub ranks: Vec<u32>,
}

impl Scores {
    /// `logits` `[1, T, V]` scored against the tokens that they were computed from.
    pub fn of(logits: &Tensor, tokens: &[u32]) -> Result<Scores> {
        let rows = logits.squeeze(0)?;
        let mut scores = Scores::default();
        for (position, next) in tokens.iter().skip(1).enumerate() {
            let row = rows.get(position)?.to_vec1::<f32>()?;
            let logit = row[*next as usize];
            scores.log_probs.push((f64::from(logit) - log_sum_exp(&row)) as f32);
            scores.ranks.push(row.iter().filter(|other| **other > logit).count() as u32);
        }
        Ok(scores)
    }

    /// The mean negative log-probability, in nats; none for a single token.
    pub fn loss(&self) -> Option<f32> {
        let count = self.log_probs.len() as f64;
        let sum: f64 = self.log_probs.iter().map(|log_prob| f64::from(*log_prob)).sum();
        (count > 0.0).then(|| (-sum / count) as f32)
    }
}

/// `log(sum(exp(x)))`, in f64 so that a vocabulary of any size adds up.
pub(crate) fn log_sum_exp(row: &[f32]) -> f64 {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = row.iter().map(|logit| f64::from(logit - max).exp()).sum();
    f64::from(max) + sum.ln()
}

/// Runs `tokens` through the model and keeps the activations that `names` select.
///
/// ```no_run
/// # fn main() -> candlescope::Result<()> {
/// # let model: candlescope::Model = unimplemented!();
/// let run = candlescope::run_with_cache(&model, &[5, 9, 5], &["blocks.*.attn.hook_pattern"])?;
/// let pattern = run.cache.get("blocks.0.attn.hook_pattern")?; // [1, n_head, 3, 3]
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`Error::Hook`] when a name matches nothing, [`Error::Input`] when the tokens do not fit the model.
pub fn run_with_cache<S: AsRef<str>>(model: &Model, tokens: &[u32], names: &[S]) -> Result<Run> {
    let mut capture = Capture::new(names, model.config())?;
    let logits = model.forward(&as_batch(tokens)?, None, &mut capture)?;
    let scores = Scores::of(&logits, tokens)?;
    Ok(Run { logits, scores, cache: capture.into_cache() })
}

/// `[1, T]`.
pub(crate) fn as_batch(tokens: &[u32]) -> Result<Tensor> {
    if tokens.is_empty() {
        return Err(Error::Input("there is no token, expected at least one".into()));
    }
    Ok(Tensor::from_slice(tokens, (1, tokens.len()), &Device::Cpu)?)
}
