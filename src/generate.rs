//! Prompts in, tokens out one by one, with hooks active at every step.
//!
//! A generation owns its key/value caches. While the context fits the model's `n_positions`, each step computes only the
//! new token. A longer context is cropped to its last `n_positions` tokens, as in the loop of the original model. Every
//! token then moves to an earlier position with each step (the first token of the window is at position 0), so cached
//! keys and values become invalid, and each step computes the whole window.
//!
//! Several texts are continued together: a step computes the products of all that have not ended at once, and each text
//! gives what it gives alone. One text is a batch of one.

mod options;
mod row;
mod sampling;

use candle_core::{D, IndexOp, Tensor};

use crate::error::{Error, Result};
use crate::hook::{Chain, HookContext, HookPoint, Hooks, NoHooks, PerRow};
use crate::intervene::{Choice, check_rows};
use crate::model::{KvCache, Model};
use crate::run::{Cache, Capture};
use crate::tokenizer::Tokenizer;

pub use options::GenerateOptions;
pub(crate) use options::check_options;
use row::Row;
pub use row::Step;
pub(crate) use sampling::{generator, most_probable};

/// A text that is generated token by token: call [`next_step`](Generation::next_step) until it returns None.
pub struct Generation(BatchGeneration);

impl Generation {
    /// A generation that continues `prompt`, which may be longer than `n_positions`.
    ///
    /// # Errors
    /// [`Error::Input`] if the prompt is empty or an option is out of range, [`Error::Hook`] if a name matches nothing.
    pub fn new(
        model: &Model,
        tokenizer: Option<&Tokenizer>,
        prompt: &[u32],
        options: GenerateOptions,
    ) -> Result<Generation> {
        BatchGeneration::new(model, tokenizer, &[prompt], options).map(Generation)
    }

    /// The prompt and the tokens that were generated so far.
    pub fn tokens(&self) -> &[u32] {
        self.0.tokens(0)
    }

    /// Generates the next token. None if the text is finished.
    ///
    /// # Errors
    /// As [`Model::forward`]; [`Error::Weights`] or, under interventions, [`Error::Hook`] when the logits are not finite.
    /// A later call tries the same step again.
    pub fn next_step(&mut self) -> Result<Option<Step>> {
        self.next_step_with(&mut NoHooks)
    }

    /// As [`next_step`](Generation::next_step), with `hooks` active after the interventions.
    pub fn next_step_with(&mut self, hooks: &mut dyn Hooks) -> Result<Option<Step>> {
        Ok(self.0.next_steps_with(&mut [hooks])?.and_then(|mut steps| steps.pop().flatten()))
    }
}

/// Several texts that are generated together, token by token: call [`next_steps`](BatchGeneration::next_steps) until it
/// returns None.
///
/// ```no_run
/// # fn main() -> candlescope::Result<()> {
/// # let model: candlescope::Model = unimplemented!();
/// use candlescope::{BatchGeneration, Choice, GenerateOptions};
/// let seed = Choice::Many(vec![1, 2]);
/// let options = GenerateOptions { do_sample: true, seed, ..GenerateOptions::default() };
/// let mut generation = BatchGeneration::new(&model, None, &[[5, 9], [5, 9]], options)?;
/// while let Some(steps) = generation.next_steps()? {
///     for (row, step) in steps.iter().enumerate().filter_map(|(row, step)| Some((row, step.as_ref()?))) {
///         println!("text {row} continues with {}", step.id);
///     }
/// }
/// # Ok(()) }
/// ```
pub struct BatchGeneration {
    model: Model,
    options: GenerateOptions,
    rows: Vec<Row>,
}

/// The logits after the last token of a text, `[vocab]`, and what the forward pass captured.
type Computed = (Vec<f32>, Cache);

impl BatchGeneration {
    /// A generation that continues each of `prompts`.
    ///
    /// # Errors
    /// As [`Generation::new`]; [`Error::Input`] if there is no prompt, or the seeds are not as many as the prompts or
    /// would not be used.
    pub fn new<T: AsRef<[u32]>>(
        model: &Model,
        tokenizer: Option<&Tokenizer>,
        prompts: &[T],
        options: GenerateOptions,
    ) -> Result<BatchGeneration> {
        check_options(&options)?;
        if !options.stop.is_empty() && tokenizer.is_none() {
            return Err(Error::Input("`stop` is text, but the model has no tokenizer".into()));
        }
        let count = prompts.len();
        if count == 0 {
            return Err(Error::Input("the batch has no text, expected at least one".into()));
        }
        if let Choice::Many(seeds) = &options.seed
            && seeds.len() != count
        {
            let texts =
                if count == 1 { "the text".into() } else { format!("each of the {count} texts") };
            return Err(Error::Input(format!(
                "`seed` is an array of length {}, expected one seed for {texts}, or a number",
                seeds.len()
            )));
        }
        if !options.do_sample && matches!(options.seed, Choice::Many(_)) {
            return Err(Error::Input(
                "the seeds have no effect, because `doSample` is false and the most probable token is taken: set `doSample` \
                 to true, or leave `seed` out"
                    .into(),
            ));
        }
        check_rows(&options.interventions, count)?;
        let row = |(row, prompt): (usize, &T)| {
            let found = Row::new(model, tokenizer, prompt.as_ref(), &options, row, count);
            found.map_err(|error| error.in_row(row, count))
        };
        let rows = prompts.iter().enumerate().map(row).collect::<Result<_>>()?;
        Ok(BatchGeneration { model: model.clone(), options, rows })
    }

    /// The number of texts.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no text; never.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The prompt of a text and the tokens that were generated so far.
    ///
    /// # Panics
    /// If there is no such text.
    pub fn tokens(&self, row: usize) -> &[u32] {
        &self.rows[row].tokens
    }

    /// Generates the next token of each text: None for a text that is finished. None if all are.
    ///
    /// # Errors
    /// As [`Generation::next_step`], with the first text that has no next token. No text has its token then, and a later
    /// call tries the same step again.
    pub fn next_steps(&mut self) -> Result<Option<Vec<Option<Step>>>> {
        let mut hooks = vec![NoHooks; self.len()];
        let mut hooks: Vec<_> = hooks.iter_mut().map(|hooks| hooks as &mut dyn Hooks).collect();
        self.next_steps_with(&mut hooks)
    }

    /// As [`next_steps`](BatchGeneration::next_steps), with hooks for each text, active after the interventions. The
    /// [`row`](crate::HookContext) of their context is the text's, also when others have ended.
    ///
    /// # Errors
    /// As [`next_steps`](BatchGeneration::next_steps), and those of the hooks.
    ///
    /// # Panics
    /// If there are not hooks for each text.
    pub fn next_steps_with(
        &mut self,
        hooks: &mut [&mut dyn Hooks],
    ) -> Result<Option<Vec<Option<Step>>>> {
        assert_eq!(hooks.len(), self.len(), "hooks for each text");
        if self.rows.iter().all(|row| row.has_ended(&self.options)) {
            return Ok(None);
        }
        let computed = self.compute(hooks).and_then(|computed| self.with_totals(computed));
        if computed.is_err() {
            // Some have this step already, which a later call computes again.
            self.rows.iter_mut().for_each(|row| row.kv = None);
        }
        let (model, options) = (&self.model, &self.options);
        let step = |(row, computed): (&mut Row, Option<(Computed, f64)>)| {
            let ((logits, cache), total) = computed?;
            Some(row.step(model, options, (&logits, total), cache))
        };
        Ok(Some(self.rows.iter_mut().zip(computed?).map(step).collect()))
    }

    /// Checks the logits of all texts before any of them takes a token.
    fn with_totals(&self, computed: Vec<Option<Computed>>) -> Result<Vec<Option<(Computed, f64)>>> {
        let with_total = |(index, computed): (usize, Option<Computed>)| {
            let Some(computed) = computed else { return Ok(None) };
            let total = self.rows[index].log_sum_exp(&computed.0, &self.options);
            let total = total.map_err(|error| error.in_row(index, self.len()))?;
            Ok(Some((computed, total)))
        };
        computed.into_iter().enumerate().map(with_total).collect()
    }

    /// Computes the texts that have not ended.
    fn compute(&mut self, hooks: &mut [&mut dyn Hooks]) -> Result<Vec<Option<Computed>>> {
        let mut computed: Vec<_> = self.rows.iter().map(|_| None).collect();
        let live = (0..self.len()).filter(|row| !self.rows[*row].has_ended(&self.options));
        let (cached, whole): (Vec<_>, Vec<_>) = live.partition(|row| self.is_cached(*row));
        for (rows, cached) in [(cached, true), (whole, false)] {
            for pass in self.passes(&rows) {
                for (row, found) in pass.iter().zip(self.pass(pass, cached, hooks)?) {
                    computed[*row] = Some(found);
                }
            }
        }
        Ok(computed)
    }

    /// Whether a text's keys and values are kept: its context must fit the model.
    fn is_cached(&self, row: usize) -> bool {
        self.options.use_cache && self.rows[row].tokens.len() <= self.model.config().n_positions
    }

    /// Where the tokens begin that the next step of a text computes.
    fn start(&self, row: usize) -> usize {
        let Row { kv, tokens, .. } = &self.rows[row];
        match kv {
            Some(kv) if self.is_cached(row) => kv.len(),
            _ => tokens.len().saturating_sub(self.model.config().n_positions),
        }
    }

    /// The texts of each pass: as many as have at most `n_positions` tokens together, so that a pass over many long
    /// prompts needs no more memory than one over a single text of full length.
    fn passes<'r>(&self, rows: &'r [usize]) -> Vec<&'r [usize]> {
        let mut passes = Vec::new();
        let (mut first, mut tokens) = (0, 0);
        for (index, row) in rows.iter().enumerate() {
            let new = self.rows[*row].tokens.len() - self.start(*row);
            if index > first && tokens + new > self.model.config().n_positions {
                passes.push(&rows[first..index]);
                (first, tokens) = (index, 0);
            }
            tokens += new;
        }
        passes.extend((first < rows.len()).then(|| &rows[first..]));
        passes
    }

    /// One forward pass over the new tokens of some texts, in ascending order.
    fn pass(
        &mut self,
        rows: &[usize],
        cached: bool,
        hooks: &mut [&mut dyn Hooks],
    ) -> Result<Vec<Computed>> {
        let config = self.model.config();
        let starts: Vec<usize> = rows.iter().map(|row| self.start(*row)).collect();
        let (mut texts, mut kv, mut captures) = (Vec::new(), Vec::new(), Vec::new());
        for (row, start) in rows.iter().zip(starts) {
            let row = &mut self.rows[*row];
            row.plan.window_start = row.tokens.len().saturating_sub(config.n_positions);
            texts.push(row.tokens[start..].to_vec());
            captures.push(row.capture.clone());
            // Taken, so that a failed step leaves no partially filled cache.
            kv.extend(row.kv.take().filter(|_| cached).or(cached.then(|| KvCache::new(config))));
        }
        let all = self.rows.iter_mut().zip(hooks).enumerate();
        let of_pass = all.filter(|(row, _)| rows.binary_search(row).is_ok());
        let chains = of_pass.zip(&mut captures).map(|((row, (text, hooks)), capture)| OfText {
            row,
            hooks: Chain(vec![&mut text.plan, &mut **hooks, capture]),
        });
        let mut chains = PerRow(chains.collect());
        let kv_of_pass = cached.then_some(kv.as_mut_slice());
        let logits = self.model.forward_rows(&texts, kv_of_pass, &mut chains)?;
        drop(chains);
        for (row, kv) in rows.iter().zip(kv) {
            self.rows[*row].kv = Some(kv);
        }
        let last = |(logits, capture): (Tensor, Capture)| {
            let last = logits.dim(D::Minus2)? - 1;
            Ok((logits.i((0, last))?.to_vec1()?, capture.into_cache()))
        };
        logits.into_iter().zip(captures).map(last).collect()
    }
}

/// The hooks of a text, with its place among all texts: a pass counts only those that it computes.
struct OfText<'a> {
    row: usize,
    hooks: Chain<'a>,
}

impl Hooks for OfText<'_> {
    fn wants(&self, point: HookPoint) -> bool {
        self.hooks.wants(point)
    }

    fn visit(&mut self, context: HookContext, value: Tensor) -> Result<Tensor> {
        self.hooks.visit(HookContext { row: self.row, ..context }, value)
    }
}
