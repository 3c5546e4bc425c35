//! A measurement on several prompts: that of each, one after the other, and their mean.

use std::collections::VecDeque;

use super::measurement::{Measurement, MeasurementResult};
use crate::error::Result;
use crate::named_array::NamedArray;

/// What the result on several prompts is made of.
type Summary<T> = Box<dyn FnOnce(Vec<T>) -> Result<T>>;

/// The measurements of several prompts.
struct Several<T> {
    /// The first is running. Each is dropped when it is done.
    left: VecDeque<Box<dyn Measurement<Output = T>>>,
    found: Vec<T>,
    summary: Summary<T>,
    total: usize,
    /// The steps of those that are done.
    before: usize,
}

/// Runs the measurements in order and combines their results with `summary`.
pub(super) fn several<T: 'static>(
    measurements: impl IntoIterator<Item = MeasurementResult<T>>,
    summary: impl FnOnce(Vec<T>) -> Result<T> + 'static,
) -> MeasurementResult<T> {
    let measurements = measurements.into_iter().collect::<Vec<_>>();
    let count = measurements.len();
    let of_row = |(row, begun): (usize, MeasurementResult<T>)| {
        begun.map_err(|error| error.in_row(row, count))
    };
    let left = measurements.into_iter().enumerate().map(of_row).collect::<Result<VecDeque<_>>>()?;
    let total = left.iter().map(|measurement| measurement.total()).sum();
    Ok(Box::new(Several { left, found: Vec::new(), summary: Box::new(summary), total, before: 0 }))
}

impl<T> Measurement for Several<T> {
    type Output = T;

    fn total(&self) -> usize {
        self.total
    }

    fn done(&self) -> usize {
        self.before + self.left.front().map_or(0, |measurement| measurement.done())
    }

    fn step(&mut self) -> Result<bool> {
        let (row, count) = (self.found.len(), self.found.len() + self.left.len());
        let Some(measurement) = self.left.front_mut() else { return Ok(false) };
        if measurement.step().map_err(|error| error.in_row(row, count))? {
            return Ok(true);
        }
        if let Some(done) = self.left.pop_front() {
            self.before += done.total();
            self.found.push(done.finish().map_err(|error| error.in_row(row, count))?);
        }
        Ok(!self.left.is_empty())
    }

    fn finish(mut self: Box<Self>) -> Result<T> {
        while self.step()? {}
        (self.summary)(self.found)
    }
}

/// The mean of numbers; NaN if there is none.
pub(super) fn mean(numbers: impl Iterator<Item = f32>) -> f32 {
    let (mut sum, mut count) = (0.0, 0.0);
    for number in numbers {
        sum += f64::from(number);
        count += 1.0;
    }
    (sum / count) as f32
}

/// The mean of arrays of one shape. `counts(array, index)` says whether an array enters the mean at an index of the data; NaN if
/// none does.
///
/// # Panics
/// If the shapes differ, which is a bug of the caller.
pub(super) fn mean_of(
    arrays: &[&NamedArray],
    counts: impl Fn(usize, usize) -> bool,
) -> Option<NamedArray> {
    let NamedArray { axes, shape, labels, .. } = arrays.first()?;
    assert!(arrays.iter().all(|array| array.shape == *shape), "arrays of one shape");
    let at = |index: usize| {
        let counting = arrays.iter().enumerate().filter(|(array, _)| counts(*array, index));
        mean(counting.map(|(_, array)| array.data[index]))
    };
    let data = (0..arrays[0].data.len()).map(at).collect();
    Some(NamedArray { axes: axes.clone(), shape: shape.clone(), data, labels: labels.clone() })
}
