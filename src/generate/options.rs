//! What a generation does: how it chooses tokens, when it stops, and its hooks.

use crate::error::{Error, Result};
use crate::intervene::{Choice, Compiler, Intervention};
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
        /// rounds. The seed is the first eight bytes of the key (little-endian), the rest of the key is zero. Each
        /// drawn token takes one u64 of its stream, two words with the lower first; the upper 53 bits, as a fraction of
        /// 1, choose by cumulative probability in the order of ids. Of several texts, each has its own draws. With a
        /// list, text i uses seed i and gives what it gives alone with that seed. With one number, the nonce is the text's
        /// place in the batch: text 0 is the one that the number gives alone.
        pub seed: Choice<u64> = Choice::One(0),
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
