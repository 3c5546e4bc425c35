//! Integrated gradients as Python.

use super::literal::ids;
use super::parts::{check_tokens, metric, model};
use super::template::{Placeholders, Template};
use crate::analysis::integrated_gradients::IntegratedGradientsOptions;
use crate::checkpoint::Config;
use crate::error::Result;

/// Integrated gradients over the tokens. Prints `shares`, and the metric of the prompt and of the `baseline`.
///
/// # Errors
/// As [`Integration::new`](crate::analysis::integrated_gradients::Integration::new); [`Error::Config`](crate::Error::Config) if
/// TransformerLens computes something else.
pub fn integrated_script(
    config: &Config,
    folder: &str,
    tokens: &[u32],
    options: &IntegratedGradientsOptions,
) -> Result<String> {
    let IntegratedGradientsOptions { metric: objective, baseline, steps } = options;
    check_tokens(config, tokens)?;
    options.check(tokens)?;
    let baseline = match baseline {
        None => None,
        Some(other) => {
            check_tokens(config, other)?;
            Some(ids(other))
        }
    };
    let values = Placeholders::new()
        .set("MODEL", model(config, folder)?)
        .set("TOKENS", ids(tokens))
        .set("METRIC_FUNCTION", metric(objective, tokens.len())?)
        .set_if("BASELINE", baseline)
        .set("STEPS", steps);
    Ok(Template::Integrated.render(&values))
}
