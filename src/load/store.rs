//! A loaded checkpoint to a file and back: [`CheckpointWriter`] writes it, [`CheckpointReader`] reads it.
//!
//! The file consists of these parts: the length of the header (u64, little-endian), the header as JSON, the bytes of
//! `tokenizer.json`, then every tensor in the order of [`expected_shapes`](crate::expected_shapes), matrices in their
//! packed layout. Biases that the model's files do not hold are not in it either. Each part is followed by the XXH3
//! checksum of its bytes, with the part's offset as the seed, so that swapped parts are detected too. Bytes are copied
//! directly between the file and the memory of the tensors, without a conversion. `www/worker/store.ts` manages the files
//! and knows which of them are complete.

use std::collections::{BTreeSet, VecDeque};

use bytemuck::Pod;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::checkpoint::{Config, Report, Weights, expected_shapes, matrix_axes, reserve};
use crate::error::{Error, Result};
use crate::kernel::{Matrix, WeightFormat, with_floats};
use crate::tokenizer::Tokenizer;

/// A file with random access.
pub trait Disk {
    /// Appends `count` values to `to`, whose bytes begin at `position`.
    ///
    /// # Errors
    /// When the file has fewer, or cannot be read.
    fn read<T: Pod>(&self, position: u64, count: usize, to: &mut Vec<T>) -> Result<()>;

    /// Writes all of `bytes` at `position`.
    ///
    /// # Errors
    /// When the file cannot hold all of `bytes`.
    fn write(&self, position: u64, bytes: &[u8]) -> Result<()>;
}

/// The files of a model, with the weights in memory.
pub struct Checkpoint {
    /// The config, as the weights require it.
    pub config: Config,
    /// Whose names and layout its tensors have.
    pub family: String,
    /// The format of its files.
    pub file_format: String,
    /// Notices about the config.
    pub report: Report,
    /// The bytes of `tokenizer.json`.
    pub tokenizer: Option<Vec<u8>>,
    /// The tensors.
    pub weights: Weights,
}

/// The header of the file.
#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(rename = "form")]
    layout: String,
    config: Config,
    family: String,
    file_format: String,
    /// The length of `tokenizer.json`.
    tokenizer: Option<u64>,
    /// The tensors that the model's files do not hold. They are zeros.
    filled: BTreeSet<String>,
    /// Notices about the config.
    config_report: Report,
    /// Notices about the weights.
    weights_report: Report,
}

/// The version of the packed layout of matrices. A copy with another version is not read.
const LAYOUT: u32 = 3;

fn layout(format: WeightFormat) -> String {
    format!("{} in panels of layout {LAYOUT}", format.name())
}

const LENGTH_BYTES: usize = 8;
const CHECKSUM_BYTES: usize = 8;
/// The checksum is updated after this many bytes, while they are still in the processor's cache.
const CHECKSUM_STEP: usize = 1 << 20;
/// The bytes that one step writes or hashes, which takes a few milliseconds. The worker answers other calls between
/// steps.
pub(super) const STEP: usize = 4 << 20;

/// Writes a checkpoint to a file in steps.
pub struct CheckpointWriter {
    /// The parts that are not written completely.
    parts: VecDeque<Part>,
    /// How many bytes of the first part are written, and their checksum.
    offset: usize,
    checksum: Xxh3,
    /// How many bytes of the file are written.
    position: u64,
    /// The length of the file.
    length: u64,
}

/// A part of the file.
pub(super) enum Part {
    Bytes(Vec<u8>),
    Tensor(Tensor),
    Matrix(Matrix),
}

impl CheckpointWriter {
    /// A writer for a checkpoint whose weights are in `format`.
    ///
    /// # Errors
    /// [`Error::Weights`] when the matrices are not packed.
    pub fn new(checkpoint: Checkpoint, format: WeightFormat) -> Result<CheckpointWriter> {
        let Checkpoint { config, family, file_format, report, tokenizer, weights } = checkpoint;
        let config = weights.config(config);
        let tensors = tensors(&config, &weights)?;
        let header = Header {
            layout: layout(format),
            config,
            family,
            file_format,
            tokenizer: tokenizer.as_ref().map(|bytes| bytes.len() as u64),
            filled: weights.filled().clone(),
            config_report: report,
            weights_report: weights.report().clone(),
        };
        let header = serde_json::to_vec(&header).map_err(Error::Json)?;
        let length = (header.len() as u64).to_le_bytes().to_vec();
        let mut parts = VecDeque::from([Part::Bytes(length), Part::Bytes(header)]);
        parts.extend(tokenizer.map(Part::Bytes));
        parts.extend(tensors);
        let lengths =
            parts.iter().map(|part| part.with(|bytes| Ok((bytes.len() + CHECKSUM_BYTES) as u64)));
        let total = lengths.sum::<Result<u64>>()?;
        Ok(CheckpointWriter {
            parts,
            offset: 0,
            checksum: Xxh3::with_seed(0),
            position: 0,
            length: total,
        })
    }

    /// The length of the complete file in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Writes up to 4 MB; false when nothing was left. The file begins at `start` of `disk`.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn step(&mut self, disk: &impl Disk, start: u64) -> Result<bool> {
        let Some(part) = self.parts.front() else { return Ok(false) };
        let (offset, position, checksum) = (self.offset, start + self.position, &mut self.checksum);
        let (written, finished) = part.with(|bytes| {
            let piece = &bytes[offset..bytes.len().min(offset + STEP)];
            disk.write(position, piece)?;
            checksum.update(piece);
            Ok((piece.len(), offset + piece.len() == bytes.len()))
        })?;
        self.position += written as u64;
        self.offset += written;
        if finished {
            disk.write(start + self.position, &self.checksum.digest().to_le_bytes())?;
            self.position += CHECKSUM_BYTES as u64;
            self.parts.pop_front();
            self.offset = 0;
            self.checksum = Xxh3::with_seed(self.position);
        }
        Ok(true)
    }
}

/// Every tensor of a checkpoint's files as it is in memory.
pub(super) fn tensors(config: &Config, weights: &Weights) -> Result<Vec<Part>> {
    let part = |(name, _): (String, _)| match matrix_axes(&name) {
        None => Ok(Part::Tensor(weights.tensor(&name)?.contiguous()?)),
        Some(_) => Ok(Part::Matrix(weights.matrix(&name)?)),
    };
    held(config, weights).map(part).collect()
}

/// The names and shapes of the tensors that the files hold.
fn held(config: &Config, weights: &Weights) -> impl Iterator<Item = (String, Vec<usize>)> {
    let is_held = |(name, _): &(String, _)| !weights.filled().contains(name);
    expected_shapes(config).into_iter().filter(is_held)
}

impl Part {
    /// Calls `f` with the bytes of the part.
    pub(super) fn with<T>(&self, f: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        match self {
            Part::Bytes(bytes) => f(bytes),
            Part::Tensor(tensor) => {
                with_floats(tensor, |values| Ok(f(bytemuck::cast_slice(values))))?
            }
            Part::Matrix(matrix) => match matrix.raw() {
                Some(panels) => f(panels),
                None => Err(Error::matrix_not_packed()),
            },
        }
    }
}

/// Reads a checkpoint from a file in steps.
pub struct CheckpointReader {
    format: WeightFormat,
    /// The tensors that are not read yet.
    pending: VecDeque<(String, Vec<usize>)>,
    /// What was read.
    checkpoint: Checkpoint,
    tokenizer: Option<Tokenizer>,
    cursor: Cursor,
}

impl CheckpointReader {
    /// Reads the header and reserves the memory of the weights. The file is the `length` bytes from `start` of `disk`.
    ///
    /// # Errors
    /// [`Error::Weights`] when the file does not hold a checkpoint in this format, or is damaged; [`Error::Tokenizer`]
    /// when its tokenizer cannot be used; [`Error::Memory`] when it does not fit.
    pub fn new(
        disk: &impl Disk,
        start: u64,
        length: u64,
        format: WeightFormat,
    ) -> Result<CheckpointReader> {
        let mut cursor = Cursor { start, position: 0, length };
        let field: [u8; LENGTH_BYTES] =
            cursor.bytes(disk, LENGTH_BYTES as u64)?.try_into().unwrap_or_default();
        let header: Header =
            serde_json::from_slice(&cursor.bytes(disk, u64::from_le_bytes(field))?)
                .map_err(|_| Error::Weights("the header of the stored copy is damaged".into()))?;
        if header.layout != layout(format) {
            let (found, expected) = (&header.layout, layout(format));
            return Err(Error::Weights(format!(
                "the stored copy is kept as {found}, expected {expected}"
            )));
        }
        let bytes = header.tokenizer.map(|count| cursor.bytes(disk, count)).transpose()?;
        let tokenizer = bytes.as_deref().map(Tokenizer::from_json).transpose()?;
        let Header { config, family, file_format, filled, .. } = header;
        reserve(&config, format)?;
        let mut weights = Weights::with_report(header.weights_report);
        for (name, shape) in expected_shapes(&config) {
            if filled.contains(&name) {
                weights.fill(name, &shape)?;
            }
        }
        let pending = held(&config, &weights).collect();
        let report = header.config_report;
        let checkpoint =
            Checkpoint { config, family, file_format, report, tokenizer: bytes, weights };
        Ok(CheckpointReader { format, pending, checkpoint, tokenizer, cursor })
    }

    /// How many bytes of the file were read.
    pub fn position(&self) -> u64 {
        self.cursor.position
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
                        self.cursor.read(disk, count, words)
                    })?;
                self.checkpoint.weights.insert_matrix(name, matrix);
            }
            _ => {
                let mut values: Vec<f32> = Vec::new();
                self.cursor.read(disk, shape.iter().product(), &mut values)?;
                let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?;
                self.checkpoint.weights.insert_tensor(name, tensor);
            }
        }
        Ok(true)
    }

    /// The checkpoint, after the last step.
    ///
    /// # Errors
    /// [`Error::Weights`] when the file is longer, or when [`CheckpointReader::step`] did not read all tensors.
    pub fn finish(self) -> Result<Restored> {
        let Cursor { position, length, .. } = self.cursor;
        if position != length || !self.pending.is_empty() {
            let (found, expected) = (length, position);
            return Err(Error::Weights(format!(
                "the stored copy has {found} bytes, expected {expected}"
            )));
        }
        Ok(Restored { checkpoint: self.checkpoint, tokenizer: self.tokenizer })
    }
}

/// A checkpoint from a file, with its tokenizer parsed.
pub struct Restored {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Its tokenizer, parsed.
    pub tokenizer: Option<Tokenizer>,
}

/// The position in the file.
struct Cursor {
    /// Where the file begins on the disk.
    start: u64,
    position: u64,
    length: u64,
}

impl Cursor {
    /// Appends the next part to `to` and verifies its checksum.
    fn read<T: Pod>(&mut self, disk: &impl Disk, count: usize, to: &mut Vec<T>) -> Result<()> {
        let bytes = (count as u64).checked_mul(size_of::<T>() as u64);
        let left = self.length - self.position;
        if bytes
            .and_then(|bytes| bytes.checked_add(CHECKSUM_BYTES as u64))
            .is_none_or(|bytes| bytes > left)
        {
            return Err(self.truncated());
        }
        to.try_reserve_exact(count)
            .map_err(|_| Error::Memory(format!("no room for {count} numbers of a stored copy")))?;
        let mut checksum = Xxh3::with_seed(self.position);
        let mut left = count;
        while left > 0 {
            let (from, piece) = (to.len(), left.min(CHECKSUM_STEP / size_of::<T>()));
            disk.read(self.start + self.position, piece, to)?;
            checksum.update(bytemuck::cast_slice(&to[from..]));
            self.position += (piece * size_of::<T>()) as u64;
            left -= piece;
        }
        let mut expected: Vec<u8> = Vec::new();
        disk.read(self.start + self.position, CHECKSUM_BYTES, &mut expected)?;
        self.position += CHECKSUM_BYTES as u64;
        if expected != checksum.digest().to_le_bytes() {
            return Err(Error::Weights(format!(
                "the stored copy is damaged: the checksum before byte {} is not that of what it holds",
                self.position
            )));
        }
        Ok(())
    }

    fn bytes(&mut self, disk: &impl Disk, count: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read(disk, usize::try_from(count).map_err(|_| self.truncated())?, &mut bytes)?;
        Ok(bytes)
    }

    fn truncated(&self) -> Error {
        Error::Weights(format!("the stored copy is cut short: it has {} bytes", self.length))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::model::Model;

    struct Memory(RefCell<Vec<u8>>);

    impl Disk for Memory {
        fn read<T: Pod>(&self, position: u64, count: usize, to: &mut Vec<T>) -> Result<()> {
            let bytes = &self.0.borrow()[position as usize..][..count * size_of::<T>()];
            to.extend(bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned::<T>));
            Ok(())
        }

        fn write(&self, _: u64, bytes: &[u8]) -> Result<()> {
            self.0.borrow_mut().extend(bytes);
            Ok(())
        }
    }

    #[test]
    fn biases_that_no_file_holds_stay_filled_and_take_no_space() {
        let (n_layer, n_head, n_embd, n_positions, vocab_size) = (1, 2, 4, 3, 7);
        let config =
            Config { n_layer, n_head, n_embd, n_positions, vocab_size, ..Config::default() };
        let mut weights = Weights::default();
        for (name, shape) in expected_shapes(&config) {
            if name.ends_with("bias") {
                weights.fill(name, &shape).unwrap();
            } else {
                let values = Tensor::ones(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
                weights.insert_tensor(name, values);
            }
        }
        let weights = weights.in_format(WeightFormat::F32).unwrap();
        let count =
            |weights: &Weights| Model::new(config.clone(), weights).unwrap().parameter_count();
        let expected = (7 + 3) * 4 + 4 * 12 + 4 * 4 + 2 * 4 * 16 + 3 * 4;
        assert_eq!(count(&weights), expected);
        let (family, file_format) = ("nanoGPT".to_string(), "PyTorch".to_string());
        let report = Report::default();
        let checkpoint = Checkpoint {
            config: config.clone(),
            family,
            file_format,
            report,
            tokenizer: None,
            weights: weights.clone(),
        };
        let mut writer = CheckpointWriter::new(checkpoint, WeightFormat::F32).unwrap();
        let (disk, length) = (Memory(RefCell::default()), writer.length());
        while writer.step(&disk, 0).unwrap() {}
        let mut reader = CheckpointReader::new(&disk, 0, length, WeightFormat::F32).unwrap();
        while reader.step(&disk).unwrap() {}
        let restored = reader.finish().unwrap().checkpoint;
        assert_eq!(restored.weights.filled(), weights.filled());
        assert_eq!(count(&restored.weights), expected);
        assert_eq!(restored.family, "nanoGPT");
    }
}
