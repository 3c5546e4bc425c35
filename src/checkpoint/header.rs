//! The header of a safetensors file, to the list of its tensors in the order of their bytes.
//!
//! Lengths have 64 bits also in wasm, whose addresses have 32: a file may be larger than memory if only a part of it is
//! needed, or if its values are quantized. Every rule of the format is checked here.

use std::ops::Range;

use super::json::{self, Fields, Json};
use super::magic;
use super::stored::StoredTensor;
use crate::error::{Error, Result, shortened};

/// The bytes before the header, which hold its length.
pub(super) const LENGTH_BYTES: usize = 8;
/// As in the reference implementation.
const MAX_LENGTH: u64 = 100_000_000;

/// A tensor in the header.
#[derive(Debug)]
pub(super) struct Entry {
    pub key: String,
    pub dtype: String,
    pub shape: Vec<u64>,
    /// The range of its bytes in the file.
    pub bytes: Range<u64>,
}

impl Entry {
    /// The tensor without its place.
    pub fn tensor(&self) -> StoredTensor {
        let Entry { key, dtype, shape, .. } = self;
        StoredTensor { key: key.clone(), dtype: dtype.clone(), shape: shape.clone() }
    }
}

/// The length of the header with its length field, from the first bytes of the file; the length of the field if it is
/// not complete yet. `total` is the length of the file, if it is known.
pub(super) fn length(start: &[u8], total: Option<u64>) -> Result<usize> {
    let Some(field) = start.first_chunk::<LENGTH_BYTES>() else { return Ok(LENGTH_BYTES) };
    let length = u64::from_le_bytes(*field);
    if length > MAX_LENGTH {
        // This is another kind of file.
        return Err(match (magic::recognize(start), start.starts_with(b"version ")) {
            (Some(found), _) => Error::Weights(format!("{found}; expected a safetensors file")),
            (None, true) => {
                Error::Weights(magic::LFS.to_string() + "; expected a safetensors file")
            }
            (None, false) => malformed(&format!(
                "its first 8 bytes claim a header of {length} bytes, expected at most {MAX_LENGTH}"
            )),
        });
    }
    if let Some(total) = total
        && length > total.saturating_sub(LENGTH_BYTES as u64)
    {
        return Err(Error::Weights(format!(
            "not a safetensors file, or cut short: its header claims {length} bytes, the file has {total}"
        )));
    }
    Ok(LENGTH_BYTES + length as usize)
}

/// The tensors of a complete header. Their bytes follow it and each other without gaps.
pub(super) fn parse(header: &[u8]) -> Result<Vec<Entry>> {
    let json = &header[LENGTH_BYTES..];
    let mut listed: Fields = json::object(json, MAX_LENGTH as usize)
        .map_err(|reason| malformed(&format!("in its header, {reason}")))?;
    check_metadata(listed.remove("__metadata__"))?;
    let entry = |(key, value)| entry(key, &value, header.len() as u64);
    let mut entries = listed.into_iter().map(entry).collect::<Result<Vec<_>>>()?;
    entries.sort_by_key(|entry| (entry.bytes.start, entry.bytes.end));
    let mut end = header.len() as u64;
    for Entry { key, bytes, .. } in &entries {
        if bytes.start != end {
            let (key, start, verb) = (
                shortened(key),
                bytes.start,
                if bytes.start < end { "overlap" } else { "leave a gap after" },
            );
            return Err(malformed(&format!(
                "the bytes of `{key}` begin at {start} of the file and {verb} those before it, which end at {end}"
            )));
        }
        end = bytes.end;
    }
    Ok(entries)
}

/// Checks the type of `__metadata__`, whose values are ignored.
fn check_metadata(metadata: Option<Json>) -> Result<()> {
    let is_text = |value: &Json| matches!(value, Json::Text(_));
    match metadata {
        None | Some(Json::Null) => Ok(()),
        Some(Json::Object(fields)) if fields.values().all(is_text) => Ok(()),
        Some(found) => {
            let found = found.describe();
            Err(malformed(&format!(
                "`__metadata__` is {found}, expected an object whose values are all text"
            )))
        }
    }
}

fn entry(key: String, listed: &Json, data: u64) -> Result<Entry> {
    let name = shortened(&key).into_owned();
    let wrong = |field: &str, expected: &str| {
        let found = match listed {
            Json::Object(fields) => fields.get(field).map_or("missing".into(), Json::describe),
            other => other.describe(),
        };
        malformed(&format!("`{name}`: `{field}` is {found}, expected {expected}"))
    };
    let field = |field: &str| match listed {
        Json::Object(fields) => fields.get(field),
        _ => None,
    };
    let Some(Json::Text(dtype)) = field("dtype") else {
        return Err(wrong("dtype", "a text such as \"F32\""));
    };
    let shape = field("shape")
        .and_then(whole_numbers)
        .ok_or_else(|| wrong("shape", "a list of whole numbers"))?;
    let offsets = field("data_offsets").and_then(whole_numbers);
    let Some([start, end]) = offsets.as_deref() else {
        return Err(wrong(
            "data_offsets",
            "two whole numbers, the first and the last of its bytes",
        ));
    };
    let Some(bits) = bits_of(dtype) else {
        let dtype = shortened(dtype);
        return Err(Error::Weights(format!(
            "`{name}` has dtype \"{dtype}\", which safetensors does not have, expected F32, F16 or BF16"
        )));
    };
    let bytes =
        data.checked_add(*start).zip(data.checked_add(*end)).filter(|(start, end)| start <= end);
    let Some((first, last)) = bytes else {
        return Err(malformed(&format!("the bytes of `{name}` begin at {start} and end at {end}")));
    };
    let promised = shape.iter().try_fold(bits, |product, length| product.checked_mul(*length));
    match promised {
        Some(bits) if bits % 8 == 0 && bits / 8 == last - first => {}
        Some(bits) => {
            let (found, promised) = (last - first, bits.div_ceil(8));
            return Err(malformed(&format!(
                "`{name}` has {found} bytes, its shape {shape:?} takes {promised} in {dtype}"
            )));
        }
        None => {
            return Err(malformed(&format!(
                "`{name}` has the shape {shape:?}, more numbers than any file holds"
            )));
        }
    }
    Ok(Entry { dtype: dtype.clone(), key, shape, bytes: first..last })
}

fn whole_numbers(value: &Json) -> Option<Vec<u64>> {
    let Json::List(items) = value else { return None };
    let number = |item: &Json| match item {
        Json::Whole(number) => Some(*number),
        _ => None,
    };
    items.iter().map(number).collect()
}

/// The bits of a number of each dtype that the format has.
pub(super) fn bits_of(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "F4" => 4,
        "F6_E2M3" | "F6_E3M2" => 6,
        "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" | "F8_E4M3FNUZ"
        | "F8_E5M2FNUZ" => 8,
        "I16" | "U16" | "F16" | "BF16" => 16,
        "I32" | "U32" | "F32" => 32,
        "I64" | "U64" | "F64" | "C64" => 64,
        _ => return None,
    })
}

fn malformed(reason: &str) -> Error {
    Error::Weights(format!("not a safetensors file: {reason}"))
}
