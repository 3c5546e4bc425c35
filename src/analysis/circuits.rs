//! The circuits of a head, which do not depend on the text: QK selects where it reads, OV what it moves.
//!
//! `W_OV = W_V W_O` and `W_QK = W_Q W_Kᵀ` stay in factored form, `[D, K] [K, D]`. A vector `x` is a row: `x W`. After Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits" (eigenvalues as a sign of copying,
//! composition), Millidge and Black 2022, "The Singular Value Decompositions of Transformer Weight Matrices are Highly
//! Interpretable", and TransformerLens's `FactoredMatrix` and `all_composition_scores`.
//!
//! The weights are the raw ones. [`crate::transform::fold_ln`] folds the gain of the LayerNorms between heads into them.

use candle_core::{DType, Device, Tensor};

use super::HeadWeights;
use super::factored::{Complex, FactoredMatrix};
use super::measurement::{MeasurementResult, once};
use crate::error::{Error, Result};
use crate::generate::most_probable;
use crate::lab::{Lab, check_count};
use crate::model::Model;
use crate::named_array::{NamedArray, NamedIds, axis_names};
use crate::wire::{Head, Layer, options, results};

options! {
    /// Options of `circuits`.
    #[derive(Debug, Clone)]
    pub struct CircuitsOptions {
        /// The head's layer; a negative one counts from the last.
        pub layer: usize as Layer,
        /// The head's number in its layer; a negative one counts from the last.
        pub head: usize as Head,
        /// How many tokens to list at each end of a vector; 8 if absent, or all if there are fewer.
        pub top: Option<usize>,
        /// How many singular vectors to read as tokens; 8 if absent, or all if there are fewer.
        pub components: Option<usize>,
    }
}

results! {
    /// The circuits of a head, which do not depend on the text: its matrices OV (`W_V W_O`) and QK (`W_Q W_K^T`), read as
    /// tokens.
    ///
    /// The axis `end` is labelled `positive` and `negative`: the sign of a singular vector is arbitrary.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Circuits {
        /// How much the head favours the tokens that it attends to: the sum of the eigenvalues of the full OV circuit over
        /// the sum of their magnitudes, from -1 to 1. Near 1 for a head that copies.
        pub copying_score: f32,
        /// Ids of the tokens that OV reads: axes `component end top`.
        pub ov_reads: NamedIds,
        /// Their strings, in the same order; none without a tokenizer.
        pub ov_reads_strings: Vec<String>,
        /// Ids of the tokens that OV writes: axes `component end top`.
        pub ov_writes: NamedIds,
        /// Their strings, in the same order; none without a tokenizer.
        pub ov_writes_strings: Vec<String>,
        /// Ids of the tokens whose queries QK matches: axes `component end top`.
        pub qk_queries: NamedIds,
        /// Their strings, in the same order; none without a tokenizer.
        pub qk_queries_strings: Vec<String>,
        /// Ids of the tokens whose keys QK matches: axes `component end top`.
        pub qk_keys: NamedIds,
        /// Their strings, in the same order; none without a tokenizer.
        pub qk_keys_strings: Vec<String>,
        /// The sum of OV's eigenvalues over the sum of their magnitudes, from -1 to 1.
        pub ov_positive_share: f32,
        /// The same for QK.
        pub qk_positive_share: f32,
        /// Axis `component`, largest first.
        pub ov_singular_values: NamedArray,
        /// Axis `component`, largest first.
        pub qk_singular_values: NamedArray,
        /// Axes `eigenvalue part`, with parts `re` and `im`; largest magnitude first.
        pub ov_eigenvalues: NamedArray,
        /// The same for QK.
        pub qk_eigenvalues: NamedArray,
    }
}

pub(super) fn begin(lab: &Lab, options: CircuitsOptions) -> MeasurementResult<Circuits> {
    let lab = lab.clone();
    once(move || circuits(&lab, &options))
}

/// Both matrices of a head.
fn circuits(lab: &Lab, options: &CircuitsOptions) -> Result<Circuits> {
    let CircuitsOptions { layer, head, .. } = *options;
    let (model, config) = (&lab.model, lab.model.config());
    let top = match options.top {
        Some(top) => check_count("top", top, config.vocab_size, "the size of the vocabulary")?,
        None => 8.min(config.vocab_size),
    };
    let components = match options.components {
        Some(count) => {
            check_count("components", count, config.d_head(), "the rank of a head's matrices")?
        }
        None => 8.min(config.d_head()),
    };
    let ov = circuit(model, layer, head, HeadMatrix::Ov)?;
    let qk = circuit(model, layer, head, HeadMatrix::Qk)?;
    let ids = |vectors: &NamedArray, through: Through| {
        Ok::<_, Error>(tokens_along(model, vectors, components, through, top)?.ids)
    };
    let ov_reads = ids(&ov.left, Through::Embedding)?;
    let ov_writes = ids(&ov.right, Through::Unembedding)?;
    let qk_queries = ids(&qk.left, Through::Embedding)?;
    let qk_keys = ids(&qk.right, Through::Embedding)?;
    Ok(Circuits {
        copying_score: copying_score(model, layer, head)?,
        ov_reads_strings: lab.strings(&ov_reads),
        ov_reads,
        ov_writes_strings: lab.strings(&ov_writes),
        ov_writes,
        qk_queries_strings: lab.strings(&qk_queries),
        qk_queries,
        qk_keys_strings: lab.strings(&qk_keys),
        qk_keys,
        ov_positive_share: ov.positive_share,
        qk_positive_share: qk.positive_share,
        ov_singular_values: ov.singular_values,
        qk_singular_values: qk.singular_values,
        ov_eigenvalues: ov.eigenvalues,
        qk_eigenvalues: qk.eigenvalues,
    })
}

/// Which of a head's two matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadMatrix {
    /// `W_V W_O`, from what is read at the source to what is written at the destination.
    Ov,
    /// `W_Q W_Kᵀ`, from the query's position to the key's.
    Qk,
}

/// One matrix of one head.
pub struct Circuit {
    /// Axis `component`.
    pub singular_values: NamedArray,
    /// `component d_model`: the directions that the head reads (OV), or that queries are made of (QK).
    pub left: NamedArray,
    /// `component d_model`: the directions that it writes (OV), or that keys are made of (QK).
    pub right: NamedArray,
    /// `eigenvalue part`, with parts `re` and `im`; largest magnitude first.
    pub eigenvalues: NamedArray,
    /// `Σ λ / Σ |λ|` of the eigenvalues, from -1 to 1.
    pub positive_share: f32,
}

/// The matrix of a head, in factored form.
pub fn matrix(
    model: &Model,
    layer: usize,
    head: usize,
    which: HeadMatrix,
) -> Result<FactoredMatrix> {
    check_head(model, layer, head)?;
    let weights = HeadWeights::of(model, layer, head)?;
    match which {
        HeadMatrix::Ov => FactoredMatrix::new(&weights.w_v, &weights.w_o),
        HeadMatrix::Qk => FactoredMatrix::new(&weights.w_q, &weights.w_k.t()?),
    }
}

/// Singular values and vectors, and eigenvalues, of a head's matrix.
///
/// # Errors
/// [`Error::Input`] when there is no such head, [`Error::Weights`] when a weight is not finite.
pub fn circuit(model: &Model, layer: usize, head: usize, which: HeadMatrix) -> Result<Circuit> {
    let matrix = matrix(model, layer, head, which)?;
    let found = matrix.singular_values()?;
    let eigenvalues = matrix.eigenvalues()?;
    let parts: Vec<f32> =
        eigenvalues.iter().flat_map(|value| [value.re as f32, value.im as f32]).collect();
    let parts = Tensor::from_vec(parts, (eigenvalues.len(), 2), &Device::Cpu)?;
    let values: Vec<f32> = found.values.iter().map(|value| *value as f32).collect();
    let vectors = |vectors: &Tensor| {
        NamedArray::new(&["component", "d_model"], &vectors.to_dtype(DType::F32)?)
    };
    Ok(Circuit {
        singular_values: NamedArray::new(
            &["component"],
            &Tensor::from_vec(values, found.values.len(), &Device::Cpu)?,
        )?,
        left: vectors(&found.left)?,
        right: vectors(&found.right)?,
        eigenvalues: NamedArray::new(&["eigenvalue", "part"], &parts)?
            .labelled("part", vec!["re".to_string(), "im".to_string()]),
        positive_share: positive_share(&eigenvalues),
    })
}

/// How a vector is compared with tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// By the dot products with the token embeddings: for what a head reads.
    Embedding,
    /// By the dot products with the columns of the unembedding: for what it writes.
    Unembedding,
}

/// The tokens with the largest (`positive`) and the smallest (`negative`) dot products: axes `component end top`.
pub struct TokensAlong {
    /// The token ids.
    pub ids: NamedIds,
    /// The dot products.
    pub values: NamedArray,
}

/// The `top` tokens at each end of the first `count` rows of `vectors` (`component d_model`).
pub fn tokens_along(
    model: &Model,
    vectors: &NamedArray,
    count: usize,
    through: Through,
    top: usize,
) -> Result<TokensAlong> {
    let width = model.config().n_embd;
    let [rows, found] = *vectors.shape.as_slice() else {
        let found = vectors.shape.len();
        return Err(Error::Input(format!("vectors with {found} axes, expected component d_model")));
    };
    if found != width {
        return Err(Error::Input(format!(
            "vectors of {found} numbers, expected `n_embd`, {width}"
        )));
    }
    let count = count.min(rows);
    let vectors = Tensor::from_slice(&vectors.data[..count * width], (count, width), &Device::Cpu)?;
    let weights = match through {
        Through::Embedding => model.weight("wte.weight")?,
        Through::Unembedding => model.weight("lm_head.weight")?,
    }; // [V, D]
    let products = vectors.matmul(&weights.t()?)?; // [component, V]
    let top = top.min(model.config().vocab_size);
    let (mut ids, mut values) = (Vec::new(), Vec::new());
    for row in products.to_vec2::<f32>()? {
        let opposite: Vec<f32> = row.iter().map(|value| -value).collect();
        if row.iter().any(|product| product.is_nan()) {
            return Err(Error::Weights(
                "the embeddings are not finite, so no tokens can be read off a head".into(),
            ));
        }
        for end in [most_probable(&row, top), most_probable(&opposite, top)] {
            values.extend(end.iter().map(|id| row[*id as usize]));
            ids.extend(end);
        }
    }
    let shape = vec![count, 2, top];
    Ok(TokensAlong { ids: by_end(shape.clone(), ids), values: by_end(shape, values) })
}

/// Numbers of each component and end.
fn by_end<T: Copy>(shape: Vec<usize>, data: Vec<T>) -> NamedArray<T> {
    let axes = axis_names(&["component", "end", "top"]);
    let array = NamedArray { axes, ..NamedArray::from_data(shape, data) };
    array.labelled("end", vec!["positive".to_string(), "negative".to_string()])
}

/// How much a head favours the tokens that it attends to: `Σ λ / Σ |λ|` of the eigenvalues of the full OV circuit
/// `W_E W_V W_O W_U` `[V, V]`, those of the `[K, K]` matrix `(W_O W_U) (W_E W_V)`. Near 1 for a head that copies.
pub fn copying_score(model: &Model, layer: usize, head: usize) -> Result<f32> {
    check_head(model, layer, head)?;
    let weights = HeadWeights::of(model, layer, head)?;
    let read = model.weight("wte.weight")?.matmul(&weights.w_v)?; // [V, K]
    let written = weights.w_o.matmul(&model.weight("lm_head.weight")?.t()?)?; // [K, V]
    Ok(positive_share(&FactoredMatrix::new(&read, &written)?.eigenvalues()?))
}

/// Complex eigenvalues come in pairs that add up to a real number.
fn positive_share(eigenvalues: &[Complex]) -> f32 {
    let sum: f64 = eigenvalues.iter().map(|value| value.re).sum();
    let magnitudes: f64 = eigenvalues.iter().map(|value| value.norm()).sum();
    (sum / magnitudes) as f32
}

pub(super) fn check_head(model: &Model, layer: usize, head: usize) -> Result<()> {
    let (layers, heads) = (model.config().n_layer, model.config().n_head);
    if layer >= layers || head >= heads {
        return Err(Error::no_such_head([layer, head], [layers, heads]));
    }
    Ok(())
}
