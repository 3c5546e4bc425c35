//! A model with other weights, which shares those that stay.

use candle_core::{Device, Tensor};

use super::name::Named;
use super::shape_of;
use crate::checkpoint::{Config, HEAD, HEAD_BIAS, NoticeKind, Report, Weights};
use crate::error::{Error, Result};
use crate::model::{Model, Part, WeightView};
use crate::run::expect_memory;
use crate::wire::options;

options! {
    /// The numbers of a weight.
    #[derive(Debug, Clone)]
    pub struct NewWeight {
        /// Its name, as `parameter` takes it.
        pub name: String,
        /// The length of each axis.
        pub shape: Vec<usize>,
        /// The numbers, in row-major order.
        pub data: Vec<f32>,
        /// The names of the axes, which are compared with those of the weight.
        pub axes: Option<Vec<String>>,
    }
}

/// The same model with other numbers in these weights, and notices that say so. A matrix with new numbers is kept in f32,
/// whatever the format of the others.
///
/// TransformerLens has an embedding `W_E` and an unembedding `W_U`, so replacing one of them unties the two in a model that has
/// one matrix for both. `wte.weight` stays that one matrix.
///
/// # Errors
/// [`Error::Input`] if the model has no weight of a name, one of another shape or with other axes, or two entries have the
/// same numbers of a tensor; [`Error::Memory`].
pub fn with_parameters(model: &Model, new: &[NewWeight]) -> Result<(Model, Report)> {
    let mut edit = Edit {
        config: model.config().clone(),
        weights: model.weights().clone(),
        report: Report::default(),
        replaced: Vec::new(),
    };
    for weight in new {
        edit.replace(model, weight)?;
    }
    Ok((Model::new(edit.config, &edit.weights)?, edit.report))
}

struct Edit {
    config: Config,
    weights: Weights,
    report: Report,
    /// The tensors and parts so far, and the names that they were given under.
    replaced: Vec<(String, Part, String)>,
}

impl Edit {
    fn replace(&mut self, model: &Model, new: &NewWeight) -> Result<()> {
        let named = Named::resolve(model.config(), &new.name)?;
        // The numbers as a tensor, on the way to the format in memory, and in it.
        expect_memory(
            new.data.len() as u64 * 12,
            &format!("`{}`", new.name),
            "fewer models at a time: `dispose` of those that are not needed",
        )?;
        let tensor = checked(model, &named, new)?;
        for (index, view) in named.views.iter().enumerate() {
            let value = if named.is_stacked { tensor.get(index)? } else { tensor.clone() };
            self.set(model, view, &value, &new.name)?;
        }
        self.report_values(&new.name, &new.data);
        Ok(())
    }

    fn set(&mut self, model: &Model, view: &WeightView, value: &Tensor, name: &str) -> Result<()> {
        let tensor = self.target(model, view)?;
        let part = view.part;
        let twice =
            |(known, other, _): &&(String, Part, String)| *known == tensor && part.overlaps(*other);
        if let Some((_, _, other)) = self.replaced.iter().find(twice) {
            return Err(Error::Input(format!(
                "`{name}` and `{other}` are the same numbers of `{tensor}`: leave one of them out"
            )));
        }
        self.replaced.push((tensor.clone(), part, name.into()));
        let is_all = matches!(part, Part::Whole | Part::Transposed);
        let old = if is_all { value.clone() } else { self.weights.get(&tensor)? };
        let dtype = self.weights.dtype(&tensor).unwrap_or("f32");
        let stays = if is_all { None } else { Some(self.weights.precision(&tensor)?) };
        let numbers = part.replaced(&old, value, self.config.n_head)?;
        self.weights.set(&tensor, numbers, stays)?;
        let kept = match dtype {
            "f32" => String::new(),
            dtype => format!(
                " `{tensor}` is kept in f32; it was {dtype}. Products in f32 differ from those in {dtype}, also with the same \
                 numbers."
            ),
        };
        let message = format!("`{}` was replaced by `withParameters`.{kept}", view.name);
        self.report.push(NoticeKind::Replaced, &view.name, message);
        Ok(())
    }

    /// The tensor that gets the numbers. Unties the unembedding if they are for one of the two alone.
    fn target(&mut self, model: &Model, view: &WeightView) -> Result<String> {
        let tied = model.config().tie_word_embeddings;
        let is_head = matches!(view.name.as_str(), "unembed.W_U" | HEAD);
        if tied && (is_head || view.name == "embed.W_E") {
            if self.config.tie_word_embeddings {
                self.config.tie_word_embeddings = false;
                self.weights.untie()?;
                let message = "`W_E` and `W_U` were one matrix and are two since `withParameters` replaced one of them.";
                self.report.push(NoticeKind::Replaced, HEAD, message.into());
            }
            return Ok(if is_head { HEAD.into() } else { view.tensor.clone() });
        }
        if view.tensor == HEAD_BIAS {
            self.config.unembed_bias = true;
        }
        Ok(view.tensor.clone())
    }

    /// Says how many of the numbers are not finite.
    fn report_values(&mut self, name: &str, data: &[f32]) {
        let nan = data.iter().filter(|value| value.is_nan()).count() as u64;
        let count = data.iter().filter(|value| !value.is_finite()).count() as u64;
        if count > 0 {
            self.report.non_finite(name, count, nan);
        }
    }
}

/// The numbers as a tensor with the shape of the weight.
fn checked(model: &Model, named: &Named, new: &NewWeight) -> Result<Tensor> {
    let NewWeight { name, shape, data, axes } = new;
    let layers = named.is_stacked.then_some(named.views.len());
    let expected: Vec<usize> =
        layers.into_iter().chain(shape_of(model, &named.views[0])?).collect();
    let names = named.axes();
    if axes.as_ref().is_some_and(|axes| axes.iter().map(String::as_str).ne(names.iter().copied())) {
        let found = axes.as_ref().map(|axes| axes.join(", ")).unwrap_or_default();
        return Err(Error::Input(format!(
            "`{name}` has the axes {found}, expected {} in this order",
            names.join(", ")
        )));
    }
    if *shape != expected {
        return Err(Error::Input(format!(
            "`{name}` has shape {shape:?}, expected {expected:?} over {}",
            names.join(", ")
        )));
    }
    let count: usize = expected.iter().product();
    if data.len() != count {
        let found = data.len();
        return Err(Error::Input(format!(
            "`{name}` has {found} numbers, expected {count} for its shape {shape:?}"
        )));
    }
    Ok(Tensor::from_slice(data, expected, &Device::Cpu)?)
}
