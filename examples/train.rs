//! Trains a small GPT-2 on text files, with the library's own model and candle's autograd.
//!
//! `cargo run --profile fast --example train -- --help` lists the options.

#[path = "train/mod.rs"]
mod train;

use std::path::{Path, PathBuf};
use std::time::Instant;

use candlescope::{Config, Model, Tokenizer, Weights};

use train::Result;
use train::optimizer::{AdamW, Schedule};
use train::rows::Phases;
use train::text::Document;
use train::trainer::{Settings, Trainer};
use train::trigram::Trigram;
use train::{checkpoint, evaluate, text, vocabulary};

const HELP: &str = "\
Trains a small GPT-2 on text files and writes it as Hugging Face does: config.json, tokenizer.json,
model.safetensors (f16). Plays in the form `speaker, tab, line` become `NAME:` and lines.

  cargo run --profile fast --example train -- --text FILE... --out DIR [OPTION VALUE]...

  --text FILE...          the text, UTF-8
  --hold-out NAME...      files (by name without folder and extension) kept for the held-out loss
  --out DIR               the folder for all output
  --resume                continue from DIR's checkpoint
  --evaluate              only score the model in DIR

model     --vocab 4096  --layers 4  --heads 4  --width 256  --context 256
training  --steps 3300  --batch 2048 (tokens in a step)  --rate 2e-3  --warmup 100
          --cooldown 0.4 (share of the steps in which the rate falls)  --weight-decay 0.01  --clip 1
          --seed 1  --threads (all)  --phases 1000x64:0.5,550x128:0.4,250x128:0.75,350x256:0.2,256:0.08
          (phases: for 1000 steps rows of 64 tokens, half of them repeated pieces; ...)
reports   --log-every 10  --evaluate-every 250  --save-every 100  (in steps)
";

struct Options {
    text: Vec<PathBuf>,
    hold_out: Vec<String>,
    out: PathBuf,
    resume: bool,
    evaluate: bool,
    log_every: usize,
    evaluate_every: usize,
    save_every: usize,
    settings: Settings,
}

impl Default for Options {
    fn default() -> Options {
        let config = Config {
            n_layer: 4,
            n_head: 4,
            n_embd: 256,
            n_positions: 256,
            vocab_size: 4096,
            bos_token_id: Some(vocabulary::END_OF_TEXT_ID),
            eos_token_id: Some(vocabulary::END_OF_TEXT_ID),
            ..Config::default()
        };
        let settings = Settings {
            config,
            phases: "1000x64:0.5,550x128:0.4,250x128:0.75,350x256:0.2,256:0.08"
                .parse()
                .expect("the default phases"),
            batch: 2048,
            schedule: Schedule { peak: 2e-3, warmup: 100, steps: 3300, cooldown: 0.4 },
            adam: AdamW::default(),
            clip: 1.0,
            seed: 1,
            threads: std::thread::available_parallelism().map_or(1, |cores| cores.get()),
        };
        Options {
            text: Vec::new(),
            hold_out: Vec::new(),
            out: PathBuf::new(),
            resume: false,
            evaluate: false,
            log_every: 10,
            evaluate_every: 250,
            save_every: 100,
            settings,
        }
    }
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Options> {
        let mut options = Options::default();
        let mut rest = arguments.iter().peekable();
        while let Some(name) = rest.next() {
            let mut values = Vec::new();
            while let Some(value) = rest.next_if(|value| !value.starts_with("--")) {
                values.push(value.as_str());
            }
            options.set(name, &values)?;
        }
        if options.text.is_empty() || options.out.as_os_str().is_empty() {
            return Err("expected --text FILE... and --out DIR; --help lists the options".into());
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, values: &[&str]) -> Result<()> {
        let Settings { config, schedule, adam, .. } = &mut self.settings;
        match name {
            "--text" => self.text.extend(values.iter().map(PathBuf::from)),
            "--hold-out" => self.hold_out.extend(values.iter().map(ToString::to_string)),
            "--out" => self.out = one(name, values)?,
            "--resume" => self.resume = true,
            "--evaluate" => self.evaluate = true,
            "--vocab" => config.vocab_size = one(name, values)?,
            "--layers" => config.n_layer = one(name, values)?,
            "--heads" => config.n_head = one(name, values)?,
            "--width" => config.n_embd = one(name, values)?,
            "--context" => config.n_positions = one(name, values)?,
            "--steps" => schedule.steps = one(name, values)?,
            "--rate" => schedule.peak = one(name, values)?,
            "--warmup" => schedule.warmup = one(name, values)?,
            "--cooldown" => schedule.cooldown = one(name, values)?,
            "--weight-decay" => adam.weight_decay = one(name, values)?,
            "--batch" => self.settings.batch = one(name, values)?,
            "--clip" => self.settings.clip = one(name, values)?,
            "--seed" => self.settings.seed = one(name, values)?,
            "--threads" => self.settings.threads = one(name, values)?,
            "--phases" => self.settings.phases = one::<Phases>(name, values)?,
            "--log-every" => self.log_every = one(name, values)?,
            "--evaluate-every" => self.evaluate_every = one(name, values)?,
            "--save-every" => self.save_every = one(name, values)?,
            _ => return Err(format!("unknown option `{name}`; --help lists the options").into()),
        }
        Ok(())
    }
}

fn one<T: std::str::FromStr>(name: &str, values: &[&str]) -> Result<T> {
    match values {
        [value] => {
            value.parse().map_err(|_| format!("`{name}` cannot be `{value}`; see --help").into())
        }
        _ => Err(format!("`{name}` takes one value, got {}", values.len()).into()),
    }
}

/// The text as tokens: the part to train on and the part that is held out.
struct Corpus {
    training: Vec<u32>,
    held_out: Vec<u32>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.is_empty() || arguments.iter().any(|argument| argument == "--help") {
        print!("{HELP}");
        return Ok(());
    }
    let options = Options::parse(&arguments)?;
    if options.settings.threads > 1 {
        // SAFETY: no other thread runs yet. candle reads this variable at its first matrix product. With one thread
        // for each product, the trainer's threads do not compete for the cores.
        unsafe { std::env::set_var("RAYON_NUM_THREADS", "1") };
    }
    std::fs::create_dir_all(&options.out)?;
    let corpus = corpus(&options)?;
    if options.evaluate {
        return report(&options, &corpus);
    }
    let trainer = train(&options, &corpus)?;
    checkpoint::save(&trainer, &options.out)?;
    checkpoint::export(&trainer, &options.out)?;
    report(&options, &corpus)
}

fn corpus(options: &Options) -> Result<Corpus> {
    let documents = options.text.iter().map(|path| text::read(path)).collect::<Result<Vec<_>>>()?;
    for name in &options.hold_out {
        if !documents.iter().any(|document| document.name == *name) {
            return Err(format!("--hold-out {name}: no such file among --text").into());
        }
    }
    let (held_out, training): (Vec<&Document>, Vec<&Document>) =
        documents.iter().partition(|document| options.hold_out.contains(&document.name));
    let path = options.out.join("tokenizer.json");
    if !(options.resume || options.evaluate) {
        std::fs::write(&path, vocabulary::train(&training, options.settings.config.vocab_size)?)?;
    }
    let tokenizer = Tokenizer::from_json(&std::fs::read(path)?)?;
    let corpus = Corpus {
        training: vocabulary::encode(&tokenizer, &training)?,
        held_out: vocabulary::encode(&tokenizer, &held_out)?,
    };
    println!("{} tokens to train on, {} held out", corpus.training.len(), corpus.held_out.len());
    Ok(corpus)
}

fn train(options: &Options, corpus: &Corpus) -> Result<Trainer> {
    let mut trainer = Trainer::new(options.settings.clone())?;
    if options.resume {
        checkpoint::resume(&mut trainer, &options.out)?;
    } else if checkpoint::exists(&options.out) {
        return Err(format!(
            "{} holds a checkpoint: pass --resume or another --out",
            options.out.display()
        )
        .into());
    }
    let steps = options.settings.schedule.steps;
    let due = |every: usize, step: usize| step.is_multiple_of(every.max(1));
    let mut progress = Progress::new(&trainer);
    while trainer.step < steps {
        let loss = trainer.step(&corpus.training)?;
        progress.loss += loss;
        if due(options.log_every, trainer.step) {
            progress.print(&trainer, steps);
        }
        if due(options.save_every, trainer.step) {
            checkpoint::save(&trainer, &options.out)?;
        }
        if due(options.evaluate_every, trainer.step) {
            checkpoint::export(&trainer, &options.out)?;
            let seen = options.settings.phases.at(trainer.step - 1).length;
            print_scores(&trainer.frozen()?, corpus, seen)?;
        }
    }
    Ok(trainer)
}

struct Progress {
    loss: f32,
    step: usize,
    since: Instant,
}

impl Progress {
    fn new(trainer: &Trainer) -> Progress {
        Progress { loss: 0.0, step: trainer.step, since: Instant::now() }
    }

    fn print(&mut self, trainer: &Trainer, steps: usize) {
        let done = trainer.step - self.step;
        let seconds = self.since.elapsed().as_secs_f64() / done as f64;
        let settings = &trainer.settings;
        println!(
            "step {}/{steps}  loss {:.3}  rate {:.1e}  {:.0} tokens/s  {:.1} min left",
            trainer.step,
            self.loss / done as f32,
            settings.schedule.rate(trainer.step - 1),
            settings.batch as f64 / seconds,
            seconds * (steps - trainer.step) as f64 / 60.0,
        );
        *self = Progress::new(trainer);
    }
}

/// Prints the loss on the first held-out rows and the strongest heads, with rows of the current phase's length.
fn print_scores(model: &Model, corpus: &Corpus, length: usize) -> Result<()> {
    if corpus.held_out.len() > length {
        let some = &corpus.held_out[..corpus.held_out.len().min(32 * length + 1)];
        println!(
            "  held-out loss {:.4} (first {} tokens)",
            evaluate::loss(model, some, length)?,
            some.len()
        );
    }
    print_heads(model, length / 2, 8)
}

fn print_heads(model: &Model, period: usize, sequences: usize) -> Result<()> {
    let scores = evaluate::head_scores(model, period, sequences, 7)?;
    let induction = evaluate::best(&scores, |score| score.induction);
    let previous = evaluate::best(&scores, |score| score.previous);
    println!(
        "  {period} random tokens twice: best induction {induction}; best previous-token {previous}"
    );
    Ok(())
}

/// Loads the exported files in `--out` and prints their scores.
fn report(options: &Options, corpus: &Corpus) -> Result<()> {
    let model = load(&options.out)?;
    let length = model.config().n_positions;
    println!("{} parameters", model.parameter_count());
    if corpus.held_out.len() > length {
        let scored = evaluate::scored(&corpus.held_out, length);
        println!(
            "held-out loss {:.4} on {} tokens",
            evaluate::loss(&model, scored, length)?,
            scored.len() - 1
        );
        let trigram = Trigram::new(&corpus.training, model.config().vocab_size);
        println!("trigram loss  {:.4} on the same", trigram.loss(scored));
    }
    for period in [16, 32, 64, 128].into_iter().filter(|period| 2 * period <= length) {
        print_heads(&model, period, 50)?;
    }
    evaluate::head_scores(&model, length / 4, 50, 7)?
        .iter()
        .for_each(|score| println!("  {score}"));
    Ok(())
}

fn load(folder: &Path) -> Result<Model> {
    let config = Config::from_json(&std::fs::read_to_string(folder.join("config.json"))?)?;
    let weights = Weights::from_bytes(&config, &std::fs::read(folder.join("model.safetensors"))?)?;
    Ok(Model::new(config, &weights)?)
}
