//! One tensor of a file, from bytes in pieces of any size to f32 values or to a matrix in its format.

use std::collections::TryReserveError;

use candle_core::{Device, Tensor};

use super::dtype::Dtype;
use super::range::{ValueRange, check_scales};
use super::report::{NoticeKind, Report};
use super::shapes::{HEAD_BIAS, matrix_axes};
use super::weights::Weights;
use crate::error::{Error, Result};
use crate::kernel::{MatrixBuilder, WeightFormat};

/// Converted at once. Values that wait for their matrix take this little memory, however large the pieces are.
const STEP_BYTES: usize = 1 << 18;

/// A tensor that is being read.
pub(super) struct TensorReader {
    name: String,
    shape: Vec<usize>,
    dtype: Dtype,
    /// The first bytes of an element that the end of the last piece split.
    partial_element: Vec<u8>,
    /// The values of the whole tensor, or those that `matrix` has not consumed yet.
    values: Vec<f32>,
    matrix: Option<MatrixBuilder>,
    format: WeightFormat,
    range: ValueRange,
    /// Zeros are ignored, and other values refused: a bias of the logits of a model that has none.
    must_be_zero: bool,
}

impl TensorReader {
    /// Allocates the tensor.
    pub fn new(
        name: &str,
        shape: &[usize],
        dtype: Dtype,
        format: WeightFormat,
    ) -> std::result::Result<TensorReader, TryReserveError> {
        let matrix = match (matrix_axes(name), shape) {
            (Some(axes), &[first, second]) => {
                Some(MatrixBuilder::new([first, second], axes, format)?)
            }
            _ => None,
        };
        let mut values = Vec::new();
        if matrix.is_none() {
            values.try_reserve_exact(shape.iter().product())?;
        }
        Ok(TensorReader {
            name: name.to_string(),
            shape: shape.to_vec(),
            dtype,
            partial_element: Vec::new(),
            values,
            matrix,
            format,
            range: ValueRange::default(),
            must_be_zero: false,
        })
    }

    /// The same, for a tensor that must be zero.
    pub fn must_be_zero(mut self, must_be_zero: bool) -> TensorReader {
        self.must_be_zero = must_be_zero;
        self
    }

    /// Reads the next bytes of the tensor.
    ///
    /// # Errors
    /// [`Error::Weights`] when the format cannot represent a value.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<()> {
        let size = self.dtype.size();
        if !self.partial_element.is_empty() {
            let missing = size - self.partial_element.len();
            let (start, rest) = bytes.split_at(missing.min(bytes.len()));
            self.partial_element.extend_from_slice(start);
            bytes = rest;
            if self.partial_element.len() < size {
                return Ok(());
            }
            let element = std::mem::take(&mut self.partial_element);
            self.push_elements(&element)?;
        }
        let (whole, partial) = bytes.split_at(bytes.len() - bytes.len() % size);
        self.push_elements(whole)?;
        self.partial_element.extend_from_slice(partial);
        Ok(())
    }

    fn push_elements(&mut self, bytes: &[u8]) -> Result<()> {
        for bytes in bytes.chunks(STEP_BYTES) {
            let start = self.values.len();
            self.dtype.decode(bytes, &mut self.values);
            self.range.add(&self.values[start..]);
            self.range.check(&self.name, self.format, self.matrix.is_some())?;
            if let Some(matrix) = &mut self.matrix {
                let consumed = matrix.push(&self.values);
                self.values.drain(..consumed);
            }
        }
        Ok(())
    }

    /// Inserts the tensor, all of whose bytes were read, into `weights`.
    ///
    /// # Errors
    /// [`Error::Weights`] when the scales of its format cannot represent its values, or when it is a bias of the
    /// logits that is not zero.
    pub fn finish(self, weights: &mut Weights) -> Result<()> {
        let TensorReader { name, shape, values, matrix, range, format, must_be_zero, .. } = self;
        if must_be_zero {
            return check_head_bias(&range, weights.report_mut());
        }
        range.report(&name, weights.report_mut());
        match matrix {
            Some(matrix) => {
                check_scales(&matrix, &name, format, &range)?;
                weights.insert_matrix(name, matrix.finish()?);
            }
            None => weights.insert_tensor(name, Tensor::from_vec(values, shape, &Device::Cpu)?),
        }
        Ok(())
    }
}

/// GPT-2 has no bias of the logits. A bias of zeros changes nothing.
fn check_head_bias(range: &ValueRange, report: &mut Report) -> Result<()> {
    if !range.is_zero() {
        return Err(Error::Weights(format!(
            "`{HEAD_BIAS}` is not zero: the logits of this model have a bias, which GPT-2 does not have"
        )));
    }
    let message = format!("`{HEAD_BIAS}` is all zeros and was ignored: it changes no logit.");
    report.push(NoticeKind::Ignored, HEAD_BIAS, message);
    Ok(())
}
