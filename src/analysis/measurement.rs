//! Measurements that run in steps, so that a caller can show progress between them, or stop.

use crate::error::Result;
use crate::wire::{IntoValue, Value};

/// A measurement that is running. Dropping it stops it.
pub trait Measurement {
    /// What it finds.
    type Output;

    /// How many steps there are.
    fn total(&self) -> usize;

    /// How many of them are done.
    fn done(&self) -> usize;

    /// Does the next step; false if none was left.
    fn step(&mut self) -> Result<bool>;

    /// Does the remaining steps, and sums up.
    fn finish(self: Box<Self>) -> Result<Self::Output>;
}

/// A measurement that is ready for its first step, or why it cannot begin.
pub type MeasurementResult<T> = Result<Box<dyn Measurement<Output = T>>>;

/// Implements [`Measurement`] by the methods of the same names, and `len`.
macro_rules! measurement {
    ($type:ty => $output:ty) => {
        impl $crate::analysis::Measurement for $type {
            type Output = $output;

            fn total(&self) -> usize {
                self.len()
            }

            fn done(&self) -> usize {
                <$type>::done(self)
            }

            fn step(&mut self) -> $crate::error::Result<bool> {
                <$type>::step(self)
            }

            fn finish(self: Box<Self>) -> $crate::error::Result<$output> {
                <$type>::finish(*self)
            }
        }
    };
}
pub(super) use measurement;

/// A measurement of one step.
struct Single<F, T>(Option<F>, Option<T>);

impl<T, F: FnOnce() -> Result<T>> Measurement for Single<F, T> {
    type Output = T;

    fn total(&self) -> usize {
        1
    }

    fn done(&self) -> usize {
        usize::from(self.0.is_none())
    }

    fn step(&mut self) -> Result<bool> {
        let Some(measure) = self.0.take() else { return Ok(false) };
        self.1 = Some(measure()?);
        Ok(true)
    }

    fn finish(mut self: Box<Self>) -> Result<T> {
        self.step()?;
        self.1.ok_or_else(|| {
            crate::Error::Input("the measurement failed at its only step: begin it again".into())
        })
    }
}

/// A measurement that is one call of a function.
pub(super) fn once<T: 'static>(
    measure: impl FnOnce() -> Result<T> + 'static,
) -> MeasurementResult<T> {
    Ok(Box::new(Single(Some(measure), None)))
}

/// A measurement whose result is plain data.
struct Plain<T>(Box<dyn Measurement<Output = T>>);

impl<T: IntoValue> Measurement for Plain<T> {
    type Output = Value;

    fn total(&self) -> usize {
        self.0.total()
    }

    fn done(&self) -> usize {
        self.0.done()
    }

    fn step(&mut self) -> Result<bool> {
        self.0.step()
    }

    fn finish(self: Box<Self>) -> Result<Value> {
        Ok(self.0.finish()?.into_value())
    }
}

/// The same measurement with its result as plain data.
pub(super) fn plain<T: IntoValue + 'static>(
    measurement: Box<dyn Measurement<Output = T>>,
) -> Box<dyn Measurement<Output = Value>> {
    Box::new(Plain(measurement))
}
