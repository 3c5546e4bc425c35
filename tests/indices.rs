//! Negative layers, heads, neurons and dimensions count from the end, in every option that takes one.

mod common;

use candlescope::lab::Lab;
use candlescope::{Value, run};
use common::Fixture;
use serde_json::{Value as Json, json};

/// 2 layers of 3 heads, d_model 18, d_head 6, d_mlp 72.
fn lab() -> Lab {
    Lab { model: Fixture::plain().model(), tokenizer: None, compiler: None }
}

fn measure(name: &str, request: &Json) -> Result<Value, String> {
    let begun = lab().begin(name, request.clone()).and_then(|measurement| measurement.finish());
    begun.map_err(|error| format!("{}: {error}", error.name()))
}

#[track_caller]
fn same(name: &str, positive: Json, negative: Json) {
    let found = measure(name, &negative).unwrap();
    assert_eq!(format!("{found:?}"), format!("{:?}", measure(name, &positive).unwrap()), "{name}");
}

/// The logits, or the residual stream, of a run with these options.
fn values(options: Json) -> Result<Vec<f32>, String> {
    let lab = lab();
    let call = lab.run_call(&json!([1, 2, 3, 4, 5]).into(), &options.into());
    let run = call.and_then(|call| run(&lab.model, &call.texts[0], &call.options));
    let run = run.map_err(|error| format!("{}: {error}", error.name()))?;
    let output = run.residual().or(run.logits().ok()).unwrap();
    Ok(output.flatten_all().unwrap().to_vec1().unwrap())
}

#[track_caller]
fn same_run(positive: Json, negative: Json) {
    let found = values(negative.clone()).unwrap();
    assert_eq!(found, values(positive).unwrap(), "{negative}");
    assert_ne!(found, values(json!({})).unwrap(), "{negative} changes something");
}

#[test]
fn interventions_count_from_the_end() {
    let one = |fields: Json| {
        let mut change = json!({ "do": { "scale": 3 } });
        change.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({ "interventions": [change] })
    };
    for (positive, negative) in [
        (json!({ "at": "z", "head": 2 }), json!({ "at": "z", "head": -1 })),
        (json!({ "at": "z", "head": [0, 2] }), json!({ "at": "z", "head": [-3, -1] })),
        (json!({ "at": "z", "layer": 1 }), json!({ "at": "z", "layer": -1 })),
        (
            json!({ "at": "z", "layer": [0, 1], "dim": 5 }),
            json!({ "at": "z", "layer": [-2, -1], "dim": -1 }),
        ),
        (
            json!({ "at": "resid_pre", "dim": [17, 0] }),
            json!({ "at": "resid_pre", "dim": [-1, -18] }),
        ),
        (json!({ "at": "post", "neuron": [71, 1] }), json!({ "at": "post", "neuron": [-1, -71] })),
    ] {
        same_run(one(positive), one(negative));
    }
}

/// The order of the list decides which value goes where.
#[test]
fn values_follow_the_order_of_a_list_that_counts_from_the_end() {
    let set = |dim: Json| json!({ "interventions": [{ "at": "resid_pre", "dim": dim, "do": { "set": [3, 4] } }] });
    same_run(set(json!([17, 0])), set(json!([-1, 0])));
    assert_ne!(values(set(json!([-1, 0]))).unwrap(), values(set(json!([0, -1]))).unwrap());
}

#[test]
fn an_intervention_keeps_its_indices_as_json() {
    let json = r#"{"at":"z","layer":-1,"head":[0,-1],"do":"zero"}"#;
    assert_eq!(candlescope::Intervention::from_json(json).unwrap().to_json(), json);
}

#[test]
fn runs_start_and_stop_at_layers_that_count_from_the_end() {
    same_run(json!({ "stopAtLayer": 1 }), json!({ "stopAtLayer": -1 }));
    same_run(json!({ "stopAtLayer": 0 }), json!({ "stopAtLayer": -2 }));
    let resid: Vec<f32> = (0..5 * 18).map(|i| (i % 7) as f32 - 3.0).collect();
    let start = |layer: i64| json!({ "startAt": { "layer": layer, "resid": { "shape": [1, 5, 18], "data": resid } } });
    same_run(start(1), start(-1));
    same_run(start(0), start(-2));
    for (options, message) in [
        (
            json!({ "stopAtLayer": 3 }),
            "`stopAtLayer` of runWithCache is 3, expected -2 to 2: the model has 2 layers",
        ),
        (json!({ "stopAtLayer": -3 }), "`stopAtLayer` of runWithCache is -3, expected -2 to 2"),
        (start(3), "`startAt.layer` of runWithCache is 3, expected -2 to 2"),
    ] {
        let error = values(options).unwrap_err();
        assert!(error.starts_with("InputError") && error.contains(message), "{error}");
    }
}

#[test]
fn analyses_count_from_the_end() {
    same("circuits", json!({ "layer": 1, "head": 0 }), json!({ "layer": -1, "head": -3 }));
    let pair = |more: Json| {
        let mut request = json!({ "clean": [1, 2, 3], "corrupted": [1, 5, 3], "answer": 5 });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    let post = |layer: i64| pair(json!({ "at": "post", "layer": layer }));
    same("patching", post(0), post(-2));
    same("patching", post(1), post(-1));
    let to = |layer: i64, head: i64| {
        pair(json!({ "receivers": [{ "layer": layer, "head": head, "input": "v" }] }))
    };
    same("pathPatching", to(1, 2), to(-1, -1));
    let reader = |layer: i64, part: &str| json!({ "input": [1, 2, 3], "reader": { "layer": layer, "part": part } });
    same("residual", reader(1, "attn"), reader(-1, "attn"));
    same("residual", reader(0, "mlp"), reader(-2, "mlp"));
    let active = |head: i64, index: i64| json!({ "texts": [[1, 2, 3]], "at": "blocks.0.attn.hook_z", "head": head, "index": index });
    same("mostActive", active(2, 5), active(-1, -1));
}

#[test]
fn what_the_model_does_not_have_is_said_with_the_range() {
    let to = |heads: [[i64; 2]; 2]| {
        let receivers =
            heads.map(|[layer, head]| json!({ "layer": layer, "head": head, "input": "q" }));
        json!({ "clean": [1, 2], "corrupted": [1, 5], "answer": 5, "receivers": receivers })
    };
    for (name, request, message) in [
        (
            "circuits",
            json!({ "layer": 0, "head": 3 }),
            "`head` of circuits is 3, expected -3 to 2: the model has 3 heads in each layer",
        ),
        (
            "circuits",
            json!({ "layer": -3, "head": 0 }),
            "`layer` of circuits is -3, expected -2 to 1: the model has 2 layers",
        ),
        (
            "pathPatching",
            to([[1, 0], [1, -4]]),
            "`receivers[1].head` of pathPatching is -4, expected -3 to 2",
        ),
        (
            "pathPatching",
            to([[1, 0], [-1, -3]]),
            "head 0 of layer 1, is listed twice for the same input",
        ),
        (
            "patching",
            json!({ "clean": [1, 2], "corrupted": [1, 5], "answer": 5, "at": "post", "layer": 2 }),
            "`layer` of patching is 2, expected -2 to 1",
        ),
        (
            "residual",
            json!({ "input": [1], "reader": { "layer": 2, "part": "attn" } }),
            "`reader.layer` of residual is 2, expected -2 to 1",
        ),
        (
            "mostActive",
            json!({ "texts": [[1]], "at": "hook_embed", "index": -19 }),
            "`index` -19 is out of range, expected -18 to 17",
        ),
        (
            "circuits",
            json!({ "layer": "last", "head": 0 }),
            "`layer` of circuits is \"last\", expected a whole number",
        ),
    ] {
        let error = measure(name, &request).unwrap_err();
        assert!(error.starts_with("InputError") && error.contains(message), "{error}");
    }
}

/// Python that TransformerLens would read differently is not written: indices are those from 0.
#[test]
fn python_has_the_resolved_indices() {
    let lab = lab();
    let print = |call: &str, options: Json| {
        lab.to_python(call, &json!([1, 2, 3]).into(), &options.into(), "gpt2").unwrap()
    };
    let change = |layer: i64, head: i64, stop: i64| json!({ "stopAtLayer": stop, "interventions": [{ "at": "z", "layer": layer, "head": head, "do": "zero" }] });
    assert_eq!(print("runWithCache", change(-2, -3, -1)), print("runWithCache", change(0, 0, 1)));
    let sweep = |layer: i64| json!({ "clean": [1, 2], "corrupted": [1, 5], "answer": 5, "at": "post", "layer": layer });
    assert_eq!(print("patching", sweep(-1)), print("patching", sweep(1)));
    let paths = |layer: i64, head: i64| {
        let receivers = [json!({ "layer": layer, "head": head, "input": "q" })];
        json!({ "clean": [1, 2], "corrupted": [1, 5], "answer": 5, "receivers": receivers })
    };
    assert_eq!(print("pathPatching", paths(-1, -2)), print("pathPatching", paths(1, 1)));
}
