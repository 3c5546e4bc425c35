//! In a browser's worker: the same numbers as natively, and loading from the network and from the disk.
#![cfg(target_arch = "wasm32")]

mod common;

use candlescope::load::Files;
use candlescope::wasm::WasmModel;
use candlescope::{
    Config, GenerateOptions, Generation, Model, WeightsReader, expected_shapes, run_with_cache,
};
use common::*;
use js_sys::{Array, Float32Array, Function, Object, Reflect, Uint8Array, Uint32Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{AbortSignal, Blob};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn for_every_fixture(check: fn(&Fixture)) {
    FIXTURES.iter().chain(&TOYS).for_each(check);
}

// ---- the build ----

/// A `RUSTFLAGS` variable silently replaces the flags of `.cargo/config.toml`.
#[wasm_bindgen_test]
fn simd_is_on_and_runs() {
    use std::arch::wasm32::{f32x4_add, f32x4_extract_lane, f32x4_splat, v128};
    const { assert!(cfg!(target_feature = "simd128")) };
    let x: v128 = std::hint::black_box(f32x4_splat(1.5));
    assert_eq!(f32x4_extract_lane::<3>(f32x4_add(x, x)), 3.0);
}

// ---- the same numbers as natively ----

#[wasm_bindgen_test]
fn every_hook_point_equals_transformer_lens() {
    for_every_fixture(check_every_hook_point);
}

#[wasm_bindgen_test]
fn logits_equal_hugging_face_and_transformer_lens() {
    for_every_fixture(check_logits);
}

#[wasm_bindgen_test]
fn loss_log_probabilities_and_ranks_are_those_of_the_logits() {
    for_every_fixture(check_scores);
}

#[wasm_bindgen_test]
fn every_point_fires_once_in_the_order_of_transformer_lens() {
    for_every_fixture(check_firing_order);
}

#[wasm_bindgen_test]
fn reading_any_point_changes_no_bit() {
    for_every_fixture(check_reading_changes_no_bit);
}

#[wasm_bindgen_test]
fn a_key_value_cache_changes_nothing() {
    for_every_fixture(check_key_value_cache);
}

fn generated(model: &Model, prompt: &[u32], options: GenerateOptions) -> Vec<u32> {
    let mut generation = Generation::new(model, None, prompt, options).unwrap();
    std::iter::from_fn(|| generation.next_step().unwrap()).map(|step| step.id).collect()
}

#[wasm_bindgen_test]
fn greedy_text_equals_hugging_face() {
    for_every_fixture(|fixture| {
        let expected = fixture.expected().greedy;
        let options = GenerateOptions {
            max_new_tokens: expected.ids.len(),
            stop_at_eos: false,
            ..GenerateOptions::default()
        };
        assert_eq!(
            generated(&fixture.model(), &expected.prompt, options),
            expected.ids,
            "{}",
            fixture.name
        );
    });
}

#[wasm_bindgen_test]
fn a_seed_gives_the_same_text_as_natively() {
    for fixture in &FIXTURES {
        for expected in fixture.expected().sampled {
            let found = generated(&fixture.model(), &expected.prompt, expected.options());
            assert_eq!(found, expected.ids, "{}, seed {}", fixture.name, expected.seed);
        }
    }
}

// ---- loading ----

#[wasm_bindgen_test]
fn weights_in_pieces_of_any_size_are_the_same_weights() {
    for fixture in &FIXTURES {
        let (config, whole) = (fixture.config(), fixture.model());
        for size in [1, 3, 7, 1021, 65_537] {
            let mut reader = WeightsReader::new(&config, None);
            fixture.weights.chunks(size).for_each(|piece| reader.push(piece).unwrap());
            let model = Model::new(config.clone(), &reader.finish().unwrap()).unwrap();
            let tokens = fixture.expected().tokens;
            let logits = |model| {
                run_with_cache::<&str>(model, &tokens, &[]).unwrap().logits().unwrap().clone()
            };
            let what = format!("{} in pieces of {size}", fixture.name);
            assert_same_bits(&what, &logits(&model), &logits(&whole));
        }
    }
}

#[wasm_bindgen_test]
async fn a_model_loads_from_blobs_and_runs_across_the_boundary() {
    let fixture = Fixture::plain();
    let model =
        load(&plain_config(), &file_of_bytes("model.safetensors", fixture.weights)).await.unwrap();
    let described = model.describe().unwrap();
    assert_eq!(
        get(&get(&described, "config"), "n_embd"),
        JsValue::from(fixture.config().n_embd as u32)
    );
    assert_eq!(
        get(&described, "parameterCount"),
        JsValue::from(fixture.model().parameter_count() as u32)
    );
    assert_eq!(get(&described, "hasTokenizer"), JsValue::FALSE);

    let expected = fixture.expected();
    let options = object(&[("names", Array::of1(&"blocks.1.attn.hook_pattern".into()).into())]);
    let run = model
        .run_with_cache(Uint32Array::from(expected.tokens.as_slice()).into(), options)
        .unwrap();
    let floats = |value: JsValue| value.unchecked_into::<Float32Array>().to_vec();
    assert_all_close("logProbs", &floats(get(&get(&run, "logProbs"), "data")), &expected.log_probs);
    let captured = Array::from(&get(&run, "cache")).get(0);
    assert_eq!(get(&captured, "name"), "blocks.1.attn.hook_pattern");
    let pattern = floats(get(&get(&captured, "value"), "data"));
    assert_all_close(
        "pattern",
        &pattern,
        &numbers(&fixture.activations()["blocks.1.attn.hook_pattern"]),
    );
}

#[wasm_bindgen_test]
async fn a_run_that_captures_everything_needs_no_more_memory_than_one_that_captures_nothing() {
    let config =
        r#"{"n_layer": 12, "n_embd": 32, "n_head": 4, "n_positions": 256, "vocab_size": 8}"#;
    let model = load(
        &file_of_bytes("config.json", config.as_bytes()),
        &file_of_bytes("model.safetensors", &zeros(config)),
    )
    .await
    .unwrap();
    let bytes_after = |names: &str| {
        let options = object(&[(
            "names",
            names.split_whitespace().map(JsValue::from).collect::<Array>().into(),
        )]);
        let run =
            model.run_with_cache(Uint32Array::from([1; 256].as_slice()).into(), options).unwrap();
        let bytes = |captured| {
            Float32Array::from(get(&get(&captured, "value"), "data")).byte_length() as usize
        };
        let captured = Array::from(&get(&run, "cache")).iter().map(bytes).sum::<usize>();
        (captured, core::arch::wasm32::memory_size::<0>() * 65536)
    };
    let (_, plain) = bytes_after("");
    let (captured, all) = bytes_after("*");
    assert!(captured > 25 << 20, "{captured} bytes captured");
    assert!(
        all - plain < captured / 10,
        "{plain} bytes of memory, then {all} after {captured} were captured"
    );
}

/// A safetensors file of zeros.
fn zeros(config: &str) -> Vec<u8> {
    let mut end = 0;
    let entries =
        expected_shapes(&Config::from_json(config).unwrap()).into_iter().map(|(name, shape)| {
            let start = end;
            end += 4 * shape.iter().product::<usize>();
            format!(
                r#""{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{start},{end}]}}"#
            )
        });
    let header = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; end]].concat()
}

#[wasm_bindgen_test]
async fn an_absent_file_is_named_with_its_reason() {
    let missing = absent_file("config.json", "https://host/config.json answered 404");
    let error =
        load(&missing, &file_of_bytes("model.safetensors", &[])).await.err().expect("a failure");
    assert_failed(&error, "NetworkError", &["https://host/config.json", "404"]);
}

#[wasm_bindgen_test]
async fn an_aborted_load_is_an_abort_error() {
    let weights = file_of_bytes("model.safetensors", Fixture::plain().weights);
    let loaded = load_watched(&plain_config(), &weights, None, Some(AbortSignal::abort())).await;
    let error = loaded.err().expect("a failure");
    assert_failed(&error, "AbortError", &["config.json"]);
}

#[wasm_bindgen_test]
async fn a_load_can_be_aborted_from_its_own_progress() {
    let controller = web_sys::AbortController::new().unwrap();
    let signal = controller.signal();
    let stop = Closure::<dyn FnMut(JsValue)>::new(move |stage: JsValue| {
        if stage == "weights" {
            controller.abort();
        }
    });
    let listener = stop.as_ref().unchecked_ref::<Function>().clone();
    let weights = file_of_bytes("model.safetensors", Fixture::plain().weights);
    let loaded = load_watched(&plain_config(), &weights, Some(listener), Some(signal)).await;
    let error = loaded.err().expect("a failure");
    assert_failed(&error, "AbortError", &["model.safetensors"]);
}

#[wasm_bindgen_test]
async fn a_file_that_is_cut_short_says_how_long_it_should_be() {
    let weights = Fixture::plain().weights;
    let half = file_of_bytes("model.safetensors", &weights[..weights.len() / 2]);
    let error = load(&plain_config(), &half).await.err().expect("a failure");
    let (found, promised) = ((weights.len() / 2).to_string(), weights.len().to_string());
    assert_failed(&error, "WeightsError", &["cut short", &found, &promised]);
}

#[wasm_bindgen_test]
async fn a_web_page_in_place_of_a_config_is_told_from_one() {
    let page = file_of_bytes("config.json", b"\n<!doctype html><p>Home");
    let error =
        load(&page, &file_of_bytes("model.safetensors", &[])).await.err().expect("a failure");
    assert_failed(&error, "NetworkError", &["config.json is not a config.json but a page"]);
}

#[wasm_bindgen_test]
async fn a_failure_at_the_boundary_leaves_the_model_usable() {
    let fixture = Fixture::plain();
    let model =
        load(&plain_config(), &file_of_bytes("model.safetensors", fixture.weights)).await.unwrap();
    let names = object(&[("names", Array::of1(&"blocks.0.attn.hook_patern".into()).into())]);
    let ids = || Uint32Array::from([1u32, 2].as_slice()).into();
    let error = JsValue::from(model.run_with_cache(ids(), names).unwrap_err());
    assert_failed(&error, "HookError", &["`blocks.0.attn.hook_pattern`"]);
    let error = JsValue::from(model.run_with_cache("text".into(), object(&[])).unwrap_err());
    assert_failed(&error, "InputError", &["withTokenizer"]);
    assert!(model.run_with_cache(ids(), object(&[])).is_ok());
}

async fn load(config: &JsValue, weights: &JsValue) -> Result<WasmModel, JsValue> {
    load_watched(config, weights, None, None).await
}

async fn load_watched(
    config: &JsValue,
    weights: &JsValue,
    on_progress: Option<Function>,
    signal: Option<AbortSignal>,
) -> Result<WasmModel, JsValue> {
    let place = object(&[("files", Array::of1(weights).into())]);
    let files = object(&[
        ("name", "plain".into()),
        ("config", Array::of1(config).into()),
        ("tokenizer", Array::new().into()),
        ("weights", Array::of1(&place).into()),
        ("markers", Array::new().into()),
        ("ignored", Array::new().into()),
        ("mayBeKept", JsValue::FALSE),
    ]);
    WasmModel::load(files.unchecked_into::<Files>(), "f32", on_progress, signal, None)
        .await
        .map_err(JsValue::from)
}

fn plain_config() -> JsValue {
    file_of_bytes("config.json", Fixture::plain().config.as_bytes())
}

#[wasm_bindgen(inline_js = r#"
    export function file_of_blob(name, blob) {
        const open = async () => {
            const reader = blob.stream().getReader();
            const read = async () => (await reader.read()).value;
            const peek = async (count) => new Uint8Array(await blob.slice(0, count).arrayBuffer());
            const close = () => reader.cancel();
            return { length: blob.size, answersRanges: false, read, peek, confirmLength() {}, close };
        };
        return { name, open };
    }
    export function absent_file(name, absent) {
        return { name, open: async () => ({ absent }) };
    }
"#)]
extern "C" {
    /// A `RemoteFile` of `www/worker/network.ts` for a blob, without retries.
    fn file_of_blob(name: &str, blob: Blob) -> JsValue;
    fn absent_file(name: &str, reason: &str) -> JsValue;
}

fn file_of_bytes(name: &str, bytes: &[u8]) -> JsValue {
    file_of_blob(
        name,
        Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(bytes))).unwrap(),
    )
}

fn object(entries: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in entries {
        Reflect::set(&object, &(*name).into(), value).unwrap();
    }
    object.into()
}

fn get(value: &JsValue, name: &str) -> JsValue {
    Reflect::get(value, &name.into()).unwrap()
}

#[track_caller]
fn assert_failed(error: &JsValue, name: &str, words: &[&str]) {
    let error = error.dyn_ref::<js_sys::Error>().expect("an Error");
    let message = String::from(error.message());
    assert_eq!(String::from(error.name()), name, "{message}");
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}
