//! The functions that the fuzzer (`fuzz/`) calls with arbitrary bytes and `tests/corpus.rs` with committed bytes. A panic
//! is a bug.
#![allow(dead_code)] // each fuzz target uses one of these

#[path = "memory_disk.rs"]
mod memory_disk;

use std::sync::OnceLock;

use candlescope::checkpoint::{Index, TensorFile, bytes_needed};
use candlescope::kernel::WeightFormat;
use candlescope::lab::Lab;
use candlescope::load::CheckpointReader;
use candlescope::tokenizer::tokenizer_json;
use candlescope::{Config, Error, Model, Tokenizer, Weights, WeightsReader};
use memory_disk::MemoryDisk;
use xxhash_rust::xxh3::xxh3_64_with_seed;

const CONFIG: &str = include_str!("../fixtures/plain/config.json");
const WEIGHTS: &[u8] = include_bytes!("../fixtures/plain/model.safetensors");

fn plain() -> Config {
    Config::from_json(CONFIG).unwrap()
}

/// Checks that a message quotes little of the input.
fn check(error: &Error) {
    assert!(error.to_string().len() < 10_000, "a message of {} bytes", error.to_string().len());
}

/// A safetensors file, in two pieces and in one.
pub fn header(data: &[u8]) {
    let read = |pieces: &[&[u8]]| {
        let mut reader = WeightsReader::with_format(&plain(), None, WeightFormat::F32);
        pieces.iter().try_for_each(|piece| reader.push(piece))?;
        reader.finish()
    };
    let (first, second) = data.split_at(data.len() / 2);
    let (whole, halves) = (read(&[data]), read(&[first, second]));
    assert_eq!(whole.is_ok(), halves.is_ok(), "pieces make a difference");
    if let Err(error) = whole {
        check(&error);
    }
}

pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Config::from_json(text) {
        Ok(config) => {
            bytes_needed(&config, WeightFormat::Q4);
            let json = serde_json::to_string(&config).unwrap();
            assert!(Config::from_json(&json).is_ok(), "its own JSON is refused: {json}");
        }
        Err(error) => check(&error),
    }
}

pub fn tokenizer(data: &[u8]) {
    let tokenizer = match Tokenizer::from_json(data) {
        Ok(tokenizer) => tokenizer.for_model(600),
        Err(error) => return check(&error),
    };
    for text in ["", "the as  the中 12é€😀\n a<unk>  x.", " ", "\u{0}\u{301}a\u{fffd}\u{2581}▁"]
    {
        if let Ok(tokens) = tokenizer.tokenize(text) {
            let joined: String = tokens.iter().map(|token| token.string.as_str()).collect();
            assert!(tokens.is_empty() || joined == text, "{joined:?} for {text:?}");
        }
    }
    let all: Vec<u32> = (0..600).collect();
    tokenizer.decode(&all).unwrap();
    tokenizer.names(&all).unwrap();
}

/// Tokenizer files of any kind. Each is its name's length, its name, its length in two bytes, and its bytes.
pub fn tokenizer_files(mut data: &[u8]) {
    let mut files = Vec::new();
    while let Some((length, rest)) = data.split_first() {
        let (name, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        let Some((length, rest)) = rest.split_first_chunk::<2>() else { break };
        let (bytes, rest) = rest.split_at(rest.len().min(u16::from_le_bytes(*length).into()));
        files.push((String::from_utf8_lossy(name).into_owned(), bytes.to_vec()));
        data = rest;
    }
    match tokenizer_json(&files) {
        Ok(json) => tokenizer(&json),
        Err(error) => check(&error),
    }
}

/// A file of weights in any format.
pub fn archive(data: &[u8]) {
    match TensorFile::read("model", data) {
        Ok(file) => {
            for tensor in file.tensors {
                let count = tensor.shape.iter().product::<u64>();
                assert!(
                    count == 0 || (tensor.bytes.len() as u64).is_multiple_of(count),
                    "{}",
                    tensor.key
                );
            }
        }
        Err(error) => check(&error),
    }
}

/// `model.safetensors.index.json`.
pub fn index(data: &[u8]) {
    if let Err(error) = Index::read("model.safetensors.index.json", data, &plain()) {
        check(&error);
    }
}

/// A saved copy. If the first byte is odd, the rest are the parts of a copy, each with its length in two bytes before it,
/// and the right checksums are added.
pub fn saved_copy(data: &[u8]) {
    let copy = match data.split_first() {
        Some((first, parts)) if first % 2 == 1 => with_checksums(parts),
        _ => data.to_vec(),
    };
    let length = copy.len() as u64;
    let disk = MemoryDisk::new(copy);
    let restore = |format| {
        let mut reader = CheckpointReader::new(&disk, 0, length, format)?;
        while reader.step(&disk)? {}
        reader.finish().map(|_| ())
    };
    for format in [WeightFormat::F32, WeightFormat::Q4] {
        if let Err(error) = restore(format) {
            check(&error);
        }
    }
}

fn with_checksums(mut data: &[u8]) -> Vec<u8> {
    let mut copy = Vec::new();
    let add = |part: &[u8], copy: &mut Vec<u8>| {
        let checksum = xxh3_64_with_seed(part, copy.len() as u64);
        copy.extend_from_slice(part);
        copy.extend_from_slice(&checksum.to_le_bytes());
    };
    while let Some((length, rest)) = data.split_first_chunk::<2>() {
        let (part, after) = rest.split_at(rest.len().min(u16::from_le_bytes(*length).into()));
        if copy.is_empty() {
            add(&(part.len() as u64).to_le_bytes(), &mut copy); // the first part is the head
        }
        add(part, &mut copy);
        data = after;
    }
    copy
}

/// A list of interventions as JSON, on a run of a small model.
pub fn interventions(data: &[u8]) {
    let Ok(list) = serde_json::from_slice::<serde_json::Value>(data) else { return };
    let request = serde_json::json!({ "input": [1, 2, 3, 4], "interventions": list });
    let run = || lab().begin("tokenScores", request)?.finish();
    if let Err(error) = run() {
        check(&error);
    }
}

fn lab() -> Lab {
    thread_local! {
        static LAB: OnceLock<Lab> = const { OnceLock::new() };
    }
    LAB.with(|lab| {
        lab.get_or_init(|| {
            let weights = Weights::from_bytes(&plain(), WEIGHTS).unwrap();
            Lab { model: Model::new(plain(), &weights).unwrap(), tokenizer: None, compiler: None }
        })
        .clone()
    })
}
