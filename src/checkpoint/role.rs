//! The role of a tensor that its family does not have: one without effect, or a reason to refuse the file.
//!
//! A tensor with an unknown name is refused, not skipped: it might change every logit.

use std::collections::HashMap;

use super::family::Listed;
use super::stored::StoredTensor;
use crate::error::{Error, Result, shortened};
use crate::nearest::nearest;

/// What a tensor is that its family does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The head of another task.
    OtherTask,
    /// The state of an optimizer or of the training.
    Training,
    /// Not known, but nothing that a model computes with.
    Unknown,
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

const ADAPTERS: [&str; 10] = [
    "lora_",
    "adapter",
    "ia3_",
    "hada_",
    "lokr_",
    "prompt_encoder",
    "prompt_embeddings",
    "base_model.",
    "base_layer.",
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

/// The first part of the names of what a training program saves beside the model.
const TRAINING: [&str; 14] = [
    "optimizer",
    "optimizer_state_dict",
    "optimizer_states",
    "optim",
    "opt_state",
    "opt",
    "scheduler",
    "lr_scheduler",
    "scaler",
    "iter_num",
    "best_val_loss",
    "step",
    "epoch",
    "rng_state",
];

/// The role of a tensor that its family does not have. `shapes` are the names that a GPT-2 of this config has.
///
/// # Errors
/// [`Error::Weights`] when a model with this tensor computes something else than the config says.
pub(super) fn of(listed: &Listed, family: &str, shapes: &Shapes) -> Result<Role> {
    let name = listed.name.as_str();
    let has_any = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    let first = name.split('.').next().unwrap_or_default();
    if TRAINING.contains(&first) {
        return Ok(Role::Training);
    }
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
    if has_any(&["rotary", "inv_freq"]) {
        return Err(refused(
            name,
            "part of rotary positions, which a GPT-2 does not have. Load a model with learned, sinusoidal or no positions",
        ));
    }
    if has_any(&QUANTIZED) {
        return Err(refused(name, QUANTIZED_MODEL));
    }
    if OTHER_TASKS.contains(&first) {
        return Ok(Role::OtherTask);
    }
    let StoredTensor { dtype, shape, .. } = listed.tensor;
    let is_number = dtype.starts_with('F') || dtype.starts_with("BF");
    match !is_number || shape.contains(&0) {
        true => Ok(Role::Unknown),
        false => Err(unknown(name, family, shapes)),
    }
}

const QUANTIZED_MODEL: &str =
    "part of a quantized model. Load the model that it was quantized from";

fn refused(name: &str, what: &str) -> Error {
    Error::Weights(format!("`{}` is {what}", shortened(name)))
}

fn unknown(name: &str, family: &str, shapes: &Shapes) -> Error {
    let near = nearest(name, shapes.keys().map(String::as_str), 1);
    let name = shortened(name);
    Error::Weights(format!(
        "`{name}` is not a tensor of {family} (nearest: {near}) and might change the logits. Remove it from the file if it \
         has no effect"
    ))
}
