//! The fixtures, and checks on one of them at a time. They are part of the test binary, so that a browser can run the
//! same checks.
#![allow(dead_code)] // every test file uses a part of this

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use candlescope::{
    Choice, Config, GenerateOptions, HookContext, HookPoint, Hooks, KvCache, Model, NoHooks,
    Result, Weights, run_with_cache,
};
use serde::Deserialize;

/// A tiny random checkpoint, and what the oracles compute from it. `fixtures/README.md` describes the files.
pub struct Fixture {
    pub name: &'static str,
    pub config: &'static str,
    pub weights: &'static [u8],
    activations: &'static [u8],
    expected: &'static str,
}

macro_rules! fixture {
    ($name:literal) => {
        Fixture {
            name: $name,
            config: include_str!(concat!("../fixtures/", $name, "/config.json")),
            weights: include_bytes!(concat!("../fixtures/", $name, "/model.safetensors")),
            activations: include_bytes!(concat!("../fixtures/", $name, "/activations.safetensors")),
            expected: include_str!(concat!("../fixtures/", $name, "/expected.json")),
        }
    };
}

pub const FIXTURES: [Fixture; 7] = [
    fixture!("plain"),
    fixture!("untied"),
    fixture!("scaled"),
    fixture!("gelu"),
    fixture!("relu"),
    fixture!("silu"),
    fixture!("tanh"),
];

/// Members of the family that are not GPT-2.
pub const TOYS: [Fixture; 8] = [
    fixture!("toy_attn"),
    fixture!("toy_solu"),
    fixture!("toy_solu_gain"),
    fixture!("toy_linear"),
    fixture!("toy_solu_linear"),
    fixture!("toy_shortformer"),
    fixture!("toy_sinusoidal"),
    fixture!("toy_no_positions"),
];

#[derive(Deserialize)]
pub struct Expected {
    pub tokens: Vec<u32>,
    pub batch: Vec<Vec<u32>>,
    pub loss: f32,
    pub log_probs: Vec<f32>,
    pub ranks: Vec<u32>,
    pub firing_order: Vec<String>,
    pub greedy: Continuation,
    pub sampled: Vec<Sampled>,
}

/// What follows a prompt.
#[derive(Deserialize)]
pub struct Continuation {
    pub prompt: Vec<u32>,
    pub ids: Vec<u32>,
}

/// What follows a prompt for a seed.
#[derive(Deserialize)]
pub struct Sampled {
    pub prompt: Vec<u32>,
    pub seed: u64,
    pub temperature: f64,
    pub top_k: Option<usize>,
    pub top_p: Option<f64>,
    pub ids: Vec<u32>,
}

impl Sampled {
    /// What makes a generation draw these ids.
    pub fn options(&self) -> GenerateOptions {
        GenerateOptions {
            max_new_tokens: self.ids.len(),
            do_sample: true,
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            seed: Choice::One(self.seed),
            stop_at_eos: false,
            ..GenerateOptions::default()
        }
    }
}

impl Fixture {
    /// The one with GPT-2's defaults.
    pub fn plain() -> &'static Fixture {
        &FIXTURES[0]
    }

    pub fn config(&self) -> Config {
        Config::from_json(self.config).unwrap()
    }

    pub fn model(&self) -> Model {
        let config = self.config();
        let weights = Weights::from_bytes(&config, self.weights).unwrap();
        Model::new(config, &weights).unwrap()
    }

    pub fn expected(&self) -> Expected {
        serde_json::from_str(self.expected).unwrap()
    }

    /// The text of `expected.json`.
    pub fn expected_json(&self) -> &'static str {
        self.expected
    }

    /// The oracle's tensors by name.
    pub fn activations(&self) -> HashMap<String, Tensor> {
        tensors(self.activations)
    }
}

/// The tensors of a safetensors file that contains only f32.
pub fn tensors(file: &[u8]) -> HashMap<String, Tensor> {
    let file = safetensors::SafeTensors::deserialize(file).unwrap();
    let tensor = |(name, view): (String, safetensors::tensor::TensorView)| {
        let values: Vec<f32> =
            view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        (name, Tensor::from_vec(values, view.shape(), &Device::Cpu).unwrap())
    };
    file.tensors().into_iter().map(tensor).collect()
}

/// How far a value may be from the oracle's: both round each operation to f32, in different orders.
#[derive(Clone, Copy)]
pub struct Tolerance {
    pub absolute: f32,
    pub relative: f32,
}

pub const TOLERANCE: Tolerance = Tolerance { absolute: 1e-5, relative: 1e-4 };

impl Tolerance {
    fn allows(self, found: f32, expected: f32) -> bool {
        found == expected
            || (found - expected).abs() <= self.absolute + self.relative * expected.abs()
    }
}

pub fn assert_close(what: &str, found: &Tensor, expected: &Tensor) {
    assert_within(TOLERANCE, what, found, expected);
}

pub fn assert_within(tolerance: Tolerance, what: &str, found: &Tensor, expected: &Tensor) {
    assert_eq!(found.dims(), expected.dims(), "{what}: shape");
    let values = numbers(found).into_iter().zip(numbers(expected));
    for (index, (found, expected)) in values.enumerate() {
        assert!(
            tolerance.allows(found, expected),
            "{what}: number {index} is {found}, expected {expected}"
        );
    }
}

pub fn assert_all_close(what: &str, found: &[f32], expected: &[f32]) {
    let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
    assert_close(what, &tensor(found), &tensor(expected));
}

pub fn assert_same_bits(what: &str, found: &Tensor, expected: &Tensor) {
    assert_eq!(found.dims(), expected.dims(), "{what}: shape");
    let bits = |tensor| numbers(tensor).into_iter().map(f32::to_bits).collect::<Vec<_>>();
    assert!(bits(found) == bits(expected), "{what}: not the same bits");
}

pub fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// `[1, T]`.
pub fn row(tokens: &[u32]) -> Tensor {
    Tensor::new(tokens, &Device::Cpu).unwrap().unsqueeze(0).unwrap()
}

/// The names of every point of the model, in firing order.
pub fn every_name(config: &Config) -> Vec<String> {
    HookPoint::all(config).iter().map(HookPoint::to_string).collect()
}

/// Hooks that read some points and record which fired.
pub struct Watch<F> {
    pub wanted: F,
    pub fired: Vec<HookPoint>,
}

impl<F: Fn(HookPoint) -> bool> Watch<F> {
    pub fn new(wanted: F) -> Watch<F> {
        Watch { wanted, fired: Vec::new() }
    }
}

impl<F: Fn(HookPoint) -> bool> Hooks for Watch<F> {
    fn wants(&self, point: HookPoint) -> bool {
        (self.wanted)(point)
    }

    fn visit(&mut self, context: HookContext, value: Tensor) -> Result<Tensor> {
        self.fired.push(context.point);
        Ok(value)
    }
}

pub fn check_every_hook_point(fixture: &Fixture) {
    let (model, expected, activations) =
        (fixture.model(), fixture.expected(), fixture.activations());
    let names = every_name(model.config());
    let run = run_with_cache(&model, &expected.tokens, &names).unwrap();
    assert_eq!(run.cache.names(), names);
    for name in &names {
        let what = format!("{}: {name}", fixture.name);
        assert_close(&what, run.cache.get(name).unwrap(), &activations[name]);
    }
}

pub fn check_logits(fixture: &Fixture) {
    let (model, expected, activations) =
        (fixture.model(), fixture.expected(), fixture.activations());
    let logits = model.forward(&row(&expected.tokens), None, &mut NoHooks).unwrap();
    assert_close(&format!("{}: TransformerLens", fixture.name), &logits, &activations["logits"]);
    // transformers has none of the toys.
    if let Some(expected) = activations.get("hugging_face.logits") {
        assert_close(&format!("{}: Hugging Face", fixture.name), &logits, expected);
    }

    let batch = Tensor::new(expected.batch, &Device::Cpu).unwrap();
    let logits = model.forward(&batch, None, &mut NoHooks).unwrap();
    assert_close(
        &format!("{}: a batch of two", fixture.name),
        &logits,
        &activations["batch.logits"],
    );
}

pub fn check_scores(fixture: &Fixture) {
    let (model, expected) = (fixture.model(), fixture.expected());
    let scores = run_with_cache::<&str>(&model, &expected.tokens, &[]).unwrap().scores;
    let ranks: Vec<_> = expected.ranks.iter().copied().map(Some).collect();
    assert_eq!(scores.ranks, ranks, "{}: ranks", fixture.name);
    assert_all_close(
        &format!("{}: log-probabilities", fixture.name),
        &scores.log_probs,
        &expected.log_probs,
    );
    assert_all_close(
        &format!("{}: loss", fixture.name),
        &[scores.loss().unwrap()],
        &[expected.loss],
    );
}

pub fn check_firing_order(fixture: &Fixture) {
    let (model, expected) = (fixture.model(), fixture.expected());
    let mut watch = Watch::new(|_| true);
    model.forward(&row(&expected.tokens), None, &mut watch).unwrap();
    let fired: Vec<String> = watch.fired.iter().map(HookPoint::to_string).collect();
    assert_eq!(fired, expected.firing_order, "{}", fixture.name);
}

/// Reads all points at once, each point by itself, and none.
pub fn check_reading_changes_no_bit(fixture: &Fixture) {
    let (model, tokens) = (fixture.model(), row(&fixture.expected().tokens));
    let undisturbed = model.forward(&tokens, None, &mut NoHooks).unwrap();
    let all = model.forward(&tokens, None, &mut Watch::new(|_| true)).unwrap();
    assert_same_bits(&format!("{}: every point read", fixture.name), &all, &undisturbed);
    for point in HookPoint::all(model.config()) {
        let one = model.forward(&tokens, None, &mut Watch::new(|other| other == point)).unwrap();
        assert_same_bits(&format!("{}: {point} read", fixture.name), &one, &undisturbed);
    }
}

/// Cut at every position into what comes before, cached, and the rest. A product of fewer rows may add its terms in
/// another order, so the two agree within a tolerance.
pub fn check_key_value_cache(fixture: &Fixture) {
    let (model, tokens) = (fixture.model(), fixture.expected().tokens);
    let whole = model.forward(&row(&tokens), None, &mut NoHooks).unwrap();
    for cut in 1..tokens.len() {
        let mut kv = KvCache::new(model.config());
        let before = model.forward(&row(&tokens[..cut]), Some(&mut kv), &mut NoHooks).unwrap();
        let after = model.forward(&row(&tokens[cut..]), Some(&mut kv), &mut NoHooks).unwrap();
        assert_eq!(kv.len(), tokens.len());
        let joined = Tensor::cat(&[before, after], 1).unwrap();
        assert_close(&format!("{}: cut at {cut}", fixture.name), &joined, &whole);
    }
}
