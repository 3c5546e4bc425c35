//! Mean activations over prompts, for mean ablation.

use candle_core::Tensor;

use super::run_with_cache;
use crate::error::{Error, Result};
use crate::hook::HookPoint;
use crate::intervene::Source;
use crate::model::Model;
use crate::named_array::NamedArray;

/// The means of activations over all positions of some prompts, for
/// [`ReferenceMean`](crate::intervene::ReferenceMean).
///
/// # Errors
/// As [`run`](crate::run()); [`Error::Input`] if there is no prompt; [`Error::Hook`] for attention
/// scores and patterns, because each query has different keys.
pub fn means<S: AsRef<str>>(model: &Model, prompts: &[Vec<u32>], names: &[S]) -> Result<Source> {
    let mut sums: Vec<(HookPoint, Tensor)> = Vec::new();
    let count: usize = prompts.iter().map(Vec::len).sum();
    for prompt in prompts {
        for (index, (point, value)) in
            run_with_cache(model, prompt, names)?.cache.into_entries().enumerate()
        {
            if point.axes().contains(&"key") {
                return Err(Error::Hook(format!(
                    "`{point}` cannot be averaged over positions, because each query has different keys; leave it out of `names`"
                )));
            }
            let sum = value.sum_keepdim(1)?;
            match sums.get_mut(index) {
                Some((_, total)) => *total = (&*total + sum)?,
                None => sums.push((point, sum)),
            }
        }
    }
    if count == 0 {
        return Err(Error::Input(
            "there is no prompt to take means over, expected at least one".into(),
        ));
    }
    let mean = |(point, sum): (HookPoint, Tensor)| {
        Ok((point.to_string(), NamedArray::unnamed(&(sum / count as f64)?)?))
    };
    sums.into_iter().map(mean).collect()
}
