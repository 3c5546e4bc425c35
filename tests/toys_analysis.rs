//! Analyses, transforms and scripts of members of the GPT-2 family that are not GPT-2: they obey their laws, or refuse
//! with the reason.

mod common;

use candle_core::{D, Device, IndexOp, Tensor};
use candlescope::analysis::attribution::{self, AttributionOptions, LayerNorm, Target as Logit};
use candlescope::analysis::integrated_gradients::{IntegratedGradientsOptions, Integration};
use candlescope::analysis::logit_lens::{self, LensOptions, StreamPoint};
use candlescope::analysis::patching::{
    Contrast, Direction, Method, PatchingOptions, Sweep, Target, attribution_patching,
};
use candlescope::analysis::path_patching::{Mlps, PathPatchingOptions, PathSweep, Receivers};
use candlescope::analysis::residual::{self, By, Reader, Steps};
use candlescope::intervene::{Choice, Patch};
use candlescope::lab::Lab;
use candlescope::python::{generation_script, run_script, sweep_script};
use candlescope::{
    GenerateOptions, HookPoint, Intervention, Model, Normalization, Objective, PositionEmbedding,
    Run, RunOptions, run, run_with_cache, transform,
};
use common::*;
use serde_json::{Value, json};

fn full_run(toy: &Fixture) -> (Model, Vec<u32>, Run) {
    let (model, tokens) = (toy.model(), toy.expected().tokens);
    let run = run_with_cache(&model, &tokens, &every_name(model.config())).unwrap();
    (model, tokens, run)
}

fn decompositions(model: &Model) -> &'static [By] {
    match model.config().attn_only {
        true => &[By::Component, By::Head],
        false => &[By::Component, By::Head, By::Neuron],
    }
}

fn lab(toy: &Fixture) -> Lab {
    Lab { model: toy.model(), tokenizer: None, compiler: None }
}

fn measure(toy: &Fixture, name: &str, request: Value) -> candlescope::Result<candlescope::Value> {
    lab(toy).begin(name, request)?.finish()
}

/// The message of a measurement that this model refuses.
#[track_caller]
fn refused(toy: &Fixture, name: &str, request: Value) -> String {
    let error = measure(toy, name, request.clone()).expect_err(&format!("{name} took {request}"));
    assert!(matches!(error.name(), "InputError" | "HookError"), "{error}");
    error.to_string()
}

// ---- the residual stream ----

#[test]
fn parts_of_every_kind_add_up_to_the_stream() {
    for toy in &TOYS {
        let (model, _, run) = full_run(toy);
        let last = model.config().n_layer - 1;
        let mut streams = vec![
            (Reader::Attention(1), "blocks.1.hook_resid_pre".to_string()),
            (Reader::Unembed, format!("blocks.{last}.hook_resid_post")),
        ];
        if !model.config().attn_only {
            streams.push((Reader::Mlp(1), "blocks.1.hook_resid_mid".to_string()));
        }
        for (reader, name) in streams {
            let stream = run.cache.get(&name).unwrap().i(0).unwrap();
            for by in decompositions(&model) {
                let stack = residual::decomposed(&model, &run.cache, reader, *by).unwrap();
                let what = format!("{}: {name} by {by:?}", toy.name);
                assert_eq!(stack.len(), stack.values.dim(0).unwrap());
                assert_close(&what, &stack.values.sum(0).unwrap(), &stream);
                let has_positions = stack.labels.contains(&"pos_embed".to_string());
                assert_eq!(has_positions, IN_STREAM.contains(&model.config().position_embedding));
            }
            let states = residual::accumulated(&model, &run.cache, reader, Steps::Layers).unwrap();
            let end = states.values.get(states.len() - 1).unwrap();
            assert_same_bits(&format!("{}: the last state before {name}", toy.name), &end, &stream);
        }
    }
}

const IN_STREAM: [PositionEmbedding; 2] =
    [PositionEmbedding::Learned, PositionEmbedding::Sinusoidal];

#[test]
fn parts_through_the_final_norm_add_up_to_the_input_of_the_unembedding() {
    for toy in &TOYS {
        let (model, _, run) = full_run(toy);
        let stack = residual::decomposed(&model, &run.cache, Reader::Unembed, By::Head).unwrap();
        let read = residual::through_frozen_layer_norm(&model, &run.cache, &stack, Reader::Unembed);
        let recomputed = residual::through_recomputed_layer_norm(&model, &stack);
        if model.config().normalization_type == Normalization::None {
            for error in [read.err().unwrap(), recomputed.err().unwrap()] {
                assert!(error.to_string().contains("this model has no normalization"), "{error}");
            }
            continue;
        }
        assert_eq!(recomputed.unwrap().len(), stack.len());
        let mut sum = read.unwrap().values.sum(0).unwrap();
        if let Ok(bias) = model.weight("ln_f.bias") {
            sum = sum.broadcast_add(&bias).unwrap();
        }
        assert_close(toy.name, &sum, &run.cache.get("unembed.hook_in").unwrap().i(0).unwrap());
    }
}

#[test]
fn shares_add_up_to_the_logit() {
    for toy in &TOYS {
        let (model, _, run) = full_run(toy);
        let logits = run.logits().unwrap().i((0, 4)).unwrap().to_vec1::<f32>().unwrap();
        let input = run.cache.get("unembed.hook_in").unwrap().i((0, 4)).unwrap();
        let direction: Vec<f32> = (0..model.config().n_embd).map(|i| (i as f32).sin()).collect();
        let along = Tensor::new(direction.as_slice(), &Device::Cpu).unwrap();
        let along = (input * along).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        let targets = [
            (Logit::Answer(7), logits[7]),
            (Logit::Difference { answer: 7, against: 3 }, logits[7] - logits[3]),
            (Logit::Direction(direction), along),
        ];
        for (target, expected) in targets {
            for by in decompositions(&model) {
                for layer_norm in [LayerNorm::Frozen, LayerNorm::Recomputed] {
                    let target = target.clone();
                    let options = AttributionOptions {
                        target: target.clone(),
                        position: 4,
                        by: *by,
                        layer_norm,
                        interventions: Vec::new(),
                    };
                    let names = attribution::names(model.config(), *by);
                    let tokens = toy.expected().tokens;
                    let run = run_with_cache(&model, &tokens, &names).unwrap();
                    let shares = attribution::attribution(&model, &run.cache, &options).unwrap();
                    let what = format!("{}: {target:?} by {by:?}, {layer_norm:?}", toy.name);
                    assert_all_close(&what, &[shares.data.iter().sum()], &[expected]);
                    let labels = &shares.labels["component"];
                    let is_logit = !matches!(target, Logit::Direction(_));
                    assert_eq!(
                        labels.contains(&"unembed_bias".to_string()),
                        is_logit && model.config().unembed_bias,
                        "{what}"
                    );
                    assert_eq!(
                        labels.contains(&"ln_final_bias".to_string()),
                        model.config().normalization_type == Normalization::LayerNorm,
                        "{what}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_needs_an_mlp_is_refused_in_a_model_of_attention_only() {
    let toy = &TOYS[0];
    let input = json!([1, 2, 3]);
    let requests = [
        ("residual", json!({ "input": input, "stack": "neurons" })),
        ("residual", json!({ "input": input, "by": "neuron" })),
        ("residual", json!({ "input": input, "stack": "accumulated", "sublayers": true })),
        ("residual", json!({ "input": input, "reader": { "layer": 1, "part": "mlp" } })),
        ("attribution", json!({ "input": input, "by": "neuron", "answer": 3 })),
        ("logitLens", json!({ "input": input, "of": "mlp_out" })),
        ("logitLens", json!({ "input": input, "of": "resid_mid" })),
        ("mostActive", json!({ "texts": [input], "at": "blocks.0.mlp.hook_post", "index": 0 })),
        ("means", json!({ "texts": [input], "names": ["blocks.*.hook_mlp_out"] })),
        ("patching", json!({ "clean": [1, 2], "corrupted": [1, 3], "answer": 3, "at": "mlp_out" })),
        (
            "patching",
            json!({ "clean": [1, 2], "corrupted": [1, 3], "answer": 3, "at": "resid_mid",
                    "method": "attribution" }),
        ),
        (
            "patching",
            json!({ "clean": [1, 2], "corrupted": [1, 3], "answer": 3, "at": "post", "layer": 0 }),
        ),
    ];
    for (name, request) in requests {
        let message = refused(toy, name, request.clone());
        assert!(message.contains("`attn_only` is true"), "{name} {request}: {message}");
    }
}

#[test]
fn what_needs_a_normalization_is_refused_without_one() {
    let toy = TOYS.iter().find(|toy| toy.name == "toy_linear").unwrap();
    for layer_norm in ["frozen", "recomputed"] {
        let request = json!({ "input": [1, 2, 3], "layerNorm": layer_norm });
        let message = refused(toy, "residual", request);
        assert!(message.contains("`normalization_type` is \"none\""), "{message}");
    }
}

// ---- the logit lens, heads, circuits ----

#[test]
fn the_lens_at_the_end_of_the_stream_is_the_prediction() {
    for toy in &TOYS {
        let (model, tokens, run) = full_run(toy);
        let of = if model.config().attn_only { StreamPoint::AttnOut } else { StreamPoint::MlpOut };
        for of in [of, StreamPoint::ResidPost] {
            let points = logit_lens::points(model.config(), of);
            let options = LensOptions { points: points.clone(), top: 3, answer: Some(7) };
            let lens = logit_lens::logit_lens(&model, &run.cache, &tokens, &options).unwrap();
            let chosen = logit_lens::logits_of(&model, &run.cache, &points, &[7, 3]).unwrap();
            if of != StreamPoint::ResidPost {
                continue;
            }
            let last = points.len() - 1;
            assert!(lens.kl.data[last * tokens.len()..].iter().all(|kl| *kl == 0.0));
            let logits = run.logits().unwrap().i(0).unwrap();
            for position in 0..tokens.len() {
                let row = logits.i(position).unwrap().to_vec1::<f32>().unwrap();
                for (index, id) in [7, 3].into_iter().enumerate() {
                    let found = chosen.at(&[last, position, index]);
                    assert_all_close(toy.name, &[found], &[row[id]]);
                }
            }
        }
    }
}

#[test]
fn measurements_of_heads_serve_every_toy() {
    for toy in &TOYS {
        let tokens = toy.expected().tokens;
        for (name, request) in [
            ("headScores", json!({ "input": tokens })),
            ("headScores", json!({})),
            ("circuits", json!({ "layer": 1, "head": 1 })),
            ("compositionScores", json!({ "path": "q" })),
            ("tokenScores", json!({ "input": tokens })),
            (
                "means",
                json!({ "texts": [tokens], "names": ["*embed", "blocks.*.hook_resid_post"] }),
            ),
        ] {
            measure(toy, name, request)
                .unwrap_or_else(|error| panic!("{}, {name}: {error}", toy.name));
        }
    }
}

// ---- patching ----

fn contrast(tokens: &[u32], metric: Objective) -> Contrast {
    let mut corrupted = tokens.to_vec();
    corrupted[1] = (corrupted[1] + 11) % 40;
    corrupted[3] = (corrupted[3] + 5) % 40;
    Contrast { clean: tokens.to_vec(), corrupted, direction: Direction::Denoise, metric }
}

const METRICS: [Objective; 2] =
    [Objective::Logit { answer: 7, against: Some(3), position: -2 }, Objective::Loss];

/// The metric of the corrupted run with clean values at one point, as an intervention computes it.
fn patched(
    model: &Model,
    contrast: &Contrast,
    at: HookPoint,
    head: Option<usize>,
    position: Option<usize>,
) -> f32 {
    let change = Intervention {
        head: head.map(|head| Choice::One(head as i64)),
        positions: position.map(|position| Choice::One(position as i64)),
        ..patch_of(model, contrast, at)
    };
    metric_under(model, contrast, change)
}

/// The clean run's values at one point.
fn patch_of(model: &Model, contrast: &Contrast, at: HookPoint) -> Intervention {
    let clean = run_with_cache(model, &contrast.clean, &[at.to_string()]).unwrap();
    let patch = Patch { from: clean.cache.source().unwrap(), from_positions: None };
    Intervention::new(at.to_string(), patch)
}

/// The metric of the corrupted run with an intervention.
fn metric_under(model: &Model, contrast: &Contrast, change: Intervention) -> f32 {
    let options = RunOptions { interventions: vec![change], ..RunOptions::default() };
    let logits = run(model, &contrast.corrupted, &options).unwrap();
    let metric = contrast.metric.of(logits.logits().unwrap(), &contrast.corrupted).unwrap();
    metric.to_scalar().unwrap()
}

#[test]
fn sweeps_are_runs_with_the_same_interventions() {
    let targets = ["resid_pre", "resid_mid", "attn_out", "mlp_out", "z", "q", "k", "v", "pattern"];
    for (toy, metric) in TOYS.iter().flat_map(|toy| METRICS.map(|metric| (toy, metric))) {
        let model = toy.model();
        let contrast = contrast(&toy.expected().tokens, metric);
        for at in targets.map(|name| name.parse::<Target>().unwrap()) {
            let is_lacking = !at.point(0).exists(model.config()); // refused: see above
            if is_lacking || (contrast.metric == Objective::Loss && at != Target::Z) {
                continue;
            }
            let options = PatchingOptions {
                contrast: contrast.clone(),
                at,
                method: Method::Activation,
                each_position: false,
                layer: None,
            };
            let swept = Sweep::new(&model, options.clone()).unwrap().finish().unwrap();
            for layer in 0..model.config().n_layer {
                let (head, position) =
                    if at.per_head() { (Some(1), None) } else { (None, Some(3)) };
                let found = swept.raw.at(&[layer, head.or(position).unwrap()]);
                let expected = patched(&model, &contrast, at.point(layer), head, position);
                let what = format!("{}: {at} in layer {layer}", toy.name);
                assert_all_close(&what, &[found], &[expected]);
            }
            let estimate = attribution_patching(&model, &options).unwrap();
            assert_eq!(estimate.raw.shape, swept.raw.shape);
            assert_all_close(toy.name, &[estimate.clean], &[swept.clean]);
        }
    }
}

#[test]
fn sweeps_over_neurons_are_runs_with_the_same_interventions() {
    for (toy, metric) in TOYS.iter().flat_map(|toy| METRICS.map(|metric| (toy, metric))) {
        let model = toy.model();
        if model.config().attn_only {
            continue; // refused: see above
        }
        let contrast = contrast(&toy.expected().tokens, metric);
        for (layer, each_position) in [(0, true), (model.config().n_layer - 1, false)] {
            let options = PatchingOptions {
                contrast: contrast.clone(),
                at: Target::Post,
                method: Method::Activation,
                each_position,
                layer: Some(layer),
            };
            let swept = Sweep::new(&model, options).unwrap().finish().unwrap().raw;
            let change = |neuron: usize, position: Option<i64>| Intervention {
                neuron: Some(Choice::One(neuron as i64)),
                positions: position.map(Choice::One),
                ..patch_of(&model, &contrast, Target::Post.point(layer))
            };
            for neuron in [0, 5] {
                let position = each_position.then_some(3);
                let expected = metric_under(&model, &contrast, change(neuron, position));
                let found = match each_position {
                    true => swept.at(&[3, neuron]),
                    false => swept.at(&[neuron]),
                };
                let what = format!("{}: neuron {neuron} of layer {layer}", toy.name);
                assert_all_close(&what, &[found], &[expected]);
            }
        }
    }
}

/// Without MLPs, heads of the last layer affect the logits only directly.
#[test]
fn a_path_from_the_last_layer_is_a_patch_if_there_are_no_mlps() {
    for toy in TOYS.iter().filter(|toy| toy.config().attn_only) {
        let (model, last) = (toy.model(), toy.config().n_layer - 1);
        for (mlps, metric) in
            [(Mlps::Frozen, METRICS[0].clone()), (Mlps::Recomputed, METRICS[1].clone())]
        {
            let contrast = contrast(&toy.expected().tokens, metric);
            let options = PathPatchingOptions {
                receivers: Receivers::Logits,
                mlps,
                contrast: contrast.clone(),
            };
            let paths = PathSweep::new(&model, options).unwrap().finish().unwrap();
            for head in 0..model.config().n_head {
                let point = Target::Z.point(last);
                let expected = patched(&model, &contrast, point, Some(head), None);
                let what = format!("{}: head {head}", toy.name);
                assert_all_close(&what, &[paths.raw.at(&[last, head])], &[expected]);
            }
        }
    }
}

#[test]
fn paths_through_mlps_are_swept_in_every_toy() {
    for toy in &TOYS {
        let model = toy.model();
        let contrast = contrast(&toy.expected().tokens, METRICS[0].clone());
        let receivers: Receivers =
            Receivers::Heads(vec![candlescope::analysis::path_patching::Receiver {
                layer: 1,
                head: 1,
                input: candlescope::analysis::HeadInput::K,
            }]);
        let options = PathPatchingOptions { receivers, mlps: Mlps::Recomputed, contrast };
        let found = PathSweep::new(&model, options).unwrap().finish().unwrap();
        assert!(found.raw.data.iter().all(|metric| metric.is_finite()), "{}", toy.name);
        // No receiver is behind the heads of layer 1, and some heads of layer 0 change its keys.
        assert_all_close(toy.name, &[found.raw.at(&[1, 0])], &[found.corrupted]);
        let changed = found.raw.data.iter().any(|metric| (metric - found.corrupted).abs() > 1e-4);
        assert!(changed, "{}: {:?}", toy.name, found.raw.data);
    }
}

#[test]
fn integrated_gradients_add_up_to_the_change_of_the_metric() {
    for toy in &TOYS {
        let (model, tokens) = (toy.model(), toy.expected().tokens);
        let baseline = Some(tokens.iter().map(|id| (id + 9) % 40).collect());
        let options =
            IntegratedGradientsOptions { baseline, steps: 80, metric: METRICS[0].clone() };
        let found = Integration::new(&model, &tokens, options).unwrap().finish().unwrap();
        assert!(found.error.abs() < 3e-2, "{}: {}", toy.name, found.error);
        assert!((found.metric - found.baseline).abs() > 0.1, "{}", toy.name);
    }
}

// ---- transforms ----

type Transform = fn(&Model) -> candlescope::Result<Model>;

const TRANSFORMS: [(&str, Transform); 5] = [
    ("fold_ln", transform::fold_ln),
    ("center_writing_weights", transform::center_writing_weights),
    ("center_unembed", transform::center_unembed),
    ("fold_value_biases", transform::fold_value_biases),
    ("all", transform::process),
];

/// Why a transform does not serve a model.
fn reason(transform: &str, model: &Model) -> Option<&'static str> {
    let config = model.config();
    let folds = matches!(transform, "fold_ln" | "all");
    if config.normalization_type == Normalization::None
        && (folds || transform == "center_writing_weights")
    {
        return Some("`normalization_type` is \"none\"");
    }
    (folds && config.position_embedding == PositionEmbedding::Shortformer)
        .then_some("shortformer positions")
}

#[test]
fn transforms_leave_predictions_as_they_are_or_refuse() {
    for toy in &TOYS {
        let (model, tokens) = (toy.model(), toy.expected().tokens);
        let logits = run_with_cache::<&str>(&model, &tokens, &[]).unwrap();
        let logits = logits.logits().unwrap();
        let centred = logits.broadcast_sub(&logits.mean_keepdim(D::Minus1).unwrap()).unwrap();
        for (name, apply) in TRANSFORMS {
            let what = format!("{}: {name}", toy.name);
            let after = match (apply(&model), reason(name, &model)) {
                (Ok(after), None) => after,
                (Err(error), Some(reason)) => {
                    assert_eq!(error.name(), "InputError");
                    assert!(error.to_string().contains(reason), "{what}: {error}");
                    continue;
                }
                (result, _) => panic!("{what}: {:?}", result.map(|_| ())),
            };
            let after = run_with_cache::<&str>(&after, &tokens, &[]).unwrap();
            let expected = if matches!(name, "center_unembed" | "all") { &centred } else { logits };
            let tolerance = Tolerance { absolute: 5e-5, ..TOLERANCE };
            assert_within(tolerance, &what, after.logits().unwrap(), expected);
        }
    }
}

/// Folded weights are zeros where nothing is left to read, and the weights of LayerNorms are ones.
#[test]
fn folding_leaves_layer_norms_without_effect() {
    for toy in &TOYS {
        let Ok(folded) = transform::fold_ln(&toy.model()) else { continue };
        let (w_u, b_u) = transform::unembedding(&folded).unwrap();
        let logits = run_with_cache(&folded, &toy.expected().tokens, &["ln_final.hook_normalized"]);
        let logits = logits.unwrap();
        let read = logits.cache.get("ln_final.hook_normalized").unwrap().i(0).unwrap();
        let found = read.matmul(&w_u.t().unwrap()).unwrap().broadcast_add(&b_u).unwrap();
        assert_close(toy.name, &found, &logits.logits().unwrap().i(0).unwrap());
        for parameter in folded.parameters() {
            let is_norm = parameter.name.contains("ln_1") || parameter.name.contains("mlp.ln.");
            if is_norm {
                let expected = f32::from(u8::from(parameter.name.ends_with("weight")));
                let values = numbers(&folded.weight(&parameter.name).unwrap());
                assert!(values.iter().all(|value| *value == expected), "{}", parameter.name);
            }
        }
    }
}

/// The TransformerLens names and the weights of `process_weights` for a model with `solu_ln` and a bias of the logits.
#[test]
fn transformed_weights_are_transformer_lenss() {
    let toy = TOYS.iter().find(|toy| toy.name == "toy_solu_gain").unwrap();
    let processed = transform::process(&toy.model()).unwrap();
    let expected = toy.activations();
    for name in [
        "lm_head.weight",
        "lm_head.bias",
        "h.0.mlp.c_proj.weight",
        "h.0.mlp.c_proj.bias",
        "h.1.mlp.c_fc.weight",
        "h.1.mlp.c_fc.bias",
        "h.1.attn.c_proj.bias",
    ] {
        let tolerance = Tolerance { absolute: 2e-6, relative: 1e-4 };
        let found = processed.weight(name).unwrap();
        assert_within(tolerance, name, &found, &expected[&format!("processed.{name}")]);
    }
}

// ---- Python ----

#[test]
fn a_script_for_a_model_that_transformers_lacks_is_refused() {
    for toy in &TOYS {
        let (config, tokens) = (toy.config(), toy.expected().tokens);
        let contrast = contrast(&tokens, METRICS[0].clone());
        let options = PatchingOptions {
            contrast,
            at: Target::ResidPre,
            method: Method::Activation,
            each_position: false,
            layer: None,
        };
        let scripts = [
            run_script(&config, "folder", &tokens, &RunOptions::default()),
            generation_script(&config, "folder", &tokens, &GenerateOptions::default()),
            sweep_script(&config, "folder", &options),
        ];
        for script in scripts {
            let error = script.expect_err(toy.name);
            assert_eq!(error.name(), "ConfigError");
            assert!(
                error.to_string().contains("is not that of a GPT-2 of Hugging Face"),
                "{error}"
            );
        }
    }
}
