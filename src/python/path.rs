//! A sweep of path patches as Python.

use std::collections::BTreeMap;

use super::parts::{contrast, model};
use super::template::{Placeholders, Template};
use crate::analysis::path_patching::{Mlps, PathPatchingOptions, Receivers};
use crate::checkpoint::Config;
use crate::error::Result;

/// A sweep of path patches over all senders. Prints as [`sweep_script`](super::sweep_script).
///
/// # Errors
/// As [`PathSweep::new`](crate::analysis::path_patching::PathSweep::new); [`Error::Config`](crate::Error::Config) if
/// TransformerLens computes something else.
pub fn path_script(config: &Config, folder: &str, options: &PathPatchingOptions) -> Result<String> {
    options.receivers.check(config)?;
    let receivers = match &options.receivers {
        Receivers::Logits => "None".to_string(),
        Receivers::Heads(receivers) => {
            let mut heads: BTreeMap<String, Vec<usize>> = BTreeMap::new();
            for receiver in receivers {
                heads.entry(receiver.point().to_string()).or_default().push(receiver.head);
            }
            format!("{heads:?}")
        }
    };
    let frozen = match options.mlps {
        Mlps::Frozen => "(\"hook_z\", \"hook_mlp_out\")",
        Mlps::Recomputed => "(\"hook_z\",)",
    };
    let values = Placeholders::new()
        .set("MODEL", model(config, folder)?)
        .set("CONTRAST", contrast(config, &options.contrast)?)
        .set("RECEIVERS", receivers)
        .set("FROZEN", frozen)
        .set("N_LAYER", config.n_layer)
        .set("N_HEAD", config.n_head)
        .set("REPORT", Template::Report.render(&Placeholders::new()));
    Ok(Template::Path.render(&values))
}
