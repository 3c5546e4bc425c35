//! Sweeps against TransformerLens's patching module and its hooks, their laws, and refused input.

#[path = "common/causal.rs"]
mod causal;
mod common;

use candlescope::NamedArray;
use candlescope::Objective;
use candlescope::analysis::HeadInput;
use candlescope::analysis::patching::{
    Contrast, Direction, Method, Patching, PatchingOptions, Sweep, Target, attribution_patching,
};
use candlescope::analysis::path_patching::{
    Mlps, PathPatchingOptions, PathSweep, Receiver, Receivers,
};
use serde_json::Value;

use causal::Causal;
use common::assert_all_close;

fn contrast(causal: &Causal, metric: &str, direction: Direction) -> Contrast {
    let (clean, corrupted) = (causal.tokens.clone(), causal.other.clone());
    Contrast { clean, corrupted, direction, metric: causal.metric(metric) }
}

fn sweep(causal: &Causal, at: Target, each_position: bool, contrast: Contrast) -> Patching {
    sweep_in(causal, None, at, each_position, contrast)
}

fn sweep_in(
    causal: &Causal,
    layer: Option<usize>,
    at: Target,
    each_position: bool,
    contrast: Contrast,
) -> Patching {
    let options =
        PatchingOptions { contrast, at, method: Method::Activation, each_position, layer };
    Sweep::new(&causal.model, options).unwrap().finish().unwrap()
}

fn floats(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).unwrap()
}

/// Those that are patched in every layer.
const TARGETS: [Target; 9] = [
    Target::ResidPre,
    Target::ResidMid,
    Target::AttnOut,
    Target::MlpOut,
    Target::Z,
    Target::Q,
    Target::K,
    Target::V,
    Target::Pattern,
];

#[test]
fn sweeps_are_those_of_transformer_lens() {
    let mut neuron_sweeps = 0;
    for causal in Causal::all() {
        for case in causal.json["sweeps"].as_array().unwrap() {
            let (at, each_position) = match case["at"].as_str().unwrap().split_once(" by ") {
                Some((at, _)) => (at, true),
                None => (case["at"].as_str().unwrap(), false),
            };
            let direction =
                if case["direction"] == "denoise" { Direction::Denoise } else { Direction::Noise };
            let contrast = contrast(&causal, case["metric"].as_str().unwrap(), direction);
            let layer = case["layer"].as_u64().map(|layer| layer as usize);
            let found = sweep_in(&causal, layer, at.parse().unwrap(), each_position, contrast);
            let what =
                format!("{}: {} {} {}", causal.name, case["direction"], case["at"], case["metric"]);
            if at == "post" {
                let axes = if each_position { vec!["pos", "neuron"] } else { vec!["neuron"] };
                assert_eq!(found.raw.axes, axes, "{what}");
                neuron_sweeps += 1;
            }
            let shape: Vec<usize> = serde_json::from_value(case["shape"].clone()).unwrap();
            assert_eq!(found.raw.shape, shape, "{what}");
            assert_all_close(&what, &found.raw.data, &floats(&case["values"]));
        }
    }
    assert_eq!(neuron_sweeps, 8);
}

#[test]
fn paths_are_those_of_transformer_lens_with_every_other_head_frozen() {
    for causal in Causal::all() {
        for case in causal.json["paths"].as_array().unwrap() {
            let receivers = match &case["receivers"] {
                Value::Null => Receivers::Logits,
                list => Receivers::Heads(list.as_array().unwrap().iter().map(receiver).collect()),
            };
            let mlps = if case["mlps"] == "frozen" { Mlps::Frozen } else { Mlps::Recomputed };
            let contrast = contrast(&causal, "difference", Direction::Denoise);
            let options = PathPatchingOptions { contrast, receivers, mlps };
            let found = PathSweep::new(&causal.model, options).unwrap().finish().unwrap();
            let expected: Vec<f32> =
                case["values"].as_array().unwrap().iter().flat_map(floats).collect();
            let what = format!("{}: {}, MLPs {}", causal.name, case["name"], case["mlps"]);
            assert_all_close(&what, &found.raw.data, &expected);
        }
    }
}

fn receiver(case: &Value) -> Receiver {
    let index = |index: usize| case[index].as_u64().unwrap() as usize;
    let input = match case[2].as_str().unwrap() {
        "q" => HeadInput::Q,
        "k" => HeadInput::K,
        _ => HeadInput::V,
    };
    Receiver { layer: index(0), head: index(1), input }
}

#[test]
fn patches_without_a_path_to_the_metric_change_nothing() {
    let causal = Causal::plain();
    let last = causal.tokens.len() - 1;
    for (direction, nothing) in [(Direction::Denoise, 0.0), (Direction::Noise, 1.0)] {
        let of = |at| sweep(&causal, at, true, contrast_of(&causal, direction));
        let close =
            |found: f32| assert!((found - nothing).abs() < 1e-4, "{found}, expected {nothing}");
        let Patching { normalized, clean, corrupted, .. } = of(Target::ResidPre);
        assert!(
            (clean - corrupted).abs() > 0.1,
            "the fixture's prompts differ: {clean} {corrupted}"
        );
        // The prompts begin and end with the same tokens; after the last layer only the last position is read.
        close(normalized.as_ref().unwrap().at(&[0, 0]));
        close(normalized.unwrap().at(&[0, last]));
        let last_layer = of(Target::MlpOut).normalized.unwrap();
        (0..last).for_each(|position| close(last_layer.at(&[1, position])));
    }
}

fn contrast_of(causal: &Causal, direction: Direction) -> Contrast {
    contrast(causal, "logit", direction)
}

#[test]
fn the_only_different_token_has_the_whole_effect() {
    let mut causal = Causal::plain();
    causal.other = causal.tokens.clone();
    causal.other[1] = (causal.tokens[1] + 1) % 61;
    let last = causal.tokens.len() - 1;
    for (direction, nothing, everything) in
        [(Direction::Denoise, 0.0, 1.0), (Direction::Noise, 1.0, 0.0)]
    {
        for metric in ["logit", "difference", "loss"] {
            let found =
                sweep(&causal, Target::ResidPre, true, contrast(&causal, metric, direction))
                    .normalized
                    .unwrap();
            for position in 0..=last {
                let expected = if position == 1 { everything } else { nothing };
                let found = found.at(&[0, position]);
                assert!(
                    (found - expected).abs() < 1e-3,
                    "{metric} at {position}: {found}, expected {expected}"
                );
            }
        }
    }
}

#[test]
fn patching_a_runs_own_values_changes_nothing() {
    let mut causal = Causal::plain();
    causal.other = causal.tokens.clone();
    for at in TARGETS {
        for each_position in [false, true] {
            let found = sweep(
                &causal,
                at,
                each_position,
                contrast(&causal, "difference", Direction::Denoise),
            );
            assert!(found.normalized.is_none());
            let same = vec![found.clean; found.raw.data.len()];
            assert_all_close(&at.to_string(), &found.raw.data, &same);
        }
    }
}

/// The other neurons keep their values, and only MLP and later layers see the patch.
#[test]
fn neurons_that_are_the_same_in_both_runs_change_nothing() {
    let mut causal = Causal::plain();
    causal.other = causal.tokens.clone();
    for each_position in [false, true] {
        let contrast = contrast_of(&causal, Direction::Denoise);
        let found = sweep_in(&causal, Some(1), Target::Post, each_position, contrast);
        assert!(found.normalized.is_none());
        let same = vec![found.clean; found.raw.data.len()];
        assert_all_close("post", &found.raw.data, &same);
    }
}

#[test]
fn a_patch_after_the_position_that_is_read_changes_no_bit() {
    let causal = Causal::plain();
    let metric = Objective::Logit { answer: 3, against: None, position: 4 };
    let found = sweep(
        &causal,
        Target::Z,
        true,
        Contrast { metric, ..contrast_of(&causal, Direction::Denoise) },
    );
    assert_eq!(found.raw.axes, ["layer", "head", "pos"]);
    for head in 0..3 {
        for position in 5..11 {
            assert_eq!(found.raw.at(&[0, head, position]).to_bits(), found.corrupted.to_bits());
        }
    }
}

#[test]
fn steps_are_counted_and_a_sweep_can_be_dropped_at_any_of_them() {
    let causal = Causal::plain();
    let options = PatchingOptions {
        contrast: contrast_of(&causal, Direction::Denoise),
        at: Target::Z,
        method: Method::Activation,
        each_position: false,
        layer: None,
    };
    let mut sweep = Sweep::new(&causal.model, options.clone()).unwrap();
    assert_eq!((sweep.done(), sweep.len()), (0, 6));
    // Two blocks of each prompt, and its metric: no patch is done yet.
    for _ in 0..6 {
        assert!(sweep.step().unwrap());
        assert_eq!(sweep.done(), 0);
    }
    while sweep.done() < 2 {
        assert!(sweep.step().unwrap());
    }
    drop(sweep);
    let mut sweep = Sweep::new(&causal.model, options).unwrap();
    let steps = std::iter::from_fn(|| sweep.step().unwrap().then_some(())).count();
    // Each patch takes the blocks from its layer on, and a step for its metric.
    assert_eq!((steps, sweep.done()), (6 + 3 * (2 + 1) + 3 * (1 + 1), 6));
}

#[test]
fn a_head_after_the_receiver_has_no_effect_on_it() {
    let causal = Causal::plain();
    let receivers = Receivers::Heads(vec![Receiver { layer: 1, head: 0, input: HeadInput::V }]);
    let options = PathPatchingOptions {
        contrast: contrast_of(&causal, Direction::Denoise),
        receivers,
        mlps: Mlps::Recomputed,
    };
    let found = PathSweep::new(&causal.model, options).unwrap().finish().unwrap();
    let NamedArray { data, .. } = found.raw;
    assert_eq!(data[3..], [found.corrupted; 3]);
    assert!(data[..3].iter().any(|metric| *metric != found.corrupted));
}

#[test]
fn prompts_and_answers_that_do_not_fit_are_refused_with_a_reason() {
    let causal = Causal::plain();
    let whole = contrast_of(&causal, Direction::Denoise);
    let logit = |answer, against, position| Objective::Logit { answer, against, position };
    let refused = [
        (
            Contrast { clean: causal.tokens[1..].to_vec(), ..whole.clone() },
            "the clean prompt has 10 tokens and the corrupted one 11",
        ),
        (Contrast { clean: vec![], corrupted: vec![], ..whole.clone() }, "there is no token"),
        (
            Contrast { clean: vec![1; 21], corrupted: vec![2; 21], ..whole.clone() },
            "the context has 21 tokens, expected at most 20",
        ),
        (Contrast { corrupted: vec![61; 11], ..whole.clone() }, "token id 61 is out of range"),
        (
            Contrast { metric: logit(61, None, -1), ..whole.clone() },
            "answer id 61 is out of range, expected below 61",
        ),
        (
            Contrast { metric: logit(1, Some(70), -1), ..whole.clone() },
            "answer id 70 is out of range",
        ),
        (
            Contrast { metric: logit(1, None, 11), ..whole.clone() },
            "position 11 is out of range for 11 tokens",
        ),
        (
            Contrast {
                clean: vec![1],
                corrupted: vec![2],
                metric: Objective::Loss,
                ..whole.clone()
            },
            "at least two tokens",
        ),
    ];
    for (contrast, reason) in refused {
        let options = PatchingOptions {
            contrast,
            at: Target::Z,
            method: Method::Activation,
            each_position: false,
            layer: None,
        };
        let error = Sweep::new(&causal.model, options).err().unwrap();
        assert!(
            error.name() == "InputError" && error.to_string().contains(reason),
            "{error}, expected {reason}"
        );
    }
    let whole_layer = |at, layer| {
        let contrast = whole.clone();
        let options = PatchingOptions {
            contrast,
            at,
            method: Method::Activation,
            each_position: false,
            layer,
        };
        let estimate = attribution_patching(&causal.model, &options).unwrap_err().to_string();
        assert_eq!(Sweep::new(&causal.model, options).err().unwrap().to_string(), estimate);
        estimate
    };
    assert!(whole_layer(Target::Post, None).contains("`layer` is missing"));
    assert!(
        whole_layer(Target::Post, Some(2)).contains("layer 2 is out of range, expected below 2")
    );
    assert!(whole_layer(Target::Z, Some(0)).contains("`z` is patched in every layer"));
    let error = "zz".parse::<Target>().unwrap_err();
    assert!(error.to_string().contains("`z`") && error.name() == "InputError", "{error}");
    let no_receivers = PathPatchingOptions {
        contrast: whole,
        receivers: Receivers::Heads(vec![Receiver { layer: 2, head: 0, input: HeadInput::Q }]),
        mlps: Mlps::Frozen,
    };
    let error = PathSweep::new(&causal.model, no_receivers).err().unwrap();
    assert!(error.to_string().contains("there is no head 0 in layer 2"), "{error}");
}
