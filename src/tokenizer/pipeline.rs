//! The `normalizer`, `pre_tokenizer` and `decoder` of a `tokenizer.json`.

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokenizers::decoders::sequence::Sequence as Decoders;
use tokenizers::normalizers::{Precompiled, Sequence as Normalizers};
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::{DecoderWrapper, NormalizerWrapper, PreTokenizerWrapper};

use super::messages::{brief, in_plain_words, wrong};
use crate::error::Result;

/// How deep sequences may be nested.
const MAX_DEPTH: usize = 4;
const MAX_STEPS: usize = 64;
const MAX_EXPRESSION_BYTES: usize = 4096;
/// The largest factor by which all replacements together may lengthen a text.
const MAX_GROWTH: usize = 1000;

const NORMALIZERS: [&str; 14] = [
    "BertNormalizer",
    "ByteLevel",
    "Lowercase",
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Nmt",
    "Precompiled",
    "Prepend",
    "Replace",
    "Sequence",
    "Strip",
    "StripAccents",
];
const PRE_TOKENIZERS: [&str; 11] = [
    "BertPreTokenizer",
    "ByteLevel",
    "Digits",
    "FixedLength",
    "Metaspace",
    "Punctuation",
    "Sequence",
    "Split",
    "UnicodeScripts",
    "Whitespace",
    "WhitespaceSplit",
];
const DECODERS: [&str; 9] = [
    "BPEDecoder",
    "ByteFallback",
    "ByteLevel",
    "Fuse",
    "Metaspace",
    "Replace",
    "Sequence",
    "Strip",
    "WordPiece",
];

pub(super) fn normalizer(value: Value) -> Result<Option<NormalizerWrapper>> {
    let mut limits = Limits::default();
    let build = |parts| Normalizers::new(parts).into();
    optional(value, |value| {
        step(value, "normalizer", "normalizers", &NORMALIZERS, &mut limits, 0, &build)
    })
}

pub(super) fn pre_tokenizer(value: Value) -> Result<Option<PreTokenizerWrapper>> {
    let mut limits = Limits::default();
    let build = |parts| PreTokenizers::new(parts).into();
    optional(value, |value| {
        step(value, "pre_tokenizer", "pretokenizers", &PRE_TOKENIZERS, &mut limits, 0, &build)
    })
}

pub(super) fn decoder(value: Value) -> Result<Option<DecoderWrapper>> {
    let mut limits = Limits::default();
    let build = |parts| Decoders::new(parts).into();
    optional(value, |value| step(value, "decoder", "decoders", &DECODERS, &mut limits, 0, &build))
}

fn optional<T>(value: Value, read: impl FnOnce(Value) -> Result<T>) -> Result<Option<T>> {
    if value.is_null() { Ok(None) } else { read(value).map(Some) }
}

/// The totals of all steps, which are limited.
struct Limits {
    steps: usize,
    growth: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { steps: 0, growth: 1 }
    }
}

trait Step: DeserializeOwned {
    /// Reads a step for which the crate's own reader may panic.
    fn special(_kind: &str, _value: &Value) -> Option<Result<Self>> {
        None
    }
}

impl Step for PreTokenizerWrapper {}
impl Step for DecoderWrapper {}
impl Step for NormalizerWrapper {
    fn special(kind: &str, value: &Value) -> Option<Result<Self>> {
        (kind == "Precompiled").then(|| precompiled(value).map(NormalizerWrapper::Precompiled))
    }
}

/// Reads one step, or the steps of a sequence in its field `list`.
fn step<T: Step>(
    value: Value,
    field: &str,
    list: &str,
    known: &[&str],
    limits: &mut Limits,
    depth: usize,
    build: &dyn Fn(Vec<T>) -> T,
) -> Result<T> {
    limits.steps += 1;
    if depth > MAX_DEPTH || limits.steps > MAX_STEPS {
        return Err(wrong(format!(
            "`{field}` has too many steps, expected at most {MAX_STEPS} in sequences at most {MAX_DEPTH} deep"
        )));
    }
    let kind = match value.get("type") {
        Some(Value::String(kind)) if known.contains(&kind.as_str()) => kind.clone(),
        other => {
            let found = other.map_or("missing".into(), brief);
            return Err(wrong(format!(
                "`{field}.type` is {found}, expected one of {}",
                known.join(", ")
            )));
        }
    };
    if kind == "Sequence" {
        let Some(Value::Array(steps)) = value.get(list).cloned() else {
            return Err(wrong(format!("`{field}.{list}` is missing, expected a list of steps")));
        };
        let steps = steps
            .into_iter()
            .map(|inner| step(inner, field, list, known, limits, depth + 1, build));
        return Ok(build(steps.collect::<Result<_>>()?));
    }
    if let Some(read) = T::special(&kind, &value) {
        return read;
    }
    check(&kind, field, &value, limits)?;
    serde_json::from_value(value)
        .map_err(|error| wrong(format!("`{field}` of type {kind}: {}", in_plain_words(&error))))
}

/// Checks the preconditions of the crate's code.
fn check(kind: &str, field: &str, value: &Value, limits: &mut Limits) -> Result<()> {
    let number = |name: &str, default: u64| value.get(name).map_or(Some(default), Value::as_u64);
    match kind {
        "Replace" | "Split" => check_pattern(field, value)?,
        "Strip" if field == "decoder" && number("stop", 0) != Some(0) => {
            return Err(wrong(
                "`decoder` of type Strip has `stop` above 0, expected 0: it is not supported",
            ));
        }
        "Prepend" if value.get("prepend").and_then(Value::as_str) == Some("") => {
            return Err(wrong(format!(
                "`{field}` of type Prepend has an empty `prepend`, expected at least one character: remove the step"
            )));
        }
        "FixedLength"
            if !number("length", 5).is_some_and(|length| length > 0 && length < 1 << 24) =>
        {
            return Err(wrong(format!(
                "`{field}` of type FixedLength has a `length` that is not at least 1"
            )));
        }
        _ => {}
    }
    let inserted = match kind {
        "Replace" => value.get("content"),
        "Prepend" => value.get("prepend"),
        _ => None,
    };
    let length = inserted.and_then(Value::as_str).map_or(1, |text| text.chars().count().max(1));
    limits.growth = limits.growth.saturating_mul(length);
    if limits.growth > MAX_GROWTH {
        return Err(wrong(format!("`{field}` makes texts more than {MAX_GROWTH} times as long")));
    }
    Ok(())
}

fn check_pattern(field: &str, value: &Value) -> Result<()> {
    let pattern = value.get("pattern");
    let text = pattern
        .and_then(|pattern| pattern.get("String").or(pattern.get("Regex")))
        .and_then(Value::as_str);
    match text {
        None => Err(wrong(format!(
            "`{field}.pattern` is missing, expected {{ \"String\": … }} or {{ \"Regex\": … }}"
        ))),
        Some("") => {
            Err(wrong(format!("`{field}.pattern` is empty, expected at least one character")))
        }
        Some(text) if text.len() > MAX_EXPRESSION_BYTES => Err(wrong(format!(
            "`{field}.pattern` has {} bytes, expected at most {MAX_EXPRESSION_BYTES}",
            text.len()
        ))),
        Some(_) => Ok(()),
    }
}

/// The replacement table of SentencePiece.
fn precompiled(value: &Value) -> Result<Precompiled> {
    let wrong = |what: &str| wrong(format!("`normalizer.precompiled_charsmap` {what}"));
    let text = value
        .get("precompiled_charsmap")
        .and_then(Value::as_str)
        .ok_or_else(|| wrong("is not text"))?;
    let bytes = base64::decode(text).map_err(|_| wrong("is not base64"))?;
    if !is_sound(&bytes) {
        return Err(wrong("is damaged: its table points outside of itself"));
    }
    Precompiled::from(&bytes).map_err(|_| wrong("is damaged: it cannot be parsed"))
}

/// Checks that no walk through the double array (`darts-clone`) leaves it and that each value is the start of a text.
///
/// The bytes are a length, the units of the array, and zero-terminated texts. A unit with the highest bit set is a value.
fn is_sound(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return false };
    let length = u32::from_le_bytes(*length) as usize / 4 * 4;
    let Some((array, texts)) = rest.split_at_checked(length) else { return false };
    let Ok(texts) = std::str::from_utf8(texts) else { return false };
    let units: Vec<u32> =
        array.as_chunks::<4>().0.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
    let is_text = |at: usize| {
        units.get(at).is_some_and(|unit| texts.is_char_boundary((unit & !(1 << 31)) as usize))
    };
    let sound = |(at, unit): (usize, &u32)| {
        let offset = ((unit >> 10) as usize) << ((unit & (1 << 9)) >> 6);
        let next = at ^ offset;
        unit >> 31 == 1 || ((next | 0xFF) < units.len() && (unit >> 8 & 1 == 0 || is_text(next)))
    };
    units.first().is_some_and(|root| root >> 31 == 0) && units.iter().enumerate().all(sound)
}
