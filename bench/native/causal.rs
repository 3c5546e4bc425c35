//! What sweeps and gradients cost, in forward passes of the same prompt: ratios in one run, on a random GPT-2.
//!
//!     cargo bench --bench causal            # GPT-2's own shape, 30 tokens
//!     cargo bench --bench causal -- 4 256   # layers and width

use std::collections::HashMap;
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use candlescope::analysis::patching::attribution_patching;
use candlescope::analysis::patching::{
    Contrast, Direction, Method, PatchingOptions, Sweep, Target,
};
use candlescope::{
    Config, Model, Objective, Result, RunOptions, Weights, expected_shapes, run, run_with_cache,
};

const TOKENS: usize = 30;
const ROUNDS: usize = 7;

fn main() -> Result<()> {
    let sizes: Vec<usize> =
        std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let config = match sizes[..] {
        [n_layer, n_embd] => Config { n_layer, n_embd, n_head: n_embd / 64, ..Config::default() },
        _ => Config::default(),
    };
    println!(
        "{} layers, width {}, {} ids, {TOKENS} tokens",
        config.n_layer, config.n_embd, config.vocab_size
    );
    let model = random(config)?;
    let prompt = |seed: u32| {
        (0..TOKENS as u32).map(|t| (t * 7919 + seed * 104_729) % 50_000).collect::<Vec<_>>()
    };
    let (clean, corrupted) = (prompt(1), prompt(2));
    let metric = Objective::Logit { answer: 11, against: Some(13), position: -1 };

    let names = vec!["*".to_string()];
    let plain = || run_with_cache::<&str>(&model, &clean, &[]).map(drop);
    let capture = || run_with_cache(&model, &clean, &names).map(drop);
    let gradients = |gradients_of: Objective| {
        let options = RunOptions {
            names: names.clone(),
            gradients_of: Some(gradients_of),
            ..RunOptions::default()
        };
        run(&model, &clean, &options).map(drop)
    };
    let difference = || gradients(metric.clone());
    let loss = || gradients(Objective::Loss);
    let [forward, all, difference, loss] = fastest([&plain, &capture, &difference, &loss])?;
    println!("one forward pass: {:.1} ms", forward.as_secs_f64() * 1e3);
    println!("every default point captured: {:.2} forward passes", ratio(all, forward));
    for (what, both) in [("logit difference", difference), ("loss", loss)] {
        println!(
            "gradients of a {what} at every default point, with their forward pass: {:.2}",
            ratio(both, forward)
        );
    }
    for (at, each_position) in [(Target::ResidPre, true), (Target::Z, false)] {
        let contrast = Contrast {
            clean: clean.clone(),
            corrupted: corrupted.clone(),
            direction: Direction::Denoise,
            metric: metric.clone(),
        };
        let options = PatchingOptions {
            contrast,
            at,
            method: Method::Activation,
            each_position,
            layer: None,
        };
        let began = Instant::now();
        let estimate = attribution_patching(&model, &options)?;
        println!(
            "attribution patching at {at}: {:.2} forward passes",
            ratio(began.elapsed(), forward)
        );
        let [before] = fastest([&plain])?;
        let began = Instant::now();
        let patched = Sweep::new(&model, options)?.finish()?;
        let spent = began.elapsed();
        let [after] = fastest([&plain])?;
        let count = patched.raw.data.len();
        assert_eq!(count, estimate.raw.data.len());
        let per_patch = spent / count as u32;
        println!(
            "a sweep of {count} patches at {at}: {:.2} of as many forward passes",
            ratio(per_patch, before.min(after))
        );
    }
    Ok(())
}

fn random(config: Config) -> Result<Model> {
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let mean = if name.contains("ln_") && name.ends_with("weight") { 1.0 } else { 0.0 };
        Ok((name, Tensor::randn(mean, 0.02f32, shape, &Device::Cpu)?))
    };
    let tensors =
        expected_shapes(&config).into_iter().map(tensor).collect::<Result<HashMap<_, _>>>()?;
    let weights = Weights::from_tensors(&config, tensors)?;
    Model::new(config, &weights)
}

/// The shortest time of each job. The jobs take turns, so that a slow phase of the machine affects all.
fn fastest<const N: usize>(jobs: [&dyn Fn() -> Result<()>; N]) -> Result<[Duration; N]> {
    let mut times = [Duration::MAX; N];
    for _ in 0..=ROUNDS {
        for (job, time) in jobs.iter().zip(&mut times) {
            let began = Instant::now();
            job()?;
            *time = began.elapsed().min(*time);
        }
    }
    Ok(times)
}

fn ratio(time: Duration, of: Duration) -> f64 {
    time.as_secs_f64() / of.as_secs_f64()
}
