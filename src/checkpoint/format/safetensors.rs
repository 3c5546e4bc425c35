//! safetensors files with random access: the same header as in a stream.

use super::super::header::{self, LENGTH_BYTES, bits_of};
use super::super::stored::{Contents, RandomAccess, StoredTensor};
use super::archive::Archive;
use super::cursor::{self, cut_short};
use super::place::Place;
use crate::error::{Error, Result};

pub(super) async fn open<F: RandomAccess + ?Sized>(file: &F) -> Result<Archive> {
    let length = file.length();
    let start = cursor::read(file, 0..length.min(LENGTH_BYTES as u64)).await?;
    if start.len() < LENGTH_BYTES {
        return Err(Error::Weights(format!(
            "the file has {length} bytes, expected weights as safetensors, PyTorch, Flax msgpack, .npz or GGUF"
        )));
    }
    let header_length = header::length(&start, Some(length))?;
    let header = cursor::read(file, 0..header_length as u64).await?;
    let entries = header::parse(&header)?;
    let end = entries.last().map_or(header_length as u64, |last| last.bytes.end);
    if end > length {
        return Err(cut_short(length));
    }
    if end < length {
        let more = length - end;
        return Err(Error::Weights(format!(
            "the file goes on for {more} bytes after its last tensor; download or copy it again"
        )));
    }
    let mut archive = Archive::new(Contents { format: "safetensors", ..Contents::default() });
    for entry in entries {
        let size = bits_of(&entry.dtype).unwrap_or(8).div_ceil(8) as usize;
        let place = Place::row_major(entry.bytes, size);
        archive.add(StoredTensor { key: entry.key, dtype: entry.dtype, shape: entry.shape }, place);
    }
    Ok(archive)
}
