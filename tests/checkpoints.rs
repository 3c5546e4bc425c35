//! Every form of a checkpoint computes what its reference program computed; the differences go to `docs/checkpoints.md`.

mod common;
#[path = "common/checkpoints.rs"]
mod fixtures;

use std::path::Path;
use std::{env, fs};

use candle_core::Tensor;
use candlescope::checkpoint::{Checkpoint, read_checkpoint};
use candlescope::kernel::WeightFormat;
use candlescope::{Model, run_with_cache};
use common::{assert_close, numbers, tensors};
use fixtures::{FIXTURES, folder, load, names};
use serde_json::{Map, Value, json};

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The logits and every hook point, against the values of the reference program. Returns the largest differences, for
/// `docs/checkpoints.md`.
fn compare(folder: &Path, expected: &Value, checkpoint: Checkpoint) -> Value {
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
    let mut largest: f32 = 0.0;
    for point in points {
        let what = format!("{}: {point}", folder.display());
        let found = result.cache.get(&point).unwrap();
        assert_close(&what, found, &activations[&point]);
        largest = largest.max(difference(found, &activations[&point]));
    }
    let logits = result.logits().unwrap();
    assert_close(&format!("{}: logits", folder.display()), logits, &activations["logits"]);
    json!({ "logits": difference(logits, &activations["logits"]), "points": largest })
}

/// The largest difference between numbers; masked scores are equal infinities.
fn difference(found: &Tensor, expected: &Tensor) -> f32 {
    let pairs = numbers(found).into_iter().zip(numbers(expected));
    pairs.filter(|(a, b)| a != b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// A toy model of TransformerLens, under its names and with its config.
fn load_toy(folder: &Path) -> Checkpoint {
    let weights = fs::read(folder.join("transformer_lens.safetensors")).unwrap();
    let config = fs::read_to_string(folder.join("transformer_lens.json")).unwrap();
    let files = [("transformer_lens.safetensors", weights.as_slice())];
    read_checkpoint(&files, Some(&config), None, WeightFormat::default())
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

/// `scripts/checkpoints.mjs` names the file to write with MEASURED.
#[test]
fn checkpoints_of_every_family_and_format_compute_what_their_programs_do() {
    let mut measured = Map::new();
    let name_of = |folder: &Path| folder.file_name().unwrap().to_str().unwrap().to_owned();
    for entry in fs::read_dir(folder("family")).unwrap() {
        let folder = entry.unwrap().path();
        let expected = read_json(&folder.join("expected.json"));
        let checkpoint = load(&folder, &expected, WeightFormat::default())
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        assert_eq!(checkpoint.family, expected["family"].as_str().unwrap(), "{}", folder.display());
        assert_eq!(checkpoint.format, expected["format"].as_str().unwrap(), "{}", folder.display());
        measured.insert(name_of(&folder), compare(&folder, &expected, checkpoint));
    }
    assert!(measured.len() >= 20, "{} checkpoints", measured.len());
    for entry in fs::read_dir(FIXTURES).unwrap() {
        let folder = entry.unwrap().path();
        if folder.join("transformer_lens.safetensors").exists() {
            let checkpoint = load_toy(&folder);
            assert_eq!(checkpoint.family, "TransformerLens", "{}", folder.display());
            let expected = read_json(&folder.join("expected.json"));
            measured.insert(name_of(&folder), compare(&folder, &expected, checkpoint));
        }
    }
    if let Some(path) = env::var_os("MEASURED") {
        fs::write(path, Value::Object(measured).to_string()).unwrap();
    }
}

#[test]
fn null_in_a_config_does_not_contradict_the_file_of_weights() {
    let folder = folder("family/gguf_f32");
    let weights = fs::read(folder.join("model.gguf")).unwrap();
    let read = |config: &str| {
        let files = [("model.gguf", weights.as_slice())];
        read_checkpoint(&files, Some(config), None, WeightFormat::default())
    };
    let expected =
        load(&folder, &read_json(&folder.join("expected.json")), WeightFormat::default());
    let found = read(r#"{ "model_type": "gpt2", "n_inner": null, "n_embd": null }"#).unwrap();
    assert_eq!(found.config, expected.unwrap().config);
    let error = read(r#"{ "n_layer": 77 }"#).err().unwrap().to_string();
    assert!(error.contains("`n_layer` is 77"), "{error}");
}
