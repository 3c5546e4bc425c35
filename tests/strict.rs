//! Options that are misspelt, misplaced or out of range are refused with their path, at every depth.

mod common;

use candlescope::lab::Lab;
use candlescope::{Intervention, NamedArray, Plan, TextLength};
use common::Fixture;
use serde_json::{Value, json};

fn lab() -> Lab {
    Lab { model: Fixture::plain().model(), tokenizer: None, compiler: None }
}

fn measure(lab: &Lab, name: &str, request: Value) -> candlescope::Result<candlescope::Value> {
    lab.begin(name, request)?.finish()
}

/// The array called `name` among the fields of a result.
fn array(found: &candlescope::Value, name: &str) -> NamedArray {
    use candlescope::Value::{Floats, List, Number};
    let array = found.get(name).unwrap_or_else(|| panic!("no {name} in {found:?}"));
    let (Some(Floats(data)), Some(List(shape))) = (array.get("data"), array.get("shape")) else {
        panic!("{name} is {array:?}");
    };
    let length = |length: &candlescope::Value| match length {
        Number(length) => *length as usize,
        other => panic!("{other:?}"),
    };
    NamedArray::from_data(shape.iter().map(length).collect(), data.clone())
}

#[track_caller]
fn refused(name: &str, request: Value) -> String {
    let error = match measure(&lab(), name, request.clone()) {
        Ok(_) => panic!("{name} took {request}"),
        Err(error) => error,
    };
    assert!(matches!(error.name(), "InputError" | "HookError"), "{error}");
    let message = error.to_string();
    for internal in ["untagged", "variant", "serde", "at line", "unreachable", "usize"] {
        assert!(!message.contains(internal), "`{internal}` is in: {message}");
    }
    message
}

#[track_caller]
fn assert_refused(name: &str, request: Value, words: &[&str]) {
    let message = refused(name, request);
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}

/// A request of each measurement that works.
fn requests() -> Vec<(&'static str, Value)> {
    let contrast = json!({ "clean": [1, 2, 3], "corrupted": [1, 4, 3], "answer": 5, "against": 6 });
    let with = |more: Value| {
        let mut request = contrast.clone();
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    vec![
        ("logitLens", json!({ "input": [1, 2, 3], "top": 3, "of": "resid_pre", "answer": 4 })),
        (
            "attribution",
            json!({ "input": [1, 2, 3], "answer": 4, "against": 5, "position": -1, "by": "head" }),
        ),
        (
            "residual",
            json!({ "input": [1, 2, 3], "reader": { "layer": 1, "part": "mlp" }, "positions": [0, -1] }),
        ),
        ("headScores", json!({ "input": [1, 2, 1, 2] })),
        ("headScores", json!({})),
        ("patching", with(json!({ "at": "z", "eachPosition": true, "direction": "noise" }))),
        ("patching", with(json!({ "method": "attribution", "position": 2 }))),
        ("patching", with(json!({ "at": "post", "layer": 0, "method": "attribution" }))),
        (
            "pathPatching",
            with(
                json!({ "receivers": [{ "layer": 1, "head": 0, "input": "k" }], "mlps": "frozen" }),
            ),
        ),
        ("pathPatching", with(json!({ "receivers": "logits" }))),
        (
            "integratedGradients",
            json!({ "input": [1, 2, 3], "loss": true, "steps": 2, "baseline": [3, 2, 1] }),
        ),
        ("circuits", json!({ "layer": 0, "head": 1, "top": 2, "components": 2 })),
        ("compositionScores", json!({ "path": "q" })),
        ("tokenScores", json!({ "input": [1, 2, 3], "interventions": [intervention()] })),
        (
            "mostActive",
            json!({ "texts": [[1, 2], [3]], "at": "blocks.0.mlp.hook_post", "index": 3, "count": 2 }),
        ),
        ("means", json!({ "texts": [[1, 2], [3]], "names": ["hook_embed"] })),
    ]
}

fn intervention() -> Value {
    json!({
        "at": "blocks.0.attn.hook_pattern", "layer": [0], "head": 1, "positions": [1, -1], "step": 0,
        "do": { "knockOut": [{ "query": 1, "key": 0 }], "renormalize": false },
    })
}

#[test]
fn every_request_works_as_it_is_documented() {
    let lab = lab();
    for (name, request) in requests() {
        measure(&lab, name, request.clone())
            .unwrap_or_else(|error| panic!("{name} {request}: {error}"));
    }
}

/// Calls `visit` with a copy of `value` for each object in it, `change` having been applied to that object.
fn in_each_object(
    value: &Value,
    change: &dyn Fn(&mut Value) -> bool,
    visit: &mut dyn FnMut(Value),
) {
    fn pointers(value: &Value, path: String, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                found.push(path.clone());
                fields
                    .iter()
                    .for_each(|(name, inner)| pointers(inner, format!("{path}/{name}"), found));
            }
            Value::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(i, inner)| pointers(inner, format!("{path}/{i}"), found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    pointers(value, String::new(), &mut found);
    for path in found {
        let mut copy = value.clone();
        if change(copy.pointer_mut(&path).unwrap()) {
            visit(copy);
        }
    }
}

#[test]
fn an_unknown_field_is_refused_in_every_object_of_every_request() {
    for (name, request) in requests() {
        let add = |object: &mut Value| {
            object["extra_field"] = json!(1);
            true
        };
        let mut count = 0;
        in_each_object(&request, &add, &mut |request| {
            count += 1;
            assert_refused(name, request, &["extra_field", "xpected one of"]);
        });
        assert!(count > 0);
    }
}

#[test]
fn a_misspelt_field_is_answered_with_the_nearest_at_its_path() {
    let with = |one: Value| json!({ "input": [1, 2, 3], "interventions": [one] });
    assert_refused(
        "tokenScores",
        with(json!({ "at": "hook_embed", "position": 0, "do": "zero" })),
        &[
            "`interventions[0].position` of tokenScores: unknown option; did you mean `positions`?",
            "at, layer, head",
        ],
    );
    assert_refused(
        "tokenScores",
        with(json!({ "at": "blocks.0.attn.hook_pattern", "do": { "knockOut": [{ "kye": 0 }] } })),
        &["`interventions[0].do.knockOut[0].kye`", "did you mean `key`?", "query, key"],
    );
    assert_refused(
        "tokenScores",
        with(json!({ "at": "hook_embed", "do": { "set": { "shape": [1], "dta": [1] } } })),
        &["`interventions[0].do.set.dta`", "did you mean `data`?"],
    );
    assert_refused(
        "circuits",
        json!({ "layr": 0, "head": 0 }),
        &["circuits has no option `layr`; did you mean `layer`?"],
    );
    assert_refused(
        "circuits",
        json!({ "layer": 0 }),
        &["`head` of circuits is missing, expected a whole number"],
    );
    assert_refused(
        "residual",
        json!({ "input": [1], "reader": { "layer": 0, "prt": "mlp" } }),
        &["`reader.prt`", "did you mean `part`?"],
    );
}

#[test]
fn values_that_do_not_fit_are_refused_by_path() {
    let with = |one: Value| json!({ "input": [1, 2, 3], "interventions": [one] });
    let at = |field: &str, value: Value| {
        let mut one = json!({ "at": "blocks.0.attn.hook_z", "do": "zero" });
        one[field] = value;
        with(one)
    };
    for wrong in [
        json!(-2147483649i64),
        json!(0.5),
        json!("0"),
        json!(true),
        json!(null),
        json!({}),
        json!(1e300),
        json!([0, "1"]),
    ] {
        assert_refused(
            "tokenScores",
            at("head", wrong),
            &["`interventions[0].head", "expected a whole number"],
        );
    }
    for wrong in [json!(4294967296u64), json!(-4294967297i64), json!(0.5), json!("1"), json!([[0]])]
    {
        assert_refused(
            "tokenScores",
            at("positions", wrong),
            &["`interventions[0].positions", "whole number"],
        );
    }
    for wrong in [
        json!("zap"),
        json!(0),
        json!(null),
        json!([]),
        json!({}),
        json!({ "scale": "2" }),
        json!({ "set": "1" }),
    ] {
        assert_refused("tokenScores", at("do", wrong), &["`interventions[0].do"]);
    }
    assert_refused(
        "tokenScores",
        json!({ "input": [[1, 2], [3]] }),
        &["`input` of tokenScores", "of one text and not a batch"],
    );
    assert_refused(
        "tokenScores",
        json!({ "input": { "0": 1 } }),
        &["`input`", "a text or an array of token ids"],
    );
    assert_refused("tokenScores", json!([]), &["an array of length 0"]);
    assert_refused(
        "compositionScores",
        json!({ "path": "x" }),
        &["`path` of compositionScores is \"x\", expected \"q\", \"k\" or \"v\""],
    );
    assert_refused(
        "attribution",
        json!({ "input": [1], "direction": [1e300] }),
        &["`direction[0]`", "32-bit float"],
    );
}

#[test]
fn token_ids_to_decode_may_be_none_and_are_not_a_text() {
    let ids = |value: Value| candlescope::calls::token_ids(&value.into());
    assert!(ids(json!([])).unwrap().is_empty());
    assert_eq!(ids(json!([3, 1])).unwrap(), [3, 1]);
    for (wrong, expected) in
        [(json!("To be"), "is a text"), (json!(3), "is 3"), (json!([-1]), "whole number")]
    {
        let error = ids(wrong).unwrap_err();
        assert!(error.name() == "InputError" && error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn an_action_is_one_action() {
    let with = |action: Value| json!({ "input": [1, 2, 3], "interventions": [{ "at": "blocks.0.attn.hook_pattern", "do": action }] });
    assert_refused(
        "tokenScores",
        with(json!({ "scale": 1, "add": 2 })),
        &["`interventions[0].do` of tokenScores has the actions `scale` and `add`, expected one"],
    );
    assert_refused(
        "tokenScores",
        with(json!({ "scale": 1, "renormalize": true })),
        &["has `renormalize` beside `scale`, expected it beside `knockOut` only"],
    );
}

#[test]
fn counts_beyond_what_there_is_and_empty_lists_are_refused() {
    assert_refused(
        "logitLens",
        json!({ "input": [1], "top": 62 }),
        &["`top` is 62, expected at most 61"],
    );
    assert_refused(
        "logitLens",
        json!({ "input": [1], "top": 0 }),
        &["`top` is 0, expected at least 1"],
    );
    assert_refused(
        "circuits",
        json!({ "layer": 0, "head": 0, "components": 99 }),
        &["`components` is 99"],
    );
    assert_refused(
        "mostActive",
        json!({ "texts": [], "at": "hook_embed", "index": 0 }),
        &["`texts` is empty"],
    );
    assert_refused("means", json!({ "texts": [], "names": ["*"] }), &["`texts` is empty"]);
    assert_refused("means", json!({ "texts": [[]], "names": ["*"] }), &["there is no token"]);
    assert_refused("headScores", json!({ "input": [] }), &["there is no token"]);
    assert_refused(
        "headScores",
        json!({ "input": [1, 2], "pattern": [] }),
        &["`pattern` has 0 rows"],
    );
    assert_refused(
        "headScores",
        json!({ "input": [1], "measure": "abs" }),
        &["expected a `pattern` too"],
    );
    assert_refused(
        "residual",
        json!({ "input": [1, 2], "positions": [0, -2] }),
        &["has position 0 twice"],
    );
    assert_refused(
        "residual",
        json!({ "input": [1, 2], "positions": [] }),
        &["`positions` is empty"],
    );
    assert_refused("tokenScores", json!({ "input": [99] }), &["token id 99 is out of range"]);
    let shape = json!({ "shape": [65536, 65536, 65536, 65536, 65536], "data": [1] });
    assert_refused(
        "tokenScores",
        json!({ "input": [1], "interventions": [{ "at": "hook_embed", "do": { "set": shape } }] }),
        &["1 values for shape"],
    );
    let from = json!({ "hook_embed": { "shape": [1, 3, 18], "data": [1, 2] } });
    assert_refused(
        "tokenScores",
        json!({ "input": [1, 2, 3], "interventions": [{ "at": "hook_embed", "do": { "from": from } }] }),
        &["the other run has 2 values for shape [1, 3, 18] at `hook_embed`"],
    );
}

#[test]
fn a_long_name_is_refused_and_not_repeated() {
    let long = "a".repeat(1_000_000);
    for request in [
        json!({ "texts": [[1]], "names": [&long] }),
        json!({ "texts": [[1]], "names": [format!("/{long}/")] }),
        json!({ "texts": [[1]], &long: 1, "names": ["*"] }),
    ] {
        let message = refused("means", request);
        assert!(message.len() < 1000, "{} bytes", message.len());
    }
    assert!(refused("compositionScores", json!({ "path": &long })).len() < 1000);
    assert!(refused(&long, json!({})).len() < 1000);
}

/// 300,000 positions or edges are read and resolved in seconds. Comparing each with each would take minutes.
#[test]
fn many_interventions_positions_and_edges_are_resolved_in_linear_time() {
    let config = Fixture::plain().config();
    let start = std::time::Instant::now();
    let length = TextLength { prompt: 3, new: 1_000_000 };
    let count = 300_000;
    let one = json!({ "at": "blocks.0.attn.hook_z", "positions": 0, "do": "zero" });
    let many = Value::Array(vec![one; count / 6]);
    let positions: Vec<usize> = (0..count).collect();
    let edges: Vec<_> = (0..count).map(|query| json!({ "query": query, "key": 0 })).collect();
    let listed = json!([{ "at": "blocks.0.attn.hook_z", "positions": positions, "do": "zero" }]);
    let cut = json!([{ "at": "blocks.0.attn.hook_pattern", "positions": positions, "do": { "knockOut": edges } }]);
    for json in [many, listed, cut] {
        let interventions = Intervention::list_from_json(&json.to_string()).unwrap();
        Plan::new(&interventions, &config, length, None).unwrap();
    }
    let twice: Vec<usize> = (0..count).chain([7]).collect();
    let twice = json!([{ "at": "hook_embed", "positions": twice, "do": "zero" }]).to_string();
    let error = Plan::new(&Intervention::list_from_json(&twice).unwrap(), &config, length, None)
        .err()
        .unwrap();
    assert!(error.to_string().contains("lists 7 twice"), "{error}");
    assert!(start.elapsed().as_secs() < 60);
}

#[test]
fn a_step_of_a_generation_without_end_takes_no_memory() {
    let config = Fixture::plain().config();
    let length = TextLength { prompt: 3, new: 900_000_000 };
    let json = r#"[{"at":"hook_embed","step":[1,5,899999999],"do":"zero"}]"#;
    Plan::new(&Intervention::list_from_json(json).unwrap(), &config, length, None).unwrap();
}

/// Every error of Python's is that of the call itself.
#[test]
fn what_cannot_run_cannot_be_printed_as_python() {
    let lab = lab();
    let print = |call: &str, input: Value, options: Value| {
        lab.to_python(call, &input.into(), &options.into(), "gpt2").unwrap_err().to_string()
    };
    assert!(print("runWithCache", json!([99]), json!({})).contains("token id 99"));
    assert!(print("runWithCache", json!(vec![1; 21]), json!({})).contains("at most 20"));
    assert!(
        print("runWithCache", json!([1]), json!({ "stopAtLayer": 9 })).contains(
            "`stopAtLayer` of runWithCache is 9, expected -2 to 2: the model has 2 layers"
        )
    );
    assert!(
        print("runWithCache", json!([1]), json!({ "stopAtLayers": 1 }))
            .contains("did you mean `stopAtLayer`")
    );
    assert!(
        print("runWithCache", json!([1]), json!({ "positions": [0, 0] }))
            .contains("position 0 twice")
    );
    assert!(
        print("runWithCache", json!([1]), json!({ "gradientsOf": { "loss": true } }))
            .contains("two tokens")
    );
    assert!(
        print("generate", json!([1]), json!({ "temperature": -1 })).contains("`temperature` is -1")
    );
    assert!(
        print("generate", json!([1]), json!({ "stop": 3 }))
            .contains("`stop` of generate is 3, expected a text or an array of texts")
    );
    let contrast = json!({ "clean": [1, 2], "corrupted": [1, 2], "answer": 99 });
    assert!(print("patching", json!(null), contrast).contains("answer id 99"));
    let integrated = json!({ "input": [1, 2], "loss": true, "steps": 0 });
    assert!(print("integratedGradients", json!(null), integrated).contains("at least one step"));
}

// ---- logits that are not finite ----

fn run(lab: &Lab, input: Value, options: Value) -> candlescope::Result<candlescope::Run> {
    let call = lab.run_call(&input.into(), &options.into())?;
    candlescope::run(&lab.model, &call.texts[0], &call.options)
}

#[test]
fn an_empty_text_with_a_token_in_front_is_a_text() {
    let lab = lab();
    let options = json!({ "prependBos": true }).into();
    let call = lab.run_call(&json!([]).into(), &options).unwrap();
    assert_eq!(call.texts, [[0]]);
    let call = lab.batch_call(&json!([[1, 2], []]).into(), &options).unwrap();
    assert_eq!(call.texts, [vec![0, 1, 2], vec![0]]);
    for input in [json!([]), json!([[1, 2], []])] {
        let found = match input[0].is_array() {
            true => lab.batch_call(&input.into(), &json!({}).into()).err(),
            false => lab.run_call(&input.into(), &json!({}).into()).err(),
        };
        let error = found.unwrap().to_string();
        assert!(error.contains("there is no token, expected at least one"), "{error}");
    }
}

fn set(at: &str, position: usize, value: &str) -> Value {
    json!([{ "at": at, "positions": position, "do": { "set": value } }])
}

#[test]
fn logits_that_are_not_finite_have_no_rank_and_no_choice() {
    let lab = lab();
    let tokens = json!([1, 2, 3, 4]);
    for value in ["NaN", "inf"] {
        let broken = set("unembed.hook_out", 1, value);
        let found = run(&lab, tokens.clone(), json!({ "interventions": broken })).unwrap();
        assert_eq!(
            found.scores.ranks.iter().map(Option::is_some).collect::<Vec<_>>(),
            [true, false, true]
        );
        assert!(found.scores.log_probs[1].is_nan() && found.scores.log_probs[0].is_finite());
        let scores =
            measure(&lab, "tokenScores", json!({ "input": tokens, "interventions": broken }))
                .unwrap();
        let rank = array(&scores, "rank");
        assert!(rank.data[1].is_nan() && rank.data[0].is_finite());
        let broken = set("unembed.hook_out", 3, value);
        let (ids, options) = lab
            .generate_call(&tokens.clone().into(), &json!({ "interventions": broken }).into())
            .unwrap();
        let error = candlescope::Generation::new(&lab.model, None, &ids, options)
            .unwrap()
            .next_step()
            .err()
            .unwrap();
        assert_eq!(error.name(), "HookError");
        assert!(error.to_string().contains("logits are not finite at step 0"), "{error}");
    }
    // A logit of minus infinity is a token that cannot come: all else is defined.
    let mut row = vec![json!(0.0); 61];
    row[7] = json!("-inf");
    let masked = json!([{ "at": "unembed.hook_out", "positions": 1, "do": { "set": row } }]);
    let found = run(&lab, json!([1, 2, 7, 4]), json!({ "interventions": masked })).unwrap();
    assert_eq!((found.scores.ranks[1], found.scores.log_probs[1]), (Some(60), f32::NEG_INFINITY));
}

#[test]
fn the_lens_invents_no_tokens_where_logits_are_not_finite() {
    let broken = set("blocks.1.hook_resid_post", 2, "NaN");
    let request = json!({ "input": [1, 2, 3, 4], "top": 3, "answer": 5, "interventions": broken });
    let lens = measure(&lab(), "logitLens", request).unwrap();
    let table = |name: &str| array(&lens, name);
    let probabilities = table("topProbabilities");
    assert!((0..3).all(|top| probabilities.at(&[1, 2, top]).is_nan()));
    assert!((0..3).all(|top| probabilities.at(&[1, 1, top]).is_finite()));
    let Some(candlescope::Value::Ids(ids)) = lens.get("topIds").and_then(|ids| ids.get("data"))
    else {
        panic!("{:?}", lens.get("topIds"));
    };
    let [of_position_1, of_position_2] = [&ids[15..18], &ids[18..21]]; // layer 1, 4 positions, 3 tokens
    assert_eq!(of_position_2, [candlescope::NO_TOKEN; 3]);
    assert!(of_position_1.iter().all(|id| *id < 61));
    for name in ["kl", "nextProbability", "nextRank", "answerProbability", "answerRank"] {
        assert!(table(name).at(&[1, 2]).is_nan() && table(name).at(&[1, 1]).is_finite(), "{name}");
    }
}

#[test]
fn a_difference_of_nothing_is_not_divided_by() {
    let request = json!({ "clean": [1, 2, 3], "corrupted": [1, 2, 3], "answer": 5 });
    let found = measure(&lab(), "patching", request).unwrap();
    assert!(found.get("raw").is_some() && found.get("normalized").is_none());
}

/// The plain checkpoint with a number that is not finite in each tensor whose name ends so.
fn broken(suffix: &str, value: f32) -> Lab {
    let fixture = Fixture::plain();
    let file = safetensors::SafeTensors::deserialize(fixture.weights).unwrap();
    let entries = file.tensors().into_iter().map(|(name, view)| {
        let mut bytes = view.data().to_vec();
        if name.ends_with(suffix) {
            bytes[..4].copy_from_slice(&value.to_le_bytes());
        }
        (name, (view.dtype(), view.shape().to_vec(), bytes))
    });
    let entries: Vec<_> = entries.collect();
    let views = entries.iter().map(|(name, (dtype, shape, bytes))| {
        (name, safetensors::tensor::TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    let bytes = safetensors::serialize(views, None).unwrap();
    let config = fixture.config();
    let weights = candlescope::Weights::from_bytes(&config, &bytes).unwrap();
    Lab {
        model: candlescope::Model::new(config, &weights).unwrap(),
        tokenizer: None,
        compiler: None,
    }
}

/// A number that is not finite in any tensor: every call copes or says so.
#[test]
fn weights_that_are_not_finite_trap_nothing_and_generate_nothing() {
    let suffixes = [
        "wte.weight",
        "wpe.weight",
        "c_attn.weight",
        "attn.c_proj.weight",
        "c_fc.weight",
        "ln_1.weight",
    ];
    for suffix in
        [&suffixes[..], &["ln_f.weight", "ln_f.bias", "c_attn.bias", "mlp.c_proj.bias"]].concat()
    {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let lab = broken(suffix, value);
            for (name, request) in calls() {
                if let Err(error) = call(&lab, name, &request) {
                    assert!(
                        matches!(error.name(), "WeightsError" | "HookError"),
                        "{name}: {error}"
                    );
                }
            }
            let found = run(&lab, json!([0, 1, 2]), json!({})).unwrap();
            for (rank, log_prob) in found.scores.ranks.iter().zip(&found.scores.log_probs) {
                assert_eq!(rank.is_none(), log_prob.is_nan(), "{suffix} {value}");
            }
        }
    }
    let lab = broken("wte.weight", f32::NAN);
    let (ids, options) = lab.generate_call(&json!([0, 1]).into(), &json!({}).into()).unwrap();
    let error = candlescope::Generation::new(&lab.model, None, &ids, options)
        .unwrap()
        .next_step()
        .err()
        .unwrap();
    assert_eq!(error.name(), "WeightsError");
    assert!(error.to_string().contains("logits are not finite at step 0"), "{error}");
}

#[test]
fn a_pattern_that_is_small_to_write_and_huge_to_match_is_refused() {
    for pattern in ["/((a{100}){100}){100}/", "/(.{0,900}){900}/", "/((((.*)*)*)*)*x/"] {
        let start = std::time::Instant::now();
        let message = refused("means", json!({ "texts": [[1]], "names": [pattern] }));
        assert!(
            message.contains("regular expression") || message.contains("matches no hook point"),
            "{message}"
        );
        assert!(start.elapsed().as_secs() < 20, "{pattern}"); // milliseconds, on any machine
    }
}

// ---- random calls ----

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// A value that may stand anywhere in a request, fitting or not.
fn anything() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(2),
        json!(0.5),
        json!(61),
        json!(4294967295u64),
        json!(4294967296u64),
        json!(-2147483648i64),
        json!(9007199254740993u64),
        json!(1e300),
        json!("NaN"),
        json!("inf"),
        json!(""),
        json!("zero"),
        json!("mean"),
        json!("logits"),
        json!("*"),
        json!("/(/"),
        json!("/./"),
        json!("blocks.*.attn.hook_pattern"),
        json!("hook_embed"),
        json!("unembed.hook_out"),
        json!("z"),
        json!("blocks.1.attn.hook_result"),
        json!([]),
        json!([0]),
        json!([1, -1]),
        json!([[]]),
        json!([[0, 1], [1, 0]]),
        json!([60, 61]),
        json!({}),
        json!({ "scale": "NaN" }),
        json!({ "set": "inf" }),
        json!({ "add": [1, 2] }),
        json!({ "shape": [], "data": [1] }),
        json!({ "shape": [0], "data": [] }),
        json!({ "shape": [4294967295u64, 4294967295u64, 4294967295u64], "data": [] }),
        json!({ "shape": [1, 3, 18], "data": [1] }),
        json!({ "knockOut": [{}] }),
        json!({ "js": "(x) => x" }),
        json!({ "mean": { "hook_embed": { "shape": [1, 1, 18], "data": vec![0.5; 18] } } }),
        json!({ "from": { "hook_embed": { "shape": [1, 3, 18], "data": vec![0.5; 54] } } }),
        json!({ "answer": 1, "position": -1 }),
        json!({ "loss": true }),
        json!({ "layer": 1, "part": "attn" }),
        json!({ "layer": 1, "resid": { "shape": [1, 3, 18], "data": vec![0.5; 54] } }),
    ])
}

/// A run and a generation beside the measurements.
fn calls() -> Vec<(&'static str, Value)> {
    let run = json!({
        "names": ["*"], "positions": [0, -1], "stopAtLayer": 1, "headScores": false, "interventions": [intervention()],
    });
    let graded =
        json!({ "names": ["*"], "gradientsOf": { "answer": 4, "against": 5, "position": -1 } });
    let start = json!({ "startAt": { "layer": 1, "resid": { "shape": [1, 3, 18], "data": vec![0.5; 54] } } });
    let generation = json!({
        "maxNewTokens": 3, "doSample": true, "temperature": 0.7, "topK": 5, "topP": 0.9, "seed": 3, "top": 4,
        "stopAtEos": false, "names": ["hook_embed"], "useCache": false,
        "interventions": [{ "at": "blocks.*.hook_mlp_out", "step": [0, 1], "do": { "scale": 0.5 } }],
    });
    let runs = [run, graded, start].map(|options| ("runWithCache", options));
    [requests(), runs.to_vec(), vec![("generate", generation)]].concat()
}

/// All places in a value.
fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_string());
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, inner)| places(inner, &format!("{path}/{name}"), found));
        }
        Value::Array(items) if items.len() < 20 => {
            items
                .iter()
                .enumerate()
                .for_each(|(i, inner)| places(inner, &format!("{path}/{i}"), found));
        }
        _ => {}
    }
}

/// Does some of what the request asks for.
fn call(lab: &Lab, name: &str, request: &Value) -> candlescope::Result<()> {
    let input = json!([1, 2, 3]);
    match name {
        "runWithCache" => {
            run(lab, input.clone(), request.clone())?;
        }
        "generate" => {
            let (ids, options) =
                lab.generate_call(&input.clone().into(), &request.clone().into())?;
            let mut generation = candlescope::Generation::new(&lab.model, None, &ids, options)?;
            for _ in 0..3 {
                generation.next_step()?;
            }
        }
        _ => {
            let mut measurement = lab.begin(name, request.clone())?;
            let mut more = true;
            for _ in 0..12 {
                more = more && measurement.step()?;
            }
            if !more {
                measurement.finish()?;
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, rng_seed: RngSeed::Fixed(10), failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is asked, the answer is a result or a named error, and the model computes the same bits afterwards.
    #[test]
    fn a_random_call_fails_by_name_and_leaves_the_model_as_it_was(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), anything()), 0..4),
    ) {
        thread_local!(static LAB: (Lab, Vec<f32>) = {
            let lab = lab();
            let reference = reference(&lab);
            (lab, reference)
        });
        let calls = calls();
        let (name, mut request) = which.get(calls.as_slice()).clone();
        for (place, value) in changes {
            let mut found = Vec::new();
            places(&request, "", &mut found);
            let place: &String = place.get(&found);
            *request.pointer_mut(place).unwrap() = value;
        }
        LAB.with(|(lab, expected)| {
            if let Err(error) = call(lab, name, &request) {
                prop_assert!(
                    matches!(error.name(), "InputError" | "HookError" | "MemoryError" | "WeightsError"),
                    "{name} {request}: {} {error}", error.name()
                );
            }
            let _ = lab.to_python(name, &json!([1, 2, 3]).into(), &request.clone().into(), "gpt2");
            let same = reference(lab).iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits());
            prop_assert!(same, "{name} {request}");
            Ok(())
        })?;
    }
}

fn reference(lab: &Lab) -> Vec<f32> {
    common::numbers(run(lab, json!([1, 2, 3, 4, 5]), json!({})).unwrap().logits().unwrap())
}
