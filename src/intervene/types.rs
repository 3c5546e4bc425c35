//! The values that interventions consist of: numbers, indices, the length of the text, and JavaScript functions.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::named_array::NamedArray;
use crate::wire::{
    FromValue, IntoValue, Node, ReadAs, TypeScript, Value, number, numbers, resolve_index, results,
};

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
pub type Source = BTreeMap<String, NamedArray>;

/// Numbers that broadcast to a selection: by the names of their axes if they have them, else by their last axes, as in NumPy.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Values {
    /// One number for every selected element.
    Number(#[serde(serialize_with = "number::serialize")] f32),
    /// One number for each index along the last axis.
    List(#[serde(serialize_with = "numbers::serialize")] Vec<f32>),
    /// Numbers with a shape.
    Array(NamedArray),
}

impl Values {
    pub(super) fn to_array(&self) -> NamedArray {
        match self {
            Values::Number(number) => NamedArray::from_data(vec![], vec![*number]),
            Values::List(list) => NamedArray::from_data(vec![list.len()], list.clone()),
            Values::Array(array) => array.clone(),
        }
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
    /// The maximum number of positions that the model can see. The last generated token is never run.
    pub(super) fn positions(self) -> usize {
        self.prompt.saturating_add(self.new.saturating_sub(1))
    }

    /// The position in the text that `position` names.
    ///
    /// # Errors
    /// [`Error::Input`] if the text has no such position.
    pub(super) fn position(self, position: i64) -> Result<usize> {
        let (prompt, length) = (self.prompt, self.positions());
        resolve_index(position, prompt).filter(|position| *position < length).ok_or_else(|| {
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
    let index = resolve_index(position, length).filter(|index| *index < length);
    index.ok_or_else(|| Error::position_out_of_range(position, length))
}

results! {
    /// Describes the values that a JavaScript function gets: the selected part of a hook point's value.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Selected {
        /// The hook point's name.
        pub name: String,
        /// The names of its axes, outermost first.
        pub axes: &'static [&'static str],
        /// The number of selected indices along each axis.
        pub shape: Vec<usize>,
        /// The positions in the text of the rows along `pos` or `query`.
        pub positions: Vec<usize>,
        /// By axis, which indices of the whole activation they are, for the axes of which a part is selected: `{ head: [1, 3] }`.
        pub indices: BTreeMap<&'static str, Vec<usize>>,
        /// Which text of a batch that is run or generated; 0 in a run of one text.
        pub row: usize,
    }
}

/// The source text of a JavaScript function. JavaScript gives the function itself, too.
pub struct HookFunction;

impl ReadAs<String> for HookFunction {
    fn read_as(node: Node) -> Result<String> {
        String::from_value(node)
    }

    fn singular_as() -> String {
        String::singular()
    }

    fn typescript_as(types: &mut TypeScript) -> String {
        let docs = [
            "A function of selected values, or its source text. Only its text is sent to the worker, so it cannot use the",
            "page's variables. It is code with the rights of the page (network, storage): do not run code from sources that",
            "you do not trust. A Content-Security-Policy must allow it with 'unsafe-eval'. `show()` hands the selected values to",
            "`onShow` of the call while it runs, as they are now, and `show(value)` a copy of any other value.",
        ];
        types.alias("HookFunction", &docs, |types| {
            let selected = Selected::typescript(types);
            format!(
                "\n  | string\n  | ((\n      x: Float32Array,\n      info: {selected} & {{ show: (...values: unknown[]) => void }},\n    ) => ArrayLike<number> | void)"
            )
        })
    }
}

/// A function from selected values to as many new values.
pub type Function = Box<dyn FnMut(Vec<f32>, &Selected) -> Result<Vec<f32>>>;

/// Compiles the source text of a function.
pub type Compiler = Rc<dyn Fn(&str) -> Result<Function>>;

// ---- reading ----

impl<T: FromValue> FromValue for Choice<T> {
    fn from_value(node: Node) -> Result<Choice<T>> {
        match node.value() {
            Value::Number(_) => T::from_value(node).map(Choice::One),
            Value::List(_) | Value::Numbers(_) | Value::Floats(_) | Value::Ids(_) => {
                Vec::from_value(node).map(Choice::Many)
            }
            _ => Err(node.expected(Self::singular())),
        }
    }

    fn singular() -> String {
        format!("{} or an array of them", T::singular())
    }

    fn typescript(types: &mut TypeScript) -> String {
        format!("{} | {}", T::typescript(types), Vec::<T>::typescript(types))
    }

    fn literal(&self) -> Option<String> {
        match self {
            Choice::One(index) => index.literal(),
            Choice::Many(_) => None,
        }
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
            Value::List(_) | Value::Numbers(_) | Value::Floats(_) | Value::Ids(_) => {
                Vec::from_value(node).map(Values::List)
            }
            Value::Object(_) => NamedArray::from_value(node).map(Values::Array),
            _ => Err(node.expected(Self::singular())),
        }
    }

    fn singular() -> String {
        "a number, an array of numbers or a tensor { shape, data }".into()
    }

    fn typescript(types: &mut TypeScript) -> String {
        let docs = [
            "Numbers that broadcast to a selection. The axes of a `Tensor` are matched by name with those of the hook point: their",
            "order does not matter, one that it lacks is broadcast, and one that the hook point lacks is refused. Arrays without",
            "names broadcast by their last axes. A length is 1, or that of the selected part.",
        ];
        types.alias("Values", &docs, |types| {
            let array = NamedArray::typescript_input(types);
            format!("number | ArrayLike<number> | {array}")
        })
    }
}
