//! Every error has its stable name, and its message says what was expected and what was found.

mod common;

use std::collections::{BTreeSet, HashMap};

use candlescope::checkpoint::Index;
use candlescope::kernel::WeightFormat;
use candlescope::{
    Config, Error, GenerateOptions, Generation, HookPoint, NoHooks, Selector, Tokenizer, Weights,
    WeightsReader, expected_shapes, run_with_cache,
};
use common::{Fixture, row};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

#[track_caller]
fn assert_fails<T>(result: Result<T, Error>, name: &str, message: &str) {
    let Err(error) = result else { panic!("expected {name}: {message}") };
    assert_eq!(error.name(), name, "{error}");
    assert_eq!(error.to_string(), message);
}

#[track_caller]
fn assert_mentions<T>(result: Result<T, Error>, name: &str, words: &[&str]) {
    let Err(error) = result else { panic!("expected {name} with {words:?}") };
    assert_eq!(error.name(), name, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "`{word}` is not in: {error}");
    }
}

/// A tensor of a checkpoint: its dtype, shape and bytes.
type Entry = (Dtype, Vec<usize>, Vec<u8>);

/// The plain checkpoint after `change`, and its config.
fn changed(change: impl FnOnce(&mut HashMap<String, Entry>)) -> (Config, Vec<u8>) {
    let fixture = Fixture::plain();
    let file = SafeTensors::deserialize(fixture.weights).unwrap();
    let entry = |view: TensorView| (view.dtype(), view.shape().to_vec(), view.data().to_vec());
    let mut entries = file.tensors().into_iter().map(|(name, view)| (name, entry(view))).collect();
    change(&mut entries);
    let views = entries.iter().map(|(name, (dtype, shape, bytes))| {
        (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    (fixture.config(), safetensors::serialize(views, None).unwrap())
}

fn load((config, bytes): (Config, Vec<u8>)) -> Result<Weights, Error> {
    Weights::from_bytes(&config, &bytes)
}

fn config_with(key: &str, value: serde_json::Value) -> Result<Config, Error> {
    let mut json: serde_json::Value = serde_json::from_str(Fixture::plain().config).unwrap();
    json[key] = value;
    Config::from_json(&json.to_string())
}

#[test]
fn a_missing_tensor_is_named_with_the_shape_it_should_have() {
    let weights = load(changed(|entries| {
        entries.remove("transformer.h.1.attn.c_attn.weight");
    }));
    let message =
        "model.safetensors: `h.1.attn.c_attn.weight` is missing, expected with shape [18, 54]";
    assert_fails(weights, "WeightsError", message);
}

#[test]
fn an_untied_model_needs_its_lm_head() {
    let (mut config, bytes) = changed(|_| {});
    config.tie_word_embeddings = false;
    let message = "model.safetensors: `lm_head.weight` is missing, expected with shape [61, 18]";
    assert_fails(load((config, bytes)), "WeightsError", message);
}

#[test]
fn a_tensor_of_another_shape_is_named_with_both() {
    let weights = load(changed(|entries| {
        entries.get_mut("transformer.h.0.mlp.c_fc.weight").unwrap().1 = vec![72, 18];
    }));
    let message = "model.safetensors: `h.0.mlp.c_fc.weight` has shape [72, 18], expected [18, 72]";
    assert_fails(weights, "WeightsError", message);
}

#[test]
fn a_dtype_that_is_not_read_is_named() {
    let weights = load(changed(|entries| {
        let (dtype, _, bytes) = entries.get_mut("transformer.ln_f.bias").unwrap();
        (*dtype, *bytes) = (Dtype::I32, vec![0; 4 * 18]);
    }));
    let message = "model.safetensors: `ln_f.bias` has dtype I32, expected F64, F32, F16 or BF16";
    assert_fails(weights, "WeightsError", message);
}

#[test]
fn a_header_longer_than_the_file_is_no_safetensors_file() {
    let (config, mut bytes) = changed(|_| {});
    let length = bytes.len();
    bytes[..8].copy_from_slice(&(length as u64).to_le_bytes());
    let weights = Weights::from_bytes(&config, &bytes);
    let length = length.to_string();
    assert_mentions(weights, "WeightsError", &["its header claims", &length, "the file has"]);
}

#[test]
fn a_header_longer_than_any_is_refused_even_when_the_files_length_is_unknown() {
    let config = Fixture::plain().config();
    let mut reader = WeightsReader::new(&config, None);
    let result = reader.push(&u64::MAX.to_le_bytes());
    assert_mentions(result, "WeightsError", &["not a safetensors file", &u64::MAX.to_string()]);
}

/// The file is truncated at every length; its length is known in advance or not.
#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let (config, bytes) = changed(|_| {});
    for length in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
        assert_mentions(Weights::from_bytes(&config, &bytes[..length]), "WeightsError", &[]);
        let mut reader = WeightsReader::new(&config, None);
        let result = reader.push(&bytes[..length]).and_then(|()| reader.finish());
        assert_mentions(result, "WeightsError", &[&length.to_string()]);
    }
}

#[test]
fn a_file_cut_short_says_how_long_it_should_be() {
    let (config, bytes) = changed(|_| {});
    let (found, promised) = (bytes.len() - 10, bytes.len());
    let message = format!(
        "model.safetensors: the file is cut short: it has {found} bytes, its header promises {promised}"
    );
    assert_fails(Weights::from_bytes(&config, &bytes[..found]), "WeightsError", &message);
}

#[test]
fn a_file_that_goes_on_after_its_tensors_is_refused() {
    let (config, mut bytes) = changed(|_| {});
    bytes.extend_from_slice(&[0; 10]);
    assert_mentions(Weights::from_bytes(&config, &bytes), "WeightsError", &["10 more"]);
}

/// A safetensors header for this config, without data.
fn header_for(config: &Config) -> Vec<u8> {
    let mut end = 0u64;
    let entries = expected_shapes(config).into_iter().map(|(name, shape)| {
        let start = end;
        end += 4 * shape.iter().map(|length| *length as u64).product::<u64>();
        (name, serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, end] }))
    });
    let json = serde_json::Value::Object(entries.collect()).to_string();
    [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat()
}

/// The header is enough to detect it, before the first byte of the weights.
#[test]
fn weights_that_memory_cannot_hold_are_a_memory_error() {
    // 2^22 tokens of width 2^22 make embeddings of 2^46 bytes. The other matrices are as large.
    let huge = |key: &str, json: &mut serde_json::Value| json[key] = (1u64 << 22).into();
    let mut json: serde_json::Value = serde_json::from_str(Fixture::plain().config).unwrap();
    ["n_embd", "vocab_size", "n_positions"].iter().for_each(|key| huge(key, &mut json));
    json["n_head"] = 1.into();
    let config = Config::from_json(&json.to_string()).unwrap();
    let mut reader = WeightsReader::new(&config, None);
    assert_mentions(
        reader.push(&header_for(&config)),
        "MemoryError",
        &["MB, which cannot be allocated here"],
    );
}

#[test]
fn sizes_beyond_any_model_are_refused() {
    let message = "config.json: `n_layer` is 4000000000, expected at most 4096";
    assert_fails(config_with("n_layer", 4_000_000_000u64.into()), "ConfigError", message);
    let message = "config.json: `vocab_size` is 16777217, expected at most 16777216";
    assert_fails(config_with("vocab_size", ((1 << 24) + 1).into()), "ConfigError", message);
}

#[test]
fn offsets_that_leave_a_gap_overlap_or_do_not_fit_the_shape_are_refused() {
    let (config, bytes) = changed(|_| {});
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let json: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let with_offsets = |start: u64, end: u64| {
        let mut json = json.clone();
        json["transformer.wte.weight"]["data_offsets"] = serde_json::json!([start, end]);
        let json = json.to_string();
        let mut reader = WeightsReader::new(&config, None);
        reader.push(&[&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat())
    };
    for (start, end) in [(4, 10), (0, 4), (10, 4), (0, u64::MAX), (u64::MAX, u64::MAX)] {
        assert_mentions(with_offsets(start, end), "WeightsError", &["not a safetensors file"]);
    }
}

/// Bytes that are not needed may be skipped; the weights are the same.
#[test]
fn bytes_between_the_needed_tensors_can_be_passed_over() {
    let (config, bytes) = changed(|entries| {
        for layer in 0..2 {
            let mask = (Dtype::F32, vec![1, 1, 20, 20], vec![0; 4 * 400]);
            entries.insert(format!("transformer.h.{layer}.attn.bias"), mask);
        }
        let tied = entries["transformer.wte.weight"].clone();
        entries.insert("lm_head.weight".into(), tied);
    });
    let mut reader = WeightsReader::new(&config, None);
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    assert!(reader.needed().is_none());
    reader.push(&bytes[..header]).unwrap();
    let (end, needed) = reader.needed().unwrap();
    assert_eq!(end, bytes.len() as u64);
    let count: u64 = needed.iter().map(|range| range.end - range.start).sum();
    assert_eq!(count, bytes.len() as u64 - header as u64 - 2 * 1600);
    assert!(needed.len() > 1, "{needed:?}");
    for range in &needed {
        reader.skip_to(range.start).unwrap();
        assert_mentions(
            reader.skip_to(range.end),
            "WeightsError",
            &["were skipped but are needed"],
        );
        reader.push(&bytes[range.start as usize..range.end as usize]).unwrap();
    }
    reader.skip_to(end).unwrap();
    let (passed, whole) = (reader.finish().unwrap(), Weights::from_bytes(&config, &bytes).unwrap());
    for (name, _) in expected_shapes(&config) {
        common::assert_same_bits(&name, &passed.get(&name).unwrap(), &whole.get(&name).unwrap());
    }
}

/// The plain checkpoint in two files. The tensors alternate between them in alphabetical order.
fn halves() -> (Config, [Vec<u8>; 2]) {
    let file = SafeTensors::deserialize(Fixture::plain().weights).unwrap();
    let mut tensors = file.tensors();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let half = |which| {
        let some = tensors.iter().enumerate().filter(|(place, _)| place % 2 == which);
        safetensors::serialize(some.map(|(_, (name, view))| (name.clone(), view)), None).unwrap()
    };
    (Fixture::plain().config(), [half(0), half(1)])
}

#[test]
fn a_checkpoint_in_several_files_is_the_same() {
    let (config, [first, second]) = halves();
    let mut reader = WeightsReader::sharded(&config, None, WeightFormat::default());
    first.chunks(1000).for_each(|piece| reader.push(piece).unwrap());
    reader.next_file(Some(second.len() as u64)).unwrap();
    second.chunks(1000).for_each(|piece| reader.push(piece).unwrap());
    let weights = reader.finish().unwrap();
    let whole = Weights::from_bytes(&config, Fixture::plain().weights).unwrap();
    for (name, _) in expected_shapes(&config) {
        common::assert_same_bits(&name, &weights.get(&name).unwrap(), &whole.get(&name).unwrap());
    }
}

#[test]
fn a_file_of_several_that_is_missing_cut_short_or_there_twice_is_named_by_its_tensors() {
    let (config, [first, second]) = halves();
    let start = || {
        let mut reader = WeightsReader::sharded(&config, None, WeightFormat::default());
        reader.push(&first).unwrap();
        reader
    };
    assert_mentions(start().finish(), "WeightsError", &["is missing, expected with shape"]);
    let mut twice = start();
    twice.next_file(None).unwrap();
    assert_mentions(twice.push(&first), "WeightsError", &["is in two of the files"]);
    let mut short = start();
    short.next_file(None).unwrap();
    short.push(&second[..second.len() - 1]).unwrap();
    assert_mentions(short.next_file(None), "WeightsError", &["cut short"]);
}

#[test]
fn the_list_of_several_files_names_each_once_and_must_know_every_tensor() {
    let config = Fixture::plain().config();
    let shapes = expected_shapes(&config);
    let file = |(place, (name, _)): (usize, &(String, Vec<usize>))| {
        (
            format!("transformer.{name}"),
            if place < 5 { "a.safetensors" } else { "b.safetensors" }.to_string(),
        )
    };
    let mut map: serde_json::Map<String, serde_json::Value> =
        shapes.iter().enumerate().map(file).map(|(name, file)| (name, file.into())).collect();
    map.insert("lm_head.weight".into(), "c.safetensors".into()); // the embeddings are tied: only its values show whether it is needed
    map.insert("score.weight".into(), "d.safetensors".into()); // the head of another task: not needed
    let read = |map: &serde_json::Map<String, serde_json::Value>| {
        Index::read(
            "index.json",
            serde_json::json!({ "weight_map": map }).to_string().as_bytes(),
            &config,
        )
    };
    let index = read(&map).unwrap();
    assert_eq!(
        index.files,
        BTreeSet::from(["a", "b", "c"].map(|name| format!("{name}.safetensors")))
    );
    assert_eq!(index.report.notices()[0].name, "score.weight");
    map.remove("transformer.wpe.weight");
    let message = "index.json: `wpe.weight` is missing, expected with shape [20, 18]";
    assert_fails(read(&map), "WeightsError", message);
}

#[test]
fn other_files_are_no_safetensors_files() {
    let config = Fixture::plain().config();
    let files: [&[u8]; 6] = [
        b"",
        b"<!DOCTYPE html><html><body>404</body></html>",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        b"{\"not\": \"weights\"}",
        b"\x02\0\0\0\0\0\0\0{]",
        b"PK\x03\x04 a zip file, as torch.save writes it",
    ];
    for file in files {
        assert_mentions(
            Weights::from_bytes(&config, file),
            "WeightsError",
            &["a safetensors file"],
        );
    }
}

#[test]
fn a_pytorch_file_is_told_apart() {
    let config = Fixture::plain().config();
    let weights = Weights::from_bytes(&config, b"PK\x03\x04 a zip file, as torch.save writes it");
    assert_mentions(weights, "WeightsError", &["PyTorch", "safe_serialization"]);
}

#[test]
fn an_unknown_activation_is_named_beside_the_known() {
    let config = config_with("activation_function", "quick_gelu".into());
    assert_mentions(
        config,
        "ConfigError",
        &["activation_function", "quick_gelu", "gelu_new", "relu", "silu"],
    );
}

#[test]
fn every_alias_of_an_activation_is_known() {
    use candlescope::Activation::*;
    let aliases = [
        ("gelu_new", GeluNew),
        ("gelu_pytorch_tanh", GeluNew),
        ("gelu", Gelu),
        ("relu", Relu),
        ("silu", Silu),
        ("swish", Silu),
        ("tanh", Tanh),
    ];
    for (alias, activation) in aliases {
        let config = config_with("activation_function", alias.into()).unwrap();
        assert_eq!(config.activation_function, activation, "{alias}");
    }
}

#[test]
fn sizes_that_do_not_fit_together_are_named() {
    let heads = config_with("n_head", 5.into());
    let message = "config.json: `n_embd` is 18, expected a multiple of `n_head`, which is 5";
    assert_fails(heads, "ConfigError", message);
    let layers = config_with("n_layer", 0.into());
    assert_fails(layers, "ConfigError", "config.json: `n_layer` is 0, expected at least 1");
}

#[test]
fn another_architecture_is_refused() {
    let config = config_with("model_type", "llama".into());
    assert_fails(
        config,
        "ConfigError",
        "config.json: `model_type` is \"llama\", expected \"gpt2\"",
    );
    assert_mentions(Config::from_json("not json"), "ConfigError", &["line 1"]);
}

#[test]
fn a_prompt_longer_than_the_context_says_by_how_much() {
    let model = Fixture::plain().model();
    let message =
        "input: the context has 21 tokens, expected at most 20 (the model's `n_positions`)";
    assert_fails(model.forward(&row(&[1; 21]), None, &mut NoHooks), "InputError", message);
    assert_fails(run_with_cache::<&str>(&model, &[1; 21], &[]), "InputError", message);
}

#[test]
fn an_id_out_of_range_is_named_with_the_size_of_the_vocabulary() {
    let model = Fixture::plain().model();
    let message = "input: token id 61 is out of range, expected below 61";
    assert_fails(run_with_cache::<&str>(&model, &[5, 61, 2], &[]), "InputError", message);
}

#[test]
fn no_token_is_no_input() {
    let model = Fixture::plain().model();
    let message = "input: there is no token, expected at least one";
    assert_fails(run_with_cache::<&str>(&model, &[], &[]), "InputError", message);
    assert_fails(
        Generation::new(&model, None, &[], GenerateOptions::default()),
        "InputError",
        message,
    );
}

#[test]
fn an_unknown_hook_name_is_answered_with_the_nearest() {
    let model = Fixture::plain().model();
    let run = run_with_cache(&model, &[1, 2], &["blocks.1.attn.hook_paterns"]);
    let words = ["`blocks.1.attn.hook_paterns`", "nearest", "`blocks.1.attn.hook_pattern`"];
    assert_mentions(run, "HookError", &words);
    let layer = Selector::parse("blocks.7.hook_resid_pre", model.config());
    assert_mentions(layer, "HookError", &["2-layer", "hook_resid_pre`"]);
    let glob = Selector::parse("blocks.*.attn.hook_qq", model.config());
    assert_mentions(glob, "HookError", &["`blocks.*.attn.hook_qq`", "nearest"]);
    assert_mentions("hook_embedd".parse::<HookPoint>(), "HookError", &["`hook_embed`"]);
}

#[test]
fn a_malformed_regular_expression_is_a_hook_error() {
    let config = Fixture::plain().config();
    assert_mentions(
        Selector::parse("/hook_(/", &config),
        "HookError",
        &["`/hook_(/`", "regular expression"],
    );
}

#[test]
fn what_was_not_captured_is_answered_with_what_was() {
    let model = Fixture::plain().model();
    let cache = run_with_cache(&model, &[1, 2], &["blocks.0.attn.hook_z"]).unwrap().cache;
    let words = ["`blocks.1.attn.hook_z` was not captured", "`blocks.0.attn.hook_z`"];
    assert_mentions(cache.get("blocks.1.attn.hook_z"), "HookError", &words);
}

#[test]
fn options_of_generation_that_make_no_sense_are_named() {
    let model = Fixture::plain().model();
    let start = |options| Generation::new(&model, None, &[1, 2], options);
    let sampled = GenerateOptions { do_sample: true, ..GenerateOptions::default() };
    let cold = GenerateOptions { temperature: 0.0, ..sampled.clone() };
    assert_mentions(start(cold), "InputError", &["`temperature` is 0", "above 0"]);
    let none = GenerateOptions { top_k: Some(0), ..sampled.clone() };
    assert_mentions(start(none), "InputError", &["`topK` is 0", "at least 1"]);
    let above = GenerateOptions { top_p: Some(1.5), ..sampled };
    assert_mentions(start(above), "InputError", &["`topP` is 1.5", "at most 1"]);
    let text = GenerateOptions { stop: vec!["\n".into()], ..GenerateOptions::default() };
    assert_mentions(start(text), "InputError", &["`stop`", "no tokenizer"]);
}

#[test]
fn a_tokenizer_that_is_none_is_a_tokenizer_error() {
    assert_mentions(
        Tokenizer::from_json(b"{}"),
        "TokenizerError",
        &["tokenizer.json: `model` is missing"],
    );
}

/// After every failure the same model computes what it computed before.
#[test]
fn the_model_stays_usable_after_a_failure() {
    let fixture = Fixture::plain();
    let (model, tokens) = (fixture.model(), fixture.expected().tokens);
    let before = model.forward(&row(&tokens), None, &mut NoHooks).unwrap();
    assert!(model.forward(&row(&[99]), None, &mut NoHooks).is_err());
    assert!(run_with_cache(&model, &tokens, &["nothing"]).is_err());
    let after = model.forward(&row(&tokens), None, &mut NoHooks).unwrap();
    common::assert_same_bits("logits", &after, &before);
}
