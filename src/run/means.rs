//! Mean activations over prompts, for mean ablation.

use super::{Capture, run_with_cache};
use crate::error::{Error, Result};
use crate::hook::HookPoint;
use crate::intervene::Source;
use crate::model::Model;
use crate::named_array::NamedArray;

/// The means of activations over all positions of some prompts, for
/// [`ReferenceMean`](crate::intervene::ReferenceMean). Each has the shape of the activation with length 1 along `batch` and
/// `pos`. Sums are accumulated in f64.
///
/// # Errors
/// As [`run`](crate::run()); [`Error::Input`] if there is no prompt; [`Error::Hook`] for attention
/// scores and patterns, because each query has different keys.
pub fn means<S: AsRef<str>>(model: &Model, prompts: &[Vec<u32>], names: &[S]) -> Result<Source> {
    if prompts.is_empty() {
        return Err(Error::Input(
            "there is no prompt to take means over, expected at least one".into(),
        ));
    }
    let capture = Capture::new(names, model.config())?;
    if let Some(point) = capture.points().iter().find(|point| point.axes().contains(&"key")) {
        return Err(Error::Hook(format!(
            "`{point}` cannot be averaged over positions, because each query has different keys; leave it out of `names`"
        )));
    }
    let mut sums: Vec<Sum> = Vec::new();
    for (row, prompt) in prompts.iter().enumerate() {
        let run = run_with_cache(model, prompt, names);
        let cache = run.map_err(|error| error.in_row(row, prompts.len()))?.cache;
        for (index, (point, value)) in cache.into_entries().enumerate() {
            let rest = &value.dims()[2..]; // after batch and pos
            if index == sums.len() {
                let totals = vec![0.0; rest.iter().product()];
                sums.push(Sum { point, shape: [&[1, 1], rest].concat(), totals });
            }
            let totals = &mut sums[index].totals;
            for position in value.flatten_all()?.to_vec1::<f32>()?.chunks(totals.len().max(1)) {
                totals.iter_mut().zip(position).for_each(|(total, x)| *total += f64::from(*x));
            }
        }
    }
    let count = prompts.iter().map(Vec::len).sum::<usize>() as f64;
    let mean = |Sum { point, shape, totals }| {
        let data = totals.into_iter().map(|total| (total / count) as f32).collect();
        (point.to_string(), NamedArray::from_data(shape, data))
    };
    Ok(sums.into_iter().map(mean).collect())
}

/// The sum of an activation over positions.
struct Sum {
    point: HookPoint,
    /// That of the activation at one position.
    shape: Vec<usize>,
    totals: Vec<f64>,
}
