//! safetensors bytes, in pieces of any size and of one file or several, to [`Weights`].
//!
//! Each piece goes directly into its tensor, or row by row into the format of its matrix. A load therefore needs the
//! memory of the weights and of one piece.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::ops::Range;

use super::config::Config;
use super::dtype::Dtype;
use super::header::{self, Entry};
use super::role::{self, Role};
use super::shapes::{check_shape, expected_shapes, missing, without_prefix};
use super::tensor_reader::TensorReader;
use super::weights::{Weights, bytes_needed, out_of_memory, reserve};
use crate::error::{Error, Result, shortened};
use crate::kernel::WeightFormat;

/// Reads the safetensors file or files of a checkpoint in pieces.
///
/// When a header is complete, its tensors are checked against the config and the memory for all of them is reserved,
/// so that a load that cannot succeed fails before the download goes on.
pub struct WeightsReader {
    config: Config,
    format: WeightFormat,
    expected: role::Shapes,
    /// The file of each tensor, according to the index of a checkpoint in several files.
    index: Option<BTreeMap<String, String>>,
    /// The tensors of all files so far.
    seen: HashSet<String>,
    /// Whether there are several files. The header of a single file shows whether a tensor is missing.
    sharded: bool,
    reserved: bool,
    file: FileReader,
    weights: Weights,
}

impl Weights {
    /// Reads a safetensors file that is in memory.
    ///
    /// # Errors
    /// As [`WeightsReader::push`] and [`WeightsReader::finish`].
    pub fn from_bytes(config: &Config, bytes: &[u8]) -> Result<Weights> {
        let mut reader = WeightsReader::new(config, Some(bytes.len() as u64));
        reader.push(bytes)?;
        reader.finish()
    }
}

impl WeightsReader {
    /// A reader for one file. `total` is the length of the file in bytes, if it is known.
    pub fn new(config: &Config, total: Option<u64>) -> WeightsReader {
        WeightsReader::with_format(config, total, WeightFormat::default())
    }

    /// A reader that converts matrices to `format`.
    pub fn with_format(config: &Config, total: Option<u64>, format: WeightFormat) -> WeightsReader {
        WeightsReader {
            config: config.clone(),
            format,
            expected: expected_shapes(config).into_iter().collect(),
            index: None,
            seen: HashSet::new(),
            sharded: false,
            reserved: false,
            file: FileReader::new("model.safetensors", total),
            weights: Weights::default(),
        }
    }

    /// A reader of a checkpoint in several files: [`WeightsReader::next_file`] comes before each but the first.
    pub fn sharded(config: &Config, total: Option<u64>, format: WeightFormat) -> WeightsReader {
        WeightsReader { sharded: true, ..WeightsReader::with_format(config, total, format) }
    }

    /// Sets the name of the file, for messages and for [`WeightsReader::expect`].
    pub fn name_file(&mut self, name: &str) {
        self.file.name = name.to_string();
    }

    /// Sets the file of each tensor, whose name has no prefix `transformer.`. The files must hold exactly these tensors.
    pub fn expect(&mut self, files: BTreeMap<String, String>) {
        self.index = Some(files);
    }

    /// Begins the next file.
    ///
    /// # Errors
    /// [`Error::Weights`] when the file before was truncated.
    pub fn next_file(&mut self, total: Option<u64>) -> Result<()> {
        self.file.check_end().map_err(|error| error.in_file(&self.file.name))?;
        self.file = FileReader::new("the next file", total);
        Ok(())
    }

    /// Reads the next piece of the file.
    ///
    /// # Errors
    /// [`Error::Weights`] when this is not a safetensors file; when a tensor is missing, has another shape than the
    /// config says, or a dtype other than F32, F16 and BF16; when a tensor would change what the model computes; when
    /// the format cannot represent a value. [`Error::Memory`] when the weights do not fit.
    pub fn push(&mut self, piece: &[u8]) -> Result<()> {
        self.read(piece).map_err(|error| error.in_file(&self.file.name))
    }

    fn read(&mut self, piece: &[u8]) -> Result<()> {
        let piece = if self.file.pending.is_none() { self.read_header(piece)? } else { piece };
        self.read_data(piece)
    }

    /// How many bytes of the file were read or skipped.
    pub fn position(&self) -> u64 {
        self.file.position
    }

    /// The length of the file, and the ranges of its bytes after [`WeightsReader::position`] that are needed. None
    /// before the header is complete.
    pub fn needed(&self) -> Option<(u64, Vec<Range<u64>>)> {
        let mut start = self.file.position;
        let mut needed: Vec<Range<u64>> = Vec::new();
        for span in self.file.pending.as_ref()? {
            let end = start + span.bytes_left;
            match needed.last_mut() {
                _ if span.tensor.is_none() => {}
                Some(last) if last.end == start => last.end = end,
                _ => needed.push(start..end),
            }
            start = end;
        }
        Some((self.file.end, needed))
    }

    /// Skips bytes of the file that are not needed.
    ///
    /// # Errors
    /// [`Error::Weights`] when some of them are needed.
    pub fn skip_to(&mut self, position: u64) -> Result<()> {
        while self.file.position < position {
            let left = position - self.file.position;
            match self.file.pending.as_mut().and_then(VecDeque::front_mut) {
                Some(Span { tensor: None, bytes_left }) => {
                    let skipped = left.min(*bytes_left);
                    *bytes_left -= skipped;
                    self.file.position += skipped;
                }
                _ => {
                    return Err(Error::Weights(format!(
                        "{left} bytes before byte {position} were skipped but are needed; report this as a bug"
                    )));
                }
            }
            self.file.finish_span(&mut self.weights)?;
        }
        Ok(())
    }

    /// The weights, after the last piece.
    ///
    /// # Errors
    /// [`Error::Weights`] when a file was truncated, or when a tensor was in none of the files.
    pub fn finish(mut self) -> Result<Weights> {
        self.file.check_end().map_err(|error| error.in_file(&self.file.name))?;
        self.check_complete(|name| self.weights.contains(name))?;
        self.weights.drop_tied_head(&self.config)?;
        Ok(self.weights)
    }

    /// Collects the header; returns the bytes of `piece` after it.
    fn read_header<'p>(&mut self, piece: &'p [u8]) -> Result<&'p [u8]> {
        let file = &mut self.file;
        let wanted = header::length(&file.header, file.total)?;
        let (start, rest) =
            piece.split_at(wanted.saturating_sub(file.header.len()).min(piece.len()));
        file.header.extend_from_slice(start);
        file.position += start.len() as u64;
        if file.header.len() < header::LENGTH_BYTES
            || file.header.len() < header::length(&file.header, file.total)?
        {
            // The length of the header is known only after its first eight bytes, so `rest` may continue it.
            return if rest.is_empty() { Ok(rest) } else { self.read_header(rest) };
        }
        let entries = header::parse(&file.header)?;
        file.end = entries.last().map_or(file.header.len() as u64, |last| last.bytes.end);
        file.check_total()?;
        file.header = Vec::new();
        self.file.pending = Some(self.spans(&entries)?);
        Ok(rest)
    }

    /// Checks the tensors of the file against the config and reserves their memory, in the file's order.
    fn spans(&mut self, entries: &[Entry]) -> Result<VecDeque<Span>> {
        if !self.sharded {
            let found: HashSet<&str> =
                entries.iter().map(|entry| without_prefix(&entry.key)).collect();
            self.check_complete(|name| found.contains(name))?;
        }
        self.check_index(entries)?;
        let roles = entries.iter().map(|entry| self.role(entry)).collect::<Result<Vec<_>>>()?;
        if !std::mem::replace(&mut self.reserved, true) {
            reserve(&self.config_with(&roles), self.format)?;
        }
        let both = entries.iter().zip(&roles);
        let mut spans = both
            .clone()
            .map(|(entry, role)| self.span(entry, *role))
            .collect::<Result<VecDeque<_>>>()?;
        spans.retain(|span| span.bytes_left > 0);
        let ignored = both
            .filter(|(_, role)| **role == Role::OtherTask)
            .map(|(entry, _)| without_prefix(&entry.key));
        self.weights.report_mut().ignored_heads(&self.file.name, ignored);
        Ok(spans)
    }

    /// Checks that the file holds exactly the tensors that the index lists for it.
    fn check_index(&self, entries: &[Entry]) -> Result<()> {
        let Some(index) = &self.index else { return Ok(()) };
        let own = &self.file.name;
        for name in entries.iter().map(|entry| without_prefix(&entry.key)) {
            let place = match index.get(name) {
                Some(file) if file == own => continue,
                Some(file) => format!("in {}", shortened(file)),
                None => "nowhere".into(),
            };
            let name = shortened(name);
            return Err(Error::Weights(format!(
                "the file contains `{name}`, which the list of files has {place}"
            )));
        }
        let found: HashSet<&str> = entries.iter().map(|entry| without_prefix(&entry.key)).collect();
        match index.iter().find(|(name, file)| *file == own && !found.contains(name.as_str())) {
            Some((name, _)) => Err(Error::Weights(format!(
                "the list of files names this file for `{}`, but the file does not contain it",
                shortened(name)
            ))),
            None => Ok(()),
        }
    }

    /// The config of the model, if tensors of these roles are in its files.
    fn config_with(&self, roles: &[Role]) -> Config {
        let tied = self.config.tie_word_embeddings && !roles.contains(&Role::Head);
        Config { tie_word_embeddings: tied, ..self.config.clone() }
    }

    fn check_complete(&self, is_there: impl Fn(&str) -> bool) -> Result<()> {
        // The first in the order of names, so that the message is deterministic.
        match self.expected.iter().filter(|(name, _)| !is_there(name)).min() {
            Some((name, shape)) => Err(missing(name, shape)),
            None => Ok(()),
        }
    }

    /// The role of a tensor, which is checked against the config.
    fn role(&mut self, entry: &Entry) -> Result<Role> {
        let name = without_prefix(&entry.key);
        if !self.seen.insert(name.to_string()) {
            let where_else =
                if self.sharded { "is in two of the files, or in one" } else { "is there" };
            return Err(Error::Weights(format!(
                "`{name}` {where_else} under two names, with and without `transformer.`"
            )));
        }
        let role = role::of(name, &self.config, &self.expected)?;
        let Some(expected) = self.shape(name, role) else { return Ok(role) };
        let expected: Vec<u64> = expected.iter().map(|length| *length as u64).collect();
        check_shape(name, &entry.shape, &expected)?;
        match Dtype::named(&entry.dtype) {
            Some(_) => Ok(role),
            None => {
                let found = &entry.dtype;
                Err(Error::Weights(format!(
                    "`{name}` has dtype {found}, expected F32, F16 or BF16"
                )))
            }
        }
    }

    /// The shape of a tensor that is read; None if it is skipped.
    fn shape(&self, name: &str, role: Role) -> Option<Vec<usize>> {
        match role {
            Role::Parameter => self.expected.get(name).cloned(),
            Role::Head => Some(vec![self.config.vocab_size, self.config.n_embd]),
            Role::HeadBias => Some(vec![self.config.vocab_size]),
            Role::Buffer | Role::OtherTask => None,
        }
    }

    fn span(&self, entry: &Entry, role: Role) -> Result<Span> {
        let name = without_prefix(&entry.key);
        let bytes_left = entry.bytes.end - entry.bytes.start;
        let needed = self.shape(name, role).zip(Dtype::named(&entry.dtype));
        let Some((shape, dtype)) = needed else { return Ok(Span { tensor: None, bytes_left }) };
        let tensor = TensorReader::new(name, &shape, dtype, self.format)
            .map_err(|_| out_of_memory(bytes_needed(&self.config, self.format)))?;
        let tensor = tensor.must_be_zero(role == Role::HeadBias);
        Ok(Span { tensor: Some(tensor), bytes_left })
    }

    fn read_data(&mut self, mut piece: &[u8]) -> Result<()> {
        while !piece.is_empty() {
            let Some(pending) = &mut self.file.pending else { return Ok(()) };
            let Some(span) = pending.front_mut() else {
                let extra = piece.len();
                return Err(Error::Weights(format!(
                    "the file goes on for {extra} bytes after its last tensor"
                )));
            };
            let own = span.bytes_left.min(piece.len() as u64) as usize;
            let (own, rest) = piece.split_at(own);
            span.push(own)?;
            self.file.position += own.len() as u64;
            self.file.finish_span(&mut self.weights)?;
            piece = rest;
        }
        Ok(())
    }
}

/// The file that is being read.
struct FileReader {
    name: String,
    /// Its length, if it is known.
    total: Option<u64>,
    /// The bytes of the header that have arrived, until it is complete.
    header: Vec<u8>,
    /// The bytes after `position`, once the header is complete.
    pending: Option<VecDeque<Span>>,
    /// How many bytes were read or skipped.
    position: u64,
    /// Its length according to its header.
    end: u64,
}

impl FileReader {
    fn new(name: &str, total: Option<u64>) -> FileReader {
        FileReader {
            name: name.to_string(),
            total,
            header: Vec::new(),
            pending: None,
            position: 0,
            end: 0,
        }
    }

    fn check_total(&self) -> Result<()> {
        let promised = self.end;
        match self.total {
            Some(total) if total < promised => Err(truncated(total, promised)),
            Some(total) if total > promised => Err(Error::Weights(format!(
                "the file has {total} bytes, {} more than its header promises",
                total - promised
            ))),
            _ => Ok(()),
        }
    }

    fn check_end(&self) -> Result<()> {
        match self.pending {
            None => Err(Error::Weights(format!(
                "not a safetensors file: it ends after {} bytes, inside its header",
                self.position
            ))),
            Some(_) if self.position < self.end => Err(truncated(self.position, self.end)),
            Some(_) => Ok(()),
        }
    }

    /// Inserts the tensor of the first span into `weights` if all of its bytes were read.
    fn finish_span(&mut self, weights: &mut Weights) -> Result<()> {
        let Some(pending) = &mut self.pending else { return Ok(()) };
        if pending.front().is_none_or(|span| span.bytes_left > 0) {
            return Ok(());
        }
        match pending.pop_front().and_then(|span| span.tensor) {
            Some(tensor) => tensor.finish(weights),
            None => Ok(()),
        }
    }
}

fn truncated(found: u64, promised: u64) -> Error {
    Error::Weights(format!(
        "the file is cut short: it has {found} bytes, its header promises {promised}"
    ))
}

/// The bytes of a tensor in the file. Those without a reader are skipped.
struct Span {
    tensor: Option<TensorReader>,
    bytes_left: u64,
}

impl Span {
    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes_left -= bytes.len() as u64;
        match &mut self.tensor {
            Some(tensor) => tensor.push(bytes),
            None => Ok(()),
        }
    }
}
