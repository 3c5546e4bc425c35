//! Members of the GPT-2 family that are not GPT-2: every number equals the one that TransformerLens computes.

mod common;

use candle_core::{DType, Tensor};
use candlescope::{
    Config, GenerateOptions, Generation, HookPoint, Intervention, KvCache, Model, NoHooks,
    Objective, RunOptions, Selector, TextLength, Weights, expected_shapes, run, run_with_cache,
};
use common::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Changes {
    interventions: Vec<serde_json::Value>,
}

fn interventions(fixture: &Fixture) -> Vec<Intervention> {
    let changes: Changes = serde_json::from_str(fixture.expected_json()).unwrap();
    changes.interventions.into_iter().map(|json| Intervention::from_value(json).unwrap()).collect()
}

fn for_every_toy(check: impl Fn(&Fixture)) {
    TOYS.iter().for_each(check);
}

#[test]
fn every_hook_point_equals_transformer_lens() {
    for_every_toy(check_every_hook_point);
}

#[test]
fn every_point_fires_once_in_the_order_of_transformer_lens() {
    for_every_toy(check_firing_order);
    for_every_toy(|toy| {
        assert_eq!(every_name(&toy.config()), toy.expected().firing_order, "{}", toy.name);
    });
}

#[test]
fn logits_and_scores_equal_transformer_lens() {
    for_every_toy(check_logits);
    for_every_toy(check_scores);
}

#[test]
fn reading_any_point_changes_no_bit() {
    for_every_toy(check_reading_changes_no_bit);
}

#[test]
fn a_key_value_cache_changes_nothing() {
    for_every_toy(check_key_value_cache);
}

#[test]
fn gradients_are_those_of_pytorch() {
    for_every_toy(|toy| {
        let (model, tokens, activations) = (toy.model(), toy.expected().tokens, toy.activations());
        let points = HookPoint::all(model.config()).into_iter();
        // The files have those of the first block and outside the blocks.
        let stored =
            |point: &HookPoint| !point.on_request() && point.layer().is_none_or(|layer| layer == 0);
        let names: Vec<String> = points.filter(stored).map(|point| point.to_string()).collect();
        let options = RunOptions {
            names: names.clone(),
            gradients_of: Some(Objective::Logit { answer: 5, against: Some(9), position: -1 }),
            ..RunOptions::default()
        };
        let gradients = run(&model, &tokens, &options).unwrap().gradients;
        for name in names {
            let what = format!("{}: {name}", toy.name);
            let expected = &activations[&format!("gradient.{name}")];
            assert_close(&what, gradients.get(&name).unwrap(), expected);
        }
    });
}

#[test]
fn interventions_change_what_they_change_in_transformer_lens() {
    for_every_toy(|toy| {
        let (model, tokens, activations) = (toy.model(), toy.expected().tokens, toy.activations());
        for (number, change) in interventions(toy).into_iter().enumerate() {
            let what = format!("{}: {}", toy.name, change.to_json());
            let expected = &activations[&format!("intervention.{number}")];
            let options =
                RunOptions { interventions: vec![change.clone()], ..RunOptions::default() };
            let logits = run(&model, &tokens, &options).unwrap();
            assert_close(&what, logits.logits().unwrap(), expected);
            assert_close(
                &format!("{what}, in two parts"),
                &in_two_parts(&model, &tokens, change),
                expected,
            );
        }
    });
}

/// The logits of a run whose second part reads the first from the key/value cache.
fn in_two_parts(model: &Model, tokens: &[u32], change: Intervention) -> Tensor {
    let length = TextLength { prompt: tokens.len(), new: 0 };
    let mut plan = candlescope::Plan::new(&[change], model.config(), length, None).unwrap();
    let (mut kv, cut) = (KvCache::new(model.config()), tokens.len() / 2);
    let mut part = |tokens| model.forward(&row(tokens), Some(&mut kv), &mut plan).unwrap();
    let parts = [part(&tokens[..cut]), part(&tokens[cut..])];
    Tensor::cat(&parts, 1).unwrap()
}

/// The prompts are three tokens short of the context, so that most steps crop it.
#[test]
fn greedy_text_equals_transformer_lens_with_cropping() {
    for_every_toy(|toy| {
        let (model, greedy) = (toy.model(), toy.expected().greedy);
        assert_eq!(greedy.prompt.len() + 3, model.config().n_positions);
        for use_cache in [true, false] {
            let options = GenerateOptions {
                max_new_tokens: greedy.ids.len(),
                stop_at_eos: false,
                use_cache,
                ..GenerateOptions::default()
            };
            let mut generation = Generation::new(&model, None, &greedy.prompt, options).unwrap();
            while generation.next_step().unwrap().is_some() {}
            let found = &generation.tokens()[greedy.prompt.len()..];
            assert_eq!(found, greedy.ids, "{}, use_cache: {use_cache}", toy.name);
        }
    });
}

#[test]
fn a_run_that_starts_at_a_layer_continues_the_whole_run() {
    for_every_toy(|toy| {
        let (model, tokens) = (toy.model(), toy.expected().tokens);
        let at = "blocks.1.hook_resid_pre";
        let whole = run_with_cache(&model, &tokens, &[at]).unwrap();
        let resid = whole.cache.get(at).unwrap().clone();
        let start = Some(candlescope::Start { layer: 1, resid });
        let rest = run(&model, &tokens, &RunOptions { start, ..RunOptions::default() }).unwrap();
        assert_same_bits(toy.name, rest.logits().unwrap(), whole.logits().unwrap());
    });
}

#[test]
fn the_parameters_are_the_tensors_of_the_file() {
    for_every_toy(|toy| {
        let file = tensors(toy.weights);
        let model = toy.model();
        let mut names: Vec<&str> =
            model.parameters().iter().map(|parameter| parameter.name.as_str()).collect();
        let mut expected: Vec<&str> = file.keys().map(String::as_str).collect();
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected, "{}", toy.name);
        let count: usize = file.values().map(Tensor::elem_count).sum();
        assert_eq!(model.parameter_count(), count, "{}", toy.name);
    });
}

fn message(pattern: &str, config: &Config) -> String {
    let error = Selector::parse(pattern, config).unwrap_err();
    assert_eq!(error.name(), "HookError");
    error.to_string()
}

#[test]
fn a_point_that_the_model_lacks_is_refused_with_the_reason() {
    let config = Config::default();
    let attn_only = Config { attn_only: true, ..config.clone() };
    for pattern in ["blocks.0.hook_resid_mid", "blocks.*.hook_mlp_out", "/mlp\\.hook_post/"] {
        let message = message(pattern, &attn_only);
        assert!(message.contains("its blocks have no MLP (`attn_only` is true)"), "{message}");
    }
    let message_of = |pattern, config: &str| message(pattern, &Config::from_json(config).unwrap());
    assert!(
        message_of("hook_pos_embed", r#"{"position_embedding":"none"}"#)
            .contains("it has no position embedding")
    );
    assert!(
        message_of("ln_final.hook_scale", r#"{"normalization_type":"none"}"#)
            .contains("it has no normalization")
    );
    let mid = message("blocks.*.mlp.hook_mid", &config);
    assert!(mid.contains("`activation_function` is not \"solu_ln\""), "{mid}");
    assert!(mid.contains("the nearest are `blocks.0.mlp."), "{mid}");
}

#[test]
fn tensors_of_another_architecture_are_not_expected() {
    let names = |config: &str| -> Vec<String> {
        let shapes = expected_shapes(&Config::from_json(config).unwrap());
        shapes.into_iter().map(|(name, _)| name).collect()
    };
    let small = r#""n_layer":1,"n_head":1,"n_embd":4"#;
    assert_eq!(
        names(&format!(
            r#"{{{small},"attn_only":true,"normalization_type":"none","position_embedding":"sinusoidal"}}"#
        )),
        [
            "wte.weight",
            "h.0.attn.c_attn.weight",
            "h.0.attn.c_attn.bias",
            "h.0.attn.c_proj.weight",
            "h.0.attn.c_proj.bias"
        ]
    );
    let gained = names(&format!(r#"{{{small},"activation_function":"solu_ln"}}"#));
    assert!(gained.contains(&"h.0.mlp.ln.weight".to_string()));
}

/// The notebook's model: 4 layers, 4 heads, 256 wide, GPT-2's vocabulary, an untied head without bias, no learned
/// positions, and biases everywhere else.
#[test]
fn the_parameter_count_has_no_fixed_positions() {
    let config = Config {
        n_layer: 4,
        n_head: 4,
        n_embd: 256,
        position_embedding: candlescope::PositionEmbedding::Sinusoidal,
        tie_word_embeddings: false,
        ..Config::default()
    };
    let count: usize =
        expected_shapes(&config).iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
    assert_eq!(count, 28_891_136);
}

#[test]
fn every_format_of_weights_serves_every_toy() {
    use candlescope::kernel::WeightFormat;
    for_every_toy(|toy| {
        let (config, tokens) = (toy.config(), row(&toy.expected().tokens));
        let exact = toy.model().forward(&tokens, None, &mut NoHooks).unwrap();
        let spread = exact.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        for (format, allowed) in
            [(WeightFormat::F16, 0.01), (WeightFormat::Q8, 0.1), (WeightFormat::Q4, 0.9)]
        {
            let mut reader = candlescope::WeightsReader::with_format(&config, None, format);
            reader.push(toy.weights).unwrap();
            let model = Model::new(config.clone(), &reader.finish().unwrap()).unwrap();
            let found = model.forward(&tokens, None, &mut NoHooks).unwrap();
            let error = (found - &exact).unwrap().abs().unwrap().max_all().unwrap();
            let error = error.to_scalar::<f32>().unwrap();
            assert!(error <= allowed * spread, "{}, {format:?}: {error} of {spread}", toy.name);
        }
    });
}

/// What a trainer holds: variables under canonical names, and gradients for each.
#[test]
fn a_model_of_variables_has_a_gradient_for_each_parameter() {
    for_every_toy(|toy| {
        let config = toy.config();
        let variables: Vec<(String, candle_core::Var)> = tensors(toy.weights)
            .into_iter()
            .map(|(name, tensor)| (name, candle_core::Var::from_tensor(&tensor).unwrap()))
            .collect();
        let tensors =
            variables.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
        let weights = Weights::from_tensors(&config, tensors).unwrap();
        let model = Model::new(config, &weights).unwrap();
        let logits = model.forward(&row(&toy.expected().tokens), None, &mut NoHooks).unwrap();
        assert_close(toy.name, &logits.detach(), &toy.activations()["logits"]);
        let gradients = logits.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        for (name, variable) in &variables {
            let gradient = gradients.get(variable).unwrap_or_else(|| {
                panic!("{}: `{name}` has no gradient", toy.name);
            });
            assert_eq!(gradient.dtype(), DType::F32);
            assert_eq!(gradient.dims(), variable.dims());
        }
    });
}
