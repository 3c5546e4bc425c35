//! Every part of a file is used, refused or reported: config fields, tensors, values, headers, indices.

mod common;

use std::collections::BTreeMap;

use candlescope::checkpoint::Index;
use candlescope::checkpoint::{Notice, NoticeKind};
use candlescope::kernel::WeightFormat;
use candlescope::{Config, Error, Model, NoHooks, Weights, WeightsReader};
use common::{Fixture, assert_same_bits, row};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};

const FORMATS: [WeightFormat; 5] =
    [WeightFormat::Plain, WeightFormat::F32, WeightFormat::F16, WeightFormat::Q8, WeightFormat::Q4];

#[track_caller]
fn assert_refused<T>(result: Result<T, Error>, name: &str, words: &[&str]) {
    let Err(error) = result else { panic!("expected {name} with {words:?}") };
    assert_eq!(error.name(), name, "{error}");
    let message = error.to_string();
    words.iter().for_each(|word| assert!(message.contains(word), "`{word}` is not in: {message}"));
    for internal in [
        "untagged",
        "expected value",
        "invalid type",
        "unknown variant",
        "trailing",
        "missing field",
    ] {
        assert!(!message.contains(internal), "`{internal}` is in: {message}");
    }
}

// ---- config.json ----

fn plain_config() -> Value {
    serde_json::from_str(Fixture::plain().config).unwrap()
}

fn config_with(field: &str, value: Value) -> String {
    let mut json = plain_config();
    json[field] = value;
    json.to_string()
}

#[test]
fn a_config_field_that_cannot_be_is_refused_by_file_and_field() {
    let cases = [
        ("n_layer", json!("two"), "the text \"two\""),
        ("n_layer", json!(2.5), "2.5"),
        ("n_head", json!(-3), "-3"),
        ("n_head", json!(0), "0, expected at least 1"),
        ("n_embd", json!(null), "null"),
        ("n_inner", json!([1]), "a list of length 1"),
        ("n_inner", json!(0), "0, expected at least 1"),
        ("n_positions", json!({}), "an object"),
        ("vocab_size", json!(true), "true"),
        ("vocab_size", json!(1e30), "1e30"),
        ("layer_norm_epsilon", json!(-1), "-1"),
        ("layer_norm_epsilon", json!(0), "0"),
        ("layer_norm_epsilon", json!(1e-60), "above 0"),
        ("layer_norm_epsilon", json!(1e10), "at most 1"),
        ("layer_norm_epsilon", json!("1e-5"), "the text"),
        ("activation_function", json!("quick_gelu"), "\"gelu_new\""),
        ("activation_function", json!(null), "null"),
        ("scale_attn_weights", json!("true"), "true or false"),
        ("tie_word_embeddings", json!(1), "true or false"),
        ("eos_token_id", json!([0, 1]), "name one of them"),
        ("eos_token_id", json!("0"), "null or one token id below 61"),
        ("bos_token_id", json!(1.5), "null or one token id below 61"),
        ("position_embedding_type", json!("relative_key"), "absolute"),
        ("add_cross_attention", json!(true), "GPT-2 does not support this"),
        ("quantization_config", json!({ "bits": 4 }), "quantized from"),
        ("rope_theta", json!(10000.0), "GPT-2 does not support this"),
        ("pruned_heads", json!({ "0": [1] }), "pruned heads"),
        ("num_key_value_heads", json!(1), "expected 3"),
        ("head_dim", json!(64), "expected 6"),
        ("num_hidden_layers", json!(3), "two names of one field"),
        ("model_type", json!(7), "gpt2"),
    ];
    for (field, value, word) in cases {
        let text = config_with(field, value);
        assert_refused(Config::from_json(&text), "ConfigError", &["config.json: `", field, word]);
    }
}

#[test]
fn a_config_that_is_no_json_object_says_where_and_why() {
    let plain = Fixture::plain().config;
    let cases: [(String, &str); 12] = [
        (String::new(), "empty"),
        ("[1]".into(), "a list of length 1"),
        (plain.replace("18", "NaN"), "is NaN, expected a whole number"),
        (
            plain.replace("1e-05", "-Infinity"),
            "`layer_norm_epsilon` is -Infinity, expected a number above 0",
        ),
        (plain.replace("1e-05", "1e999"), "too large"),
        (plain.replacen('{', "{ \"n_layer\": 1,", 1), "`n_layer` is there twice"),
        (plain[..plain.len() / 2].into(), "not whole"),
        (format!("{plain} x"), "before `x`"),
        (plain.replacen('{', &format!("{{ \"a\": {}", "[".repeat(500)), 1), "127 levels"),
        (format!("{{\"a\": \"{}\"}}", "x".repeat(1 << 20)), "expected at most 1048576"),
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n".into(),
            "Git LFS pointer",
        ),
        ("\n<!DOCTYPE html><html></html>".into(), "web page"),
    ];
    for (text, word) in cases {
        assert_refused(Config::from_json(&text), "ConfigError", &["config.json: ", word]);
    }
}

#[test]
fn another_architecture_is_known_without_its_model_type() {
    let mut json = plain_config();
    json.as_object_mut().unwrap().remove("model_type");
    json["architectures"] = json!(["GPTNeoXForCausalLM"]);
    assert_refused(
        Config::from_json(&json.to_string()),
        "ConfigError",
        &["`architectures`", "GPT-2"],
    );
}

#[test]
fn a_byte_order_mark_and_a_whole_list_of_one_token_are_read() {
    let text = format!("\u{FEFF}{}", config_with("eos_token_id", json!([7])));
    let (config, report) = Config::read(&text).unwrap();
    assert_eq!(config.eos_token_id, Some(7));
    assert_eq!(report.notices(), []);
}

#[test]
fn config_fields_without_effect_are_silent_unknown_ones_and_assumptions_are_reported() {
    let report = |text: &str| -> Vec<(NoticeKind, String)> {
        let (_, report) = Config::read(text).unwrap();
        report.notices().iter().map(|notice| (notice.kind, notice.name.clone())).collect()
    };
    for fixture in common::FIXTURES {
        assert_eq!(report(fixture.config), [], "{}", fixture.name);
    }
    assert_eq!(
        report(&config_with("frobnicate", json!(3))),
        [(NoticeKind::Ignored, "frobnicate".into())]
    );
    assert_eq!(
        report(&config_with("eos_token_id", json!(50256))),
        [(NoticeKind::Ignored, "eos_token_id".into())]
    );
    assert_eq!(
        report(&config_with("eos_token_id", json!(-1))),
        [(NoticeKind::Ignored, "eos_token_id".into())]
    );
    assert_eq!(report(&config_with("n_ctx", json!(9))), [(NoticeKind::Ignored, "n_ctx".into())]);
    let mut json = plain_config();
    json["n_embd"] = json!(24);
    json.as_object_mut().unwrap().remove("n_head");
    assert_eq!(report(&json.to_string()), [(NoticeKind::Assumed, "n_head".into())]);
}

#[test]
fn a_thousand_unknown_fields_are_a_number() {
    let mut json = plain_config();
    (0..1000).for_each(|index| json[format!("x{index:04}")] = json!(1));
    let (_, report) = Config::read(&json.to_string()).unwrap();
    assert_eq!(report.notices().len(), 21);
    assert_eq!(report.notices()[20].count, Some(980));
}

// ---- tensors ----

type Entry = (Dtype, Vec<usize>, Vec<u8>);
type Entries = BTreeMap<String, Entry>;

fn entries() -> Entries {
    let file = SafeTensors::deserialize(Fixture::plain().weights).unwrap();
    let entry = |view: TensorView| (view.dtype(), view.shape().to_vec(), view.data().to_vec());
    file.tensors().into_iter().map(|(name, view)| (name, entry(view))).collect()
}

/// A safetensors file with the tensors in this order.
fn file_of(entries: &[(String, Entry)]) -> Vec<u8> {
    let mut end = 0;
    let mut header = Vec::new();
    for (name, (dtype, shape, bytes)) in entries {
        let dtype = json!(dtype);
        let entry =
            json!({ "dtype": dtype, "shape": shape, "data_offsets": [end, end + bytes.len()] });
        header.push(format!("{}: {entry}", json!(name)));
        end += bytes.len();
    }
    let header = format!("{{{}}}", header.join(", "));
    let data = entries.iter().flat_map(|(_, (_, _, bytes))| bytes.iter().copied());
    (header.len() as u64).to_le_bytes().into_iter().chain(header.into_bytes()).chain(data).collect()
}

fn file_with(change: impl FnOnce(&mut Entries)) -> Vec<u8> {
    let mut entries = entries();
    change(&mut entries);
    file_of(&entries.into_iter().collect::<Vec<_>>())
}

fn load(bytes: &[u8], format: WeightFormat) -> Result<Weights, Error> {
    let mut reader = WeightsReader::with_format(&Fixture::plain().config(), None, format);
    for piece in bytes.chunks(1009) {
        reader.push(piece)?;
    }
    reader.finish()
}

fn floats(shape: &[usize], value: impl Fn(usize) -> f32) -> Entry {
    let count: usize = shape.iter().product();
    (Dtype::F32, shape.to_vec(), (0..count).flat_map(|index| value(index).to_le_bytes()).collect())
}

fn set_number(entries: &mut Entries, name: &str, index: usize, value: f32) {
    entries.get_mut(name).unwrap().2[4 * index..][..4].copy_from_slice(&value.to_le_bytes());
}

fn notices(weights: &Weights) -> Vec<(NoticeKind, &str, Option<u64>)> {
    let notice = |notice: &'_ Notice| (notice.kind, notice.count);
    let names = weights.report().notices().iter().map(|notice| notice.name.as_str());
    let kinds = weights.report().notices().iter().map(notice);
    kinds.zip(names).map(|((kind, count), name)| (kind, name, count)).collect()
}

#[test]
fn numbers_that_are_not_finite_are_counted_in_f32_and_refused_in_other_dtypes() {
    for (name, at) in [("transformer.h.1.mlp.c_fc.weight", 700), ("transformer.h.0.ln_1.bias", 17)]
    {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let bytes = file_with(|entries| {
                set_number(entries, name, 0, value);
                set_number(entries, name, at, value);
            });
            let short = name.strip_prefix("transformer.").unwrap();
            for format in [WeightFormat::Plain, WeightFormat::F32] {
                let weights = load(&bytes, format).unwrap();
                assert_eq!(notices(&weights), [(NoticeKind::NonFinite, short, Some(2))]);
            }
            for format in [WeightFormat::F16, WeightFormat::Q8, WeightFormat::Q4] {
                let words =
                    [&format!("model.safetensors: `{short}`"), format.name(), "`dtype: \"f32\"`"];
                assert_refused(load(&bytes, format), "WeightsError", &words);
            }
        }
    }
}

#[test]
fn numbers_in_16_bits_are_checked_too() {
    let nan = [half::f16::NAN.to_bits(), half::bf16::NAN.to_bits()];
    for (dtype, nan) in [Dtype::F16, Dtype::BF16].into_iter().zip(nan) {
        let bytes = file_with(|entries| {
            let (kind, _, bytes) = entries.get_mut("transformer.wte.weight").unwrap();
            *kind = dtype;
            *bytes = vec![0; bytes.len() / 2];
            bytes[10..12].copy_from_slice(&nan.to_le_bytes());
        });
        assert_eq!(
            notices(&load(&bytes, WeightFormat::F32).unwrap()),
            [(NoticeKind::NonFinite, "wte.weight", Some(1))]
        );
        assert_refused(
            load(&bytes, WeightFormat::F16),
            "WeightsError",
            &["`wte.weight` holds NaN"],
        );
    }
}

#[test]
fn numbers_beyond_the_range_of_a_dtype_are_refused() {
    let name = "transformer.h.0.attn.c_attn.weight";
    let with = |value: f32| file_with(|entries| set_number(entries, name, 5, value));
    for value in [65520.0, -1e5, 1e30] {
        assert_refused(
            load(&with(value), WeightFormat::F16),
            "WeightsError",
            &["c_attn.weight`", "magnitude", "f16"],
        );
    }
    load(&with(65519.0), WeightFormat::F16).unwrap(); // the nearest half is 65504
    for format in [WeightFormat::Q8, WeightFormat::Q4] {
        assert_refused(
            load(&with(1e30), format),
            "WeightsError",
            &["c_attn.weight`", "scales", format.name()],
        );
        load(&with(1000.0), format).unwrap();
    }
    // Each value is small enough, but the sum of a block is not.
    let many =
        file_with(|entries| drop(entries.insert(name.into(), floats(&[18, 54], |_| 60_000.0))));
    for format in [WeightFormat::Q8, WeightFormat::Q4] {
        assert_refused(load(&many, format), "WeightsError", &["scales"]);
    }
    assert_eq!(notices(&load(&with(1e30), WeightFormat::F32).unwrap()), []);
}

#[test]
fn tensors_that_would_make_another_model_are_refused() {
    let one = || floats(&[1], |_| 1.0);
    let cases = [
        ("transformer.h.2.ln_1.weight", "layer 2"),
        ("transformer.h.2.attn.bias", "layer 2"),
        ("h.0.attn.c_attn.lora_A.weight", "adapter"),
        ("base_model.model.transformer.wte.weight", "two names"),
        ("transformer.h.0.crossattention.c_attn.weight", "cross attention"),
        ("transformer.h.0.attn.c_attn.qweight", "quantized"),
        ("transformer.h.0.attn.rotary_emb.inv_freq", "rotary positions"),
        ("transformer.ln_emb.weight", "is not a tensor of Hugging Face GPT-2"),
        ("embed_scale", "is not a tensor of Hugging Face GPT-2"),
        ("lm_head.bias", "not zero"),
    ];
    for (name, word) in cases {
        let shape = if name == "lm_head.bias" { 61 } else { 1 };
        let tensor = if shape == 1 {
            one()
        } else {
            floats(&[61], |index| if index == 60 { 0.5 } else { 0.0 })
        };
        let bytes = file_with(|entries| drop(entries.insert(name.into(), tensor)));
        assert_refused(
            load(&bytes, WeightFormat::F32),
            "WeightsError",
            &["model.safetensors: `", word],
        );
    }
    let bytes =
        file_with(|entries| drop(entries.insert("wte.weight".into(), floats(&[61, 18], |_| 1.0))));
    assert_refused(
        load(&bytes, WeightFormat::F32),
        "WeightsError",
        &["`wte.weight` is there under two names"],
    );
}

#[test]
fn tensors_without_effect_load_and_are_reported_unless_they_are_known_buffers() {
    let bytes = file_with(|entries| {
        entries.insert(
            "transformer.h.0.attn.bias".into(),
            (Dtype::U8, vec![1, 1, 20, 20], vec![1; 400]),
        );
        entries.insert("transformer.h.1.attn.masked_bias".into(), floats(&[], |_| -1e4));
        entries.insert("score.weight".into(), floats(&[2, 18], |_| 1.0));
        entries.insert("v_head.summary.bias".into(), floats(&[1], |_| 1.0));
        entries.insert("lm_head.bias".into(), floats(&[61], |_| 0.0));
    });
    let weights = load(&bytes, WeightFormat::F32).unwrap();
    let names = ["score.weight", "v_head.summary.bias", "lm_head.bias"];
    assert_eq!(notices(&weights), names.map(|name| (NoticeKind::Ignored, name, None)));
}

fn logits(config: Config, weights: &Weights) -> candle_core::Tensor {
    let model = Model::new(config, weights).unwrap();
    model.forward(&row(&Fixture::plain().expected().tokens), None, &mut NoHooks).unwrap()
}

/// In every dtype and in both orders, an untied unembedding gives the logits of a config that does not tie it.
#[test]
fn a_head_that_differs_from_tied_embeddings_is_used() {
    let head = floats(&[61, 18], |index| (index as f32 * 0.37).sin() / 3.0);
    let tied = Fixture::plain().config();
    let untied = Config { tie_word_embeddings: false, ..tied.clone() };
    let mut first: Vec<_> = entries().into_iter().collect();
    let mut last = first.clone();
    first.insert(0, ("lm_head.weight".into(), head.clone()));
    last.push(("lm_head.weight".into(), head));
    for (file, format) in
        [&first, &last].into_iter().flat_map(|file| FORMATS.map(|format| (file_of(file), format)))
    {
        let used = load(&file, format).unwrap();
        assert_eq!(notices(&used), [(NoticeKind::Used, "lm_head.weight", None)]);
        let mut reader = WeightsReader::with_format(&untied, None, format);
        reader.push(&file).unwrap();
        let expected = reader.finish().unwrap();
        assert_eq!(notices(&expected), []);
        let found = logits(tied.clone(), &used);
        assert_same_bits(format.name(), &found, &logits(untied.clone(), &expected));
        assert!(!Model::new(tied.clone(), &used).unwrap().config().tie_word_embeddings);
    }
}

#[test]
fn a_head_that_is_the_embeddings_is_stored_once() {
    let mut file: Vec<_> = entries().into_iter().collect();
    let wte = entries()["transformer.wte.weight"].clone();
    file.insert(0, ("lm_head.weight".into(), wte));
    let tied = Fixture::plain().config();
    for format in FORMATS {
        let weights = load(&file_of(&file), format).unwrap();
        assert_eq!(notices(&weights), [(NoticeKind::Tied, "lm_head.weight", None)]);
        assert!(weights.get("lm_head.weight").is_err());
        let plain = load(Fixture::plain().weights, format).unwrap();
        assert_same_bits(
            format.name(),
            &logits(tied.clone(), &weights),
            &logits(tied.clone(), &plain),
        );
    }
    file[0].1 = floats(&[60, 18], |_| 0.0);
    assert_refused(
        load(&file_of(&file), WeightFormat::F32),
        "WeightsError",
        &["`lm_head.weight` has shape [60, 18]"],
    );
}

#[test]
fn a_head_in_a_file_of_its_own_is_used() {
    let head = ("lm_head.weight".to_string(), floats(&[61, 18], |index| index as f32 / 1000.0));
    let files = [file_of(&[head]), Fixture::plain().weights.to_vec()];
    for order in [[0, 1], [1, 0]] {
        let mut reader =
            WeightsReader::sharded(&Fixture::plain().config(), None, WeightFormat::F32);
        reader.push(&files[order[0]]).unwrap();
        reader.next_file(None).unwrap();
        reader.push(&files[order[1]]).unwrap();
        assert_eq!(
            notices(&reader.finish().unwrap()),
            [(NoticeKind::Used, "lm_head.weight", None)]
        );
    }
}

// ---- headers and indices ----

fn with_header(header: &str) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
}

#[test]
fn headers_that_break_the_format_are_refused() {
    let tensor = |listed: &str| format!("{{\"wte.weight\": {listed}}}");
    let cases: [(String, &str); 16] = [
        ("{\"a\": 1, \"a\": 2}".into(), "`a` is there twice"),
        (
            tensor("{\"dtype\":\"F32\",\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,4]}"),
            "`dtype` is there twice",
        ),
        ("[]".into(), "a list of length 0"),
        ("{".into(), "not whole"),
        (format!("{{\"a\": {}", "[".repeat(300)), "127 levels"),
        (tensor("3"), "`dtype` is 3"),
        (tensor("{\"shape\":[1],\"data_offsets\":[0,4]}"), "`dtype` is missing"),
        (tensor("{\"dtype\":\"Q4\",\"shape\":[1],\"data_offsets\":[0,4]}"), "has dtype \"Q4\""),
        (tensor("{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}"), "`shape` is a list"),
        (
            tensor("{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}"),
            "expected a list of whole numbers",
        ),
        (tensor("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}"), "two whole numbers"),
        (
            tensor("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}"),
            "begin at 4 and end at 0",
        ),
        (tensor("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}"), "leave a gap"),
        (
            tensor("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}"),
            "has 4 bytes, its shape [2] takes 8",
        ),
        (
            tensor(
                "{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4],\"data_offsets\":[0,4]}",
            ),
            "more numbers than any file holds",
        ),
        ("{\"__metadata__\": {\"format\": 3}}".into(), "`__metadata__`"),
    ];
    for (header, word) in cases {
        let words = ["model.safetensors: ", word];
        assert_refused(load(&with_header(&header), WeightFormat::F32), "WeightsError", &words);
    }
    let two = "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\
               \"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}";
    assert_refused(load(&with_header(two), WeightFormat::F32), "WeightsError", &["`b`", "overlap"]);
}

#[test]
fn other_kinds_of_files_are_told_apart() {
    let cases: [(&[u8], &str); 10] = [
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"<!DOCTYPE html>", "web page"),
        (b"  <html><body>", "web page"),
        (b"PK\x03\x04\x14\0\0\0\0\0", "PyTorch"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P", "pickle"),
        (b"GGUF\x03\0\0\0\x01\0", "GGUF"),
        (b"\x93NUMPY\x01\0v\0", "NumPy"),
        (b"\x81\xabtransformer\x85", "MessagePack"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"{\"weights\": 1}", "claim a header"),
    ];
    for (bytes, word) in cases {
        assert_refused(
            load(bytes, WeightFormat::F32),
            "WeightsError",
            &["model.safetensors: ", word],
        );
    }
}

fn read_index(map: Value) -> Result<Index, Error> {
    Index::read("index.json", map.to_string().as_bytes(), &Fixture::plain().config())
}

fn weight_map() -> Value {
    Value::Object(entries().into_keys().map(|name| (name, json!("a.safetensors"))).collect())
}

#[test]
fn a_list_of_files_that_cannot_be_is_refused() {
    let name = "transformer.wte.weight";
    for (file, word) in [
        (json!("../a.safetensors"), "beside this one"),
        (json!("sub/a.safetensors"), "beside this one"),
        (json!("https://evil.example/a.safetensors"), "beside this one"),
        (json!("a.safetensors?x"), "beside this one"),
        (json!("%2e%2e.safetensors"), "beside this one"),
        (json!(""), "beside this one"),
        (json!(3), "is 3"),
    ] {
        let mut map = weight_map();
        map[name] = file;
        assert_refused(
            read_index(json!({ "weight_map": map })),
            "WeightsError",
            &["index.json: ", name, word],
        );
    }
    for (extra, word) in
        [("wte.weight", "two names"), ("h.0.attn.lora_A", "adapter"), ("h.7.ln_1.bias", "layer 7")]
    {
        let mut map = weight_map();
        map[extra] = json!("b.safetensors");
        assert_refused(
            read_index(json!({ "weight_map": map })),
            "WeightsError",
            &["index.json: ", extra, word],
        );
    }
    for map in [json!({}), json!({ "weight_map": [] }), json!({ "weight_map": {} }), json!([])] {
        assert_refused(read_index(map), "WeightsError", &["index.json: ", "expected"]);
    }
    let twice = br#"{"weight_map": {"a": "a.safetensors", "a": "b.safetensors"}}"#;
    let config = Fixture::plain().config();
    assert_refused(
        Index::read("index.json", twice, &config),
        "WeightsError",
        &["`a` is there twice"],
    );
}

#[test]
fn files_that_differ_from_their_list_are_refused() {
    let read = |change: &dyn Fn(&mut BTreeMap<String, String>)| {
        let mut files = read_index(json!({ "weight_map": weight_map() })).unwrap().tensors;
        change(&mut files);
        let mut reader =
            WeightsReader::sharded(&Fixture::plain().config(), None, WeightFormat::F32);
        reader.name_file("a.safetensors");
        reader.expect(files);
        reader.push(Fixture::plain().weights)
    };
    read(&|_| {}).unwrap();
    let other = read(&|files| drop(files.insert("wte.weight".into(), "b.safetensors".into())));
    assert_refused(
        other,
        "WeightsError",
        &["a.safetensors: the file contains `wte.weight`", "in b.safetensors"],
    );
    let nowhere = read(&|files| drop(files.remove("wte.weight")));
    assert_refused(
        nowhere,
        "WeightsError",
        &["a.safetensors: the file contains `wte.weight`", "nowhere"],
    );
    let absent = read(&|files| drop(files.insert("score.weight".into(), "a.safetensors".into())));
    assert_refused(
        absent,
        "WeightsError",
        &["a.safetensors: the list of files names this file for `score.weight`"],
    );
}
