//! How much each head writes into what each later head reads.
//!
//! After Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits" (composition), and TransformerLens's
//! `all_composition_scores`. The weights are the raw ones: [`crate::transform::fold_ln`] folds LayerNorm's gain into
//! them.

use candle_core::{DType, Device, IndexOp, Tensor};

use super::HeadInput;
use super::circuits::{HeadMatrix, check_head, matrix};
use super::measurement::{MeasurementResult, once};
use crate::error::Result;
use crate::lab::Lab;
use crate::model::Model;
use crate::named_array::NamedArray;
use crate::wire::{options, results};

options! {
    /// Options of `compositionScores`.
    #[derive(Debug, Clone)]
    pub struct CompositionScoresOptions {
        /// The input through which the later head reads.
        pub path: HeadInput,
    }
}

results! {
    /// How much each head writes into what each later head reads.
    #[derive(Debug, Clone, PartialEq)]
    pub struct CompositionScores {
        /// `|W_OV M| / (|W_OV| |M|)` with Frobenius norms, where M is the later head's W_QK, its transpose, or W_OV. 0 if the
        /// reader's layer is not after the writer's. Two random heads have about `1 / sqrt(d_model)`. Axes
        /// `writer_layer writer_head reader_layer reader_head`.
        pub scores: NamedArray,
    }
}

pub(super) fn begin(
    lab: &Lab,
    options: CompositionScoresOptions,
) -> MeasurementResult<CompositionScores> {
    let model = lab.model.clone();
    once(move || Ok(CompositionScores { scores: composition_scores(&model, options.path)? }))
}

/// How much each head writes into what each later head reads through `path`:
/// `|W_OV M| / (|W_OV| |M|)` with Frobenius norms, where `M` is the later head's `W_QK`, `W_QKᵀ` or `W_OV`. 0 if the
/// reader's layer is not after the writer's. Two random heads have about `1 / sqrt(d_model)`, not 0.
///
/// Axes `writer_layer writer_head reader_layer reader_head`.
pub fn composition_scores(model: &Model, path: HeadInput) -> Result<NamedArray> {
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
                let index = ((writer * heads + from) * layers + reader) * heads + to;
                scores[index] = (norm(&block)? / (written.norms[from] * read.norms[to])) as f32;
            }
        }
    }
    let axes = ["writer_layer", "writer_head", "reader_layer", "reader_head"];
    NamedArray::new(&axes, &Tensor::from_vec(scores, (layers, heads, layers, heads), &Device::Cpu)?)
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

fn of_reader(model: &Model, layer: usize, head: usize, path: HeadInput) -> Result<Tensor> {
    let matrix = match path {
        HeadInput::Q => matrix(model, layer, head, HeadMatrix::Qk)?,
        HeadInput::K => matrix(model, layer, head, HeadMatrix::Qk)?.transpose()?,
        HeadInput::V => matrix(model, layer, head, HeadMatrix::Ov)?,
    };
    Ok(matrix.collapse_right()?.t()?.contiguous()?)
}

fn norm(x: &Tensor) -> Result<f64> {
    Ok(x.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar::<f64>()?.sqrt())
}
