//! The values that interventions consist of: numbers, indices, the length of the text, and JavaScript functions.

use std::collections::BTreeMap;
use std::rc::Rc;

use candle_core::Tensor;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::wire::{FromValue, Node, Value, fields};

/// One index, or several.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Choice<T> {
    /// One index, written as a number.
    One(T),
    /// Several indices, written as a list.
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

/// Values by hook point name, as a cache holds them.
pub type Source = BTreeMap<String, Array>;

/// Numbers that broadcast to a selection by their last axes, as in NumPy.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Values {
    /// One number for every selected element.
    Number(#[serde(with = "number")] f32),
    /// One number for each index along the last axis.
    List(#[serde(with = "numbers")] Vec<f32>),
    /// Numbers with a shape.
    Array(Array),
}

impl Values {
    pub(super) fn to_array(&self) -> Array {
        match self {
            Values::Number(number) => Array { shape: vec![], data: vec![*number] },
            Values::List(list) => Array { shape: vec![list.len()], data: list.clone() },
            Values::Array(array) => array.clone(),
        }
    }
}

/// Numbers with their shape, in row-major order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Array {
    /// The length of each axis, outermost first.
    pub shape: Vec<usize>,
    /// The numbers; the index along the last axis changes fastest.
    #[serde(with = "numbers")]
    pub data: Vec<f32>,
}

impl Array {
    /// The number of values that the shape describes; none if it overflows `usize`.
    pub(crate) fn expected_length(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |product, length| product.checked_mul(*length))
    }

    /// Copies a tensor of 32-bit floats.
    ///
    /// # Errors
    /// [`Error::Candle`] if the tensor has another dtype.
    pub fn of(tensor: &Tensor) -> Result<Array> {
        Ok(Array { shape: tensor.dims().to_vec(), data: tensor.flatten_all()?.to_vec1()? })
    }
}

/// How long the text is that interventions act on.
#[derive(Debug, Clone, Copy)]
pub struct TextLength {
    /// Tokens of the prompt. Negative positions count from its end.
    pub prompt: usize,
    /// Tokens that may be generated after it.
    pub new: usize,
}

impl TextLength {
    /// The greatest number of positions that the model can see. The last generated token is never run.
    pub(super) fn positions(self) -> usize {
        self.prompt.saturating_add(self.new.saturating_sub(1))
    }

    /// The position in the text that `position` names.
    ///
    /// # Errors
    /// [`Error::Input`] if the text has no such position.
    pub(super) fn position(self, position: i64) -> Result<usize> {
        let (prompt, length) = (self.prompt, self.positions());
        resolve_position(position, prompt).filter(|position| *position < length).ok_or_else(|| {
            let last = length.saturating_sub(1);
            Error::Input(format!(
                "position {position} is out of range, expected -{prompt} to {last}"
            ))
        })
    }
}

/// The index of `position`, which is counted from the end of `length` positions if it is negative.
///
/// # Errors
/// [`Error::Input`] when it is out of range.
pub(crate) fn expect_position(position: i64, length: usize) -> Result<usize> {
    let index = resolve_position(position, length).filter(|index| *index < length);
    index.ok_or_else(|| Error::position_out_of_range(position, length))
}

/// The position that `position` names; a negative one counts from the end of `length`.
pub(super) fn resolve_position(position: i64, length: usize) -> Option<usize> {
    if position >= 0 {
        usize::try_from(position).ok()
    } else {
        length.checked_sub(usize::try_from(position.unsigned_abs()).ok()?)
    }
}

/// Describes the values that a JavaScript function gets: the selected part of a hook point's value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Selected {
    /// The hook point's name.
    pub name: String,
    /// The names of its axes, outermost first.
    pub axes: &'static [&'static str],
    /// The number of selected indices along each axis.
    pub shape: Vec<usize>,
    /// The positions in the text of the rows along `pos` or `query`.
    pub positions: Vec<usize>,
}

/// A function from selected values to as many new values.
pub type Function = Box<dyn FnMut(Vec<f32>, &Selected) -> Result<Vec<f32>>>;

/// Compiles the source text of a function.
pub type Compiler = Rc<dyn Fn(&str) -> Result<Function>>;

/// JSON has no infinities and no NaN: they are written as text.
pub(super) mod number {
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

// ---- reading ----

fields! { Array { shape: "shape", data: "data" } }

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

/// The texts that JSON has in place of the numbers that it cannot write.
const NOT_FINITE: [&str; 3] = ["inf", "-inf", "NaN"];

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
