//! The bundled model: every kind of number equals the one that TransformerLens and PyTorch's autograd compute in f64.
//!
//! `fixtures/make_bundled_fixtures.py` makes the expected numbers. Of large tensors it keeps some that are spread evenly.

#[path = "common/causal.rs"]
mod causal;
mod common;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use candle_core::{Device, Tensor};
use candlescope::analysis::HeadInput;
use candlescope::analysis::attribution::{self, AttributionOptions, LayerNorm, Target};
use candlescope::analysis::circuits::{self, HeadMatrix};
use candlescope::analysis::composition;
use candlescope::analysis::heads::{self, Kind};
use candlescope::analysis::integrated_gradients::{IntegratedGradientsOptions, Integration};
use candlescope::analysis::logit_lens::{self, LensOptions};
use candlescope::analysis::patching::{
    self, Contrast, Direction, Method, Patching, PatchingOptions, Sweep, attribution_patching,
};
use candlescope::analysis::path_patching::{
    Mlps, PathPatchingOptions, PathSweep, Receiver, Receivers,
};
use candlescope::analysis::residual::{self, By, Reader, Steps};
use candlescope::{
    BlockPoint, GenerateOptions, Generation, HookPoint, Model, NoHooks, Objective, Run, RunOptions,
    Tokenizer, run, run_with_cache, transform,
};
use causal::{Causal, compiler};
use common::{
    TOLERANCE, Tolerance, assert_all_close, assert_within, every_name, numbers, row, tensors,
};
use serde::Deserialize;

/// Logits reach 20, and their summands are larger, so f32 leaves errors of a few units in the fifth decimal digit.
const LOGITS: Tolerance = Tolerance { absolute: 3e-5, relative: 1e-4 };

#[derive(Deserialize)]
struct Expected {
    model: String,
    text: String,
    tokens: Vec<u32>,
    loss: f32,
    log_probs: Vec<f32>,
    ranks: Vec<u32>,
    integrated_gradients_steps: usize,
    greedy: common::Continuation,
    paths: Vec<Paths>,
}

/// The metric for every sender.
#[derive(Deserialize)]
struct Paths {
    name: String,
    /// Layer, head and path of each; the logits when absent.
    receivers: Option<Vec<(usize, usize, char)>>,
    mlps: String,
    values: Vec<Vec<f32>>,
}

struct Bundled {
    causal: Causal,
    expected: Expected,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/shakespeare")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

fn load() -> Model {
    let config =
        candlescope::Config::from_json(&String::from_utf8(read("config.json")).unwrap()).unwrap();
    let weights = candlescope::Weights::from_bytes(&config, &read("model.safetensors")).unwrap();
    Model::new(config, &weights).unwrap()
}

const JSON: &str = include_str!("fixtures/shakespeare/bundled.json");

impl Bundled {
    fn load() -> Bundled {
        static MODEL: LazyLock<Model> = LazyLock::new(load);
        let json: serde_json::Value = serde_json::from_str(JSON).unwrap();
        let expected: Expected = serde_json::from_str(JSON).unwrap();
        let causal = Causal {
            name: "shakespeare",
            model: MODEL.clone(),
            tokens: expected.tokens.clone(),
            other: serde_json::from_value(json["corrupted"].clone()).unwrap(),
            reference: serde_json::from_value(json["reference"].clone()).unwrap(),
            json,
            tensors: tensors(include_bytes!("fixtures/shakespeare/bundled.safetensors")),
        };
        Bundled { causal, expected }
    }

    fn model(&self) -> &Model {
        &self.causal.model
    }

    fn layers(&self) -> std::ops::Range<usize> {
        0..self.model().config().n_layer
    }

    fn run(&self, names: &[String]) -> Run {
        run_with_cache(self.model(), &self.causal.tokens, names).unwrap()
    }

    fn everything(&self) -> Run {
        self.run(&every_name(self.model().config()))
    }

    fn check(&self, tolerance: Tolerance, name: &str, found: &[f32]) {
        let expected = &self.causal.tensors[name];
        let found = spread(found, expected.elem_count());
        let found = Tensor::new(found, &Device::Cpu).unwrap().reshape(expected.dims()).unwrap();
        assert_within(tolerance, name, &found, expected);
    }

    fn contrast(&self, direction: Direction) -> Contrast {
        Contrast {
            clean: self.causal.tokens.clone(),
            corrupted: self.causal.other.clone(),
            direction,
            metric: Objective::Loss,
        }
    }

    /// For every layer and head.
    fn of_heads(&self, of: impl Fn(usize, usize) -> Vec<f32>) -> Vec<f32> {
        let heads = self.model().config().n_head;
        self.layers()
            .flat_map(|layer| (0..heads).map(move |head| (layer, head)))
            .flat_map(|(l, h)| of(l, h))
            .collect()
    }
}

/// Of `values` the `count` that the oracle kept: number `i * length / count`.
fn spread(values: &[f32], count: usize) -> Vec<f32> {
    (0..count).map(|index| values[index * values.len() / count]).collect()
}

/// FNV-1a over words of eight bytes, the last one filled up with zeros.
fn fingerprint(bytes: &[u8]) -> String {
    let word =
        |chunk: &[u8]| chunk.iter().rev().fold(0, |word: u64, byte| word << 8 | u64::from(*byte));
    let mix = |state: u64, chunk: &[u8]| (state ^ word(chunk)).wrapping_mul(0x100_0000_01b3);
    format!("{:016x}", bytes.chunks(8).fold(0xcbf2_9ce4_8422_2325, mix))
}

#[test]
fn the_fixtures_are_those_of_the_bundled_model() {
    let expected = Bundled::load().expected.model;
    let advice = "models/shakespeare changed: run tests/fixtures/make_bundled_fixtures.py";
    assert_eq!(fingerprint(&read("model.safetensors")), expected, "{advice}");
}

#[test]
fn its_tokens_are_those_of_hugging_faces_tokenizers() {
    let Bundled { expected, .. } = Bundled::load();
    let tokenizer = Tokenizer::from_json(&read("tokenizer.json")).unwrap();
    assert_eq!(tokenizer.encode(&expected.text).unwrap(), expected.tokens);
    assert_eq!(tokenizer.decode(&expected.tokens).unwrap(), expected.text);
}

#[test]
fn its_activations_at_every_hook_point_are_transformer_lenss() {
    let bundled = Bundled::load();
    let run = bundled.everything();
    for point in run.cache.points() {
        bundled.check(
            LOGITS,
            &format!("activations.{point}"),
            &numbers(run.cache.at(point).unwrap()),
        );
    }
    bundled.check(LOGITS, "logits", &numbers(run.logits().unwrap()));
    let ranks: Vec<_> = bundled.expected.ranks.iter().copied().map(Some).collect();
    assert_eq!(run.scores.ranks, ranks);
    assert_all_close("log-probabilities", &run.scores.log_probs, &bundled.expected.log_probs);
    assert_all_close("loss", &[run.scores.loss().unwrap()], &[bundled.expected.loss]);
}

#[test]
fn its_greedy_text_is_hugging_faces() {
    let Bundled { causal, expected } = Bundled::load();
    let options =
        GenerateOptions { max_new_tokens: 50, stop_at_eos: false, ..GenerateOptions::default() };
    let mut generation =
        Generation::new(&causal.model, None, &expected.greedy.prompt, options).unwrap();
    while generation.next_step().unwrap().is_some() {}
    assert_eq!(generation.tokens()[expected.greedy.prompt.len()..], expected.greedy.ids);
}

/// A point on request is differentiated in a run of its own, as the oracle does.
#[test]
fn gradients_at_every_hook_point_are_autograds() {
    let bundled = Bundled::load();
    let (on_request, plain): (Vec<_>, Vec<_>) =
        HookPoint::all(bundled.model().config()).into_iter().partition(|point| point.on_request());
    let mut sets = vec![plain];
    for wanted in [BlockPoint::AttnIn, BlockPoint::Result, BlockPoint::MlpIn] {
        sets.push(
            on_request
                .iter()
                .copied()
                .filter(|point| matches!(point, HookPoint::Block(_, p) if *p == wanted))
                .collect(),
        );
    }
    let path = |point: &HookPoint| {
        matches!(
            point,
            HookPoint::Block(_, BlockPoint::QInput | BlockPoint::KInput | BlockPoint::VInput)
        )
    };
    sets.push(on_request.into_iter().filter(path).collect());
    for objective in ["logit", "difference", "loss"] {
        for points in &sets {
            let options = RunOptions {
                names: points.iter().map(HookPoint::to_string).collect(),
                gradients_of: Some(bundled.causal.metric(objective)),
                ..RunOptions::default()
            };
            let run = run(bundled.model(), &bundled.causal.tokens, &options).unwrap();
            for point in points {
                let gradient = numbers(run.gradients.at(*point).unwrap());
                bundled.check(TOLERANCE, &format!("gradients.{objective}.{point}"), &gradient);
            }
        }
    }
}

#[test]
fn the_logit_lens_is_transformer_lenss() {
    let bundled = Bundled::load();
    let config = bundled.model().config();
    let mut points = logit_lens::points(config, logit_lens::StreamPoint::ResidPre);
    points.extend(logit_lens::points(config, logit_lens::StreamPoint::ResidPost).last());
    let run = bundled.run(&logit_lens::names(config, &points));
    let options = LensOptions { points, top: 1, answer: None };
    let lens =
        logit_lens::logit_lens(bundled.model(), &run.cache, &bundled.causal.tokens, &options)
            .unwrap();
    bundled.check(TOLERANCE, "lens.kl", &lens.kl.data);
    let positions = bundled.causal.tokens.len();
    bundled.check(TOLERANCE, "lens.first", &last(&lens.top_probabilities.data, positions));
    let ids: Vec<f32> =
        last(&lens.top_ids.data, positions).into_iter().map(|id| id as f32).collect();
    bundled.check(TOLERANCE, "lens.first_id", &ids);
}

/// The numbers of the last position, of each row of positions.
fn last<T: Copy>(table: &[T], positions: usize) -> Vec<T> {
    table.chunks(positions).map(|row| row[positions - 1]).collect()
}

#[test]
fn head_scores_are_attention_on_transformer_lenss_patterns() {
    let bundled = Bundled::load();
    let run = bundled.everything();
    let scores = heads::head_scores(bundled.model(), &run.cache, &bundled.causal.tokens).unwrap();
    for (kind, row) in Kind::ALL.iter().zip(scores.data.chunks(scores.data.len() / Kind::ALL.len()))
    {
        bundled.check(TOLERANCE, &format!("heads.{}", kind.name()), row);
    }
    // A pattern of the user's own: everything to the first token.
    let length = bundled.causal.tokens.len();
    let first = |place: usize| if place.is_multiple_of(length) { 1.0f32 } else { 0.0 };
    let pattern = Tensor::from_iter((0..length * length).map(first), &Device::Cpu).unwrap();
    let (measure, excluded) = (heads::Measure::Mul, heads::Excluded::default());
    let pattern = pattern.reshape((length, length)).unwrap();
    let given =
        heads::similarity(bundled.model(), &run.cache, &pattern, measure, excluded).unwrap();
    bundled.check(TOLERANCE, "heads.first_token", &given.data);
}

#[test]
fn the_stream_comes_apart_as_in_transformer_lens() {
    let bundled = Bundled::load();
    let (model, run) = (bundled.model(), bundled.everything());
    let accumulated =
        residual::accumulated(model, &run.cache, Reader::Unembed, Steps::Sublayers).unwrap();
    bundled.check(TOLERANCE, "residual.accumulated", &numbers(&accumulated.values));
    let decomposed =
        residual::decomposed(model, &run.cache, Reader::Unembed, By::Component).unwrap();
    bundled.check(TOLERANCE, "residual.decomposed", &numbers(&decomposed.values));
    let heads = residual::heads(model, &run.cache, Reader::Unembed).unwrap();
    bundled.check(TOLERANCE, "residual.heads", &numbers(&heads.values));
}

/// TransformerLens lists heads, then MLPs, then embeddings, and all biases that are left as one.
#[test]
fn shares_of_a_logit_difference_are_transformer_lenss() {
    let bundled = Bundled::load();
    let run = bundled.everything();
    let Objective::Logit { answer, against, position } = bundled.causal.metric("difference") else {
        panic!()
    };
    let target = Target::Difference { answer, against: against.unwrap() };
    let shares = |by| {
        let options = AttributionOptions {
            target: target.clone(),
            position,
            by,
            layer_norm: LayerNorm::Frozen,
            interventions: Vec::new(),
        };
        attribution::attribution(bundled.model(), &run.cache, &options).unwrap()
    };
    bundled.check(TOLERANCE, "attribution.component", &shares(By::Component).data);
    for (by, name) in [(By::Head, "attribution.head"), (By::Neuron, "attribution.neuron")] {
        let found = shares(by);
        let labelled = || found.labels["component"].iter().zip(&found.data);
        let wanted = |wanted: fn(&str) -> bool| {
            labelled().filter(move |(label, _)| wanted(label)).map(|(_, share)| *share)
        };
        let biases = wanted(|label| label.ends_with("_b_O") || label.ends_with("_b_out")).sum();
        let ordered = wanted(|label| label.contains('H'))
            .chain(wanted(|label| label.contains('N') || label.ends_with("mlp_out")))
            .chain(wanted(|label| label.contains("embed")))
            .chain([biases])
            .chain(wanted(|label| label == "ln_final_bias"));
        bundled.check(TOLERANCE, name, &ordered.collect::<Vec<_>>());
    }
}

#[test]
fn circuits_are_transformer_lenss() {
    let bundled = Bundled::load();
    let model = bundled.model();
    for (name, which) in [("ov", HeadMatrix::Ov), ("qk", HeadMatrix::Qk)] {
        let values = bundled.of_heads(|layer, head| {
            circuits::circuit(model, layer, head, which).unwrap().singular_values.data
        });
        bundled.check(TOLERANCE, &format!("circuits.{name}.singular_values"), &values);
    }
    let copying =
        bundled.of_heads(|layer, head| vec![circuits::copying_score(model, layer, head).unwrap()]);
    bundled.check(TOLERANCE, "circuits.copying", &copying);
    for (name, path) in [("q", HeadInput::Q), ("k", HeadInput::K), ("v", HeadInput::V)] {
        let scores = composition::composition_scores(model, path).unwrap();
        bundled.check(TOLERANCE, &format!("circuits.composition.{name}"), &scores.data);
    }
}

fn patched(
    bundled: &Bundled,
    at: &str,
    direction: Direction,
    find: impl Fn(&Model, PatchingOptions) -> Patching,
) -> Patching {
    let options = PatchingOptions {
        contrast: bundled.contrast(direction),
        at: at.parse::<patching::Target>().unwrap(),
        method: Method::Activation,
        each_position: false,
        layer: None,
    };
    find(bundled.model(), options)
}

#[test]
fn activation_patching_sweeps_are_transformer_lenss() {
    let bundled = Bundled::load();
    let everywhere = ["resid_pre", "attn_out", "mlp_out", "z", "q", "k", "v", "pattern"]
        .map(|at| (at, Direction::Denoise));
    let noised = ["resid_pre", "z"].map(|at| (at, Direction::Noise));
    for (at, direction) in everywhere.into_iter().chain(noised) {
        let way = if direction == Direction::Denoise { "denoise" } else { "noise" };
        let found = patched(&bundled, at, direction, |model, options| {
            Sweep::new(model, options).unwrap().finish().unwrap()
        });
        bundled.check(TOLERANCE, &format!("patching.{at}.{way}"), &found.raw.data);
    }
}

#[test]
fn attribution_patching_is_autograds() {
    let bundled = Bundled::load();
    for at in ["resid_pre", "attn_out", "mlp_out", "z"] {
        let found = patched(&bundled, at, Direction::Denoise, |model, options| {
            attribution_patching(model, &options).unwrap()
        });
        let gained: Vec<f32> =
            found.raw.data.iter().map(|metric| metric - found.corrupted).collect();
        bundled.check(TOLERANCE, &format!("attribution_patching.{at}"), &gained);
    }
}

#[test]
fn path_patching_is_that_of_transformer_lenss_hooks() {
    let bundled = Bundled::load();
    for paths in &bundled.expected.paths {
        let receiver = |(layer, head, path): &(usize, usize, char)| {
            let input = match path {
                'q' => HeadInput::Q,
                'k' => HeadInput::K,
                _ => HeadInput::V,
            };
            Receiver { layer: *layer, head: *head, input }
        };
        let receivers = match &paths.receivers {
            None => Receivers::Logits,
            Some(list) => Receivers::Heads(list.iter().map(receiver).collect()),
        };
        let mlps = if paths.mlps == "frozen" { Mlps::Frozen } else { Mlps::Recomputed };
        let options =
            PathPatchingOptions { contrast: bundled.contrast(Direction::Denoise), receivers, mlps };
        let found = PathSweep::new(bundled.model(), options).unwrap().finish().unwrap();
        assert_all_close(
            &format!("{}, MLPs {}", paths.name, paths.mlps),
            &found.raw.data,
            &paths.values.concat(),
        );
    }
}

#[test]
fn integrated_gradients_are_autograds() {
    let bundled = Bundled::load();
    let (metric, steps) =
        (bundled.causal.metric("difference"), bundled.expected.integrated_gradients_steps);
    let options = IntegratedGradientsOptions { metric, baseline: None, steps };
    let found = Integration::new(bundled.model(), &bundled.causal.tokens, options);
    bundled.check(TOLERANCE, "integrated_gradients", &found.unwrap().finish().unwrap().shares.data);
}

#[test]
fn interventions_do_what_hooks_do_in_transformer_lens() {
    let bundled = Bundled::load();
    for (index, case) in bundled.causal.json["interventions"].as_array().unwrap().iter().enumerate()
    {
        let interventions = bundled.causal.interventions(&case["interventions"]);
        let options =
            RunOptions { interventions, compiler: Some(compiler()), ..RunOptions::default() };
        let run = run(bundled.model(), &bundled.causal.tokens, &options).unwrap();
        println!("{}", case["name"]);
        bundled.check(LOGITS, &format!("interventions.{index}"), &numbers(run.logits().unwrap()));
    }
}

type Transform = fn(&Model) -> candlescope::Result<Model>;

#[test]
fn transformed_weights_are_transformer_lenss_and_predict_the_same() {
    let transforms: [(&str, Transform); 5] = [
        ("fold_ln", transform::fold_ln),
        ("center_writing_weights", transform::center_writing_weights),
        ("center_unembed", transform::center_unembed),
        ("fold_value_biases", transform::fold_value_biases),
        ("all", transform::process),
    ];
    let bundled = Bundled::load();
    let tokens = row(&bundled.causal.tokens);
    for (name, apply) in transforms {
        let after = apply(bundled.model()).unwrap();
        let logits = after.forward(&tokens, None, &mut NoHooks).unwrap();
        bundled.check(LOGITS, &format!("transforms.{name}.logits"), &numbers(&logits));
        for (key, found) in weights_as_in_transformer_lens(name, &after) {
            bundled.check(TOLERANCE, &format!("transforms.{name}.{key}"), &numbers(&found));
        }
    }
}

/// The LayerNorms are left out: after folding there are none. The unembedding's bias is taken from where it is carried.
fn weights_as_in_transformer_lens(transform: &str, model: &Model) -> HashMap<String, Tensor> {
    let keys = model
        .parameters()
        .iter()
        .map(|parameter| parameter.name.clone())
        .filter(|key| !key.contains("ln_"));
    let mut weights: HashMap<_, _> =
        keys.map(|key| (key.clone(), model.weight(&key).unwrap())).collect();
    if matches!(transform, "fold_ln" | "all") {
        let (w_u, b_u) = transform::unembedding(model).unwrap();
        weights.insert("lm_head.weight".into(), w_u);
        weights.insert("lm_head.bias".into(), b_u);
    }
    weights
}
