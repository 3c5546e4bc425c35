//! Numbers in JSON, which has no infinities and no NaN: they are written as the texts "inf", "-inf" and "NaN".

use serde::{Serialize, Serializer};

#[derive(Serialize)]
#[serde(untagged)]
enum Number {
    Finite(f32),
    Text(String),
}

impl From<f32> for Number {
    fn from(value: f32) -> Number {
        if value.is_finite() { Number::Finite(value) } else { Number::Text(value.to_string()) }
    }
}

/// Writes one number.
pub mod number {
    use super::{Number, Serialize, Serializer};

    /// For `#[serde(with)]`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &f32, serializer: S) -> Result<S::Ok, S::Error> {
        Number::from(*value).serialize(serializer)
    }
}

/// Writes a list of numbers.
pub mod numbers {
    use super::{Number, Serializer};

    /// For `#[serde(with)]`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(data: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(data.iter().map(|value| Number::from(*value)))
    }
}
