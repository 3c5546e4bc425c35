//! An intervention as the user writes it, and its JSON.

use serde::{Serialize, Serializer};

use super::actions::{self, Action};
use super::types::Choice;
use crate::error::{Error, Result};
use crate::wire::{self, HookNames, Value, options};

options! {
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
        /// The hook points: a name, a short name, a `*` glob or a `/regular expression/`, or several of them.
        #[serde(serialize_with = "one_or_list")]
        pub at: Vec<String> as HookNames,
        /// Only the points of these layers; negative ones count from the last.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub layer: Option<Choice<i64>>,
        /// Only these heads, at points with an axis `head`; negative ones count from the last.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub head: Option<Choice<i64>>,
        /// Only these neurons, at points with an axis `d_mlp`; negative ones count from the last.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub neuron: Option<Choice<i64>>,
        /// Only these dimensions of `d_model` or `d_head`; negative ones count from the last.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub dim: Option<Choice<i64>>,
        /// Only these positions (queries, at attention scores and patterns); negative ones count from the prompt's end.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub positions: Option<Choice<i64>>,
        /// Only the positions that are new at these steps of a generation: the prompt at step 0, then one token each.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub step: Option<Choice<usize>>,
        /// Only these texts of a batch, counted from 0; negative ones count from the end.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub batch: Option<Choice<i64>>,
        /// What is done to the selected values.
        #[serde(rename = "do")]
        pub action: Action => "do",
    }
}

impl Intervention {
    /// An intervention on all values at `at`. Set its fields to select fewer.
    ///
    /// ```
    /// use candlescope::intervene::{Choice, Intervention, Scale};
    /// let all = Intervention::new("blocks.*.attn.hook_z", Scale { scale: 0.5 });
    /// let head = Intervention { head: Some(Choice::One(3)), ..all };
    /// assert_eq!(head.to_json(), r#"{"at":"blocks.*.attn.hook_z","head":3,"do":{"scale":0.5}}"#);
    /// ```
    pub fn new(at: impl Into<String>, action: impl Into<Action>) -> Intervention {
        Intervention {
            at: vec![at.into()],
            layer: None,
            head: None,
            neuron: None,
            dim: None,
            positions: None,
            step: None,
            batch: None,
            action: action.into(),
        }
    }

    /// Reads one intervention from a JSON object.
    ///
    /// # Errors
    /// [`Error::Input`] with the expected forms.
    pub fn from_json(json: &str) -> Result<Intervention> {
        let forms = expected_forms();
        let json: serde_json::Value = serde_json::from_str(json).map_err(|error| {
            Error::Input(format!(
                "the intervention is not JSON at line {}, column {}; {forms}",
                error.line(),
                error.column()
            ))
        })?;
        Intervention::from_value(json).map_err(|error| match error {
            Error::Input(message) => Error::Input(format!("{message}; {forms}")),
            other => other,
        })
    }

    /// Reads one intervention from plain data.
    ///
    /// # Errors
    /// As [`Intervention::from_json`].
    pub fn from_value(value: impl Into<Value>) -> Result<Intervention> {
        wire::read("the intervention", &[], &value.into())
    }

    /// Reads several interventions from a JSON array.
    ///
    /// # Errors
    /// As [`Intervention::from_json`].
    pub fn list_from_json(json: &str) -> Result<Vec<Intervention>> {
        let json: serde_json::Value = serde_json::from_str(json).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Error::Input(format!(
                "the interventions are not JSON at line {line}, column {column}; expected an array"
            ))
        })?;
        wire::read("the interventions", &[], &json.into())
    }

    /// The intervention as JSON, from which [`from_json`](Intervention::from_json) reads the same.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an intervention has text keys only")
    }
}

/// One pattern as a text, several as a list.
fn one_or_list<S: Serializer>(patterns: &[String], to: S) -> std::result::Result<S::Ok, S::Error> {
    match patterns {
        [pattern] => pattern.serialize(to),
        _ => patterns.serialize(to),
    }
}

/// The end of a message about a malformed intervention.
fn expected_forms() -> String {
    let actions = actions::forms().join(", ");
    format!(
        "expected {{ at, layer?, head?, neuron?, dim?, positions?, step?, batch?, do }} with do one of {actions}"
    )
}
