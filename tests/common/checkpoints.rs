//! The checkpoints in `tests/fixtures`, and how a test reads them.

use std::fs;
use std::path::{Path, PathBuf};

use candlescope::Error;
use candlescope::checkpoint::{Checkpoint, read_checkpoint};
use candlescope::kernel::WeightFormat;
use serde_json::Value;

pub const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

pub fn folder(name: &str) -> PathBuf {
    Path::new(FIXTURES).join(name)
}

pub fn names(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|name| name.as_str().unwrap().into()).collect()
}

/// The checkpoint that `expected` describes: its weights, its config and the options of the load.
pub fn load(folder: &Path, expected: &Value, format: WeightFormat) -> Result<Checkpoint, Error> {
    let weights = names(&expected["weights"]);
    let bytes: Vec<Vec<u8>> =
        weights.iter().map(|name| fs::read(folder.join(name)).unwrap()).collect();
    let files: Vec<(&str, &[u8])> =
        weights.iter().map(String::as_str).zip(bytes.iter().map(Vec::as_slice)).collect();
    let config =
        expected["config"].as_str().map(|name| fs::read_to_string(folder.join(name)).unwrap());
    let options = &expected["options"];
    let options = options.as_object().filter(|fields| !fields.is_empty());
    let options = options.map(|fields| serde_json::to_string(fields).unwrap());
    read_checkpoint(&files, config.as_deref(), options.as_deref(), format)
}
