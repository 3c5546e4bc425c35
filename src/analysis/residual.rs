//! Decomposes the residual stream into the parts that were written into it.
//!
//! `resid = embed + pos_embed + Σ_layer (Σ_head z W_O + b_O) + Σ_layer (Σ_neuron post W_out + b_out)`
//!
//! without `pos_embed` if the stream contains no positions, and without the last sum if blocks have no MLP.
//!
//! After Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits", and TransformerLens's
//! `ActivationCache` (`accumulated_resid`, `decompose_resid`, `stack_head_results`, `stack_neuron_results`,
//! `apply_ln_to_stack`). The labels are TransformerLens's. Biases are separate parts, so all parts add up to the stream.

use candle_core::Tensor;

use super::measurement::{MeasurementResult, once};
pub use super::stream_parts::{By, LayerNorm, Reader};
use super::stream_parts::{Parts, captured, expect_mlp, head_parts, neuron_parts, parts};
use crate::checkpoint::{Config, Normalization};
use crate::error::{Error, Result};
use crate::hook::{BlockPoint, HookPoint};
use crate::intervene::Intervention;
use crate::lab::Lab;
use crate::model::Model;
use crate::named_array::NamedArray;
use crate::run::{Cache, Run, expect_memory};
use crate::wire::{Request, options, results, words};

words! {
    /// The components of the result.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum StackKind {
        /// Everything that was written into the stream, which adds up to it.
        Decomposed = "decomposed",
        /// The states of the stream before each layer and after the last.
        Accumulated = "accumulated",
        /// What each head wrote.
        Heads = "heads",
        /// What each neuron wrote.
        Neurons = "neurons",
    }
}

options! {
    /// Options of `residual`.
    #[derive(Debug, Clone)]
    pub struct ResidualOptions {
        /// The components: everything that was written into the stream, which adds up to it ("decomposed"), its states
        /// before each layer and after the last ("accumulated"), or what each head or neuron wrote. A model with attention
        /// only has no neurons.
        pub stack: StackKind = StackKind::Decomposed,
        /// How finely it is decomposed; `component` if absent. For "decomposed" only.
        pub by: Option<By>,
        /// Also the states between attention and MLP; false if absent. For "accumulated" only, in a model with MLPs.
        pub sublayers: Option<bool>,
        /// The sublayer that reads the stream; the unembedding if absent.
        pub reader: Option<Reader>,
        /// Apply the reader's LayerNorm to each component: with the scale of the whole stream in the run ("frozen"), or,
        /// only before the unembedding, with the component's own scale ("recomputed"). Not applied if absent. Shortformer
        /// positions, which queries and keys add behind it, are part of no component. Not for a model without normalization.
        pub layer_norm: Option<LayerNorm>,
        /// Only these positions, negative ones from the end; all if absent. Select few for neurons: each position has
        /// n_layer × d_mlp × d_model numbers.
        pub positions: Option<Vec<i64>>,
        /// What to change in the run.
        pub interventions: Vec<Intervention> = Vec::new(),
    }
}

results! {
    /// The components of the residual stream.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Residual {
        /// The components: axes `component pos d_model`, components labelled.
        pub parts: NamedArray,
    }
}

pub(super) fn begin(
    lab: &Lab,
    Request { input, options, .. }: Request<ResidualOptions>,
) -> MeasurementResult<Residual> {
    let lab = lab.clone();
    once(move || residual(&lab, &input, &options))
}

/// Runs `tokens` and decomposes the stream.
fn residual(lab: &Lab, tokens: &[u32], options: &ResidualOptions) -> Result<Residual> {
    let model = &lab.model;
    options.check(model.config())?;
    let (by, reader) =
        (options.by.unwrap_or(By::Component), options.reader.unwrap_or(Reader::Unembed));
    let names = options.names(model.config(), by);
    let run = lab.run(tokens, &options.interventions, &names, options.positions.clone())?;
    let rows = options.positions.as_ref().map_or(tokens.len(), Vec::len);
    let by_neuron = matches!(
        (options.stack, by),
        (StackKind::Neurons, _) | (StackKind::Decomposed, By::Neuron)
    );
    if by_neuron {
        let config = model.config();
        let neurons = config.n_layer as u64 * config.d_mlp() as u64;
        let numbers = neurons.saturating_mul(rows as u64).saturating_mul(config.n_embd as u64);
        expect_memory(
            numbers.saturating_mul(8), // each layer's parts, and all of them together
            "a vector for each neuron and position",
            "fewer `positions`",
        )?;
    }
    let stack = match options.stack {
        StackKind::Decomposed => decomposed(model, &run.cache, reader, by)?,
        StackKind::Accumulated => {
            let sublayers = options.sublayers.unwrap_or(false);
            let steps = if sublayers { Steps::Sublayers } else { Steps::Layers };
            accumulated(model, &run.cache, reader, steps)?
        }
        StackKind::Heads => heads(model, &run.cache, reader)?,
        StackKind::Neurons => {
            let layers = reader.layers_before(model.config())?;
            neurons(model, &run.cache, &layers, &(0..rows).collect::<Vec<_>>())?
        }
    };
    let read = through_layer_norm(model, &run, stack, reader, options.layer_norm)?;
    Ok(Residual { parts: read.array()? })
}

impl ResidualOptions {
    /// # Errors
    /// [`Error::Input`] for an option that belongs to another stack, or needs what the model lacks.
    fn check(&self, config: &Config) -> Result<()> {
        let owners = [
            (self.by.is_some(), "by", StackKind::Decomposed),
            (self.sublayers.is_some(), "sublayers", StackKind::Accumulated),
        ];
        let wrong = owners.iter().find(|(given, _, owner)| *given && *owner != self.stack);
        if let Some((_, option, owner)) = wrong {
            return Err(Error::Input(format!(
                "`{option}` is an option of `stack: \"{}\"` only: leave it out",
                owner.word()
            )));
        }
        if self.layer_norm.is_some() && config.normalization_type == Normalization::None {
            return Err(no_normalization());
        }
        if self.stack == StackKind::Neurons {
            expect_mlp(config, "`stack: \"neurons\"`")?;
        }
        match self.by {
            Some(By::Neuron) => expect_mlp(config, "`by: \"neuron\"`"),
            _ => Ok(()),
        }
    }

    /// What the run must capture.
    fn names(&self, config: &Config, by: By) -> Vec<&'static str> {
        let mut names = match self.stack {
            StackKind::Decomposed => by.names(config),
            StackKind::Accumulated => vec!["/hook_resid_(pre|mid|post)$/"],
            StackKind::Heads => vec!["blocks.*.attn.hook_z"],
            StackKind::Neurons => vec!["blocks.*.mlp.hook_post"],
        };
        names.extend(self.layer_norm.map(|_| "/ln(1|2|_final)\\.hook_scale$/"));
        names
    }
}

/// The stack as `reader` reads it through its LayerNorm, or as it is.
fn through_layer_norm(
    model: &Model,
    run: &Run,
    stack: Stack,
    reader: Reader,
    norm: Option<LayerNorm>,
) -> Result<Stack> {
    match (norm, reader) {
        (None, _) => Ok(stack),
        (Some(LayerNorm::Frozen), _) => {
            through_frozen_layer_norm(model, &run.cache, &stack, reader)
        }
        (Some(LayerNorm::Recomputed), Reader::Unembed) => {
            through_recomputed_layer_norm(model, &stack)
        }
        (Some(LayerNorm::Recomputed), _) => Err(Error::Input(
            "`layerNorm: \"recomputed\"` is the final LayerNorm's: leave `reader` out, or take \"frozen\"".into(),
        )),
    }
}

/// Parts or states of the stream: one label for each, and `[component, pos, d_model]`.
pub struct Stack {
    /// The label of each component.
    pub labels: Vec<String>,
    /// The components, `[component, pos, d_model]`.
    pub values: Tensor,
}

impl Stack {
    /// The components with their labels.
    pub fn array(&self) -> Result<NamedArray> {
        let array = NamedArray::new(&["component", "pos", "d_model"], &self.values)?;
        Ok(array.labelled("component", self.labels.clone()))
    }

    /// The number of components.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no components.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// The states of the stream that [`accumulated`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// Before each layer.
    Layers,
    /// Before each layer and between its attention and its MLP.
    Sublayers,
}

/// The states of the stream before `reader`: `0_pre`, `0_mid`, `1_pre`, …, `final_post`.
///
/// Needs `blocks.*.hook_resid_pre`, `blocks.*.hook_resid_mid` and `blocks.*.hook_resid_post` captured.
///
/// # Errors
/// [`Error::Input`] if blocks have no MLP, so that there is nothing between attention and MLP.
pub fn accumulated(model: &Model, cache: &Cache, reader: Reader, steps: Steps) -> Result<Stack> {
    let layers = model.config().n_layer;
    let (attention, mlp) = reader.layers(model.config())?;
    if steps == Steps::Sublayers {
        expect_mlp(model.config(), "`sublayers`")?;
    }
    let mut states = Vec::new();
    for layer in 0..=mlp.min(layers - 1) {
        states.push((format!("{layer}_pre"), HookPoint::Block(layer, BlockPoint::ResidPre)));
        let is_last = layer == mlp;
        if (steps == Steps::Sublayers && !is_last) || (is_last && attention > mlp) {
            states.push((format!("{layer}_mid"), HookPoint::Block(layer, BlockPoint::ResidMid)));
        }
    }
    if reader == Reader::Unembed {
        states
            .push(("final_post".to_string(), HookPoint::Block(layers - 1, BlockPoint::ResidPost)));
    }
    let values =
        states.iter().map(|(_, point)| captured(cache, *point)).collect::<Result<Vec<_>>>()?;
    let labels = states.into_iter().map(|(label, _)| label).collect();
    Ok(Stack { labels, values: Tensor::stack(&values, 0)? })
}

/// All parts of the stream that `reader` reads, in the order in which they were written. They add up to it.
///
/// Needs [`By::names`] captured. By neuron this is `n_layer * d_mlp * pos * d_model` numbers: capture few positions.
pub fn decomposed(model: &Model, cache: &Cache, reader: Reader, by: By) -> Result<Stack> {
    stack(&parts(model, cache, reader, by, None)?)
}

/// What each head wrote before `reader`: `L0H0`, `L0H1`, …. Needs `blocks.*.attn.hook_z` captured.
pub fn heads(model: &Model, cache: &Cache, reader: Reader) -> Result<Stack> {
    let (attention, _) = reader.layers(model.config())?;
    let parts = (0..attention).map(|layer| head_parts(model, cache, layer, None));
    stack(&parts.collect::<Result<Vec<_>>>()?)
}

/// What each neuron of `layers` wrote at `positions`: `L0N0`, `L0N1`, …. Needs `mlp.hook_post` of `layers` captured.
pub fn neurons(
    model: &Model,
    cache: &Cache,
    layers: &[usize],
    positions: &[usize],
) -> Result<Stack> {
    let parts = layers.iter().map(|layer| neuron_parts(model, cache, *layer, Some(positions)));
    stack(&parts.collect::<Result<Vec<_>>>()?)
}

/// What each component adds to the input of `reader`: `(x - mean(x)) / scale * weight`, with the scale of the whole
/// stream in the run. The LayerNorm's bias belongs to no component.
///
/// Needs the scale of the reader's LayerNorm captured. The positions of a shortformer are added behind ln1, and so are no part
/// of a component.
///
/// # Errors
/// [`Error::Input`] if the model has no normalization.
pub fn through_frozen_layer_norm(
    model: &Model,
    cache: &Cache,
    stack: &Stack,
    reader: Reader,
) -> Result<Stack> {
    reader.layers(model.config())?;
    match reader.frozen_norm(model, cache)?.apply(&stack.values)? {
        Some(values) => Ok(Stack { labels: stack.labels.clone(), values }),
        None => Err(no_normalization()),
    }
}

/// Applies the final LayerNorm to each component, with the component's own mean and scale, gain and bias included: the
/// input of the unembedding if the stream were only that component.
///
/// # Errors
/// [`Error::Input`] if the model has no normalization.
pub fn through_recomputed_layer_norm(model: &Model, stack: &Stack) -> Result<Stack> {
    if model.config().normalization_type == Normalization::None {
        return Err(no_normalization());
    }
    Ok(Stack { labels: stack.labels.clone(), values: model.final_norm(&stack.values)? })
}

fn no_normalization() -> Error {
    Error::Input(
        "`layerNorm` needs a LayerNorm, but this model has no normalization (`normalization_type` is \"none\"): leave it out"
            .into(),
    )
}

fn stack(parts: &[Parts]) -> Result<Stack> {
    if parts.is_empty() {
        return Err(Error::Input(
            "no component writes before a `reader` at layer 0; choose a later layer".into(),
        ));
    }
    let values = parts.iter().map(Parts::values).collect::<Result<Vec<_>>>()?;
    let labels = parts.iter().flat_map(|part| part.labels.clone()).collect();
    Ok(Stack { labels, values: Tensor::cat(&values, 0)? })
}
