//! The names and shapes of a GPT-2 checkpoint's tensors.
//!
//! Names have no prefix: some files write `transformer.h.0.ln_1.weight` for `h.0.ln_1.weight`. `c_attn`, `c_proj` and
//! `c_fc` are `Conv1D` layers, whose weights are `[in, out]`. What GPT-2 lacks has a name in the same style:
//! `lm_head.bias`, and `h.0.mlp.ln` for the LayerNorm of `solu_ln`.

use std::fmt::Debug;

use super::architecture::Normalization;
use super::config::Config;
use crate::error::{Error, Result, shortened};
use crate::kernel::Axes;

/// The unembedding, if it is not the token embedding.
pub(crate) const HEAD: &str = "lm_head.weight";
/// A bias of the logits, which GPT-2 does not have.
pub(crate) const HEAD_BIAS: &str = "lm_head.bias";

/// The name and shape of every tensor in a checkpoint of this config, in the order of the forward pass.
///
/// `lm_head.weight` is in the list only if it is not tied to `wte.weight`.
pub fn expected_shapes(config: &Config) -> Vec<(String, Vec<usize>)> {
    let (d, vocab) = (config.n_embd, config.vocab_size);
    let mut shapes = vec![("wte.weight".to_string(), vec![vocab, d])];
    if config.position_embedding.is_learned() {
        shapes.push(("wpe.weight".to_string(), vec![config.n_positions, d]));
    }
    for layer in 0..config.n_layer {
        let block = block_shapes(config);
        shapes.extend(block.into_iter().map(|(name, shape)| (format!("h.{layer}.{name}"), shape)));
    }
    shapes.extend(norm_shapes("ln_f", config.normalization_type, d));
    if !config.tie_word_embeddings {
        shapes.push((HEAD.to_string(), vec![vocab, d]));
    }
    if config.unembed_bias {
        shapes.push((HEAD_BIAS.to_string(), vec![vocab]));
    }
    shapes
}

/// The tensors of a block, without `h.{layer}.`.
fn block_shapes(config: &Config) -> Vec<(String, Vec<usize>)> {
    let (d, m) = (config.n_embd, config.d_mlp());
    let mut shapes = norm_shapes("ln_1", config.normalization_type, d);
    shapes.extend(linear_shapes("attn.c_attn", d, 3 * d));
    shapes.extend(linear_shapes("attn.c_proj", d, d));
    if !config.attn_only {
        shapes.extend(norm_shapes("ln_2", config.normalization_type, d));
        shapes.extend(linear_shapes("mlp.c_fc", d, m));
        if config.normalizes_neurons() {
            shapes.extend(norm_shapes("mlp.ln", config.neuron_normalization(), m));
        }
        shapes.extend(linear_shapes("mlp.c_proj", m, d));
    }
    shapes
}

fn norm_shapes(name: &str, kind: Normalization, width: usize) -> Vec<(String, Vec<usize>)> {
    match kind {
        Normalization::LayerNorm => {
            ["weight", "bias"].map(|part| (format!("{name}.{part}"), vec![width])).into()
        }
        Normalization::LayerNormPre | Normalization::None => Vec::new(),
    }
}

fn linear_shapes(name: &str, inner: usize, outer: usize) -> [(String, Vec<usize>); 2] {
    [(format!("{name}.weight"), vec![inner, outer]), (format!("{name}.bias"), vec![outer])]
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

/// The layer of a canonical name such as `h.3.attn.c_attn.bias`.
pub(super) fn layer_of(name: &str) -> Option<usize> {
    in_block(name, "h.").map(|(layer, _)| layer)
}

/// The layer and the rest of a name such as `h.3.attn.bias`, for the prefix `h.`.
pub(super) fn in_block<'n>(name: &'n str, prefix: &str) -> Option<(usize, &'n str)> {
    let (layer, rest) = name.strip_prefix(prefix)?.split_once('.')?;
    let number: usize = layer.parse().ok()?;
    (number.to_string() == layer).then_some((number, rest)) // not `h.01`, which would be `h.1` again
}

/// Checks that the layer of a canonical name is one of the model's. `key` is that of the file.
pub(super) fn check_layer(name: &str, key: &str, layers: usize) -> Result<()> {
    match layer_of(name) {
        Some(layer) if layer >= layers => {
            let name = shortened(without_prefix(key));
            Err(Error::Weights(format!(
                "`{name}` belongs to layer {layer}, counted from 0, but the config says that `n_layer` is {layers}: the \
                 file holds more layers than the config"
            )))
        }
        _ => Ok(()),
    }
}

pub(crate) fn missing(name: &str, shape: &[usize]) -> Error {
    Error::Weights(format!("`{name}` is missing, expected with shape {shape:?}"))
}

pub(crate) fn check_shape<N: PartialEq + Debug>(
    name: &str,
    found: &[N],
    expected: &[N],
) -> Result<()> {
    if found == expected { Ok(()) } else { Err(wrong_shape(name, found, expected)) }
}

pub(super) fn wrong_shape<N: Debug>(name: &str, found: &[N], expected: &[N]) -> Error {
    Error::Weights(format!("`{name}` has shape {found:?}, expected {expected:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_numbers_as_programs_write_them() {
        assert_eq!(layer_of("h.12.ln_1.weight"), Some(12));
        for name in ["h.01.ln_1.weight", "h.x.ln_1", "h.", "h.3", "wte.weight", "h.-1.a"] {
            assert_eq!(layer_of(name), None, "{name}");
        }
    }
}
