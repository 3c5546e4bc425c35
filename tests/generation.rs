//! Generated text equals Hugging Face's, and the same seed gives the same text.

mod common;

use candlescope::python::generation_script;
use candlescope::{Choice, GenerateOptions, Generation, Model, NoHooks};
use common::*;

fn generate(model: &Model, prompt: &[u32], options: GenerateOptions) -> Vec<u32> {
    let mut generation = Generation::new(model, None, prompt, options).unwrap();
    while generation.next_step().unwrap().is_some() {}
    generation.tokens()[prompt.len()..].to_vec()
}

/// The prompts are three tokens short of the context, so that 47 of the 50 steps crop it.
#[test]
fn greedy_text_equals_hugging_face_over_50_tokens_with_cropping() {
    for fixture in &FIXTURES {
        let (model, greedy) = (fixture.model(), fixture.expected().greedy);
        assert_eq!(greedy.ids.len(), 50);
        assert_eq!(greedy.prompt.len() + 3, model.config().n_positions);
        for use_cache in [true, false] {
            let options = GenerateOptions {
                max_new_tokens: 50,
                stop_at_eos: false,
                use_cache,
                ..GenerateOptions::default()
            };
            let found = generate(&model, &greedy.prompt, options);
            assert_eq!(found, greedy.ids, "{}, use_cache: {use_cache}", fixture.name);
        }
    }
}

/// The oracle is a ChaCha with 8 rounds and a sampler written out in `make_fixtures.py` after the documentation.
#[test]
fn sampled_text_is_the_one_that_the_documented_generator_gives() {
    for fixture in &FIXTURES {
        let model = fixture.model();
        for sampled in fixture.expected().sampled {
            let found = generate(&model, &sampled.prompt, sampled.options());
            assert_eq!(found, sampled.ids, "{}, seed {}", fixture.name, sampled.seed);
        }
    }
}

#[test]
fn a_step_tells_the_log_probability_of_its_token_and_of_the_alternatives() {
    let fixture = Fixture::plain();
    let (model, prompt) = (fixture.model(), fixture.expected().greedy.prompt);
    let options = GenerateOptions { max_new_tokens: 8, top: 5, ..GenerateOptions::default() };
    let mut generation = Generation::new(&model, None, &prompt, options).unwrap();
    loop {
        let tokens = generation.tokens().to_vec();
        let Some(step) = generation.next_step().unwrap() else { break };
        let window = &tokens[tokens.len().saturating_sub(model.config().n_positions)..];
        let logits = model.forward(&row(window), None, &mut NoHooks).unwrap();
        let last = numbers(&logits.get(0).unwrap().get(window.len() - 1).unwrap());
        let total: f64 = last.iter().map(|logit| f64::from(*logit).exp()).sum();
        let log_prob = |id: u32| f64::from(last[id as usize]) - total.ln();

        assert_eq!(step.top.len(), 5);
        assert_eq!(
            step.top[0],
            (step.id, step.log_prob),
            "greedy takes the first of the alternatives"
        );
        assert!(step.top.is_sorted_by(|a, b| a.1 >= b.1));
        assert!(
            step.top.iter().all(|(id, found)| (f64::from(*found) - log_prob(*id)).abs() < 1e-4)
        );
        let better =
            (0..last.len() as u32).filter(|id| log_prob(*id) > f64::from(step.top[4].1) + 1e-4);
        assert!(better.count() <= 4, "a token that is not listed is more probable than the fifth");
    }
}

#[test]
fn text_ends_with_the_end_of_text_token_unless_told_not_to() {
    let fixture = Fixture::plain();
    let greedy = fixture.expected().greedy;
    let config = candlescope::Config { eos_token_id: Some(greedy.ids[4]), ..fixture.config() };
    let weights = candlescope::Weights::from_bytes(&config, fixture.weights).unwrap();
    let model = Model::new(config, &weights).unwrap();
    let first = greedy.ids.iter().position(|id| *id == greedy.ids[4]).unwrap();
    let options = |stop_at_eos| GenerateOptions {
        max_new_tokens: 50,
        stop_at_eos,
        ..GenerateOptions::default()
    };
    assert_eq!(generate(&model, &greedy.prompt, options(true)), greedy.ids[..=first]);
    assert_eq!(generate(&model, &greedy.prompt, options(false)), greedy.ids);
}

#[test]
fn seeds_differ_and_repeat() {
    let fixture = Fixture::plain();
    let (model, prompt) = (fixture.model(), fixture.expected().tokens);
    let text = |seed| {
        let options = GenerateOptions {
            max_new_tokens: 30,
            do_sample: true,
            stop_at_eos: false,
            seed: Choice::One(seed),
            ..Default::default()
        };
        generate(&model, &prompt, options)
    };
    assert_eq!(text(1), text(1));
    assert_ne!(text(1), text(2));
}

/// Sampling in `make_frequency_fixtures.py`, which penalizes as TransformerLens's `sample_logits` does: after the
/// temperature, before top-k, for each occurrence in the prompt and in the text so far.
#[test]
fn the_frequency_penalty_is_transformer_lenss() {
    let cases: Vec<FrequencyCase> =
        serde_json::from_str(include_str!("fixtures/plain/frequency.json")).unwrap();
    let model = Fixture::plain().model();
    assert!(cases.iter().any(|case| case.ids != case.ids_without_penalty));
    for case in cases {
        let options = |frequency_penalty| GenerateOptions {
            max_new_tokens: case.ids.len(),
            do_sample: true,
            stop_at_eos: false,
            temperature: case.temperature,
            top_k: case.top_k,
            seed: Choice::One(case.seed),
            frequency_penalty,
            ..GenerateOptions::default()
        };
        assert_eq!(generate(&model, &case.prompt, options(case.frequency_penalty)), case.ids);
        assert_eq!(generate(&model, &case.prompt, options(0.0)), case.ids_without_penalty);
    }
}

#[derive(serde::Deserialize)]
struct FrequencyCase {
    prompt: Vec<u32>,
    temperature: f64,
    top_k: Option<usize>,
    frequency_penalty: f64,
    seed: u64,
    ids: Vec<u32>,
    ids_without_penalty: Vec<u32>,
}

#[test]
fn a_greedy_choice_ignores_the_frequency_penalty() {
    let fixture = Fixture::plain();
    let (model, greedy) = (fixture.model(), fixture.expected().greedy);
    let options = |frequency_penalty| GenerateOptions {
        max_new_tokens: 10,
        stop_at_eos: false,
        frequency_penalty,
        ..GenerateOptions::default()
    };
    assert_eq!(generate(&model, &greedy.prompt, options(5.0)), greedy.ids[..10]);
    let wrong = Generation::new(&model, None, &[1], options(-1.0)).err().unwrap();
    assert!(wrong.to_string().contains("`frequencyPenalty` is -1, expected a finite"), "{wrong}");
}

#[test]
fn the_python_of_a_sampled_generation_has_the_frequency_penalty() {
    let script = |do_sample, frequency_penalty| {
        let options =
            GenerateOptions { do_sample, frequency_penalty, ..GenerateOptions::default() };
        generation_script(&Fixture::plain().config(), "folder", &[1, 2], &options).unwrap()
    };
    let line = "logits -= 1.5 * torch.bincount(torch.tensor(text), minlength=len(logits))";
    assert!(script(true, 1.5).contains(line), "{}", script(true, 1.5));
    assert!(!script(true, 0.0).contains("bincount") && !script(false, 1.5).contains("bincount"));
}
