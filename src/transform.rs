//! Rewritings of the weights that leave the predictions as they are and make the weights easier to
//! read.
//!
//! A model in, a model out, each step only where it is asked for; [`process`] takes all four in the
//! order of TransformerLens's `from_pretrained`. The weights are those of its `process_weights`
//! (3.9), and still those of a GPT-2 in the checkpoint's own format, which every program that reads
//! one computes the same from.
//!
//! **Where the bias of the unembedding is.** Folding ln_f's bias into the unembedding gives a bias
//! `b_U` for each token, and GPT-2 has no place for one. But once the gain is folded too, what ln_f
//! gives has mean zero, so that adding a constant to a row of `lm_head` changes nothing: along that
//! direction a row is free to carry a number. It carries `b_U / d_model`, and `ln_f.bias` is all
//! ones, which reads it out: `1 · (W_U + b_U / d_model) = b_U`, since the rows of `W_U` have mean
//! zero. The alternative, a bias in the model for the sake of this one transform, would cost every
//! forward pass an addition and make files that nothing else can read. What a user sees of it:
//! `unembed.hook_in` lies 1 above TransformerLens's, and an intervention there or at
//! `ln_final.hook_normalized` whose values do not have mean zero reads the free direction too.
//! [`unembedding`] gives `W_U` and `b_U` apart.

use std::collections::HashMap;

use candle_core::{D, Tensor};

use crate::checkpoint::{Config, Weights};
use crate::error::{Error, Result, shortened};
use crate::kernel::WeightFormat;
use crate::model::Model;
use crate::nearest::nearest;

/// All four, in the order of TransformerLens's `from_pretrained`.
pub fn process(model: &Model) -> Result<Model> {
    fold_value_biases(&center_unembed(&center_writing_weights(&fold_ln(model)?)?)?)
}

/// One of a model's rewritings.
type Transform = fn(&Model) -> Result<Model>;

const TRANSFORMS: [(&str, Transform); 4] = [
    ("fold_ln", fold_ln),
    ("center_writing_weights", center_writing_weights),
    ("center_unembed", center_unembed),
    ("fold_value_biases", fold_value_biases),
];

/// The transforms called so, one after the other.
///
/// # Errors
/// [`Error::Input`] when there is none of that name.
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

/// Brings the gain and bias of every LayerNorm into the weights that read its output, and takes
/// from those weights what they read along the mean, which LayerNorm has removed. Gains become 1
/// and biases 0, but for `ln_f.bias`: see above.
pub fn fold_ln(model: &Model) -> Result<Model> {
    let mut weights = Rewriting::of(model)?;
    for layer in 0..model.config().n_layer {
        weights.fold(&format!("h.{layer}.ln_1"), &format!("h.{layer}.attn.c_attn"))?;
        weights.fold(&format!("h.{layer}.ln_2"), &format!("h.{layer}.mlp.c_fc"))?;
    }
    weights.untie()?;
    let (gain, bias) = (weights.get("ln_f.weight"), weights.get("ln_f.bias"));
    let lm_head = weights.get("lm_head.weight"); // [V, D]
    let b_u = lm_head.broadcast_mul(&bias)?.sum_keepdim(1)?; // [V, 1]
    let w_u = without_mean(&lm_head.broadcast_mul(&gain)?, 1)?;
    let carried = (b_u / gain.dim(0)? as f64)?;
    weights.set("lm_head.weight", w_u.broadcast_add(&carried)?);
    weights.set("ln_f.weight", gain.ones_like()?);
    weights.set("ln_f.bias", bias.ones_like()?);
    weights.model()
}

/// Takes the mean over `d_model` from everything that is written into the residual stream: each
/// LayerNorm that reads it would do so anyway.
pub fn center_writing_weights(model: &Model) -> Result<Model> {
    let mut weights = Rewriting::of(model)?;
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

/// Takes the mean over the vocabulary from the unembedding: every logit sinks by the mean logit,
/// which no softmax sees.
pub fn center_unembed(model: &Model) -> Result<Model> {
    let mut weights = Rewriting::of(model)?;
    weights.untie()?;
    let lm_head = weights.get("lm_head.weight"); // [V, D]
    weights.set("lm_head.weight", without_mean(&lm_head, 0)?);
    weights.model()
}

/// Moves the bias of the values into the bias of attention's output: a pattern's rows add up to 1,
/// so that it arrives there whatever the pattern is.
pub fn fold_value_biases(model: &Model) -> Result<Model> {
    let mut weights = Rewriting::of(model)?;
    let d = model.config().n_embd;
    for layer in 0..model.config().n_layer {
        let [reads, writes] = ["c_attn", "c_proj"].map(|name| format!("h.{layer}.attn.{name}"));
        let bias = weights.get(&format!("{reads}.bias")); // [3 D]
        let values = bias.narrow(0, 2 * d, d)?;
        let arriving =
            values.unsqueeze(0)?.matmul(&weights.get(&format!("{writes}.weight")))?.squeeze(0)?;
        let output = (weights.get(&format!("{writes}.bias")) + arriving)?;
        weights.set(&format!("{writes}.bias"), output);
        weights.set(
            &format!("{reads}.bias"),
            Tensor::cat(&[bias.narrow(0, 0, 2 * d)?, values.zeros_like()?], 0)?,
        );
    }
    weights.model()
}

/// The unembedding as TransformerLens has it after `fold_ln`: `W_U`, here `[V, D]`, and `b_U`
/// `[V]`.
pub fn unembedding(model: &Model) -> Result<(Tensor, Tensor)> {
    let folded = fold_ln(model)?; // which changes nothing the second time
    let lm_head = folded.weight("lm_head.weight")?;
    Ok((without_mean(&lm_head, 1)?, lm_head.sum(1)?))
}

fn without_mean(x: &Tensor, axis: usize) -> Result<Tensor> {
    Ok(x.broadcast_sub(&x.mean_keepdim(axis)?)?)
}

/// The tensors of a model on their way to those of another.
struct Rewriting {
    config: Config,
    tensors: HashMap<String, Tensor>,
}

impl Rewriting {
    fn of(model: &Model) -> Result<Rewriting> {
        let tensor = |name: &str| Ok((name.to_string(), model.weight(name)?));
        let tensors = model.parameters().iter().map(|parameter| tensor(&parameter.name));
        Ok(Rewriting { config: model.config().clone(), tensors: tensors.collect::<Result<_>>()? })
    }

    /// # Panics
    /// When no GPT-2 has such a tensor: a bug of the caller.
    fn get(&self, name: &str) -> Tensor {
        self.tensors[name].clone()
    }

    fn set(&mut self, name: &str, tensor: Tensor) {
        self.tensors.insert(name.to_string(), tensor);
    }

    /// Gives the unembedding a matrix of its own, where it shared the token embedding.
    fn untie(&mut self) -> Result<()> {
        if self.config.tie_word_embeddings {
            self.config.tie_word_embeddings = false;
            self.set("lm_head.weight", self.get("wte.weight").copy()?);
        }
        Ok(())
    }

    /// Brings a LayerNorm into the `Conv1D` that reads it: `(n g + b) W + c = n (g W) + (b W + c)`.
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
