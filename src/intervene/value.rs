//! What an intervention says: plain data, and its JSON.

use std::collections::BTreeMap;

use candle_core::Tensor;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::wire::{self, FromValue, Node, Value, fields, words};

/// One change to a run.
///
/// ```
/// use candlescope::Intervention;
/// let json = r#"{"at":"blocks.1.attn.hook_z","head":3,"positions":[4,-1],"do":"zero"}"#;
/// let intervention = Intervention::from_json(json)?;
/// assert_eq!(intervention.to_json(), json);
/// # Ok::<(), candlescope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Intervention {
    /// A hook point's name, a `*` glob or a `/regular expression/`.
    pub at: String,
    /// Of the points that `at` matches, only those in these layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<Choice<usize>>,
    /// Only these heads, at points with an axis `head`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<Choice<usize>>,
    /// Only these neurons, at points with an axis `d_mlp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neuron: Option<Choice<usize>>,
    /// Only these dimensions of `d_model` or `d_head`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dim: Option<Choice<usize>>,
    /// Only these positions (queries, at attention scores and patterns); negative ones count from the prompt's end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positions: Option<Choice<i64>>,
    /// Only the positions that are new at these steps of a generation: the prompt at step 0, then one token each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<Choice<usize>>,
    /// What is done to what was selected.
    #[serde(rename = "do")]
    pub action: Action,
}

/// One index, or several.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
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
        #[serde(skip_serializing_if = "Option::is_none")]
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
        #[serde(skip_serializing_if = "Option::is_none")]
        renormalize: Option<bool>,
    },
    /// A JavaScript function `(x, { name, axes, shape, positions }) => values`, run where the model runs. It is code with
    /// the rights of the page: do not take it from strangers.
    Js { js: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Named {
    /// 0 instead of `x`.
    Zero,
    /// The mean of the point's values over the prompt's positions instead of `x`.
    Mean,
}

/// An attention edge. What is absent means all queries, or all keys up to the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Edge {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<i64>,
}

/// Values by hook point name, as a cache holds them.
pub type Source = BTreeMap<String, Array>;

/// Numbers that broadcast to a selection, by their last axes, as NumPy does.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Values {
    Number(#[serde(with = "number")] f32),
    List(#[serde(with = "numbers")] Vec<f32>),
    Array(Array),
}

/// Numbers with their shape, the last axis running fastest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Array {
    pub shape: Vec<usize>,
    #[serde(with = "numbers")]
    pub data: Vec<f32>,
}

impl Array {
    /// How many values the shape stands for; none if they cannot be counted.
    pub(crate) fn expected_length(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |product, length| product.checked_mul(*length))
    }

    pub fn of(tensor: &Tensor) -> Result<Array> {
        Ok(Array { shape: tensor.dims().to_vec(), data: tensor.flatten_all()?.to_vec1()? })
    }
}

/// JSON has no infinities and no NaN: they are written as text.
mod number {
    use serde::{Serialize, Serializer};

    #[derive(Serialize)]
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

    pub fn serialize<S: Serializer>(value: &f32, serializer: S) -> Result<S::Ok, S::Error> {
        Number::from(*value).serialize(serializer)
    }
}

mod numbers {
    use super::number::Number;
    use serde::Serializer;

    pub fn serialize<S: Serializer>(data: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(data.iter().map(|value| Number::from(*value)))
    }
}

fields! { Intervention {
    at: "at",
    layer: "layer" optional,
    head: "head" optional,
    neuron: "neuron" optional,
    dim: "dim" optional,
    positions: "positions" optional,
    step: "step" optional,
    action: "do",
} }

fields! { Edge { query: "query" optional, key: "key" optional } }

fields! { Array { shape: "shape", data: "data" } }

words! { Named { "zero" => Zero, "mean" => Mean } }

impl<T: FromValue> FromValue for Choice<T> {
    fn from_value(node: Node) -> Result<Choice<T>> {
        match node.value() {
            Value::Number(_) => T::from_value(node).map(Choice::One),
            Value::List(_) | Value::Numbers(_) | Value::Floats(_) => {
                Vec::from_value(node).map(Choice::Many)
            }
            _ => Err(node.expected(Self::one())),
        }
    }

    fn one() -> String {
        format!("{} or an array of them", T::one())
    }
}

impl FromValue for Values {
    fn from_value(node: Node) -> Result<Values> {
        match node.value() {
            Value::Number(_) => f32::from_value(node).map(Values::Number),
            Value::Text(text) if NOT_FINITE.contains(&text.as_str()) => {
                f32::from_value(node).map(Values::Number)
            }
            Value::List(_) | Value::Numbers(_) | Value::Floats(_) => {
                Vec::from_value(node).map(Values::List)
            }
            Value::Object(_) => Array::from_value(node).map(Values::Array),
            _ => Err(node.expected(Self::one())),
        }
    }

    fn one() -> String {
        "a number, an array of numbers or a tensor { shape, data }".into()
    }
}

/// How JSON writes the numbers that it does not have.
const NOT_FINITE: [&str; 3] = ["inf", "-inf", "NaN"];

/// The fields of an action that say what it is, and those that go with one of them.
const ACTIONS: [&str; 7] = ["scale", "add", "set", "from", "mean", "knockOut", "js"];
const BESIDE: [(&str, &str); 2] = [("fromPositions", "from"), ("renormalize", "knockOut")];

impl FromValue for Action {
    fn from_value(node: Node) -> Result<Action> {
        if node.text().is_some() {
            return match Named::from_value(node) {
                Ok(named) => Ok(Action::Named(named)),
                Err(_) => Err(node.expected(Self::one())),
            };
        }
        let known = [&ACTIONS[..], &BESIDE.map(|(name, _)| name)].concat();
        let fields = node.object(&known, Self::one)?;
        let given: Vec<_> = ACTIONS.into_iter().filter(|name| fields.has(name)).collect();
        let [action] = *given.as_slice() else {
            return Err(match given.as_slice() {
                [] => node.expected(Self::one()),
                _ => {
                    node.error(format!("has the actions `{}`, expected one", given.join("` and `")))
                }
            });
        };
        if let Some((name, owner)) =
            BESIDE.iter().find(|(name, owner)| fields.has(name) && *owner != action)
        {
            return Err(node.error(format!(
                "has `{name}` beside `{action}`, expected it beside `{owner}` only"
            )));
        }
        Ok(match action {
            "scale" => Action::Scale { scale: fields.required(action)? },
            "add" => Action::Add { add: fields.required(action)? },
            "set" => Action::Set { set: fields.required(action)? },
            "from" => Action::From {
                from: fields.required(action)?,
                from_positions: fields.optional("fromPositions")?,
            },
            "mean" => Action::Mean { mean: fields.required(action)? },
            "knockOut" => Action::KnockOut {
                knock_out: fields.required(action)?,
                renormalize: fields.optional("renormalize")?,
            },
            _ => Action::Js { js: fields.required(action)? },
        })
    }

    fn one() -> String {
        ACTION_FORMS.into()
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
        let json: serde_json::Value = serde_json::from_str(json).map_err(|error| {
            Error::Input(format!(
                "the intervention is not JSON at line {}, column {}; {FORMS}",
                error.line(),
                error.column()
            ))
        })?;
        Intervention::from_value(json).map_err(|error| match error {
            Error::Input(message) => Error::Input(format!("{message}; {FORMS}")),
            other => other,
        })
    }

    /// # Errors
    /// As [`Intervention::from_json`].
    pub fn from_value(value: impl Into<Value>) -> Result<Intervention> {
        wire::read("the intervention", &[], &value.into())
    }

    /// Several, from a JSON array.
    ///
    /// # Errors
    /// As [`Intervention::from_json`].
    pub fn list_from_json(json: &str) -> Result<Vec<Intervention>> {
        let json: serde_json::Value = serde_json::from_str(json).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Error::Input(format!(
                "the interventions are no JSON at line {line}, column {column}; expected an array"
            ))
        })?;
        wire::read("the interventions", &[], &json.into())
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an intervention has text keys alone")
    }
}

const ACTION_FORMS: &str = "\"zero\", \"mean\", { scale }, { add }, { set }, { from, fromPositions? }, { mean }, \
    { knockOut: [{ query?, key? }], renormalize? } or { js }";

/// For the end of a message about a malformed intervention.
pub const FORMS: &str = "expected { at, layer?, head?, neuron?, dim?, positions?, step?, do } with do one of \"zero\", \
    \"mean\", { scale }, { add }, { set }, { from, fromPositions? }, { mean }, { knockOut: [{ query?, key? }], \
    renormalize? }, { js }";
