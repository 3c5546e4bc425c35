//! What a head does to the residual stream whatever the text is: where it moves information (QK) and which (OV).
//!
//! `W_OV = W_V W_O` and `W_QK = W_Q W_Kᵀ`, each `[D, K] [K, D]` and kept so, as vectors `x` on the left of matrices.
//! After Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits" (eigenvalues as a sign of copying,
//! composition), Millidge and Black 2022, "The Singular Value Decompositions of Transformer Weight Matrices are Highly
//! Interpretable", and TransformerLens's `FactoredMatrix` and `all_composition_scores`.
//!
//! The weights are the raw ones, and LayerNorm stands between heads: [`crate::transform::fold_ln`] brings its gain into
//! them.

use candle_core::{DType, Device, IndexOp, Tensor};

use super::factored::{Complex, FactoredMatrix};
use super::{HeadWeights, Table};
use crate::error::{Error, Result};
use crate::generate::most_probable;
use crate::model::Model;

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
    pub singular_values: Table,
    /// `component d_model`: what the head reads (OV), or what queries look with (QK).
    pub left: Table,
    /// `component d_model`: what it writes (OV), or what keys are found by (QK).
    pub right: Table,
    /// `eigenvalue part`, the parts being `re` and `im`; the greatest magnitude first.
    pub eigenvalues: Table,
    /// `Σ λ / Σ |λ|` of those, -1 to 1.
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
    let vectors =
        |vectors: &Tensor| Table::new(&["component", "d_model"], &vectors.to_dtype(DType::F32)?);
    Ok(Circuit {
        singular_values: Table::new(
            &["component"],
            &Tensor::from_vec(values, found.values.len(), &Device::Cpu)?,
        )?,
        left: vectors(&found.left)?,
        right: vectors(&found.right)?,
        eigenvalues: Table::new(&["eigenvalue", "part"], &parts)?
            .labelled("part", vec!["re".to_string(), "im".to_string()]),
        positive_share: positive_share(&eigenvalues),
    })
}

/// How tokens are read off a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// By the dot products with the token embeddings: for what a head reads.
    Embedding,
    /// By the dot products with the columns of the unembedding: for what it writes.
    Unembedding,
}

/// The tokens at both ends of some vectors, `component end top`; the ends are `positive` and `negative`, since a
/// singular vector's sign means nothing by itself.
pub struct TokensAlong {
    pub ids: Table,
    /// The dot products.
    pub values: Table,
}

/// The `top` tokens at both ends of the first `count` rows of `vectors` (`component d_model`).
pub fn tokens_along(
    model: &Model,
    vectors: &Table,
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
            ids.extend(end.into_iter().map(|id| id as f32));
        }
    }
    let table = |data: Vec<f32>| {
        let table = Table::new(
            &["component", "end", "top"],
            &Tensor::from_vec(data, (count, 2, top), &Device::Cpu)?,
        )?;
        Ok::<_, Error>(table.labelled("end", vec!["positive".to_string(), "negative".to_string()]))
    };
    Ok(TokensAlong { ids: table(ids)?, values: table(values)? })
}

/// Whether a head that attends to a token makes it more likely: `Σ λ / Σ |λ|` of the eigenvalues of the full OV circuit
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

/// Through which of its inputs a later head reads what an earlier one wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Composition {
    Q,
    K,
    V,
}

/// How much each head writes into what each later head reads through `path`:
/// `|W_OV M| / (|W_OV| |M|)` with Frobenius norms, `M` being the later head's `W_QK`, `W_QKᵀ` or `W_OV`. 0 where the
/// reader's layer is not after the writer's. Two random heads have about `1 / sqrt(d_model)`, not 0.
///
/// Axes `writer_layer writer_head reader_layer reader_head`.
pub fn composition_scores(model: &Model, path: Composition) -> Result<Table> {
    let (layers, heads) = (model.config().n_layer, model.config().n_head);
    let writers = (0..layers).map(|layer| side(model, layer, |head| of_writer(model, layer, head)));
    let writers = writers.collect::<Result<Vec<_>>>()?;
    let readers =
        (0..layers).map(|layer| side(model, layer, |head| of_reader(model, layer, head, path)));
    let readers = readers.collect::<Result<Vec<_>>>()?;
    let mut scores = vec![0.0; (layers * heads).pow(2)];
    for (writer, written) in writers.iter().enumerate() {
        for (reader, read) in readers.iter().enumerate().skip(writer + 1) {
            let joined = written.values.matmul(&read.values.t()?)?; // [H K, H K]
            for (from, to) in (0..heads).flat_map(|from| (0..heads).map(move |to| (from, to))) {
                let width = model.config().d_head();
                let block = joined
                    .i((from * width..(from + 1) * width, to * width..(to + 1) * width))?
                    .contiguous()?;
                let place = ((writer * heads + from) * layers + reader) * heads + to;
                scores[place] = (norm(&block)? / (written.norms[from] * read.norms[to])) as f32;
            }
        }
    }
    let axes = ["writer_layer", "writer_head", "reader_layer", "reader_head"];
    Table::new(&axes, &Tensor::from_vec(scores, (layers, heads, layers, heads), &Device::Cpu)?)
}

/// One side of the compositions, for all heads of a layer.
struct Side {
    values: Tensor, // [H K, D]
    norms: Vec<f64>,
}

fn side(model: &Model, layer: usize, of_head: impl Fn(usize) -> Result<Tensor>) -> Result<Side> {
    check_head(model, layer, 0)?;
    let heads = (0..model.config().n_head).map(of_head).collect::<Result<Vec<_>>>()?; // [K, D] each
    let norms = heads.iter().map(norm).collect::<Result<_>>()?;
    Ok(Side { values: Tensor::cat(&heads, 0)?.to_dtype(DType::F32)?, norms })
}

fn of_writer(model: &Model, layer: usize, head: usize) -> Result<Tensor> {
    matrix(model, layer, head, HeadMatrix::Ov)?.collapse_left()
}

fn of_reader(model: &Model, layer: usize, head: usize, path: Composition) -> Result<Tensor> {
    let matrix = match path {
        Composition::Q => matrix(model, layer, head, HeadMatrix::Qk)?,
        Composition::K => matrix(model, layer, head, HeadMatrix::Qk)?.transpose()?,
        Composition::V => matrix(model, layer, head, HeadMatrix::Ov)?,
    };
    Ok(matrix.collapse_right()?.t()?.contiguous()?)
}

fn norm(x: &Tensor) -> Result<f64> {
    Ok(x.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar::<f64>()?.sqrt())
}

fn check_head(model: &Model, layer: usize, head: usize) -> Result<()> {
    let (layers, heads) = (model.config().n_layer, model.config().n_head);
    if layer >= layers || head >= heads {
        return Err(Error::no_such_head([layer, head], [layers, heads]));
    }
    Ok(())
}
