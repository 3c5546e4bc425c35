//! The tensors of a checkpoint in memory, by name.

use std::collections::{BTreeSet, HashMap};

use candle_core::{DType, Device, Tensor};

use super::config::Config;
use super::range::{ValueRange, check_scales};
use super::report::{NoticeKind, Report};
use super::shapes::{HEAD, HEAD_BIAS, check_shape, expected_shapes, matrix_axes, missing};
use crate::error::{Error, Result};
use crate::kernel::{Axes, Matrix, MatrixBuilder, WeightFormat};

/// The tensors of a checkpoint by name, without the prefix `transformer.` of some files.
#[derive(Debug, Clone, Default)]
pub struct Weights {
    tensors: HashMap<String, Tensor>,
    matrices: HashMap<String, Matrix>,
    /// The tensors that no file holds. They are zeros.
    filled: BTreeSet<String>,
    /// The format that the numbers of a tensor were rounded to before a part of them was replaced.
    rounded: HashMap<String, &'static str>,
    report: Report,
}

impl Weights {
    /// Takes existing tensors, such as the variables that a trainer updates.
    ///
    /// # Errors
    /// [`Error::Weights`] when a tensor is missing or does not have the shape that follows from the config.
    pub fn from_tensors(config: &Config, tensors: HashMap<String, Tensor>) -> Result<Weights> {
        for (name, expected) in expected_shapes(config) {
            let tensor = tensors.get(&name).ok_or_else(|| missing(&name, &expected))?;
            check_shape(&name, tensor.dims(), &expected)?;
        }
        Ok(Weights { tensors, ..Weights::default() })
    }

    /// Empty weights with these notices.
    pub(crate) fn with_report(report: Report) -> Weights {
        Weights { report, ..Weights::default() }
    }

    /// The same weights with their matrices in `format`.
    ///
    /// # Errors
    /// [`Error::Memory`] when they do not fit, [`Error::Weights`] when the format cannot represent a value.
    pub(crate) fn in_format(mut self, format: WeightFormat) -> Result<Weights> {
        if format == WeightFormat::Plain {
            return Ok(self);
        }
        let names: Vec<String> = self.tensors.keys().cloned().collect();
        for name in names {
            let Some(axes) = matrix_axes(&name) else { continue };
            if let Some(tensor) = self.tensors.remove(&name) {
                let matrix = convert(&name, &tensor, axes, format)?;
                self.matrices.insert(name, matrix);
            }
        }
        Ok(self)
    }

    /// A copy of the tensor with this checkpoint key, such as `h.0.attn.c_attn.weight`.
    ///
    /// # Errors
    /// [`Error::Weights`] when there is none.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        match (self.matrices.get(name), matrix_axes(name)) {
            (Some(matrix), Some(axes)) => matrix.tensor(axes),
            _ => self.tensor(name).cloned(),
        }
    }

    /// As [`Weights::get`], for a tensor that is an operand of matrix products or whose rows are looked up.
    ///
    /// # Errors
    /// [`Error::Weights`] when there is none.
    pub fn matrix(&self, name: &str) -> Result<Matrix> {
        match self.matrices.get(name) {
            Some(matrix) => Ok(matrix.clone()),
            None => {
                Matrix::plain(self.tensor(name)?.clone(), matrix_axes(name).unwrap_or(Axes::InOut))
            }
        }
    }

    /// The dtype of a tensor in memory, as `parameters` lists it.
    pub(crate) fn dtype(&self, name: &str) -> Result<&'static str> {
        match self.matrices.get(name) {
            Some(matrix) => Ok(matrix.dtype()),
            None => Ok(self.tensor(name)?.dtype().as_str()),
        }
    }

    /// The format that the numbers of a tensor were rounded to, also if they are held in another one since a part of them
    /// was replaced; "f32" if they were not.
    pub(crate) fn precision(&self, name: &str) -> Result<&'static str> {
        self.rounded.get(name).map_or_else(|| self.dtype(name), |dtype| Ok(dtype))
    }

    /// Whether a part of a rounded tensor was replaced by numbers that are not.
    pub(crate) fn is_partly_rounded(&self, name: &str) -> bool {
        self.rounded.contains_key(name)
    }

    /// The shape of a tensor in the checkpoint.
    pub(crate) fn shape(&self, name: &str) -> Result<Vec<usize>> {
        match (self.matrices.get(name), matrix_axes(name)) {
            (Some(matrix), Some(axes)) => {
                let (inner, outer) = matrix.dims()?;
                Ok(if axes == Axes::InOut { vec![inner, outer] } else { vec![outer, inner] })
            }
            _ => Ok(self.tensor(name)?.dims().to_vec()),
        }
    }

    pub(crate) fn tensor(&self, name: &str) -> Result<&Tensor> {
        self.tensors.get(name).ok_or_else(|| Error::Weights(format!("`{name}` is missing")))
    }

    /// Notices about the files that the weights came from.
    pub fn report(&self) -> &Report {
        &self.report
    }

    pub(crate) fn report_mut(&mut self) -> &mut Report {
        &mut self.report
    }

    /// The config of a model with these weights, in which the unembedding is tied if and only if there is none, and
    /// has a bias only if there is one.
    pub(crate) fn config(&self, mut config: Config) -> Config {
        config.tie_word_embeddings = !self.contains(HEAD);
        config.unembed_bias &= self.contains(HEAD_BIAS);
        config
    }

    /// Puts notices in front of the others.
    pub(crate) fn prepend_report(&mut self, mut report: Report) {
        report.append(std::mem::take(&mut self.report));
        self.report = report;
    }

    /// Removes a vector if it is zero.
    pub(super) fn drop_zero(&mut self, name: &str) -> Result<bool> {
        let Some(tensor) = self.tensors.get(name) else { return Ok(false) };
        let is_zero = tensor.flatten_all()?.to_vec1::<f32>()?.iter().all(|value| *value == 0.0);
        if is_zero {
            self.tensors.remove(name);
        }
        Ok(is_zero)
    }

    /// Drops an unembedding that equals the embeddings, and reports another one if the config ties them.
    pub(super) fn compare_head(&mut self, config: &Config) -> Result<()> {
        let Some(head) = self.matrices.get(HEAD) else { return Ok(()) };
        if head.has_same_bits(&self.matrix("wte.weight")?)? {
            self.matrices.remove(HEAD);
            let from = self.report.forget(HEAD);
            let message = "`lm_head.weight` has the numbers of `wte.weight`: it is stored once.";
            let keys: Vec<&str> = from.iter().map(String::as_str).collect();
            let keys = if keys.is_empty() { &[HEAD][..] } else { &keys };
            self.report.push_from(NoticeKind::Tied, HEAD, message.into(), keys);
            return Ok(());
        }
        if !config.tie_word_embeddings {
            return Ok(());
        }
        let message = "The config says that `lm_head.weight` is `wte.weight`, but the file holds another matrix under \
                       that name: the model unembeds with the one of the file (`tie_word_embeddings` is taken to be \
                       false).";
        self.report.push(NoticeKind::Used, HEAD, message.into());
        Ok(())
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name) || self.matrices.contains_key(name)
    }

    /// Zeros for a vector that the architecture has and no file holds: a bias of a model without biases.
    pub(crate) fn fill(&mut self, name: String, shape: &[usize]) -> Result<()> {
        self.tensors.insert(name.clone(), Tensor::zeros(shape, DType::F32, &Device::Cpu)?);
        self.filled.insert(name);
        Ok(())
    }

    /// The tensors that [`Weights::fill`] made, which are not parameters of the files.
    pub(crate) fn filled(&self) -> &BTreeSet<String> {
        &self.filled
    }

    /// Replaces a tensor, whose shape is not checked. A matrix gets the default format, which is lossless. All other
    /// tensors stay shared with the weights that this is a clone of. `part_of` is the precision of the numbers that the
    /// tensor keeps, if it keeps some.
    ///
    /// # Errors
    /// [`Error::Memory`] when there is no room for it.
    pub(crate) fn set(
        &mut self,
        name: &str,
        tensor: Tensor,
        part_of: Option<&'static str>,
    ) -> Result<()> {
        match part_of {
            Some(dtype) if dtype != "f32" => self.rounded.insert(name.into(), dtype),
            _ => self.rounded.remove(name),
        };
        self.tensors.remove(name);
        self.matrices.remove(name);
        self.filled.remove(name);
        match (matrix_axes(name), WeightFormat::default()) {
            (None, _) | (_, WeightFormat::Plain) => self.insert_tensor(name.into(), tensor),
            (Some(axes), format) => {
                self.insert_matrix(name.into(), convert(name, &tensor, axes, format)?);
            }
        }
        Ok(())
    }

    /// Makes the unembedding a tensor of its own, which shares the numbers of the token embedding.
    ///
    /// # Errors
    /// Those of candle.
    pub(crate) fn untie(&mut self) -> Result<()> {
        if self.contains(HEAD) {
            return Ok(());
        }
        match self.matrices.get("wte.weight") {
            Some(matrix) => self.insert_matrix(HEAD.into(), matrix.clone()),
            None => self.insert_tensor(HEAD.into(), self.tensor("wte.weight")?.clone()),
        }
        Ok(())
    }

    pub(crate) fn insert_tensor(&mut self, name: String, tensor: Tensor) {
        self.tensors.insert(name, tensor);
    }

    pub(crate) fn insert_matrix(&mut self, name: String, matrix: Matrix) {
        self.matrices.insert(name, matrix);
    }
}

fn convert(name: &str, tensor: &Tensor, axes: Axes, format: WeightFormat) -> Result<Matrix> {
    let (first, second) = tensor.dims2()?;
    let mut builder = MatrixBuilder::new([first, second], axes, format)
        .map_err(|_| cannot_allocate(&format!("`{name}`")))?;
    let values = tensor.flatten_all()?.to_vec1::<f32>()?;
    let mut range = ValueRange::default();
    range.add(&values);
    range.check(name, format, true)?;
    builder.push(&values);
    check_scales(&builder, name, format, &range)?;
    builder.finish()
}

/// The memory that the weights of this config take in this format, in bytes.
pub fn bytes_needed(config: &Config, format: WeightFormat) -> u64 {
    let bytes = |(name, shape): &(String, Vec<usize>)| match (matrix_axes(name), shape.as_slice()) {
        (Some(axes), &[first, second]) => format.bytes([first, second], axes),
        _ => shape.iter().map(|length| *length as u64).product::<u64>() * 4,
    };
    expected_shapes(config).iter().map(bytes).sum()
}

/// Allocates and frees the memory that the weights need, so that weights that do not fit are refused before any of it
/// is written. In a browser, running out of memory later would end the tab.
///
/// # Errors
/// [`Error::Memory`].
pub(crate) fn reserve(config: &Config, format: WeightFormat) -> Result<()> {
    const MAX_PIECE: u64 = isize::MAX as u64 / 2; // a single allocation is at most half of all addresses
    let needed = bytes_needed(config, format);
    if usize::try_from(needed).is_err() {
        return Err(out_of_memory(needed)); // without growing wasm memory first
    }
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    for start in (0..needed).step_by(MAX_PIECE as usize) {
        let mut piece = Vec::new();
        piece
            .try_reserve_exact((needed - start).min(MAX_PIECE) as usize)
            .map_err(|_| out_of_memory(needed))?;
        pieces.push(std::hint::black_box(piece)); // the compiler may remove an allocation that is not used
    }
    Ok(()) // the allocator keeps the freed memory for the tensors
}

pub(super) fn out_of_memory(needed: u64) -> Error {
    cannot_allocate(&format!("the weights need {} MB, which", needed / 1_000_000))
}

fn cannot_allocate(what: &str) -> Error {
    Error::Memory(format!(
        "{what} cannot be allocated here; choose a smaller `dtype` or close other tabs"
    ))
}
