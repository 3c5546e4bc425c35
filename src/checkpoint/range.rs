//! Which values a tensor has, and whether a format can represent them.

use super::report::Report;
use crate::error::{Error, Result};
use crate::kernel::{MatrixBuilder, WeightFormat, largest_magnitude};

/// The largest magnitude among a tensor's values, and how many of them are not finite.
#[derive(Default)]
pub(super) struct ValueRange {
    /// The bits of the largest magnitude. As bits, NaN is larger than infinity.
    largest: u32,
    nan: u64,
    infinite: u64,
}

const INFINITY: u32 = f32::INFINITY.to_bits();
/// The smallest number that rounds to infinity in f16.
const F16_OVERFLOW: f32 = 65520.0;

impl ValueRange {
    pub fn add(&mut self, values: &[f32]) {
        let largest = largest_magnitude(values);
        self.largest = self.largest.max(largest);
        if largest >= INFINITY {
            let nan = values.iter().filter(|value| value.is_nan()).count() as u64;
            self.nan += nan;
            self.infinite += values.iter().filter(|value| !value.is_finite()).count() as u64 - nan;
        }
    }

    /// Adds the values of another tensor of the same parameter.
    pub fn merge(&mut self, other: &ValueRange) {
        self.largest = self.largest.max(other.largest);
        self.nan += other.nan;
        self.infinite += other.infinite;
    }

    pub fn is_zero(&self) -> bool {
        self.largest == 0
    }

    /// Reports values that are not finite, if there are any.
    pub fn report(&self, name: &str, report: &mut Report) {
        let count = self.nan + self.infinite;
        if count > 0 {
            report.non_finite(name, count, self.nan);
        }
    }

    /// Checks that the format can represent every value. f32 always can.
    pub fn check(&self, name: &str, format: WeightFormat, is_matrix: bool) -> Result<()> {
        let limit = match format {
            WeightFormat::Plain | WeightFormat::F32 => return Ok(()),
            WeightFormat::F16 if is_matrix => F16_OVERFLOW.to_bits(),
            _ => INFINITY,
        };
        if self.largest < limit {
            return Ok(());
        }
        let (found, dtype) = (f32::from_bits(self.largest), format.name());
        let found = match found {
            found if found.is_nan() => "NaN".into(),
            found if found.is_infinite() => "an infinity".into(),
            found => format!("a number of magnitude {found:e}"),
        };
        Err(Error::Weights(format!(
            "`{name}` holds {found}, which {dtype} cannot represent; load the model with `dtype: \"f32\"`"
        )))
    }
}

/// Checks that the scales of a quantized matrix are not clipped.
pub(super) fn check_scales(
    matrix: &MatrixBuilder,
    name: &str,
    format: WeightFormat,
    range: &ValueRange,
) -> Result<()> {
    if !matrix.is_clipped() {
        return Ok(());
    }
    let (largest, dtype) = (f32::from_bits(range.largest), format.name());
    Err(Error::Weights(format!(
        "`{name}` holds numbers of magnitudes up to {largest:e}, which the scales of {dtype} cannot represent; load the \
         model with `dtype: \"f32\"`"
    )))
}
