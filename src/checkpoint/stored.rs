//! What every file format says about the tensors of a file, before a family assigns them to parameters.

use std::ops::Range;

use super::json::Json;
use crate::error::Result;

/// A file with random access: bytes in memory, or a Blob in a browser.
pub(crate) trait RandomAccess {
    /// The length of the file in bytes.
    fn length(&self) -> u64;

    /// The bytes in `range`, which is within the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn read(&self, range: Range<u64>) -> impl Future<Output = Result<Vec<u8>>>;
}

impl RandomAccess for [u8] {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>> {
        Ok(self[range.start as usize..range.end as usize].to_vec())
    }
}

/// A tensor in a file, in row-major order once its format has read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredTensor {
    /// The key in the file. Keys of nested maps are joined by `.`.
    pub key: String,
    /// The dtype of the bytes that the format delivers, under its safetensors name, such as `F32`.
    pub dtype: String,
    /// The shape, in the order of PyTorch: the last axis is contiguous.
    pub shape: Vec<u64>,
}

#[cfg(target_arch = "wasm32")]
impl StoredTensor {
    /// The number of bytes that the format delivers.
    pub fn bytes(&self) -> u64 {
        let bits = self.dtype.trim_start_matches(|letter: char| !letter.is_ascii_digit());
        let size = bits.parse().unwrap_or(32u64).div_ceil(8);
        self.shape.iter().fold(size, |bytes, length| bytes.saturating_mul(*length))
    }
}

/// What a file holds beside the bytes of its tensors.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The format, such as `safetensors` or `PyTorch`.
    pub format: &'static str,
    /// Its tensors, in the order of their bytes.
    pub tensors: Vec<StoredTensor>,
    /// The model's config if the file has one: nanoGPT's `model_args`, a TransformerLens `cfg`, GGUF's metadata.
    pub config: Option<Json>,
    /// The tokenizer if the file has one, as the bytes of a `tokenizer.json`.
    pub tokenizer: Option<Vec<u8>>,
    /// What the file holds beside the model and is not read, for the report.
    pub omitted: Vec<Omitted>,
}

/// A part of a file that is not listed among its tensors.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Omitted {
    /// Its key in the file.
    pub key: String,
    /// What it is, such as `12 tensors of the training`.
    pub what: String,
}
