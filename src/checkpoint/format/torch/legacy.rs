//! PyTorch's format before 1.6: five pickles, then the storages, each after its length.

use std::collections::HashMap;
use std::ops::Range;

use super::super::super::pickle::{self, Item, Pickle, Value};
use super::super::super::stored::RandomAccess;
use super::super::archive::Archive;
use super::super::cursor::Cursor;
use super::super::source::{ByteOrder, Bytes};
use super::archive::archive;
use super::state;
use super::tensor::{class_size, reference};
use crate::error::{Error, Result, shortened};

/// The first pickle: 0x1950a86a20f9469cfc6c.
const MAGIC: [u8; 10] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19];
const VERSION: i64 = 1001;

/// Reads a file that begins with a pickle.
pub(in super::super) async fn open<F: RandomAccess + ?Sized>(file: &F) -> Result<Archive> {
    let mut cursor = Cursor::new(file, 0);
    let first = next(&mut cursor).await?;
    if !matches!(first.root().value(), Value::Long(bytes) if bytes == MAGIC) {
        let found = first.root().describe();
        return Err(Error::Weights(format!(
            "this is a Python pickle of {found}, not a file that `torch.save` wrote; save the weights with \
             `safetensors.torch.save_file`"
        )));
    }
    let version = next(&mut cursor).await?;
    if version.root().int() != Some(VERSION) {
        let found = version.root().describe();
        return Err(Error::Weights(format!(
            "the version of the PyTorch file is {found}, expected {VERSION}; save it again with PyTorch 1.6 or later"
        )));
    }
    let system = next(&mut cursor).await?;
    let is_big = system
        .root()
        .get("little_endian")
        .is_some_and(|flag| matches!(flag.value(), Value::Bool(false)));
    let order = if is_big { ByteOrder::Big } else { ByteOrder::Little };
    let object = next(&mut cursor).await?;
    let keys = next(&mut cursor).await?;
    let storages = storages(&mut cursor, &object, keys.root()).await?;
    archive(state::find(object.root())?, order, |view, part| {
        let key = shortened(&view.storage.key);
        let Some(storage) = storages.get(&view.storage.key) else {
            return Err(Error::Weights(format!(
                "the storage `{key}` is missing in the file; save or download it again"
            )));
        };
        let range = storage.start + part.start..storage.start + part.end;
        if range.end > storage.end {
            let found = storage.end - storage.start;
            return Err(Error::Weights(format!(
                "the storage `{key}` has {found} bytes, expected {}; save or download the file again",
                part.end
            )));
        }
        Ok(Bytes::Range(range))
    })
}

/// The pickle at the cursor, which passes it.
async fn next<F: RandomAccess + ?Sized>(cursor: &mut Cursor<'_, F>) -> Result<Pickle> {
    let mut length = 64 << 10;
    loop {
        let bytes = cursor.peek(length).await?;
        let whole = bytes.len() < length || length > pickle::MAX_BYTES;
        let pickle = match whole {
            true => pickle::read(bytes).map(Some),
            false => pickle::read_start(bytes),
        };
        if let Some(pickle) = pickle.map_err(Error::Weights)? {
            cursor.skip(pickle.length() as u64)?;
            return Ok(pickle);
        }
        length *= 4;
    }
}

/// The range of each storage, in the order of `keys`.
async fn storages<F: RandomAccess + ?Sized>(
    cursor: &mut Cursor<'_, F>,
    object: &Pickle,
    keys: Item<'_>,
) -> Result<HashMap<String, Range<u64>>> {
    let mut sizes = HashMap::new();
    for item in object.items() {
        let Value::Persistent(id) = item.value() else { continue };
        let Some(storage) = reference(id) else { continue };
        if storage.view.is_some() {
            return Err(Error::Weights(
                "the file has views of storages, as PyTorch before 0.4 wrote them; save it again with PyTorch 1.6 or later"
                    .into(),
            ));
        }
        sizes.insert(storage.key, class_size(storage.class));
    }
    let mut storages = HashMap::new();
    for key in keys.items().into_iter().flatten() {
        let Some(key) = key.text() else { continue };
        let Some(Some(size)) = sizes.get(key) else {
            let key = shortened(key);
            return Err(Error::Weights(format!(
                "the storage `{key}` has elements of an unknown type; save the file again with PyTorch 1.6 or later"
            )));
        };
        let count = u64::from_le_bytes(cursor.array().await?);
        let start = cursor.position();
        let length = count.saturating_mul(*size);
        cursor.skip(length)?;
        storages.insert(key.to_string(), start..start + length);
    }
    Ok(storages)
}
