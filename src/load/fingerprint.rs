//! The hash that identifies a loaded model.

use std::collections::VecDeque;

use xxhash_rust::xxh3::Xxh3;

use super::store::{Part, STEP, tensors};
use crate::checkpoint::{Config, Weights};
use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;

/// Hashes a model's config, tokenizer and weights in steps. Models with equal hashes give equal answers. The hash
/// keeps the weights in memory until it is dropped.
pub struct Fingerprint {
    parts: VecDeque<Part>,
    offset: usize,
    hash: Xxh3,
}

impl Fingerprint {
    /// A hash of nothing yet.
    ///
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
        if !weights.filled().is_empty() {
            let filled = serde_json::to_vec(weights.filled()).map_err(Error::Json)?;
            parts.push_back(Part::Bytes(filled)); // which of several biases are zeros
        }
        parts.extend(tensors(config, weights)?);
        Ok(Fingerprint { parts, offset: 0, hash: Xxh3::new() })
    }

    /// Hashes up to 4 MB; the 64 bits of XXH3 in hexadecimal digits after the last step.
    ///
    /// # Errors
    /// [`Error::Weights`] when the matrices are not packed.
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
