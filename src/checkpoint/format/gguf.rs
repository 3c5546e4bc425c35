//! GGUF files, as llama.cpp uses them. candle reads the header.

use std::io::Cursor;

use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::{Content, Value};

use super::super::json::{Fields, Json};
use super::super::stored::{Contents, Omitted, RandomAccess, StoredTensor};
use super::archive::{Archive, bytes_of};
use super::cursor::{self, cut_short};
use super::ggml::Block;
use super::gguf_tokenizer;
use super::place::{Elements, Place};
use super::source::{ByteOrder, Bytes};
use crate::error::{Error, Result, shortened};

/// The bytes of the header that are read at first, and at most. The header of GPT-2 has 2.4 MB, because it holds the
/// vocabulary.
const FIRST: u64 = 4 << 20;
const MAX_HEADER: u64 = 16 << 20;
const ALIGNMENT: &[u8] = b"general.alignment";

pub(super) async fn open<F: RandomAccess + ?Sized>(file: &F) -> Result<Archive> {
    let header = header(file).await?;
    let mut omitted = Vec::new();
    let tokenizer = gguf_tokenizer::json(&header.metadata).unwrap_or_else(|reason| {
        omitted
            .push(Omitted { key: "tokenizer.ggml".into(), what: format!("a tokenizer: {reason}") });
        None
    });
    let is_of_config = |key: &&String| !gguf_tokenizer::LISTS.contains(&key.as_str());
    let fields = header.metadata.iter().filter(|(key, _)| is_of_config(key));
    let config: Fields = fields.map(|(key, value)| (key.clone(), to_json(value))).collect();
    let mut archive = Archive::new(Contents {
        format: "GGUF",
        config: Some(Json::Object(config)),
        tokenizer,
        omitted,
        ..Contents::default()
    });
    let mut infos: Vec<_> = header.tensor_infos.into_iter().collect();
    infos.sort_by(|(key, info), (other, behind)| (info.offset, key).cmp(&(behind.offset, other)));
    let mut end = header.tensor_data_offset;
    for (key, info) in infos {
        let shape: Vec<u64> = info.shape.dims().iter().map(|length| *length as u64).collect();
        let (dtype, elements) = elements(&key, info.ggml_dtype, &shape)?;
        let length = stored_bytes(&elements, &shape);
        let start = header.tensor_data_offset.checked_add(info.offset);
        let bytes =
            start.zip(length).and_then(|(start, length)| Some(start..start.checked_add(length)?));
        let Some(bytes) = bytes else {
            let key = shortened(&key);
            return Err(Error::Weights(format!(
                "`{key}` has the shape {shape:?}, more numbers than any file holds; download or copy the file again"
            )));
        };
        if bytes.start < end {
            let key = shortened(&key);
            return Err(Error::Weights(format!(
                "the bytes of `{key}` overlap those before them; download or copy the file again"
            )));
        }
        if bytes.end > file.length() {
            return Err(cut_short(file.length()));
        }
        end = bytes.end;
        archive.add(
            StoredTensor { key, dtype: dtype.into(), shape },
            Place { bytes: Bytes::Range(bytes), elements },
        );
    }
    Ok(archive)
}

/// Reads the header with candle, from as few bytes as it needs.
async fn header<F: RandomAccess + ?Sized>(file: &F) -> Result<Content> {
    let mut length = FIRST;
    loop {
        let whole = length >= file.length().min(MAX_HEADER);
        let bytes = cursor::read(file, 0..length.min(file.length())).await?;
        check_alignment(&bytes)?;
        match Content::read(&mut Cursor::new(&bytes)) {
            Ok(header) => return Ok(header),
            Err(error) if whole => {
                let error = error.to_string();
                let reason = error.lines().next().unwrap_or_default();
                return Err(Error::Weights(format!(
                    "the header of the GGUF file cannot be read: {reason}; expected one of version 2 or 3 of at most \
                     {MAX_HEADER} bytes"
                )));
            }
            Err(_) => length *= 2,
        }
    }
}

/// Refuses an alignment of 0, by which candle divides.
fn check_alignment(header: &[u8]) -> Result<()> {
    let is_zero = |place: usize| {
        let value = &header[place + ALIGNMENT.len()..];
        let size = match value.first_chunk() {
            Some([0 | 1, 0, 0, 0]) => 1,
            Some([2 | 3, 0, 0, 0]) => 2,
            _ => 4,
        };
        value.get(4..4 + size).is_some_and(|number| number.iter().all(|byte| *byte == 0))
    };
    let mut places = (0..header.len()).filter(|place| header[*place..].starts_with(ALIGNMENT));
    match places.any(is_zero) {
        true => Err(Error::Weights(
            "the GGUF file is damaged: `general.alignment` is 0, expected 32 or another power of two".into(),
        )),
        false => Ok(()),
    }
}

/// The dtype that is delivered, and how the elements are stored.
fn elements(key: &str, dtype: GgmlDType, shape: &[u64]) -> Result<(&'static str, Elements)> {
    let plain = |size| Elements::RowMajor { size, order: ByteOrder::Little };
    let row = shape.last().copied().unwrap_or(1);
    match (dtype, Block::of(dtype)) {
        (GgmlDType::F32, _) => Ok(("F32", plain(4))),
        (GgmlDType::F16, _) => Ok(("F16", plain(2))),
        (GgmlDType::BF16, _) => Ok(("BF16", plain(2))),
        (_, Some(block)) if row.is_multiple_of(block.elements()) => {
            Ok(("F32", Elements::Blocks(block)))
        }
        _ => {
            let key = shortened(key);
            Err(Error::Weights(format!(
                "`{key}` has rows of {row} numbers in {dtype:?}, which this does not read; convert the file with \
                 `llama-quantize --allow-requantize` to Q8_0"
            )))
        }
    }
}

fn stored_bytes(elements: &Elements, shape: &[u64]) -> Option<u64> {
    match elements {
        Elements::Blocks(block) => {
            let count = bytes_of(shape, 1)?;
            (count / block.elements()).checked_mul(block.stored_bytes() as u64)
        }
        Elements::RowMajor { size, .. } | Elements::Strided { size, .. } => bytes_of(shape, *size),
    }
}

fn to_json(value: &Value) -> Json {
    let signed = |number: i64| match u64::try_from(number) {
        Ok(number) => Json::Whole(number),
        Err(_) => Json::Number(number as f64),
    };
    match value {
        Value::U8(number) => Json::Whole((*number).into()),
        Value::U16(number) => Json::Whole((*number).into()),
        Value::U32(number) => Json::Whole((*number).into()),
        Value::U64(number) => Json::Whole(*number),
        Value::I8(number) => signed((*number).into()),
        Value::I16(number) => signed((*number).into()),
        Value::I32(number) => signed((*number).into()),
        Value::I64(number) => signed(*number),
        Value::F32(number) => Json::Number(shortest(*number)),
        Value::F64(number) => Json::Number(*number),
        Value::Bool(flag) => Json::Bool(*flag),
        Value::String(text) => Json::Text(text.clone()),
        Value::Array(items) => Json::List(items.iter().map(to_json).collect()),
    }
}

/// The number as its decimals say it: 1e-5 as f32 is 1e-5, not 9.999999747378752e-6. serde_json parses it, because the
/// tables of `str::parse` would add 10 kB to the first load.
fn shortest(number: f32) -> f64 {
    serde_json::from_str(&number.to_string()).unwrap_or(number.into())
}
