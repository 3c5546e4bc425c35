//! A generation as Python.

use super::hooks::{HookList, hooks};
use super::literal::ids;
use super::parts::{check_ids, model, switches};
use super::template::{Placeholders, Template};
use crate::checkpoint::Config;
use crate::error::Result;
use crate::generate::{GenerateOptions, check_options};
use crate::intervene::TextLength;

/// A generation. Without sampling, it gives the same tokens; with sampling, it follows the same rule with other random
/// numbers. Prints `ids` and `log_probs`.
///
/// # Errors
/// As [`Generation::new`](crate::Generation::new); otherwise as [`run_script`](super::run_script).
pub fn generation_script(
    config: &Config,
    folder: &str,
    prompt: &[u32],
    options: &GenerateOptions,
) -> Result<String> {
    check_options(options)?;
    check_ids(config, prompt)?;
    let model = model(config, folder)?;
    let length = TextLength { prompt: prompt.len(), new: options.max_new_tokens };
    let HookList { script: hooks, points } = hooks(config, length, &options.interventions)?;
    let stop =
        |text| format!("# Candlescope also stops after the token that completes {text:?}.\n");
    let sampled = options.do_sample;
    let values = Placeholders::new()
        .set("MODEL", model)
        .set("HOOKS", hooks)
        .set("SWITCHES", switches(&points)?)
        .set("PROMPT", ids(prompt))
        .set("PROMPT_LENGTH", prompt.len())
        .set("MAX_NEW_TOKENS", options.max_new_tokens)
        .set("N_POSITIONS", config.n_positions)
        .set_if("TEMPERATURE", sampled.then(|| format!("{:?}", options.temperature)))
        .set_if(
            "FREQUENCY_PENALTY",
            (sampled && options.frequency_penalty > 0.0)
                .then(|| format!("{:?}", options.frequency_penalty)),
        )
        .set_if("TOP_K", options.top_k)
        .set_if("TOP_P", options.top_p.map(|top_p| format!("{top_p:?}")))
        .set_if("EOS", config.eos_token_id.filter(|_| options.stop_at_eos))
        .set("STOPS", options.stop.iter().map(stop).collect::<String>());
    Ok(Template::Generation.render(&values))
}
