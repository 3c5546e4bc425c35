//! The bundled model in formats with fewer bits: the distance of its predictions from those in f32.
//!
//!     cargo nextest run --test precision --no-capture

use candlescope::kernel::WeightFormat;
use candlescope::{Config, Model, Tokenizer, WeightsReader, kernel, run_with_cache};

const TEXT: &str = "MIRANDA:\nIf by your art, my dearest father, you have\nPut the wild waters in this roar, allay them.\n\
    The sky, it seems, would pour down stinking pitch,\nBut that the sea, mounting to the welkin's cheek,\n\
    Dashes the fire out. O, I have suffered\nWith those that I saw suffer: a brave vessel,\n\
    Who had, no doubt, some noble creature in her,\nDash'd all to pieces. O, the cry did knock\n\
    Against my very heart. Poor souls, they perish'd.\nHad I been any god of power, I would\n\
    Have sunk the sea within the earth or ere\nIt should the good ship so have swallow'd and\n\
    The fraughting souls within her.\n";

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/models/shakespeare/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Logits `[T][V]` of the text, from a passage that the model was not trained on.
fn logits(format: WeightFormat) -> Vec<Vec<f32>> {
    let config = Config::from_json(std::str::from_utf8(&file("config.json")).unwrap()).unwrap();
    let tokens = Tokenizer::from_json(&file("tokenizer.json")).unwrap().encode(TEXT).unwrap();
    let mut reader = WeightsReader::with_format(&config, None, format);
    reader.push(&file("model.safetensors")).unwrap();
    let model = Model::new(config, &reader.finish().unwrap()).unwrap();
    run_with_cache::<&str>(&model, &tokens, &[])
        .unwrap()
        .logits()
        .unwrap()
        .squeeze(0)
        .unwrap()
        .to_vec2()
        .unwrap()
}

fn log_probs(row: &[f32]) -> impl Iterator<Item = f64> {
    let total = kernel::log_sum_exp(row);
    row.iter().map(move |logit| f64::from(*logit) - total)
}

fn favourite(row: &[f32]) -> usize {
    row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0
}

/// Mean KL divergence from `exact` in nats, and the share of positions with the same first choice.
fn distance(exact: &[Vec<f32>], found: &[Vec<f32>]) -> (f64, f64) {
    let kl = |(p, q): (&Vec<f32>, &Vec<f32>)| -> f64 {
        log_probs(p).zip(log_probs(q)).map(|(p, q)| p.exp() * (p - q)).sum()
    };
    let rows = || exact.iter().zip(found);
    let same = rows().filter(|(p, q)| favourite(p) == favourite(q)).count();
    (rows().map(kl).sum::<f64>() / exact.len() as f64, same as f64 / exact.len() as f64)
}

#[test]
fn fewer_bits_change_predictions_by_no_more_than_the_docs_say() {
    let exact = logits(WeightFormat::F32);
    for (format, most_kl, least_same) in [
        (WeightFormat::F16, 1e-6, 0.99),
        (WeightFormat::Q8, 2e-3, 0.95),
        (WeightFormat::Q4, 0.1, 0.8),
    ] {
        let (kl, same) = distance(&exact, &logits(format));
        println!(
            "{}: KL {kl:.2e} nats, the same first choice at {:.1} % of {} positions",
            format.name(),
            100.0 * same,
            exact.len()
        );
        assert!((0.0..most_kl).contains(&kl), "{format:?}: KL {kl}");
        assert!(same > least_same, "{format:?}: {same}");
    }
}
