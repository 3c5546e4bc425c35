//! The line of Python that does to a TransformerLens activation what an effect does to a value.
//!
//! `crate::python` puts it into a hook function, in which `x` is the activation, `y` its copy, `part` the index of the
//! selection and `places` the slot of each of its rows.

use std::borrow::Cow;

use super::selection::{Scope, is_attention, rows_of};
use super::types::Source;
use crate::named_array::NamedArray;

/// A Python function that a line calls; its text is one of the templates of `crate::python`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Helper {
    /// The variable `start`: the position in the text of the context's first token.
    Start,
    /// The variable `means`: the means that `mean_of_prompt` remembers.
    Means,
    /// `attention(name)`
    Attention,
    /// `select(x, name, …)`
    Select,
    /// `causal(x, y, name)`
    Causal,
    /// `keys(values, x)`
    Keys,
    /// `other_values(values, x, part, places, name, …)`
    OtherValues,
    /// `mean_of_prompt(x, key, prompt)`
    MeanOfPrompt,
    /// `cut(x, name, edges, part, renormalize)`
    Cut,
}

impl Helper {
    /// The helper and those that it uses.
    pub(crate) fn with_requirements(self) -> Vec<Helper> {
        use Helper::*;
        let uses: &[Helper] = match self {
            Start | Means | Attention => &[],
            Select => &[Start, Attention],
            Causal => &[Attention],
            Keys | Cut => &[Start],
            OtherValues => &[Start, Attention, Keys],
            MeanOfPrompt => &[Start, Means],
        };
        [uses, &[self]].concat()
    }
}

/// What an effect contributes to its hook function.
pub(crate) struct PythonLine<'a> {
    pub(crate) statement: String,
    pub(crate) helpers: Vec<Helper>,
    /// How many positions the effect has values for, if fewer than the text may come to have.
    pub(crate) rows: Option<usize>,
    /// Values by hook point that the statement finds in `values_{number}`.
    pub(crate) values: Option<Cow<'a, Source>>,
}

impl PythonLine<'_> {
    pub(super) fn new(statement: String, helpers: &[Helper]) -> PythonLine<'static> {
        PythonLine { statement, helpers: helpers.to_vec(), rows: None, values: None }
    }

    /// `y[part] = array`, or another assignment.
    pub(super) fn assign(operator: &str, array: &NamedArray, scope: &Scope) -> PythonLine<'static> {
        let several = scope.points.first().and_then(|point| rows_of(array, *point));
        let rows = several.filter(|rows| *rows > 1);
        let mut helpers = Vec::new();
        let values = values(array, scope, rows, &mut helpers);
        let statement = format!("y[part] {operator} {values}");
        PythonLine { statement, helpers, rows, values: None }
    }
}

impl<'a> PythonLine<'a> {
    /// The same with other values at each point. `rows` is how many there are along axis 1, if they have it.
    pub(super) fn assign_by_point(
        operator: &str,
        number: usize,
        rows: Option<usize>,
        values: Cow<'a, Source>,
    ) -> PythonLine<'a> {
        let rows = rows.filter(|rows| *rows > 1);
        let places = match rows {
            Some(_) => ".index_select(1 - x.ndim, torch.tensor(places, dtype=torch.long))",
            None => "",
        };
        let statement = format!("y[part] {operator} values_{number}[name]{places}");
        PythonLine { statement, helpers: Vec::new(), rows, values: Some(values) }
    }
}

/// `array` as Python; only its selected rows, if it has one for each position.
fn values(
    array: &NamedArray,
    scope: &Scope,
    rows: Option<usize>,
    helpers: &mut Vec<Helper>,
) -> String {
    if array.shape.is_empty() {
        return number(array.data[0]);
    }
    let mut python = tensor(array);
    let Some(point) = scope.points.first() else { return python };
    if is_attention(*point) && array.shape.last().is_some_and(|keys| *keys > 1) {
        helpers.push(Helper::Keys);
        python = format!("keys({python}, x)");
    }
    match rows {
        Some(_) => {
            let axis = if is_attention(*point) { -2 } else { 1 - point.axes().len() as i64 };
            format!("{python}.index_select({axis}, torch.tensor(places, dtype=torch.long))")
        }
        None => python,
    }
}

/// An array as a PyTorch tensor.
pub(crate) fn tensor(array: &NamedArray) -> String {
    let numbers: Vec<_> = array.data.iter().map(|value| number(*value)).collect();
    format!("torch.tensor([{}]).reshape({:?})", numbers.join(", "), array.shape)
}

/// A number that Python reads back as the same 32-bit float.
pub(crate) fn number(value: f32) -> String {
    match value {
        value if value.is_nan() => "torch.nan".into(),
        value if value == f32::INFINITY => "torch.inf".into(),
        value if value == f32::NEG_INFINITY => "-torch.inf".into(),
        value => format!("{value:?}"),
    }
}
