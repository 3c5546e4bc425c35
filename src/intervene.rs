//! Interventions: plain values that say where a run is changed and how, and the [`Plan`] that carries them out.
//!
//! An [`Intervention`] can be printed, stored as JSON and sent. A [`Plan`] resolves a list of them against a model and
//! a prompt, refuses what would select nothing, and then is the [`Hooks`] of a run or of a generation.
//!
//! Positions are those of the text: 0 is its first token, -1 the last token *of the prompt*. Generated tokens follow
//! the prompt, the token of step `s` at position `prompt length + s - 1`, so that an intervention names the same
//! places whether or not keys and values are cached, and wherever a cropped context begins.

use std::collections::BTreeMap;
use std::rc::Rc;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::hook::{BlockPoint, HookPoint, Hooks, Selector, Site};

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
    fn to_vec(&self) -> Vec<T> {
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

/// What a JavaScript function is told about the values it gets: the selected part alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Selected {
    pub name: String,
    pub axes: &'static [&'static str],
    pub shape: Vec<usize>,
    /// The positions in the text of the rows along `pos` or `query`.
    pub positions: Vec<usize>,
}

/// A function that changes selected values: as many as it gets.
pub type Function = Box<dyn FnMut(Vec<f32>, &Selected) -> Result<Vec<f32>>>;

/// Turns the source text of a function into the function.
pub type Compiler = Rc<dyn Fn(&str) -> Result<Function>>;

/// How long the text is that interventions act on.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Tokens of the prompt, from whose end negative positions count.
    pub prompt: usize,
    /// Tokens that may be generated after it.
    pub new: usize,
}

/// Interventions resolved against a model and a prompt: the [`Hooks`] that carry them out, in their order.
pub struct Plan {
    pub(crate) changes: Vec<Change>,
    extent: Extent,
    /// The position in the text of the context's first token: above 0 once a generation crops its context.
    pub(crate) window_start: usize,
}

/// One intervention, resolved.
pub(crate) struct Change {
    pub(crate) at: String,
    pub(crate) points: Vec<HookPoint>,
    pub(crate) heads: Option<Vec<usize>>,
    /// Of the last axis: neurons or dimensions.
    pub(crate) lanes: Option<Vec<usize>>,
    /// Positions in the text; none given means all.
    pub(crate) positions: Option<Vec<usize>>,
    pub(crate) effect: Effect,
    fired: bool,
}

pub(crate) enum Effect {
    Scale(f32),
    Add(Array),
    Set(Array),
    /// By point; the row for the n-th selected position, where it is not the position itself.
    From {
        source: Source,
        rows: Rows,
    },
    /// By point, taken from the prompt when it is first seen.
    Mean(BTreeMap<HookPoint, Tensor>),
    KnockOut {
        edges: Vec<ResolvedEdge>,
        renormalize: bool,
    },
    Function(Function),
}

pub(crate) enum Rows {
    Same,
    Listed(Vec<usize>),
    Only,
}

pub(crate) struct ResolvedEdge {
    pub(crate) query: Option<usize>,
    pub(crate) key: Option<usize>,
}

impl Plan {
    /// Resolves `interventions` for a prompt and what may be generated after it.
    ///
    /// # Errors
    /// [`Error::Hook`] when one matches no point or does not fit the points it matches, [`Error::Input`] when an
    /// index is out of range or a selection is empty.
    pub fn new(
        interventions: &[Intervention],
        config: &Config,
        extent: Extent,
        compiler: Option<&Compiler>,
    ) -> Result<Plan> {
        let resolve = |intervention| Resolver { intervention, config, extent }.resolve(compiler);
        let changes = interventions.iter().map(resolve).collect::<Result<_>>()?;
        Ok(Plan { changes, extent, window_start: 0 })
    }

    /// Checks, after a run, that every intervention had something to change.
    ///
    /// # Errors
    /// [`Error::Hook`] naming one that was never reached, because the run began after it or stopped before it.
    pub fn check_fired(&self) -> Result<()> {
        match self.changes.iter().find(|change| !change.fired) {
            Some(change) => Err(Error::Hook(format!(
                "the intervention at `{}` lies outside the layers that were run",
                change.at
            ))),
            None => Ok(()),
        }
    }
}

impl Hooks for Plan {
    fn wants(&self, point: HookPoint) -> bool {
        self.changes.iter().any(|change| change.points.contains(&point))
    }

    fn visit(&mut self, site: Site, mut value: Tensor) -> Result<Tensor> {
        let first = self.window_start + site.first_position;
        for change in self.changes.iter_mut().filter(|change| change.points.contains(&site.point)) {
            change.fired = true;
            let met = Met { point: site.point, first, window_start: self.window_start, extent: self.extent };
            value = change.apply(value, met)?;
        }
        Ok(value)
    }
}

/// Where in the text a value was met.
#[derive(Clone, Copy)]
struct Met {
    point: HookPoint,
    /// The position of its first row.
    first: usize,
    window_start: usize,
    extent: Extent,
}

impl Change {
    fn apply(&mut self, value: Tensor, met: Met) -> Result<Tensor> {
        let Some(selection) = self.select(&value, met) else { return Ok(value) };
        match &mut self.effect {
            Effect::Scale(factor) => selection.replace(&value, &(&value * f64::from(*factor))?),
            Effect::Add(array) => {
                let Some(selection) = selection.covered_by(array) else { return Ok(value) };
                let added = selection.spread(&self.at, array)?;
                selection.replace(&value, &(&value + added)?)
            }
            Effect::Set(array) => {
                let Some(selection) = selection.covered_by(array) else { return Ok(value) };
                selection.replace(&value, &selection.spread(&self.at, array)?)
            }
            Effect::From { source, rows } => {
                let array = patch_source(source, met.point)?;
                let Some(selection) = selection.present_in(array, rows) else { return Ok(value) };
                selection.replace(&value, &selection.patch(array, rows, met)?)
            }
            Effect::Mean(means) => {
                let mean = match means.get(&met.point) {
                    Some(mean) => mean.clone(),
                    None => {
                        let prompt = met.extent.prompt.saturating_sub(met.first).clamp(1, value.dim(1)?);
                        let mean = value.narrow(1, 0, prompt)?.mean_keepdim(1)?;
                        means.insert(met.point, mean.clone());
                        mean
                    }
                };
                selection.replace(&value, &mean.broadcast_as(value.shape())?.contiguous()?)
            }
            Effect::KnockOut { edges, renormalize } => {
                knock_out(&value, edges, *renormalize, &selection, met)
            }
            Effect::Function(function) => {
                let given = selection.gather(&value)?;
                let expected = given.len();
                let selected = selection.describe(met);
                let returned = function(given, &selected)?;
                if returned.len() != expected {
                    let (name, shape, found) = (selected.name, selected.shape, returned.len());
                    return Err(Error::Hook(format!(
                        "the function at `{name}` returned {found} values, expected {expected} for shape {shape:?}"
                    )));
                }
                selection.replace(&value, &selection.scatter(&returned)?)
            }
        }
    }
}

impl Change {
    /// The part of `value` that is to be changed; none when none of its rows is meant.
    fn select(&self, value: &Tensor, met: Met) -> Option<Selection> {
        let axes = met.point.axes();
        let all = |length: usize| (0..length).map(|index| (index, index)).collect::<Vec<_>>();
        let listed = |indices: &[usize]| indices.iter().copied().zip(0..).collect::<Vec<_>>();
        let along = |axis: usize| {
            let length = value.dims()[axis];
            match axes[axis] {
                "pos" | "query" => self.rows(length, met),
                "head" => self.heads.as_deref().map_or_else(|| all(length), listed),
                "d_model" | "d_head" | "d_mlp" => self.lanes.as_deref().map_or_else(|| all(length), listed),
                "key" => (0..length).map(|key| (key, met.window_start + key)).collect(),
                _ => all(length),
            }
        };
        let indices: Vec<_> = (0..axes.len()).map(along).collect();
        let empty = indices.iter().any(Vec::is_empty);
        let past = met.first - met.window_start;
        (!empty).then(|| Selection { axes, dims: value.dims().to_vec(), indices, first: met.first, past })
    }

    /// Row in the value and place in the selection of every row that is meant.
    fn rows(&self, length: usize, met: Met) -> Vec<(usize, usize)> {
        let place = |position: usize| match &self.positions {
            None => Some(position),
            Some(positions) => positions.iter().position(|selected| *selected == position),
        };
        (0..length).filter_map(|row| Some((row, place(met.first + row)?))).collect()
    }
}

/// A part of a value: along each axis, the indices that are meant and the place of each in the selection (of a key,
/// its position in the text).
struct Selection {
    axes: &'static [&'static str],
    dims: Vec<usize>,
    indices: Vec<Vec<(usize, usize)>>,
    /// The position in the text of the first row, and how many keys come before it.
    first: usize,
    past: usize,
}

impl Selection {
    /// `new` where it is selected, `old` elsewhere. Differentiable in both.
    ///
    /// A query never gets to see a later key, whatever is done to the attention: only edges that the causal mask
    /// leaves are replaced. (Otherwise a run with cached keys and values, which has no later keys, would differ.)
    fn replace(&self, old: &Tensor, new: &Tensor) -> Result<Tensor> {
        let whole = self.indices.iter().zip(&self.dims).all(|(indices, length)| indices.len() == *length);
        if whole && !self.axes.contains(&"key") {
            return Ok(new.clone());
        }
        let mut mask = vec![0u8; self.dims.iter().product()];
        self.each(|flat, coordinates| mask[flat] = u8::from(self.causal(coordinates)));
        let mask = Tensor::from_vec(mask, self.dims.as_slice(), &Device::Cpu)?;
        Ok(mask.where_cond(&new.contiguous()?, &old.contiguous()?)?)
    }

    /// Whether an element is not an attention edge to a later key.
    fn causal(&self, coordinates: &[(usize, usize)]) -> bool {
        !self.axes.contains(&"key") || coordinates[3].0 <= self.past + coordinates[2].0
    }

    /// Calls `f` with every selected element: its flat index and its coordinates.
    fn each(&self, mut f: impl FnMut(usize, &[(usize, usize)])) {
        let rank = self.dims.len();
        let mut at = vec![0; rank];
        let mut coordinates: Vec<_> = self.indices.iter().map(|indices| indices[0]).collect();
        loop {
            let flat = coordinates
                .iter()
                .zip(&self.dims)
                .fold(0, |flat, ((index, _), length)| flat * length + index);
            f(flat, &coordinates);
            let mut axis = rank;
            loop {
                let Some(next) = axis.checked_sub(1) else { return };
                axis = next;
                at[axis] = (at[axis] + 1) % self.indices[axis].len();
                coordinates[axis] = self.indices[axis][at[axis]];
                if at[axis] > 0 {
                    break;
                }
            }
        }
    }

    /// A tensor of the value's shape with `value_at` what is selected, and 0 elsewhere.
    fn build(&self, mut value_at: impl FnMut(&[(usize, usize)]) -> f32) -> Result<Tensor> {
        let mut data = vec![0f32; self.dims.iter().product()];
        self.each(|flat, coordinates| data[flat] = value_at(coordinates));
        Ok(Tensor::from_vec(data, self.dims.as_slice(), &Device::Cpu)?)
    }

    fn row_axis(&self) -> usize {
        self.axes.iter().position(|axis| matches!(*axis, "pos" | "query")).unwrap_or_default()
    }

    fn lengths(&self) -> Vec<usize> {
        self.indices.iter().map(Vec::len).collect()
    }

    fn gather(&self, value: &Tensor) -> Result<Vec<f32>> {
        let data = value.flatten_all()?.to_vec1::<f32>()?;
        let mut gathered = Vec::with_capacity(self.lengths().iter().product());
        self.each(|flat, _| gathered.push(data[flat]));
        Ok(gathered)
    }

    fn scatter(&self, data: &[f32]) -> Result<Tensor> {
        let mut values = data.iter();
        self.build(|_| values.next().copied().unwrap_or_default())
    }

    fn describe(&self, met: Met) -> Selected {
        let rows = &self.indices[self.row_axis()];
        let positions = rows.iter().map(|(row, _)| met.first + row).collect();
        Selected { name: met.point.to_string(), axes: self.axes, shape: self.lengths(), positions }
    }

    /// Without the rows that `array` has no values for, where it has a row for each position of the prompt.
    fn covered_by(mut self, array: &Array) -> Option<Selection> {
        let axis = self.row_axis();
        let rows =
            (axis + array.shape.len()).checked_sub(self.dims.len()).map_or(1, |axis| array.shape[axis]);
        if rows > 1 {
            self.indices[axis].retain(|(_, place)| *place < rows);
        }
        (!self.indices[axis].is_empty()).then_some(self)
    }

    /// `array` broadcast to the selection by its last axes. One that has a row for each selected position may
    /// have fewer keys than there are by now.
    fn spread(&self, at: &str, array: &Array) -> Result<Tensor> {
        let lengths = self.lengths();
        let unfit = || {
            let found = &array.shape;
            Error::Hook(format!("values of shape {found:?} do not broadcast to {lengths:?} at `{at}`"))
        };
        let offset = self.dims.len().checked_sub(array.shape.len()).ok_or_else(unfit)?;
        let free = |axis: usize| axis == self.row_axis() || self.axes[axis] == "key";
        let fits = |(axis, length): (usize, &usize)| {
            *length == 1 || free(axis + offset) || *length == lengths[axis + offset]
        };
        let mut fit = array.shape.iter().enumerate().all(fits);
        let tensor = self.build(|coordinates| {
            let mut flat = 0;
            for ((_, place), length) in coordinates[offset..].iter().zip(&array.shape) {
                let place = if *length == 1 { 0 } else { *place };
                if place >= *length {
                    fit &= !self.causal(coordinates);
                    return 0.0;
                }
                flat = flat * length + place;
            }
            if fit { array.data[flat] } else { 0.0 }
        })?;
        if fit { Ok(tensor) } else { Err(unfit()) }
    }

    /// Without the rows that come after the other run's last position.
    fn present_in(mut self, array: &Array, rows: &Rows) -> Option<Selection> {
        let axis = self.row_axis();
        let length = array.shape.get(axis).copied().unwrap_or_default();
        match rows {
            Rows::Same => self.indices[axis].retain(|(row, _)| self.first + row < length),
            Rows::Listed(rows) => self.indices[axis].retain(|(_, place)| *place < rows.len()),
            Rows::Only => {}
        }
        (!self.indices[axis].is_empty()).then_some(self)
    }

    /// The selected values as `array`, the same point of another run, has them.
    fn patch(&self, array: &Array, rows: &Rows, met: Met) -> Result<Tensor> {
        self.check_source(array, met)?;
        let masked = masked_value(met.point);
        self.build(|coordinates| {
            let mut flat = 0;
            for (axis, ((index, place), length)) in coordinates.iter().zip(&array.shape).enumerate() {
                let index = match (self.axes[axis], rows) {
                    ("pos" | "query", Rows::Same) => met.first + index,
                    ("pos" | "query", Rows::Listed(rows)) => rows[*place],
                    ("pos" | "query", Rows::Only) => 0,
                    ("key", _) => *place,
                    _ => *index,
                };
                if index >= *length {
                    return masked; // a key that the other run had not seen
                }
                flat = flat * length + index;
            }
            array.data[flat]
        })
    }

    fn check_source(&self, array: &Array, met: Met) -> Result<()> {
        let free = |axis: usize| matches!(self.axes[axis], "pos" | "query" | "key");
        let fits = array.shape.len() == self.dims.len()
            && (0..self.dims.len()).all(|axis| free(axis) || array.shape[axis] == self.dims[axis]);
        if fits {
            return Ok(());
        }
        let (found, expected, point) = (&array.shape, &self.dims, met.point);
        Err(Error::Hook(format!("the other run has shape {found:?} at `{point}`, expected {expected:?}")))
    }
}

/// How many rows along `pos` or `query` the other run has at `point`.
fn source_rows(source: &Source, point: HookPoint) -> Result<usize> {
    let shape = &patch_source(source, point)?.shape;
    let rows = rows_axis(point).and_then(|axis| shape.get(axis));
    rows.copied().ok_or_else(|| {
        let axes = point.axes().join(" ");
        Error::Hook(format!("the other run has shape {shape:?} at `{point}`, whose axes are {axes}"))
    })
}

fn rows_axis(point: HookPoint) -> Option<usize> {
    point.axes().iter().position(|axis| matches!(*axis, "pos" | "query"))
}

fn patch_source(source: &Source, point: HookPoint) -> Result<&Array> {
    let name = point.to_string();
    source.get(&name).ok_or_else(|| {
        let names: Vec<_> = source.keys().map(|name| format!("`{name}`")).collect();
        Error::Hook(format!("the other run did not capture `{name}`; it has {}", names.join(", ")))
    })
}

/// What attention to a masked key looks like at a point.
fn masked_value(point: HookPoint) -> f32 {
    match point {
        HookPoint::Block(_, BlockPoint::AttnScores) => f32::NEG_INFINITY,
        _ => 0.0,
    }
}

/// Cuts edges: -inf among scores, which the softmax then leaves out; 0 among probabilities.
fn knock_out(
    value: &Tensor,
    edges: &[ResolvedEdge],
    renormalize: bool,
    selection: &Selection,
    met: Met,
) -> Result<Tensor> {
    let cut = |position: usize, key: usize| {
        let meets = |wanted: Option<usize>, found| wanted.is_none_or(|wanted| wanted == found);
        edges.iter().any(|edge| meets(edge.query, position) && meets(edge.key, key))
    };
    let mut mask = vec![0u8; value.elem_count()];
    selection.each(|flat, coordinates| {
        let cut = cut(met.first + coordinates[2].0, coordinates[3].1);
        mask[flat] = u8::from(cut && selection.causal(coordinates));
    });
    let mask = Tensor::from_vec(mask, value.shape(), &Device::Cpu)?;
    let blank = Tensor::full(masked_value(met.point), value.shape(), &Device::Cpu)?;
    let left = mask.where_cond(&blank, &value.contiguous()?)?;
    if masked_value(met.point) != 0.0 {
        let deaf = left.max(3)?.flatten_all()?.to_vec1::<f32>()?.contains(&f32::NEG_INFINITY);
        return if deaf { Err(nothing_left(met.point)) } else { Ok(left) };
    }
    if !renormalize {
        return Ok(left);
    }
    let sum = left.sum_keepdim(3)?;
    let nothing_left = sum.eq(0f64)?;
    let divisor = nothing_left.where_cond(&sum.ones_like()?, &sum)?;
    let rows = mask.max_keepdim(3)?.broadcast_as(value.shape())?.contiguous()?;
    Ok(rows.where_cond(&left.broadcast_div(&divisor)?, value)?)
}

fn nothing_left(point: HookPoint) -> Error {
    Error::Hook(format!(
        "every edge of a query was cut at `{point}`, which leaves its softmax nothing; cut them at `hook_pattern` to let \
         the query attend to nothing"
    ))
}

/// How many rows along `pos` or `query` an array that broadcasts to the values at `point` has.
pub(crate) fn rows_of(array: &Array, point: HookPoint) -> Option<usize> {
    let row_axis = rows_axis(point)?;
    array.shape.get((row_axis + array.shape.len()).checked_sub(point.axes().len())?).copied()
}

/// Resolves one intervention.
struct Resolver<'a> {
    intervention: &'a Intervention,
    config: &'a Config,
    extent: Extent,
}

impl Resolver<'_> {
    fn resolve(&self, compiler: Option<&Compiler>) -> Result<Change> {
        let points = self.points()?;
        let positions = self.positions()?;
        let Intervention { head, neuron, dim, .. } = self.intervention;
        self.expect_axis(head, "head", &["head"], &points)?;
        self.expect_axis(neuron, "neuron", &["d_mlp"], &points)?;
        self.expect_axis(dim, "dim", &["d_model", "d_head"], &points)?;
        let width = |point: &HookPoint| match point.axes().last() {
            Some(&"d_mlp") => self.config.d_mlp(),
            Some(&"d_head") => self.config.d_head(),
            _ => self.config.n_embd,
        };
        let narrowest = points.iter().map(width).min().unwrap_or_default();
        Ok(Change {
            at: self.intervention.at.clone(),
            heads: self.indices("head", head, self.config.n_head)?,
            lanes: self.indices(
                if neuron.is_some() { "neuron" } else { "dim" },
                neuron.as_ref().or(dim.as_ref()),
                narrowest,
            )?,
            effect: self.effect(&points, positions.as_deref(), compiler)?,
            positions,
            points,
            fired: false,
        })
    }

    fn points(&self) -> Result<Vec<HookPoint>> {
        let mut points = Selector::parse(&self.intervention.at, self.config)?.points().to_vec();
        if let Some(layers) = self.indices("layer", &self.intervention.layer, self.config.n_layer)? {
            points.retain(|point| point.layer().is_some_and(|layer| layers.contains(&layer)));
        }
        match points.is_empty() {
            true => {
                let (at, layer) =
                    (&self.intervention.at, self.intervention.layer.as_ref().map(Choice::to_vec));
                Err(Error::Hook(format!(
                    "`{at}` matches no hook point in layers {:?}",
                    layer.unwrap_or_default()
                )))
            }
            false => Ok(points),
        }
    }

    fn indices<'c>(
        &self,
        name: &str,
        choice: impl Into<Option<&'c Choice<usize>>>,
        length: usize,
    ) -> Result<Option<Vec<usize>>> {
        let Some(choice) = choice.into() else { return Ok(None) };
        let indices = choice.to_vec();
        if indices.is_empty() {
            return Err(self.selects_nothing(name));
        }
        if let Some(index) = indices.iter().find(|index| **index >= length) {
            return Err(Error::Input(format!("`{name}` {index} is out of range, expected below {length}")));
        }
        self.expect_different(name, &indices)?;
        Ok(Some(indices))
    }

    fn selects_nothing(&self, name: &str) -> Error {
        self.error(format!("selects nothing: `{name}` is empty"))
    }

    fn error(&self, what: String) -> Error {
        Error::Input(format!("the intervention at `{}` {what}", self.intervention.at))
    }

    fn expect_different(&self, name: &str, indices: &[usize]) -> Result<()> {
        match (1..indices.len()).find(|index| indices[..*index].contains(&indices[*index])) {
            Some(index) => Err(self.error(format!("lists {} twice in `{name}`", indices[index]))),
            None => Ok(()),
        }
    }

    fn expect_axis(
        &self,
        choice: &Option<Choice<usize>>,
        name: &str,
        axes: &[&str],
        points: &[HookPoint],
    ) -> Result<()> {
        let lacks = |point: &&HookPoint| !point.axes().iter().any(|axis| axes.contains(axis));
        match points.iter().find(lacks) {
            Some(point) if choice.is_some() => {
                let found = point.axes().join(" ");
                Err(Error::Hook(format!("`{name}` selects nothing at `{point}`, whose axes are {found}")))
            }
            _ => Ok(()),
        }
    }

    /// The positions that both `positions` and `step` select.
    fn positions(&self) -> Result<Option<Vec<usize>>> {
        let listed =
            self.intervention.positions.as_ref().map(|choice| self.listed(&choice.to_vec())).transpose()?;
        let Some(steps) = self.indices("step", &self.intervention.step, self.extent.new.max(1))? else {
            return Ok(listed);
        };
        let Extent { prompt, .. } = self.extent;
        let step_of = |position: &usize| (position + 1).saturating_sub(prompt);
        let mut positions = listed.unwrap_or_else(|| (0..self.text_length()).collect());
        positions.retain(|position| steps.contains(&step_of(position)));
        if positions.is_empty() {
            return Err(
                self.error(format!("selects nothing: none of its positions is new at step {steps:?}"))
            );
        }
        Ok(Some(positions))
    }

    fn listed(&self, positions: &[i64]) -> Result<Vec<usize>> {
        if positions.is_empty() {
            return Err(self.selects_nothing("positions"));
        }
        let listed = positions.iter().map(|position| self.position(*position)).collect::<Result<Vec<_>>>()?;
        self.expect_different("positions", &listed)?;
        Ok(listed)
    }

    /// How many positions the text may come to have. The last generated token is never run, so it has none.
    fn text_length(&self) -> usize {
        self.extent.prompt + self.extent.new.saturating_sub(1)
    }

    fn position(&self, position: i64) -> Result<usize> {
        let (prompt, length) = (self.extent.prompt, self.text_length());
        resolve_position(position, prompt).filter(|position| *position < length).ok_or_else(|| {
            let last = length.saturating_sub(1);
            Error::Input(format!("position {position} is out of range, expected -{prompt} to {last}"))
        })
    }

    fn effect(
        &self,
        points: &[HookPoint],
        positions: Option<&[usize]>,
        compiler: Option<&Compiler>,
    ) -> Result<Effect> {
        let attention = |point: &HookPoint| point.axes().contains(&"key");
        Ok(match &self.intervention.action {
            Action::Named(Named::Zero) => Effect::Set(Array { shape: vec![], data: vec![0.0] }),
            Action::Named(Named::Mean) => {
                if let Some(point) = points.iter().find(|point| attention(point)) {
                    return Err(Error::Hook(format!(
                        "the mean over queries at `{point}` would look at later keys; set the values instead"
                    )));
                }
                Effect::Mean(BTreeMap::new())
            }
            Action::Scale { scale } => Effect::Scale(*scale),
            Action::Add { add } => Effect::Add(self.array(add, points, positions)?),
            Action::Set { set } => Effect::Set(self.array(set, points, positions)?),
            Action::From { from, from_positions } => {
                let mut rows = Rows::Same;
                for point in points {
                    let found = source_rows(from, *point)?;
                    rows = self.rows_to_take(found, *point, from_positions.as_deref(), positions)?;
                }
                Effect::From { source: from.clone(), rows }
            }
            Action::Mean { mean } => {
                for point in points {
                    let found = source_rows(mean, *point)?;
                    if found != 1 {
                        return Err(self.error(format!(
                            "has means with {found} positions for `{point}`, expected 1: take the mean over positions"
                        )));
                    }
                }
                Effect::From { source: mean.clone(), rows: Rows::Only }
            }
            Action::KnockOut { knock_out, renormalize } => {
                if let Some(point) = points.iter().find(|point| !attention(point)) {
                    return Err(Error::Hook(format!(
                        "`{point}` has no attention edges; expected `hook_attn_scores` or `hook_pattern`"
                    )));
                }
                let renormalize = renormalize.unwrap_or(true);
                if !renormalize && points.iter().any(|point| masked_value(*point) != 0.0) {
                    return Err(Error::Hook(
                        "edges cut among attention scores are always renormalised by the softmax after them; cut \
                         them at `hook_pattern` to leave the others as they were"
                            .into(),
                    ));
                }
                if knock_out.is_empty() {
                    return Err(self.selects_nothing("knockOut"));
                }
                let edge = |edge: &Edge| self.edge(*edge, positions);
                let edges = knock_out.iter().map(edge).collect::<Result<_>>()?;
                Effect::KnockOut { edges, renormalize }
            }
            Action::Js { js } => match compiler {
                Some(compiler) => Effect::Function(compiler(js)?),
                None => return Err(Error::Input("JavaScript functions run in a browser alone".into())),
            },
        })
    }

    fn array(&self, values: &Values, points: &[HookPoint], positions: Option<&[usize]>) -> Result<Array> {
        let array = match values {
            Values::Number(number) => Array { shape: vec![], data: vec![*number] },
            Values::List(list) => Array { shape: vec![list.len()], data: list.clone() },
            Values::Array(array) => array.clone(),
        };
        let expected: usize = array.shape.iter().product();
        if array.data.is_empty() || array.data.len() != expected {
            let (found, shape, at) = (array.data.len(), &array.shape, &self.intervention.at);
            return Err(Error::Input(format!(
                "{found} values for shape {shape:?} at `{at}`, expected {expected}"
            )));
        }
        let selected = positions.map_or(self.extent.prompt, <[usize]>::len);
        let wrong = points
            .iter()
            .filter_map(|point| rows_of(&array, *point))
            .find(|rows| ![1, selected].contains(rows));
        match wrong {
            Some(rows) => Err(Error::Input(format!(
                "values for {rows} positions at `{}`, expected 1 or the {selected} selected ones",
                self.intervention.at
            ))),
            None => Ok(array),
        }
    }

    /// Which of the other run's `found` positions stand for the selected ones.
    fn rows_to_take(
        &self,
        found: usize,
        point: HookPoint,
        from: Option<&[i64]>,
        positions: Option<&[usize]>,
    ) -> Result<Rows> {
        let prompt = self.extent.prompt;
        let Some(from) = from else {
            let last = positions.map(|positions| positions.iter().copied().max().unwrap_or_default());
            return match last {
                None if !(prompt..=self.text_length()).contains(&found) => Err(self.error(format!(
                    "takes `{point}` from a run of {found} tokens for one of {prompt}; where the two differ in length, \
                     choose `positions` and `fromPositions`"
                ))),
                Some(last) if last >= found => Err(self.error(format!(
                    "selects position {last}, but the other run has {found} at `{point}`; `fromPositions` can say \
                     which of them stand for the selected ones"
                ))),
                _ => Ok(Rows::Same),
            };
        };
        let selected = positions.map_or(prompt, <[usize]>::len);
        if from.len() != selected {
            let listed = from.len();
            return Err(self.error(format!(
                "has {listed} `fromPositions` for {selected} selected positions, expected as many"
            )));
        }
        let row = |position: &i64| {
            resolve_position(*position, found).filter(|row| *row < found).ok_or_else(|| {
                self.error(format!("takes position {position} from a run that has {found} at `{point}`"))
            })
        };
        Ok(Rows::Listed(from.iter().map(row).collect::<Result<_>>()?))
    }

    fn edge(&self, edge: Edge, positions: Option<&[usize]>) -> Result<ResolvedEdge> {
        let position = |position: Option<i64>| position.map(|position| self.position(position)).transpose();
        let (query, key) = (position(edge.query)?, position(edge.key)?);
        if let (Some(query), Some(key)) = (query, key)
            && key > query
        {
            return Err(Error::Input(format!(
                "query {query} never attends to the later key {key}: nothing to cut"
            )));
        }
        let met = |position: &usize| {
            query.is_none_or(|query| query == *position) && key.is_none_or(|key| key <= *position)
        };
        if positions.is_some_and(|positions| !positions.iter().any(met)) {
            return Err(self.error(format!("selects nothing of {edge:?}: no query in `positions` has it")));
        }
        Ok(ResolvedEdge { query, key })
    }
}

/// A position counted from the end of `length` where it is negative.
pub(crate) fn resolve_position(position: i64, length: usize) -> Option<usize> {
    if position >= 0 {
        usize::try_from(position).ok()
    } else {
        length.checked_sub(position.unsigned_abs() as usize)
    }
}
