//! safetensors bytes, in pieces of any size and of one file or several, to [`Weights`].
//!
//! Each piece goes directly into its tensor, or row by row into the format of its matrix. A load therefore needs the
//! memory of the weights and of one piece.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::ops::Range;

use super::assembler::Assembler;
use super::config::Config;
use super::family::name_of;
use super::header::{self, Entry};
use super::plan::{self, Plan};
use super::stored::{Contents, StoredTensor};
use super::weights::Weights;
use crate::error::{Error, Result, shortened};
use crate::kernel::WeightFormat;

/// Reads the safetensors file or files of a checkpoint in pieces.
///
/// When a header is complete, its tensors are checked against the config and the memory for all of them is reserved,
/// so that a load that cannot succeed fails before the download goes on.
pub struct WeightsReader {
    source: Source,
    format: WeightFormat,
    /// The file of each tensor, according to the index of a checkpoint in several files.
    index: Option<BTreeMap<String, String>>,
    /// The tensors of all files so far.
    seen: Vec<StoredTensor>,
    /// Whether there are several files. The header of a single file shows whether a tensor is missing.
    sharded: bool,
    file: FileReader,
    /// Once the first header is complete.
    assembler: Option<Assembler>,
}

/// What the files are compared with.
enum Source {
    /// The config is known.
    Config(Config),
    /// The config follows from these texts and from the header: `config.json`, and what the caller says.
    Texts { config: Option<String>, overrides: Option<String> },
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
        WeightsReader::new_of(Source::Config(config.clone()), total, format, false)
    }

    /// A reader for one file of any family. `config` is the text of `config.json`, `overrides` the fields that the caller
    /// gives, as a JSON object. [`WeightsReader::finish_model`] returns the config.
    pub fn recognizing(
        config: Option<&str>,
        overrides: Option<&str>,
        total: Option<u64>,
        format: WeightFormat,
    ) -> WeightsReader {
        let [config, overrides] = [config, overrides].map(|text| text.map(str::to_string));
        WeightsReader::new_of(Source::Texts { config, overrides }, total, format, false)
    }

    fn new_of(
        source: Source,
        total: Option<u64>,
        format: WeightFormat,
        sharded: bool,
    ) -> WeightsReader {
        WeightsReader {
            source,
            format,
            index: None,
            seen: Vec::new(),
            sharded,
            file: FileReader::new("model.safetensors", total),
            assembler: None,
        }
    }

    /// A reader of a checkpoint in several files: [`WeightsReader::next_file`] comes before each but the first.
    pub fn sharded(config: &Config, total: Option<u64>, format: WeightFormat) -> WeightsReader {
        WeightsReader::new_of(Source::Config(config.clone()), total, format, true)
    }

    /// Sets the name of the file, for messages and for [`WeightsReader::expect`].
    pub fn name_file(&mut self, name: &str) {
        self.file.name = name.to_string();
    }

    /// Sets the file of each tensor, whose name has no prefix such as `transformer.`. The files must hold exactly these tensors.
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
                Some(Span { tensor: None, bytes_left, .. }) => {
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
            self.file.finish_span(self.assembler.as_mut())?;
        }
        Ok(())
    }

    /// The weights, after the last piece.
    ///
    /// # Errors
    /// [`Error::Weights`] when a file was truncated, or when a tensor was in none of the files.
    pub fn finish(self) -> Result<Weights> {
        self.finish_model().map(|(_, weights, _)| weights)
    }

    /// The config, the weights and the name of the family, after the last piece.
    ///
    /// # Errors
    /// As [`WeightsReader::finish`].
    pub fn finish_model(self) -> Result<(Config, Weights, &'static str)> {
        self.file.check_end().map_err(|error| error.in_file(&self.file.name))?;
        let Some(assembler) = self.assembler else { return Err(self.file.no_header()) };
        let family = assembler.family();
        let (config, weights) = assembler.finish()?;
        Ok((config, weights, family))
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
        self.file.pending = Some(self.spans(entries)?);
        Ok(rest)
    }

    /// Plans how the tensors of the file are read, and reserves their memory in the file's order.
    fn spans(&mut self, entries: Vec<Entry>) -> Result<VecDeque<Span>> {
        self.check_index(&entries)?;
        let tensors: Vec<StoredTensor> = entries.iter().map(Entry::tensor).collect();
        self.seen.extend(tensors.iter().cloned());
        let plan = self.plan()?;
        let assembler = match &mut self.assembler {
            Some(assembler) => {
                assembler.extend(plan)?;
                assembler
            }
            none => none.insert(Assembler::new(plan, self.format)?),
        };
        assembler.prepare(tensors.iter())?;
        let span = |(entry, tensor): (&Entry, StoredTensor)| Span {
            bytes_left: entry.bytes.end - entry.bytes.start,
            tensor: assembler.wants(&tensor).then_some(tensor),
            is_begun: false,
        };
        let mut spans: VecDeque<_> = entries.iter().zip(tensors).map(span).collect();
        spans.retain(|span| span.bytes_left > 0);
        Ok(spans)
    }

    /// The plan for all tensors so far.
    fn plan(&self) -> Result<Plan> {
        match &self.source {
            Source::Config(config) => {
                let plan = Plan::of_some(&self.seen, config)?;
                if !self.sharded {
                    plan.check_complete()?;
                }
                Ok(plan)
            }
            Source::Texts { config, overrides } => {
                let tensors = self.seen.clone();
                let contents = Contents { format: "safetensors", tensors, ..Contents::default() };
                plan::plan(config.as_deref(), overrides.as_deref(), &[&contents])
            }
        }
    }

    /// Checks that the file holds exactly the tensors that the index lists for it.
    fn check_index(&self, entries: &[Entry]) -> Result<()> {
        let Some(index) = &self.index else { return Ok(()) };
        let own = &self.file.name;
        for name in entries.iter().map(|entry| name_of(&entry.key)) {
            let place = match index.get(&name) {
                Some(file) if file == own => continue,
                Some(file) => format!("in {}", shortened(file)),
                None => "nowhere".into(),
            };
            let name = shortened(&name);
            return Err(Error::Weights(format!(
                "the file contains `{name}`, which the list of files has {place}"
            )));
        }
        let found: HashSet<String> = entries.iter().map(|entry| name_of(&entry.key)).collect();
        match index.iter().find(|(name, file)| *file == own && !found.contains(*name)) {
            Some((name, _)) => Err(Error::Weights(format!(
                "the list of files names this file for `{}`, but the file does not contain it",
                shortened(name)
            ))),
            None => Ok(()),
        }
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
            span.push(own, self.assembler.as_mut())?;
            self.file.position += own.len() as u64;
            self.file.finish_span(self.assembler.as_mut())?;
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
            None => Err(self.no_header()),
            Some(_) if self.position < self.end => Err(truncated(self.position, self.end)),
            Some(_) => Ok(()),
        }
    }

    /// Ends the tensor of the first span if all of its bytes were read.
    fn finish_span(&mut self, assembler: Option<&mut Assembler>) -> Result<()> {
        let Some(pending) = &mut self.pending else { return Ok(()) };
        if pending.front().is_none_or(|span| span.bytes_left > 0) {
            return Ok(());
        }
        match (pending.pop_front().and_then(|span| span.tensor), assembler) {
            (Some(_), Some(assembler)) => assembler.end(),
            _ => Ok(()),
        }
    }

    fn no_header(&self) -> Error {
        Error::Weights(format!(
            "not a safetensors file: it ends after {} bytes, inside its header",
            self.position
        ))
    }
}

fn truncated(found: u64, promised: u64) -> Error {
    Error::Weights(format!(
        "the file is cut short: it has {found} bytes, its header promises {promised}"
    ))
}

/// The bytes of a tensor in the file. Those without a tensor are skipped.
struct Span {
    tensor: Option<StoredTensor>,
    bytes_left: u64,
    is_begun: bool,
}

impl Span {
    fn push(&mut self, bytes: &[u8], assembler: Option<&mut Assembler>) -> Result<()> {
        self.bytes_left -= bytes.len() as u64;
        let (Some(tensor), Some(assembler)) = (&self.tensor, assembler) else { return Ok(()) };
        if !std::mem::replace(&mut self.is_begun, true) {
            assembler.begin(tensor)?;
        }
        assembler.push(bytes)
    }
}
