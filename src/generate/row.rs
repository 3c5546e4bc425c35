//! One text of a generation: its tokens so far, its hooks, and what its next token is.

use rand_chacha::ChaCha8Rng;

use super::options::GenerateOptions;
use super::sampling::{draw, generator_of_row, most_probable};
use crate::error::{Error, Result};
use crate::intervene::{Plan, TextLength};
use crate::kernel;
use crate::model::{KvCache, Model};
use crate::run::{Cache, Capture, as_batch};
use crate::tokenizer::{TextStream, Tokenizer};

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

/// A text that is continued.
pub(super) struct Row {
    pub plan: Plan,
    pub capture: Capture,
    pub tokens: Vec<u32>,
    /// The keys and values of the tokens before the last. Empty before the first step and after an error.
    pub kv: Option<KvCache>,
    prompt_length: usize,
    text: Option<TextStream>,
    written: String,
    rng: ChaCha8Rng,
    finished: bool,
}

impl Row {
    /// Text `row` of `rows`.
    pub fn new(
        model: &Model,
        tokenizer: Option<&Tokenizer>,
        prompt: &[u32],
        options: &GenerateOptions,
        row: usize,
        rows: usize,
    ) -> Result<Row> {
        let config = model.config();
        model.check_ids(&as_batch(prompt)?)?;
        let named = |tokenizer: &Tokenizer| tokenizer.for_model(config.vocab_size);
        let text = tokenizer.map(|tokenizer| after_prompt(named(tokenizer), prompt));
        let length = TextLength { prompt: prompt.len(), new: options.max_new_tokens };
        let compiler = options.compiler.as_ref();
        Ok(Row {
            plan: Plan::for_row(&options.interventions, config, length, compiler, row, rows)?,
            capture: Capture::new(&options.names, config)?,
            tokens: prompt.to_vec(),
            kv: None,
            prompt_length: prompt.len(),
            text,
            written: String::new(),
            rng: generator_of_row(&options.seed, row),
            finished: false,
        })
    }

    /// Whether it has no further token.
    pub fn has_ended(&self, options: &GenerateOptions) -> bool {
        self.finished || self.steps() >= options.max_new_tokens
    }

    /// The number of generated tokens.
    fn steps(&self) -> usize {
        self.tokens.len() - self.prompt_length
    }

    /// The logarithm of the sum of the exponentials of the logits.
    ///
    /// # Errors
    /// If no token can be chosen. Without interventions, the weights are the cause.
    pub fn log_sum_exp(&self, logits: &[f32], options: &GenerateOptions) -> Result<f64> {
        let total = kernel::log_sum_exp(logits);
        if total.is_finite() {
            return Ok(total);
        }
        let step = self.steps();
        let what =
            format!("the model's logits are not finite at step {step}, so no token can be chosen");
        Err(match options.interventions.as_slice() {
            [] => Error::Weights(format!(
                "{what}: expected weights without NaN and infinities, or in another dtype"
            )),
            _ => Error::Hook(format!(
                "{what}: expected interventions and weights that leave them finite"
            )),
        })
    }

    /// Chooses the next token by logits, whose [`Row::log_sum_exp`] is `total`, and appends it.
    pub fn step(
        &mut self,
        model: &Model,
        options: &GenerateOptions,
        (logits, total): (&[f32], f64),
        cache: Cache,
    ) -> Step {
        let mut top = most_probable(logits, options.top.max(1));
        let best = top.first().copied().unwrap_or_default(); // there is one: the sum is finite
        let drawn = options.do_sample.then(|| draw(logits, &self.tokens, options, &mut self.rng));
        let id = drawn.flatten().unwrap_or(best);
        let log_prob = |id: u32| (f64::from(logits[id as usize]) - total) as f32;
        top.truncate(options.top);
        let top = top.into_iter().map(|id| (id, log_prob(id))).collect();
        let string = self.take(id, model, options);
        Step { id, string, log_prob: log_prob(id), top, cache }
    }

    /// Appends a token and returns its string. Sets `finished` if the token ends the text.
    fn take(&mut self, id: u32, model: &Model, options: &GenerateOptions) -> String {
        self.tokens.push(id);
        let spell =
            |text: &mut TextStream| text.push(id).map(|token| token.string).unwrap_or_default();
        let string = self.text.as_mut().map(spell).unwrap_or_default();
        self.written.push_str(&string);
        let at_eos = options.stop_at_eos && model.config().eos_token_id == Some(id);
        let stopped = options.stop.iter().any(|stop| self.written.contains(stop.as_str()));
        self.finished = at_eos || stopped;
        string
    }
}

/// A stream of text that begins after `prompt`, which may end inside a character.
fn after_prompt(tokenizer: Tokenizer, prompt: &[u32]) -> TextStream {
    let mut text = TextStream::new(tokenizer);
    for id in prompt {
        let _ = text.push(*id); // the first forward pass refuses ids that the model does not know
    }
    text
}
