//! A loaded checkpoint to a file and back, as it lies in memory: [`Keeping`] writes it, [`Restoring`] reads it.
//!
//! The file is the head's length, the head, the bytes of `tokenizer.json`, then every tensor in the order of
//! [`expected_shapes`](crate::expected_shapes), matrices in the panels in which they are multiplied with. After each of
//! these parts is the checksum of its bytes, XXH3 with the part's place as seed, so that a part in another's place is
//! noticed too. Bytes go straight between the file and the memory that the model computes from: no second copy, no
//! conversion. `www/store.js` knows which files there are, and whether one was written to its end.

use std::collections::VecDeque;

use bytemuck::Pod;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::kernel::with_floats;
use crate::kernel::{Matrix, WeightFormat};
use crate::report::Report;
use crate::tokenizer::Tokenizer;
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

fn layout(format: WeightFormat) -> String {
    format!("{} in panels of layout {LAYOUT}", format.name())
}

const LENGTH_BYTES: usize = 8;
const CHECKSUM_BYTES: usize = 8;
/// Bytes that are read before the checksum is updated with them: few enough to be in the processor's cache still.
const READ_STEP: usize = 1 << 20;
/// What is written at once: a few milliseconds, so that whoever asks in between is answered soon.
const STEP: usize = 4 << 20;

/// A checkpoint on its way into a file.
pub struct Keeping {
    parts: VecDeque<Part>,
    /// How much of the first part is in the file, and the checksum of that.
    offset: usize,
    checksum: Xxh3,
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
    /// [`Error::Weights`] when the weights are not in the format that is kept.
    pub fn new(checkpoint: Checkpoint, format: WeightFormat) -> Result<Keeping> {
        let Checkpoint { config: text, tokenizer, weights } = checkpoint;
        let parsed = Config::from_json(&text)?;
        let effective = weights.config(parsed.clone());
        let head = Head {
            form: layout(format),
            config: text,
            tokenizer: tokenizer.as_ref().map(|bytes| bytes.len() as u64),
            untied: effective != parsed,
            report: weights.report().clone(),
        };
        let head = serde_json::to_vec(&head).map_err(Error::Json)?;
        let length = (head.len() as u64).to_le_bytes().to_vec();
        let mut parts = VecDeque::from([Part::Bytes(length), Part::Bytes(head)]);
        parts.extend(tokenizer.map(Part::Bytes));
        parts.extend(tensors(&effective, &weights)?);
        let lengths =
            parts.iter().map(|part| part.with(|bytes| Ok((bytes.len() + CHECKSUM_BYTES) as u64)));
        let end = lengths.sum::<Result<u64>>()?;
        Ok(Keeping { parts, offset: 0, checksum: Xxh3::with_seed(0), at: 0, end })
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
        let (offset, at, checksum) = (self.offset, start + self.at, &mut self.checksum);
        let (written, finished) = part.with(|bytes| {
            let piece = &bytes[offset..bytes.len().min(offset + STEP)];
            disk.write(at, piece)?;
            checksum.update(piece);
            Ok((piece.len(), offset + piece.len() == bytes.len()))
        })?;
        self.at += written as u64;
        self.offset += written;
        if finished {
            disk.write(start + self.at, &self.checksum.digest().to_le_bytes())?;
            self.at += CHECKSUM_BYTES as u64;
            self.parts.pop_front();
            self.offset = 0;
            self.checksum = Xxh3::with_seed(self.at);
        }
        Ok(true)
    }
}

/// Every tensor of a checkpoint as it is held in memory.
fn tensors(config: &Config, weights: &Weights) -> Result<Vec<Part>> {
    let part = |(name, _): (String, _)| match matrix_axes(&name) {
        None => Ok(Part::Tensor(weights.tensor(&name)?.contiguous()?)),
        Some(_) => Ok(Part::Matrix(weights.matrix(&name)?)),
    };
    expected_shapes(config).into_iter().map(part).collect()
}

impl Part {
    fn with<T>(&self, f: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        match self {
            Part::Bytes(bytes) => f(bytes),
            Part::Tensor(tensor) => {
                with_floats(tensor, |values| Ok(f(bytemuck::cast_slice(values))))?
            }
            Part::Matrix(matrix) => match matrix.raw() {
                Some(panels) => f(panels),
                None => Err(Error::Weights(
                    "a matrix that is not packed cannot be stored; report this as a bug".into(),
                )),
            },
        }
    }
}

/// Hashes a model's config, tokenizer and weights in steps. Models with equal hashes give equal answers. It
/// keeps the weights alive.
pub struct Fingerprint {
    parts: VecDeque<Part>,
    offset: usize,
    hash: Xxh3,
}

impl Fingerprint {
    /// # Errors
    /// [`Error::Weights`] when a tensor is missing.
    pub fn new(
        config: &Config,
        tokenizer: Option<&Tokenizer>,
        weights: &Weights,
    ) -> Result<Fingerprint> {
        let config = &weights.config(config.clone());
        let config_json = serde_json::to_vec(config).map_err(Error::Json)?;
        let tokenizer = tokenizer.map_or(0, Tokenizer::fingerprint).to_le_bytes();
        let mut parts = VecDeque::from([Part::Bytes(config_json), Part::Bytes(tokenizer.to_vec())]);
        parts.extend(tensors(config, weights)?);
        Ok(Fingerprint { parts, offset: 0, hash: Xxh3::new() })
    }

    /// Reads some megabytes; the 64 bits of XXH3 in hexadecimal digits once all were read.
    ///
    /// # Errors
    /// [`Error::Weights`] when the weights are not in a format that is kept.
    pub fn step(&mut self) -> Result<Option<String>> {
        let Some(part) = self.parts.front() else {
            return Ok(Some(format!("{:016x}", self.hash.digest())));
        };
        let (offset, hash) = (self.offset, &mut self.hash);
        let (end, finished) = part.with(|bytes| {
            let end = bytes.len().min(offset + STEP);
            hash.update(&bytes[offset..end]);
            Ok((end, end == bytes.len()))
        })?;
        self.offset = end;
        if finished {
            self.parts.pop_front();
            self.offset = 0;
        }
        Ok(None)
    }
}

/// A checkpoint on its way back from a file.
pub struct Restoring {
    config: String,
    tokenizer: Option<Vec<u8>>,
    parsed: (Config, Report, Option<Tokenizer>),
    format: WeightFormat,
    pending: VecDeque<(String, Vec<usize>)>,
    weights: Weights,
    place: Place,
}

impl Restoring {
    /// Reads the head and reserves the memory. The file is the `length` bytes from `start` of `disk`.
    ///
    /// # Errors
    /// [`Error::Weights`] when the file does not hold a checkpoint in this format, or is damaged; [`Error::Config`] and
    /// [`Error::Tokenizer`] when its config or tokenizer cannot be used; [`Error::Memory`] when it does not fit.
    pub fn new(
        disk: &impl Disk,
        start: u64,
        length: u64,
        format: WeightFormat,
    ) -> Result<Restoring> {
        let mut place = Place { start, at: 0, length };
        let field: [u8; LENGTH_BYTES] =
            place.bytes(disk, LENGTH_BYTES as u64)?.try_into().unwrap_or_default();
        let head: Head = serde_json::from_slice(&place.bytes(disk, u64::from_le_bytes(field))?)
            .map_err(|_| Error::Weights("the header of the stored copy is damaged".into()))?;
        if head.form != layout(format) {
            let (found, expected) = (&head.form, layout(format));
            return Err(Error::Weights(format!(
                "the stored copy is kept as {found}, expected {expected}"
            )));
        }
        let tokenizer = head.tokenizer.map(|count| place.bytes(disk, count)).transpose()?;
        let (mut config, report) = Config::read(&head.config)?;
        let parsed =
            (config.clone(), report, tokenizer.as_deref().map(Tokenizer::from_json).transpose()?);
        config.tie_word_embeddings &= !head.untied;
        reserve(&config, format)?;
        let pending = expected_shapes(&config).into();
        let weights = Weights::with_report(head.report);
        Ok(Restoring { config: head.config, tokenizer, parsed, format, pending, weights, place })
    }

    /// How many bytes were read.
    pub fn position(&self) -> u64 {
        self.place.at
    }

    /// Reads the next tensor; false when none was left.
    ///
    /// # Errors
    /// [`Error::Weights`] when the file is damaged or ends too early; [`Error::Memory`]; those of the disk.
    pub fn step(&mut self, disk: &impl Disk) -> Result<bool> {
        let Some((name, shape)) = self.pending.pop_front() else { return Ok(false) };
        match (matrix_axes(&name), shape.as_slice()) {
            (Some(axes), &[first, second]) => {
                let matrix =
                    Matrix::from_raw([first, second], axes, self.format, |words, count| {
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
    pub fn finish(self) -> Result<Restored> {
        let Place { at, length, .. } = self.place;
        if at != length || !self.pending.is_empty() {
            let (found, expected) = (length, at);
            return Err(Error::Weights(format!(
                "the stored copy has {found} bytes, expected {expected}"
            )));
        }
        let (config, report, tokenizer) = self.parsed;
        let checkpoint =
            Checkpoint { config: self.config, tokenizer: self.tokenizer, weights: self.weights };
        Ok(Restored { checkpoint, config, report, tokenizer })
    }
}

/// A checkpoint from a copy, and what was read of it already.
pub struct Restored {
    pub checkpoint: Checkpoint,
    pub config: Config,
    /// About the config.
    pub report: Report,
    pub tokenizer: Option<Tokenizer>,
}

/// Where in its file the copy was read to.
struct Place {
    start: u64,
    at: u64,
    length: u64,
}

impl Place {
    /// Appends the next part, and checks it against the checksum after it.
    fn read<T: Pod>(&mut self, disk: &impl Disk, count: usize, to: &mut Vec<T>) -> Result<()> {
        let bytes = (count as u64).checked_mul(size_of::<T>() as u64);
        let left = self.length - self.at;
        if bytes
            .and_then(|bytes| bytes.checked_add(CHECKSUM_BYTES as u64))
            .is_none_or(|bytes| bytes > left)
        {
            return Err(self.cut_short());
        }
        to.try_reserve_exact(count)
            .map_err(|_| Error::Memory(format!("no room for {count} numbers of a stored copy")))?;
        let mut checksum = Xxh3::with_seed(self.at);
        let mut left = count;
        while left > 0 {
            let (from, piece) = (to.len(), left.min(READ_STEP / size_of::<T>()));
            disk.read(self.start + self.at, piece, to)?;
            checksum.update(bytemuck::cast_slice(&to[from..]));
            self.at += (piece * size_of::<T>()) as u64;
            left -= piece;
        }
        let mut expected: Vec<u8> = Vec::new();
        disk.read(self.start + self.at, CHECKSUM_BYTES, &mut expected)?;
        self.at += CHECKSUM_BYTES as u64;
        if expected != checksum.digest().to_le_bytes() {
            return Err(Error::Weights(format!(
                "the stored copy is damaged: the checksum before byte {} is not that of what it holds",
                self.at
            )));
        }
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
