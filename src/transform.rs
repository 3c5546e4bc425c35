//! Weight transforms: they keep the predictions of a model and make its weights easier to
//! interpret.
//!
//! A model in, a model out. No transform is applied unless it is requested; [`process`] applies all
//! four in the order of TransformerLens's `from_pretrained`. The results are those of its
//! `process_weights` (3.9), in the checkpoint format of GPT-2, so that every program that reads a
//! GPT-2 computes the same from them.
//!
//! # The bias of the unembedding
//!
//! Folding the bias of ln_f into the unembedding gives a bias `b_U` for each token, which the GPT-2
//! format cannot store. After the weight of ln_f is folded too, the output of ln_f has mean zero,
//! so adding a constant to a row of `lm_head` changes no logit. Each row therefore stores `b_U /
//! d_model` along this free direction, and `ln_f.bias` is set to ones, which reads it: `1 · (W_U +
//! b_U / d_model) = b_U`, because the rows of `W_U` have mean zero.
//!
//! The alternative, a bias in the model, would cost every forward pass an addition and make files
//! that no other program can read. The visible effects: `unembed.hook_in` is 1 above the value in
//! TransformerLens, and an intervention there or at `ln_final.hook_normalized` with values that do
//! not have mean zero also reads the free direction. [`unembedding`] returns `W_U` and `b_U`
//! separately.

use std::collections::HashMap;

use candle_core::{D, Tensor};

use crate::checkpoint::{Config, Weights};
use crate::error::{Error, Result, shortened};
use crate::kernel::WeightFormat;
use crate::model::Model;
use crate::nearest::nearest;

/// Applies all four transforms, in the order of TransformerLens's `from_pretrained`.
///
/// # Errors
/// Those of candle; [`Error::Memory`] if there is not enough memory.
pub fn process(model: &Model) -> Result<Model> {
    fold_value_biases(&center_unembed(&center_writing_weights(&fold_ln(model)?)?)?)
}

/// A weight transform.
type Transform = fn(&Model) -> Result<Model>;

const TRANSFORMS: [(&str, Transform); 4] = [
    ("fold_ln", fold_ln),
    ("center_writing_weights", center_writing_weights),
    ("center_unembed", center_unembed),
    ("fold_value_biases", fold_value_biases),
];

/// The names of all transforms.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TRANSFORMS.iter().map(|(name, _)| *name)
}

/// Applies the transforms with these names, in this order.
///
/// # Errors
/// [`Error::Input`] if there is no transform of that name; those of the transforms.
pub fn by_name<S: AsRef<str>>(model: &Model, names: &[S]) -> Result<Model> {
    names.iter().map(AsRef::as_ref).try_fold(model.clone(), |model, name| {
        let found = TRANSFORMS.iter().find(|(known, _)| *known == name);
        let (_, transform) = found.ok_or_else(|| {
            let known = nearest(name, TRANSFORMS.iter().map(|(known, _)| *known), TRANSFORMS.len());
            Error::Input(format!(
                "there is no weight transform `{}`, expected {known}",
                shortened(name)
            ))
        })?;
        transform(&model)
    })
}

/// Folds the weight and bias of every LayerNorm into the weights that read its output, and removes
/// the mean of those weights over `d_model`, because LayerNorm removes the mean of its input.
/// LayerNorm weights become 1 and biases 0, except `ln_f.bias`: see the module documentation.
///
/// # Errors
/// As [`process`].
pub fn fold_ln(model: &Model) -> Result<Model> {
    let mut weights = WeightEditor::of(model)?;
    for layer in 0..model.config().n_layer {
        weights.fold(&format!("h.{layer}.ln_1"), &format!("h.{layer}.attn.c_attn"))?;
        weights.fold(&format!("h.{layer}.ln_2"), &format!("h.{layer}.mlp.c_fc"))?;
    }
    weights.untie()?;
    let (gain, bias) = (weights.get("ln_f.weight"), weights.get("ln_f.bias"));
    let lm_head = weights.get("lm_head.weight"); // [V, D]
    let b_u = lm_head.broadcast_mul(&bias)?.sum_keepdim(1)?; // [V, 1]
    let w_u = without_mean(&lm_head.broadcast_mul(&gain)?, 1)?;
    let stored = (b_u / gain.dim(0)? as f64)?;
    weights.set("lm_head.weight", w_u.broadcast_add(&stored)?);
    weights.set("ln_f.weight", gain.ones_like()?);
    weights.set("ln_f.bias", bias.ones_like()?);
    weights.model()
}

/// Removes the mean over `d_model` from all weights that write to the residual stream. Every
/// LayerNorm that reads the stream removes it anyway.
///
/// # Errors
/// As [`process`].
pub fn center_writing_weights(model: &Model) -> Result<Model> {
    let mut weights = WeightEditor::of(model)?;
    weights.untie()?;
    let outputs = (0..model.config().n_layer).flat_map(|layer| {
        ["attn", "mlp"].map(|part| format!("h.{layer}.{part}.c_proj")).into_iter().flat_map(
            |name| {
                [format!("{name}.weight"), format!("{name}.bias")] // [in, D], [D]
            },
        )
    });
    for name in ["wte.weight", "wpe.weight"].map(String::from).into_iter().chain(outputs) {
        let weight = weights.get(&name);
        let last = weight.rank() - 1;
        weights.set(&name, without_mean(&weight, last)?);
    }
    weights.model()
}

/// Removes the mean over the vocabulary from the unembedding. All logits of a position change by
/// the same number, which no softmax depends on.
///
/// # Errors
/// As [`process`].
pub fn center_unembed(model: &Model) -> Result<Model> {
    let mut weights = WeightEditor::of(model)?;
    weights.untie()?;
    let lm_head = weights.get("lm_head.weight"); // [V, D]
    weights.set("lm_head.weight", without_mean(&lm_head, 0)?);
    weights.model()
}

/// Moves the bias of the values to the bias of the attention output. Each row of a pattern sums to
/// 1, so the bias of the values contributes the same vector for every pattern.
///
/// # Errors
/// As [`process`].
pub fn fold_value_biases(model: &Model) -> Result<Model> {
    let mut weights = WeightEditor::of(model)?;
    let d = model.config().n_embd;
    for layer in 0..model.config().n_layer {
        let [reads, writes] = ["c_attn", "c_proj"].map(|name| format!("h.{layer}.attn.{name}"));
        let bias = weights.get(&format!("{reads}.bias")); // [3 D]
        let values = bias.narrow(0, 2 * d, d)?;
        let moved =
            values.unsqueeze(0)?.matmul(&weights.get(&format!("{writes}.weight")))?.squeeze(0)?;
        let output = (weights.get(&format!("{writes}.bias")) + moved)?;
        weights.set(&format!("{writes}.bias"), output);
        weights.set(
            &format!("{reads}.bias"),
            Tensor::cat(&[bias.narrow(0, 0, 2 * d)?, values.zeros_like()?], 0)?,
        );
    }
    weights.model()
}

/// The unembedding of TransformerLens after `fold_ln`: `W_U`, here `[V, D]`, and `b_U` `[V]`.
///
/// # Errors
/// As [`process`].
pub fn unembedding(model: &Model) -> Result<(Tensor, Tensor)> {
    let folded = fold_ln(model)?; // a second time changes nothing
    let lm_head = folded.weight("lm_head.weight")?;
    Ok((without_mean(&lm_head, 1)?, lm_head.sum(1)?))
}

fn without_mean(x: &Tensor, axis: usize) -> Result<Tensor> {
    Ok(x.broadcast_sub(&x.mean_keepdim(axis)?)?)
}

/// The tensors of a model while a transform changes them.
struct WeightEditor {
    config: Config,
    tensors: HashMap<String, Tensor>,
}

impl WeightEditor {
    fn of(model: &Model) -> Result<WeightEditor> {
        let tensor = |name: &str| Ok((name.to_string(), model.weight(name)?));
        let tensors = model.parameters().iter().map(|parameter| tensor(&parameter.name));
        Ok(WeightEditor {
            config: model.config().clone(),
            tensors: tensors.collect::<Result<_>>()?,
        })
    }

    /// # Panics
    /// If no GPT-2 has such a tensor, which is a bug of the caller.
    fn get(&self, name: &str) -> Tensor {
        self.tensors[name].clone()
    }

    fn set(&mut self, name: &str, tensor: Tensor) {
        self.tensors.insert(name.to_string(), tensor);
    }

    /// Copies the token embedding to the unembedding, if they share one matrix.
    fn untie(&mut self) -> Result<()> {
        if self.config.tie_word_embeddings {
            self.config.tie_word_embeddings = false;
            self.set("lm_head.weight", self.get("wte.weight").copy()?);
        }
        Ok(())
    }

    /// Folds a LayerNorm into the `Conv1D` that reads it: `(n g + b) W + c = n (g W) + (b W + c)`.
    fn fold(&mut self, layer_norm: &str, reader: &str) -> Result<()> {
        let [gain, shift] =
            ["weight", "bias"].map(|part| self.get(&format!("{layer_norm}.{part}")));
        let [weight, bias] = ["weight", "bias"].map(|part| self.get(&format!("{reader}.{part}")));
        let constant = shift.unsqueeze(0)?.matmul(&weight)?.squeeze(0)?;
        let folded = weight.broadcast_mul(&gain.unsqueeze(D::Minus1)?)?; // [D, out]
        self.set(&format!("{reader}.bias"), (bias + constant)?);
        self.set(&format!("{reader}.weight"), without_mean(&folded, 0)?);
        self.set(&format!("{layer_norm}.weight"), gain.ones_like()?);
        self.set(&format!("{layer_norm}.bias"), shift.zeros_like()?);
        Ok(())
    }

    fn model(self) -> Result<Model> {
        let weights =
            Weights::from_tensors(&self.config, self.tensors)?.in_format(WeightFormat::default())?;
        Model::new(self.config, &weights)
    }
}
