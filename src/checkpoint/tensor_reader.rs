//! One tensor of a file, from bytes in pieces of any size to f32 values or to a matrix in its format.

use std::collections::TryReserveError;

use candle_core::{Device, Tensor};

use super::dtype::Dtype;
use super::layout::{Order, Scatter};
use super::plan::Use;
use super::range::{ValueRange, check_scales};
use super::report::Report;
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
    /// How many elements the tensor has, and how many were read.
    count: usize,
    read: usize,
    /// The first bytes of an element that the end of the last piece split.
    partial_element: Vec<u8>,
    /// The values of the whole tensor, or those that `sink` has not consumed yet.
    values: Vec<f32>,
    sink: Sink,
    format: WeightFormat,
    range: ValueRange,
    /// Zeros are ignored, and other values refused: a bias of the logits of a model that has none.
    must_be_zero: bool,
}

/// Where values go.
enum Sink {
    /// They stay in `values`.
    Vector,
    Matrix(MatrixBuilder),
    Join(Join, Scatter),
}

/// A parameter that several tensors make, or one in another order.
pub(super) struct Join {
    values: Vec<f32>,
    pieces_left: usize,
    range: ValueRange,
}

impl TensorReader {
    /// Allocates the tensor. `join` is the parameter if some of its pieces have been read.
    pub fn new(
        used: &Use,
        join: Option<Join>,
        format: WeightFormat,
    ) -> std::result::Result<TensorReader, TryReserveError> {
        let Use { name, shape, dtype, placement, pieces, must_be_zero } = used;
        let mut values = Vec::new();
        let elements: usize = shape.iter().product();
        let sink = match (placement.order, matrix_axes(name), shape.as_slice()) {
            (Order::Scattered, ..) => {
                let join = match join {
                    Some(join) => join,
                    None => Join::new(elements, *pieces)?,
                };
                Sink::Join(join, Scatter::new(placement))
            }
            (Order::Same, Some(axes), &[first, second]) => {
                Sink::Matrix(MatrixBuilder::new([first, second], axes, format)?)
            }
            (Order::Transposed, Some(axes), &[first, second]) => {
                Sink::Matrix(MatrixBuilder::transposed([first, second], axes, format)?)
            }
            _ => {
                values.try_reserve_exact(elements)?;
                Sink::Vector
            }
        };
        Ok(TensorReader {
            name: name.clone(),
            shape: shape.clone(),
            dtype: *dtype,
            count: elements / pieces,
            read: 0,
            partial_element: Vec::new(),
            values,
            sink,
            format,
            range: ValueRange::default(),
            must_be_zero: *must_be_zero,
        })
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
        let size = self.dtype.size();
        self.read += bytes.len() / size;
        if self.read > self.count {
            return Ok(()); // `wrong_count` reports it
        }
        for bytes in bytes.chunks(STEP_BYTES) {
            let start = self.values.len();
            self.dtype.decode(bytes, &mut self.values);
            self.range.add(&self.values[start..]);
            let is_matrix = matrix_axes(&self.name).is_some();
            self.range.check(&self.name, self.format, is_matrix)?;
            match &mut self.sink {
                Sink::Vector => {}
                Sink::Matrix(matrix) => {
                    let consumed = matrix.push(&self.values);
                    self.values.drain(..consumed);
                }
                Sink::Join(join, scatter) => {
                    scatter.copy(&self.values, &mut join.values);
                    self.values.clear();
                }
            }
        }
        Ok(())
    }

    /// How many elements were read and expected, if they are not as many.
    pub fn wrong_count(&self) -> Option<(usize, usize)> {
        let is_right = self.read == self.count && self.partial_element.is_empty();
        (!is_right).then_some((self.read, self.count))
    }

    /// Inserts the tensor, all of whose bytes were read, into `weights`. Returns the parameter if some of its pieces are
    /// missing.
    ///
    /// # Errors
    /// [`Error::Weights`] when the scales of its format cannot represent its values, or when it must be zero and is not.
    pub fn finish(self, weights: &mut Weights) -> Result<Option<(String, Join)>> {
        let TensorReader { name, shape, values, sink, range, format, must_be_zero, .. } = self;
        if must_be_zero {
            check_head_bias(&range, weights.report_mut())?;
            return Ok(None);
        }
        let (values, matrix, range) = match sink {
            Sink::Vector => (values, None, range),
            Sink::Matrix(matrix) => (values, Some(matrix), range),
            Sink::Join(mut join, _) => {
                join.range.merge(&range);
                join.pieces_left -= 1;
                if join.pieces_left > 0 {
                    return Ok(Some((name, join)));
                }
                let Join { values, range, .. } = join;
                match (matrix_axes(&name), shape.as_slice()) {
                    (Some(axes), &[first, second]) => {
                        let mut matrix = MatrixBuilder::new([first, second], axes, format)
                            .map_err(|_| no_room(&name))?;
                        matrix.push(&values);
                        (Vec::new(), Some(matrix), range)
                    }
                    _ => (values, None, range),
                }
            }
        };
        range.report(&name, weights.report_mut());
        match matrix {
            Some(matrix) => {
                check_scales(&matrix, &name, format, &range)?;
                weights.insert_matrix(name, matrix.finish()?);
            }
            None => weights.insert_tensor(name, Tensor::from_vec(values, shape, &Device::Cpu)?),
        }
        Ok(None)
    }
}

impl Join {
    fn new(elements: usize, pieces: usize) -> std::result::Result<Join, TryReserveError> {
        let mut values = Vec::new();
        values.try_reserve_exact(elements)?;
        values.resize(elements, 0.0);
        Ok(Join { values, pieces_left: pieces, range: ValueRange::default() })
    }
}

fn no_room(name: &str) -> Error {
    Error::Memory(format!("no room for `{name}`; close other tabs or use a smaller `dtype`"))
}

/// GPT-2 has no bias of the logits. A bias of zeros changes nothing.
fn check_head_bias(range: &ValueRange, report: &mut Report) -> Result<()> {
    if !range.is_zero() {
        return Err(Error::Weights(format!(
            "`{HEAD_BIAS}` is not zero: the logits of this model have a bias, which GPT-2 does not have"
        )));
    }
    report.ignored_zeros(HEAD_BIAS);
    Ok(())
}
