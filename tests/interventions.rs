//! Every action at every kind of point against TransformerLens's hooks, the laws of interventions, and refused input.

#[path = "common/causal.rs"]
mod causal;
mod common;

use candlescope::intervene::{
    Add, Edge, Js, KnockOut, Mean, Patch, ReferenceMean, Scale, Selected, Set, Zero,
};
use std::collections::BTreeMap;

use candlescope::lab::Lab;
use candlescope::{
    Action, Choice, GenerateOptions, Generation, HookPoint, Intervention, Model, NamedArray,
    NoHooks, Objective, RunOptions, Source, Start, Values, run, run_with_cache,
};
use proptest::prelude::*;
use serde_json::json;

use causal::{Causal, compiler};
use common::{FIXTURES, Fixture, assert_close, assert_same_bits, every_name, numbers, row};

fn options(interventions: Vec<Intervention>) -> RunOptions {
    RunOptions { interventions, compiler: Some(compiler()), ..RunOptions::default() }
}

fn intervention(json: serde_json::Value) -> Intervention {
    Intervention::from_json(&json.to_string()).unwrap()
}

#[test]
fn every_action_does_what_the_hook_does_in_transformer_lens() {
    for causal in Causal::all() {
        for (index, case) in causal.json["interventions"].as_array().unwrap().iter().enumerate() {
            let options = options(causal.interventions(&case["interventions"]));
            let run = run(&causal.model, &causal.tokens, &options).unwrap();
            let what = format!("{}: {}", causal.name, case["name"]);
            assert_close(&what, run.logits().unwrap(), &causal.tensors[&format!("case.{index}")]);
        }
    }
}

#[test]
fn setting_what_was_there_changes_no_bit() {
    for fixture in &FIXTURES {
        let (model, tokens) = (fixture.model(), fixture.expected().tokens);
        let undisturbed = run_with_cache(&model, &tokens, &every_name(model.config())).unwrap();
        for point in undisturbed.cache.points() {
            let own = Source::from([(
                point.to_string(),
                NamedArray::unnamed(undisturbed.cache.at(point).unwrap()).unwrap(),
            )]);
            let patch =
                Intervention::new(point.to_string(), Patch { from: own, from_positions: None });
            let run = run(&model, &tokens, &options(vec![patch])).unwrap();
            let what = format!("{}: {point}", fixture.name);
            match point.on_request() && point.layer().is_some() && point.axes().contains(&"head") {
                // Written per-head values are summed head by head, which rounds in another order.
                true => assert_close(&what, run.logits().unwrap(), undisturbed.logits().unwrap()),
                false => {
                    assert_same_bits(&what, run.logits().unwrap(), undisturbed.logits().unwrap())
                }
            }
        }
    }
}

#[test]
fn zeroing_every_head_and_every_mlp_leaves_the_embedding_path() {
    for fixture in &FIXTURES {
        let (model, tokens) = (fixture.model(), fixture.expected().tokens);
        let zero = |at: &str| Intervention::new(at, Zero);
        let run =
            run(&model, &tokens, &options(vec![zero("*.hook_attn_out"), zero("*.hook_mlp_out")]))
                .unwrap();
        let embeddings = model.embed(&row(&tokens), 0, &mut NoHooks).unwrap();
        let direct = model.unembed(&embeddings, 0, &mut NoHooks).unwrap();
        assert_same_bits(fixture.name, run.logits().unwrap(), &direct);
    }
}

/// Numbers that all differ, so that no two orders of them are the same.
fn counting(axes: &[&str], shape: &[usize]) -> serde_json::Value {
    let data: Vec<f32> = (0..shape.iter().product()).map(|n| n as f32 / 64.0 - 0.5).collect();
    json!({ "axes": axes, "shape": shape, "data": data })
}

/// The same numbers with the axes in the order `to`, index by index.
fn by_hand(array: &serde_json::Value, to: &[usize]) -> serde_json::Value {
    let lengths: Vec<usize> = serde_json::from_value(array["shape"].clone()).unwrap();
    let shape: Vec<usize> = to.iter().map(|axis| lengths[*axis]).collect();
    let axes: Vec<_> = to.iter().map(|axis| array["axes"][*axis].clone()).collect();
    let mut data = Vec::new();
    for flat in 0..shape.iter().product::<usize>() {
        let (mut rest, mut index) = (flat, vec![0; lengths.len()]);
        for (axis, length) in to.iter().zip(&shape).rev() {
            index[*axis] = rest % length;
            rest /= length;
        }
        let place =
            index.iter().zip(&lengths).fold(0, |place, (index, length)| place * length + index);
        data.push(array["data"][place].clone());
    }
    json!({ "axes": axes, "shape": shape, "data": data })
}

fn without_names(array: &serde_json::Value) -> serde_json::Value {
    json!({ "shape": array["shape"], "data": array["data"] })
}

#[test]
fn axes_with_names_are_matched_by_name_in_any_order() {
    let causal = Causal::plain();
    let logits = |fields: serde_json::Value, action: serde_json::Value| {
        let mut change = json!({ "at": "blocks.1.attn.hook_z", "do": action });
        change.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let run = run(&causal.model, &causal.tokens, &options(vec![intervention(change)]));
        run.unwrap().logits().unwrap().clone()
    };
    let whole = counting(&["batch", "pos", "head", "d_head"], &[1, 11, 3, 6]);
    let part = counting(&["pos", "head", "d_head"], &[2, 2, 3]);
    let selected = json!({ "positions": [7, 2], "head": [2, 0], "dim": [5, 0, 1] });
    for name in ["set", "add"] {
        let of = |array: &serde_json::Value| logits(json!({}), json!({ name: array }));
        let expected = of(&without_names(&whole));
        for order in [[0, 1, 2, 3], [0, 2, 1, 3], [3, 2, 1, 0], [1, 3, 0, 2]] {
            let permuted = by_hand(&whole, &order);
            assert_same_bits(&format!("{name} {order:?}"), &of(&permuted), &expected);
        }
        let of_part = |array: &serde_json::Value| logits(selected.clone(), json!({ name: array }));
        let expected = of_part(&without_names(&part));
        for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
            let permuted = by_hand(&part, &order);
            assert_same_bits(&format!("{name} part {order:?}"), &of_part(&permuted), &expected);
        }
        // Axes that are lacking, and those of length 1, are broadcast.
        let per_position = counting(&["pos"], &[11]);
        let expected = of(&json!({ "shape": [11, 1, 1], "data": per_position["data"] }));
        assert_same_bits("pos", &of(&per_position), &expected);
        let with_one =
            json!({ "axes": ["d_head", "pos"], "shape": [1, 11], "data": per_position["data"] });
        assert_same_bits("pos and one dimension", &of(&with_one), &expected);
        let crossed = counting(&["d_head", "pos"], &[6, 11]);
        let data = by_hand(&crossed, &[1, 0])["data"].clone();
        let expected = of(&json!({ "shape": [11, 1, 6], "data": data }));
        assert_same_bits("pos and d_head", &of(&crossed), &expected);
        let number = json!({ "axes": [], "shape": [], "data": [0.25] });
        assert_same_bits("a number", &of(&number), &of(&json!(0.25)));
    }
    let other = counting(&["batch", "pos", "head", "d_head"], &[1, 11, 3, 6]);
    for name in ["from", "mean"] {
        let array = if name == "from" {
            &other
        } else {
            &counting(&["batch", "pos", "head", "d_head"], &[1, 1, 3, 6])
        };
        let of = |array: serde_json::Value| {
            logits(json!({}), json!({ name: { "blocks.1.attn.hook_z": array } }))
        };
        let expected = of(without_names(array));
        for order in [[0, 1, 2, 3], [0, 2, 1, 3], [3, 2, 1, 0], [1, 3, 0, 2]] {
            assert_same_bits(&format!("{name} {order:?}"), &of(by_hand(array, &order)), &expected);
        }
    }
    let without_position = counting(&["d_head", "head"], &[6, 3]);
    let data = by_hand(&without_position, &[1, 0])["data"].clone();
    let mean = |array: serde_json::Value| {
        logits(json!({}), json!({ "mean": { "blocks.1.attn.hook_z": array } }))
    };
    let expected = mean(json!({ "shape": [1, 1, 3, 6], "data": data }));
    assert_same_bits("a mean without a position", &mean(without_position), &expected);
}

#[test]
fn a_pattern_along_queries_is_not_one_along_keys() {
    let causal = Causal::plain();
    let point = "blocks.1.attn.hook_pattern";
    let logits = |action: serde_json::Value| {
        let changes = vec![intervention(json!({ "at": point, "do": action }))];
        run(&causal.model, &causal.tokens, &options(changes)).unwrap().logits().unwrap().clone()
    };
    let by_query = counting(&["query"], &[11]);
    let expected = logits(json!({ "set": { "shape": [11, 1], "data": by_query["data"] } }));
    assert_same_bits("query", &logits(json!({ "set": by_query })), &expected);
    let by_key = counting(&["key"], &[11]);
    let expected = logits(json!({ "set": by_key["data"] }));
    assert_same_bits("key", &logits(json!({ "set": by_key })), &expected);
    let pattern = json!(causal.captured(&causal.tokens, point));
    let transposed = by_hand(&pattern[point], &[0, 1, 3, 2]);
    let plain = causal.model.forward(&row(&causal.tokens), None, &mut NoHooks).unwrap();
    assert_same_bits("set", &logits(json!({ "set": transposed })), &plain);
    assert_same_bits("from", &logits(json!({ "from": { point: transposed } })), &plain);
}

#[test]
fn names_are_matched_at_each_hook_point() {
    let causal = Causal::plain();
    let by_position = counting(&["pos"], &[11]);
    let at = |at: &str, shape: &[usize]| {
        let add = json!({ "shape": shape, "data": by_position["data"] });
        intervention(json!({ "at": at, "do": { "add": add } }))
    };
    let each =
        vec![at("blocks.0.attn.hook_z", &[11, 1, 1]), at("blocks.1.hook_resid_pre", &[11, 1])];
    let both = json!({ "at": ["blocks.0.attn.hook_z", "blocks.1.hook_resid_pre"], "do": { "add": by_position } });
    let logits = |changes| {
        run(&causal.model, &causal.tokens, &options(changes)).unwrap().logits().unwrap().clone()
    };
    assert_same_bits("both points", &logits(vec![intervention(both)]), &logits(each));
}

#[test]
fn a_residual_stream_to_start_from_is_matched_by_name() {
    let causal = Causal::plain();
    let point = "blocks.1.hook_resid_pre";
    let stream = json!(causal.captured(&causal.tokens, point))[point].clone();
    let lab = Lab { model: causal.model.clone(), tokenizer: None, compiler: None };
    let start = |resid: serde_json::Value| {
        let options = json!({ "startAt": { "layer": 1, "resid": resid } });
        lab.run_call(&json!(causal.tokens).into(), &options.into())
    };
    let plain = causal.model.forward(&row(&causal.tokens), None, &mut NoHooks).unwrap();
    for order in [[0, 1, 2], [2, 0, 1]] {
        let call = start(by_hand(&stream, &order)).unwrap();
        let started = run(&causal.model, &causal.tokens, &call.options).unwrap();
        assert_same_bits(&format!("{order:?}"), started.logits().unwrap(), &plain);
    }
    let refused = |resid| start(resid).err().unwrap().to_string();
    let error = refused(counting(&["batch", "pos", "d_head"], &[1, 11, 18]));
    let expected = "`startAt.resid` of runWithCache has the axes batch, pos, d_head, expected batch, pos, d_model";
    assert!(error.contains(expected), "{error}");
    let error = refused(json!({ "axes": ["pos"], "shape": [11, 18], "data": vec![0.0; 198] }));
    assert!(error.contains("has the axes pos for shape [11, 18]"), "{error}");
    let error = refused(json!({ "axes": [], "shape": [11, 18], "data": vec![0.0; 198] }));
    assert!(error.contains("has no axis for shape [11, 18]"), "{error}");
    let error =
        refused(json!({ "axes": ["pos", "pos"], "shape": [11, 18], "data": vec![0.0; 198] }));
    assert!(error.contains("has two axes called `pos`"), "{error}");
}

#[test]
fn patching_everything_from_the_clean_run_gives_the_clean_logits() {
    let causal = Causal::plain();
    let names: Vec<String> = every_name(causal.model.config());
    let clean = run_with_cache(&causal.model, &causal.tokens, &names).unwrap();
    let source = clean.cache.source().unwrap();
    let patches = names.iter().map(|name| {
        Intervention::new(name.clone(), Patch { from: source.clone(), from_positions: None })
    });
    let run = run(&causal.model, &causal.other, &options(patches.collect())).unwrap();
    assert_same_bits("the logits were patched too", run.logits().unwrap(), clean.logits().unwrap());
}

#[test]
fn a_function_is_told_the_name_axes_shape_and_positions_of_what_it_gets() {
    let model = Fixture::plain().model();
    let tokens = Fixture::plain().expected().tokens;
    let expected = Selected {
        name: "blocks.1.attn.hook_z".into(),
        axes: &["batch", "pos", "head", "d_head"],
        shape: vec![1, 2, 1, 6],
        positions: vec![3, 10],
        indices: BTreeMap::from([("head", vec![2]), ("pos", vec![3, 10])]),
        row: 0,
    };
    let compiler: candlescope::intervene::Compiler = std::rc::Rc::new(move |_: &str| {
        let expected = expected.clone();
        Ok(Box::new(move |x: Vec<f32>, selected: &Selected| {
            assert_eq!((selected, x.len()), (&expected, 12));
            Ok(x)
        }))
    });
    let look = intervention(
        json!({ "at": "blocks.1.attn.hook_z", "head": 2, "positions": [-1, 3], "do": { "js": "" } }),
    );
    let looked =
        RunOptions { interventions: vec![look], compiler: Some(compiler), ..RunOptions::default() };
    let run = run(&model, &tokens, &looked).unwrap();
    let undisturbed = model.forward(&row(&tokens), None, &mut NoHooks).unwrap();
    assert_same_bits("the function returned what it got", run.logits().unwrap(), &undisturbed);
}

/// Heads that were replaced are added one by one; heads that were only read are not.
#[test]
fn a_function_that_only_looks_changes_no_bit_and_no_gradient() {
    let model = Fixture::plain().model();
    let tokens = Fixture::plain().expected().tokens;
    let compiler: candlescope::intervene::Compiler =
        std::rc::Rc::new(|_: &str| Ok(Box::new(|x: Vec<f32>, _: &Selected| Ok(x))));
    let run = |interventions: Vec<Intervention>| {
        let name = "blocks.0.hook_resid_pre".to_string();
        let options = RunOptions {
            names: vec![name.clone()],
            gradients_of: Some(Objective::Loss),
            interventions,
            compiler: Some(compiler.clone()),
            ..RunOptions::default()
        };
        let run = run(&model, &tokens, &options).unwrap();
        (run.logits().unwrap().clone(), run.gradients.get(&name).unwrap().clone())
    };
    let (logits, gradient) = run(vec![]);
    for name in ["attn.hook_result", "attn.hook_pattern", "hook_q_input", "hook_resid_post"] {
        let at = format!("blocks.1.{name}");
        let look = intervention(json!({ "at": at, "do": { "js": "" } }));
        let (looked, of_looked) = run(vec![look]);
        assert_same_bits(name, &looked, &logits);
        assert_same_bits(name, &of_looked, &gradient);
    }
}

#[test]
fn no_action_lets_a_query_attend_to_a_later_key() {
    let model = Fixture::plain().model();
    let tokens = Fixture::plain().expected().tokens;
    for action in [
        json!("zero"),
        json!({ "set": 1.0 }),
        json!({ "scale": -1.0 }),
        json!({ "add": 3.0 }),
        json!({ "js": "x + position" }),
    ] {
        let change = intervention(json!({ "at": "blocks.0.attn.hook_attn_scores", "do": action }));
        let names = vec!["blocks.0.attn.hook_pattern".to_string()];
        let run = run(&model, &tokens, &RunOptions { names, ..options(vec![change]) }).unwrap();
        let pattern = run.cache.get("blocks.0.attn.hook_pattern").unwrap().squeeze(0).unwrap();
        for head in pattern.to_vec3::<f32>().unwrap() {
            for (query, row) in head.iter().enumerate() {
                assert!(row[query + 1..].iter().all(|later| *later == 0.0), "{action}: {row:?}");
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{action}: {row:?}");
            }
        }
    }
}

// ---- generation ----

/// Interventions of many kinds on a prompt of 11 tokens and the tokens after it.
fn under_generation(causal: &Causal) -> Vec<(&'static str, Vec<Intervention>)> {
    let list = |json: serde_json::Value| causal.interventions(&json);
    let square: Vec<f32> = (0..11 * 11).map(|index| index as f32 / 121.0).collect();
    vec![
        ("a head is off", list(json!([{ "at": "blocks.1.attn.hook_z", "head": 1, "do": "zero" }]))),
        (
            "a steering vector",
            list(json!([{ "at": "blocks.0.hook_resid_post", "do": { "add": vec![0.3; 18] } }])),
        ),
        (
            "at some positions",
            list(
                json!([{ "at": "blocks.0.hook_mlp_out", "positions": [0, -1, 12, 13], "do": { "scale": 3.0 } }]),
            ),
        ),
        (
            "at some steps",
            list(
                json!([{ "at": "blocks.1.hook_resid_pre", "step": [0, 2, 12], "do": { "scale": -0.5 } }]),
            ),
        ),
        (
            "at one step's position",
            list(
                json!([{ "at": "blocks.0.hook_resid_mid", "step": 3, "positions": [13], "do": "zero" }]),
            ),
        ),
        ("the prompt's mean", list(json!([{ "at": "blocks.0.hook_attn_out", "do": "mean" }]))),
        (
            "a mean over others",
            list(json!([{ "at": "blocks.0.hook_attn_out", "do": { "mean": "reference" } }])),
        ),
        (
            "a key is cut",
            list(
                json!([{ "at": "*.attn.hook_pattern", "do": { "knockOut": [{ "key": 2 }, { "query": 12, "key": 12 }] } }]),
            ),
        ),
        (
            "the last query is fully masked",
            list(
                json!([{ "at": "*.attn.hook_pattern", "do": { "knockOut": [{ "query": -1 }], "renormalize": false } }]),
            ),
        ),
        (
            "flat scores",
            list(json!([{ "at": "blocks.1.attn.hook_attn_scores", "head": [0, 2], "do": "zero" }])),
        ),
        (
            "from another run",
            list(json!([{ "at": "blocks.0.hook_resid_post", "do": { "from": "other" } }])),
        ),
        (
            "patterns from another run",
            list(json!([{ "at": "blocks.1.attn.hook_pattern", "do": { "from": "other" } }])),
        ),
        (
            "a function",
            list(json!([{ "at": "blocks.1.hook_mlp_out", "do": { "js": "x + position" } }])),
        ),
        (
            "a set pattern",
            list(
                json!([{ "at": "blocks.0.attn.hook_pattern", "do": { "set": { "shape": [11, 11], "data": square } } }]),
            ),
        ),
        (
            "keys and values",
            list(
                json!([{ "at": "blocks.0.attn.hook_k", "dim": 3, "do": { "set": 2.0 } }, { "at": "blocks.1.attn.hook_v", "do": { "scale": 0.5 } }]),
            ),
        ),
        ("a path", list(json!([{ "at": "blocks.1.hook_q_input", "head": 0, "do": "zero" }]))),
        (
            "two at once",
            list(
                json!([{ "at": "hook_embed", "do": { "scale": 2.0 } }, { "at": "hook_pos_embed", "do": { "scale": 0.5 } }]),
            ),
        ),
    ]
}

struct Generated {
    ids: Vec<u32>,
    log_probs: Vec<f32>,
    last_rows: Vec<Vec<f32>>,
    rows: Vec<usize>,
}

/// Generates 15 tokens after 11. The model has 20 positions, so the last tokens have a cropped context.
fn generate(
    model: &Model,
    prompt: &[u32],
    interventions: &[Intervention],
    use_cache: bool,
) -> Generated {
    let options = GenerateOptions {
        max_new_tokens: 15,
        stop_at_eos: false,
        names: vec!["blocks.1.hook_resid_post".into()],
        interventions: interventions.to_vec(),
        compiler: Some(compiler()),
        use_cache,
        ..GenerateOptions::default()
    };
    let mut generation = Generation::new(model, None, prompt, options).unwrap();
    let mut generated =
        Generated { ids: vec![], log_probs: vec![], last_rows: vec![], rows: vec![] };
    while let Some(step) = generation.next_step().unwrap() {
        let captured = step.cache.get("blocks.1.hook_resid_post").unwrap().squeeze(0).unwrap();
        let rows = captured.dims()[0];
        generated.ids.push(step.id);
        generated.log_probs.push(step.log_prob);
        generated.last_rows.push(captured.get(rows - 1).unwrap().to_vec1().unwrap());
        generated.rows.push(rows);
    }
    generated
}

#[test]
fn interventions_do_the_same_with_and_without_cached_keys_and_values() {
    let causal = Causal::plain();
    let undisturbed = generate(&causal.model, &causal.tokens, &[], true);
    for (name, interventions) in under_generation(&causal) {
        let cached = generate(&causal.model, &causal.tokens, &interventions, true);
        let whole = generate(&causal.model, &causal.tokens, &interventions, false);
        assert_eq!(cached.ids, whole.ids, "{name}");
        assert_ne!(cached.log_probs, undisturbed.log_probs, "{name} changes something");
        // The products of one row and of many add their terms in different orders.
        common::assert_all_close(
            &format!("{name}: log-probabilities"),
            &cached.log_probs,
            &whole.log_probs,
        );
        for (step, (cached, whole)) in cached.last_rows.iter().zip(&whole.last_rows).enumerate() {
            common::assert_all_close(&format!("{name}: captured at step {step}"), cached, whole);
        }
        assert_eq!(cached.rows[..12], [11, 1, 1, 1, 1, 1, 1, 1, 1, 1, 20, 20], "{name}");
    }
}

#[test]
fn a_step_under_interventions_is_a_run_under_them() {
    let causal = Causal::plain();
    for (name, interventions) in under_generation(&causal) {
        // Negative positions, steps and means refer to the prompt. In the run of the whole text, the prompt is longer.
        if interventions.iter().any(|i| i.step.is_some())
            || [
                "the prompt's mean",
                "the last query is fully masked",
                "at some positions",
                "a key is cut",
                "from another run",
                "patterns from another run",
                "a set pattern",
            ]
            .contains(&name)
        {
            continue;
        }
        let generated = generate(&causal.model, &causal.tokens, &interventions, true);
        let text = [&causal.tokens[..], &generated.ids[..8]].concat();
        let run = run(&causal.model, &text, &options(interventions)).unwrap();
        common::assert_all_close(name, &generated.log_probs[..8], &run.scores.log_probs[10..]);
    }
}

// ---- runs that start and stop ----

#[test]
fn a_run_that_stops_and_one_that_starts_there_make_a_whole_run() {
    for fixture in &FIXTURES {
        let (model, tokens) = (fixture.model(), fixture.expected().tokens);
        let whole = run_with_cache(&model, &tokens, &["*"]).unwrap();
        for layer in 0..=model.config().n_layer {
            let stop = RunOptions {
                stop_at_layer: Some(layer),
                names: vec!["*".into()],
                ..RunOptions::default()
            };
            let stopped = run(&model, &tokens, &stop).unwrap();
            let resid = stopped.residual().unwrap().clone();
            assert!(stopped.logits().is_err() && stopped.scores.log_probs.is_empty());
            let start = RunOptions {
                start: Some(Start { layer, resid }),
                names: vec!["*".into()],
                ..RunOptions::default()
            };
            let rest = run(&model, &tokens, &start).unwrap();
            assert_same_bits(fixture.name, rest.logits().unwrap(), whole.logits().unwrap());
            assert_eq!(rest.scores, whole.scores);
            assert_eq!([stopped.cache.names(), rest.cache.names()].concat(), whole.cache.names());
            for point in whole.cache.points() {
                let part = stopped.cache.at(point).or(rest.cache.at(point)).unwrap();
                assert_same_bits(&point.to_string(), part, whole.cache.at(point).unwrap());
            }
        }
    }
}

#[test]
fn captured_positions_are_rows_of_the_whole_capture() {
    let fixture = Fixture::plain();
    let (model, tokens) = (fixture.model(), fixture.expected().tokens);
    let names = every_name(model.config());
    let whole = run_with_cache(&model, &tokens, &names).unwrap();
    let some = RunOptions { names, positions: Some(vec![-1, 0, 4]), ..RunOptions::default() };
    let some = run(&model, &tokens, &some).unwrap();
    for point in whole.cache.points() {
        let rows = point.axes().iter().position(|axis| ["pos", "query"].contains(axis)).unwrap();
        let row = |index| whole.cache.at(point).unwrap().narrow(rows, index, 1).unwrap();
        let expected = candle_core::Tensor::cat(&[row(10), row(0), row(4)], rows).unwrap();
        assert_same_bits(&point.to_string(), some.cache.at(point).unwrap(), &expected);
    }
}

// ---- refused input ----

#[test]
fn invalid_interventions_are_refused_with_a_reason_and_the_model_stays_usable() {
    let causal = Causal::plain();
    let undisturbed = causal.model.forward(&row(&causal.tokens), None, &mut NoHooks).unwrap();
    let short = json!(causal.captured(&causal.tokens[..9], "blocks.1.attn.hook_z"));
    let z = |fields: serde_json::Value, action: serde_json::Value| {
        let mut intervention = json!({ "at": "blocks.1.attn.hook_z", "do": action });
        intervention.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        intervention
    };
    let at = |at: &str, action: serde_json::Value| json!({ "at": at, "do": action });
    let refused = [
        (at("blocks.1.attn.hook_zz", json!("zero")), "HookError", "`blocks.1.attn.hook_z`"),
        (
            z(json!({ "layer": 0 }), json!("zero")),
            "HookError",
            "matches no hook point in layers [0]",
        ),
        (
            z(json!({ "layer": 7 }), json!("zero")),
            "InputError",
            "`layer` 7 is out of range, expected -2 to 1",
        ),
        (
            z(json!({ "head": 3 }), json!("zero")),
            "InputError",
            "`head` 3 is out of range, expected -3 to 2",
        ),
        (z(json!({ "head": [] }), json!("zero")), "InputError", "selects nothing: `head` is empty"),
        (z(json!({ "head": [1, 1] }), json!("zero")), "InputError", "lists 1 twice in `head`"),
        (
            z(json!({ "positions": [10, -1] }), json!("zero")),
            "InputError",
            "lists 10 twice in `positions`",
        ),
        (
            z(json!({ "positions": 11 }), json!("zero")),
            "InputError",
            "position 11 is out of range, expected -11 to 10",
        ),
        (
            z(json!({ "positions": -12 }), json!("zero")),
            "InputError",
            "position -12 is out of range, expected -11 to 10",
        ),
        (
            z(json!({ "step": 1 }), json!("zero")),
            "InputError",
            "`step` 1 is out of range, expected below 1",
        ),
        (
            z(json!({ "neuron": 1 }), json!("zero")),
            "HookError",
            "`neuron` selects nothing at `blocks.1.attn.hook_z`, whose axes are",
        ),
        (
            z(json!({ "dim": 6 }), json!("zero")),
            "InputError",
            "`dim` 6 is out of range, expected -6 to 5",
        ),
        (
            z(json!({ "head": -4 }), json!("zero")),
            "InputError",
            "`head` -4 is out of range, expected -3 to 2",
        ),
        (z(json!({ "head": [0, -3] }), json!("zero")), "InputError", "lists 0 twice in `head`"),
        (z(json!({ "layer": [1, -1] }), json!("zero")), "InputError", "lists 1 twice in `layer`"),
        (
            json!({ "at": ["blocks.1.hook_resid_pre", "blocks.1.attn.hook_z"], "dim": -1, "do": "zero" }),
            "InputError",
            "has `dim` -1, but its points have 6 or 18 dimensions: expected 0 to 5",
        ),
        (
            at("hook_embed", json!({ "add": [1.0, 2.0] })),
            "HookError",
            "values of shape [2] do not broadcast to [1, 11, 18] at `hook_embed`",
        ),
        (
            z(json!({}), json!({ "set": { "shape": [2, 6], "data": [1.0] } })),
            "InputError",
            "1 values for shape [2, 6]",
        ),
        (
            z(json!({}), json!({ "set": { "shape": [5, 3, 6], "data": vec![1.0; 90] } })),
            "InputError",
            "values for 5 positions at `blocks.1.attn.hook_z`, expected 1 or the 11 selected ones",
        ),
        (
            z(json!({}), json!({ "set": counting(&["pos", "d_model"], &[11, 6]) })),
            "HookError",
            "values over the axes pos, d_model do not fit `blocks.1.attn.hook_z`, whose axes are batch, pos, head, d_head",
        ),
        (
            at("blocks.1.hook_resid_pre", json!({ "add": counting(&["vocab"], &[18]) })),
            "HookError",
            "values over the axes vocab do not fit `blocks.1.hook_resid_pre`, whose axes are batch, pos, d_model",
        ),
        (
            json!({ "at": ["blocks.1.hook_resid_pre", "blocks.1.attn.hook_z"], "do": { "add": counting(&["d_model"], &[18]) } }),
            "HookError",
            "do not fit `blocks.1.attn.hook_z`",
        ),
        (
            z(json!({}), json!({ "set": counting(&["head", "pos"], &[2, 11]) })),
            "HookError",
            "values of shape [11, 2, 1] over pos, head, d_head do not broadcast to [1, 11, 3, 6]",
        ),
        (
            z(json!({}), json!({ "set": counting(&["head", "pos"], &[3, 5]) })),
            "InputError",
            "values for 5 positions",
        ),
        (
            z(
                json!({}),
                json!({ "from": { "blocks.1.attn.hook_z": counting(&["batch", "pos", "head", "d_model"], &[1, 11, 3, 6]) } }),
            ),
            "HookError",
            "the other run has the axes batch, pos, head, d_model at `blocks.1.attn.hook_z`, whose axes are batch, pos, head, d_head",
        ),
        (
            at(
                "blocks.0.attn.hook_pattern",
                json!({ "from": { "blocks.0.attn.hook_pattern": counting(&["head", "query"], &[3, 11]) } }),
            ),
            "HookError",
            "the other run has the axes head, query at",
        ),
        (
            z(json!({}), json!({ "from": {} })),
            "HookError",
            "the other run did not capture `blocks.1.attn.hook_z`",
        ),
        (
            z(json!({}), json!({ "from": short })),
            "InputError",
            "from a run of 9 tokens for one of 11",
        ),
        (
            z(json!({ "positions": [9] }), json!({ "from": short })),
            "InputError",
            "selects position 9, but the other run has 9",
        ),
        (
            z(json!({ "positions": [9] }), json!({ "from": short, "fromPositions": [9] })),
            "InputError",
            "takes position 9 from a run that has 9",
        ),
        (
            z(json!({ "positions": [9] }), json!({ "from": short, "fromPositions": [1, 2] })),
            "InputError",
            "has 2 `fromPositions` for 1 selected",
        ),
        (z(json!({}), json!({ "mean": short })), "InputError", "means with 9 positions"),
        (
            z(json!({}), json!({ "knockOut": [{ "key": 0 }] })),
            "HookError",
            "has no attention edges",
        ),
        (
            at("blocks.0.attn.hook_pattern", json!("mean")),
            "HookError",
            "each query has different keys",
        ),
        (
            at("blocks.0.attn.hook_pattern", json!({ "knockOut": [] })),
            "InputError",
            "`knockOut` is empty",
        ),
        (
            at("blocks.0.attn.hook_pattern", json!({ "knockOut": [{ "query": 2, "key": 3 }] })),
            "InputError",
            "query 2 never attends to the later key 3",
        ),
        (
            at("blocks.0.attn.hook_pattern", json!({ "knockOut": [{ "query": 2, "key": 30 }] })),
            "InputError",
            "position 30 is out of range",
        ),
        (
            json!({ "at": "blocks.0.attn.hook_pattern", "positions": [1], "do": { "knockOut": [{ "key": 3 }] } }),
            "InputError",
            "selects nothing of",
        ),
        (
            at("blocks.0.attn.hook_attn_scores", json!({ "knockOut": [{ "query": 3 }] })),
            "HookError",
            "every edge of a query was cut",
        ),
        (
            at(
                "blocks.0.attn.hook_attn_scores",
                json!({ "knockOut": [{ "key": 3 }], "renormalize": false }),
            ),
            "HookError",
            "are always renormalised",
        ),
        (
            z(json!({}), json!({ "js": "throws" })),
            "HookError",
            "the function threw: x is not defined",
        ),
        (
            z(json!({}), json!({ "js": "too short" })),
            "HookError",
            "returned 197 values, expected 198",
        ),
        (z(json!({}), json!({ "js": "no function" })), "HookError", "is not a function"),
    ];
    for (refused, name, reason) in refused {
        let found =
            run(&causal.model, &causal.tokens, &options(vec![intervention(refused.clone())])).err();
        let error = found.unwrap_or_else(|| panic!("{refused} was not refused"));
        assert_eq!(error.name(), name, "{refused}: {error}");
        assert!(error.to_string().contains(reason), "{refused}: {error}, expected {reason}");
    }
    let logits = causal.model.forward(&row(&causal.tokens), None, &mut NoHooks).unwrap();
    assert_same_bits("after the refused interventions", &logits, &undisturbed);
}

#[test]
fn options_that_do_not_fit_are_refused_with_a_reason() {
    let causal = Causal::plain();
    let resid = |length| {
        candle_core::Tensor::zeros(
            (1, length, 18),
            candle_core::DType::F32,
            &candle_core::Device::Cpu,
        )
        .unwrap()
    };
    let zero = |at: &str| vec![Intervention::new(at, Zero)];
    let start = |layer, length| Some(Start { layer, resid: resid(length) });
    let refused = [
        (
            RunOptions { stop_at_layer: Some(3), ..RunOptions::default() },
            "InputError",
            "cannot run layers 0 to 3: the model has 2",
        ),
        (
            RunOptions { stop_at_layer: Some(0), start: start(1, 11), ..RunOptions::default() },
            "InputError",
            "cannot run layers 1 to 0",
        ),
        (
            RunOptions { start: start(1, 10), ..RunOptions::default() },
            "InputError",
            "has shape [1, 10, 18], expected [1, 11, 18]",
        ),
        (
            RunOptions {
                start: start(1, 11),
                interventions: zero("hook_embed"),
                ..RunOptions::default()
            },
            "HookError",
            "outside the layers that were run",
        ),
        (
            RunOptions {
                stop_at_layer: Some(1),
                interventions: zero("unembed.hook_in"),
                ..RunOptions::default()
            },
            "HookError",
            "outside the layers that were run",
        ),
        (
            RunOptions { positions: Some(vec![11]), ..RunOptions::default() },
            "InputError",
            "position 11 is out of range for 11 tokens",
        ),
        (
            RunOptions { positions: Some(vec![]), ..RunOptions::default() },
            "InputError",
            "expected at least one",
        ),
        (
            RunOptions {
                interventions: vec![intervention(
                    json!({ "at": "hook_embed", "do": { "js": "x => x" } }),
                )],
                ..RunOptions::default()
            },
            "InputError",
            "run only in a browser",
        ),
    ];
    for (options, name, reason) in refused {
        let error = run(&causal.model, &causal.tokens, &options).err().unwrap();
        assert!(
            error.name() == name && error.to_string().contains(reason),
            "{error}, expected {reason}"
        );
    }
    let started = RunOptions { start: start(1, 11), ..RunOptions::default() };
    let error = run(&causal.model, &[99; 11], &started).err().unwrap();
    assert!(error.to_string().contains("token id 99 is out of range"), "{error}");
}

#[test]
fn the_error_for_a_malformed_intervention_lists_the_forms() {
    for json in [
        r#"{"at":"hook_embed"}"#,
        r#"{"at":"hook_embed","do":"zap"}"#,
        r#"{"at":"hook_embed","do":{"scale":1},"heads":2}"#,
        "[]",
        "{",
    ] {
        let error = Intervention::from_json(json).unwrap_err();
        assert!(
            error.name() == "InputError" && error.to_string().contains("expected { at,"),
            "{error}"
        );
    }
}

// ---- laws on random interventions ----

fn number() -> impl Strategy<Value = f32> {
    prop_oneof![8 => -1e30f32..1e30, 4 => -1f32..1.0, 1 => Just(f32::INFINITY), 1 => Just(f32::NEG_INFINITY), 1 => Just(-0.0), 1 => Just(1e-45)]
}

fn array() -> impl Strategy<Value = NamedArray> {
    (prop::collection::vec(0usize..4, 0..4), prop::collection::vec(number(), 0..9))
        .prop_map(|(shape, data)| NamedArray::from_data(shape, data))
}

fn source() -> impl Strategy<Value = Source> {
    prop::collection::btree_map("[a-z.0-9_]{1,12}", array(), 0..3)
}

fn choice<T: Clone + std::fmt::Debug + 'static>(
    item: impl Strategy<Value = T> + Clone + 'static,
) -> impl Strategy<Value = Option<Choice<T>>> {
    let some = prop_oneof![
        item.clone().prop_map(Choice::One),
        prop::collection::vec(item, 0..4).prop_map(Choice::Many)
    ];
    prop::option::of(some)
}

fn action() -> impl Strategy<Value = Action> {
    let values = || {
        prop_oneof![
            number().prop_map(Values::Number),
            prop::collection::vec(number(), 0..5).prop_map(Values::List),
            array().prop_map(Values::Array)
        ]
    };
    let edge = (prop::option::of(-9i64..9), prop::option::of(-9i64..9))
        .prop_map(|(query, key)| Edge { query, key });
    prop_oneof![
        Just(Action::Zero(Zero)),
        Just(Action::Mean(Mean)),
        number().prop_map(|scale| Scale { scale }.into()),
        values().prop_map(|add| Add { add }.into()),
        values().prop_map(|set| Set { set }.into()),
        (source(), prop::option::of(prop::collection::vec(-9i64..9, 0..4)))
            .prop_map(|(from, from_positions)| Patch { from, from_positions }.into()),
        source().prop_map(|mean| ReferenceMean { mean }.into()),
        (prop::collection::vec(edge, 0..4), prop::option::of(any::<bool>()))
            .prop_map(|(knock_out, renormalize)| KnockOut { knock_out, renormalize }.into()),
        any::<String>().prop_map(|js| Js { js }.into()),
    ]
}

fn any_intervention() -> impl Strategy<Value = Intervention> {
    let fields = (
        prop::collection::vec(any::<String>(), 1..3),
        choice(-99i64..99),
        choice(-99i64..99),
        choice(-99i64..99),
        choice(-99i64..99),
        choice(-99i64..99),
        choice(0usize..9),
        choice(-9i64..9),
    );
    (fields, action()).prop_map(
        |((at, layer, head, neuron, dim, positions, step, batch), action)| Intervention {
            at,
            layer,
            head,
            neuron,
            dim,
            positions,
            step,
            batch,
            action,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn json_gives_back_the_same_intervention(intervention in any_intervention()) {
        let back = Intervention::from_json(&intervention.to_json()).unwrap();
        prop_assert_eq!(&back, &intervention);
        prop_assert_eq!(back.to_json(), intervention.to_json());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Elements outside the selection keep their bits at the point, elements inside are 7.
    #[test]
    fn an_intervention_changes_what_it_selects_and_nothing_else(
        index in 0usize..1000,
        head in prop::sample::subsequence(vec![0usize, 1, 2], 1..3),
        positions in prop::sample::subsequence((0i64..11).collect::<Vec<_>>(), 1..11),
        dim in prop::sample::subsequence((0usize..6).collect::<Vec<_>>(), 1..6),
        from_end in any::<bool>(),
    ) {
        let fixture = Fixture::plain();
        let (model, tokens) = (fixture.model(), fixture.expected().tokens);
        let points: Vec<HookPoint> = HookPoint::all(model.config()).into_iter().filter(|point| point.axes().len() == 4 && !point.axes().contains(&"key")).collect();
        let point = points[index % points.len()];
        let width = match point.axes().last() {
            Some(&"d_head") => 6,
            _ => 18,
        };
        let counted = |indices: &[usize], length: i64| {
            let index = |index: &usize| *index as i64 - if from_end { length } else { 0 };
            Some(Choice::Many(indices.iter().map(index).collect()))
        };
        let change = Intervention {
            head: counted(&head, 3),
            positions: Some(Choice::Many(positions.clone())),
            dim: counted(&dim, width),
            ..Intervention::new(point.to_string(), Set { set: Values::Number(7.0) })
        };
        let names = vec![point.to_string()];
        let before = run_with_cache(&model, &tokens, &names).unwrap();
        let after = run(&model, &tokens, &RunOptions { names, ..options(vec![change]) }).unwrap();
        let (before, after) = (before.cache.at(point).unwrap(), after.cache.at(point).unwrap());
        let width = before.dims()[3];
        for (flat, (before, after)) in numbers(before).into_iter().zip(numbers(after)).enumerate() {
            let (position, h, d) = (flat / (3 * width), flat / width % 3, flat % width);
            let selected = positions.contains(&(position as i64)) && head.contains(&h) && dim.contains(&d);
            prop_assert_eq!(after.to_bits(), if selected { 7f32 } else { before }.to_bits());
        }
    }
}
