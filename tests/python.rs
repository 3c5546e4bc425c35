//! "Copy as TransformerLens": the printed Python is run, and gives the same numbers.
//!
//! That test needs a Python with transformer_lens 4, which CANDLESCOPE_PYTHON names. Without that variable, it is ignored
//! and counted as skipped.

#[path = "common/causal.rs"]
mod causal;
mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use candlescope::analysis::HeadInput;
use candlescope::analysis::integrated_gradients::{IntegratedGradientsOptions, Integration};
use candlescope::analysis::patching::{
    Contrast, Direction, Method, PatchingOptions, Sweep, attribution_patching,
};
use candlescope::analysis::path_patching::{
    Mlps, PathPatchingOptions, PathSweep, Receiver, Receivers,
};
use candlescope::intervene::Js;
use candlescope::python::{
    attribution_script, generation_script, integrated_script, path_script, run_script, sweep_script,
};
use candlescope::{
    GenerateOptions, Generation, Intervention, RunOptions, Start, run, run_with_cache,
};
use serde_json::{Value, json};

use causal::Causal;
use common::{FIXTURES, assert_all_close, numbers};

/// Runs each script given on the command line, in one process, since importing PyTorch takes the longest.
const DRIVER: &str = r#"
import contextlib, io, sys
for path in sys.argv[1:]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(open(path).read(), path, "exec"), {"__name__": "__main__"})
        import torch
        torch.set_grad_enabled(True)
    print("RESULT", out.getvalue().strip().splitlines()[-1], flush=True)
"#;

fn python() -> String {
    let python = std::env::var("CANDLESCOPE_PYTHON").unwrap_or("python3".into());
    let check = "import importlib.metadata as m, sys; sys.exit(not m.version('transformer_lens').startswith('4.'))";
    let found = Command::new(&python)
        .args(["-c", check])
        .output()
        .is_ok_and(|output| output.status.success());
    assert!(found, "{python}, which CANDLESCOPE_PYTHON names, has no transformer_lens 4");
    python
}

fn write(scripts: &[String], folder: &Path) -> Vec<PathBuf> {
    std::fs::create_dir_all(folder).unwrap();
    let path = |(number, script): (usize, &String)| {
        let path = folder.join(format!("{number}.py"));
        std::fs::write(&path, script).unwrap();
        path
    };
    scripts.iter().enumerate().map(path).collect()
}

fn results(python: &str, scripts: &[String]) -> Vec<Value> {
    let folder = std::env::temp_dir().join(format!("candlescope-python-{}", std::process::id()));
    let paths = write(scripts, &folder);
    let output = Command::new(python)
        .env("HF_HUB_OFFLINE", "1")
        .args(["-c", DRIVER])
        .args(&paths)
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let results: Vec<_> = stdout
        .lines()
        .filter_map(|line| line.strip_prefix("RESULT "))
        .map(|json| serde_json::from_str(json).unwrap())
        .collect();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stderr}", scripts[results.len()]);
    std::fs::remove_dir_all(&folder).unwrap();
    results
}

fn floats(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

fn norm(tensor: &candle_core::Tensor) -> f32 {
    let squares =
        numbers(tensor).into_iter().filter(|x| x.is_finite()).map(|x| f64::from(x).powi(2));
    squares.sum::<f64>().sqrt() as f32
}

type Case = (String, String, Box<dyn Fn(&Value)>);

fn run_case(causal: &Causal, folder: &str, name: String, options: RunOptions) -> Case {
    let script = run_script(causal.model.config(), folder, &causal.tokens, &options).unwrap();
    let run = run(&causal.model, &causal.tokens, &options).unwrap();
    let what = name.clone();
    let check = move |found: &Value| {
        if run.residual().is_none() {
            assert_all_close(&what, &floats(&found["log_probs"]), &run.scores.log_probs);
        }
        for (kind, cache) in [("captured", &run.cache), ("gradients", &run.gradients)] {
            for name in cache.names() {
                let norms =
                    [floats(&json!([found[kind][&name]]))[0], norm(cache.get(&name).unwrap())];
                assert_all_close(&format!("{what}: {kind} {name}"), &norms[..1], &norms[1..]);
            }
        }
    };
    (name, script, Box::new(check))
}

fn run_cases(causal: &Causal, folder: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for case in causal.json["interventions"].as_array().unwrap() {
        if case["interventions"][0]["do"]["js"].is_null() {
            let interventions = causal.interventions(&case["interventions"]);
            let names =
                vec!["blocks.1.hook_resid_mid".into(), "blocks.1.attn.hook_attn_scores".into()];
            let options = RunOptions { interventions, names, ..RunOptions::default() };
            cases.push(run_case(causal, folder, case["name"].to_string(), options));
        }
    }
    let all = vec!["*".to_string()];
    for metric in ["logit", "difference", "loss"] {
        let options = RunOptions {
            names: all.clone(),
            gradients_of: Some(causal.metric(metric)),
            ..RunOptions::default()
        };
        cases.push(run_case(causal, folder, format!("gradients of {metric}"), options));
    }
    let options = RunOptions {
        names: vec!["*".into(), "/(input|result|mlp_in)$/".into()],
        positions: Some(vec![-1, 3]),
        ..RunOptions::default()
    };
    cases.push(run_case(causal, folder, "nearly every point, two positions".into(), options));
    let options =
        RunOptions { names: all.clone(), stop_at_layer: Some(1), ..RunOptions::default() };
    cases.push(run_case(causal, folder, "a run that stops".into(), options));
    let names = ["blocks.1.hook_resid_pre"];
    let resid = run_with_cache(&causal.model, &causal.other, &names)
        .unwrap()
        .cache
        .get(names[0])
        .unwrap()
        .clone();
    let options =
        RunOptions { names: all, start: Some(Start { layer: 1, resid }), ..RunOptions::default() };
    cases.push(run_case(causal, folder, "a run that starts at a layer".into(), options));
    cases
}

fn generation_cases(causal: &Causal, folder: &str) -> Vec<Case> {
    let square: Vec<f32> = (0..121).map(|index| index as f32 / 121.0).collect();
    let lists = [
        json!([]),
        json!([{ "at": "blocks.1.attn.hook_z", "head": 1, "step": [0, 3, 12], "do": "zero" }]),
        json!([{ "at": "blocks.0.hook_attn_out", "do": "mean" }, { "at": "blocks.0.hook_mlp_out", "positions": [-1, 13, 0], "do": { "scale": 3.0 } }]),
        json!([{ "at": "*.attn.hook_pattern", "do": { "knockOut": [{ "key": 2 }, { "query": 12, "key": 12 }] } }]),
        json!([{ "at": "blocks.0.hook_resid_post", "do": { "from": "other" } }, { "at": "blocks.1.attn.hook_pattern", "do": { "from": "other" } }]),
        json!([{ "at": "blocks.0.attn.hook_pattern", "do": { "set": { "shape": [11, 11], "data": square } } }]),
    ];
    let case = |(number, list): (usize, &Value)| {
        let interventions = causal.interventions(list);
        let options = GenerateOptions {
            max_new_tokens: 14,
            stop_at_eos: false,
            interventions,
            ..GenerateOptions::default()
        };
        let script =
            generation_script(causal.model.config(), folder, &causal.tokens, &options).unwrap();
        let mut generation = Generation::new(&causal.model, None, &causal.tokens, options).unwrap();
        let mut log_probs = Vec::new();
        while let Some(step) = generation.next_step().unwrap() {
            log_probs.push(step.log_prob);
        }
        let ids = generation.tokens()[causal.tokens.len()..].to_vec();
        let check = move |found: &Value| {
            assert_eq!(found["ids"], json!(ids), "generation {number}");
            assert_all_close(
                &format!("generation {number}"),
                &floats(&found["log_probs"]),
                &log_probs,
            );
        };
        (format!("generation {number}"), script, Box::new(check) as Box<dyn Fn(&Value)>)
    };
    lists.iter().enumerate().map(case).collect()
}

fn sweep_cases(causal: &Causal, folder: &str) -> Vec<Case> {
    let contrast = |direction, metric| {
        let (clean, corrupted) = (causal.tokens.clone(), causal.other.clone());
        Contrast { clean, corrupted, direction, metric: causal.metric(metric) }
    };
    let mut cases: Vec<Case> = Vec::new();
    for (at, each_position, direction, metric) in [
        ("resid_pre", true, Direction::Denoise, "difference"),
        ("resid_mid", true, Direction::Noise, "difference"),
        ("z", false, Direction::Noise, "loss"),
        ("k", true, Direction::Denoise, "logit"),
        ("pattern", true, Direction::Denoise, "difference"),
        ("pattern", false, Direction::Noise, "difference"),
        ("post", false, Direction::Denoise, "difference"),
        ("post", true, Direction::Noise, "loss"),
    ] {
        let options = PatchingOptions {
            contrast: contrast(direction, metric),
            at: at.parse().unwrap(),
            method: Method::Activation,
            each_position,
            layer: (at == "post").then_some(1),
        };
        let script = sweep_script(causal.model.config(), folder, &options).unwrap();
        let metrics = Sweep::new(&causal.model, options).unwrap().finish().unwrap().raw.data;
        let check = move |found: &Value| assert_all_close(at, &floats(&found["metric"]), &metrics);
        cases.push((at.into(), script, Box::new(check)));
    }
    for (at, each_position, direction, metric) in [
        ("resid_pre", true, Direction::Denoise, "difference"),
        ("resid_mid", true, Direction::Denoise, "logit"),
        ("mlp_out", true, Direction::Noise, "loss"),
        ("z", false, Direction::Denoise, "difference"),
        ("v", true, Direction::Noise, "difference"),
        ("pattern", true, Direction::Denoise, "logit"),
        ("post", false, Direction::Noise, "difference"),
        ("post", true, Direction::Denoise, "loss"),
    ] {
        let options = PatchingOptions {
            contrast: contrast(direction, metric),
            at: at.parse().unwrap(),
            method: Method::Activation,
            each_position,
            layer: (at == "post").then_some(1),
        };
        let script = attribution_script(causal.model.config(), folder, &options).unwrap();
        let estimate = attribution_patching(&causal.model, &options).unwrap();
        let base = match direction {
            Direction::Denoise => estimate.corrupted,
            Direction::Noise => estimate.clean,
        };
        let check = move |found: &Value| {
            assert_all_close(at, &floats(&found["metric"]), &estimate.raw.data);
            assert_all_close(at, &floats(&json!([found["base"]])), &[base]);
        };
        cases.push((format!("attribution patching at {at}"), script, Box::new(check)));
    }
    let receivers = [HeadInput::Q, HeadInput::K, HeadInput::V]
        .map(|input| Receiver { layer: 1, head: 2, input })
        .to_vec();
    for (receivers, mlps) in
        [(Receivers::Logits, Mlps::Frozen), (Receivers::Heads(receivers), Mlps::Recomputed)]
    {
        let options = PathPatchingOptions {
            contrast: contrast(Direction::Denoise, "difference"),
            receivers,
            mlps,
        };
        let script = path_script(causal.model.config(), folder, &options).unwrap();
        let metrics = PathSweep::new(&causal.model, options).unwrap().finish().unwrap().raw.data;
        let check =
            move |found: &Value| assert_all_close("path", &floats(&found["metric"]), &metrics);
        cases.push(("path".into(), script, Box::new(check)));
    }
    cases
}

fn integrated_cases(causal: &Causal, folder: &str) -> Vec<Case> {
    let case = |(metric, baseline): (&str, Option<Vec<u32>>)| {
        let options =
            IntegratedGradientsOptions { metric: causal.metric(metric), baseline, steps: 5 };
        let config = causal.model.config();
        let script = integrated_script(config, folder, &causal.tokens, &options).unwrap();
        let shares = Integration::new(&causal.model, &causal.tokens, options)
            .and_then(Integration::finish)
            .unwrap();
        let check = move |found: &Value| {
            assert_all_close("shares", &floats(&found["shares"]), &shares.shares.data);
            let ends = floats(&json!([found["metric"], found["baseline"]]));
            assert_all_close("metric and baseline", &ends, &[shares.metric, shares.baseline]);
        };
        (
            format!("integrated gradients of {metric}"),
            script,
            Box::new(check) as Box<dyn Fn(&Value)>,
        )
    };
    [("loss", None), ("difference", Some(causal.other.clone()))].map(case).into()
}

fn cases() -> Vec<Case> {
    let causal = Causal::plain();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/plain");
    [run_cases, generation_cases, sweep_cases, integrated_cases]
        .into_iter()
        .flat_map(|cases| cases(&causal, folder))
        .collect()
}

#[test]
#[cfg_attr(not(python), ignore = "CANDLESCOPE_PYTHON names no Python with transformer_lens 4")]
fn the_printed_python_gives_the_same_numbers() {
    let python = python();
    let cases = cases();
    let scripts: Vec<String> = cases.iter().map(|(_, script, _)| script.clone()).collect();
    let results = results(&python, &scripts);
    assert_eq!(results.len(), cases.len());
    let agrees = |(case, found): &(&Case, &Value)| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| case.2(found))).is_ok()
    };
    let failed: Vec<_> =
        cases.iter().zip(&results).filter(|pair| !agrees(pair)).map(|(case, _)| &case.0).collect();
    assert!(failed.is_empty(), "other numbers in Python: {failed:#?}");
    eprintln!("{} scripts ran on TransformerLens 4 and agreed", cases.len());
}

#[test]
#[cfg_attr(not(python3), ignore = "there is no python3")]
fn every_template_and_every_script_compiles() {
    let compile = |paths: &[PathBuf]| {
        let code =
            "import sys\nfor path in sys.argv[1:]:\n    compile(open(path).read(), path, 'exec')";
        let output = Command::new("python3").args(["-c", code]).args(paths).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/python/templates");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let templates: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|ext| ext == "py")).collect();
    assert!(templates.len() >= 15, "{templates:?}");
    compile(&templates);
    let scripts: Vec<String> = cases().into_iter().map(|(_, script, _)| script).collect();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("scripts");
    compile(&write(&scripts, &folder));
}

#[test]
fn values_that_are_matched_by_name_have_the_shape_of_each_hook_point() {
    let causal = Causal::plain();
    let data: Vec<usize> = (0..11).collect();
    let script = |at: Value| {
        let add = json!({ "axes": ["pos"], "shape": [11], "data": data });
        let change = json!({ "at": at, "do": { "add": add } });
        let interventions = vec![Intervention::from_json(&change.to_string()).unwrap()];
        let options = RunOptions { interventions, ..RunOptions::default() };
        run_script(causal.model.config(), "folder", &causal.tokens, &options).unwrap()
    };
    let one = script(json!("blocks.0.attn.hook_z"));
    assert!(one.contains(".reshape([11, 1, 1]).index_select(-3, "), "{one}");
    let two = script(json!(["blocks.0.attn.hook_z", "blocks.1.hook_resid_pre"]));
    for line in [
        "y[part] += values_0[name].index_select(1 - x.ndim, ",
        ".reshape([11, 1, 1]),",
        ".reshape([11, 1]),",
    ] {
        assert!(two.contains(line), "{two}");
    }
}

#[test]
fn what_python_cannot_do_is_said() {
    let causal = Causal::plain();
    let js = Intervention::new("hook_embed", Js { js: "x => x * 2".into() });
    let options = RunOptions { interventions: vec![js], ..RunOptions::default() };
    let error = run_script(causal.model.config(), "folder", &causal.tokens, &options).unwrap_err();
    assert!(
        error.name() == "HookError" && error.to_string().contains("JavaScript function"),
        "{error}"
    );
    let script =
        run_script(causal.model.config(), "models/\"odd\"", &causal.tokens, &RunOptions::default())
            .unwrap();
    assert!(script.contains(r#"folder = "models/\"odd\"""#), "{script}");
    let silu = FIXTURES[5].config();
    let error = run_script(&silu, "folder", &[1, 2], &RunOptions::default()).unwrap_err();
    assert!(
        error.name() == "ConfigError" && error.to_string().contains("scale_attn_weights"),
        "{error}"
    );
    let both = RunOptions { names: vec!["/_in(put)?$/".into()], ..RunOptions::default() };
    let error = run_script(causal.model.config(), "folder", &causal.tokens, &both).unwrap_err();
    assert!(
        error.name() == "HookError" && error.to_string().contains("either `hook_attn_in`"),
        "{error}"
    );
}
