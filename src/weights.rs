//! safetensors bytes in, named and shape-checked f32 tensors and matrices out.
//!
//! Key prefixes, the `Conv1D` layout `[in, out]` and the file's dtypes live only here. The bytes may come in pieces
//! of any size: each goes straight into its tensor, or row by row into the format in which its matrix is multiplied
//! with, so a load holds the weights and one piece.

use std::collections::{BTreeMap, HashMap, HashSet, TryReserveError, VecDeque};
use std::ops::Range;

use candle_core::{Device, Tensor};

use crate::config::Config;
use crate::error::{Error, Result, shortened};
use crate::header::{self, Entry};
use crate::kernel;
use crate::kernel::{Axes, Matrix, MatrixBuilder, WeightFormat};
use crate::report::{Kind, Report};
use crate::role::{self, HEAD, HEAD_BIAS, Role};

/// The tensors of a checkpoint by key, without the `transformer.` that some files put in front.
#[derive(Debug, Clone, Default)]
pub struct Weights {
    tensors: HashMap<String, Tensor>,
    matrices: HashMap<String, Matrix>,
    report: Report,
}

/// The key and shape of every tensor that a checkpoint of this config holds, in the order of the forward pass.
///
/// `c_attn`, `c_proj` and `c_fc` are `Conv1D` layers, whose weights are `[in, out]`. `lm_head.weight` is there
/// only when it is not tied to `wte.weight`.
pub fn expected_shapes(config: &Config) -> Vec<(String, Vec<usize>)> {
    let (d, m) = (config.n_embd, config.d_mlp());
    let mut shapes = vec![
        ("wte.weight".to_string(), vec![config.vocab_size, d]),
        ("wpe.weight".to_string(), vec![config.n_positions, d]),
    ];
    for layer in 0..config.n_layer {
        let block = [
            ("ln_1.weight", vec![d]),
            ("ln_1.bias", vec![d]),
            ("attn.c_attn.weight", vec![d, 3 * d]),
            ("attn.c_attn.bias", vec![3 * d]),
            ("attn.c_proj.weight", vec![d, d]),
            ("attn.c_proj.bias", vec![d]),
            ("ln_2.weight", vec![d]),
            ("ln_2.bias", vec![d]),
            ("mlp.c_fc.weight", vec![d, m]),
            ("mlp.c_fc.bias", vec![m]),
            ("mlp.c_proj.weight", vec![m, d]),
            ("mlp.c_proj.bias", vec![d]),
        ];
        shapes.extend(block.map(|(name, shape)| (format!("h.{layer}.{name}"), shape)));
    }
    shapes.push(("ln_f.weight".to_string(), vec![d]));
    shapes.push(("ln_f.bias".to_string(), vec![d]));
    if !config.tie_word_embeddings {
        shapes.push(("lm_head.weight".to_string(), vec![config.vocab_size, d]));
    }
    shapes
}

impl Weights {
    /// Reads a whole safetensors file that is in memory already.
    ///
    /// # Errors
    /// As [`WeightsReader::push`] and [`WeightsReader::finish`].
    pub fn from_bytes(config: &Config, bytes: &[u8]) -> Result<Weights> {
        let mut reader = WeightsReader::new(config, Some(bytes.len() as u64));
        reader.push(bytes)?;
        reader.finish()
    }

    /// Takes tensors that are there already, such as the variables that a trainer updates.
    ///
    /// # Errors
    /// [`Error::Weights`] when one is missing or has another shape than the config says.
    pub fn from_tensors(config: &Config, tensors: HashMap<String, Tensor>) -> Result<Weights> {
        for (name, expected) in expected_shapes(config) {
            let tensor = tensors.get(&name).ok_or_else(|| missing(&name, &expected))?;
            check_shape(&name, tensor.dims(), &expected)?;
        }
        Ok(Weights { tensors, ..Weights::default() })
    }

    /// The same weights with their matrices in `format`.
    ///
    /// # Errors
    /// [`Error::Memory`] when they do not fit.
    pub fn in_format(mut self, format: WeightFormat) -> Result<Weights> {
        if format == WeightFormat::Plain {
            return Ok(self);
        }
        let names: Vec<String> = self.tensors.keys().cloned().collect();
        for name in names {
            let Some(axes) = matrix_axes(&name) else { continue };
            if let Some(tensor) = self.tensors.remove(&name) {
                let (first, second) = tensor.dims2()?;
                let out_of_memory = |_| {
                    Error::Memory(format!(
                        "`{name}` cannot be allocated; choose a smaller `dtype` or close other tabs"
                    ))
                };
                let mut builder =
                    MatrixBuilder::new([first, second], axes, format).map_err(out_of_memory)?;
                let values = tensor.flatten_all()?.to_vec1::<f32>()?;
                let mut numbers = Numbers::default();
                numbers.add(&values);
                numbers.check(&name, format, true)?;
                builder.push(&values);
                check_scales(&builder, &name, format, &numbers)?;
                self.matrices.insert(name, builder.finish()?);
            }
        }
        Ok(self)
    }

    /// The tensor with this checkpoint key, `h.0.attn.c_attn.weight` say. One that is kept as a [`Matrix`] is
    /// copied out of it.
    ///
    /// # Errors
    /// [`Error::Weights`] when there is none.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        match (self.matrices.get(name), matrix_axes(name)) {
            (Some(matrix), Some(axes)) => matrix.tensor(axes),
            _ => self.tensor(name).cloned(),
        }
    }

    /// The same for a tensor that activations are multiplied with, or whose rows are looked up.
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

    /// The dtype in which a tensor is held in memory, as `parameters` lists it.
    pub(crate) fn dtype(&self, name: &str) -> Result<&'static str> {
        match self.matrices.get(name) {
            Some(matrix) => Ok(matrix.dtype()),
            None => Ok(self.tensor(name)?.dtype().as_str()),
        }
    }

    pub(crate) fn tensor(&self, name: &str) -> Result<&Tensor> {
        self.tensors.get(name).ok_or_else(|| Error::Weights(format!("`{name}` is missing")))
    }

    /// Notices about the files that the weights came from.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Adds notices about the files.
    #[cfg_attr(
        not(target_arch = "wasm32"),
        allow(dead_code, reason = "files from the network alone have it")
    )]
    pub(crate) fn remark(&mut self, report: Report) {
        self.report.append(report);
    }

    /// Empty weights with these notices.
    pub(crate) fn with_report(report: Report) -> Weights {
        Weights { report, ..Weights::default() }
    }

    /// The config of a model with these weights, which have an unembedding of their own if the file did.
    pub(crate) fn config(&self, mut config: Config) -> Config {
        config.tie_word_embeddings &= !self.holds(HEAD);
        config
    }

    /// Keeps an unembedding beside tied embeddings only if it is another matrix than they are.
    fn settle_head(&mut self, config: &Config) -> Result<()> {
        let Some(head) = self.matrices.get(HEAD).filter(|_| config.tie_word_embeddings) else {
            return Ok(());
        };
        if head.has_same_bits(&self.matrix("wte.weight")?)? {
            self.matrices.remove(HEAD);
            self.report.forget(HEAD);
            return Ok(());
        }
        let message = "config.json says that `lm_head.weight` is `wte.weight`, but the file holds another matrix under \
                       that name: the model unembeds with the one of the file (`tie_word_embeddings` is taken to be \
                       false).";
        self.report.push(Kind::Used, HEAD, message.into());
        Ok(())
    }

    fn holds(&self, name: &str) -> bool {
        self.tensors.contains_key(name) || self.matrices.contains_key(name)
    }

    pub(crate) fn keep_tensor(&mut self, name: String, tensor: Tensor) {
        self.tensors.insert(name, tensor);
    }

    pub(crate) fn keep_matrix(&mut self, name: String, matrix: Matrix) {
        self.matrices.insert(name, matrix);
    }
}

/// How the checkpoint stores this tensor if it is one that activations are multiplied with.
pub(crate) fn matrix_axes(name: &str) -> Option<Axes> {
    match name {
        "wte.weight" | "lm_head.weight" => Some(Axes::OutIn),
        _ => {
            let conv_1d = ["c_attn.weight", "c_proj.weight", "c_fc.weight"];
            conv_1d.iter().any(|end| name.ends_with(end)).then_some(Axes::InOut)
        }
    }
}

/// The bytes that the weights of this config take in this format.
pub fn bytes_needed(config: &Config, format: WeightFormat) -> u64 {
    let bytes = |(name, shape): &(String, Vec<usize>)| match (matrix_axes(name), shape.as_slice()) {
        (Some(axes), &[first, second]) => format.bytes([first, second], axes),
        _ => shape.iter().map(|length| *length as u64).product::<u64>() * 4,
    };
    expected_shapes(config).iter().map(bytes).sum()
}

/// Has all the memory that the weights will take brought in now, or fails. What cannot fit is refused before a byte of
/// it is written to, which in a browser would have the whole tab ended first.
///
/// # Errors
/// [`Error::Memory`].
pub(crate) fn reserve(config: &Config, format: WeightFormat) -> Result<()> {
    const PIECE: u64 = isize::MAX as u64 / 2; // a single allocation is at most half of all addresses
    let needed = bytes_needed(config, format);
    if usize::try_from(needed).is_err() {
        return Err(out_of_memory(needed)); // without growing first, for nothing
    }
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    for start in (0..needed).step_by(PIECE as usize) {
        let mut piece = Vec::new();
        piece
            .try_reserve_exact((needed - start).min(PIECE) as usize)
            .map_err(|_| out_of_memory(needed))?;
        pieces.push(std::hint::black_box(piece)); // an allocation that is not used may be left out
    }
    Ok(()) // given back to the allocator, which keeps it for the tensors
}

fn out_of_memory(needed: u64) -> Error {
    Error::Memory(format!(
        "the weights need {} MB, which cannot be allocated here; choose a smaller `dtype` or close other tabs",
        needed / 1_000_000
    ))
}

/// Reads a safetensors file, or several, arriving in pieces.
///
/// Once a header is whole, its tensors are checked against the config and the memory for all of them is
/// reserved, so that what cannot work fails before the download goes on.
pub struct WeightsReader {
    config: Config,
    format: WeightFormat,
    expected: role::Shapes,
    /// In which file each tensor is, by the list of several files.
    listed: Option<BTreeMap<String, String>>,
    /// The tensors of all files so far.
    seen: HashSet<String>,
    /// Of one file alone it is known from its header whether a tensor is missing.
    sharded: bool,
    reserved: bool,
    file: FileReader,
    weights: Weights,
}

/// The file that is being read.
struct FileReader {
    name: String,
    total: Option<u64>,
    header: Vec<u8>,
    pending: Option<VecDeque<Destination>>,
    /// How far it was read, and how long it is if its header is right.
    position: u64,
    end: u64,
}

impl WeightsReader {
    /// `total` is the file's length in bytes, where it is known.
    pub fn new(config: &Config, total: Option<u64>) -> WeightsReader {
        WeightsReader::with_format(config, total, WeightFormat::default())
    }

    /// A reader that brings matrices into this format.
    pub fn with_format(config: &Config, total: Option<u64>, format: WeightFormat) -> WeightsReader {
        WeightsReader {
            config: config.clone(),
            format,
            expected: expected_shapes(config).into_iter().collect(),
            listed: None,
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

    /// Says what the file is called, for messages and for [`WeightsReader::expect`].
    pub fn name_file(&mut self, name: &str) {
        self.file.name = name.to_string();
    }

    /// Sets the index that the files are checked against: the file of each tensor, without the prefix `transformer.`.
    pub fn expect(&mut self, files: BTreeMap<String, String>) {
        self.listed = Some(files);
    }

    /// Goes on with another file.
    ///
    /// # Errors
    /// [`Error::Weights`] when the one before was cut short.
    pub fn next_file(&mut self, total: Option<u64>) -> Result<()> {
        self.file.check_whole().map_err(|error| error.in_file(&self.file.name))?;
        self.file = FileReader::new("the next file", total);
        Ok(())
    }

    /// Takes the next piece of the file.
    ///
    /// # Errors
    /// [`Error::Weights`] when this is no safetensors file; when a tensor is missing, has another shape than the config
    /// says, or a dtype other than F32, F16 and BF16; when the file holds a tensor with which the model would be another
    /// one; when a number cannot be kept in the format that was asked for. [`Error::Memory`] when the weights do not fit.
    pub fn push(&mut self, piece: &[u8]) -> Result<()> {
        self.take(piece).map_err(|error| error.in_file(&self.file.name))
    }

    fn take(&mut self, piece: &[u8]) -> Result<()> {
        let piece = if self.file.pending.is_none() { self.take_header(piece)? } else { piece };
        self.fill(piece)
    }

    /// How far the file was read, in bytes.
    pub fn position(&self) -> u64 {
        self.file.position
    }

    /// The length of the file and where in it are the tensors that are needed, from [`WeightsReader::position`] on;
    /// None before the header is whole.
    pub fn needed(&self) -> Option<(u64, Vec<Range<u64>>)> {
        let mut start = self.file.position;
        let mut needed: Vec<Range<u64>> = Vec::new();
        for destination in self.file.pending.as_ref()? {
            let end = start + destination.bytes_left;
            match needed.last_mut() {
                _ if destination.tensor.is_none() => {}
                Some(last) if last.end == start => last.end = end,
                _ => needed.push(start..end),
            }
            start = end;
        }
        Some((self.file.end, needed))
    }

    /// Passes over bytes of the file that are not needed.
    ///
    /// # Errors
    /// [`Error::Weights`] when some of them are.
    pub fn skip_to(&mut self, position: u64) -> Result<()> {
        while self.file.position < position {
            let left = position - self.file.position;
            match self.file.pending.as_mut().and_then(VecDeque::front_mut) {
                Some(Destination { tensor: None, bytes_left }) => {
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
            self.file.keep_finished(&mut self.weights)?;
        }
        Ok(())
    }

    /// The weights, once all pieces are in.
    ///
    /// # Errors
    /// [`Error::Weights`] when a file was cut short, or when no file held a tensor.
    pub fn finish(mut self) -> Result<Weights> {
        self.file.check_whole().map_err(|error| error.in_file(&self.file.name))?;
        self.check_complete(|name| self.weights.holds(name))?;
        self.weights.settle_head(&self.config)?;
        Ok(self.weights)
    }

    /// Collects the header; returns what of `piece` lies behind it.
    fn take_header<'p>(&mut self, piece: &'p [u8]) -> Result<&'p [u8]> {
        let file = &mut self.file;
        let wanted = header::length(&file.header, file.total)?;
        let (start, rest) =
            piece.split_at(wanted.saturating_sub(file.header.len()).min(piece.len()));
        file.header.extend_from_slice(start);
        file.position += start.len() as u64;
        if file.header.len() < header::LENGTH_BYTES
            || file.header.len() < header::length(&file.header, file.total)?
        {
            // The first eight bytes alone do not say more: go on with what follows them.
            return if rest.is_empty() { Ok(rest) } else { self.take_header(rest) };
        }
        let entries = header::parse(&file.header)?;
        file.end = entries.last().map_or(file.header.len() as u64, |last| last.bytes.end);
        file.check_total()?;
        file.header = Vec::new();
        self.file.pending = Some(self.destinations(&entries)?);
        Ok(rest)
    }

    /// Checks the tensors of the file against the config and reserves their memory, in the file's order.
    fn destinations(&mut self, entries: &[Entry]) -> Result<VecDeque<Destination>> {
        if !self.sharded {
            let found: Vec<&str> = entries.iter().map(|entry| without_prefix(&entry.key)).collect();
            self.check_complete(|name| found.contains(&name))?;
        }
        self.check_listed(entries)?;
        let roles = entries.iter().map(|entry| self.role(entry)).collect::<Result<Vec<_>>>()?;
        if !std::mem::replace(&mut self.reserved, true) {
            reserve(&self.config_with(&roles), self.format)?;
        }
        let both = entries.iter().zip(&roles);
        let needed = both
            .clone()
            .map(|(entry, role)| self.destination(entry, *role))
            .collect::<Result<VecDeque<_>>>()?;
        let ignored = both
            .filter(|(_, role)| **role == Role::OtherTask)
            .map(|(entry, _)| without_prefix(&entry.key));
        self.weights.report.ignored(&self.file.name, ignored, |name| {
            format!(
                "`{name}` belongs to the head of another task and was ignored: it changes no logit."
            )
        });
        let mut pending = needed;
        pending.retain(|destination| destination.bytes_left > 0);
        Ok(pending)
    }

    /// Checks that the file holds exactly the tensors that the index lists for it.
    fn check_listed(&self, entries: &[Entry]) -> Result<()> {
        let Some(listed) = &self.listed else { return Ok(()) };
        let own = &self.file.name;
        for name in entries.iter().map(|entry| without_prefix(&entry.key)) {
            let place = match listed.get(name) {
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
        match listed.iter().find(|(name, file)| *file == own && !found.contains(name.as_str())) {
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
        // In the order of their names, so that the message is the same each time.
        let mut missing_names: Vec<_> =
            self.expected.iter().filter(|(name, _)| !is_there(name)).collect();
        missing_names.sort();
        match missing_names.first() {
            Some((name, shape)) => Err(missing(name, shape)),
            None => Ok(()),
        }
    }

    /// What a tensor is for, once it is as the config says.
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
        match Element::of(&entry.dtype) {
            Some(_) => Ok(role),
            None => {
                let found = &entry.dtype;
                Err(Error::Weights(format!(
                    "`{name}` has dtype {found}, expected F32, F16 or BF16"
                )))
            }
        }
    }

    /// The shape of a tensor that is read; None if it is passed over.
    fn shape(&self, name: &str, role: Role) -> Option<Vec<usize>> {
        match role {
            Role::Parameter => self.expected.get(name).cloned(),
            Role::Head => Some(vec![self.config.vocab_size, self.config.n_embd]),
            Role::HeadBias => Some(vec![self.config.vocab_size]),
            Role::Buffer | Role::OtherTask => None,
        }
    }

    fn destination(&self, entry: &Entry, role: Role) -> Result<Destination> {
        let name = without_prefix(&entry.key);
        let bytes_left = entry.bytes.end - entry.bytes.start;
        let needed = self.shape(name, role).zip(Element::of(&entry.dtype));
        let Some((shape, element)) = needed else {
            return Ok(Destination { tensor: None, bytes_left });
        };
        let filling = Filling::new(name, &shape, element, self.format)
            .map_err(|_| out_of_memory(bytes_needed(&self.config, self.format)))?;
        Ok(Destination { tensor: Some(filling), bytes_left })
    }

    fn fill(&mut self, mut piece: &[u8]) -> Result<()> {
        while !piece.is_empty() {
            let Some(pending) = &mut self.file.pending else { return Ok(()) };
            let Some(destination) = pending.front_mut() else {
                let extra = piece.len();
                return Err(Error::Weights(format!(
                    "the file goes on for {extra} bytes after its last tensor"
                )));
            };
            let own = destination.bytes_left.min(piece.len() as u64) as usize;
            let (own, rest) = piece.split_at(own);
            destination.take(own)?;
            self.file.position += own.len() as u64;
            self.file.keep_finished(&mut self.weights)?;
            piece = rest;
        }
        Ok(())
    }
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
            Some(total) if total < promised => Err(cut_short(total, promised)),
            Some(total) if total > promised => Err(Error::Weights(format!(
                "the file has {total} bytes, {} more than its header promises",
                total - promised
            ))),
            _ => Ok(()),
        }
    }

    fn check_whole(&self) -> Result<()> {
        match self.pending {
            None => Err(Error::Weights(format!(
                "not a safetensors file: it ends after {} bytes, inside its header",
                self.position
            ))),
            Some(_) if self.position < self.end => Err(cut_short(self.position, self.end)),
            Some(_) => Ok(()),
        }
    }

    /// Keeps the tensor at the front if all of it is in.
    fn keep_finished(&mut self, weights: &mut Weights) -> Result<()> {
        let Some(pending) = &mut self.pending else { return Ok(()) };
        if pending.front().is_none_or(|destination| destination.bytes_left > 0) {
            return Ok(());
        }
        let finished = pending.pop_front().and_then(|destination| destination.tensor);
        let Some(Filling { name, shape, values, matrix, numbers, format, .. }) = finished else {
            return Ok(());
        };
        if name == HEAD_BIAS {
            return check_head_bias(&numbers, &mut weights.report);
        }
        let count = numbers.nan + numbers.infinite;
        if count > 0 {
            weights.report.non_finite(&name, count, numbers.nan);
        }
        match matrix {
            Some(matrix) => {
                check_scales(&matrix, &name, format, &numbers)?;
                weights.keep_matrix(name, matrix.finish()?);
            }
            None => weights.keep_tensor(name, Tensor::from_vec(values, shape, &Device::Cpu)?),
        }
        Ok(())
    }
}

fn cut_short(found: u64, promised: u64) -> Error {
    Error::Weights(format!(
        "the file is cut short: it has {found} bytes, its header promises {promised}"
    ))
}

/// Where a run of the file's bytes goes: into a tensor, or nowhere.
struct Destination {
    tensor: Option<Filling>,
    bytes_left: u64,
}

struct Filling {
    name: String,
    shape: Vec<usize>,
    element: Element,
    /// The first bytes of an element that the last piece cut apart.
    carried: Vec<u8>,
    /// The whole tensor, or what `matrix` has not yet taken of it.
    values: Vec<f32>,
    matrix: Option<MatrixBuilder>,
    format: WeightFormat,
    numbers: Numbers,
}

/// What the numbers of a tensor are like.
#[derive(Default)]
struct Numbers {
    /// The bits of the largest, without its sign: those of NaN are larger than those of infinity.
    largest: u32,
    nan: u64,
    infinite: u64,
}

const INFINITY: u32 = f32::INFINITY.to_bits();
/// From here on the nearest half is infinity.
const ABOVE_HALVES: f32 = 65520.0;

impl Numbers {
    fn add(&mut self, values: &[f32]) {
        let largest = kernel::largest_magnitude(values);
        self.largest = self.largest.max(largest);
        if largest >= INFINITY {
            let nan = values.iter().filter(|value| value.is_nan()).count() as u64;
            self.nan += nan;
            self.infinite += values.iter().filter(|value| !value.is_finite()).count() as u64 - nan;
        }
    }

    /// Checks that the dtype can represent every number. f32 always can.
    fn check(&self, name: &str, format: WeightFormat, is_matrix: bool) -> Result<()> {
        let most = match format {
            WeightFormat::Plain | WeightFormat::F32 => return Ok(()),
            WeightFormat::F16 if is_matrix => ABOVE_HALVES.to_bits(),
            _ => INFINITY,
        };
        if self.largest < most {
            return Ok(());
        }
        let (found, dtype) = (f32::from_bits(self.largest), format.name());
        let found = match found {
            found if found.is_nan() => "NaN".into(),
            found if found.is_infinite() => "an infinity".into(),
            found => format!("a number of magnitude {found:e}"),
        };
        Err(Error::Weights(format!(
            "`{name}` holds {found}, which {dtype} cannot represent; load the model with `dtype: \"f32\"`"
        )))
    }
}

/// Checks that the scales of a quantized matrix are not clipped.
fn check_scales(
    matrix: &MatrixBuilder,
    name: &str,
    format: WeightFormat,
    numbers: &Numbers,
) -> Result<()> {
    if !matrix.is_clipped() {
        return Ok(());
    }
    let (largest, dtype) = (f32::from_bits(numbers.largest), format.name());
    Err(Error::Weights(format!(
        "`{name}` holds numbers of magnitudes up to {largest:e}, which the scales of {dtype} cannot represent; load the \
         model with `dtype: \"f32\"`"
    )))
}

/// GPT-2 has no bias of the logits: one of zeros changes nothing.
fn check_head_bias(numbers: &Numbers, report: &mut Report) -> Result<()> {
    if numbers.largest > 0 {
        return Err(Error::Weights(format!(
            "`{HEAD_BIAS}` is not zero: the logits of this model have a bias, which GPT-2 does not have"
        )));
    }
    let message = format!("`{HEAD_BIAS}` is all zeros and was ignored: it changes no logit.");
    report.push(Kind::Ignored, HEAD_BIAS, message);
    Ok(())
}

impl Filling {
    fn new(
        name: &str,
        shape: &[usize],
        element: Element,
        format: WeightFormat,
    ) -> std::result::Result<Filling, TryReserveError> {
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
        let (name, shape, carried) = (name.to_string(), shape.to_vec(), Vec::new());
        Ok(Filling {
            name,
            shape,
            element,
            carried,
            values,
            matrix,
            format,
            numbers: Numbers::default(),
        })
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<()> {
        let size = self.element.size();
        if !self.carried.is_empty() {
            let (head, rest) = bytes.split_at((size - self.carried.len()).min(bytes.len()));
            self.carried.extend_from_slice(head);
            bytes = rest;
            if self.carried.len() < size {
                return Ok(());
            }
            let element = std::mem::take(&mut self.carried);
            self.take_elements(&element)?;
        }
        let (whole, tail) = bytes.split_at(bytes.len() - bytes.len() % size);
        self.take_elements(whole)?;
        self.carried.extend_from_slice(tail);
        Ok(())
    }

    fn take_elements(&mut self, bytes: &[u8]) -> Result<()> {
        // In small steps, so that what waits for its matrix stays small however large the piece is.
        for bytes in bytes.chunks(1 << 18) {
            let start = self.values.len();
            self.element.extend(&mut self.values, bytes);
            self.numbers.add(&self.values[start..]);
            self.numbers.check(&self.name, self.format, self.matrix.is_some())?;
            if let Some(matrix) = &mut self.matrix {
                let taken = matrix.push(&self.values);
                self.values.drain(..taken);
            }
        }
        Ok(())
    }
}

impl Destination {
    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes_left -= bytes.len() as u64;
        match &mut self.tensor {
            Some(filling) => filling.take(bytes),
            None => Ok(()),
        }
    }
}

/// The dtype of a tensor in the file.
#[derive(Clone, Copy)]
enum Element {
    F32,
    F16,
    Bf16,
}

impl Element {
    fn of(dtype: &str) -> Option<Element> {
        match dtype {
            "F32" => Some(Element::F32),
            "F16" => Some(Element::F16),
            "BF16" => Some(Element::Bf16),
            _ => None,
        }
    }

    fn size(self) -> usize {
        match self {
            Element::F32 => 4,
            Element::F16 | Element::Bf16 => 2,
        }
    }

    /// Appends little-endian elements as f32.
    fn extend(self, values: &mut Vec<f32>, bytes: &[u8]) {
        match self {
            Element::F32 => {
                values.extend(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)))
            }
            Element::F16 => extend_from_halves(values, bytes),
            Element::Bf16 => {
                values.extend(
                    bytes.as_chunks().0.iter().map(|b| half::bf16::from_le_bytes(*b).to_f32()),
                );
            }
        }
    }
}

/// Four at a time where none is an infinity or not a number, which is everywhere in a sound checkpoint. The crate is built
/// for size, where iterators and `resize` cost a call for each number: this loop has none.
fn extend_from_halves(values: &mut Vec<f32>, bytes: &[u8]) {
    let (fours, rest) = bytes.as_chunks::<8>();
    values.reserve(bytes.len() / 2);
    let start = values.len();
    for (index, four) in fours.iter().enumerate() {
        let halves = u64::from_le_bytes(*four);
        let four = match has_infinite(halves) {
            true => split(halves).map(|half| half::f16::from_bits(half).to_f32()),
            false => kernel::finite_halves(split(halves)),
        };
        // SAFETY: there is room for all, and what lies before is written.
        unsafe {
            values.as_mut_ptr().add(start + 4 * index).cast::<[f32; 4]>().write_unaligned(four);
            values.set_len(start + 4 * index + 4);
        }
    }
    values.extend(rest.as_chunks().0.iter().map(|half| half::f16::from_le_bytes(*half).to_f32()));
}

fn split(halves: u64) -> [u16; 4] {
    [halves as u16, (halves >> 16) as u16, (halves >> 32) as u16, (halves >> 48) as u16]
}

/// Whether one of four halves has the exponent of infinities: then, and only then, adding one to its lowest bit carries out
/// of the exponent, into the bit that held the sign.
fn has_infinite(halves: u64) -> bool {
    const EXPONENTS: u64 = 0x7C00_7C00_7C00_7C00;
    const LOWEST: u64 = 0x0400_0400_0400_0400;
    const SIGNS: u64 = 0x8000_8000_8000_8000;
    ((halves & EXPONENTS) + LOWEST) & SIGNS != 0
}

pub(crate) fn without_prefix(key: &str) -> &str {
    key.strip_prefix("transformer.").unwrap_or(key)
}

pub(crate) fn missing(name: &str, shape: &[usize]) -> Error {
    Error::Weights(format!("`{name}` is missing, expected with shape {shape:?}"))
}

fn check_shape<N: PartialEq + std::fmt::Debug>(
    name: &str,
    found: &[N],
    expected: &[N],
) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Weights(format!("`{name}` has shape {found:?}, expected {expected:?}")))
}
