//! The state dict in what a training program saved: itself, beside an optimizer, or inside a module.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::super::super::json::Json;
use super::super::super::pickle::{Item, Value};
use super::super::super::stored::Omitted;
use super::super::archive::joined;
use super::config::{self, attributes};
use super::tensor::{self, View};
use crate::error::{Error, Result, shortened};

/// Names of a model's state beside other entries.
const MODELS: [&str; 11] = [
    "model",
    "state_dict",
    "model_state_dict",
    "model_state",
    "module",
    "net",
    "network",
    "params",
    "weights",
    "gpt",
    "generator",
];
const MAX_DEPTH: usize = 64;
/// Dicts and objects that are visited, so that shared ones do not multiply.
const MAX_VISITS: usize = 1 << 20;
/// Values that are noted because they are no tensors.
const MAX_OMITTED: usize = 1000;

/// The tensors of a model, and what else the file says.
#[derive(Default)]
pub(super) struct State {
    pub views: Vec<(String, View)>,
    pub config: Option<Json>,
    pub omitted: Vec<Omitted>,
}

impl State {
    /// Notes a value that is no tensor.
    fn omit(&mut self, key: String, value: Item) -> Result<()> {
        if self.omitted.len() >= MAX_OMITTED {
            return Err(Error::Weights(format!(
                "the state has more than {MAX_OMITTED} values that are no tensors, such as `{}`; save the model's \
                 `state_dict()` alone",
                shortened(&key)
            )));
        }
        self.omitted.push(Omitted { key, what: value.describe().into_owned() });
        Ok(())
    }
}

/// Finds the state dict under `root`.
pub(super) fn find(root: Item) -> Result<State> {
    let mut state = State::default();
    let mut item = root;
    for _ in 0..MAX_DEPTH {
        if let Some(module) = module(item) {
            state.config = state.config.or_else(|| config::find(module));
            break;
        }
        state.config = state.config.or_else(|| config::find(item));
        match model_in(item, &mut state.omitted)? {
            Some(model) => item = model,
            None => break,
        }
    }
    collect(item, &mut state)?;
    if state.views.is_empty() { Err(no_state(root, &state.omitted)) } else { Ok(state) }
}

/// The attributes of a `torch.nn.Module` that was pickled whole.
fn module(item: Item) -> Option<Item> {
    let Value::Object { state: Some(state), .. } = item.value() else { return None };
    let attributes = attributes(state);
    attributes.get("_modules").and(attributes.get("_parameters")).map(|_| attributes)
}

/// Whether the value may hold tensors: a dict, an object that is used as one, or a module.
fn is_nested(item: Item) -> bool {
    item.entries()
        .is_some_and(|mut entries| matches!(item.value(), Value::Dict) || entries.next().is_some())
        || module(item).is_some()
}

/// The entry of a dict that holds the model, if the dict is not the state itself. The others are noted.
fn model_in<'a>(item: Item<'a>, omitted: &mut Vec<Omitted>) -> Result<Option<Item<'a>>> {
    let Some(entries) = item.entries() else { return Ok(None) };
    let mut parts = Vec::new();
    let mut visits = 0;
    for (key, value) in entries {
        let Some(key) = key.text() else { return Ok(None) };
        if tensor::read(key, value).is_ok_and(|tensor| tensor.is_some()) {
            return Ok(None);
        }
        let count = match is_nested(value) {
            true => count_tensors(value, &mut visits)?,
            false => 0,
        };
        parts.push((key, value, count));
    }
    let holds_some = |name: &str| parts.iter().any(|(key, _, count)| *key == name && *count > 0);
    let named = MODELS.into_iter().find(|name| holds_some(name));
    let models = || parts.iter().filter(|(key, _, count)| *count > 0 && !is_training(key));
    let only = match models().count() {
        1 => models().next().map(|(key, ..)| *key),
        _ => None,
    };
    let Some(chosen) = named.or(only) else {
        // Every part is a part of the state, but for those of the training.
        omitted.extend(parts.iter().filter(|(key, ..)| is_training(key)).filter_map(of_training));
        return Ok(None);
    };
    omitted.extend(parts.iter().filter(|(key, ..)| *key != chosen).filter_map(of_training));
    Ok(parts.iter().rfind(|(key, ..)| *key == chosen).map(|(_, value, _)| *value))
}

const BESIDE: &str = "tensors beside the model";

/// A part with tensors that is not read.
fn of_training((key, _, count): &(&str, Item, usize)) -> Option<Omitted> {
    let what = format!("{count} {BESIDE}");
    (*count > 0).then(|| Omitted { key: (*key).into(), what })
}

/// Whether an entry with this name belongs to the training, not to the model.
fn is_training(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["optim", "sched", "scaler", "rng", "ema", "random"].iter().any(|part| key.contains(part))
}

/// How many tensors there are in `item`, at any depth.
fn count_tensors(item: Item, visits: &mut usize) -> Result<usize> {
    let mut seen = BTreeSet::new();
    let mut pending = vec![item];
    let mut count = 0;
    while let Some(item) = pending.pop() {
        if !seen.insert(item.id()) {
            continue;
        }
        visit(visits)?;
        match tensor::read("", item) {
            Ok(None) => {}
            _ => {
                count += 1;
                continue;
            }
        }
        if let Some(module) = module(item) {
            pending.extend(parts_of(module));
        } else {
            pending.extend(item.entries().into_iter().flatten().map(|(_, value)| value));
        }
    }
    Ok(count)
}

/// Counts a visit of a dict or object.
fn visit(visits: &mut usize) -> Result<()> {
    *visits += 1;
    if *visits > MAX_VISITS { Err(too_large()) } else { Ok(()) }
}

fn too_large() -> Error {
    Error::Weights(format!(
        "the state is nested more than {MAX_DEPTH} levels deep, or is larger than that of any model; save the model's \
         `state_dict()` alone"
    ))
}

fn parts_of(module: Item) -> impl Iterator<Item = Item> {
    ["_parameters", "_buffers", "_modules"].into_iter().filter_map(move |name| module.get(name))
}

/// The buffers that `state_dict()` contains.
fn persistent_buffers(module: Item<'_>) -> impl Iterator<Item = (&str, Item<'_>)> {
    let others = module.get("_non_persistent_buffers_set").and_then(Item::items);
    let others: BTreeSet<&str> = others.into_iter().flatten().filter_map(Item::text).collect();
    let buffers = module.get("_buffers").and_then(Item::entries).into_iter().flatten();
    buffers
        .filter_map(|(name, value)| Some((name.text()?, value)))
        .filter(move |(name, _)| !others.contains(name))
}

/// Adds the tensors in `item`, with keys joined by `.`.
fn collect(item: Item, state: &mut State) -> Result<()> {
    let training: BTreeSet<String> = state.omitted.iter().map(|part| part.key.clone()).collect();
    let mut visits = 0;
    let mut pending = vec![(String::new(), item)];
    let mut depths = vec![0];
    while let Some(((prefix, item), depth)) = pending.pop().zip(depths.pop()) {
        visit(&mut visits)?;
        if depth > MAX_DEPTH {
            return Err(too_large());
        }
        let mut nested = Vec::new();
        if let Some(module) = module(item) {
            let parts = ["_parameters", "_modules"].into_iter().filter_map(|name| module.get(name));
            nested.extend(parts.map(|part| (prefix.clone(), part)));
            for (name, value) in persistent_buffers(module) {
                let key = joined(&prefix, name)?;
                if let Some(view) = tensor::read(&key, value)? {
                    state.views.push((key, view));
                }
            }
        } else {
            for (name, value) in item.entries().into_iter().flatten() {
                let Some(name) = name_of(name) else { continue };
                if depth == 0 && is_nested(value) && training.contains(&*name) {
                    continue;
                }
                let key = joined(&prefix, &name)?;
                match tensor::read(&key, value)? {
                    Some(view) => state.views.push((key, view)),
                    None if is_nested(value) => nested.push((key, value)),
                    None if matches!(value.value(), Value::None) => {} // a bias that a module does not have
                    None => state.omit(key, value)?,
                }
            }
        }
        depths.extend(std::iter::repeat_n(depth + 1, nested.len()));
        pending.extend(nested.into_iter().rev());
    }
    Ok(())
}

fn name_of(key: Item) -> Option<Cow<str>> {
    match key.value() {
        Value::Text(name) => Some(name.into()),
        Value::Int(number) => Some(number.to_string().into()),
        _ => None,
    }
}

fn no_state(root: Item, omitted: &[Omitted]) -> Error {
    let remedy = "save the model with `torch.save(model.state_dict(), …)`";
    if let Some(part) = omitted.iter().find(|part| part.what.ends_with(BESIDE)) {
        let key = shortened(&part.key);
        return Error::Weights(format!(
            "the file holds no model: its only tensors are in `{key}`, which belongs to the training; {remedy}"
        ));
    }
    let found = root.describe();
    Error::Weights(format!(
        "the file holds {found} without tensors, expected a state dict; {remedy}"
    ))
}
