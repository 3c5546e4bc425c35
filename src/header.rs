//! The header of a safetensors file: its bytes in, the tensors that it lists out, in the order of their bytes.
//!
//! Lengths are 64 bits wide also in wasm, where memory is not: a file may be larger than memory when only a part of it
//! is needed, or when its numbers are kept in fewer bytes.

use std::collections::HashMap;
use std::ops::Range;

use serde::Deserialize;

use crate::error::{Error, Result};

/// The bytes in front of the header, which say how long it is.
pub(crate) const LENGTH_BYTES: usize = 8;
/// As in the reference implementation.
const LONGEST: u64 = 100_000_000;

/// A tensor that a file lists.
pub(crate) struct Entry {
    pub key: String,
    pub dtype: String,
    pub shape: Vec<u64>,
    /// Where in the file its bytes are.
    pub bytes: Range<u64>,
}

#[derive(Deserialize)]
struct Listed {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// The length of the header with the length field itself, as the file's first bytes tell it; those of the field alone
/// while they are not all there. `total` is the length of the file, where it is known.
pub(crate) fn length(start: &[u8], total: Option<u64>) -> Result<usize> {
    let Some(field) = start.first_chunk::<LENGTH_BYTES>() else { return Ok(LENGTH_BYTES) };
    let length = u64::from_le_bytes(*field);
    if start.starts_with(b"PK") || start.starts_with(&[0x80, 0x02]) {
        return Err(Error::Weights(
            "not a safetensors file but a PyTorch one; save the model with `safe_serialization=True`".into(),
        ));
    }
    if let Some(total) = total
        && length > total.saturating_sub(LENGTH_BYTES as u64)
    {
        return Err(Error::Weights(format!(
            "not a safetensors file, or cut short: its header claims {length} bytes, the file has {total}"
        )));
    }
    if length > LONGEST {
        return Err(Error::Weights(format!(
            "not a safetensors file: its header claims {length} bytes, expected at most {LONGEST}"
        )));
    }
    Ok(LENGTH_BYTES + length as usize)
}

/// The tensors of a whole header. Their bytes follow it and each other without a gap.
pub(crate) fn parse(header: &[u8]) -> Result<Vec<Entry>> {
    let mut listed: HashMap<String, serde_json::Value> =
        serde_json::from_slice(&header[LENGTH_BYTES..]).map_err(|error| malformed(&error.to_string()))?;
    listed.remove("__metadata__");
    let entry = |(key, value)| entry(key, value, header.len() as u64);
    let mut entries = listed.into_iter().map(entry).collect::<Result<Vec<_>>>()?;
    entries.sort_by_key(|entry| (entry.bytes.start, entry.bytes.end));
    let mut end = header.len() as u64;
    for Entry { key, bytes, .. } in &entries {
        if bytes.start != end {
            return Err(malformed(&format!(
                "the bytes of `{key}` do not follow those of the tensor before it"
            )));
        }
        end = bytes.end;
    }
    Ok(entries)
}

fn entry(key: String, value: serde_json::Value, data: u64) -> Result<Entry> {
    let Listed { dtype, shape, data_offsets: (start, end) } =
        serde_json::from_value(value).map_err(|error| malformed(&format!("`{key}`: {error}")))?;
    let bytes = data.checked_add(start).zip(data.checked_add(end));
    match bytes {
        Some((start, end)) if start <= end => Ok(Entry { key, dtype, shape, bytes: start..end }),
        _ => Err(malformed(&format!("the bytes of `{key}` begin at {start} and end at {end}"))),
    }
}

fn malformed(reason: &str) -> Error {
    Error::Weights(format!("not a safetensors file: {reason}"))
}
