//! Mean activations over all positions of some texts, for interventions that set them.

use std::collections::BTreeMap;

use super::measurement::{MeasurementResult, once};
use super::most_active::check_texts;
use crate::hook::HookPoint;
use crate::lab::Lab;
use crate::named_array::{NamedArray, axis_names};
use crate::run::means;
use crate::wire::{HookNames, IntoValue, List, Prompt, TypeScript, Value, options};

options! {
    /// Options of `means`.
    #[derive(Debug, Clone)]
    pub struct MeansOptions {
        /// The texts to average over.
        pub texts: Vec<Vec<u32>> as List<Prompt>,
        /// What to average.
        pub names: Vec<String> as HookNames,
    }
}

/// Mean activations by hook name, each with the axes of its hook point and one position.
#[derive(Debug, Clone, PartialEq)]
pub struct Means(pub BTreeMap<String, NamedArray>);

impl IntoValue for Means {
    fn into_value(self) -> Value {
        self.0.into_value()
    }

    fn typescript(types: &mut TypeScript) -> String {
        let docs = [
            "Mean activations by hook name, each with the axes of its hook point and one position.",
        ];
        types.alias("Means", &docs, BTreeMap::<String, NamedArray>::typescript)
    }
}

pub(super) fn begin(lab: &Lab, options: MeansOptions) -> MeasurementResult<Means> {
    check_texts(&options.texts)?;
    let model = lab.model.clone();
    once(move || {
        let found = means(&model, &options.texts, &options.names)?;
        let named = found.into_iter().map(|(name, array)| {
            let axes = axis_names(name.parse::<HookPoint>()?.axes());
            let (shape, data) = (array.shape, array.data);
            Ok((name, NamedArray { axes, shape, data, ..NamedArray::default() }))
        });
        Ok(Means(named.collect::<crate::Result<_>>()?))
    })
}
