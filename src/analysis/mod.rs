//! Analyses: functions of a model and of what a run captured, which return small named arrays.
//!
//! Each is one file, which opens with its formula and its source, and holds its options, its result and its computation.
//! To add one, write such a file and add its line to `analyses!` below: the name of its JavaScript method, and the
//! function that begins it. Its TypeScript types follow from that function's types.

pub mod attribution;
pub mod circuits;
pub mod composition;
pub mod contrast;
pub mod factored;
mod head_weights;
pub mod heads;
pub mod integrated_gradients;
pub mod logit_lens;
pub mod means;
mod measurement;
pub mod most_active;
pub mod patching;
pub mod path_patching;
mod repeated_tokens;
mod rerun;
pub mod residual;
mod several;
mod similarity;
mod stream_parts;
pub mod token_scores;

pub use self::head_weights::{HeadInput, HeadWeights};
pub use self::measurement::{Measurement, MeasurementResult};

use crate::error::{Error, Result, shortened};
use crate::lab::Lab;
use crate::nearest::nearest;
use crate::wire::{self, FromValue, IntoValue, TypeScript, Value};

macro_rules! analyses {
    ($($name:literal => $begin:path,)*) => {
        const NAMES: &[&str] = &[$($name),*];

        impl Lab {
            /// Begins the analysis that JavaScript calls `name`. Its result is an object with the fields of its result type.
            ///
            /// # Errors
            /// [`Error::Input`] if there is no such analysis, or the options are malformed or do not fit the model.
            pub fn begin(&self, name: &str, options: impl Into<Value>) -> MeasurementResult<Value> {
                let options = &options.into();
                match name {
                    $($name => begin(self, $name, options, $begin),)*
                    _ => Err(Error::Input(format!(
                        "there is no measurement `{}`; the nearest are {}",
                        shortened(name),
                        nearest(name, NAMES.iter().copied(), 3)
                    ))),
                }
            }
        }

        /// Declares the options and results of all analyses.
        pub(crate) fn typescript(types: &mut TypeScript) {
            let docs = &["The result of each measurement, by its name."];
            types.interface("Measurements", docs, |interface, types| {
                $(
                    let result = declare(types, $begin);
                    interface.field(&[concat!("The result of `", $name, "`.")], $name, false, &result, None);
                )*
            });
        }
    };
}

analyses! {
    "logitLens" => logit_lens::begin,
    "attribution" => attribution::begin,
    "residual" => residual::begin,
    "headScores" => heads::begin,
    "patching" => patching::begin,
    "pathPatching" => path_patching::begin,
    "integratedGradients" => integrated_gradients::begin,
    "circuits" => circuits::begin,
    "compositionScores" => composition::begin,
    "tokenScores" => token_scores::begin,
    "mostActive" => most_active::begin,
    "means" => means::begin,
}

/// Options that the JavaScript caller handles itself, for messages; the last one if there are interventions.
const HANDLED_BY_CALLER: [&str; 3] = ["signal", "onProgress", "onShow"];
const WITH_INTERVENTIONS: [&str; 5] =
    ["logitLens", "attribution", "residual", "headScores", "tokenScores"];

/// Reads options as the type that `begin` takes.
pub(crate) fn read<O: FromValue>(lab: &Lab, name: &str, options: &Value) -> Result<O> {
    let count = if WITH_INTERVENTIONS.contains(&name) { 3 } else { 2 };
    wire::read_with(lab, name, &HANDLED_BY_CALLER[..count], options)
}

fn begin<O: FromValue, T: IntoValue + 'static>(
    lab: &Lab,
    name: &str,
    options: &Value,
    begin: fn(&Lab, O) -> MeasurementResult<T>,
) -> MeasurementResult<Value> {
    Ok(measurement::plain(begin(lab, read(lab, name, options)?)?))
}

/// Declares the options and the result of an analysis. Returns the TypeScript type of the result.
fn declare<O: FromValue, T: IntoValue>(
    types: &mut TypeScript,
    _: fn(&Lab, O) -> MeasurementResult<T>,
) -> String {
    O::typescript(types);
    T::typescript(types)
}
