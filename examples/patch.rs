//! A denoising sweep over the residual stream of the bundled model, printed as a heatmap in text.
//!
//!     cargo run --profile fast --example patch
//!     cargo run --profile fast --example patch -- "clean text" "corrupted text" " answer" " against" [target]
//!
//! The arguments are two prompts with the same number of tokens, and the two tokens whose logits are compared. A cell is
//! 1 (dark) if its clean activation makes the corrupted run answer like the clean run, and 0 (blank) if it has no effect.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use candlescope::analysis::patching::{
    Contrast, Direction, Method, Patching, PatchingOptions, Sweep,
};
use candlescope::{Config, Model, Objective, Result, Tokenizer, Weights};

/// A repeated name, and the same text with another first name. The model copies the first name.
const EXAMPLE: [&str; 4] = [
    "ROMEO:\nO fair Juliet!\n\nBENVOLIO:\nO fair",
    "ROMEO:\nO fair Helena!\n\nBENVOLIO:\nO fair",
    " Juliet",
    " Helena",
];

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |index: usize| arguments.get(index).map_or(EXAMPLE[index.min(3)], String::as_str);
    let (model, tokenizer) = load(Path::new("models/shakespeare"))?;
    let contrast = Contrast {
        clean: tokenizer.encode(given(0))?,
        corrupted: tokenizer.encode(given(1))?,
        direction: Direction::Denoise,
        metric: Objective::Logit {
            answer: first_token(&tokenizer, given(2))?,
            against: Some(first_token(&tokenizer, given(3))?),
            position: -1,
        },
    };
    let labels: Vec<String> =
        tokenizer.tokens(&contrast.clean)?.into_iter().map(|token| token.string).collect();
    let at = arguments.get(4).map_or("resid_pre", String::as_str).parse()?;
    let began = Instant::now();
    let patched = swept(Sweep::new(
        &model,
        PatchingOptions {
            contrast,
            at,
            method: Method::Activation,
            each_position: false,
            layer: None,
        },
    )?)?;
    let Patching { clean, corrupted, .. } = patched;
    println!("{} patches in {:.1?}", patched.raw.data.len(), began.elapsed());
    println!("logit difference: clean {clean:.2}, corrupted {corrupted:.2}; {at} denoised:\n");
    draw(&patched, &labels);
    Ok(())
}

fn load(folder: &Path) -> std::result::Result<(Model, Tokenizer), Box<dyn std::error::Error>> {
    let config = Config::from_json(&std::fs::read_to_string(folder.join("config.json"))?)?;
    let weights = Weights::from_bytes(&config, &std::fs::read(folder.join("model.safetensors"))?)?;
    let tokenizer = Tokenizer::from_json(&std::fs::read(folder.join("tokenizer.json"))?)?;
    Ok((Model::new(config, &weights)?, tokenizer))
}

/// A name can be several tokens. The first of them is compared.
fn first_token(tokenizer: &Tokenizer, text: &str) -> Result<u32> {
    let ids = tokenizer.encode(text)?;
    ids.first()
        .copied()
        .ok_or_else(|| candlescope::Error::Input("the answer is empty, expected a token".into()))
}

fn swept(mut sweep: Sweep) -> Result<Patching> {
    while sweep.step()? {
        eprint!("\r{} of {} patches", sweep.done(), sweep.len());
        let _ = std::io::stderr().flush();
    }
    eprintln!();
    sweep.finish()
}

/// One row for each position or head, one column for each layer.
fn draw(patched: &Patching, labels: &[String]) {
    let Some(table) = &patched.normalized else {
        println!("both prompts give the same logit difference: there is nothing to explain");
        return;
    };
    let (layers, columns) = (table.shape[0], table.shape[1]);
    let by_position = table.axes[1] == "pos";
    print!("{:>16} ", if by_position { "" } else { "head" });
    (0..layers).for_each(|layer| print!("  L{layer:<4}"));
    println!();
    for column in 0..columns {
        match labels.get(column).filter(|_| by_position) {
            Some(label) => print!("{column:>3} {:>12} ", format!("{label:?}")),
            None => print!("{column:>16} "),
        }
        for layer in 0..layers {
            let share = table.at(&[layer, column]);
            let shade = [' ', '░', '▒', '▓', '█'][(share.clamp(0.0, 1.0) * 4.0).round() as usize];
            print!(" {shade}{share:>5.2}");
        }
        println!();
    }
}
