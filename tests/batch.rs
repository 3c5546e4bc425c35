//! A batch equals its rows: each text of a batch gives what it gives alone.
//!
//! Every operation of a browser computes a row of numbers alike, whatever other rows there are, so the bits are the same. Natively
//! a plain matrix is multiplied by the crate `gemm`, whose order of sums depends on the number of rows: [`TOLERANCE`].

#[path = "common/causal.rs"]
mod causal;
mod common;

use candle_core::Tensor;
use candlescope::kernel::WeightFormat;
use candlescope::{
    Cache, Capture, HookContext, HookPoint, Hooks, Intervention, KvCache, Model, NoHooks,
    Objective, PerRow, Result, Run, RunOptions, Start, WeightsReader, run, run_batch,
};
use causal::Causal;
use common::*;

/// Texts of different lengths: the fixture's, a part of it, another, one token, and the first again.
fn texts(fixture: &Fixture) -> Vec<Vec<u32>> {
    let tokens = fixture.expected().tokens;
    let reversed = tokens.iter().rev().copied().collect();
    vec![tokens.clone(), tokens[..3].to_vec(), reversed, tokens[1..2].to_vec(), tokens]
}

/// A model in one format of weights, and how the values of a batch are compared with those of its texts.
struct Case {
    name: String,
    model: Model,
    texts: Vec<Vec<u32>>,
    compare: fn(&str, &Tensor, &Tensor),
    /// Whether results have the same bits.
    is_exact: bool,
}

impl Case {
    fn new(fixture: &Fixture, format: WeightFormat) -> Case {
        let mut reader = WeightsReader::with_format(&fixture.config(), None, format);
        reader.push(fixture.weights).unwrap();
        let compare = match format {
            WeightFormat::Plain => assert_close,
            _ => assert_same_bits,
        };
        Case {
            name: format!("{}, {format:?}", fixture.name),
            model: Model::new(fixture.config(), &reader.finish().unwrap()).unwrap(),
            texts: texts(fixture),
            compare,
            is_exact: format != WeightFormat::Plain,
        }
    }

    fn assert_equals_its_rows(&self, options: &RunOptions) {
        let runs = run_batch(&self.model, &self.texts, options).unwrap();
        assert_eq!(runs.len(), self.texts.len());
        for (row, (found, ids)) in runs.iter().zip(&self.texts).enumerate() {
            let alone = run(&self.model, ids, options).unwrap();
            self.assert_same_run(&format!("{}, text {row}", self.name), found, &alone);
        }
    }

    fn assert_same_run(&self, what: &str, found: &Run, expected: &Run) {
        match expected.residual() {
            None => (self.compare)(what, found.logits().unwrap(), expected.logits().unwrap()),
            Some(residual) => (self.compare)(what, found.residual().unwrap(), residual),
        }
        // Without equal bits, tokens with nearly equal logits may change places.
        if self.is_exact {
            assert_eq!(found.scores.ranks, expected.scores.ranks, "{what}");
        }
        assert_all_close(what, &found.scores.log_probs, &expected.scores.log_probs);
        self.assert_same_cache(what, &found.cache, &expected.cache);
        let what = format!("{what}: gradients");
        self.assert_same_cache(&what, &found.gradients, &expected.gradients);
    }

    fn assert_same_cache(&self, what: &str, found: &Cache, expected: &Cache) {
        assert_eq!(found.names(), expected.names(), "{what}");
        for ((point, found), (_, expected)) in found.iter().zip(expected.iter()) {
            (self.compare)(&format!("{what}: {point}"), found, expected);
        }
    }
}

/// Every member of the family in the format of a browser and in that of native builds, and one in every format.
fn for_every_case(check: impl Fn(Case)) {
    for fixture in FIXTURES.iter().chain(&TOYS) {
        check(Case::new(fixture, WeightFormat::F32));
        check(Case::new(fixture, WeightFormat::Plain));
    }
    for format in [WeightFormat::F16, WeightFormat::Q8, WeightFormat::Q4] {
        check(Case::new(Fixture::plain(), format));
    }
}

#[test]
fn every_value_of_a_batch_is_that_of_its_rows() {
    for_every_case(|case| {
        let names = every_name(case.model.config());
        case.assert_equals_its_rows(&RunOptions { names, ..RunOptions::default() });
        case.assert_equals_its_rows(&RunOptions::default());
    });
}

#[test]
fn every_gradient_of_a_batch_is_that_of_its_rows() {
    for_every_case(|mut case| {
        case.texts.retain(|ids| ids.len() > 1); // a loss needs two tokens
        for of in [Objective::Loss, Objective::Logit { answer: 5, against: Some(9), position: -1 }]
        {
            case.assert_equals_its_rows(&RunOptions {
                names: every_name(case.model.config()),
                gradients_of: Some(of),
                ..RunOptions::default()
            });
        }
    });
}

#[test]
fn a_part_of_the_positions_and_layers_is_that_of_the_rows() {
    for_every_case(|case| {
        case.assert_equals_its_rows(&RunOptions {
            names: vec!["blocks.0.*".to_string()],
            positions: Some(vec![-1]),
            stop_at_layer: Some(1),
            ..RunOptions::default()
        });
    });
}

#[test]
fn decoding_several_texts_together_gives_the_logits_of_each() {
    for_every_case(|Case { name, model, mut texts, compare, .. }| {
        texts.iter_mut().for_each(|ids| ids.truncate(model.config().n_positions - 1));
        let mut kv: Vec<_> = texts.iter().map(|_| KvCache::new(model.config())).collect();
        let mut alone = kv.clone();
        let mut next = texts.clone();
        for _ in 0..2 {
            let found = model.forward_rows(&next, Some(&mut kv), &mut NoHooks).unwrap();
            for ((logits, ids), kv) in found.iter().zip(&next).zip(&mut alone) {
                let expected = model.forward(&row(ids), Some(kv), &mut NoHooks).unwrap();
                compare(&name, logits, &expected);
            }
            next = texts.iter().map(|ids| ids[..1].to_vec()).collect();
        }
    });
}

/// Replaces what it gets at one point with a multiple.
struct Double(HookPoint);

impl Hooks for Double {
    fn wants(&self, point: HookPoint) -> bool {
        self.0 == point
    }

    fn visit(&mut self, _: HookContext, value: Tensor) -> Result<Tensor> {
        Ok((value * 2.0)?)
    }
}

/// A hook on one text, at any point, changes the others by no bit.
#[test]
fn a_hook_on_one_text_leaves_the_others_alone() {
    for fixture in FIXTURES.iter().chain(&TOYS) {
        let Case { name, model, mut texts, compare, .. } = Case::new(fixture, WeightFormat::F32);
        texts.truncate(3);
        for point in HookPoint::all(model.config()) {
            let mut hooks: Vec<Box<dyn Hooks>> =
                texts.iter().map(|_| Box::new(NoHooks) as _).collect();
            hooks[1] = Box::new(Double(point));
            let found = model.forward_rows(&texts, None, &mut PerRow(hooks)).unwrap();
            for (index, (logits, ids)) in found.iter().zip(&texts).enumerate() {
                let expected = match index {
                    1 => model.forward(&row(ids), None, &mut Double(point)),
                    _ => model.forward(&row(ids), None, &mut NoHooks),
                };
                compare(&format!("{name}: {point}, {index}"), logits, &expected.unwrap());
            }
        }
    }
}

#[test]
fn hooks_of_one_kind_can_watch_every_text() {
    let case = Case::new(Fixture::plain(), WeightFormat::F32);
    let names = ["blocks.*.attn.hook_pattern", "ln_final.hook_scale"];
    let captures = case.texts.iter().map(|_| Capture::new(&names, case.model.config()).unwrap());
    let mut hooks = PerRow(captures.collect());
    case.model.forward_rows(&case.texts, None, &mut hooks).unwrap();
    for (capture, ids) in hooks.0.into_iter().zip(&case.texts) {
        let alone = candlescope::run_with_cache(&case.model, ids, &names).unwrap();
        case.assert_same_cache("captures", &capture.into_cache(), &alone.cache);
    }
}

macro_rules! oracle {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!("fixtures/", $name, "/batch.json")),
            include_bytes!(concat!("fixtures/", $name, "/batch.safetensors")).as_slice(),
        )
    };
}

const ORACLES: [(&str, &str, &[u8]); 6] = [
    oracle!("plain"),
    oracle!("scaled"),
    oracle!("gelu"),
    oracle!("toy_attn"),
    oracle!("toy_solu"),
    oracle!("toy_shortformer"),
];

/// At the positions that TransformerLens's `attention_mask` shows. Both round each operation to f32, in different orders, hence the
/// tolerance; TransformerLens's own rows differ by up to 4e-6 from the same text alone.
#[test]
fn a_batch_equals_transformer_lens_with_an_attention_mask() {
    for (name, json, file) in ORACLES {
        let fixture = FIXTURES.iter().chain(&TOYS).find(|fixture| fixture.name == name).unwrap();
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        let texts: Vec<Vec<u32>> = serde_json::from_value(json["texts"].clone()).unwrap();
        let longest = texts.iter().map(Vec::len).max().unwrap();
        let oracle = tensors(file);
        let points: Vec<String> = oracle
            .keys()
            .filter_map(|key| key.strip_prefix("right."))
            .filter(|key| *key != "logits")
            .map(String::from)
            .collect();
        assert_eq!(points.len(), 3);
        let case = Case::new(fixture, WeightFormat::F32);
        let options = RunOptions { names: points.clone(), ..RunOptions::default() };
        let runs = run_batch(&case.model, &texts, &options).unwrap();
        for (row, (run, ids)) in runs.iter().zip(&texts).enumerate() {
            for (side, start) in [("right", 0), ("left", longest - ids.len())] {
                let expected = |name: &str, axes: &[usize]| {
                    let padded = oracle[&format!("{side}.{name}")].narrow(0, row, 1).unwrap();
                    axes.iter().fold(padded, |padded, axis| {
                        padded.narrow(*axis, start, ids.len()).unwrap()
                    })
                };
                let what = format!("{name}, text {row}, padded at the {side}");
                assert_close(&what, run.logits().unwrap(), &expected("logits", &[1]));
                for point in &points {
                    let axes: &[usize] =
                        if point.ends_with("hook_pattern") { &[2, 3] } else { &[1] };
                    let found = run.cache.get(point).unwrap();
                    assert_close(&format!("{what}: {point}"), found, &expected(point, axes));
                }
            }
        }
    }
}

/// The two texts have different tokens, so that each has numbers of its own.
#[test]
fn every_action_changes_each_text_as_it_changes_that_text_alone() {
    for causal in Causal::all() {
        let fixture = FIXTURES.iter().find(|fixture| fixture.name == causal.name).unwrap();
        let mut case = Case::new(fixture, WeightFormat::F32);
        case.texts = vec![causal.tokens.clone(), causal.other.clone(), causal.tokens.clone()];
        for changes in causal.json["interventions"].as_array().unwrap() {
            case.assert_equals_its_rows(&RunOptions {
                names: every_name(case.model.config()),
                interventions: causal.interventions(&changes["interventions"]),
                compiler: Some(causal::compiler()),
                ..RunOptions::default()
            });
        }
    }
}

/// The positions are those of each text.
#[test]
fn a_change_at_every_point_of_every_model_is_that_of_each_text() {
    for_every_case(|case| {
        let changes = serde_json::json!([
            { "at": "*", "do": { "scale": 0.5 } },
            { "at": "/hook_(pattern|z|resid_post|q_input)$/", "positions": -1, "do": "zero" },
            { "at": "blocks.*.attn.hook_result", "head": 1, "do": { "add": 0.1 } },
        ]);
        case.assert_equals_its_rows(&RunOptions {
            interventions: Intervention::list_from_json(&changes.to_string()).unwrap(),
            ..RunOptions::default()
        });
    });
}

fn zero_in(batch: serde_json::Value) -> RunOptions {
    let json = serde_json::json!({ "at": "blocks.0.attn.hook_z", "batch": batch, "do": "zero" });
    let interventions = vec![Intervention::from_value(json).unwrap()];
    RunOptions { interventions, ..RunOptions::default() }
}

#[test]
fn an_intervention_changes_only_the_texts_that_it_selects() {
    let case = Case::new(Fixture::plain(), WeightFormat::F32);
    let (changed, unchanged) = (zero_in(0.into()), RunOptions::default());
    for (batch, selected) in [
        (serde_json::json!([1, -1]), [false, true, false, false, true]),
        (serde_json::json!(-2), [false, false, false, true, false]),
    ] {
        let runs = run_batch(&case.model, &case.texts, &zero_in(batch)).unwrap();
        for ((found, ids), selected) in runs.iter().zip(&case.texts).zip(selected) {
            let options = if selected { &changed } else { &unchanged };
            case.assert_same_run("batch", found, &run(&case.model, ids, options).unwrap());
        }
    }
}

#[test]
fn a_text_that_an_intervention_cannot_select_is_an_error() {
    let case = Case::new(Fixture::plain(), WeightFormat::F32);
    let message = |batch: serde_json::Value, texts: &[Vec<u32>]| {
        let error = run_batch(&case.model, texts, &zero_in(batch)).err().unwrap();
        assert_eq!(error.name(), "InputError");
        error.to_string()
    };
    let texts = &case.texts[..2];
    let expected = "has `batch` 2, but the call runs 2 texts: expected -2 to 1";
    assert!(message(2.into(), texts).contains(expected));
    assert!(message(serde_json::json!([]), texts).contains("`batch` is empty"));
    assert!(message(serde_json::json!([1, -1]), texts).contains("lists 1 twice in `batch`"));
    let alone = message(1.into(), &texts[..1]);
    assert!(alone.contains("has `batch` 1, but the call runs one text: expected -1 to 0"));
    for batch in [0, -1] {
        assert!(run(&case.model, &texts[0], &zero_in(batch.into())).is_ok());
    }
}

#[test]
fn a_batch_that_starts_at_a_layer_continues_the_whole_batch() {
    for_every_case(|case| {
        let Case { model, texts, compare, name, .. } = &case;
        let at = "blocks.1.hook_resid_pre";
        let options = RunOptions { names: vec![at.into()], ..RunOptions::default() };
        let whole = run_batch(model, texts, &options).unwrap();
        let parts: Vec<_> = whole.iter().map(|run| run.cache.get(at).unwrap().clone()).collect();
        let start = Some(Start { layer: 1, resid: Tensor::cat(&parts, 1).unwrap() });
        let rest = run_batch(model, texts, &RunOptions { start, ..options }).unwrap();
        for (found, expected) in rest.iter().zip(&whole) {
            compare(name, found.logits().unwrap(), expected.logits().unwrap());
        }
    });
}

#[test]
fn a_text_that_cannot_be_run_is_named() {
    let model = Fixture::plain().model();
    let fails = |texts: &[Vec<u32>], message: &str| {
        let error = run_batch(&model, texts, &RunOptions::default()).err().unwrap().to_string();
        assert!(error.contains(message), "{error}");
    };
    fails(&[], "the batch has no text");
    fails(&[vec![1], vec![]], "text 1 of the batch: there is no token");
    let n_positions = model.config().n_positions;
    fails(&[vec![1], vec![1; n_positions + 1]], "text 1 of the batch: the context has");
    fails(&[vec![1], vec![u32::MAX]], "out of range");
}
