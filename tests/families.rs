//! Checkpoints of every family: recognized, mapped, reported, and computed as the reference programs do.

mod common;
#[path = "common/checkpoints.rs"]
mod fixtures;

use std::fs;

use candlescope::checkpoint::{Checkpoint, NoticeKind, read_checkpoint};
use candlescope::error::FieldChoice;
use candlescope::kernel::WeightFormat;
use candlescope::{Error, Model, expected_shapes};
use common::assert_same_bits;
use fixtures::{folder, load};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The toy models under TransformerLens's names have the config and the numbers of those under canonical names.
#[test]
fn transformer_lens_checkpoints_are_the_same_models_in_every_format() {
    for name in ["toy_attn", "toy_solu", "toy_solu_gain", "toy_linear", "toy_shortformer"] {
        let folder = folder(name);
        let read = |weights: &str, config: &str, format| {
            let expected = json!({ "weights": [weights], "config": config, "options": {} });
            load(&folder, &expected, format).unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        for format in [WeightFormat::Plain, WeightFormat::F32, WeightFormat::Q8, WeightFormat::Q4] {
            let lens = read("transformer_lens.safetensors", "transformer_lens.json", format);
            let canonical = read("model.safetensors", "config.json", format);
            assert_eq!(lens.family, "TransformerLens");
            let kinds: Vec<_> = lens.report().notices().iter().map(|notice| notice.kind).collect();
            assert!(kinds.contains(&NoticeKind::Joined), "{name}: {kinds:?}");
            let same = |config: &candlescope::Config| {
                let mut config = config.clone();
                config.n_inner = Some(config.d_mlp());
                config.bos_token_id = None;
                config.eos_token_id = None;
                if config.attn_only {
                    config.n_inner = None; // no effect
                    config.activation_function = candlescope::Config::default().activation_function;
                }
                config
            };
            assert_eq!(same(&lens.config), same(&canonical.config), "{name}");
            for (parameter, _) in expected_shapes(&lens.config) {
                let [found, expected] =
                    [&lens, &canonical].map(|one| one.weights.get(&parameter).unwrap());
                assert_same_bits(&format!("{name}: {parameter}"), &found, &expected);
            }
        }
    }
}

/// Shapes by key, as a safetensors file of zeros, halves to save memory.
fn file(shapes: &[(String, Vec<usize>)]) -> Vec<u8> {
    let mut listed = serde_json::Map::new();
    let mut end = 0;
    for (key, shape) in shapes {
        let start = end;
        end += 2 * shape.iter().product::<usize>();
        listed.insert(
            key.clone(),
            json!({ "dtype": "F16", "shape": shape, "data_offsets": [start, end] }),
        );
    }
    let header = Value::Object(listed).to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    // Values that differ, so that the unembedding is not the embedding.
    bytes.extend((0..end / 2).flat_map(|index| (0x3000 + (index % 1021) as u16).to_le_bytes()));
    bytes
}

fn read(
    shapes: &[(String, Vec<usize>)],
    config: Option<&Value>,
    options: Option<&Value>,
) -> Result<Checkpoint, Error> {
    let [config, options] = [config, options].map(|json| json.map(Value::to_string));
    let bytes = file(shapes);
    let files: [(&str, &[u8]); 1] = [("model.safetensors", &bytes)];
    read_checkpoint(&files, config.as_deref(), options.as_deref(), WeightFormat::F32)
}

/// A GPT in Flax with `layers` blocks, `width` channels and `vocabulary` tokens, without positions.
fn flax(layers: usize, width: usize, vocabulary: usize) -> Vec<(String, Vec<usize>)> {
    let mut shapes = vec![
        ("wte.embedding".to_string(), vec![vocabulary, width]),
        ("ln_f.scale".into(), vec![width]),
        ("ln_f.bias".into(), vec![width]),
        ("lm_head.kernel".into(), vec![width, vocabulary]),
    ];
    for layer in 0..layers {
        for (name, shape) in [
            ("ln_1.scale", vec![width]),
            ("ln_1.bias", vec![width]),
            ("attn.c_attn.kernel", vec![width, 3 * width]),
            ("attn.c_attn.bias", vec![3 * width]),
            ("attn.c_proj.kernel", vec![width, width]),
            ("attn.c_proj.bias", vec![width]),
            ("ln_2.scale", vec![width]),
            ("ln_2.bias", vec![width]),
            ("mlp.c_fc.kernel", vec![width, 4 * width]),
            ("mlp.c_fc.bias", vec![4 * width]),
            ("mlp.c_proj.kernel", vec![4 * width, width]),
            ("mlp.c_proj.bias", vec![width]),
        ] {
            shapes.push((format!("h_{layer}.{name}"), shape));
        }
    }
    shapes
}

#[test]
fn the_notebooks_model_has_its_number_of_parameters() {
    let options = json!({ "n_head": 4, "position_embedding": "sinusoidal" });
    let checkpoint = read(&flax(4, 256, 50257), None, Some(&options)).unwrap();
    assert_eq!(checkpoint.family, "Flax GPT");
    let model = Model::new(checkpoint.config, &checkpoint.weights).unwrap();
    assert_eq!(model.parameter_count(), 28_891_136);
}

#[test]
fn what_no_file_says_is_asked_for_at_once_with_the_values_that_fit() {
    let error = read(&flax(1, 16, 11), None, None).err().unwrap();
    assert_eq!(error.name(), "ConfigError");
    let found: Vec<_> = error
        .missing_fields()
        .iter()
        .map(|missing| (missing.field, missing.choices.clone()))
        .collect();
    let heads = [1, 2, 4, 8, 16].map(FieldChoice::Number).to_vec();
    let positions = ["sinusoidal", "none"].map(FieldChoice::Word).to_vec();
    assert_eq!(found, [("n_head", heads), ("position_embedding", positions)]);
    for word in ["`n_head` (one of 1, 2, 4, 8, 16)", "config: { n_head: …, position_embedding: … }"]
    {
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn defaults_of_the_family_and_what_the_caller_says_are_reported() {
    let options = json!({ "n_head": "4", "position_embedding": "none" });
    let checkpoint = read(&flax(1, 16, 11), None, Some(&options)).unwrap();
    let assumed: Vec<_> = checkpoint
        .report()
        .notices()
        .iter()
        .filter(|notice| notice.kind == NoticeKind::Assumed)
        .map(|notice| notice.name.as_str())
        .collect();
    for field in
        ["n_head", "position_embedding", "layer_norm_epsilon", "activation_function", "n_positions"]
    {
        assert!(assumed.contains(&field), "{field} in {assumed:?}");
    }
    assert_eq!(checkpoint.config.layer_norm_epsilon, 1e-6);
    let config = json!({ "n_head": 2, "position_embedding": "none" });
    let used = read(&flax(1, 16, 11), Some(&config), Some(&json!({ "n_head": 4 }))).unwrap();
    assert_eq!(used.config.n_head, 4);
    let is_used = |notice: &&candlescope::checkpoint::Notice| notice.kind == NoticeKind::Used;
    let notice = used.report().notices().iter().find(is_used).unwrap();
    assert_eq!(
        (notice.name.as_str(), notice.message.contains("the files say 2")),
        ("n_head", true)
    );
}

/// What is done to a listing, and words of the error.
type Refused = (fn(&mut Vec<(String, Vec<usize>)>), &'static [&'static str]);

#[test]
fn what_would_change_the_result_is_refused_by_name() {
    let options = json!({ "n_head": 4, "position_embedding": "none", "n_layer": 1 });
    let cases: [Refused; 8] = [
        (|all| all.push(("h_1.ln_1.scale".into(), vec![16])), &["h_1.ln_1.scale", "layer 1"]),
        (
            |all| all.push(("h_0.gate.kernel".into(), vec![16, 16])),
            &["h_0.gate.kernel", "Flax GPT"],
        ),
        (|all| all.push(("h_0.attn.lora_A.kernel".into(), vec![16])), &["lora_A", "adapter"]),
        (|all| all.push(("wpe.embedding".into(), vec![8, 16])), &["wpe", "position_embedding"]),
        (|all| all.push(("head.kernel".into(), vec![16, 11])), &["lm_head", "are both"]),
        (|all| all.push(("params.ln_f.bias".into(), vec![16])), &["two names"]),
        (|all| all.retain(|(key, _)| key != "h_0.mlp.c_fc.kernel"), &["is missing"]),
        (|all| all[0].1 = vec![10, 16], &["lm_head.kernel", "[16, 10]"]),
    ];
    for (change, words) in cases {
        let mut shapes = flax(1, 16, 11);
        change(&mut shapes);
        let error = read(&shapes, None, Some(&options)).err().unwrap();
        for word in words {
            assert!(error.to_string().contains(word), "`{word}` is not in: {error}");
        }
    }
}

#[test]
fn names_of_no_family_are_listed_with_what_is_known() {
    let shapes = ["model.layers.0.self_attn.q_proj.weight", "model.norm.weight"]
        .map(|key| (key.to_string(), vec![4, 4]));
    let error = read(&shapes, None, None).err().unwrap().to_string();
    for word in ["model.layers.0.self_attn.q_proj.weight", "Llama", "nanoGPT", "tools/convert.py"] {
        assert!(error.contains(word), "`{word}` is not in: {error}");
    }
}

#[test]
fn a_config_of_transformer_lens_that_no_gpt2_computes_is_refused_by_field() {
    let folder = folder("toy_shortformer");
    let text = fs::read_to_string(folder.join("transformer_lens.json")).unwrap();
    let bytes = fs::read(folder.join("transformer_lens.safetensors")).unwrap();
    for (field, value) in [
        ("positional_embedding_type", json!("rotary")),
        ("normalization_type", json!("RMS")),
        ("gated_mlp", json!(true)),
        ("parallel_attn_mlp", json!(true)),
        ("use_local_attn", json!(true)),
        ("final_rms", json!(true)),
        ("attention_dir", json!("bidirectional")),
        ("attn_scale", json!(1.0)),
        ("d_head", json!(4)),
        ("n_key_value_heads", json!(1)),
        ("act_fn", json!("swiglu")),
    ] {
        let mut config: Value = serde_json::from_str(&text).unwrap();
        config[field] = value;
        let files: [(&str, &[u8]); 1] = [("model.safetensors", &bytes)];
        let read =
            read_checkpoint(&files, Some(&config.to_string()), None, WeightFormat::default());
        let error = read.err().unwrap_or_else(|| panic!("{field} is accepted"));
        assert_eq!(error.name(), "ConfigError", "{field}: {error}");
        let shown = if field == "act_fn" { "activation_function" } else { field };
        assert!(error.to_string().contains(shown), "{field}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Any listing is read or refused, never a panic.
    #[test]
    fn random_listings_do_not_panic(
        keys in prop::collection::vec(
            prop::sample::select(vec![
                "wte.weight", "wpe.weight", "h.0.attn.c_attn.weight", "h.0.attn.c_attn.bias", "h.9.ln_1.weight",
                "lm_head.weight", "lm_head.bias", "embed.W_E", "blocks.0.attn.W_Q", "blocks.0.attn.W_O", "unembed.b_U",
                "tok_emb.weight", "pos_emb", "blocks.0.attn.query.weight", "token_embd.weight", "blk.0.attn_qkv.weight",
                "wte.embedding", "h_0.attn.qkv.kernel", "h_0.attn.query.kernel", "h_0.ln_1.scale", "optimizer.a", "x", "",
                "h..", "params", "transformer.", "h_99999999999999999999.ln_1.scale", "h.18446744073709551615.ln_1.bias",
            ]),
            0..8,
        ),
        shapes in prop::collection::vec(prop::collection::vec(0usize..5, 0..5), 8),
        heads in 0u64..4,
    ) {
        let mut listed: Vec<(String, Vec<usize>)> = Vec::new();
        for (key, shape) in keys.iter().zip(shapes) {
            if listed.iter().all(|(first, _)| first != key) {
                listed.push(((*key).into(), shape));
            }
        }
        let options = json!({ "n_head": heads, "position_embedding": "none" });
        for options in [None, Some(&options)] {
            if let Err(error) = read(&listed, None, options) {
                prop_assert!(error.to_string().len() < 4000);
            }
        }
    }
}
