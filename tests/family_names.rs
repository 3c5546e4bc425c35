//! Names and configs that say the same model in another way: the same parameters come out, or the report says what was assumed.

mod common;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use candle_core::Tensor;
use candlescope::checkpoint::{Checkpoint, NoticeKind, read_checkpoint};
use candlescope::kernel::WeightFormat;
use candlescope::{Activation, PositionEmbedding, expected_shapes};
use common::{assert_same_bits, tensors};
use serde_json::{Value, json};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

fn bytes(path: &str) -> Vec<u8> {
    fs::read(Path::new(FIXTURES).join(path)).unwrap()
}

fn read(weights: &[u8], config: &Value) -> Checkpoint {
    let files = [("model.safetensors", weights)];
    let config = config.to_string();
    read_checkpoint(&files, Some(&config), None, WeightFormat::Plain)
        .unwrap_or_else(|error| panic!("{error}"))
}

fn saved(tensors: &HashMap<String, Tensor>) -> Vec<u8> {
    let contiguous: HashMap<_, _> =
        tensors.iter().map(|(name, tensor)| (name.clone(), tensor.contiguous().unwrap())).collect();
    safetensors::serialize(&contiguous, None).unwrap()
}

/// The Flax fixture under names that `rename` gives.
fn flax(rename: impl Fn(&str) -> String) -> Vec<u8> {
    let own = tensors(&bytes("family/flax_notebook_sinusoidal/model.safetensors"));
    assert!(own.contains_key("h_0/mlp/c_fc/kernel"), "the names that the tests rename");
    saved(&own.into_iter().map(|(name, tensor)| (rename(&name), tensor)).collect())
}

fn flax_config() -> Value {
    json!({
        "n_head": 3, "position_embedding": "none", "n_positions": 20, "layer_norm_epsilon": 1e-5,
        "activation_function": "gelu_new",
    })
}

fn assert_same_model(found: &Checkpoint, expected: &Checkpoint) {
    assert_eq!(found.config, expected.config);
    for (name, _) in expected_shapes(&expected.config) {
        let [found, expected] = [found, expected].map(|one| one.weights.get(&name).unwrap());
        assert_same_bits(&name, &found, &expected);
    }
}

fn assumptions(checkpoint: &Checkpoint) -> Vec<&str> {
    let notices = checkpoint.report().notices().iter();
    notices.filter(|one| one.kind == NoticeKind::Assumed).map(|one| one.message.as_str()).collect()
}

#[test]
fn dense_layers_that_flax_numbers_from_the_outside_in_are_told_apart_by_shape() {
    let own = read(&flax(str::to_string), &flax_config());
    let outside_in =
        |name: &str| name.replace("mlp/c_fc", "mlp/Dense_1").replace("mlp/c_proj", "mlp/Dense_0");
    assert_same_model(&read(&flax(outside_in), &flax_config()), &own);
    let in_order =
        |name: &str| name.replace("mlp/c_fc", "mlp/Dense_0").replace("mlp/c_proj", "mlp/Dense_1");
    assert_same_model(&read(&flax(in_order), &flax_config()), &own);
}

#[test]
fn numbered_tables_are_told_apart_by_the_head() {
    let own = tensors(&bytes("family/flax_notebook_sinusoidal/model.safetensors"));
    let positions = own["wte/embedding"].narrow(0, 0, 20).unwrap();
    let with = |tokens: &str, places: &str| {
        let mut all = own.clone();
        let table = all.remove("wte/embedding").unwrap();
        all.insert(format!("{tokens}/embedding"), table);
        all.insert(format!("{places}/embedding"), positions.clone());
        saved(&all)
    };
    let mut config = flax_config();
    config["position_embedding"] = "learned".into();
    let expected = read(&with("wte", "wpe"), &config);
    for (tokens, places) in [("Embed_0", "Embed_1"), ("Embed_1", "Embed_0")] {
        let found = read(&with(tokens, places), &config);
        assert_same_model(&found, &expected);
        assert!(!assumptions(&found).iter().any(|message| message.contains("Embed_0")));
    }
}

#[test]
fn common_names_of_the_epsilon_and_flax_gelu_are_understood() {
    for name in ["layer_norm_eps", "ln_eps", "eps", "epsilon", "layernorm_epsilon"] {
        let mut config = flax_config();
        config.as_object_mut().unwrap().remove("layer_norm_epsilon");
        config[name] = 0.25.into();
        assert_eq!(read(&flax(str::to_string), &config).config.layer_norm_epsilon, 0.25, "{name}");
    }
    let mut config = flax_config();
    config.as_object_mut().unwrap().remove("activation_function");
    config["activation"] = "gelu".into();
    let found = read(&flax(str::to_string), &config);
    assert_eq!(found.config.activation_function, Activation::GeluNew);
    assert!(assumptions(&found).iter().any(|message| message.contains("approximate=False")));
}

#[test]
fn shortformer_positions_of_an_older_config_are_those_of_today() {
    let weights = bytes("toy_shortformer/transformer_lens.safetensors");
    let config: Value =
        serde_json::from_slice(&bytes("toy_shortformer/transformer_lens.json")).unwrap();
    let mut older = config.clone();
    older.as_object_mut().unwrap().remove("positional_embedding_type");
    older["shortformer_pos"] = true.into();
    let found = read(&weights, &older);
    assert_eq!(found.config.position_embedding, PositionEmbedding::Shortformer);
    assert_same_model(&found, &read(&weights, &config));
}

#[test]
fn a_tied_model_saved_under_the_name_of_its_head_is_read() {
    let mut all = tensors(&bytes("family/nanogpt_safetensors/model.safetensors"));
    let config: Value =
        serde_json::from_slice(&bytes("family/nanogpt_safetensors/config.json")).unwrap();
    let expected = read(&saved(&all), &config);
    let key = all.keys().find(|name| name.ends_with("wte.weight")).unwrap().clone();
    let table = all.remove(&key).unwrap();
    all.insert("lm_head.weight".into(), table);
    let found = read(&saved(&all), &config);
    assert_same_model(&found, &expected);
    let tied = found.report().notices().iter().any(|one| one.kind == NoticeKind::Tied);
    assert!(tied, "{:?}", found.report());
}
