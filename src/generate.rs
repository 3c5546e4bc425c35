//! A prompt in, tokens out one by one, with hooks active at every step.
//!
//! A generation owns its key/value cache. While the context fits the model's `n_positions`, each step computes only the
//! new token. A longer context is cropped to its last `n_positions` tokens, as in the loop of the original model. Every
//! token then moves to an earlier position with each step (the first token of the window is at position 0), so cached
//! keys and values become invalid, and each step computes the whole window.

use std::borrow::Cow;

use candle_core::{D, IndexOp};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::error::{Error, Result};
use crate::hook::{Chain, Hooks, NoHooks};
use crate::intervene::{Compiler, Intervention, Plan, TextLength};
use crate::kernel;
use crate::model::{KvCache, Model};
use crate::run::{Cache, Capture, as_batch};
use crate::tokenizer::{TextStream, Tokenizer};
use crate::wire::{self, HookNames, OneOrMany, options};

options! {
    /// How to choose tokens and when to stop. The names are those of Hugging Face's `generate`.
    #[derive(Clone)]
    pub struct GenerateOptions {
        /// The maximum number of tokens to generate.
        pub max_new_tokens: usize = 20,
        /// Draw from the distribution; otherwise take the most probable token, the lowest id on a tie.
        pub do_sample: bool = false,
        /// Divides the logits before drawing. Above 0.
        pub temperature: f64 = 1.0,
        /// Subtracted from a token's logit, after the temperature, for each time that the token occurs in the text so far,
        /// prompt included. At least 0. Greedy choices ignore it, as in TransformerLens.
        pub frequency_penalty: f64 = 0.0,
        /// Draw only among this many most probable tokens (more if the last of them ties).
        pub top_k: Option<usize>,
        /// Draw only among the fewest most probable tokens whose probabilities add up to at least this. In (0, 1].
        pub top_p: Option<f64>,
        /// The key of the random generator: the same seed gives the same text on every machine. It is ChaCha with 8
        /// rounds. The seed is the first eight bytes of the key (little-endian), the rest of key and nonce is zero. Each
        /// drawn token takes one u64 of its stream, two words with the lower first; the upper 53 bits, as a fraction of
        /// 1, choose by cumulative probability in the order of ids.
        pub seed: u64 = 0,
        /// Stop after the token that completes one of these texts.
        pub stop: Vec<String> as OneOrMany<String> = Vec::new(),
        /// Stop after the config's `eos_token_id`.
        pub stop_at_eos: bool = true,
        /// How many of the most probable tokens each step lists.
        pub top: usize = 10,
        /// What to capture at every step.
        pub names: Vec<String> as HookNames = Vec::new(),
        /// What to change at every step; their `step` and `positions` restrict them. The text is the same with and without
        /// cached keys and values.
        pub interventions: Vec<Intervention> = Vec::new(),
        /// Keep keys and values from step to step. Otherwise each step computes its whole context; the text is the same.
        pub use_cache: bool = true,
    } with {
        /// Compiles the source of a JavaScript intervention, in a browser.
        pub compiler: Option<Compiler>,
    }
}

impl Default for GenerateOptions {
    fn default() -> Self {
        wire::defaults()
    }
}

/// One generated token.
pub struct Step {
    /// The token's id.
    pub id: u32,
    /// The characters that are complete with this token; empty without a tokenizer.
    pub string: String,
    /// The natural logarithm of the token's probability, before temperature, top-k and top-p.
    pub log_prob: f32,
    /// The most probable tokens with their log-probabilities, the first choice first.
    pub top: Vec<(u32, f32)>,
    /// What was captured: only the new positions if keys and values are cached.
    pub cache: Cache,
}

/// A text that is generated token by token: call [`next_step`](Generation::next_step) until it returns None.
pub struct Generation {
    model: Model,
    options: GenerateOptions,
    plan: Plan,
    capture: Capture,
    tokens: Vec<u32>,
    prompt_length: usize,
    kv: Option<KvCache>,
    text: Option<TextStream>,
    written: String,
    rng: ChaCha8Rng,
    finished: bool,
}

impl Generation {
    /// A generation that continues `prompt`, which may be longer than `n_positions`.
    ///
    /// # Errors
    /// [`Error::Input`] if the prompt is empty or an option is out of range, [`Error::Hook`] if a name matches nothing.
    pub fn new(
        model: &Model,
        tokenizer: Option<&Tokenizer>,
        prompt: &[u32],
        options: GenerateOptions,
    ) -> Result<Generation> {
        check_options(&options)?;
        if !options.stop.is_empty() && tokenizer.is_none() {
            return Err(Error::Input("`stop` is text, but the model has no tokenizer".into()));
        }
        model.check_ids(&as_batch(prompt)?)?;
        let named = |tokenizer: &Tokenizer| tokenizer.for_model(model.config().vocab_size);
        let text = tokenizer.map(|tokenizer| after_prompt(named(tokenizer), prompt));
        let length = TextLength { prompt: prompt.len(), new: options.max_new_tokens };
        Ok(Generation {
            plan: Plan::new(
                &options.interventions,
                model.config(),
                length,
                options.compiler.as_ref(),
            )?,
            capture: Capture::new(&options.names, model.config())?,
            model: model.clone(),
            tokens: prompt.to_vec(),
            prompt_length: prompt.len(),
            kv: None,
            text,
            written: String::new(),
            rng: generator(options.seed),
            finished: false,
            options,
        })
    }

    /// The prompt and the tokens that were generated so far.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Generates the next token. None if the text is finished.
    ///
    /// # Errors
    /// As [`Model::forward`]; [`Error::Weights`] or, under interventions, [`Error::Hook`] when the logits are not finite.
    /// A later call tries the same step again.
    pub fn next_step(&mut self) -> Result<Option<Step>> {
        self.next_step_with(&mut NoHooks)
    }

    /// As [`next_step`](Generation::next_step), with `hooks` active after the interventions.
    pub fn next_step_with(&mut self, hooks: &mut dyn Hooks) -> Result<Option<Step>> {
        if self.finished || self.tokens.len() - self.prompt_length >= self.options.max_new_tokens {
            return Ok(None);
        }
        let (logits, cache) = self.last_logits(hooks)?;
        let total = kernel::log_sum_exp(&logits);
        if !total.is_finite() {
            self.kv = None; // it has this step already, which a later call computes again
            return Err(self.not_finite());
        }
        let id = self.choose(&logits)?;
        let log_prob = |id: u32| (f64::from(logits[id as usize]) - total) as f32;
        let top = most_probable(&logits, self.options.top)
            .into_iter()
            .map(|id| (id, log_prob(id)))
            .collect();
        let string = self.take(id);
        Ok(Some(Step { id, string, log_prob: log_prob(id), top, cache }))
    }

    /// The logits after the last token, and what the forward pass captured.
    fn last_logits(&mut self, hooks: &mut dyn Hooks) -> Result<(Vec<f32>, Cache)> {
        let n_positions = self.model.config().n_positions;
        let fits = self.tokens.len() <= n_positions;
        // Taken, so that a failed step leaves no partially filled cache.
        let kv = self.kv.take().filter(|_| fits);
        let mut kv = kv.or_else(|| {
            (fits && self.options.use_cache).then(|| KvCache::new(self.model.config()))
        });
        let start = match &kv {
            Some(kv) => kv.len(),
            None => self.tokens.len().saturating_sub(n_positions),
        };
        self.plan.window_start = self.tokens.len().saturating_sub(n_positions);
        let mut capture = self.capture.clone();
        let mut chain = Chain(vec![&mut self.plan, hooks, &mut capture]);
        let logits =
            self.model.forward(&as_batch(&self.tokens[start..])?, kv.as_mut(), &mut chain)?;
        self.kv = kv;
        let last = logits.dim(D::Minus2)? - 1;
        Ok((logits.i((0, last))?.to_vec1()?, capture.into_cache()))
    }

    /// The error if no token can be chosen. Without interventions, the weights are the cause.
    fn not_finite(&self) -> Error {
        let step = self.tokens.len() - self.prompt_length;
        let what =
            format!("the model's logits are not finite at step {step}, so no token can be chosen");
        match self.options.interventions.as_slice() {
            [] => Error::Weights(format!(
                "{what}: expected weights without NaN and infinities, or in another dtype"
            )),
            _ => Error::Hook(format!(
                "{what}: expected interventions and weights that leave them finite"
            )),
        }
    }

    /// Chooses a token by logits, of which at least one is finite and none is NaN.
    fn choose(&mut self, logits: &[f32]) -> Result<u32> {
        let best = most_probable(logits, 1);
        let [best] = best.as_slice() else { return Err(self.not_finite()) };
        if !self.options.do_sample {
            return Ok(*best);
        }
        let logits = penalized(logits, &self.tokens, &self.options);
        let kept = distribution(&logits, &self.options);
        let total: f64 = kept.iter().map(|(_, probability)| probability).sum();
        let mut left = unit_interval(self.rng.next_u64()) * total;
        let drawn = kept.iter().find(|(_, probability)| {
            left -= probability;
            left < 0.0
        });
        Ok(drawn.or(kept.last()).map_or(*best, |(id, _)| *id))
    }

    /// Appends a token and returns its string. Sets `finished` if the token ends the text.
    fn take(&mut self, id: u32) -> String {
        self.tokens.push(id);
        let spell =
            |text: &mut TextStream| text.push(id).map(|token| token.string).unwrap_or_default();
        let string = self.text.as_mut().map(spell).unwrap_or_default();
        self.written.push_str(&string);
        let at_eos = self.options.stop_at_eos && self.model.config().eos_token_id == Some(id);
        let stopped = self.options.stop.iter().any(|stop| self.written.contains(stop.as_str()));
        self.finished = at_eos || stopped;
        string
    }
}

/// Positions in the text must fit 32 bits.
const MAX_NEW_TOKENS: usize = i32::MAX as usize;

pub(crate) fn check_options(options: &GenerateOptions) -> Result<()> {
    let wrong = |message: String| Err(Error::Input(message));
    if !(options.temperature > 0.0 && options.temperature.is_finite()) {
        let found = options.temperature;
        return wrong(format!(
            "`temperature` is {found}, expected above 0 (for the most probable token, do not sample)"
        ));
    }
    if !(options.frequency_penalty >= 0.0 && options.frequency_penalty.is_finite()) {
        let found = options.frequency_penalty;
        return wrong(format!("`frequencyPenalty` is {found}, expected a finite number from 0"));
    }
    if options.max_new_tokens > MAX_NEW_TOKENS {
        let found = options.max_new_tokens;
        return wrong(format!("`maxNewTokens` is {found}, expected at most {MAX_NEW_TOKENS}"));
    }
    if options.top_k == Some(0) {
        return wrong("`topK` is 0, expected at least 1".into());
    }
    if let Some(top_p) = options.top_p
        && !(top_p > 0.0 && top_p <= 1.0)
    {
        return wrong(format!("`topP` is {top_p}, expected above 0 and at most 1"));
    }
    if options.stop.iter().any(String::is_empty) {
        return wrong("`stop` holds an empty text, expected at least one character".into());
    }
    Ok(())
}

/// A stream of text that begins after `prompt`, which may end inside a character.
fn after_prompt(tokenizer: Tokenizer, prompt: &[u32]) -> TextStream {
    let mut text = TextStream::new(tokenizer);
    for id in prompt {
        let _ = text.push(*id); // the first forward pass refuses ids that the model does not know
    }
    text
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
    }
}
