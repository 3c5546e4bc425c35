//! Flax's msgpack files: nested maps whose leaves are arrays in extensions.
//!
//! `flax.serialization` writes an array as an extension that holds its shape, the name of its dtype and its bytes, and a
//! large array as a map of chunks.

use std::collections::{BTreeMap, BTreeSet};

use super::super::json::{Fields, Json};
use super::super::stored::{Contents, Omitted, RandomAccess, StoredTensor};
use super::archive::{Archive, MAX_KEY, bytes_of, joined};
use super::cursor::{Cursor, cut_short};
use super::message_pack::{self, Header};
use super::place::{Elements, Place};
use super::source::{ByteOrder, Bytes};
use crate::error::{Error, Result, shortened};

/// Flax's numbers for arrays and for scalars of NumPy, which have the same form.
const ARRAY: i8 = 1;
const SCALAR: i8 = 3;
const CHUNKED: &str = "__msgpack_chunked_array__";
const MAX_DEPTH: usize = 64;
/// The values of all maps.
const MAX_VALUES: usize = 200_000;
/// A text longer than this is skipped: it is no config.
const MAX_TEXT: u32 = 4096;
/// Where training programs store the model's config.
const CONFIGS: [&str; 4] = ["model_args", "model_config", "config", "hparams"];

pub(super) async fn open<F: RandomAccess + ?Sized>(file: &F) -> Result<Archive> {
    let mut reader = Reader {
        cursor: Cursor::new(file, 0),
        arrays: Vec::new(),
        leaves: BTreeMap::new(),
        values: 0,
    };
    reader.read_maps().await?;
    let Reader { cursor, arrays, leaves, .. } = reader;
    if cursor.left() > 0 {
        let more = cursor.left();
        return Err(Error::Weights(format!(
            "the file goes on for {more} bytes after its values; download or copy it again"
        )));
    }
    let arrays = without_chunks(arrays, &leaves)?;
    let (arrays, omitted) = model_of(arrays);
    let config = CONFIGS.iter().find_map(|name| config(name, &leaves));
    let mut archive =
        Archive::new(Contents { format: "Flax", config, omitted, ..Contents::default() });
    for array in arrays {
        let elements = Elements::RowMajor { size: array.size, order: ByteOrder::Little };
        let bytes = Bytes::Ranges(array.ranges);
        let (key, dtype, shape) = (array.key, array.dtype.into(), array.shape);
        archive.add(StoredTensor { key, dtype, shape }, Place { bytes, elements });
    }
    Ok(archive)
}

struct Array {
    key: String,
    dtype: &'static str,
    size: usize,
    shape: Vec<u64>,
    ranges: Vec<std::ops::Range<u64>>,
}

/// A map or list that is being read.
struct Open {
    prefix: String,
    left: u32,
    /// The index of the next value, if this is a list.
    index: Option<u32>,
}

struct Reader<'a, F: ?Sized> {
    cursor: Cursor<'a, F>,
    arrays: Vec<Array>,
    /// The other values.
    leaves: BTreeMap<String, Json>,
    values: usize,
}

impl<F: RandomAccess + ?Sized> Reader<'_, F> {
    async fn header(&mut self) -> Result<Header> {
        let position = self.cursor.position();
        let bytes = self.cursor.peek(message_pack::MAX_HEADER).await?;
        let is_end = bytes.len() < message_pack::MAX_HEADER;
        match message_pack::read(bytes) {
            Some((header, length)) => {
                self.cursor.skip(length as u64)?;
                Ok(header)
            }
            None if is_end => Err(cut_short(position + self.cursor.left())),
            None => Err(damaged(position)),
        }
    }

    async fn text(&mut self, length: u32, max: u32) -> Result<Option<String>> {
        if length > max {
            self.cursor.skip(length.into())?;
            return Ok(None);
        }
        let position = self.cursor.position();
        let bytes = self.cursor.take(length as usize).await?;
        String::from_utf8(bytes.to_vec()).map(Some).map_err(|_| damaged(position))
    }

    /// Reads the map that the file holds, and the maps in it.
    async fn read_maps(&mut self) -> Result<()> {
        let Header::Map(left) = self.header().await? else { return Err(damaged(0)) };
        let mut open = vec![Open { prefix: String::new(), left, index: None }];
        while let Some(map) = open.last_mut() {
            if map.left == 0 {
                open.pop();
                continue;
            }
            map.left -= 1;
            self.values += 1;
            if self.values > MAX_VALUES || open.len() > MAX_DEPTH {
                return Err(Error::Weights(format!(
                    "the file has more than {MAX_VALUES} values or {MAX_DEPTH} nested maps; save the model's parameters alone"
                )));
            }
            let Some(map) = open.last_mut() else { break };
            let name = match &mut map.index {
                Some(index) => {
                    *index += 1;
                    (*index - 1).to_string()
                }
                None => self.key().await?,
            };
            let key = joined(&map.prefix, &name)?;
            if let Some(nested) = self.value(key).await? {
                open.push(nested);
            }
        }
        Ok(())
    }

    async fn key(&mut self) -> Result<String> {
        let position = self.cursor.position();
        match self.header().await? {
            Header::Text(length) => {
                self.text(length, MAX_KEY as u32).await?.ok_or_else(|| damaged(position))
            }
            Header::Int(number) => Ok(number.to_string()),
            _ => Err(damaged(position)),
        }
    }

    /// Reads a value; returns it if it is a map or list, whose values follow.
    async fn value(&mut self, key: String) -> Result<Option<Open>> {
        let leaf = match self.header().await? {
            Header::Map(left) => return Ok(Some(Open { prefix: key, left, index: None })),
            Header::List(left) => return Ok(Some(Open { prefix: key, left, index: Some(0) })),
            Header::Extension { kind: ARRAY | SCALAR, length } => {
                let end = self.cursor.position() + u64::from(length);
                return self.array(key, end).await.map(|()| None);
            }
            Header::Extension { length, .. } | Header::Binary(length) => {
                self.cursor.skip(length.into())?;
                return Ok(None);
            }
            Header::Text(length) => match self.text(length, MAX_TEXT).await? {
                Some(text) => Json::Text(text),
                None => return Ok(None),
            },
            Header::Nil => Json::Null,
            Header::Bool(flag) => Json::Bool(flag),
            Header::Int(number) => match u64::try_from(number) {
                Ok(number) => Json::Whole(number),
                Err(_) => Json::Number(number as f64),
            },
            Header::Float(number) => Json::Number(number),
        };
        self.leaves.insert(key, leaf);
        Ok(None)
    }

    /// Reads the shape and dtype of an array, and passes its bytes, which end at `end`.
    async fn array(&mut self, key: String, end: u64) -> Result<()> {
        let position = self.cursor.position();
        let wrong = || damaged(position);
        let Header::List(3) = self.header().await? else { return Err(wrong()) };
        let Header::List(axes) = self.header().await? else { return Err(wrong()) };
        if axes > 32 {
            return Err(wrong());
        }
        let mut shape = Vec::new();
        for _ in 0..axes {
            let Header::Int(length) = self.header().await? else { return Err(wrong()) };
            shape.push(u64::try_from(length).map_err(|_| wrong())?);
        }
        let Header::Text(length) = self.header().await? else { return Err(wrong()) };
        let name = self.text(length, 64).await?.ok_or_else(wrong)?;
        let Some((dtype, size)) = dtype_of(&name) else {
            let (key, name) = (shortened(&key), shortened(&name));
            return Err(Error::Weights(format!(
                "`{key}` has the dtype {name}, which this does not read; convert it to float32 and save the file again"
            )));
        };
        let Header::Binary(length) = self.header().await? else { return Err(wrong()) };
        if bytes_of(&shape, size) != Some(length.into()) {
            let key = shortened(&key);
            return Err(Error::Weights(format!(
                "`{key}` has {length} bytes, which its shape {shape:?} does not take in {name}; save or download the file \
                 again"
            )));
        }
        let start = self.cursor.position();
        self.cursor.skip(length.into())?;
        if self.cursor.position() != end {
            return Err(wrong());
        }
        let range = start..self.cursor.position();
        let ranges = vec![range];
        self.arrays.push(Array { key, dtype, size, shape, ranges });
        Ok(())
    }
}

fn dtype_of(name: &str) -> Option<(&'static str, usize)> {
    Some(match name {
        "float32" => ("F32", 4),
        "float16" => ("F16", 2),
        "bfloat16" => ("BF16", 2),
        "float64" => ("F64", 8),
        "int8" => ("I8", 1),
        "int16" => ("I16", 2),
        "int32" => ("I32", 4),
        "int64" => ("I64", 8),
        "uint8" => ("U8", 1),
        "uint16" => ("U16", 2),
        "uint32" => ("U32", 4),
        "uint64" => ("U64", 8),
        "bool" => ("BOOL", 1),
        _ => return None,
    })
}

/// Puts the chunks of large arrays together. Their shapes are numbers among the leaves.
fn without_chunks(arrays: Vec<Array>, leaves: &BTreeMap<String, Json>) -> Result<Vec<Array>> {
    let end = format!(".{CHUNKED}");
    let chunked: BTreeSet<String> =
        leaves.keys().filter_map(|key| key.strip_suffix(&end)).map(str::to_string).collect();
    let mut whole = Vec::new();
    let mut parts: BTreeMap<String, BTreeMap<u32, Array>> = BTreeMap::new();
    for array in arrays {
        let part = array
            .key
            .rsplit_once(".chunks.")
            .and_then(|(key, index)| Some((chunked.get(key)?.clone(), index.parse().ok()?)));
        match part {
            Some((key, index)) => drop(parts.entry(key).or_default().insert(index, array)),
            None => whole.push(array),
        }
    }
    for key in &chunked {
        let parts = parts.remove(key).unwrap_or_default();
        whole.push(together(key, parts, leaves)?);
    }
    Ok(whole)
}

fn together(
    key: &str,
    parts: BTreeMap<u32, Array>,
    leaves: &BTreeMap<String, Json>,
) -> Result<Array> {
    let length = |axis: usize| match leaves.get(&format!("{key}.shape.{axis}")) {
        Some(Json::Whole(length)) => Some(*length),
        _ => None,
    };
    let shape: Vec<u64> = (0..32).map_while(length).collect();
    let is_complete = parts.keys().copied().eq(0..parts.len() as u32);
    let mut parts = parts.into_values();
    let first = parts.next().filter(|_| is_complete);
    let whole = first.and_then(|mut whole| {
        for part in parts {
            if part.dtype != whole.dtype {
                return None;
            }
            whole.ranges.extend(part.ranges);
        }
        let found: u64 = whole.ranges.iter().map(|range| range.end - range.start).sum();
        (bytes_of(&shape, whole.size) == Some(found)).then_some(whole)
    });
    match whole {
        Some(whole) => Ok(Array { key: key.into(), shape, ..whole }),
        None => {
            let key = shortened(key);
            Err(Error::Weights(format!(
                "the chunks of `{key}` do not make the shape {shape:?}; save or download the file again"
            )))
        }
    }
}

/// The arrays of the model: those under `params` if there is such a map, whose name is dropped. The others are noted.
fn model_of(mut arrays: Vec<Array>) -> (Vec<Array>, Vec<Omitted>) {
    let mut omitted = BTreeMap::new();
    while arrays.iter().any(|array| array.key.starts_with("params.")) {
        let (model, others): (Vec<_>, Vec<_>) =
            arrays.into_iter().partition(|array| array.key.starts_with("params."));
        for other in others {
            let name = other.key.split('.').next().unwrap_or_default().to_string();
            *omitted.entry(name).or_insert(0) += 1;
        }
        arrays = model;
        for array in &mut arrays {
            array.key.drain(.."params.".len());
        }
    }
    let noted = |(key, count)| Omitted { key, what: format!("{count} tensors beside the model") };
    (arrays, omitted.into_iter().map(noted).collect())
}

/// The values of the map with this name, without those of maps in it.
fn config(name: &str, leaves: &BTreeMap<String, Json>) -> Option<Json> {
    let field = |(key, value): (&String, &Json)| {
        let field = key.strip_prefix(name)?.strip_prefix('.')?;
        Some((field.to_string(), value.clone()))
    };
    let fields: Fields = leaves.iter().filter_map(field).collect();
    (!fields.is_empty()).then_some(Json::Object(fields))
}

fn damaged(position: u64) -> Error {
    Error::Weights(format!(
        "not the values of a Flax model: byte {position} is not what Flax writes; save or download the file again"
    ))
}
