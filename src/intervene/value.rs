//! What an intervention says: plain data, and its JSON.

use std::collections::BTreeMap;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One change to a run.
///
/// ```
/// use candlescope::Intervention;
/// let json = r#"{"at":"blocks.1.attn.hook_z","head":3,"positions":[4,-1],"do":"zero"}"#;
/// let intervention = Intervention::from_json(json)?;
/// assert_eq!(intervention.to_json(), json);
/// # Ok::<(), candlescope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intervention {
    /// A hook point's name, a `*` glob or a `/regular expression/`.
    pub at: String,
    /// Of the points that `at` matches, only those in these layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<Choice<usize>>,
    /// Only these heads, at points with an axis `head`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Choice<usize>>,
    /// Only these neurons, at points with an axis `d_mlp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neuron: Option<Choice<usize>>,
    /// Only these dimensions of `d_model` or `d_head`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dim: Option<Choice<usize>>,
    /// Only these positions (queries, at attention scores and patterns); negative ones count from the prompt's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positions: Option<Choice<i64>>,
    /// Only the positions that are new at these steps of a generation: the prompt at step 0, then one token each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Choice<usize>>,
    /// What is done to what was selected.
    #[serde(rename = "do")]
    pub action: Action,
}

/// One index, or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Choice<T> {
    One(T),
    Many(Vec<T>),
}

impl<T: Copy> Choice<T> {
    pub(super) fn to_vec(&self) -> Vec<T> {
        match self {
            Choice::One(index) => vec![*index],
            Choice::Many(indices) => indices.clone(),
        }
    }
}

/// What is done to the selected values `x`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Action {
    /// `"zero"` or `"mean"`.
    Named(Named),
    /// `x` times a number.
    Scale {
        #[serde(with = "number")]
        scale: f32,
    },
    /// `x` plus values that broadcast to the selection: a steering vector, say.
    Add { add: Values },
    /// Values that broadcast to the selection instead of `x`.
    Set { set: Values },
    /// The values of another run at the same points: patching.
    #[serde(rename_all = "camelCase")]
    From {
        from: Source,
        /// Which positions of the other run stand for the selected ones, one each; the same ones when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from_positions: Option<Vec<i64>>,
    },
    /// Values with a position axis of length 1, such as means over a reference set of prompts.
    Mean { mean: Source },
    /// Attention edges that are cut, at `hook_attn_scores` or `hook_pattern`.
    #[serde(rename_all = "camelCase")]
    KnockOut {
        knock_out: Vec<Edge>,
        /// Whether the other edges of the query share what the cut ones had, as a softmax over them alone would
        /// have it. True when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        renormalize: Option<bool>,
    },
    /// A JavaScript function `(x, { name, axes, shape, positions }) => values`, run where the model runs.
    Js { js: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Named {
    /// 0 instead of `x`.
    Zero,
    /// The mean of the point's values over the prompt's positions instead of `x`.
    Mean,
}

/// An attention edge. What is absent means all queries, or all keys up to the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<i64>,
}

/// Values by hook point name, as a cache holds them.
pub type Source = BTreeMap<String, Array>;

/// Numbers that broadcast to a selection, by their last axes, as NumPy does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Values {
    Number(#[serde(with = "number")] f32),
    List(#[serde(with = "numbers")] Vec<f32>),
    Array(Array),
}

/// Numbers with their shape, the last axis running fastest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Array {
    pub shape: Vec<usize>,
    #[serde(with = "numbers")]
    pub data: Vec<f32>,
}

impl Array {
    pub fn of(tensor: &Tensor) -> Result<Array> {
        Ok(Array { shape: tensor.dims().to_vec(), data: tensor.flatten_all()?.to_vec1()? })
    }
}

/// JSON has no infinities and no NaN: they are written as text.
mod number {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    pub(super) enum Number {
        Finite(f32),
        Text(String),
    }

    impl From<f32> for Number {
        fn from(value: f32) -> Number {
            if value.is_finite() { Number::Finite(value) } else { Number::Text(value.to_string()) }
        }
    }

    impl Number {
        pub(super) fn value<E: serde::de::Error>(self) -> Result<f32, E> {
            match self {
                Number::Finite(value) => Ok(value),
                Number::Text(text) => text.parse().map_err(E::custom),
            }
        }
    }

    pub fn serialize<S: Serializer>(value: &f32, serializer: S) -> Result<S::Ok, S::Error> {
        Number::from(*value).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
        Number::deserialize(deserializer)?.value()
    }
}

mod numbers {
    use super::number::Number;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(data: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(data.iter().map(|value| Number::from(*value)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
        Vec::<Number>::deserialize(deserializer)?.into_iter().map(Number::value).collect()
    }
}

impl Intervention {
    /// An intervention on everything at `at`; narrow it down by setting its fields.
    pub fn new(at: impl Into<String>, action: Action) -> Intervention {
        let at = at.into();
        Intervention {
            at,
            layer: None,
            head: None,
            neuron: None,
            dim: None,
            positions: None,
            step: None,
            action,
        }
    }

    /// # Errors
    /// [`Error::Input`] with the forms that are understood.
    pub fn from_json(json: &str) -> Result<Intervention> {
        serde_json::from_str(json).map_err(|error| Error::Input(format!("intervention: {error}; {FORMS}")))
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an intervention has text keys alone")
    }
}

/// For the end of a message about a malformed intervention.
pub const FORMS: &str = "expected { at, layer?, head?, neuron?, dim?, positions?, step?, do } with do one of \"zero\", \
    \"mean\", { scale }, { add }, { set }, { from, fromPositions? }, { mean }, { knockOut: [{ query?, key? }], \
    renormalize? }, { js }";
