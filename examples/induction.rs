//! Finds the induction heads of a model and measures their effect.
//!
//! ```sh
//! cargo run --profile fast --example induction -- models/shakespeare
//! ```
//!
//! First, every head is scored on random tokens repeated twice. Then the model reads a sentence twice, and the loss on the
//! second half shows how well it copies. Finally, the strongest induction head is set to zero: the loss on the second
//! half rises, and the loss on the first half hardly changes.

use std::error::Error;
use std::path::{Path, PathBuf};

use candlescope::NamedArray;
use candlescope::analysis::heads::{Kind, RepeatedTokens, scores_on_repeated_tokens, strongest};
use candlescope::intervene::Zero;
use candlescope::{Choice, Config, Intervention, Model, RunOptions, Tokenizer, Weights, run};

const SENTENCE: &str = "You are gentlemen of brave metal; you would lift the moon out of her sphere, if she would \
                        continue in it five weeks without changing.";

fn main() -> Result<(), Box<dyn Error>> {
    let folder =
        std::env::args().nth(1).map_or_else(|| PathBuf::from("models/shakespeare"), PathBuf::from);
    let (model, tokenizer) = load(&folder)?;

    let scores = scores_on_repeated_tokens(&model, &RepeatedTokens::for_model(model.config()))?;
    print_scores(&scores);
    for kind in Kind::ALL {
        if let Some((layer, head, score)) = strongest(&scores, kind) {
            println!("strongest {:<15} head: L{layer}H{head}, {score:.3}", kind.name());
        }
    }

    let (layer, head, _) =
        strongest(&scores, Kind::Induction).ok_or("no head has an induction score")?;
    let tokens = tokenizer.encode(&format!("{SENTENCE} {SENTENCE}"))?;
    let half = tokenizer.encode(SENTENCE)?.len();
    let intact = losses(&model, &tokens, half, Vec::new())?;
    let ablated = losses(&model, &tokens, half, vec![without(layer, head)])?;
    println!("\nloss, in nats per token       first half   second half");
    println!("intact                        {:>10.3}   {:>11.3}", intact[0], intact[1]);
    println!(
        "{:<30}{:>10.3}   {:>11.3}",
        format!("L{layer}H{head} set to zero"),
        ablated[0],
        ablated[1]
    );
    Ok(())
}

fn load(folder: &Path) -> Result<(Model, Tokenizer), Box<dyn Error>> {
    let config = Config::from_json(&std::fs::read_to_string(folder.join("config.json"))?)?;
    let weights = Weights::from_bytes(&config, &std::fs::read(folder.join("model.safetensors"))?)?;
    let tokenizer = Tokenizer::from_json(&std::fs::read(folder.join("tokenizer.json"))?)?;
    Ok((Model::new(config, &weights)?, tokenizer))
}

fn print_scores(scores: &NamedArray) {
    let names = scores.labels["score"].join("  ");
    println!("head  {names}");
    for (layer, head) in
        (0..scores.shape[1]).flat_map(|layer| (0..scores.shape[2]).map(move |head| (layer, head)))
    {
        let [previous, duplicate, induction] =
            [0, 1, 2].map(|score| scores.at(&[score, layer, head]));
        println!("L{layer}H{head}  {previous:>14.3}  {duplicate:>15.3}  {induction:>9.3}");
    }
}

/// The intervention that sets a head's output to zero.
fn without(layer: usize, head: usize) -> Intervention {
    let zero = Intervention::new(format!("blocks.{layer}.attn.hook_z"), Zero);
    Intervention { head: Some(Choice::One(head as i64)), ..zero }
}

/// The mean loss of the tokens before `half`, and of those from there on.
fn losses(
    model: &Model,
    tokens: &[u32],
    half: usize,
    interventions: Vec<Intervention>,
) -> candlescope::Result<[f32; 2]> {
    let options = RunOptions { interventions, ..RunOptions::default() };
    let log_probs = run(model, tokens, &options)?.scores.log_probs; // entry t is about token t + 1
    let (first, second) = log_probs.split_at(half - 1);
    Ok([first, second].map(|part| -part.iter().sum::<f32>() / part.len() as f32))
}
