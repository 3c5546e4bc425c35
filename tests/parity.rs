//! Every number equals the one that Hugging Face and TransformerLens compute.

mod common;

use candle_core::Tensor;
use candlescope::{BlockPoint, HookContext, HookPoint, Hooks, Result, run_with_cache};
use common::*;

fn for_every_fixture(check: fn(&Fixture)) {
    FIXTURES.iter().for_each(check);
}

#[test]
fn every_hook_point_equals_transformer_lens() {
    for_every_fixture(check_every_hook_point);
}

#[test]
fn every_fixture_has_logits_of_hugging_face() {
    for fixture in &FIXTURES {
        assert!(fixture.activations().contains_key("hugging_face.logits"), "{}", fixture.name);
    }
}

#[test]
fn logits_equal_hugging_face_and_transformer_lens() {
    for_every_fixture(check_logits);
}

#[test]
fn loss_log_probabilities_and_ranks_are_those_of_the_logits() {
    for_every_fixture(check_scores);
}

#[test]
fn every_point_fires_once_in_the_order_of_transformer_lens() {
    for_every_fixture(check_firing_order);
}

#[test]
fn reading_any_point_changes_no_bit() {
    for_every_fixture(check_reading_changes_no_bit);
}

#[test]
fn a_key_value_cache_changes_nothing() {
    for_every_fixture(check_key_value_cache);
}

/// The oracle's patterns are far from uniform and its activations far from linear, so that parity means something.
#[test]
fn the_fixtures_are_not_trivial() {
    for fixture in &FIXTURES {
        let activations = fixture.activations();
        let unevenness = |layer| {
            let pattern = &activations[&format!("blocks.{layer}.attn.hook_pattern")];
            pattern.max_keepdim(3).unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap()
        };
        let largest = unevenness(0).max(unevenness(1));
        let length = fixture.expected().tokens.len();
        let uniform = (1..=length).map(|keys| 1.0 / keys as f32).sum::<f32>() / length as f32;
        assert!(
            largest > 1.5 * uniform,
            "{}: mean largest attention weight {largest}",
            fixture.name
        );
        let pre = numbers(&activations["blocks.1.mlp.hook_pre"]);
        let bent = pre.iter().filter(|value| value.abs() > 0.5).count();
        assert!(3 * bent > pre.len(), "{}: activations are near zero", fixture.name);
    }
}

#[test]
fn the_axes_of_a_point_have_the_lengths_that_their_names_say() {
    let fixture = Fixture::plain();
    let (model, tokens) = (fixture.model(), fixture.expected().tokens);
    let config = model.config();
    let run = run_with_cache(&model, &tokens, &every_name(config)).unwrap();
    for point in run.cache.points() {
        let length = |axis: &&str| match *axis {
            "batch" | "1" => 1,
            "pos" | "query" | "key" => tokens.len(),
            "head" => config.n_head,
            "d_head" => config.d_head(),
            "d_model" => config.n_embd,
            "d_mlp" => config.d_mlp(),
            "vocab" => config.vocab_size,
            other => panic!("{point} has an axis `{other}`"),
        };
        let expected: Vec<usize> = point.axes().iter().map(length).collect();
        assert_eq!(run.cache.at(point).unwrap().dims(), expected, "{point}");
    }
}

/// Doubles what one point holds, and keeps the values at others.
struct Double {
    at: HookPoint,
    seen: Vec<(HookPoint, Tensor)>,
}

impl Hooks for Double {
    fn wants(&self, point: HookPoint) -> bool {
        point == self.at
            || matches!(point, HookPoint::Block(_, BlockPoint::Q | BlockPoint::K | BlockPoint::V))
    }

    fn visit(&mut self, context: HookContext, value: Tensor) -> Result<Tensor> {
        if context.point == self.at {
            // Not a scaling: LayerNorm would undo one.
            return Ok((value.sqr()? * 2.0)?);
        }
        self.seen.push((context.point, value.clone()));
        Ok(value)
    }
}

#[test]
fn writing_a_path_input_changes_only_that_path() {
    let fixture = Fixture::plain();
    let (model, tokens) = (fixture.model(), fixture.expected().tokens);
    let undisturbed = run_with_cache(&model, &tokens, &["blocks.*.attn.hook_?"]).unwrap().cache;
    let paths = [
        (BlockPoint::QInput, BlockPoint::Q),
        (BlockPoint::KInput, BlockPoint::K),
        (BlockPoint::VInput, BlockPoint::V),
    ];
    for (input, own) in paths {
        let mut hooks = Double { at: HookPoint::Block(1, input), seen: Vec::new() };
        model.forward(&row(&tokens), None, &mut hooks).unwrap();
        assert_eq!(hooks.seen.len(), 6);
        for (point, value) in hooks.seen {
            let before = undisturbed.at(point).unwrap();
            if point == HookPoint::Block(1, own) {
                assert_ne!(numbers(&value), numbers(before), "{point} after {input:?} was written");
            } else {
                assert_same_bits(&format!("{point} after {input:?} was written"), &value, before);
            }
        }
    }
}

#[test]
fn weights_that_arrive_byte_by_byte_are_the_same() {
    for fixture in &FIXTURES {
        let config = fixture.config();
        let mut reader = candlescope::WeightsReader::new(&config, None);
        fixture.weights.iter().for_each(|byte| reader.push(&[*byte]).unwrap());
        let (pieces, whole) = (
            reader.finish().unwrap(),
            candlescope::Weights::from_bytes(&config, fixture.weights).unwrap(),
        );
        for (name, _) in candlescope::expected_shapes(&config) {
            assert_same_bits(&name, &pieces.get(&name).unwrap(), &whole.get(&name).unwrap());
        }
    }
}
