//! The config that a PyTorch checkpoint holds, as JSON.

use super::super::super::json::{Fields, Json};
use super::super::super::pickle::{Item, Value};

/// Where training programs store the model's config, the most specific name first: nanoGPT's `model_args` are part of
/// its `config`.
const NAMES: [&str; 8] = [
    "model_args",
    "model_config",
    "gpt_config",
    "config",
    "cfg",
    "hyper_parameters",
    "hparams",
    "args",
];
const MAX_DEPTH: usize = 16;
/// The values of a config, so that shared values do not multiply.
const MAX_VALUES: usize = 10_000;

/// The config in the dict or object `item`.
pub(super) fn find(item: Item) -> Option<Json> {
    NAMES.iter().find_map(|name| {
        let found = item.get(name)?;
        match to_json(found, 0, &mut 0) {
            Json::Object(fields) if !fields.is_empty() => Some(Json::Object(fields)),
            _ => None,
        }
    })
}

/// The value as JSON. What JSON does not have, such as a `torch.dtype`, becomes a text that names it.
fn to_json(item: Item, depth: usize, count: &mut usize) -> Json {
    *count += 1;
    if depth > MAX_DEPTH || *count > MAX_VALUES {
        return Json::Text("(nested too deep)".into());
    }
    match item.value() {
        Value::None => Json::Null,
        Value::Bool(flag) => Json::Bool(flag),
        Value::Int(number) => match u64::try_from(number) {
            Ok(number) => Json::Whole(number),
            Err(_) => Json::Number(number as f64),
        },
        Value::Float(number) => Json::Number(number),
        Value::Text(text) => Json::Text(text.into()),
        Value::Global(name) => Json::Text(name.into()),
        Value::List | Value::Tuple | Value::Set => {
            let items = item.items().into_iter().flatten();
            Json::List(items.take(MAX_VALUES).map(|item| to_json(item, depth + 1, count)).collect())
        }
        Value::Dict => fields(item, depth, count),
        Value::Object { state: Some(state), .. } => match attributes(state).entries() {
            Some(_) => fields(attributes(state), depth, count),
            None => Json::Text(item.describe().into_owned()),
        },
        _ => Json::Text(item.describe().into_owned()),
    }
}

/// The attributes of an object with this state, which is `(attributes, slots)` if the class has slots.
pub(super) fn attributes(state: Item) -> Item {
    match state.value() {
        Value::Tuple => match state.items().and_then(|mut items| items.next()) {
            Some(first) if first.entries().is_some() => first,
            _ => state,
        },
        _ => state,
    }
}

fn fields(item: Item, depth: usize, count: &mut usize) -> Json {
    let mut fields = Fields::new();
    for (key, value) in item.entries().into_iter().flatten().take(MAX_VALUES) {
        let key = match key.value() {
            Value::Text(text) => text.to_string(),
            Value::Int(number) => number.to_string(),
            _ => continue,
        };
        fields.insert(key, to_json(value, depth + 1, count));
    }
    Json::Object(fields)
}
