//! The parts that several scripts begin with: the model, the prompts, the metric, and TransformerLens's switches.

use super::literal::{ids, string};
use super::template::{Placeholders, Template};
use crate::analysis::patching::{Contrast, Direction};
use crate::checkpoint::Config;
use crate::error::{Error, Result};
use crate::hook::{BlockPoint, HookPoint};
use crate::intervene::expect_position;
use crate::kernel::Activation;
use crate::run::{Objective, as_batch};

/// Loads the checkpoint in `folder`.
///
/// # Errors
/// [`Error::Config`] if it is not a GPT-2 as transformers and TransformerLens load it.
pub(super) fn model(config: &Config, folder: &str) -> Result<String> {
    let gpt2 = Config::default();
    let differences = [
        (config.position_embedding != gpt2.position_embedding, "position_embedding"),
        (config.normalization_type != gpt2.normalization_type, "normalization_type"),
        (config.attn_only, "attn_only"),
        (config.unembed_bias, "unembed_bias"),
        (config.activation_function == Activation::SoluLn, "activation_function"),
    ];
    if let Some((_, field)) = differences.iter().find(|(differs, _)| *differs) {
        return Err(Error::Config(format!(
            "`{field}` is not that of a GPT-2 of Hugging Face: `toPython` writes scripts that load only these, with \
             `GPT2LMHeadModel`"
        )));
    }
    if !config.scale_attn_weights {
        return Err(Error::Config(
            "`scale_attn_weights` is off: TransformerLens 4 scales the attention of every GPT-2, so its numbers would \
             differ"
                .into(),
        ));
    }
    Ok(Template::Model.render(&Placeholders::new().set("FOLDER", string(folder))))
}

/// The lines that switch on values that TransformerLens computes only on request.
pub(super) fn switches(points: &[HookPoint]) -> Result<String> {
    let uses = |switched: &[BlockPoint]| {
        let is_switched =
            |point: &HookPoint| matches!(point, HookPoint::Block(_, at) if switched.contains(at));
        points.iter().any(is_switched)
    };
    let attn_in = uses(&[BlockPoint::AttnIn]);
    let split = uses(&[BlockPoint::QInput, BlockPoint::KInput, BlockPoint::VInput]);
    if attn_in && split {
        return Err(Error::Hook(
            "TransformerLens 4 computes either `hook_attn_in` or `hook_q_input`, `hook_k_input` and `hook_v_input`: \
             name only one of the two kinds"
                .into(),
        ));
    }
    let switches = [
        (uses(&[BlockPoint::Result]), "model.set_use_attn_result(True)\n"),
        (attn_in, "model.set_use_attn_in(True)\n"),
        (split, "model.set_use_split_qkv_input(True)\n"),
        (uses(&[BlockPoint::MlpIn]), "model.set_use_hook_mlp_in(True)\n"),
    ];
    Ok(switches.iter().filter(|(needed, _)| *needed).map(|(_, line)| *line).collect())
}

/// `metric(logits, tokens)` for a prompt of `length` tokens.
pub(super) fn metric(objective: &Objective, length: usize) -> Result<String> {
    let metric = match objective {
        Objective::Loss if length < 2 => {
            return Err(Error::loss_of_one_token());
        }
        Objective::Loss => {
            "-logits[0, :-1].log_softmax(-1).gather(-1, tokens[0, 1:, None]).mean()".to_string()
        }
        Objective::Logit { answer, against, position } => {
            let row = expect_position(*position, length)?;
            let against =
                against.map_or(String::new(), |against| format!(" - logits[0, {row}, {against}]"));
            format!("logits[0, {row}, {answer}]{against}")
        }
    };
    Ok(Template::Metric.render(&Placeholders::new().set("METRIC", metric)))
}

/// `base`, the prompt that is patched, `other`, the prompt whose values go into it, and `metric`.
pub(super) fn contrast(config: &Config, contrast: &Contrast) -> Result<String> {
    contrast.check()?;
    check_tokens(config, contrast.base())?;
    check_tokens(config, contrast.other())?;
    let (base, other) = match contrast.direction {
        Direction::Denoise => ("corrupted", "clean"),
        Direction::Noise => ("clean", "corrupted"),
    };
    let values = Placeholders::new()
        .set("BASE", ids(contrast.base()))
        .set("BASE_NAME", base)
        .set("OTHER", ids(contrast.other()))
        .set("OTHER_NAME", other)
        .set("METRIC_FUNCTION", metric(&contrast.metric, contrast.base().len())?);
    Ok(Template::Contrast.render(&values))
}

/// Checks that a run could begin with these tokens.
pub(super) fn check_tokens(config: &Config, tokens: &[u32]) -> Result<()> {
    check_ids(config, tokens)?;
    match tokens.len() <= config.n_positions {
        true => Ok(()),
        false => Err(Error::context_too_long(tokens.len(), config.n_positions)),
    }
}

/// Checks that there is at least one token, and that the vocabulary has each.
pub(super) fn check_ids(config: &Config, tokens: &[u32]) -> Result<()> {
    as_batch(tokens)?; // at least one
    match tokens.iter().find(|id| **id as usize >= config.vocab_size) {
        Some(id) => Err(Error::out_of_range(format_args!("token id {id}"), config.vocab_size)),
        None => Ok(()),
    }
}
