//! A loaded checkpoint to a file and back, as it lies in memory: [`Keeping`] writes it, [`Restoring`] reads it.
//!
//! The file is a head, the bytes of `tokenizer.json`, then every tensor in the order of
//! [`expected_shapes`](crate::expected_shapes), matrices in the panels in which they are multiplied with. Bytes go
//! straight between the file and the memory that the model computes from: no second copy, no conversion. Which files
//! there are, and whether one was written to its end, is the affair of whoever keeps them (`www/store.js`).

use std::collections::VecDeque;

use bytemuck::Pod;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::kernel::matrix::{Form, Matrix};
use crate::kernel::with_floats;
use crate::report::Report;
use crate::weights::{Weights, expected_shapes, matrix_axes, reserve};

/// A file that is read and written at any place.
pub trait Disk {
    /// Appends the `count` numbers whose bytes are from `at` on.
    ///
    /// # Errors
    /// When the file has fewer, or cannot be read.
    fn read<T: Pod>(&self, at: u64, count: usize, to: &mut Vec<T>) -> Result<()>;

    /// # Errors
    /// When the file cannot take all of `bytes`.
    fn write(&self, at: u64, bytes: &[u8]) -> Result<()>;
}

/// What a model is made of.
pub struct Checkpoint {
    /// The text of `config.json`.
    pub config: String,
    /// The bytes of `tokenizer.json`.
    pub tokenizer: Option<Vec<u8>>,
    pub weights: Weights,
}

/// What the file begins with, after its length.
#[derive(Serialize, Deserialize)]
struct Head {
    form: String,
    config: String,
    /// The length of `tokenizer.json`.
    tokenizer: Option<u64>,
    /// Whether the weights have an unembedding of their own although the config says otherwise.
    untied: bool,
    /// What is to be said about the weights.
    report: Report,
}

/// The number of this arrangement of panels. A copy with another is not read.
const LAYOUT: u32 = 3;

fn layout(form: Form) -> String {
    format!("{} in panels of layout {LAYOUT}", form.name())
}

const LENGTH_BYTES: usize = 8;
/// What is written at once: a few milliseconds, so that whoever asks in between is answered soon.
const STEP: usize = 4 << 20;

/// A checkpoint on its way into a file.
pub struct Keeping {
    parts: VecDeque<Part>,
    /// How much of the first part is in the file.
    offset: usize,
    at: u64,
    end: u64,
}

enum Part {
    Bytes(Vec<u8>),
    Tensor(Tensor),
    Matrix(Matrix),
}

impl Keeping {
    /// # Errors
    /// [`Error::Weights`] when the weights are not in the form that is kept.
    pub fn new(checkpoint: Checkpoint, form: Form) -> Result<Keeping> {
        let Checkpoint { config, tokenizer, weights } = checkpoint;
        let parsed = Config::from_json(&config)?;
        let effective = weights.config(parsed.clone());
        let shapes = expected_shapes(&effective);
        let head = Head {
            form: layout(form),
            config,
            tokenizer: tokenizer.as_ref().map(|bytes| bytes.len() as u64),
            untied: effective != parsed,
            report: weights.report().clone(),
        };
        let head = serde_json::to_vec(&head).map_err(|error| Error::Weights(error.to_string()))?;
        let mut parts = VecDeque::from([Part::Bytes((head.len() as u64).to_le_bytes().to_vec())]);
        parts.push_back(Part::Bytes(head));
        parts.extend(tokenizer.map(Part::Bytes));
        for (name, _) in shapes {
            parts.push_back(match matrix_axes(&name) {
                None => Part::Tensor(weights.tensor(&name)?.contiguous()?),
                Some(_) => Part::Matrix(weights.matrix(&name)?),
            });
        }
        let lengths = parts.iter().map(|part| part.with(|bytes| Ok(bytes.len() as u64)));
        let end = lengths.sum::<Result<u64>>()?;
        Ok(Keeping { parts, offset: 0, at: 0, end })
    }

    /// The bytes that the file will have.
    pub fn length(&self) -> u64 {
        self.end
    }

    /// Writes some megabytes; false when nothing was left to write. The file begins at `start` of `disk`.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn step(&mut self, disk: &impl Disk, start: u64) -> Result<bool> {
        let Some(part) = self.parts.front() else { return Ok(false) };
        let (offset, at) = (self.offset, start + self.at);
        let (written, finished) = part.with(|bytes| {
            let piece = &bytes[offset..bytes.len().min(offset + STEP)];
            disk.write(at, piece)?;
            Ok((piece.len(), offset + piece.len() == bytes.len()))
        })?;
        self.at += written as u64;
        self.offset += written;
        if finished {
            self.parts.pop_front();
            self.offset = 0;
        }
        Ok(true)
    }
}

impl Part {
    fn with<T>(&self, f: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        match self {
            Part::Bytes(bytes) => f(bytes),
            Part::Tensor(tensor) => with_floats(tensor, |values| Ok(f(bytemuck::cast_slice(values))))?,
            Part::Matrix(matrix) => match matrix.raw() {
                Some(panels) => f(panels),
                None => Err(Error::Weights("tensors have no panels".into())),
            },
        }
    }
}

/// A checkpoint on its way back from a file.
pub struct Restoring {
    config: String,
    tokenizer: Option<Vec<u8>>,
    form: Form,
    pending: VecDeque<(String, Vec<usize>)>,
    weights: Weights,
    place: Place,
}

impl Restoring {
    /// Reads the head and reserves the memory. The file is the `length` bytes from `start` of `disk`.
    ///
    /// # Errors
    /// [`Error::Weights`] when the file does not hold a checkpoint in this form; [`Error::Memory`] when it does not
    /// fit.
    pub fn new(disk: &impl Disk, start: u64, length: u64, form: Form) -> Result<Restoring> {
        let mut place = Place { start, at: 0, length };
        let field: [u8; LENGTH_BYTES] =
            place.bytes(disk, LENGTH_BYTES as u64)?.try_into().unwrap_or_default();
        let head_length = u64::from_le_bytes(field).min(length);
        let head: Head = serde_json::from_slice(&place.bytes(disk, head_length)?)
            .map_err(|error| Error::Weights(format!("the stored copy has a damaged head: {error}")))?;
        if head.form != layout(form) {
            let (found, expected) = (&head.form, layout(form));
            return Err(Error::Weights(format!("the stored copy is kept as {found}, expected {expected}")));
        }
        let tokenizer = head.tokenizer.map(|count| place.bytes(disk, count)).transpose()?;
        let mut config = Config::from_json(&head.config)?;
        config.tie_word_embeddings &= !head.untied;
        reserve(&config, form)?;
        let pending = expected_shapes(&config).into();
        let weights = Weights::with_report(head.report);
        Ok(Restoring { config: head.config, tokenizer, form, pending, weights, place })
    }

    /// How many bytes were read.
    pub fn position(&self) -> u64 {
        self.place.at
    }

    /// Reads the next tensor; false when none was left.
    ///
    /// # Errors
    /// [`Error::Weights`] when the file ends before it does; [`Error::Memory`]; those of the disk.
    pub fn step(&mut self, disk: &impl Disk) -> Result<bool> {
        let Some((name, shape)) = self.pending.pop_front() else { return Ok(false) };
        match (matrix_axes(&name), shape.as_slice()) {
            (Some(axes), &[first, second]) => {
                let matrix = Matrix::from_raw([first, second], axes, self.form, |words, count| {
                    self.place.read(disk, count, words)
                })?;
                self.weights.keep_matrix(name, matrix);
            }
            _ => {
                let mut values: Vec<f32> = Vec::new();
                self.place.read(disk, shape.iter().product(), &mut values)?;
                self.weights.keep_tensor(name, Tensor::from_vec(values, shape, &Device::Cpu)?);
            }
        }
        Ok(true)
    }

    /// The checkpoint, once all tensors are in.
    ///
    /// # Errors
    /// [`Error::Weights`] when the file goes on, or when [`Restoring::step`] was not called to the end.
    pub fn finish(self) -> Result<Checkpoint> {
        let Place { at, length, .. } = self.place;
        if at != length || !self.pending.is_empty() {
            let (found, expected) = (length, at);
            return Err(Error::Weights(format!("the stored copy has {found} bytes, expected {expected}")));
        }
        Ok(Checkpoint { config: self.config, tokenizer: self.tokenizer, weights: self.weights })
    }
}

/// Where in its file the copy was read to.
struct Place {
    start: u64,
    at: u64,
    length: u64,
}

impl Place {
    fn read<T: Pod>(&mut self, disk: &impl Disk, count: usize, to: &mut Vec<T>) -> Result<()> {
        let Place { start, at, length } = *self;
        let bytes = (count * size_of::<T>()) as u64;
        if bytes > length - at {
            return Err(self.cut_short());
        }
        disk.read(start + at, count, to)?;
        self.at += bytes;
        Ok(())
    }

    fn bytes(&mut self, disk: &impl Disk, count: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read(disk, usize::try_from(count).map_err(|_| self.cut_short())?, &mut bytes)?;
        Ok(bytes)
    }

    fn cut_short(&self) -> Error {
        Error::Weights(format!("the stored copy is cut short: it has {} bytes", self.length))
    }
}
