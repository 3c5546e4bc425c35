//! Gradients against PyTorch's autograd and finite differences; attribution patching and integrated gradients.

#[path = "common/causal.rs"]
mod causal;
mod common;

use candle_core::{Device, Tensor};
use candlescope::analysis::integrated_gradients::{IntegratedGradientsOptions, Integration};
use candlescope::analysis::patching::{
    Contrast, Direction, Method, PatchingOptions, Sweep, attribution_patching,
};
use candlescope::intervene::Add;
use candlescope::{HookPoint, Intervention, Model, NamedArray, Objective, RunOptions, Values, run};
use proptest::prelude::*;

use causal::Causal;
use common::{
    FIXTURES, Fixture, Tolerance, assert_same_bits, assert_within, numbers, row, tensors,
};

const GRADIENTS: [&[u8]; 7] = [
    include_bytes!("fixtures/plain/gradients.safetensors"),
    include_bytes!("fixtures/untied/gradients.safetensors"),
    include_bytes!("fixtures/scaled/gradients.safetensors"),
    include_bytes!("fixtures/gelu/gradients.safetensors"),
    include_bytes!("fixtures/relu/gradients.safetensors"),
    include_bytes!("fixtures/silu/gradients.safetensors"),
    include_bytes!("fixtures/tanh/gradients.safetensors"),
];

fn gradient(model: &Model, tokens: &[u32], of: &Objective, names: &[String]) -> candlescope::Run {
    let options = RunOptions {
        names: names.to_vec(),
        gradients_of: Some(of.clone()),
        ..RunOptions::default()
    };
    run(model, tokens, &options).unwrap()
}

fn objective(name: &str, length: usize) -> Objective {
    match name {
        "logit" => Objective::Logit { answer: 5, against: None, position: -1 },
        "difference" => {
            Objective::Logit { answer: 5, against: Some(9), position: length as i64 - 2 }
        }
        _ => Objective::Loss,
    }
}

#[test]
fn gradients_at_every_point_are_those_of_pytorch() {
    for (fixture, gradients) in FIXTURES.iter().zip(GRADIENTS) {
        let (model, tokens, expected) =
            (fixture.model(), fixture.expected().tokens, tensors(gradients));
        let (on_request, plain): (Vec<_>, Vec<_>) =
            HookPoint::all(model.config()).into_iter().partition(|point| point.on_request());
        // One point on request at a time, as in the oracle: with a per-head input, ln1's points show only the shared stream.
        let groups = std::iter::once(plain).chain(on_request.into_iter().map(|point| vec![point]));
        for names in groups.map(|group| group.iter().map(ToString::to_string).collect::<Vec<_>>()) {
            for of in ["logit", "difference", "loss"] {
                if !expected.contains_key(&format!("{of}.hook_embed")) {
                    continue;
                }
                let found = gradient(&model, &tokens, &objective(of, tokens.len()), &names);
                assert_eq!(found.gradients.names(), names);
                for name in &names {
                    // Sums that cancel keep the rounding of their terms: absolute next to the largest at the point.
                    let expected = &expected[&format!("{of}.{name}")];
                    let largest =
                        numbers(expected).into_iter().fold(0f32, |largest, x| largest.max(x.abs()));
                    let tolerance = Tolerance { absolute: 1e-5 * largest.max(1.0), relative: 1e-4 };
                    let what = format!("{}: d {of} / d {name}", fixture.name);
                    assert_within(tolerance, &what, found.gradients.get(name).unwrap(), expected);
                }
            }
        }
    }
}

#[test]
fn asking_for_gradients_leaves_the_values_within_rounding_and_detached() {
    let fixture = Fixture::plain();
    let (model, tokens) = (fixture.model(), fixture.expected().tokens);
    let run = gradient(&model, &tokens, &Objective::Loss, &["*".to_string()]);
    let logits = model.forward(&row(&tokens), None, &mut candlescope::NoHooks).unwrap();
    common::assert_close("logits", run.logits().unwrap(), &logits);
    assert!(!run.logits().unwrap().track_op());
    assert!(run.cache.points().all(|point| !run.cache.at(point).unwrap().track_op()));
    common::assert_all_close("loss", &[run.scores.loss().unwrap()], &[fixture.expected().loss]);
}

#[test]
fn what_comes_after_the_objective_has_gradient_zero_and_positions_choose_rows() {
    let fixture = Fixture::plain();
    let (model, tokens) = (fixture.model(), fixture.expected().tokens);
    let of = Objective::Logit { answer: 5, against: None, position: 3 };
    let names = vec!["blocks.0.hook_resid_mid".to_string()];
    let whole = gradient(&model, &tokens, &of, &names);
    let whole = whole.gradients.get(&names[0]).unwrap();
    assert!(numbers(&whole.narrow(1, 4, 7).unwrap()).iter().all(|later| *later == 0.0));
    let options = RunOptions {
        names: names.clone(),
        positions: Some(vec![2, -8]),
        gradients_of: Some(of),
        ..RunOptions::default()
    };
    let rows = run(&model, &tokens, &options).unwrap();
    assert_same_bits(
        "rows 2 and 3",
        rows.gradients.get(&names[0]).unwrap(),
        &whole.narrow(1, 2, 2).unwrap(),
    );
}

fn metric(model: &Model, tokens: &[u32], of: &Objective, interventions: Vec<Intervention>) -> f64 {
    let options = RunOptions { interventions, ..RunOptions::default() };
    let run = run(model, tokens, &options).unwrap();
    f64::from(of.of(run.logits().unwrap(), tokens).unwrap().to_scalar::<f32>().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// In a random direction at a random point: `(m(a + h d) - m(a - h d)) / 2 h`.
    #[test]
    fn gradients_agree_with_finite_differences(model in 0usize..7, index in 0usize..1000, seed in 0u32..1000, of in 0usize..3) {
        let fixture = &FIXTURES[model];
        let (model, tokens) = (fixture.model(), fixture.expected().tokens);
        let of = objective(["logit", "difference", "loss"][of], tokens.len());
        let points = HookPoint::all(model.config());
        let point = points[index % points.len()];
        let name = point.to_string();
        let found = gradient(&model, &tokens, &of, std::slice::from_ref(&name));
        let gradient = found.gradients.get(&name).unwrap();
        let wave = |index: usize| ((index as f32 + 1.0) * (seed as f32 + 0.7)).sin();
        // Nothing can be added to the attention that a later key gets.
        let keys = *gradient.dims().last().unwrap();
        let open = |index: usize| !point.axes().contains(&"key") || index % keys <= index / keys % keys;
        let direction: Vec<f32> =
            (0..gradient.elem_count()).map(|index| if open(index) { wave(index) } else { 0.0 }).collect();
        let expected: f64 = numbers(gradient).iter().zip(&direction).map(|(g, d)| f64::from(g * d)).sum();
        let step = |h: f32| {
            let data = direction.iter().map(|d| d * h).collect();
            let add = Values::Array(NamedArray::from_data(gradient.dims().to_vec(), data));
            metric(&model, &tokens, &of, vec![Intervention::new(&name, Add { add })])
        };
        // Relu has kinks and f32 rounds: a small step, and the better of two.
        let differences = [1e-3f32, 3e-4].map(|h| (step(h) - step(-h)) / f64::from(2.0 * h));
        let error = differences.map(|difference| (difference - expected).abs()).into_iter().fold(f64::MAX, f64::min);
        prop_assert!(error < 0.02 * expected.abs() + 0.03, "{name} of {}: {differences:?}, expected {expected}", fixture.name);
    }
}

fn contrast(causal: &Causal, metric: &str) -> Contrast {
    let (clean, corrupted) = (causal.tokens.clone(), causal.other.clone());
    Contrast { clean, corrupted, direction: Direction::Denoise, metric: causal.metric(metric) }
}

#[test]
fn attribution_patching_is_gradient_times_difference_in_pytorch() {
    for causal in Causal::all() {
        for case in causal.json["attribution_patching"].as_array().unwrap() {
            let at = case["at"].as_str().unwrap();
            let target = at.split(' ').next().unwrap().parse().unwrap();
            let contrast = contrast(&causal, case["metric"].as_str().unwrap());
            let options = PatchingOptions {
                contrast,
                at: target,
                method: Method::Activation,
                each_position: at.contains(" by "),
                layer: case["layer"].as_u64().map(|layer| layer as usize),
            };
            let found = attribution_patching(&causal.model, &options).unwrap();
            assert_eq!(serde_json::json!(found.raw.shape), case["shape"], "{at}");
            let effects: Vec<f32> =
                found.raw.data.iter().map(|metric| metric - found.corrupted).collect();
            let expected: Vec<f32> = serde_json::from_value(case["values"].clone()).unwrap();
            let largest = expected.iter().fold(1f32, |largest, x| largest.max(x.abs()));
            let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
            // The metric was added and taken off again.
            let tolerance = Tolerance { absolute: 1e-5 * largest, relative: 1e-4 };
            assert_within(
                tolerance,
                &format!("{}: {at}", causal.name),
                &tensor(&effects),
                &tensor(&expected),
            );
        }
    }
}

/// Between the last layer's mlp_out and a logit there is only the final LayerNorm, so the estimate is close to the effect
/// for prompts that hardly differ.
#[test]
fn attribution_patching_approaches_activation_patching_where_the_metric_is_nearly_linear() {
    let causal = Causal::plain();
    let options = PatchingOptions {
        contrast: contrast(&causal, "difference"),
        at: "mlp_out".parse().unwrap(),
        method: Method::Activation,
        each_position: true,
        layer: None,
    };
    let estimate = attribution_patching(&causal.model, &options).unwrap();
    let sweep = Sweep::new(&causal.model, options).unwrap().finish().unwrap();
    assert_eq!((&estimate.raw.axes, &estimate.raw.shape), (&sweep.raw.axes, &sweep.raw.shape));
    assert!(
        (estimate.clean - sweep.clean).abs() < 1e-4
            && (estimate.corrupted - sweep.corrupted).abs() < 1e-4
    );
    // Positions that no path leads from have no effect in either.
    assert!((estimate.raw.at(&[1, 10]) - sweep.raw.at(&[1, 10])).abs() < 1e-5);
}

#[test]
fn integrated_gradients_are_those_of_pytorch() {
    for causal in Causal::all() {
        let expected = &causal.json["integrated_gradients"];
        let steps = expected["steps"].as_u64().unwrap() as usize;
        for (name, baseline) in [("zero", None), ("other", Some(causal.other.clone()))] {
            let metric = causal.metric("difference");
            let options = IntegratedGradientsOptions { metric, baseline, steps };
            let integration = Integration::new(&causal.model, &causal.tokens, options);
            let shares = integration.unwrap().finish().unwrap();
            let expected: Vec<f32> = serde_json::from_value(expected[name].clone()).unwrap();
            common::assert_all_close(
                &format!("{}: from {name}", causal.name),
                &shares.shares.data,
                &expected,
            );
        }
    }
}

#[test]
fn integrated_gradients_add_up_to_the_change_of_the_metric() {
    let causal = Causal::plain();
    let metric = causal.metric("difference");
    let error = |steps| {
        let (metric, baseline) = (metric.clone(), Some(causal.other.clone()));
        let options = IntegratedGradientsOptions { metric, baseline, steps };
        let integration = Integration::new(&causal.model, &causal.tokens, options);
        let shares = integration.unwrap().finish().unwrap();
        assert!((shares.metric - shares.baseline).abs() > 0.1);
        shares.error.abs()
    };
    let (few, many) = (error(4), error(128));
    assert!(many < 5e-3 && many < few, "{few} with 4 steps, {many} with 128");
}

#[test]
fn what_cannot_be_differentiated_is_refused_with_a_reason() {
    let causal = Causal::plain();
    let names = vec!["hook_embed".to_string()];
    let of = |gradients_of, stop_at_layer| RunOptions {
        names: names.clone(),
        gradients_of: Some(gradients_of),
        stop_at_layer,
        ..RunOptions::default()
    };
    let logit = |answer, position| Objective::Logit { answer, against: None, position };
    for (options, reason) in [
        (of(logit(61, -1), None), "answer id 61 is out of range, expected below 61"),
        (of(logit(1, -12), None), "position -12 is out of range for 11 tokens"),
        (
            of(logit(1, -1), Some(1)),
            "`gradientsOf` needs logits, and a run with `stopAtLayer` has none",
        ),
    ] {
        let error = run(&causal.model, &causal.tokens, &options).err().unwrap();
        assert!(
            error.name() == "InputError" && error.to_string().contains(reason),
            "{error}, expected {reason}"
        );
    }
    let error = run(&causal.model, &[1], &of(Objective::Loss, None)).err().unwrap();
    assert!(error.to_string().contains("at least two tokens"), "{error}");
    let start = |baseline, steps| {
        let options = IntegratedGradientsOptions { metric: Objective::Loss, baseline, steps };
        Integration::new(&causal.model, &causal.tokens, options).err().unwrap().to_string()
    };
    assert!(start(None, 0).contains("at least one step"));
    assert!(start(Some(vec![1, 2]), 4).contains("the baseline has 2 tokens, the prompt 11"));
}
