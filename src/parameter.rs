//! Weights by name: reading them as arrays with named axes, and a model with other weights.
//!
//! A weight has its name in the checkpoint (`h.0.attn.c_attn.weight`) and its names in TransformerLens
//! (`blocks.0.attn.W_Q`). A short name without layer (`W_Q`) is that weight of all layers, with an axis `layer` in front,
//! as the properties of `HookedTransformer` have it.

mod name;
mod replace;

use candle_core::{DType, Device, Tensor};

use crate::checkpoint::{HEAD_BIAS, matrix_axes};
use crate::error::{Error, Result};
use crate::intervene::Choice;
use crate::kernel::WeightFormat;
use crate::model::{Model, Part, WeightView};
use crate::run::expect_memory;
use crate::wire::{expect_index, options};

use name::Named;
pub use replace::{NewWeight, with_parameters};

options! {
    /// Which part of a weight to read. Along each axis, an index removes the axis and a list of indices keeps it; negative
    /// ones count from the end. Only the part is copied.
    #[derive(Debug, Clone, Default)]
    pub struct ParameterOptions {
        /// The layer of a short name such as `W_Q`.
        pub layer: Option<Choice<i64>>,
        /// The head.
        pub head: Option<Choice<i64>>,
        /// The token id.
        pub vocab: Option<Choice<i64>>,
        /// The position.
        pub pos: Option<Choice<i64>>,
        /// The dimension of the residual stream.
        pub d_model: Option<Choice<i64>> => "d_model",
        /// The dimension of a head.
        pub d_head: Option<Choice<i64>> => "d_head",
        /// The neuron.
        pub d_mlp: Option<Choice<i64>> => "d_mlp",
        /// The column of `c_attn`.
        pub qkv: Option<Choice<i64>>,
        /// The row of `attn.c_proj`.
        pub d_attn: Option<Choice<i64>> => "d_attn",
    }
}

impl ParameterOptions {
    /// The axes with an index, and the index.
    fn given(&self) -> impl Iterator<Item = (&'static str, &Choice<i64>)> {
        [
            ("layer", &self.layer),
            ("head", &self.head),
            ("vocab", &self.vocab),
            ("pos", &self.pos),
            ("d_model", &self.d_model),
            ("d_head", &self.d_head),
            ("d_mlp", &self.d_mlp),
            ("qkv", &self.qkv),
            ("d_attn", &self.d_attn),
        ]
        .into_iter()
        .filter_map(|(axis, choice)| choice.as_ref().map(|choice| (axis, choice)))
    }

    fn along(&self, axis: &str) -> Option<&Choice<i64>> {
        self.given().find(|(given, _)| *given == axis).map(|(_, choice)| choice)
    }
}

/// A weight that was read.
#[derive(Debug, Clone)]
pub struct Weight {
    /// Its full name, or the short name of a weight of several layers.
    pub name: String,
    /// The names of its axes.
    pub axes: Vec<&'static str>,
    /// The numbers that the model computes with, f32.
    pub tensor: Tensor,
    /// How the numbers differ from those of the files: rounded, or zeros that no file holds.
    pub note: Option<String>,
}

/// Reads a weight, or a part of it.
///
/// # Errors
/// [`Error::Input`] if the model has no weight of this name, or it has no such axis or index; [`Error::Memory`] if it does not
/// fit.
pub fn parameter(model: &Model, name: &str, options: &ParameterOptions) -> Result<Weight> {
    let named = Named::resolve(model.config(), name)?;
    let (views, mut axes) = of_layers(&named, options)?;
    if let Some((axis, _)) = options.given().find(|(axis, _)| !named.axes().contains(axis)) {
        let (name, found) = (&named.name, named.axes().join(", "));
        return Err(Error::Input(format!("`{name}` has no axis `{axis}`, its axes are {found}")));
    }
    check_memory(model, &named, &views, options)?;
    let parts = views.iter().map(|view| read(model, view, options));
    let parts = parts.collect::<Result<Vec<Tensor>>>()?;
    let tensor = match axes.first() {
        Some(&"layer") => Tensor::stack(&parts, 0)?,
        _ => parts[0].clone(),
    };
    axes.retain(|axis| *axis == "layer" || !matches!(options.along(axis), Some(Choice::One(_))));
    let note = notes(model, &views)?;
    // A layer of a stack has a name of its own, with the indices of which its numbers are read.
    let name = match options.layer {
        Some(Choice::One(_)) => views[0].name.clone(),
        _ => named.name,
    };
    Ok(Weight { name, axes, tensor, note })
}

/// The layers that are read, and the axes before indices along other axes.
fn of_layers(
    named: &Named,
    options: &ParameterOptions,
) -> Result<(Vec<WeightView>, Vec<&'static str>)> {
    let axes = named.axes();
    let Some(choice) = options.layer.as_ref().filter(|_| named.is_stacked) else {
        return Ok((named.views.clone(), axes));
    };
    let (indices, removed) = indices("layer", choice, named.views.len())?;
    let views = indices.iter().map(|index| named.views[*index as usize].clone()).collect();
    Ok((views, axes.into_iter().filter(|axis| !(removed && *axis == "layer")).collect()))
}

/// The indices, and whether there is only one, which removes the axis.
fn indices(axis: &str, choice: &Choice<i64>, length: usize) -> Result<(Vec<u32>, bool)> {
    let one = |index: &i64| Ok(expect_index(format_args!("`{axis}`"), *index, length)? as u32);
    Ok(match choice {
        Choice::One(index) => (vec![one(index)?], true),
        Choice::Many(list) if list.is_empty() => {
            return Err(Error::Input(format!("`{axis}` is an empty list, expected indices")));
        }
        Choice::Many(list) => (list.iter().map(one).collect::<Result<_>>()?, false),
    })
}

/// Checks that the part and its copy for JavaScript fit.
fn check_memory(
    model: &Model,
    named: &Named,
    views: &[WeightView],
    options: &ParameterOptions,
) -> Result<()> {
    let shape = shape_of(model, &views[0])?;
    let count =
        views[0].axes.iter().zip(&shape).fold(views.len() as u64, |count, (axis, length)| {
            let chosen = match options.along(axis) {
                None => *length,
                Some(Choice::One(_)) => 1,
                Some(Choice::Many(list)) => list.len(),
            };
            count.saturating_mul(chosen as u64)
        });
    // What exists at the same time: a copy of one tensor, unless an embedding is read by rows; the parts; and, for a stack,
    // the parts in one array.
    let view = &views[0];
    let is_read_by_rows = options.vocab.is_some() && matrix_axes(&view.tensor).is_some();
    let whole = if is_read_by_rows { 0 } else { stored_shape(model, view)?.iter().product() };
    let is_whole = matches!(view.part, Part::Whole) && options.given().next().is_none();
    let copies = u64::from(named.is_stacked) + u64::from(!is_whole);
    expect_memory(
        count.saturating_mul(4 * copies).saturating_add(4 * whole as u64),
        &format!("`{}`", named.name),
        "a part of it, such as `{ head: 0 }` or `{ vocab: [0, 1] }`",
    )
}

fn shape_of(model: &Model, view: &WeightView) -> Result<Vec<usize>> {
    Ok(view.part.shape(&stored_shape(model, view)?, model.config().n_head))
}

/// The shape of the checkpoint's tensor.
fn stored_shape(model: &Model, view: &WeightView) -> Result<Vec<usize>> {
    match view.tensor.as_str() {
        HEAD_BIAS => Ok(vec![model.config().vocab_size]),
        name => model.weights().shape(name),
    }
}

/// One weight, at the indices of its axes.
fn read(model: &Model, view: &WeightView, options: &ParameterOptions) -> Result<Tensor> {
    let (config, weights) = (model.config(), model.weights());
    let tokens = options.along("vocab").filter(|_| matrix_axes(&view.tensor).is_some());
    let mut tensor = match tokens {
        // Embeddings are large, so only the rows of these tokens are copied.
        Some(tokens) => {
            let (ids, _) = indices("vocab", tokens, config.vocab_size)?;
            let rows = weights.matrix(&view.tensor)?.embedding(&Tensor::new(ids, &Device::Cpu)?)?;
            view.part.of(&rows, config.n_head)?
        }
        None => view.part.of(&stored(model, &view.tensor)?, config.n_head)?,
    };
    let mut removed = Vec::new();
    for (axis, name) in view.axes.iter().enumerate() {
        let Some(choice) = options.along(name) else { continue };
        if tokens.is_none() || *name != "vocab" {
            let (indices, is_one) = indices(name, choice, tensor.dim(axis)?)?;
            tensor = match is_one {
                true => tensor.narrow(axis, indices[0] as usize, 1)?, // without a copy
                false => {
                    tensor.contiguous()?.index_select(&Tensor::new(indices, &Device::Cpu)?, axis)?
                }
            };
        }
        if matches!(choice, Choice::One(_)) {
            removed.push(axis);
        }
    }
    for axis in removed.into_iter().rev() {
        tensor = tensor.squeeze(axis)?;
    }
    Ok(tensor.contiguous()?) // so that a part does not keep the copy of the whole tensor
}

/// A tensor of the checkpoint; zeros for the bias of logits that have none.
fn stored(model: &Model, name: &str) -> Result<Tensor> {
    match name {
        HEAD_BIAS if !model.config().unembed_bias => {
            Ok(Tensor::zeros(model.config().vocab_size, DType::F32, &Device::Cpu)?)
        }
        _ => model.weight(name),
    }
}

/// The note that all of these weights have, or each one's.
fn notes(model: &Model, views: &[WeightView]) -> Result<Option<String>> {
    let each = views.iter().map(|view| note(model, &view.tensor));
    let each = each.collect::<Result<Vec<Option<String>>>>()?;
    if each.iter().all(|note| *note == each[0]) {
        return Ok(each[0].clone());
    }
    let named = views.iter().zip(each);
    let named = named.filter_map(|(view, note)| Some(format!("{}: {}", view.name, note?)));
    Ok(Some(named.collect::<Vec<_>>().join("; ")))
}

/// How the numbers of a tensor differ from those of the files.
fn note(model: &Model, tensor: &str) -> Result<Option<String>> {
    if tensor == HEAD_BIAS && !model.config().unembed_bias {
        return Ok(Some("zeros: the logits of this model have no bias".into()));
    }
    if model.filled().contains(tensor) {
        return Ok(Some("zeros: the files of this model have no such bias".into()));
    }
    let dtype = model.weights().precision(tensor)?;
    let rounding = match WeightFormat::named(dtype) {
        Ok(WeightFormat::F16) => "to 11 significant bits",
        Ok(WeightFormat::Q8) => "to 8 bits, scaled in blocks of 64",
        Ok(WeightFormat::Q4) => "to 4 bits, scaled in blocks of 32",
        _ => return Ok(None),
    };
    let replaced = match model.weights().is_partly_rounded(tensor) {
        true => format!(", but for the parts of `{tensor}` that `withParameters` replaced"),
        false => String::new(),
    };
    Ok(Some(format!("rounded to {dtype}: {rounding}{replaced}")))
}
