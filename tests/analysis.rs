//! Analyses and weight transforms against TransformerLens and PyTorch on every tiny random model, and the laws that must
//! hold between them.

mod common;

use std::collections::HashMap;

use candle_core::{D, DType, Device, IndexOp, Tensor};
use candlescope::analysis::attribution::{self, AttributionOptions, LayerNorm, Target};
use candlescope::analysis::circuits::{self, HeadMatrix, Through};
use candlescope::analysis::composition;
use candlescope::analysis::factored::FactoredMatrix;
use candlescope::analysis::heads::{self, Excluded, Kind, Measure, RepeatedTokens};
use candlescope::analysis::logit_lens::{self, LensOptions};
use candlescope::analysis::most_active::{Channel, MostActiveOptions, most_active};
use candlescope::analysis::residual::{self, By, Reader, Stack, Steps};
use candlescope::analysis::token_scores::token_scores;
use candlescope::analysis::{HeadInput, HeadWeights};
use candlescope::intervene::Zero;
use candlescope::{
    Config, HookPoint, Intervention, Model, Plan, Run, RunOptions, TextLength, run, run_with_cache,
    transform,
};
use candlescope::{NamedArray, NamedIds};
use common::{
    FIXTURES, Fixture, TOLERANCE, Tolerance, assert_close, assert_within, numbers, tensors,
};
use serde::Deserialize;

/// What `fixtures/make_lens_fixtures.py` made from one model.
struct Oracle {
    fixture: &'static Fixture,
    values: HashMap<String, Tensor>,
    inputs: Inputs,
}

#[derive(Deserialize)]
struct Inputs {
    tokens: Vec<u32>,
    answer: u32,
    against: u32,
    position: usize,
}

macro_rules! lens {
    ($name:literal) => {
        (
            include_bytes!(concat!("fixtures/", $name, "/lens.safetensors")) as &[u8],
            include_str!(concat!("fixtures/", $name, "/lens.json")),
        )
    };
}

/// In the order of [`FIXTURES`].
const LENS_FILES: [(&[u8], &str); 7] = [
    lens!("plain"),
    lens!("untied"),
    lens!("scaled"),
    lens!("gelu"),
    lens!("relu"),
    lens!("silu"),
    lens!("tanh"),
];

const TRANSFORM_FILES: [(&str, &[u8]); 3] = [
    ("plain", include_bytes!("fixtures/plain/transforms.safetensors")),
    ("untied", include_bytes!("fixtures/untied/transforms.safetensors")),
    ("gelu", include_bytes!("fixtures/gelu/transforms.safetensors")),
];

fn oracles() -> impl Iterator<Item = Oracle> {
    FIXTURES.iter().zip(LENS_FILES).map(|(fixture, (values, inputs))| Oracle {
        fixture,
        values: tensors(values),
        inputs: serde_json::from_str(inputs).unwrap(),
    })
}

impl Oracle {
    fn run(&self) -> (Model, Run) {
        let model = self.fixture.model();
        let run = run_with_cache(&model, &self.inputs.tokens, &["*"]).unwrap();
        (model, run)
    }

    fn check(&self, name: &str, found: &Tensor) {
        assert_close(&format!("{}: {name}", self.fixture.name), found, &self.values[name]);
    }

    fn check_table(&self, name: &str, found: &NamedArray) {
        self.check(name, &tensor(found));
    }

    fn layers(&self) -> usize {
        self.fixture.config().n_layer
    }
}

fn tensor(table: &NamedArray) -> Tensor {
    Tensor::from_vec(table.data.clone(), table.shape.clone(), &Device::Cpu).unwrap()
}

/// The same numbers, to be compared with those of an oracle.
fn floats(ids: &NamedIds) -> NamedArray {
    let data = ids.data.iter().map(|id| *id as f32).collect();
    NamedArray { axes: ids.axes.clone(), ..NamedArray::from_data(ids.shape.clone(), data) }
}

/// The rows with these labels, added up.
fn sum_of(table: &NamedArray, wanted: impl Fn(&str) -> bool) -> f32 {
    let labels = &table.labels["component"];
    labels.iter().zip(&table.data).filter(|(label, _)| wanted(label)).map(|(_, share)| share).sum()
}

fn scores_of(table: &NamedArray, kind: Kind) -> Tensor {
    let row = table.labels["score"].iter().position(|label| label == kind.name()).unwrap();
    tensor(table).i(row).unwrap()
}

// --- residual.rs

#[test]
fn accumulated_streams_are_transformer_lenss() {
    for oracle in oracles() {
        let (model, run) = oracle.run();
        let stack =
            residual::accumulated(&model, &run.cache, Reader::Unembed, Steps::Sublayers).unwrap();
        assert_eq!(stack.labels[..3], ["0_pre", "0_mid", "1_pre"]);
        assert_eq!(stack.labels.last().unwrap(), "final_post");
        oracle.check("residual.accumulated", &stack.values);
        let read = residual::through_recomputed_layer_norm(&model, &stack).unwrap();
        oracle.check("residual.accumulated.recomputed", &read.values);
        let mlp = Reader::Mlp(oracle.layers() - 1);
        let stack = residual::accumulated(&model, &run.cache, mlp, Steps::Sublayers).unwrap();
        oracle.check("residual.accumulated.mlp", &stack.values);
    }
}

#[test]
fn without_sublayers_the_accumulated_stream_is_seen_once_for_each_layer() {
    let oracle = oracles().next().unwrap();
    let (model, run) = oracle.run();
    let labels =
        |reader| residual::accumulated(&model, &run.cache, reader, Steps::Layers).unwrap().labels;
    assert_eq!(labels(Reader::Unembed), ["0_pre", "1_pre", "final_post"]);
    assert_eq!(labels(Reader::Mlp(1)), ["0_pre", "1_pre", "1_mid"]);
    assert_eq!(labels(Reader::Attention(1)), ["0_pre", "1_pre"]);
}

#[test]
fn decomposed_streams_are_transformer_lenss() {
    for oracle in oracles() {
        let (model, run) = oracle.run();
        let decompose =
            |reader| residual::decomposed(&model, &run.cache, reader, By::Component).unwrap();
        let stack = decompose(Reader::Unembed);
        assert_eq!(stack.labels[..4], ["embed", "pos_embed", "0_attn_out", "0_mlp_out"]);
        oracle.check("residual.decomposed", &stack.values);
        oracle.check(
            "residual.heads",
            &residual::heads(&model, &run.cache, Reader::Unembed).unwrap().values,
        );
        let layers: Vec<usize> = (0..oracle.layers()).collect();
        let neurons =
            residual::neurons(&model, &run.cache, &layers, &[oracle.inputs.position]).unwrap();
        oracle.check("residual.neurons", &neurons.values);
        assert_eq!(neurons.labels[model.config().d_mlp()], "L1N0");
    }
}

/// TransformerLens leaves the gain to weights into which it was folded.
#[test]
fn parts_through_a_frozen_layer_norm_are_transformer_lenss_times_the_gain() {
    for oracle in oracles() {
        let (model, run) = oracle.run();
        let last = oracle.layers() - 1;
        let readers = [
            ("unembed", Reader::Unembed, "ln_f.weight".to_string()),
            ("attn", Reader::Attention(last), format!("h.{last}.ln_1.weight")),
            ("mlp", Reader::Mlp(last), format!("h.{last}.ln_2.weight")),
        ];
        for (name, reader, gain) in readers {
            let stack = residual::decomposed(&model, &run.cache, reader, By::Component).unwrap();
            let read =
                residual::through_frozen_layer_norm(&model, &run.cache, &stack, reader).unwrap();
            let name = format!("residual.decomposed.{name}");
            let expected =
                oracle.values[&name].broadcast_mul(&model.weight(&gain).unwrap()).unwrap();
            assert_close(&format!("{}: {name}", oracle.fixture.name), &read.values, &expected);
        }
    }
}

#[test]
fn parts_of_every_kind_add_up_to_the_stream() {
    for oracle in oracles() {
        let (model, run) = oracle.run();
        let last = oracle.layers() - 1;
        let streams = [
            (Reader::Attention(0), "blocks.0.hook_resid_pre".to_string()),
            (Reader::Mlp(last), format!("blocks.{last}.hook_resid_mid")),
            (Reader::Unembed, format!("blocks.{last}.hook_resid_post")),
        ];
        for (reader, name) in streams {
            let stream = run.cache.get(&name).unwrap().i(0).unwrap();
            for by in [By::Component, By::Head, By::Neuron] {
                let Stack { labels, values } =
                    residual::decomposed(&model, &run.cache, reader, by).unwrap();
                assert_eq!(labels.len(), values.dim(0).unwrap());
                let what = format!("{}: {name} by {by:?}", oracle.fixture.name);
                assert_close(&what, &values.sum(0).unwrap(), &stream);
            }
        }
    }
}

#[test]
fn the_names_of_a_decomposition_are_enough_for_it() {
    let oracle = oracles().next().unwrap();
    for by in [By::Component, By::Head, By::Neuron] {
        let model = oracle.fixture.model();
        let run =
            run_with_cache(&model, &oracle.inputs.tokens, &attribution::names(model.config(), by))
                .unwrap();
        residual::decomposed(&model, &run.cache, Reader::Unembed, by).unwrap();
        attribution::attribution(&model, &run.cache, &options(&oracle, by, LayerNorm::Frozen))
            .unwrap();
    }
}

#[test]
fn a_layer_that_the_model_lacks_is_an_input_error() {
    let (model, run) = oracles().next().unwrap().run();
    let error = residual::heads(&model, &run.cache, Reader::Mlp(2)).err().unwrap();
    assert_eq!(error.to_string(), "input: layer 2 is out of range, expected below 2");
    let error = residual::neurons(&model, &run.cache, &[0], &[99]).err().unwrap();
    assert!(error.to_string().contains("position 99 is out of range"), "{error}");
}

// --- attribution.rs

fn options(oracle: &Oracle, by: By, layer_norm: LayerNorm) -> AttributionOptions {
    let target =
        Target::Difference { answer: oracle.inputs.answer, against: oracle.inputs.against };
    AttributionOptions { target, position: -1, by, layer_norm, interventions: Vec::new() }
}

#[test]
fn shares_are_transformer_lenss() {
    for oracle in oracles() {
        let (model, run) = oracle.run();
        for (by, name) in [(By::Component, "component"), (By::Head, "head"), (By::Neuron, "neuron")]
        {
            let found = attribution::attribution(
                &model,
                &run.cache,
                &options(&oracle, by, LayerNorm::Frozen),
            )
            .unwrap();
            let name = format!("attribution.{name}");
            // TransformerLens lists parts by kind, and all biases of the stream as one.
            let of_stream = |label: &str| label.ends_with("_b_O") || label.ends_with("_b_out");
            let labels = &found.labels["component"];
            let share = |wanted: &dyn Fn(&str) -> bool| -> Vec<f32> {
                labels
                    .iter()
                    .zip(&found.data)
                    .filter(|(label, _)| wanted(label))
                    .map(|(_, s)| *s)
                    .collect()
            };
            let mut ordered = match by {
                By::Component => share(&|label| label != "ln_final_bias"),
                _ => [
                    share(&|label| label.contains('H')),
                    share(&|label| label.contains('N') || label.ends_with("mlp_out")),
                    share(&|label| label.contains("embed")),
                ]
                .concat(),
            };
            if by != By::Component {
                ordered.push(sum_of(&found, of_stream));
            }
            let count = ordered.len();
            oracle.check(&name, &Tensor::from_vec(ordered, count, &Device::Cpu).unwrap());
            let bias = sum_of(&found, |label| label == "ln_final_bias");
            oracle.check("attribution.bias", &Tensor::new(&[bias], &Device::Cpu).unwrap());
        }
    }
}

#[test]
fn shares_add_up_to_the_logit_difference() {
    for oracle in oracles() {
        let (model, run) = oracle.run();
        let Inputs { answer, against, .. } = oracle.inputs;
        for position in [-1, 0, 4] {
            let place =
                if position < 0 { oracle.inputs.tokens.len() - 1 } else { position as usize };
            let logits: Vec<f32> = run.logits().unwrap().i((0, place)).unwrap().to_vec1().unwrap();
            let (one, other) = (logits[answer as usize], logits[against as usize]);
            let targets = [
                (Target::Answer(answer), one),
                (Target::Difference { answer, against }, one - other),
            ];
            for (target, expected) in targets {
                for by in [By::Component, By::Head, By::Neuron] {
                    for layer_norm in [LayerNorm::Frozen, LayerNorm::Recomputed] {
                        let options = AttributionOptions {
                            position,
                            target: target.clone(),
                            ..options(&oracle, by, layer_norm)
                        };
                        let found = attribution::attribution(&model, &run.cache, &options).unwrap();
                        let sum: f32 = found.data.iter().sum();
                        let apart = (sum - expected).abs();
                        assert!(
                            apart < 1e-4,
                            "{}: {options:?}: {sum}, logits {expected}",
                            oracle.fixture.name
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_direction_is_attributed_like_the_answer_whose_column_it_is() {
    for oracle in oracles() {
        let (model, run) = oracle.run();
        let column =
            model.weight("lm_head.weight").unwrap().get(oracle.inputs.answer as usize).unwrap();
        let of = |target| {
            let by = By::Head;
            let options = AttributionOptions {
                target,
                position: 2,
                ..options(&oracle, by, LayerNorm::Frozen)
            };
            attribution::attribution(&model, &run.cache, &options).unwrap()
        };
        let direction = Target::Direction(column.to_vec1().unwrap());
        assert_eq!(of(direction), of(Target::Answer(oracle.inputs.answer)));
    }
}

#[test]
fn what_cannot_be_attributed_is_an_input_error() {
    let oracle = oracles().next().unwrap();
    let (model, run) = oracle.run();
    let message = |change: &dyn Fn(&mut AttributionOptions)| {
        let mut options = options(&oracle, By::Component, LayerNorm::Frozen);
        change(&mut options);
        let error = attribution::attribution(&model, &run.cache, &options).unwrap_err();
        assert_eq!(error.name(), "InputError");
        error.to_string()
    };
    assert!(
        message(&|o| o.target = Target::Answer(61))
            .contains("id 61 is out of range, expected below 61")
    );
    assert!(
        message(&|o| o.target = Target::Direction(vec![0.0; 17])).contains("17 numbers, expected")
    );
    assert!(message(&|o| o.position = 9).contains("position 9 is out of range for 9 tokens"));
    assert!(message(&|o| o.position = -10).contains("position -10 is out of range"));
}

// --- logit_lens.rs

const STREAMS: [&str; 5] = ["resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post"];

/// In the order in which the oracle looks: layer by layer.
fn every_stream(config: &Config) -> Vec<HookPoint> {
    let points = STREAMS.map(|of| logit_lens::points(config, of.parse().unwrap()));
    (0..config.n_layer).flat_map(|layer| points.iter().map(move |points| points[layer])).collect()
}

fn read_lens(oracle: &Oracle) -> logit_lens::LogitLens {
    let model = oracle.fixture.model();
    let points = every_stream(model.config());
    let names = logit_lens::names(model.config(), &points);
    let run = run_with_cache(&model, &oracle.inputs.tokens, &names).unwrap();
    let options = LensOptions { points, top: 4, answer: Some(oracle.inputs.answer) };
    logit_lens::logit_lens(&model, &run.cache, &oracle.inputs.tokens, &options).unwrap()
}

#[test]
fn the_logit_lens_is_transformer_lenss() {
    for oracle in oracles() {
        let lens = read_lens(&oracle);
        oracle.check_table("lens.top_ids", &floats(&lens.top_ids));
        oracle.check_table("lens.top_probabilities", &lens.top_probabilities);
        oracle.check_table("lens.next.probability", &lens.next_probability);
        oracle.check_table("lens.next.rank", &lens.next_rank);
        oracle.check_table("lens.answer.probability", lens.answer_probability.as_ref().unwrap());
        oracle.check_table("lens.answer.rank", lens.answer_rank.as_ref().unwrap());
        oracle.check_table("lens.kl", &lens.kl);
        assert_eq!(lens.kl.labels["layer"][1], "blocks.0.hook_attn_out");
    }
}

#[test]
fn logits_of_chosen_tokens_are_transformer_lenss() {
    for oracle in oracles() {
        let (model, run) = oracle.run();
        let ids = [oracle.inputs.answer, oracle.inputs.against];
        let points = every_stream(model.config());
        oracle.check_table(
            "lens.logits",
            &logit_lens::logits_of(&model, &run.cache, &points, &ids).unwrap(),
        );
    }
}

#[test]
fn the_last_stream_seen_through_the_lens_is_the_prediction() {
    for oracle in oracles() {
        let (model, run) = oracle.run();
        let lens = read_lens(&oracle);
        let last = lens.kl.shape[0] - 1;
        for (position, rank) in run.scores.ranks.iter().enumerate() {
            assert_eq!(lens.next_rank.at(&[last, position]), rank.unwrap() as f32);
            assert_eq!(lens.kl.at(&[last, position]), 0.0);
            let log_prob = lens.next_probability.at(&[last, position]).ln();
            assert!((log_prob - run.scores.log_probs[position]).abs() < 1e-4);
        }
        assert_eq!(model.config().n_layer * STREAMS.len(), last + 1);
    }
}

#[test]
fn the_lens_reads_only_the_residual_stream() {
    let oracle = oracles().next().unwrap();
    let (model, run) = oracle.run();
    let look = |name: &str, tokens: &[u32]| {
        let options = LensOptions { points: vec![name.parse().unwrap()], top: 1, answer: None };
        logit_lens::logit_lens(&model, &run.cache, tokens, &options).err().unwrap()
    };
    let error = look("blocks.0.attn.hook_z", &oracle.inputs.tokens);
    assert!(error.to_string().contains("its axes are batch pos head d_head"), "{error}");
    let error = look("blocks.0.hook_resid_pre", &[1, 2]);
    assert!(error.to_string().contains("2 tokens for a run that captured 9 positions"), "{error}");
    let error = "resid".parse::<logit_lens::StreamPoint>().unwrap_err();
    assert_eq!(error.name(), "InputError");
}

// --- heads.rs

#[test]
fn head_scores_are_attention_on_transformer_lenss_detection_patterns() {
    for oracle in oracles() {
        let (model, run) = oracle.run();
        let scores = heads::head_scores(&model, &run.cache, &oracle.inputs.tokens).unwrap();
        for kind in Kind::ALL {
            oracle.check(&format!("heads.{}", kind.name()), &scores_of(&scores, kind));
        }
    }
}

#[test]
fn patterns_measured_as_they_come_score_as_captured_ones() {
    for oracle in oracles() {
        let (model, tokens) = (oracle.fixture.model(), &oracle.inputs.tokens);
        let off = Intervention::new("blocks.0.attn.hook_z", Zero);
        for interventions in [vec![], vec![off]] {
            let length = TextLength { prompt: tokens.len(), new: 1 };
            let plan = Plan::new(&interventions, model.config(), length, None).unwrap();
            let names = heads::NAMES.map(String::from).to_vec();
            let captured =
                run(&model, tokens, &RunOptions { names, interventions, ..RunOptions::default() })
                    .unwrap();
            let expected = heads::head_scores(&model, &captured.cache, tokens).unwrap();
            let found = heads::head_scores_on(&model, tokens, plan).unwrap();
            assert_eq!(found.labels, expected.labels);
            assert_close("scores", &tensor(&found), &tensor(&expected));
        }
    }
}

#[test]
fn similarities_are_those_of_transformer_lenss_head_detector() {
    // `abs` is rounded there to three digits.
    let rounded = Tolerance { absolute: 5.1e-4, ..TOLERANCE };
    for oracle in oracles() {
        let (model, run) = oracle.run();
        let mut patterns: Vec<(&str, Tensor)> = Kind::ALL
            .iter()
            .map(|kind| (kind.name(), kind.pattern(&oracle.inputs.tokens).unwrap()))
            .collect();
        patterns.push(("custom", oracle.values["heads.wanted"].clone()));
        for (name, pattern) in patterns {
            for (with, first_token) in [("with", false), ("without", true)] {
                let excluded = Excluded { first_token, current_token: first_token };
                for (measure, label) in [(Measure::Mul, "mul"), (Measure::Abs, "abs")] {
                    let found =
                        heads::similarity(&model, &run.cache, &pattern, measure, excluded).unwrap();
                    let expected = &oracle.values[&format!("heads.{name}.{label}.{with}")];
                    let what = format!("{}: {name} {label} {with}", oracle.fixture.name);
                    let tolerance = if measure == Measure::Abs { rounded } else { TOLERANCE };
                    assert_within(tolerance, &what, &tensor(&found), expected);
                }
            }
        }
    }
}

#[test]
fn a_text_without_repetition_has_no_duplicate_and_no_induction_score() {
    let model = Fixture::plain().model();
    let tokens = [3, 1, 4, 15, 9, 2];
    let run = run_with_cache(&model, &tokens, &heads::NAMES).unwrap();
    let scores = heads::head_scores(&model, &run.cache, &tokens).unwrap();
    assert!(numbers(&scores_of(&scores, Kind::DuplicateToken)).iter().all(|score| score.is_nan()));
    assert!(numbers(&scores_of(&scores, Kind::Induction)).iter().all(|score| score.is_nan()));
    assert_eq!(heads::strongest(&scores, Kind::Induction), None);
    let previous = numbers(&scores_of(&scores, Kind::PreviousToken));
    assert!(previous.iter().all(|score| (0.0..=1.0).contains(score)));
    let (layer, head, score) = heads::strongest(&scores, Kind::PreviousToken).unwrap();
    assert_eq!(score, previous[layer * model.config().n_head + head]);
    assert!(previous.iter().all(|other| *other <= score));
}

#[test]
fn repeated_tokens_differ_within_a_period_and_follow_from_the_seed() {
    let config = Fixture::plain().config();
    let wanted = RepeatedTokens { period: 10, sequences: 3, seed: 7 };
    let sequences = wanted.draw(&config).unwrap();
    assert_eq!(sequences, wanted.draw(&config).unwrap());
    assert_ne!(sequences, RepeatedTokens { seed: 8, ..wanted }.draw(&config).unwrap());
    assert_ne!(sequences[0], sequences[1]);
    for sequence in &sequences {
        let (first, second) = sequence.split_at(10);
        assert_eq!(first, second);
        let different: std::collections::BTreeSet<_> = first.iter().collect();
        assert_eq!(different.len(), 10);
        assert!(!first.contains(&0), "0 is the model's special token");
    }
    let error = RepeatedTokens { period: 11, ..wanted }.draw(&config).unwrap_err();
    assert!(error.to_string().contains("1 to 10"), "{error}");
}

/// Taken apart by hand: the stripe `period - 1` back in the second half.
#[test]
fn on_repeated_tokens_the_induction_score_is_the_mean_of_a_stripe() {
    let model = Fixture::plain().model();
    let wanted = RepeatedTokens { period: 8, sequences: 2, seed: 1 };
    let scores = heads::scores_on_repeated_tokens(&model, &wanted).unwrap();
    let (layer, head) = (1, 2);
    let mut expected = 0.0;
    for sequence in wanted.draw(model.config()).unwrap() {
        let run = run_with_cache(&model, &sequence, &heads::NAMES).unwrap();
        let pattern = run.cache.get("blocks.1.attn.hook_pattern").unwrap();
        let pattern: Vec<Vec<f32>> = pattern.i((0, head)).unwrap().to_vec2().unwrap();
        expected += (8..16).map(|query| pattern[query][query - 7]).sum::<f32>() / 8.0 / 2.0;
    }
    let found: f32 =
        scores_of(&scores, Kind::Induction).i((layer, head)).unwrap().to_scalar().unwrap();
    assert!((found - expected).abs() < 1e-6, "{found}, by hand {expected}");
}

#[test]
fn a_pattern_that_no_causal_model_has_is_an_input_error() {
    let oracle = oracles().next().unwrap();
    let (model, run) = oracle.run();
    let similarity = |pattern: &Tensor| {
        heads::similarity(&model, &run.cache, pattern, Measure::Mul, Excluded::default())
            .unwrap_err()
    };
    let ones = |size: usize| Tensor::ones((size, size), DType::F32, &Device::Cpu).unwrap();
    assert!(similarity(&ones(9)).to_string().contains("is not 0 above the diagonal"));
    let error = similarity(&Tensor::zeros((5, 5), DType::F32, &Device::Cpu).unwrap());
    assert!(error.to_string().contains("5 tokens for attention of 9 queries to 9 keys"), "{error}");
}

// --- token_scores.rs, most_active.rs

#[test]
fn entropies_are_pytorchs_and_losses_those_of_the_run() {
    for oracle in oracles() {
        let (_, run) = oracle.run();
        let scores = token_scores(run.logits().unwrap(), &oracle.inputs.tokens).unwrap();
        oracle.check_table("tokens.entropy", &scores.entropy);
        let losses: Vec<f32> = run.scores.log_probs.iter().map(|log_prob| -log_prob).collect();
        assert_eq!(scores.loss.data, losses);
        assert_eq!(
            scores.rank.data,
            run.scores.ranks.iter().map(|rank| rank.unwrap() as f32).collect::<Vec<_>>()
        );
    }
}

#[test]
fn the_entropy_of_even_odds_is_the_logarithm_of_their_number() {
    let logits = Tensor::new(
        &[[[3.0f32, 3.0, 3.0, 3.0], [0.0, 0.0, f32::NEG_INFINITY, f32::NEG_INFINITY]]],
        &Device::Cpu,
    );
    let scores = token_scores(&logits.unwrap(), &[0, 1]).unwrap();
    assert!((scores.entropy.data[0] - 4.0f32.ln()).abs() < 1e-6);
    assert!((scores.entropy.data[1] - 2.0f32.ln()).abs() < 1e-6);
}

#[test]
fn a_neuron_is_most_active_where_no_other_position_exceeds_it() {
    let model = Fixture::plain().model();
    let texts = [vec![5, 9, 2, 41, 7], vec![60, 3], vec![9, 9, 9, 30, 8, 22, 1]];
    let point: HookPoint = "blocks.1.mlp.hook_post".parse().unwrap();
    let channel = Channel { point, head: None, index: 70 };
    let options = MostActiveOptions { texts: texts.to_vec(), count: 4, channel };
    let found = most_active(&model, &options).unwrap();
    let mut all = Vec::new();
    for tokens in &texts {
        let run = run_with_cache(&model, tokens, &[point.to_string()]).unwrap();
        let values = run.cache.at(point).unwrap().i((0, .., 70)).unwrap().to_vec1::<f32>().unwrap();
        all.push(values);
    }
    let mut sorted = all.concat();
    sorted.sort_by(|a, b| b.total_cmp(a));
    assert_eq!(found.value.data, sorted[..4]);
    let places = found.text.data.iter().zip(&found.position.data).zip(&found.value.data);
    assert!(
        places
            .into_iter()
            .all(|((text, position), value)| { all[*text as usize][*position as usize] == *value })
    );
}

#[test]
fn a_lane_that_is_not_there_is_refused() {
    let model = Fixture::plain().model();
    let look = |name: &str, head, index| {
        let channel = Channel { point: name.parse().unwrap(), head, index };
        let options = MostActiveOptions { texts: vec![vec![1, 2]], count: 1, channel };
        most_active(&model, &options).unwrap_err().to_string()
    };
    assert!(
        look("blocks.0.mlp.hook_post", None, 72)
            .contains("`index` 72 is out of range, expected -72 to 71")
    );
    assert!(look("blocks.0.mlp.hook_post", Some(0), 0).contains("has no heads"));
    assert!(look("blocks.0.attn.hook_z", None, 0).contains("expected `head` to select one head"));
    assert!(look("blocks.0.attn.hook_z", Some(3), 0).contains("`head` 3 is out of range"));
    assert!(look("blocks.0.attn.hook_pattern", Some(0), 0).contains("no value for each position"));
}

// --- circuits.rs

/// Eigenvalues as an unordered set: pairs `re im`, the nearest ones matched.
fn assert_same_set(what: &str, found: &[[f32; 2]], expected: &[[f32; 2]]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let mut left = expected.to_vec();
    for value in found {
        let apart = |other: &[f32; 2]| (value[0] - other[0]).hypot(value[1] - other[1]);
        let (index, nearest) =
            left.iter().map(apart).enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        assert!(
            nearest < 1e-5 + 1e-4 * value[0].hypot(value[1]),
            "{what}: {value:?} is not among {left:?}"
        );
        left.swap_remove(index);
    }
}

#[test]
fn singular_values_and_eigenvalues_are_pytorchs() {
    for oracle in oracles() {
        let model = oracle.fixture.model();
        let Config { n_layer, n_head, .. } = *model.config();
        for (layer, head) in
            (0..n_layer).flat_map(|layer| (0..n_head).map(move |head| (layer, head)))
        {
            for (which, name) in [(HeadMatrix::Ov, "ov"), (HeadMatrix::Qk, "qk")] {
                let found = circuits::circuit(&model, layer, head, which).unwrap();
                let expected = |value: &str| {
                    oracle.values[&format!("circuits.{name}.{value}")].i((layer, head))
                };
                let what = format!("{}: {name} of L{layer}H{head}", oracle.fixture.name);
                assert_close(
                    &what,
                    &tensor(&found.singular_values),
                    &expected("singular_values").unwrap(),
                );
                let pairs = |tensor: &Tensor| -> Vec<[f32; 2]> {
                    numbers(tensor).chunks(2).map(|pair| [pair[0], pair[1]]).collect()
                };
                let eigenvalues = tensor(&found.eigenvalues);
                assert_same_set(
                    &what,
                    &pairs(&eigenvalues),
                    &pairs(&expected("eigenvalues").unwrap()),
                );

                let left = tensor(&found.left).t().unwrap();
                let scaled = left.broadcast_mul(&tensor(&found.singular_values)).unwrap();
                let product = scaled.matmul(&tensor(&found.right)).unwrap();
                assert_close(&what, &product, &expected("product").unwrap());
            }
        }
    }
}

#[test]
fn copying_scores_are_those_of_the_full_matrix() {
    for oracle in oracles() {
        let model = oracle.fixture.model();
        let Config { n_layer, n_head, .. } = *model.config();
        let heads = (0..n_layer).flat_map(|layer| (0..n_head).map(move |head| (layer, head)));
        let scores: Vec<f32> = heads
            .map(|(layer, head)| circuits::copying_score(&model, layer, head).unwrap())
            .collect();
        let scores = Tensor::from_vec(scores, (n_layer, n_head), &Device::Cpu).unwrap();
        oracle.check("circuits.copying", &scores);
    }
}

#[test]
fn composition_scores_are_transformer_lenss() {
    for oracle in oracles() {
        let model = oracle.fixture.model();
        for (path, name) in [(HeadInput::Q, "q"), (HeadInput::K, "k"), (HeadInput::V, "v")] {
            let scores = composition::composition_scores(&model, path).unwrap();
            assert_eq!(scores.axes, ["writer_layer", "writer_head", "reader_layer", "reader_head"]);
            oracle.check_table(&format!("circuits.composition.{name}"), &scores);
        }
    }
}

/// The extremes of the dot products, found by looking at all of them.
#[test]
fn tokens_along_a_vector_are_those_with_the_greatest_and_the_least_products() {
    for fixture in &FIXTURES {
        let model = fixture.model();
        let circuit = circuits::circuit(&model, 1, 0, HeadMatrix::Ov).unwrap();
        for (through, name) in
            [(Through::Embedding, "wte.weight"), (Through::Unembedding, "lm_head.weight")]
        {
            let found = circuits::tokens_along(&model, &circuit.right, 2, through, 3).unwrap();
            let vector = tensor(&circuit.right).i(1).unwrap();
            let products =
                model.weight(name).unwrap().broadcast_mul(&vector).unwrap().sum(D::Minus1).unwrap();
            let products: Vec<f32> = products.to_vec1().unwrap();
            let mut order: Vec<usize> = (0..products.len()).collect();
            order.sort_by(|a, b| products[*b].total_cmp(&products[*a]));
            for place in 0..3 {
                assert_eq!(found.ids.at(&[1, 0, place]), order[place] as u32);
                assert_eq!(found.ids.at(&[1, 1, place]), order[order.len() - 1 - place] as u32);
                let value = found.values.at(&[1, 1, place]);
                assert!((value - products[order[order.len() - 1 - place]]).abs() < 1e-5);
            }
        }
    }
}

#[test]
fn the_collapsed_sides_of_a_factored_matrix_keep_its_norm() {
    let model = Fixture::plain().model();
    let head = HeadWeights::of(&model, 0, 1).unwrap();
    let matrix = FactoredMatrix::new(&head.w_v, &head.w_o).unwrap();
    let norm = |x: Tensor| x.sqr().unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap().sqrt();
    let whole = head.w_v.matmul(&head.w_o).unwrap().to_dtype(DType::F64).unwrap();
    let expected = norm(whole);
    assert!((norm(matrix.collapse_left().unwrap()) - expected).abs() < 1e-5 * expected);
    assert!((norm(matrix.collapse_right().unwrap()) - expected).abs() < 1e-5 * expected);
}

#[test]
fn a_head_that_the_model_lacks_is_an_input_error() {
    let model = Fixture::plain().model();
    for (layer, head) in [(2, 0), (0, 3)] {
        let error = circuits::circuit(&model, layer, head, HeadMatrix::Qk).err().unwrap();
        assert!(error.to_string().contains("the model has 2 layers of 3 heads"), "{error}");
        assert!(circuits::copying_score(&model, layer, head).is_err());
    }
}

// --- transform.rs

type Transform = fn(&Model) -> candlescope::Result<Model>;

const TRANSFORMS: [(&str, Transform); 5] = [
    ("fold_ln", transform::fold_ln),
    ("center_writing_weights", transform::center_writing_weights),
    ("center_unembed", transform::center_unembed),
    ("fold_value_biases", transform::fold_value_biases),
    ("all", transform::process),
];

/// Some are sums over `d_model` of products that nearly cancel.
const TRANSFORM_TOLERANCE: Tolerance = Tolerance { absolute: 2e-6, relative: 1e-4 };

#[test]
fn transformed_weights_are_transformer_lenss() {
    for (name, file) in TRANSFORM_FILES {
        let fixture = FIXTURES.iter().find(|fixture| fixture.name == name).unwrap();
        let (before, expected) = (fixture.model(), tensors(file));
        for (transform, apply) in TRANSFORMS {
            let after = apply(&before).unwrap();
            let folded = matches!(transform, "fold_ln" | "all");
            let apart = folded.then(|| transform::unembedding(&after).unwrap());
            for parameter in after.parameters() {
                let key = parameter.name.as_str();
                let (what, wanted) =
                    (format!("{name}: {transform}: {key}"), format!("{transform}.{key}"));
                let found = match (&apart, key) {
                    (Some((w_u, _)), "lm_head.weight") => w_u.clone(),
                    _ => after.weight(key).unwrap(),
                };
                let is_layer_norm = key.contains("ln_");
                match expected.get(&wanted) {
                    Some(expected) => assert_within(TRANSFORM_TOLERANCE, &what, &found, expected),
                    None if is_layer_norm && folded => {
                        let one = key.ends_with("weight") || key == "ln_f.bias";
                        let expected = f32::from(u8::from(one));
                        assert!(numbers(&found).iter().all(|value| *value == expected), "{what}");
                    }
                    None => {
                        assert_eq!(numbers(&found), numbers(&before.weight(key).unwrap()), "{what}")
                    }
                }
            }
            if let Some((_, b_u)) = apart {
                let expected = &expected[&format!("{transform}.lm_head.bias")];
                assert_within(
                    TRANSFORM_TOLERANCE,
                    &format!("{name}: {transform}: b_U"),
                    &b_u,
                    expected,
                );
            }
        }
    }
}

#[test]
fn transforms_leave_predictions_as_they_are() {
    for oracle in oracles() {
        let (before, run) = oracle.run();
        let logits = run.logits().unwrap();
        let centred = logits.broadcast_sub(&logits.mean_keepdim(D::Minus1).unwrap()).unwrap();
        for (name, apply) in TRANSFORMS {
            let after =
                run_with_cache::<&str>(&apply(&before).unwrap(), &oracle.inputs.tokens, &[])
                    .unwrap();
            let what = format!("{}: {name}", oracle.fixture.name);
            let expected = if matches!(name, "center_unembed" | "all") { &centred } else { logits };
            assert_within(
                Tolerance { absolute: 5e-5, ..TOLERANCE },
                &what,
                after.logits().unwrap(),
                expected,
            );
        }
    }
}

#[test]
fn transforms_are_called_by_name_one_after_the_other() {
    let model = Fixture::plain().model();
    let names = ["fold_ln", "center_writing_weights", "center_unembed", "fold_value_biases"];
    let (found, expected) =
        (transform::by_name(&model, &names).unwrap(), transform::process(&model).unwrap());
    for parameter in expected.parameters() {
        let weight = |model: &Model| model.weight(&parameter.name).unwrap();
        assert_eq!(numbers(&weight(&found)), numbers(&weight(&expected)), "{}", parameter.name);
    }
    let error = transform::by_name(&model, &["fold"]).err().unwrap();
    assert!(error.name() == "InputError" && error.to_string().contains("`fold_ln`"), "{error}");
}

#[test]
fn a_transform_changes_nothing_the_second_time() {
    for fixture in &FIXTURES {
        for (name, apply) in TRANSFORMS {
            let once = apply(&fixture.model()).unwrap();
            let twice = apply(&once).unwrap();
            for parameter in once.parameters() {
                let what = format!("{}: {name}: {}", fixture.name, parameter.name);
                let weight = |model: &Model| model.weight(&parameter.name).unwrap();
                assert_within(TRANSFORM_TOLERANCE, &what, &weight(&twice), &weight(&once));
            }
        }
    }
}

#[test]
fn a_transform_leaves_its_input_alone() {
    let model = Fixture::plain().model();
    let before = model.weight("wte.weight").unwrap().to_vec2::<f32>().unwrap();
    let after = transform::process(&model).unwrap();
    assert_eq!(model.weight("wte.weight").unwrap().to_vec2::<f32>().unwrap(), before);
    assert!(model.config().tie_word_embeddings && !after.config().tie_word_embeddings);
}
