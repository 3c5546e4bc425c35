//! Checkpoints of every family: recognized, mapped, reported, and computed as the reference programs do.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use candlescope::checkpoint::{Checkpoint, read_checkpoint};
use candlescope::kernel::WeightFormat;
use candlescope::{Error, Model, run_with_cache};
use common::{assert_close, tensors};
use serde_json::Value;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

fn folder(name: &str) -> PathBuf {
    Path::new(FIXTURES).join(name)
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn names(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|name| name.as_str().unwrap().into()).collect()
}

fn load(folder: &Path, expected: &Value, format: WeightFormat) -> Result<Checkpoint, Error> {
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

/// The logits and every hook point, against the values of the reference program.
fn compare(folder: &Path, expected: &Value, checkpoint: Checkpoint) {
    let model = Model::new(checkpoint.config, &checkpoint.weights).unwrap();
    if let Some(count) = expected["parameters"].as_u64() {
        assert_eq!(model.parameter_count() as u64, count, "{folder:?}");
    }
    let tokens: Vec<u32> = expected["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_u64().unwrap() as u32)
        .collect();
    let activations = tensors(&fs::read(folder.join("activations.safetensors")).unwrap());
    let points = names(&expected["firing_order"]);
    let result = run_with_cache(&model, &tokens, &points).unwrap();
    for point in points {
        let what = format!("{}: {point}", folder.display());
        assert_close(&what, result.cache.get(&point).unwrap(), &activations[&point]);
    }
    assert_close(
        &format!("{}: logits", folder.display()),
        result.logits().unwrap(),
        &activations["logits"],
    );
}

#[test]
fn checkpoints_of_every_family_and_format_compute_what_their_programs_do() {
    let mut count = 0;
    for entry in fs::read_dir(folder("family")).unwrap() {
        let folder = entry.unwrap().path();
        let expected = json(&folder.join("expected.json"));
        let checkpoint = load(&folder, &expected, WeightFormat::default())
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        assert_eq!(checkpoint.family, expected["family"].as_str().unwrap(), "{}", folder.display());
        assert_eq!(checkpoint.format, expected["format"].as_str().unwrap(), "{}", folder.display());
        compare(&folder, &expected, checkpoint);
        count += 1;
    }
    assert!(count >= 20, "{count} checkpoints");
}
