//! The names and shapes of a GPT-2 checkpoint's tensors.
//!
//! Names have no prefix: some files write `transformer.h.0.ln_1.weight` for `h.0.ln_1.weight`. `c_attn`, `c_proj` and
//! `c_fc` are `Conv1D` layers, whose weights are `[in, out]`.

use std::fmt::Debug;

use super::config::Config;
use crate::error::{Error, Result};
use crate::kernel::Axes;

/// The unembedding, if it is not the token embedding.
pub(crate) const HEAD: &str = "lm_head.weight";
/// A bias of the logits, which GPT-2 does not have.
pub(crate) const HEAD_BIAS: &str = "lm_head.bias";

/// The name and shape of every tensor in a checkpoint of this config, in the order of the forward pass.
///
/// `lm_head.weight` is in the list only if it is not tied to `wte.weight`.
pub fn expected_shapes(config: &Config) -> Vec<(String, Vec<usize>)> {
    let (d, m) = (config.n_embd, config.d_mlp());
    let mut shapes = vec![
        ("wte.weight".to_string(), vec![config.vocab_size, d]),
        ("wpe.weight".to_string(), vec![config.n_positions, d]),
    ];
    for layer in 0..config.n_layer {
        let block = [
            ("ln_1.weight", vec![d]),
            ("ln_1.bias", vec![d]),
            ("attn.c_attn.weight", vec![d, 3 * d]),
            ("attn.c_attn.bias", vec![3 * d]),
            ("attn.c_proj.weight", vec![d, d]),
            ("attn.c_proj.bias", vec![d]),
            ("ln_2.weight", vec![d]),
            ("ln_2.bias", vec![d]),
            ("mlp.c_fc.weight", vec![d, m]),
            ("mlp.c_fc.bias", vec![m]),
            ("mlp.c_proj.weight", vec![m, d]),
            ("mlp.c_proj.bias", vec![d]),
        ];
        shapes.extend(block.map(|(name, shape)| (format!("h.{layer}.{name}"), shape)));
    }
    shapes.push(("ln_f.weight".to_string(), vec![d]));
    shapes.push(("ln_f.bias".to_string(), vec![d]));
    if !config.tie_word_embeddings {
        shapes.push((HEAD.to_string(), vec![config.vocab_size, d]));
    }
    shapes
}

/// The layout of a tensor that is an operand of matrix products or whose rows are looked up; None for a vector.
pub(crate) fn matrix_axes(name: &str) -> Option<Axes> {
    match name {
        "wte.weight" | HEAD => Some(Axes::OutIn),
        _ => {
            let conv_1d = ["c_attn.weight", "c_proj.weight", "c_fc.weight"];
            conv_1d.iter().any(|end| name.ends_with(end)).then_some(Axes::InOut)
        }
    }
}

pub(crate) fn without_prefix(key: &str) -> &str {
    key.strip_prefix("transformer.").unwrap_or(key)
}

pub(crate) fn missing(name: &str, shape: &[usize]) -> Error {
    Error::Weights(format!("`{name}` is missing, expected with shape {shape:?}"))
}

pub(crate) fn check_shape<N: PartialEq + Debug>(
    name: &str,
    found: &[N],
    expected: &[N],
) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Weights(format!("`{name}` has shape {found:?}, expected {expected:?}")))
}
