//! Integrated gradients as Python.

use super::literal::ids;
use super::parts::{check_tokens, metric, model};
use super::template::{Placeholders, Template};
use crate::analysis::gradients::Baseline;
use crate::checkpoint::Config;
use crate::error::Result;
use crate::run::Objective;

/// Integrated gradients over the tokens. Prints `shares`, and the metric of the prompt and of the `baseline`.
///
/// # Errors
/// As [`IntegratedGradients::new`](crate::analysis::gradients::IntegratedGradients::new); [`Error::Config`] if
/// TransformerLens computes something else.
pub fn integrated_script(
    config: &Config,
    folder: &str,
    tokens: &[u32],
    objective: &Objective,
    baseline: &Baseline,
    steps: usize,
) -> Result<String> {
    check_tokens(config, tokens)?;
    baseline.check(tokens, steps)?;
    let baseline = match baseline {
        Baseline::Zero => None,
        Baseline::Tokens(other) => {
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
