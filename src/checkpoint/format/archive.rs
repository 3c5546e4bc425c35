//! The tensors of a file and their places.

use std::collections::HashSet;

use super::super::stored::{Contents, RandomAccess, StoredTensor};
use super::place::Place;
use crate::error::{Error, Result, shortened};

/// The longest key of a tensor, and the most tensors of a file: more than any model has.
pub(super) const MAX_KEY: usize = 1024;
const MAX_TENSORS: usize = 100_000;

/// A file with stored tensors.
#[derive(Debug)]
pub(crate) struct Archive {
    pub(super) name: String,
    pub(super) contents: Contents,
    pub(super) places: Vec<Place>,
}

impl Archive {
    pub(super) fn new(contents: Contents) -> Archive {
        Archive { name: String::new(), contents, places: Vec::new() }
    }

    pub(super) fn add(&mut self, tensor: StoredTensor, place: Place) {
        self.contents.tensors.push(tensor);
        self.places.push(place);
    }

    pub(super) fn checked(self) -> Result<Archive> {
        let tensors = &self.contents.tensors;
        if tensors.len() > MAX_TENSORS {
            let count = tensors.len();
            return Err(Error::Weights(format!(
                "the file has {count} tensors, expected at most {MAX_TENSORS}; save the model's weights alone"
            )));
        }
        let mut keys = HashSet::new();
        match tensors.iter().find(|tensor| !keys.insert(&tensor.key)) {
            Some(StoredTensor { key, .. }) => {
                let key = shortened(key);
                Err(Error::Weights(format!(
                    "`{key}` is in the file twice; save the model's weights alone"
                )))
            }
            None => Ok(self),
        }
    }

    /// Which tensors the file holds, and what else.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Delivers the elements of the tensor with this index in [`Contents::tensors`], in row-major order and
    /// little-endian, in pieces of at most 1 MiB that hold whole elements.
    ///
    /// # Errors
    /// [`Error::Weights`] when the file is damaged, and the errors of `deliver` and of reading `file`.
    pub async fn read<F: RandomAccess + ?Sized>(
        &self,
        index: usize,
        file: &F,
        deliver: &mut impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let read = self.places[index].read(file, deliver).await;
        read.map_err(|error| error.in_file(&self.name))
    }
}

/// The key of an entry with this name in the map with the key `prefix`.
pub(super) fn joined(prefix: &str, name: &str) -> Result<String> {
    let key = if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") };
    if key.len() > MAX_KEY {
        let (key, length) = (shortened(&key), key.len());
        return Err(Error::Weights(format!(
            "the key `{key}` has {length} bytes, expected at most {MAX_KEY}"
        )));
    }
    Ok(key)
}

/// The bytes that a tensor takes; None if they overflow.
pub(super) fn bytes_of(shape: &[u64], size: usize) -> Option<u64> {
    shape.iter().try_fold(size as u64, |bytes, length| bytes.checked_mul(*length))
}
