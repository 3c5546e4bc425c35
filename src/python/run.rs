//! A run as Python.

use std::collections::BTreeSet;

use super::hooks::{HookList, hooks};
use super::literal::{ids, strings};
use super::parts::{check_tokens, metric, model, switches};
use super::template::{Placeholders, Template};
use crate::checkpoint::Config;
use crate::error::Result;
use crate::hook::{BlockPoint, HookPoint, Selectors};
use crate::intervene::{TextLength, tensor};
use crate::named_array::NamedArray;
use crate::run::{RunOptions, Start, layers, resolve_rows};

/// `run(model, tokens, options)`. Prints `log_probs`, `loss`, the norm of what was captured, and that of gradients.
///
/// # Errors
/// As [`run`](crate::run()); [`Error::Config`](crate::Error::Config) if TransformerLens computes something else,
/// [`Error::Hook`](crate::Error::Hook) for an intervention that is a JavaScript function.
pub fn run_script(
    config: &Config,
    folder: &str,
    tokens: &[u32],
    options: &RunOptions,
) -> Result<String> {
    check_tokens(config, tokens)?;
    layers(config, tokens.len(), options)?;
    let names = captured(config, options)?;
    let model = model(config, folder)?;
    let length = TextLength { prompt: tokens.len(), new: 1 };
    let HookList { script: hooks, points } = hooks(config, length, &options.interventions)?;
    let start = options.start.as_ref();
    let resid = start.map(|start| NamedArray::unnamed(&start.resid)).transpose()?;
    let (mut metric_function, mut gradients) = (String::new(), None);
    if let Some(objective) = &options.gradients_of {
        metric_function = metric(objective, tokens.len())?;
        gradients = Some(Template::Gradients.render(&Placeholders::new()));
    }
    let rows = match &options.positions {
        Some(positions) => format!("{:?}", resolve_rows(positions, tokens.len())?),
        None => "None".into(),
    };
    let values = Placeholders::new()
        .set("MODEL", model)
        .set("HOOKS", hooks)
        .set_if("START_POINT", start.map(|start| start_point(config, start)))
        .set_if("START_RESID", resid.as_ref().map(tensor))
        .set("SWITCHES", switches(&[&names[..], &points].concat())?)
        .set("TOKENS", ids(tokens))
        .set("NAMES", strings(&names))
        .set("METRIC_FUNCTION", metric_function)
        .set_if("COMPUTE_GRADIENTS", gradients)
        .set("ROWS", rows)
        .set_if("SCORES", options.stop_at_layer.is_none().then_some(""));
    Ok(Template::Run.render(&values))
}

/// The point whose value the run starts from.
fn start_point(config: &Config, start: &Start) -> HookPoint {
    match start.layer < config.n_layer {
        true => HookPoint::Block(start.layer, BlockPoint::ResidPre),
        false => HookPoint::Block(config.n_layer - 1, BlockPoint::ResidPost),
    }
}

/// The points that a run captures and reaches, in firing order.
fn captured(config: &Config, options: &RunOptions) -> Result<Vec<HookPoint>> {
    let (mut selectors, mut points) = (Selectors::new(config), BTreeSet::<HookPoint>::new());
    for name in &options.names {
        points.extend(selectors.parse(name)?);
    }
    let first = options.start.as_ref().map(|start| start.layer);
    let reached = |point: &HookPoint| {
        let early = matches!(point, HookPoint::Embed | HookPoint::PosEmbed);
        let after_start =
            first.is_none_or(|first| !early && point.layer().is_none_or(|layer| layer >= first));
        let before_stop = options
            .stop_at_layer
            .is_none_or(|stop| early || point.layer().is_some_and(|layer| layer < stop));
        after_start && before_stop
    };
    Ok(HookPoint::all(config)
        .into_iter()
        .filter(|point| points.contains(point) && reached(point))
        .collect())
}
