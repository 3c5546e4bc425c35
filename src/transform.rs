//! Weight transforms: they keep the predictions of a model and make its weights easier to
//! interpret.
//!
//! A model in, a model out. No transform is applied unless it is requested; [`process`] applies all
//! four in the order of TransformerLens's `from_pretrained`. The results are those of its
//! `process_weights` (3.9), in the checkpoint format of GPT-2, so that every program that reads a
//! GPT-2 computes the same from them.
//!
//! Not every member of the family can be transformed. A model without normalization has nothing to
//! fold, and the mean of its stream counts. Queries and keys of a shortformer read the output of
//! ln_1 plus positions, so a weight of ln_1 cannot move behind it.
//!
//! # The bias of the unembedding
//!
//! Folding the bias of ln_f into the unembedding gives a bias `b_U` for each token, which the GPT-2
//! format cannot store. After the weight of ln_f is folded too, the output of ln_f has mean zero,
//! so adding a constant to a row of `lm_head` changes no logit. Each row therefore stores `b_U /
//! d_model` along this free direction, and `ln_f.bias` is set to ones, which reads it: `1 · (W_U +
//! b_U / d_model) = b_U`, because the rows of `W_U` have mean zero.
//!
//! A model that has a bias of the logits (`unembed_bias`) stores `b_U` there. For GPT-2, a bias would
//! cost every forward pass an addition and make files that no other program can read. The visible effects: `unembed.hook_in` is 1 above the value in
//! TransformerLens, and an intervention there or at `ln_final.hook_normalized` with values that do
//! not have mean zero also reads the free direction. [`unembedding`] returns `W_U` and `b_U`
//! separately.

use std::collections::{BTreeSet, HashMap};

use candle_core::{D, Tensor};

use crate::checkpoint::{Config, Normalization, PositionEmbedding, Weights, expected_shapes};
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
/// the mean of those weights over its width, because LayerNorm removes the mean of its input.
/// LayerNorm weights become 1 and biases 0, except `ln_f.bias` if the logits have no bias: see the
/// module documentation.
///
/// # Errors
/// [`Error::Input`] for a model without normalization or with shortformer positions; as
/// [`process`].
pub fn fold_ln(model: &Model) -> Result<Model> {
    expect_normalization(model.config(), "fold_ln")?;
    if model.config().position_embedding == PositionEmbedding::Shortformer {
        return Err(Error::Input(
            "`fold_ln` does not serve a model with shortformer positions: queries and keys read them beside the output \
             of ln1, so the weights of ln1 cannot move into theirs"
                .into(),
        ));
    }
    let mut weights = WeightEditor::of(model)?;
    for layer in 0..model.config().n_layer {
        weights.fold(&format!("h.{layer}.ln_1"), &format!("h.{layer}.attn.c_attn"))?;
        if model.config().attn_only {
            continue;
        }
        weights.fold(&format!("h.{layer}.ln_2"), &format!("h.{layer}.mlp.c_fc"))?;
        if model.config().normalizes_neurons() {
            weights.fold(&format!("h.{layer}.mlp.ln"), &format!("h.{layer}.mlp.c_proj"))?;
        }
    }
    weights.untie()?;
    weights.fold_final_norm()?;
    weights.model()
}

/// Removes the mean over `d_model` from all weights that write to the residual stream. Every
/// LayerNorm that reads the stream removes it anyway. A table of sines is not a weight and stays.
///
/// # Errors
/// [`Error::Input`] for a model without normalization; as [`process`].
pub fn center_writing_weights(model: &Model) -> Result<Model> {
    let config = model.config();
    expect_normalization(config, "center_writing_weights")?;
    let mut weights = WeightEditor::of(model)?;
    weights.untie()?;
    let parts: &[&str] = if config.attn_only { &["attn"] } else { &["attn", "mlp"] };
    let mut names = vec!["wte.weight".to_string()];
    if config.position_embedding == PositionEmbedding::Learned {
        names.push("wpe.weight".to_string());
    }
    for layer in 0..config.n_layer {
        for part in parts {
            let output = format!("h.{layer}.{part}.c_proj");
            names.extend([format!("{output}.weight"), format!("{output}.bias")]); // [in, D], [D]
        }
    }
    for name in names {
        let weight = weights.get(&name);
        let last = weight.rank() - 1;
        weights.set(&name, without_mean(&weight, last)?);
    }
    weights.model()
}

/// Removes the mean over the vocabulary from the unembedding and its bias. All logits of a position
/// change by the same number, which no softmax depends on.
///
/// # Errors
/// As [`process`].
pub fn center_unembed(model: &Model) -> Result<Model> {
    let mut weights = WeightEditor::of(model)?;
    weights.untie()?;
    let lm_head = weights.get("lm_head.weight"); // [V, D]
    weights.set("lm_head.weight", without_mean(&lm_head, 0)?);
    if let Some(bias) = weights.find("lm_head.bias") {
        weights.set("lm_head.bias", without_mean(&bias, 0)?);
    }
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
    let bias = match (model.config().unembed_bias, model.config().normalization_type) {
        (true, _) => folded.weight("lm_head.bias")?,
        (false, Normalization::LayerNorm) => lm_head.sum(1)?,
        (false, _) => lm_head.sum(1)?.zeros_like()?, // nothing was folded
    };
    Ok((without_mean(&lm_head, 1)?, bias))
}

/// # Errors
/// [`Error::Input`] if the model has no normalization.
fn expect_normalization(config: &Config, transform: &str) -> Result<()> {
    match config.normalization_type {
        Normalization::LayerNorm | Normalization::LayerNormPre => Ok(()),
        Normalization::None => Err(Error::Input(format!(
            "`{transform}` needs LayerNorms, but this model has no normalization (`normalization_type` is \"none\"): \
             leave it out"
        ))),
    }
}

fn without_mean(x: &Tensor, axis: usize) -> Result<Tensor> {
    Ok(x.broadcast_sub(&x.mean_keepdim(axis)?)?)
}

/// The tensors of a model while a transform changes them.
struct WeightEditor {
    config: Config,
    tensors: HashMap<String, Tensor>,
    /// The biases that no file holds.
    filled: BTreeSet<String>,
}

impl WeightEditor {
    fn of(model: &Model) -> Result<WeightEditor> {
        let tensor = |(name, _): (String, _)| {
            let tensor = model.weight(&name)?;
            Ok((name, tensor))
        };
        let tensors = expected_shapes(model.config()).into_iter().map(tensor);
        Ok(WeightEditor {
            config: model.config().clone(),
            tensors: tensors.collect::<Result<_>>()?,
            filled: model.filled().clone(),
        })
    }

    /// # Panics
    /// If the model has no such tensor, which is a bug of the caller.
    fn get(&self, name: &str) -> Tensor {
        self.tensors[name].clone()
    }

    /// The tensor, if the model has it.
    fn find(&self, name: &str) -> Option<Tensor> {
        self.tensors.get(name).cloned()
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

    /// The weight and bias of a LayerNorm, which become 1 and 0. None if it has none.
    fn take_affine(&mut self, layer_norm: &str) -> Result<Option<(Tensor, Tensor)>> {
        let [weight, bias] = ["weight", "bias"].map(|part| format!("{layer_norm}.{part}"));
        let Some(affine) = self.find(&weight).zip(self.find(&bias)) else { return Ok(None) };
        self.set(&weight, affine.0.ones_like()?);
        self.set(&bias, affine.1.zeros_like()?);
        Ok(Some(affine))
    }

    /// Folds a LayerNorm into the `Conv1D` that reads it: `(n g + b) W + c = n (g W) + (b W + c)`.
    fn fold(&mut self, layer_norm: &str, reader: &str) -> Result<()> {
        let [weight_name, bias_name] = ["weight", "bias"].map(|part| format!("{reader}.{part}"));
        let mut weight = self.get(&weight_name); // [D, out]
        if let Some((gain, shift)) = self.take_affine(layer_norm)? {
            let constant = shift.unsqueeze(0)?.matmul(&weight)?.squeeze(0)?;
            self.set(&bias_name, (self.get(&bias_name) + constant)?);
            weight = weight.broadcast_mul(&gain.unsqueeze(D::Minus1)?)?;
        }
        self.set(&weight_name, without_mean(&weight, 0)?);
        Ok(())
    }

    /// Folds the final LayerNorm into the unembedding.
    fn fold_final_norm(&mut self) -> Result<()> {
        let lm_head = self.get("lm_head.weight"); // [V, D]
        let Some((gain, shift)) = self.take_affine("ln_f")? else {
            self.set("lm_head.weight", without_mean(&lm_head, 1)?);
            return Ok(());
        };
        let b_u = lm_head.broadcast_mul(&shift)?.sum_keepdim(1)?; // [V, 1]
        let w_u = without_mean(&lm_head.broadcast_mul(&gain)?, 1)?;
        match self.find("lm_head.bias") {
            Some(bias) => {
                self.set("lm_head.bias", (bias + b_u.squeeze(1)?)?);
                self.set("lm_head.weight", w_u);
            }
            None => {
                let stored = (b_u / gain.dim(0)? as f64)?;
                self.set("lm_head.weight", w_u.broadcast_add(&stored)?);
                self.set("ln_f.bias", shift.ones_like()?);
            }
        }
        Ok(())
    }

    fn model(self) -> Result<Model> {
        let mut weights = Weights::from_tensors(&self.config, self.tensors)?;
        for name in self.filled {
            let tensor = weights.get(&name)?;
            if tensor.abs()?.sum_all()?.to_scalar::<f32>()? == 0.0 {
                weights.fill(name, tensor.dims())?; // it is still not a parameter
            }
        }
        Model::new(self.config, &weights.in_format(WeightFormat::default())?)
    }
}
