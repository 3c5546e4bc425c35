//! safetensors bytes in, named and shape-checked f32 tensors and matrices out.
//!
//! Key prefixes, the `Conv1D` layout `[in, out]` and the file's dtypes live only here. The bytes may come in pieces
//! of any size: each goes straight into its tensor, or row by row into the form in which its matrix is multiplied
//! with, so a load holds the weights and one piece.

use std::collections::{HashMap, TryReserveError, VecDeque};

use candle_core::{Device, Tensor};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::kernel::matrix::{Axes, Builder, Form, Matrix};

/// The tensors of a checkpoint by key, without the `transformer.` that some files put in front.
#[derive(Debug, Clone)]
pub struct Weights {
    tensors: HashMap<String, Tensor>,
    matrices: HashMap<String, Matrix>,
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
        Ok(Weights { tensors, matrices: HashMap::new() })
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
            None => Matrix::plain(self.tensor(name)?.clone(), matrix_axes(name).unwrap_or(Axes::InOut)),
        }
    }

    /// The dtype in which a tensor is held in memory, as `parameters` lists it.
    pub(crate) fn dtype(&self, name: &str) -> Result<&'static str> {
        match self.matrices.get(name) {
            Some(matrix) => Ok(matrix.dtype()),
            None => Ok(self.tensor(name)?.dtype().as_str()),
        }
    }

    fn tensor(&self, name: &str) -> Result<&Tensor> {
        self.tensors.get(name).ok_or_else(|| Error::Weights(format!("`{name}` is missing")))
    }
}

/// How the checkpoint stores this tensor if it is one that activations are multiplied with.
fn matrix_axes(name: &str) -> Option<Axes> {
    match name {
        "wte.weight" | "lm_head.weight" => Some(Axes::OutIn),
        _ => {
            let conv_1d = ["c_attn.weight", "c_proj.weight", "c_fc.weight"];
            conv_1d.iter().any(|end| name.ends_with(end)).then_some(Axes::InOut)
        }
    }
}

/// Reads a safetensors file that arrives in pieces.
///
/// Once the header is whole, its tensors are checked against the config and the memory for all of them is
/// reserved, so that what cannot work fails before the download goes on.
pub struct WeightsReader {
    expected: HashMap<String, Vec<usize>>,
    total: Option<u64>,
    header: Vec<u8>,
    pending: Option<VecDeque<Destination>>,
    received: u64,
    form: Form,
    weights: Weights,
}

impl WeightsReader {
    /// `total` is the file's length in bytes, where it is known.
    pub fn new(config: &Config, total: Option<u64>) -> WeightsReader {
        WeightsReader::with_form(config, total, Form::default())
    }

    /// A reader that brings matrices into this form.
    pub fn with_form(config: &Config, total: Option<u64>, form: Form) -> WeightsReader {
        let expected = expected_shapes(config).into_iter().collect();
        WeightsReader {
            expected,
            total,
            header: Vec::new(),
            pending: None,
            received: 0,
            form,
            weights: Weights { tensors: HashMap::new(), matrices: HashMap::new() },
        }
    }

    /// Takes the next piece of the file.
    ///
    /// # Errors
    /// [`Error::Weights`] when this is no safetensors file, or when a tensor is missing, has another shape than
    /// the config says, or a dtype other than F32, F16 and BF16; [`Error::Memory`] when the weights do not fit.
    pub fn push(&mut self, piece: &[u8]) -> Result<()> {
        self.received += piece.len() as u64;
        let piece = if self.pending.is_none() { self.take_header(piece)? } else { piece };
        self.fill(piece)
    }

    /// The weights, once all pieces are in.
    ///
    /// # Errors
    /// [`Error::Weights`] when the file was cut short.
    pub fn finish(self) -> Result<Weights> {
        let received = self.received;
        match self.pending {
            None => Err(Error::Weights(format!(
                "not a safetensors file: it ends after {received} bytes, inside its header"
            ))),
            Some(pending) if !pending.is_empty() => {
                let missing: usize = pending.iter().map(|destination| destination.bytes_left).sum();
                let expected = received + missing as u64;
                Err(Error::Weights(format!(
                    "the file is cut short: it has {received} bytes, its header promises {expected}"
                )))
            }
            Some(_) => Ok(self.weights),
        }
    }

    /// Collects the header; returns what of `piece` lies behind it.
    fn take_header<'p>(&mut self, piece: &'p [u8]) -> Result<&'p [u8]> {
        let wanted = self.header_length()?;
        let (header, rest) = piece.split_at(wanted.saturating_sub(self.header.len()).min(piece.len()));
        self.header.extend_from_slice(header);
        if self.header.len() < LENGTH_BYTES || self.header.len() < self.header_length()? {
            // The first eight bytes alone do not say more: go on with what follows them.
            return if rest.is_empty() { Ok(rest) } else { self.take_header(rest) };
        }
        self.pending = Some(self.destinations()?);
        self.header = Vec::new();
        Ok(rest)
    }

    /// The bytes up to the first tensor; those of the length field alone until they are in.
    fn header_length(&self) -> Result<usize> {
        let Some(field) = self.header.first_chunk::<LENGTH_BYTES>() else { return Ok(LENGTH_BYTES) };
        let length = u64::from_le_bytes(*field);
        if self.header.starts_with(b"PK") || self.header.starts_with(&[0x80, 0x02]) {
            return Err(Error::Weights(
                "not a safetensors file but a PyTorch one; save the model with `safe_serialization=True`"
                    .into(),
            ));
        }
        let fits = self.total.is_none_or(|total| length <= total.saturating_sub(LENGTH_BYTES as u64));
        if !fits {
            let total = self.total.unwrap_or_default();
            return Err(Error::Weights(format!(
                "not a safetensors file, or cut short: its header claims {length} bytes, the file has {total}"
            )));
        }
        if length > LONGEST_HEADER {
            return Err(Error::Weights(format!(
                "not a safetensors file: its header claims {length} bytes, expected at most {LONGEST_HEADER}"
            )));
        }
        Ok(LENGTH_BYTES + length as usize)
    }

    /// Checks the header against the config and reserves the memory of every tensor, in the file's order.
    fn destinations(&self) -> Result<VecDeque<Destination>> {
        let metadata: Metadata = serde_json::from_slice(&self.header[LENGTH_BYTES..])
            .map_err(|error| Error::Weights(format!("not a safetensors file: {error}")))?;
        self.check_total(&metadata)?;
        let keys = metadata.offset_keys();
        self.check_complete(&keys)?;
        let info = |key: &str| metadata.info(key).expect("offset_keys lists the file's own keys");
        let needed =
            keys.iter().map(|key| self.destination(key, info(key))).collect::<Result<VecDeque<_>>>()?;
        Ok(needed.into_iter().filter(|destination| destination.bytes_left > 0).collect())
    }

    fn check_total(&self, metadata: &Metadata) -> Result<()> {
        let promised = (self.header.len() + metadata.data_len()) as u64;
        match self.total {
            Some(total) if total < promised => Err(Error::Weights(format!(
                "the file is cut short: it has {total} bytes, its header promises {promised}"
            ))),
            Some(total) if total > promised => Err(Error::Weights(format!(
                "the file has {total} bytes, {} more than its header promises",
                total - promised
            ))),
            _ => Ok(()),
        }
    }

    fn check_complete(&self, keys: &[String]) -> Result<()> {
        let found: Vec<&str> = keys.iter().map(|key| without_prefix(key)).collect();
        let mut missing_names: Vec<_> =
            self.expected.iter().filter(|(name, _)| !found.contains(&name.as_str())).collect();
        missing_names.sort();
        match missing_names.first() {
            Some((name, shape)) => Err(missing(name, shape)),
            None => Ok(()),
        }
    }

    fn destination(&self, key: &str, info: &TensorInfo) -> Result<Destination> {
        let name = without_prefix(key);
        let bytes_left = info.data_offsets.1 - info.data_offsets.0;
        let Some(expected) = self.expected.get(name) else {
            // The causal mask of old files (`attn.bias`, `attn.masked_bias`), a tied `lm_head`, another head.
            return Ok(Destination::skip(bytes_left));
        };
        check_shape(name, &info.shape, expected)?;
        let Some(element) = Element::of(info.dtype) else {
            let found = format!("{:?}", info.dtype);
            return Err(Error::Weights(format!("`{name}` has dtype {found}, expected F32, F16 or BF16")));
        };
        let filling = Filling::new(name, expected, element, self.form).map_err(|_| self.out_of_memory())?;
        Ok(Destination { tensor: Some(filling), bytes_left, carried: Vec::new() })
    }

    fn out_of_memory(&self) -> Error {
        let total: usize = self.expected.values().map(|shape| 4 * shape.iter().product::<usize>()).sum();
        Error::Memory(format!("the weights need {} MB as f32, more than can be had here", total / 1_000_000))
    }

    fn fill(&mut self, mut piece: &[u8]) -> Result<()> {
        while !piece.is_empty() {
            let Some(pending) = &mut self.pending else { return Ok(()) };
            let Some(destination) = pending.front_mut() else {
                let extra = piece.len();
                return Err(Error::Weights(format!(
                    "the file goes on for {extra} bytes after its last tensor"
                )));
            };
            let (own, rest) = piece.split_at(destination.bytes_left.min(piece.len()));
            destination.take(own);
            piece = rest;
            if destination.bytes_left == 0 {
                self.keep_front()?;
            }
        }
        Ok(())
    }

    fn keep_front(&mut self) -> Result<()> {
        let finished = self.pending.as_mut().and_then(VecDeque::pop_front);
        let Some(Filling { name, shape, values, matrix, .. }) = finished.and_then(|d| d.tensor) else {
            return Ok(());
        };
        match matrix {
            Some(matrix) => drop(self.weights.matrices.insert(name, matrix.finish()?)),
            None => drop(self.weights.tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?)),
        }
        Ok(())
    }
}

const LENGTH_BYTES: usize = 8;
/// As in the reference implementation.
const LONGEST_HEADER: u64 = 100_000_000;

/// Where a run of the file's bytes goes: into a tensor, or nowhere.
struct Destination {
    tensor: Option<Filling>,
    bytes_left: usize,
    /// The first bytes of an element that the last piece cut apart.
    carried: Vec<u8>,
}

struct Filling {
    name: String,
    shape: Vec<usize>,
    element: Element,
    /// The whole tensor, or what `matrix` has not yet taken of it.
    values: Vec<f32>,
    matrix: Option<Builder>,
}

impl Filling {
    fn new(
        name: &str,
        shape: &[usize],
        element: Element,
        form: Form,
    ) -> std::result::Result<Filling, TryReserveError> {
        let matrix = match (matrix_axes(name), shape) {
            (Some(axes), &[first, second]) => Some(Builder::new([first, second], axes, form)?),
            _ => None,
        };
        let mut values = Vec::new();
        if matrix.is_none() {
            values.try_reserve_exact(shape.iter().product())?;
        }
        Ok(Filling { name: name.to_string(), shape: shape.to_vec(), element, values, matrix })
    }

    /// Takes whole elements.
    fn take(&mut self, bytes: &[u8]) {
        // In small steps, so that what waits for its matrix stays small however large the piece is.
        for bytes in bytes.chunks(1 << 18) {
            self.element.extend(&mut self.values, bytes);
            if let Some(matrix) = &mut self.matrix {
                let taken = matrix.push(&self.values);
                self.values.drain(..taken);
            }
        }
    }
}

impl Destination {
    fn skip(bytes_left: usize) -> Destination {
        Destination { tensor: None, bytes_left, carried: Vec::new() }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        self.bytes_left -= bytes.len();
        let Some(filling) = &mut self.tensor else { return };
        let size = filling.element.size();
        if !self.carried.is_empty() {
            let (head, rest) = bytes.split_at((size - self.carried.len()).min(bytes.len()));
            self.carried.extend_from_slice(head);
            bytes = rest;
            if self.carried.len() < size {
                return;
            }
            filling.take(&self.carried);
            self.carried.clear();
        }
        let (whole, tail) = bytes.split_at(bytes.len() - bytes.len() % size);
        filling.take(whole);
        self.carried.extend_from_slice(tail);
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
    fn of(dtype: Dtype) -> Option<Element> {
        match dtype {
            Dtype::F32 => Some(Element::F32),
            Dtype::F16 => Some(Element::F16),
            Dtype::BF16 => Some(Element::Bf16),
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
            Element::F32 => values.extend(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b))),
            Element::F16 => {
                values.extend(bytes.as_chunks().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f32()));
            }
            Element::Bf16 => {
                values.extend(bytes.as_chunks().0.iter().map(|b| half::bf16::from_le_bytes(*b).to_f32()));
            }
        }
    }
}

fn without_prefix(key: &str) -> &str {
    key.strip_prefix("transformer.").unwrap_or(key)
}

fn missing(name: &str, shape: &[usize]) -> Error {
    Error::Weights(format!("`{name}` is missing, expected with shape {shape:?}"))
}

fn check_shape(name: &str, found: &[usize], expected: &[usize]) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Weights(format!("`{name}` has shape {found:?}, expected {expected:?}")))
}
