//! Texts that are generated together are those that are generated alone: the same tokens, the same bits of each number with
//! packed weights. Natively a plain matrix is multiplied by the crate `gemm`, whose order of sums depends on the number of rows.

mod common;

use candlescope::kernel::WeightFormat;
use candlescope::{
    BatchGeneration, Cache, Choice, GenerateOptions, Generation, HookContext, HookPoint, Hooks,
    Intervention, Model, Result, Step, Tokenizer, WeightsReader,
};
use common::*;
use proptest::prelude::*;
use serde_json::json;

fn model_in(fixture: &Fixture, format: WeightFormat) -> Model {
    let mut reader = WeightsReader::with_format(&fixture.config(), None, format);
    reader.push(fixture.weights).unwrap();
    Model::new(fixture.config(), &reader.finish().unwrap()).unwrap()
}

/// The steps of each text.
fn together(
    model: &Model,
    tokenizer: Option<&Tokenizer>,
    prompts: &[Vec<u32>],
    options: &GenerateOptions,
) -> Vec<Vec<Step>> {
    let mut generation = BatchGeneration::new(model, tokenizer, prompts, options.clone()).unwrap();
    let mut found: Vec<Vec<Step>> = prompts.iter().map(|_| Vec::new()).collect();
    let mut ended = vec![false; prompts.len()];
    while let Some(steps) = generation.next_steps().unwrap() {
        assert_eq!(steps.len(), prompts.len());
        assert!(steps.iter().any(Option::is_some), "a step of no text");
        for (row, step) in steps.into_iter().enumerate() {
            assert!(!ended[row] || step.is_none(), "text {row} goes on after its end");
            ended[row] = step.is_none();
            found[row].extend(step);
        }
    }
    for (row, (prompt, steps)) in prompts.iter().zip(&found).enumerate() {
        let ids = steps.iter().map(|step| step.id);
        let text: Vec<u32> = prompt.iter().copied().chain(ids).collect();
        assert_eq!(generation.tokens(row), text);
    }
    found
}

/// The options with which text `row` of several is generated alone.
fn alone(options: &GenerateOptions, row: usize, rows: usize) -> GenerateOptions {
    let mut options = options.clone();
    if let Choice::Many(seeds) = &options.seed {
        options.seed = Choice::One(seeds[row]);
    }
    options.interventions.retain_mut(|change| match change.batch.take() {
        None => true,
        Some(Choice::One(index)) => index == row as i64 || index + rows as i64 == row as i64,
        Some(Choice::Many(indices)) => indices.contains(&(row as i64)),
    });
    options
}

fn steps(
    model: &Model,
    tokenizer: Option<&Tokenizer>,
    prompt: &[u32],
    options: GenerateOptions,
) -> Vec<Step> {
    let mut generation = Generation::new(model, tokenizer, prompt, options).unwrap();
    std::iter::from_fn(|| generation.next_step().unwrap()).collect()
}

fn assert_same_cache(what: &str, found: &Cache, expected: &Cache, exactly: bool) {
    assert_eq!(found.names(), expected.names(), "{what}");
    let compare = if exactly { assert_same_bits } else { assert_close };
    for ((point, found), (_, expected)) in found.iter().zip(expected.iter()) {
        compare(&format!("{what}: {point}"), found, expected);
    }
}

fn assert_equals_alone(
    model: &Model,
    tokenizer: Option<&Tokenizer>,
    prompts: &[Vec<u32>],
    options: &GenerateOptions,
    exactly: bool,
) {
    let found = together(model, tokenizer, prompts, options);
    for (row, (prompt, found)) in prompts.iter().zip(&found).enumerate() {
        let expected = steps(model, tokenizer, prompt, alone(options, row, prompts.len()));
        let ids = |steps: &[Step]| steps.iter().map(|step| step.id).collect::<Vec<_>>();
        assert_eq!(ids(found), ids(&expected), "text {row}");
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let what = format!("text {row}, step {index}");
            assert_eq!(found.string, expected.string, "{what}");
            assert_same_cache(&what, &found.cache, &expected.cache, exactly);
            if exactly {
                assert_eq!(found.log_prob.to_bits(), expected.log_prob.to_bits(), "{what}");
                assert_eq!(found.top, expected.top, "{what}");
            } else {
                assert_all_close(&what, &[found.log_prob], &[expected.log_prob]);
            }
        }
    }
}

/// Prompts of different lengths: some are longer than the context, and some grow beyond it.
fn prompts(fixture: &Fixture) -> Vec<Vec<u32>> {
    let (tokens, n_positions) = (fixture.expected().tokens, fixture.config().n_positions);
    let cycled = |count| tokens.iter().cycle().take(count).copied().collect::<Vec<_>>();
    vec![cycled(n_positions - 2), cycled(3), cycled(n_positions + 2), cycled(1), cycled(3)]
}

#[test]
fn every_model_gives_each_text_what_it_gives_alone() {
    for fixture in FIXTURES.iter().chain(&TOYS) {
        for (format, exactly) in [(WeightFormat::F32, true), (WeightFormat::Plain, false)] {
            for use_cache in [true, false] {
                let model = model_in(fixture, format);
                let options = GenerateOptions {
                    max_new_tokens: 5,
                    do_sample: true,
                    seed: Choice::Many(vec![5, 4, 3, 2, 1]),
                    names: every_name(model.config()),
                    use_cache,
                    ..GenerateOptions::default()
                };
                assert_equals_alone(&model, None, &prompts(fixture), &options, exactly);
            }
        }
    }
}

/// The oracle is Hugging Face's `generate`, and the sampler of `make_fixtures.py`.
#[test]
fn texts_of_one_batch_are_those_of_hugging_face_and_of_the_documented_generator() {
    for fixture in &FIXTURES {
        let (model, expected) = (fixture.model(), fixture.expected());
        let greedy = GenerateOptions {
            max_new_tokens: 50,
            stop_at_eos: false,
            ..GenerateOptions::default()
        };
        let twice = [expected.greedy.prompt.clone(), expected.greedy.prompt];
        for steps in together(&model, None, &twice, &greedy) {
            assert!(steps.iter().map(|step| step.id).eq(expected.greedy.ids.iter().copied()));
        }
        for sampled in expected.sampled {
            let seed = Choice::Many(vec![sampled.seed + 1, sampled.seed]);
            let options = GenerateOptions { seed, ..sampled.options() };
            let texts = [sampled.prompt.clone(), sampled.prompt];
            let found = together(&model, None, &texts, &options);
            assert!(found[1].iter().map(|step| step.id).eq(sampled.ids.iter().copied()));
        }
    }
}

#[test]
fn a_text_that_ended_is_computed_no_more() {
    /// Counts the passes over a text.
    #[derive(Default)]
    struct Count {
        calls: usize,
        rows: Vec<usize>,
    }
    impl Hooks for Count {
        fn wants(&self, point: HookPoint) -> bool {
            point == HookPoint::Embed
        }
        fn visit(
            &mut self,
            context: HookContext,
            value: candle_core::Tensor,
        ) -> Result<candle_core::Tensor> {
            self.calls += 1;
            self.rows.push(context.row);
            Ok(value)
        }
    }
    let fixture = Fixture::plain();
    let greedy = fixture.expected().greedy;
    let config = candlescope::Config { eos_token_id: Some(greedy.ids[4]), ..fixture.config() };
    let weights = candlescope::Weights::from_bytes(&config, fixture.weights).unwrap();
    let model = Model::new(config, &weights).unwrap();
    let first = greedy.ids.iter().position(|id| *id == greedy.ids[4]).unwrap();
    let options = GenerateOptions { max_new_tokens: 12, ..GenerateOptions::default() };
    let texts = [greedy.prompt.clone(), vec![3]];
    let mut generation = BatchGeneration::new(&model, None, &texts, options.clone()).unwrap();
    let mut counts = [Count::default(), Count::default()];
    let mut lengths = [0, 0];
    loop {
        let [one, two] = &mut counts;
        let Some(steps) = generation.next_steps_with(&mut [one, two]).unwrap() else { break };
        steps.iter().zip(&mut lengths).for_each(|(step, count)| *count += step.iter().count());
    }
    assert_eq!(lengths[0], first + 1);
    assert_eq!(counts.each_ref().map(|one| one.calls), lengths);
    for (row, one) in counts.iter().enumerate() {
        assert!(one.rows.iter().all(|found| *found == row), "text {row}: {:?}", one.rows);
    }
    assert_equals_alone(&model, None, &texts, &options, false);
}

#[test]
fn one_seed_gives_each_text_draws_of_its_own_and_text_0_those_of_the_seed_alone() {
    let fixture = Fixture::plain();
    let (model, prompt) = (fixture.model(), fixture.expected().tokens);
    let options = |seed| GenerateOptions {
        max_new_tokens: 8,
        do_sample: true,
        stop_at_eos: false,
        seed: Choice::One(seed),
        ..GenerateOptions::default()
    };
    let ids = |steps: &Vec<Step>| steps.iter().map(|step| step.id).collect::<Vec<_>>();
    let texts = vec![prompt.clone(); 4];
    let found = [7, 8].map(|seed| together(&model, None, &texts, &options(seed)));
    let mut all: Vec<_> = found.iter().flatten().map(ids).collect();
    assert_eq!(all[0], ids(&steps(&model, None, &prompt, options(7))));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 8, "two texts have the same draws");
}

#[test]
fn what_a_batch_cannot_be_is_an_error() {
    let model = Fixture::plain().model();
    let begin = |texts: &[Vec<u32>], options| {
        let error = BatchGeneration::new(&model, None, texts, options).err().unwrap();
        assert_eq!(error.name(), "InputError");
        error.to_string()
    };
    let seeds = |seeds| GenerateOptions { seed: Choice::Many(seeds), ..GenerateOptions::default() };
    let two = [vec![1], vec![2]];
    assert!(begin(&two, seeds(vec![1])).contains(
        "`seed` is an array of length 1, expected one seed for each of the 2 texts, or a number"
    ));
    assert!(begin(&two[..1], seeds(vec![1, 2])).contains("one seed for the text, or a number"));
    assert!(
        begin(&two, seeds(vec![1, 2]))
            .contains("the seeds have no effect, because `doSample` is false")
    );
    let none = GenerateOptions::default();
    assert!(begin(&[], none.clone()).contains("the batch has no text, expected at least one"));
    assert!(
        begin(&[vec![1], vec![]], none.clone()).contains("text 1 of the batch: there is no token")
    );
    let unknown = begin(&[vec![9999], vec![1]], none);
    assert!(unknown.contains("text 0 of the batch: token id 9999"), "{unknown}");
}

/// The failed step gives no text a token, and a later call computes it again.
#[test]
fn a_step_that_fails_for_one_text_is_tried_again_for_all() {
    struct FailOnce(bool);
    impl Hooks for FailOnce {
        fn wants(&self, point: HookPoint) -> bool {
            point == HookPoint::UnembedOut
        }
        fn visit(
            &mut self,
            _: HookContext,
            value: candle_core::Tensor,
        ) -> Result<candle_core::Tensor> {
            let fails = std::mem::replace(&mut self.0, false);
            Ok(if fails { (value * f64::NAN)? } else { value })
        }
    }
    let fixture = Fixture::plain();
    let model = model_in(fixture, WeightFormat::F32);
    let texts = [vec![1, 2], vec![3]];
    let options = GenerateOptions { max_new_tokens: 4, do_sample: true, ..Default::default() };
    let expected = together(&model, None, &texts, &options);
    let mut generation = BatchGeneration::new(&model, None, &texts, options).unwrap();
    let first = generation.next_steps().unwrap().unwrap();
    assert_eq!(first[1].as_ref().unwrap().id, expected[1][0].id);
    let (mut one, mut two) = (FailOnce(false), FailOnce(true));
    let error = generation.next_steps_with(&mut [&mut one, &mut two]).err().unwrap();
    assert!(
        error
            .to_string()
            .contains("text 1 of the batch: the model's logits are not finite at step 1"),
        "{error}"
    );
    assert_eq!(generation.tokens(0).len(), 3);
    while generation.next_steps().unwrap().is_some() {}
    for (row, steps) in expected.iter().enumerate() {
        let ids: Vec<u32> = steps.iter().map(|step| step.id).collect();
        assert_eq!(generation.tokens(row)[texts[row].len()..], ids);
    }
}

fn interventions(which: usize, rows: usize) -> Vec<Intervention> {
    let last = rows as i64 - 1;
    let changes = [
        json!([]),
        json!([{ "at": "blocks.*.attn.hook_z", "head": 1, "do": "zero" }]),
        json!([{ "at": "blocks.0.hook_resid_post", "batch": [0, last], "step": [0, 2], "do": { "scale": 0.5 } }]),
        json!([{ "at": "hook_embed", "batch": -1, "positions": -1, "do": { "add": 0.5 } }]),
    ];
    let mut changes = changes[which].clone();
    if rows == 1
        && let Some(batch) = changes.pointer_mut("/0/batch")
    {
        *batch = json!(0);
    }
    Intervention::list_from_json(&changes.to_string()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_batch_equals_its_rows_under_any_options(
        model in 0usize..15,
        lengths in prop::collection::vec(1usize..20, 1..6),
        shift in 0u32..50,
        do_sample: bool,
        use_cache: bool,
        temperature in 0.3f64..2.0,
        top_k in prop::option::of(1usize..9),
        top_p in prop::option::of(0.1f64..1.0),
        frequency_penalty in prop::sample::select(vec![0.0, 0.7]),
        max_new_tokens in 1usize..8,
        eos in prop::option::of(0u32..30),
        which in 0usize..4,
        names in prop::sample::select(vec![vec![], vec!["blocks.*.attn.hook_pattern"], vec!["*"]]),
    ) {
        let fixture = FIXTURES.iter().chain(&TOYS).nth(model).unwrap();
        let config = candlescope::Config { eos_token_id: eos, ..fixture.config() };
        let mut reader = WeightsReader::with_format(&config, None, WeightFormat::F32);
        reader.push(fixture.weights).unwrap();
        let vocab = config.vocab_size as u32;
        let model = Model::new(config, &reader.finish().unwrap()).unwrap();
        let text = |(row, length): (usize, &usize)| {
            (0..*length as u32).map(|index| (index * 7 + shift + row as u32 * 3) % vocab).collect()
        };
        let texts: Vec<Vec<u32>> = lengths.iter().enumerate().map(text).collect();
        let seeds = (0..texts.len() as u64).map(|row| row * 11 + u64::from(shift)).collect();
        let seed = if do_sample { Choice::Many(seeds) } else { Choice::One(0) };
        let options = GenerateOptions {
            max_new_tokens,
            do_sample,
            temperature,
            frequency_penalty,
            top_k,
            top_p,
            seed,
            names: names.into_iter().map(String::from).collect(),
            interventions: interventions(which, texts.len()),
            use_cache,
            ..GenerateOptions::default()
        };
        // The steps 0 and 2 of an intervention must exist.
        prop_assume!(which != 2 || max_new_tokens > 2);
        assert_equals_alone(&model, None, &texts, &options, true);
    }
}
