//! The calls of the JavaScript interface that are not analyses: a run, a generation, and a call as Python.

use crate::analysis;
use crate::analysis::integrated_gradients::IntegratedGradientsOptions;
use crate::analysis::patching::{Method, PatchingOptions};
use crate::analysis::path_patching::PathPatchingOptions;
use crate::checkpoint::Report;
use crate::error::{Error, Result, shortened};
use crate::generate::GenerateOptions;
use crate::lab::Lab;
use crate::parameter::{self, NewWeight, Weight};
use crate::python::{
    attribution_script, generation_script, integrated_script, path_script, run_script, sweep_script,
};
use crate::run::RunOptions;
use crate::wire::{self, FromValue, List, Prompt, PromptAfterBos, Request, Value, options, words};

words! {
    /// The end at which the shorter texts of a batch are padded to the length of the longest.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum PaddingSide {
        /// After the last token, so that a position is counted from the first token of its text.
        Right = "right",
        /// Before the first token, so that the last tokens of all texts are at the last position.
        Left = "left",
    }
}

options! {
    /// Options of `runWithCache`.
    #[derive(Clone)]
    pub struct RunCallOptions as "RunOptions" {
        /// Put the config's `bos_token_id` in front of the input.
        pub prepend_bos: bool = false,
        /// Measure the captured patterns, which must be those of every layer: see `headScores`.
        pub head_scores: bool = false,
        /// Where the results of a batch are padded, and the residual stream that it starts from. "right" if absent; one text has
        /// no padding.
        pub padding_side: Option<PaddingSide>,
        ..pub run: RunOptions,
    }
}

options! {
    /// Options of `generate`.
    #[derive(Clone)]
    pub struct GenerateCallOptions as "GenerateOptions" {
        /// Put the config's `bos_token_id` in front of the input.
        pub prepend_bos: bool = false,
        ..pub generation: GenerateOptions,
    }
}

/// A call of `runWithCache`.
pub struct RunCall {
    /// The tokens of each text to run.
    pub texts: Vec<Vec<u32>>,
    /// What the run does.
    pub options: RunOptions,
    /// Whether to measure the captured patterns, see [`crate::analysis::heads`].
    pub head_scores: bool,
}

impl Lab {
    /// The tokens and options of a run.
    ///
    /// # Errors
    /// [`Error::Input`] if the options are malformed or the input does not fit the model.
    pub fn run_call(&self, input: &Value, options: &Value) -> Result<RunCall> {
        let RunCallOptions { prepend_bos, head_scores, padding_side, run } =
            self.options("runWithCache", options)?;
        if padding_side.is_some() {
            return Err(Error::Input(
                "`paddingSide` of runWithCache is for a batch, and the input is one text: leave it out, or pass an array \
                 of inputs"
                    .into(),
            ));
        }
        let texts = vec![self.prompt(input, prepend_bos)?];
        let options = RunOptions { compiler: self.compiler.clone(), ..run };
        Ok(RunCall { texts, options, head_scores })
    }

    /// The tokens and options of a run of several texts.
    ///
    /// # Errors
    /// As [`Lab::run_call`].
    pub fn batch_call(&self, inputs: &Value, options: &Value) -> Result<RunCall> {
        let RunCallOptions { prepend_bos, head_scores, padding_side, run } =
            self.options("runWithCache", options)?;
        let texts = self.prompts(inputs, prepend_bos)?;
        let side = padding_side.unwrap_or(PaddingSide::Right);
        let start = run.start.map(|start| start.packed(&texts, side == PaddingSide::Left));
        let (start, compiler) = (start.transpose()?, self.compiler.clone());
        Ok(RunCall { texts, options: RunOptions { start, compiler, ..run }, head_scores })
    }

    /// The prompt and options of a generation.
    ///
    /// # Errors
    /// As [`Lab::run_call`].
    pub fn generate_call(
        &self,
        input: &Value,
        options: &Value,
    ) -> Result<(Vec<u32>, GenerateOptions)> {
        let GenerateCallOptions { prepend_bos, generation } = self.options("generate", options)?;
        let ids = self.prompt(input, prepend_bos)?;
        Ok((ids, GenerateOptions { compiler: self.compiler.clone(), ..generation }))
    }

    /// Reads a weight: see [`parameter::parameter`].
    ///
    /// # Errors
    /// As there; [`Error::Input`] if the options are malformed.
    pub fn parameter(&self, name: &str, options: &Value) -> Result<Weight> {
        parameter::parameter(&self.model, name, &self.options("parameter", options)?)
    }

    /// The same with other weights, a list of [`NewWeight`]: see [`parameter::with_parameters`].
    ///
    /// # Errors
    /// As there; [`Error::Input`] if the list is malformed.
    pub fn with_parameters(&self, new: &Value) -> Result<(Lab, Report)> {
        let read = |weight: &Value| wire::read(&weight_name(weight), &[], weight);
        let new = match new {
            Value::List(weights) => weights.iter().map(read).collect::<Result<Vec<NewWeight>>>()?,
            _ => wire::read("withParameters", &[], new)?,
        };
        let (model, report) = parameter::with_parameters(&self.model, &new)?;
        Ok((Lab { model, ..self.clone() }, report))
    }

    /// The prompts and options of a generation of several texts.
    ///
    /// # Errors
    /// As [`Lab::run_call`].
    pub fn generate_batch_call(
        &self,
        inputs: &Value,
        options: &Value,
    ) -> Result<(Vec<Vec<u32>>, GenerateOptions)> {
        let GenerateCallOptions { prepend_bos, generation } = self.options("generate", options)?;
        let texts = self.prompts(inputs, prepend_bos)?;
        Ok((texts, GenerateOptions { compiler: self.compiler.clone(), ..generation }))
    }

    /// Reads the options of a call. JavaScript handles `signal` itself.
    fn options<O: FromValue>(&self, call: &str, options: &Value) -> Result<O> {
        wire::read_with(self, call, &["signal", "onShow"], options)
    }

    fn prompt(&self, input: &Value, prepend_bos: bool) -> Result<Vec<u32>> {
        if !prepend_bos {
            return wire::read_as::<_, Prompt>(self, "the input", input);
        }
        let ids = wire::read_as::<_, PromptAfterBos>(self, "the input", input)?;
        Ok([vec![self.bos()?], ids].concat())
    }

    fn prompts(&self, inputs: &Value, prepend_bos: bool) -> Result<Vec<Vec<u32>>> {
        if !prepend_bos {
            return wire::read_as::<_, List<Prompt>>(self, "the input", inputs);
        }
        let mut texts: Vec<Vec<u32>> =
            wire::read_as::<_, List<PromptAfterBos>>(self, "the input", inputs)?;
        let bos = self.bos()?;
        texts.iter_mut().for_each(|ids| ids.insert(0, bos));
        Ok(texts)
    }

    /// The Python that does in TransformerLens what the call named `name` does with the same input and options.
    ///
    /// # Errors
    /// As the call itself; [`Error::Input`] for one that cannot be printed, otherwise as [`crate::python`].
    pub fn to_python(
        &self,
        name: &str,
        input: &Value,
        options: &Value,
        folder: &str,
    ) -> Result<String> {
        let config = self.model.config();
        match name {
            "runWithCache" => {
                let RunCall { texts, options, .. } = self.run_call(input, options)?;
                run_script(config, folder, &texts[0], &options)
            }
            "generate" => {
                let (ids, options) = self.generate_call(input, options)?;
                generation_script(config, folder, &ids, &options)
            }
            "patching" => {
                let options: PatchingOptions = analysis::read(self, name, options)?;
                let script = match options.method {
                    Method::Attribution => attribution_script,
                    Method::Activation => sweep_script,
                };
                script(config, folder, &options)
            }
            "pathPatching" => {
                let options: PathPatchingOptions = analysis::read(self, name, options)?;
                path_script(config, folder, &options)
            }
            "integratedGradients" => {
                let Request { input, options, .. }: Request<IntegratedGradientsOptions> =
                    analysis::read(self, name, options)?;
                integrated_script(config, folder, &input, &options)
            }
            _ => Err(Error::Input(format!(
                "`{name}` cannot be printed as Python, expected runWithCache, generate, patching, pathPatching or \
                 integratedGradients"
            ))),
        }
    }
}

/// The name of a weight in a list, for messages.
fn weight_name(weight: &Value) -> String {
    let named = |(field, value): &(String, Value)| match value {
        Value::Text(name) if field == "name" => Some(format!("`{}`", shortened(name))),
        _ => None,
    };
    match weight {
        Value::Object(fields) => fields.iter().find_map(named).unwrap_or("a weight".into()),
        _ => "a weight".into(),
    }
}

/// Token ids from plain data. There may be none, and ids that the vocabulary lacks are not refused here.
///
/// # Errors
/// [`Error::Input`] if the value is not an array of token ids.
pub fn token_ids(value: &Value) -> Result<Vec<u32>> {
    match value {
        Value::Text(_) => {
            Err(Error::Input("the input is a text, expected an array of token ids".into()))
        }
        _ => wire::read_as::<_, Vec<u32>>(&wire::NoModel, "the input", value),
    }
}
