//! The role of each tensor of a file: a parameter, a tensor without effect, or a reason to refuse the file.
//!
//! A tensor with an unknown name is refused, not skipped: it might change every logit.

use std::collections::HashMap;

use super::config::Config;
use super::shapes::{HEAD, HEAD_BIAS, expected_shapes};
use crate::error::{Error, Result, shortened};
use crate::nearest::nearest;

/// What a tensor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Parameter,
    /// An unembedding, although the config says that it is `wte.weight`.
    Head,
    /// A bias of the logits, which must be zero.
    HeadBias,
    /// The causal mask of old files.
    Buffer,
    /// The head of another task.
    OtherTask,
}

/// The tensors of a model and their shapes, by name.
pub(super) type Shapes = HashMap<String, Vec<usize>>;

/// The first part of the names of heads for other tasks. They read the last residual stream and do not change it.
const OTHER_TASKS: [&str; 12] = [
    "score",
    "classifier",
    "classification_head",
    "v_head",
    "value_head",
    "critic",
    "critic_head",
    "reward_head",
    "multiple_choice_head",
    "qa_outputs",
    "summary",
    "seq_summary",
];

const ADAPTERS: [&str; 9] = [
    "lora_",
    "adapter",
    "ia3_",
    "hada_",
    "lokr_",
    "prompt_encoder",
    "prompt_embeddings",
    "base_model.",
    "modules_to_save",
];

const QUANTIZED: [&str; 12] = [
    "qweight",
    "qzeros",
    "g_idx",
    "scales",
    "absmax",
    "quant_map",
    "quant_state",
    "SCB",
    "weight_format",
    "weight_scale",
    "input_scale",
    "nested_",
];

/// The role of the tensor `name`, which is without the prefix `transformer.`.
///
/// # Errors
/// [`Error::Weights`] when a model with this tensor computes something else than the config says.
pub(super) fn of(name: &str, config: &Config, shapes: &Shapes) -> Result<Role> {
    if shapes.contains_key(name) {
        return Ok(Role::Parameter);
    }
    match name {
        HEAD => return Ok(Role::Head),
        HEAD_BIAS => return Ok(Role::HeadBias),
        _ => {}
    }
    let has_any = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if has_any(&ADAPTERS) {
        return Err(refused(
            name,
            "part of an adapter. Merge it into the model first (`merge_and_unload()` in peft)",
        ));
    }
    if has_any(&["crossattention", "ln_cross_attn", "encoder_attn"]) {
        return Err(refused(
            name,
            "part of cross attention, which a decoder-only model does not have",
        ));
    }
    if let Some((layer, rest)) = in_layer(name) {
        return in_block(name, layer, rest, config);
    }
    if has_any(&QUANTIZED) {
        return Err(refused(name, QUANTIZED_MODEL));
    }
    let first = name.split('.').next().unwrap_or_default();
    match OTHER_TASKS.contains(&first) {
        true => Ok(Role::OtherTask),
        false => Err(unknown(name, shapes)),
    }
}

const QUANTIZED_MODEL: &str =
    "part of a quantized model. Load the model that it was quantized from";

/// `h.3.attn.bias` is `attn.bias` in layer 3.
fn in_layer(name: &str) -> Option<(u64, &str)> {
    let (layer, rest) = name.strip_prefix("h.")?.split_once('.')?;
    Some((layer.parse().ok()?, rest))
}

fn in_block(name: &str, layer: u64, rest: &str, config: &Config) -> Result<Role> {
    let layers = config.n_layer;
    if layer >= layers as u64 {
        return Err(Error::Weights(format!(
            "`{name}` belongs to layer {layer}, counted from 0, but config.json says that `n_layer` is {layers}: the \
             file holds more layers than the config"
        )));
    }
    match rest {
        "attn.bias" | "attn.masked_bias" => Ok(Role::Buffer),
        _ if QUANTIZED.iter().any(|part| rest.contains(part)) => {
            Err(refused(name, QUANTIZED_MODEL))
        }
        _ => Err(unknown(name, &expected_shapes(config).into_iter().collect())),
    }
}

fn refused(name: &str, what: &str) -> Error {
    Error::Weights(format!("`{}` is {what}", shortened(name)))
}

fn unknown(name: &str, shapes: &Shapes) -> Error {
    let near = nearest(name, shapes.keys().map(String::as_str), 1);
    let name = shortened(name);
    Error::Weights(format!(
        "`{name}` is not a tensor of GPT-2 (nearest: {near}) and might change the logits. Remove it from the file if it has \
         no effect"
    ))
}
