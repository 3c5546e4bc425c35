//! Tests of the trainer: each part, and a short run that learns, resumes and exports.

#[path = "../examples/train/mod.rs"]
#[allow(dead_code)] // the tests use only a part of the program
mod train;

use std::path::PathBuf;

use candle_core::{Device, Tensor, Var};
use candle_nn::Optimizer;
use candlescope::{Config, Model, NoHooks, Tokenizer, Weights};

use train::optimizer::{AdamW, Parameter, Schedule};
use train::rows::{Phase, Phases, batch};
use train::text::{Document, normalize};
use train::trainer::{Settings, Trainer};
use train::trigram::Trigram;
use train::{checkpoint, evaluate, vocabulary};

const PLAY: &str = "\tA SHORT PLAY\n\n\tDRAMATIS PERSONAE\n\nANNA\ta guest.\n\nSCENE\tA room.\n\n\tA SHORT PLAY\n\nACT I\n\n\
    SCENE I\tA room\n\twith a door.\n\n\t[Enter ANNA and\n\tBERT]\n\nANNA\tGood day, [Sits]  sir.\n\tHow late is it?\n\n\
    BERT\nOF YORK\tLate.\n\n\t[Exit]\n\n\tIndeed.\n\nACT II\n\n\tA SHORT PLAY\n\nANNA\t[Within]\n\nBERT\tWho calls?\n";

#[test]
fn a_play_becomes_names_and_lines() {
    let expected = "ANNA:\nGood day, sir.\nHow late is it?\n\nBERT OF YORK:\nLate.\nIndeed.\n\nBERT:\nWho calls?\n\n";
    assert_eq!(normalize(PLAY), expected);
}

#[test]
fn text_that_is_not_a_play_is_unchanged() {
    let poem = "From off a hill\n  whose concave womb\n\n\n\tre-worded [a story]\n";
    assert_eq!(normalize(poem), poem);
}

#[test]
fn the_vocabulary_encodes_any_text_and_gives_it_back() {
    let document = document(&rhyme(40));
    let json = vocabulary::train(&[&document], 300).unwrap();
    let tokenizer = Tokenizer::from_json(json.as_bytes()).unwrap();
    for text in ["the moon of brass\n\n", "never seen: żółw 🦆\u{0}\r\n\t  "] {
        assert_eq!(tokenizer.decode(&tokenizer.encode(text).unwrap()).unwrap(), text);
    }
    let learnt = tokenizer.encode(&document.text).unwrap();
    assert!(
        learnt.len() * 3 < document.text.len() * 2,
        "{} tokens for {} bytes",
        learnt.len(),
        document.text.len()
    );
    assert_eq!(tokenizer.encode(vocabulary::END_OF_TEXT).unwrap(), [vocabulary::END_OF_TEXT_ID]);
}

#[test]
fn a_vocabulary_too_large_for_the_text_is_refused() {
    let error = vocabulary::train(&[&document("short")], 4096).unwrap_err();
    assert!(error.to_string().contains("ask for --vocab"), "{error}");
}

#[test]
fn phases_are_consecutive_and_the_last_has_no_end() {
    let phases: Phases = "10x64:0.5,5x128:0.25,256:0".parse().unwrap();
    let at = |step| (phases.at(step).length, phases.at(step).repeated);
    assert_eq!(
        [at(0), at(9), at(10), at(14), at(15), at(900)],
        [(64, 0.5), (64, 0.5), (128, 0.25), (128, 0.25), (256, 0.0), (256, 0.0)]
    );
    assert!("10x64".parse::<Phases>().is_err());
    assert!("10x4:0.5".parse::<Phases>().is_err());
}

#[test]
fn a_repeated_row_repeats_its_first_period() {
    let text: Vec<u32> = (0..500).map(|i| i % 97 + 1).collect();
    let phase = Phase { steps: None, length: 64, repeated: 1.0 };
    let batch = batch(&text, 100, 64 * 20, phase, 3, 5).unwrap();
    assert_eq!(batch.rows, 20);
    for row in 0..batch.rows {
        let at = row * 64..(row + 1) * 64;
        let (tokens, targets, weights) =
            (&batch.tokens[at.clone()], &batch.targets[at.clone()], &batch.weights[at]);
        assert_eq!(tokens[1..], targets[..63]);
        let period =
            (4..=32).find(|p| (*p..64).all(|i| tokens[i] == tokens[i - p])).expect("a period");
        let scored: usize = weights.iter().filter(|weight| **weight == 1.0).count();
        assert!(
            scored == 64 || scored == 65 - period,
            "{scored} targets count with period {period}"
        );
    }
}

#[test]
fn the_rows_of_a_step_depend_only_on_seed_and_step() {
    let text: Vec<u32> = (0..500).map(|i| i % 97 + 1).collect();
    let phase = Phase { steps: None, length: 32, repeated: 0.5 };
    let tokens = |seed, step| batch(&text, 100, 256, phase, seed, step).unwrap().tokens;
    assert_eq!(tokens(1, 7), tokens(1, 7));
    assert_ne!(tokens(1, 7), tokens(1, 8));
    assert_ne!(tokens(1, 7), tokens(2, 7));
}

#[test]
fn the_rate_warms_up_stays_and_decays_to_a_twentieth() {
    let schedule = Schedule { peak: 1.0, warmup: 10, steps: 100, cooldown: 0.4 };
    assert_eq!(schedule.rate(0), 0.1);
    assert_eq!([10, 40, 60].map(|step| schedule.rate(step)), [1.0; 3]);
    assert!((schedule.rate(80) - 0.525).abs() < 1e-12);
    assert!((schedule.rate(100) - 0.05).abs() < 1e-12);
}

#[test]
fn adamw_takes_the_steps_of_candle_nns() {
    let start =
        Tensor::from_vec((0..6).map(|i| (i as f32).sin()).collect(), (2, 3), &Device::Cpu).unwrap();
    let theirs = Var::from_tensor(&start).unwrap();
    let params =
        candle_nn::ParamsAdamW { lr: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.01 };
    let mut optimizer = candle_nn::AdamW::new(vec![theirs.clone()], params).unwrap();
    let mut ours = Parameter::new("w".into(), Var::from_tensor(&start).unwrap());
    for step in 1..=20 {
        let grads = theirs.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        optimizer.step(&grads).unwrap();
        let grad: Vec<f32> = ours.values().unwrap().iter().map(|w| 2.0 * w).collect();
        AdamW::default().update(&mut ours, &grad, 1.0, 0.1, step).unwrap();
    }
    let theirs: Vec<f32> = theirs.flatten_all().unwrap().to_vec1().unwrap();
    for (a, b) in ours.values().unwrap().iter().zip(theirs) {
        assert!((a - b).abs() < 1e-5, "{a} instead of {b}"); // f32 rounding over 20 steps of 0.1
    }
}

#[test]
fn trigram_probabilities_add_up_to_one() {
    let tokens: Vec<u32> = (0..400).map(|i: u32| (i * i * 7 + i / 3) % 11).collect();
    let trigram = Trigram::new(&tokens, 13); // 11 and 12 never occur
    for before in [[tokens[5], tokens[6]], [0, 12], [12, 3], [12, 11]] {
        let sum: f64 = (0..13).map(|next| trigram.probability(before, next)).sum();
        assert!((sum - 1.0).abs() < 1e-9, "after {before:?}: {sum}");
        assert!((0..13).all(|next| trigram.probability(before, next) > 0.0));
    }
}

#[test]
fn a_trigram_model_predicts_a_cycle_and_not_its_reverse() {
    let cycle: Vec<u32> = (0..300).map(|i| i % 10).collect();
    let trigram = Trigram::new(&cycle, 10);
    assert!(trigram.loss(&cycle[..50]) < 0.1, "{}", trigram.loss(&cycle[..50]));
    let backwards: Vec<u32> = cycle.iter().rev().copied().collect();
    assert!(trigram.loss(&backwards) > 1.0);
}

#[test]
fn a_model_with_zero_weights_has_uniform_predictions_and_attention() {
    let mut trainer = Trainer::new(settings(300)).unwrap();
    for parameter in &mut trainer.parameters {
        if parameter.name == "wte.weight" || parameter.name.contains("c_attn") {
            parameter.set(vec![0.0; parameter.var.elem_count()]).unwrap();
        }
    }
    let model = trainer.frozen().unwrap();
    // Equal logits: every token has probability 1/300.
    let tokens: Vec<u32> = (0..200).collect();
    assert!((evaluate::loss(&model, &tokens, 32).unwrap() - 300f64.ln()).abs() < 1e-4);
    // Equal scores: query q gives 1 / (q + 1) to each key.
    let mean = |queries: std::ops::Range<usize>| {
        let count = queries.len() as f64;
        queries.map(|q| 1.0 / (q + 1) as f64).sum::<f64>() / count
    };
    for score in evaluate::head_scores(&model, 8, 3, 1).unwrap() {
        assert!((score.induction - mean(8..16)).abs() < 1e-6, "{score}");
        assert!((score.previous - mean(1..16)).abs() < 1e-6, "{score}");
    }
}

#[test]
fn a_short_run_learns_and_its_export_gives_the_same_logits() {
    let (tokens, json) = corpus();
    let mut trainer = Trainer::new(settings(300)).unwrap();
    let losses: Vec<f32> = (0..60).map(|_| trainer.step(&tokens).unwrap()).collect();
    let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len() as f32;
    let (before, after) = (mean(&losses[..5]), mean(&losses[55..]));
    assert!(after < before - 1.0, "the loss went from {before} to {after}");

    let folder = folder("export");
    checkpoint::export(&trainer, &folder).unwrap();
    let bytes = std::fs::read(folder.join("model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert!(file.names().iter().all(|name| name.starts_with("transformer.")), "{:?}", file.names());
    let config =
        Config::from_json(&std::fs::read_to_string(folder.join("config.json")).unwrap()).unwrap();
    assert_eq!(config, trainer.settings.config);
    let exported =
        Model::new(config.clone(), &Weights::from_bytes(&config, &bytes).unwrap()).unwrap();
    let ids = Tokenizer::from_json(json.as_bytes()).unwrap().encode("over the moon").unwrap();
    let logits = |model: &Model| -> Vec<f32> {
        let ids = Tensor::from_slice(&ids, (1, ids.len()), &Device::Cpu).unwrap();
        model.forward(&ids, None, &mut NoHooks).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    };
    for (a, b) in logits(&exported).iter().zip(logits(&trainer.frozen().unwrap())) {
        assert!((a - b).abs() < 0.02, "{a} instead of {b}"); // weights rounded to 11 bits
    }
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one_bit_for_bit() {
    let (tokens, _) = corpus();
    let run = |trainer: &mut Trainer, steps: usize| {
        for _ in 0..steps {
            trainer.step(&tokens).unwrap();
        }
    };
    let mut through = Trainer::new(settings(300)).unwrap();
    run(&mut through, 8);

    let folder = folder("resume");
    let mut first = Trainer::new(settings(300)).unwrap();
    run(&mut first, 4);
    checkpoint::save(&first, &folder).unwrap();
    let mut second = Trainer::new(settings(300)).unwrap();
    checkpoint::resume(&mut second, &folder).unwrap();
    assert_eq!(second.step, 4);
    run(&mut second, 4);

    for (a, b) in through.parameters.iter().zip(&second.parameters) {
        let bits =
            |p: &Parameter| p.values().unwrap().iter().map(|x| x.to_bits()).collect::<Vec<u32>>();
        assert_eq!(bits(a), bits(b), "{}", a.name);
        assert_eq!((&a.first, &a.second), (&b.first, &b.second), "moments of {}", a.name);
    }
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let folder = folder("other");
    checkpoint::save(&Trainer::new(settings(300)).unwrap(), &folder).unwrap();
    let mut other = Trainer::new(Settings { seed: 2, ..settings(300) }).unwrap();
    let error = checkpoint::resume(&mut other, &folder).unwrap_err();
    assert!(error.to_string().contains("of another run: seed 1"), "{error}");
}

fn settings(vocab_size: usize) -> Settings {
    let config = Config {
        n_layer: 2,
        n_head: 2,
        n_embd: 32,
        n_positions: 32,
        vocab_size,
        bos_token_id: Some(0),
        eos_token_id: Some(0),
        ..Config::default()
    };
    Settings {
        config,
        phases: "20x16:0.5,32:0.25".parse().unwrap(),
        batch: 256,
        schedule: Schedule { peak: 5e-3, warmup: 5, steps: 60, cooldown: 0.4 },
        adam: AdamW::default(),
        clip: 1.0,
        seed: 1,
        threads: 2,
    }
}

fn corpus() -> (Vec<u32>, String) {
    let document = document(&rhyme(60));
    let json = vocabulary::train(&[&document], 300).unwrap();
    let tokenizer = Tokenizer::from_json(json.as_bytes()).unwrap();
    (vocabulary::encode(&tokenizer, &[&document]).unwrap(), json)
}

/// Lines of a few words in changing order.
fn rhyme(lines: usize) -> String {
    let things = ["moon", "brass", "sphere", "sea", "owl", "crown", "night"];
    let line = |i: usize| {
        let thing = |k: usize| things[(i * i + k * i + k) % 7];
        format!("The {} of {} went over the {}, never to return.\n", thing(1), thing(2), thing(5))
    };
    (0..lines).map(line).collect()
}

fn document(text: &str) -> Document {
    Document { name: "rhyme".into(), text: text.into() }
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("trainer").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
