//! A file with its tensors in memory, for native programs and tests.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::super::json::Json;
use super::Archive;
use crate::error::{Error, Result};

/// The tensors of a file in any format that is read: safetensors, PyTorch, Flax msgpack, `.npz` or GGUF.
#[derive(Debug)]
#[non_exhaustive]
pub struct TensorFile {
    /// The format, such as `PyTorch`.
    pub format: &'static str,
    /// The tensors.
    pub tensors: Vec<TensorBytes>,
    /// The model's config, if the file holds one.
    pub config: Option<serde_json::Value>,
    /// The bytes of a `tokenizer.json`, if the file holds a tokenizer.
    pub tokenizer: Option<Vec<u8>>,
    /// What is not read: its key, and what it is.
    pub omitted: Vec<(String, String)>,
}

/// A tensor as bytes.
#[derive(Debug)]
#[non_exhaustive]
pub struct TensorBytes {
    /// Its key in the file. Keys of nested maps are joined by `.`.
    pub key: String,
    /// The dtype under its safetensors name, such as `F32`.
    pub dtype: String,
    /// The shape; the last axis is contiguous.
    pub shape: Vec<u64>,
    /// The elements in row-major order, little-endian.
    pub bytes: Vec<u8>,
}

impl TensorFile {
    /// Reads the file with this name from its bytes.
    ///
    /// # Errors
    /// [`Error::Weights`] when the file is damaged or in a format that is not read.
    pub fn read(name: &str, bytes: &[u8]) -> Result<TensorFile> {
        let archive = completed(Archive::open(name, bytes))?;
        let contents = archive.contents();
        let mut tensors = Vec::new();
        for (index, tensor) in contents.tensors.iter().enumerate() {
            let mut elements = Vec::new();
            let mut append = |piece: &[u8]| {
                elements.extend_from_slice(piece);
                Ok(())
            };
            completed(archive.read(index, bytes, &mut append))?;
            let (key, dtype, shape) =
                (tensor.key.clone(), tensor.dtype.clone(), tensor.shape.clone());
            tensors.push(TensorBytes { key, dtype, shape, bytes: elements });
        }
        let omitted = contents.omitted.iter().map(|part| (part.key.clone(), part.what.clone()));
        Ok(TensorFile {
            format: contents.format,
            tensors,
            config: contents.config.as_ref().map(Json::to_value),
            tokenizer: contents.tokenizer.clone(),
            omitted: omitted.collect(),
        })
    }
}

/// The result of a future that never waits, because its file is in memory.
pub(in super::super) fn completed<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => {
            Err(Error::Weights("a file in memory was not there; report this as a bug".into()))
        }
    }
}
