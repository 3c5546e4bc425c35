//! Head scores and patching over several prompts: the mean of those of each prompt, through the requests of JavaScript.

mod common;

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use candlescope::Value;
use candlescope::lab::Lab;
use common::{FIXTURES, Fixture};
use serde_json::json;

fn lab() -> Lab {
    Lab { model: Fixture::plain().model(), tokenizer: None, compiler: None }
}

fn measure(name: &str, request: &serde_json::Value) -> candlescope::Result<Value> {
    lab().begin(name, request.clone())?.finish()
}

#[track_caller]
fn found(name: &str, request: serde_json::Value) -> Value {
    measure(name, &request).unwrap()
}

#[track_caller]
fn refused(name: &str, request: serde_json::Value) -> String {
    let error = measure(name, &request).err().unwrap_or_else(|| panic!("{name} took {request}"));
    assert_eq!(error.name(), "InputError", "{error}");
    error.to_string()
}

fn numbers(found: &Value, field: &str) -> Vec<f32> {
    match found.get(field) {
        Some(Value::Number(number)) => vec![*number as f32],
        Some(array) => match array.get("data") {
            Some(Value::Floats(data)) => data.clone(),
            other => panic!("{field}: {other:?}"),
        },
        None => panic!("no {field}"),
    }
}

fn prompts(found: &Value) -> &[Value] {
    match found.get("prompts") {
        Some(Value::List(prompts)) => prompts,
        other => panic!("{other:?}"),
    }
}

fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        // The mean is taken in f64 and rounded once.
        let close = (found - expected).abs() <= 1e-6 * expected.abs().max(1.0);
        assert!(close || (found.is_nan() && expected.is_nan()), "{what}: {found}, not {expected}");
    }
}

fn mean(of: &[Vec<f32>]) -> Vec<f32> {
    let at = |index: usize| {
        let sum: f64 = of.iter().map(|numbers| f64::from(numbers[index])).sum();
        (sum / of.len() as f64) as f32
    };
    (0..of[0].len()).map(at).collect()
}

/// The fields other than `prompts` of one prompt's result.
fn assert_same_result(found: &Value, expected: &Value) {
    assert_eq!(format!("{found:?}"), format!("{expected:?}")); // NaN has an equal there
}

#[test]
fn patching_of_several_pairs_is_the_mean_and_has_the_result_of_each() {
    for shared in [
        json!({}),
        json!({ "at": "z" }),
        json!({ "at": "pattern", "eachPosition": true }),
        json!({ "at": "post", "layer": 1 }),
        json!({ "method": "attribution", "direction": "noise" }),
    ] {
        let with = |fields: serde_json::Value| {
            let mut request = shared.clone();
            request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            request
        };
        let all = found(
            "patching",
            with(json!({
                "clean": [[1, 2, 3], [7, 8, 9], [4, 4, 2]], "corrupted": [[1, 5, 3], [7, 2, 9], [4, 1, 2]],
                "answer": [5, 6, 7], "against": 9, "position": [-1, 2, 1],
            })),
        );
        let each = [
            json!({ "clean": [1, 2, 3], "corrupted": [1, 5, 3], "answer": 5, "against": 9, "position": -1 }),
            json!({ "clean": [7, 8, 9], "corrupted": [7, 2, 9], "answer": 6, "against": 9, "position": 2 }),
            json!({ "clean": [4, 4, 2], "corrupted": [4, 1, 2], "answer": 7, "against": 9, "position": 1 }),
        ];
        let each: Vec<_> = each.into_iter().map(|one| found("patching", with(one))).collect();
        assert_eq!(prompts(&all).len(), 3);
        for (found, expected) in prompts(&all).iter().zip(&each) {
            assert_same_result(found, expected);
            assert!(expected.get("prompts").is_none());
        }
        for field in ["raw", "clean", "corrupted"] {
            let of_each: Vec<_> = each.iter().map(|one| numbers(one, field)).collect();
            assert_close(field, &numbers(&all, field), &mean(&of_each));
        }
        let (clean, corrupted) = (numbers(&all, "clean")[0], numbers(&all, "corrupted")[0]);
        let share = |metric: &f32| (metric - corrupted) / (clean - corrupted);
        let shares: Vec<_> = numbers(&all, "raw").iter().map(share).collect();
        assert_close("normalized", &numbers(&all, "normalized"), &shares);
        assert_eq!(
            format!("{:?}", all.get("raw").unwrap().get("axes")),
            format!("{:?}", each[0].get("raw").unwrap().get("axes"))
        );
    }
}

#[test]
fn a_map_without_positions_takes_pairs_of_different_lengths_and_one_with_positions_does_not() {
    let request = |at: &str| json!({ "clean": [[1, 2, 3], [4, 5]], "corrupted": [[1, 9, 3], [4, 1]], "answer": 5, "at": at });
    assert_eq!(prompts(&found("patching", request("z"))).len(), 2);
    let message = refused("patching", request("resid_pre"));
    for part in [
        "the map has positions, and text 0 of the batch has 3 tokens, text 1 2",
        "expected texts with the same number of tokens, or a map without positions",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn pairs_that_do_not_fit_are_named() {
    let with = |fields: serde_json::Value| {
        let mut request =
            json!({ "clean": [[1, 2], [3, 4]], "corrupted": [[1, 3], [3, 1]], "answer": 5 });
        request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        refused("patching", request)
    };
    for (fields, part) in [
        (
            json!({ "corrupted": [[1, 3]] }),
            "`corrupted` of patching is an array of length 1, expected an array of length 2, one item for each text of `clean`",
        ),
        (
            json!({ "corrupted": [1, 3] }),
            "text 0 of the batch: `corrupted` of patching is 1, expected a text or an array",
        ),
        (
            json!({ "answer": [1, 2, 3] }),
            "`answer` of patching is an array of length 3, expected an array of length 2, one item for each text of `clean`, or one for all",
        ),
        (json!({ "answer": [1, 9999] }), "text 1 of the batch: "),
        (
            json!({ "corrupted": [[1, 3], [3, 1, 2]] }),
            "text 1 of the batch: the clean prompt has 2 tokens and the corrupted one 3",
        ),
        (json!({ "clean": [[1, 2], []] }), "text 1 of the batch: there is no token"),
        (
            json!({ "atr": "z" }),
            "text 0 of the batch: patching has no option `atr`; did you mean `at`?",
        ),
    ] {
        let message = with(fields);
        assert!(message.contains(part), "{message}");
    }
}

/// In the first text no token occurs twice, so only the others have queries for two of the scores.
#[test]
fn head_scores_of_several_texts_are_the_mean_over_those_that_have_a_score() {
    let texts = [json!([1, 2, 3]), json!([1, 2, 1, 2]), json!([4, 4, 5, 4, 6])];
    let changes = |batch: Option<serde_json::Value>| {
        let mut change = json!({ "at": "hook_embed", "positions": -1, "do": { "scale": 2 } });
        if let Some(batch) = batch {
            change["batch"] = batch;
        }
        json!([change])
    };
    let request = json!({ "input": texts, "interventions": changes(Some(json!([0, -1]))) });
    let all = found("headScores", request);
    let each: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(row, text)| {
            let changed = if row == 1 { json!([]) } else { changes(None) };
            found("headScores", json!({ "input": text, "interventions": changed }))
        })
        .collect();
    for (found, expected) in prompts(&all).iter().zip(&each) {
        assert_same_result(found, expected);
    }
    let of_each: Vec<_> = each.iter().map(|one| numbers(one, "scores")).collect();
    assert!(of_each[0].iter().any(|score| score.is_nan()));
    let heads = of_each[0].len() / 3;
    let (previous, rest) = (mean(&of_each), mean(&of_each[1..]));
    let expected = [&previous[..heads], &rest[heads..]].concat();
    assert_close("scores", &numbers(&all, "scores"), &expected);
    assert!(numbers(&all, "scores").iter().all(|score| score.is_finite()));
    assert!(all.get("similarity").is_none());
}

#[test]
fn a_pattern_is_compared_with_each_text_of_its_length() {
    let pattern = json!([[1, 0, 0], [1, 0, 0], [0, 1, 0]]);
    let request = |texts| json!({ "input": texts, "pattern": pattern });
    let all = found("headScores", request(json!([[1, 2, 3], [3, 1, 2]])));
    let each = [json!([1, 2, 3]), json!([3, 1, 2])]
        .map(|text| numbers(&found("headScores", request(text)), "similarity"));
    assert_close("similarity", &numbers(&all, "similarity"), &mean(&each));
    let message = refused("headScores", request(json!([[1, 2, 3], [1, 2]])));
    assert!(message.contains("text 1 of the batch: `pattern` has 3 rows"), "{message}");
    let request = json!({
        "input": [[1], [2]],
        "interventions": [{ "at": "hook_embed", "batch": 2, "do": "zero" }],
    });
    assert!(refused("headScores", request).contains("has `batch` 2, but the call runs 2 texts"));
}

#[test]
fn the_steps_of_all_prompts_are_counted() {
    let request =
        json!({ "clean": [[1, 2], [3, 4]], "corrupted": [[1, 3], [3, 1]], "answer": 5, "at": "z" });
    let one = json!({ "clean": [1, 2], "corrupted": [1, 3], "answer": 5, "at": "z" });
    let lab = lab();
    let mut both = lab.begin("patching", request).unwrap();
    assert_eq!(both.total(), 2 * lab.begin("patching", one).unwrap().total());
    let mut done = 0;
    while both.step().unwrap() {
        assert!(both.done() >= done && both.done() <= both.total());
        done = both.done();
    }
    assert_eq!(both.done(), both.total());
    assert!(!both.step().unwrap());
    assert_eq!(prompts(&both.finish().unwrap()).len(), 2);
}

/// `means` and `mostActive` take several texts as an option.
#[test]
fn an_analysis_of_one_text_refuses_a_batch() {
    let two = json!([[1, 2], [3, 4]]);
    for (name, options) in [
        ("logitLens", json!({})),
        ("attribution", json!({ "answer": 5 })),
        ("residual", json!({})),
        ("integratedGradients", json!({ "answer": 5 })),
        ("tokenScores", json!({})),
    ] {
        let mut request = options;
        request["input"] = two.clone();
        let message = refused(name, request);
        let words = "is an array of length 2, expected a text or an array of token ids of one text and not a batch";
        assert!(message.contains(&format!("`input` of {name} {words}")), "{message}");
    }
    let pair = json!({ "clean": two, "corrupted": two, "answer": 5, "receivers": "logits" });
    let message = refused("pathPatching", pair);
    assert!(message.contains("not a batch"), "{message}");
    let call = lab().to_python(
        "patching",
        &Value::Null,
        &json!({ "clean": two, "corrupted": two, "answer": 5 }).into(),
        "folder",
    );
    let message = call.err().unwrap().to_string();
    assert!(message.contains("not a batch; run them one after the other"), "{message}");
}

/// Patching and head scores of three pairs, as TransformerLens computes them on a batch of the three in f64.
///
/// The tolerance is that of comparisons with f64 elsewhere: the runs themselves sum in f32.
#[test]
fn means_over_prompts_are_transformer_lenss() {
    for means in Means::all() {
        let lab = Lab { model: means.fixture.model(), tokenizer: None, compiler: None };
        let found = |name: &str, request: serde_json::Value| {
            lab.begin(name, request).unwrap().finish().unwrap()
        };
        for at in ["resid_pre", "attn_out", "mlp_out", "z", "q", "k", "v", "pattern"] {
            let mut request = means.given.clone();
            request["at"] = json!(at);
            let patching = found("patching", request);
            for field in ["raw", "normalized"] {
                means.check(&format!("patching.{at}.{field}"), &numbers(&patching, field));
            }
            means.check("patching.clean", &numbers(&patching, "clean"));
            means.check("patching.corrupted", &numbers(&patching, "corrupted"));
        }
        let scores =
            numbers(&found("headScores", json!({ "input": means.given["clean"] })), "scores");
        let kinds = ["previous_token", "duplicate_token", "induction"];
        for (kind, scores) in kinds.iter().zip(scores.chunks(scores.len() / kinds.len())) {
            means.check(&format!("heads.{kind}"), scores);
        }
    }
}

/// The sum of many numbers in f32 would be off by more than a unit in the last place.
#[test]
fn mean_activations_are_accumulated_in_f64_and_rounded_once() {
    let fixture = Fixture::plain();
    let (model, length) = (fixture.model(), fixture.config().n_positions as u32);
    let texts: Vec<Vec<u32>> =
        (1..40).map(|row| (0..1 + row % length).map(|at| (at * 7 + row) % 20).collect()).collect();
    let names = ["hook_embed", "blocks.1.attn.hook_z"];
    let found = candlescope::means(&model, &texts, &names).unwrap();
    for name in names {
        let values = texts.iter().map(|ids| {
            let run = candlescope::run_with_cache(&model, ids, &[name]).unwrap();
            run.cache.get(name).unwrap().clone()
        });
        let values: Vec<Tensor> = values.collect();
        let rest = &values[0].dims()[2..];
        let size = rest.iter().product();
        let mut expected = vec![0f64; size];
        for value in &values {
            for row in common::numbers(value).chunks(size) {
                expected.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
            }
        }
        let count = texts.iter().map(Vec::len).sum::<usize>() as f64;
        let expected: Vec<f32> = expected.iter().map(|sum| (sum / count) as f32).collect();
        assert_eq!(found[name].shape, [&[1, 1], rest].concat(), "{name}");
        assert_eq!(found[name].data, expected, "{name}");
    }
}

#[test]
fn means_name_the_text_that_fails_and_refuse_patterns_before_they_run_anything() {
    let model = Fixture::plain().model();
    let error = |texts: &[Vec<u32>], name| {
        candlescope::means(&model, texts, &[name]).err().unwrap().to_string()
    };
    let absent = model.config().vocab_size as u32;
    let message = error(&[vec![1], vec![absent]], "hook_embed");
    assert!(message.contains("text 1 of the batch"), "{message}");
    let message = error(&[vec![absent]], "blocks.*.attn.hook_pattern");
    assert!(message.contains("cannot be averaged over positions"), "{message}");
}

/// What `make_means_fixtures.py` computed for a fixture.
struct Means {
    fixture: &'static Fixture,
    given: serde_json::Value,
    expected: HashMap<String, Tensor>,
}

impl Means {
    fn all() -> impl Iterator<Item = Means> {
        macro_rules! files {
            ($($name:literal),*) => {
                [$((
                    $name,
                    include_str!(concat!("fixtures/", $name, "/means.json")),
                    &include_bytes!(concat!("fixtures/", $name, "/means.safetensors"))[..],
                )),*]
            };
        }
        files!("plain", "scaled", "gelu").into_iter().map(|(name, given, tensors)| Means {
            fixture: FIXTURES.iter().find(|fixture| fixture.name == name).unwrap(),
            given: serde_json::from_str(given).unwrap(),
            expected: candle_core::safetensors::load_buffer(tensors, &Device::Cpu).unwrap(),
        })
    }

    #[track_caller]
    fn check(&self, name: &str, found: &[f32]) {
        let expected = self.expected[name].flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(found.len(), expected.len(), "{name}");
        for (found, expected) in found.iter().zip(expected) {
            let close = (found - expected).abs() <= 2e-5 * expected.abs().max(1.0);
            assert!(close, "{} {name}: {found}, not {expected}", self.fixture.name);
        }
    }
}
