//! Sweeps of activation patches as Python, and their estimate from one backward pass.

use super::literal::strings;
use super::parts::{contrast, model};
use super::template::{Placeholders, Template};
use crate::analysis::patching::{PatchingOptions, Target};
use crate::checkpoint::Config;
use crate::error::Result;

/// A sweep of activation patches. Prints `metric` in the order of [`Patching::raw`](crate::analysis::patching::Patching),
/// and those of the two runs.
///
/// # Errors
/// As [`Sweep::new`](crate::analysis::patching::Sweep::new); [`Error::Config`](crate::Error::Config) if TransformerLens
/// computes something else.
pub fn sweep_script(config: &Config, folder: &str, options: &PatchingOptions) -> Result<String> {
    options.check(config)?;
    let point = options.at.point(0).to_string();
    let (heads, neurons) = (options.at.per_head(), options.at == Target::Post);
    let positions = options.each_position || !(heads || neurons);
    let index = match (heads, positions, point.ends_with("hook_pattern")) {
        (false, false, _) => "..., neuron",
        (false, true, _) if neurons => ":, pos, neuron",
        (false, ..) => ":, pos",
        (true, false, true) => ":, head",
        (true, true, true) => ":, head, pos",
        (true, false, false) => ":, :, head",
        (true, true, false) => ":, pos, head",
    };
    let carry = match options.at {
        Target::ResidMid => Some(Template::Carry.render(&Placeholders::new())),
        _ => None,
    };
    let values = Placeholders::new()
        .set("MODEL", model(config, folder)?)
        .set("CONTRAST", contrast(config, &options.contrast)?)
        .set("SUFFIX", &point["blocks.0".len()..])
        .set_if("CARRY", carry)
        .set("LAYERS", range(options.layers(config)))
        .set(
            "NEURONS",
            if neurons { format!("range({})", config.d_mlp()) } else { "[None]".into() },
        )
        .set("NEURON", if neurons { "neuron" } else { "None" })
        .set("HEADS", if heads { format!("range({})", config.n_head) } else { "[None]".into() })
        .set("HEAD", if heads { "head" } else { "None" })
        .set("POSITIONS", if positions { "range(base.shape[1])" } else { "[None]" })
        .set("POS", if positions { "pos" } else { "None" })
        .set("INDEX", index)
        .set("REPORT", Template::Report.render(&Placeholders::new()));
    Ok(Template::Sweep.render(&values))
}

/// The estimate of a sweep from one backward pass. Prints as [`sweep_script`].
///
/// # Errors
/// As [`attribution_patching`](crate::analysis::patching::attribution_patching);
/// [`Error::Config`](crate::Error::Config) if TransformerLens computes something else.
pub fn attribution_script(
    config: &Config,
    folder: &str,
    options: &PatchingOptions,
) -> Result<String> {
    options.check(config)?;
    let points: Vec<_> = options.layers(config).map(|layer| options.at.point(layer)).collect();
    let (heads, neurons) = (options.at.per_head(), options.at == Target::Post);
    let together = (heads || neurons) && !options.each_position;
    let rows_first = match neurons {
        true => together,
        false => heads && !options.at.point(0).axes().contains(&"key"),
    };
    let values = Placeholders::new()
        .set("MODEL", model(config, folder)?)
        .set("CONTRAST", contrast(config, &options.contrast)?)
        .set("NAMES", strings(&points))
        .set("COMPUTE_GRADIENTS", Template::Gradients.render(&Placeholders::new()))
        .set_if("COMPONENTS", (!neurons).then_some(""))
        .set_if("TRANSPOSE", rows_first.then_some(""))
        .set_if("SUM", together.then_some(""))
        .set("REPORT", Template::Report.render(&Placeholders::new()));
    Ok(Template::Attribution.render(&values))
}

/// As Python's `range`.
fn range(layers: std::ops::Range<usize>) -> String {
    match layers.start {
        0 => format!("range({})", layers.end),
        start => format!("range({start}, {})", layers.end),
    }
}
