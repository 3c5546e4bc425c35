//! Vocabularies of characters: `stoi` (text to id) and `itos` (id to text), as JSON or as nanoGPT's pickle.

use std::collections::BTreeMap;

use super::settings::Settings;
use super::values::{EXPECTED, Ids, base_name, ids, whole};
use crate::checkpoint::NoticeKind;
use crate::checkpoint::json::{Fields, Json};
use crate::checkpoint::pickle::{self, Item, Value};
use crate::checkpoint::tokenizer_json::{Splitting, TokenizerParts};
use crate::error::{Result, shortened};
use crate::tokenizer::messages::{MAX_ID, refused};

/// The id of each entry, from `stoi`, from `itos`, or from both if they agree.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Characters {
    pub ids: Ids,
    /// `vocab_size`, if the file has it.
    vocab_size: Option<u64>,
    /// Fields that are not used.
    others: Vec<String>,
}

impl From<Ids> for Characters {
    fn from(ids: Ids) -> Characters {
        Characters { ids, vocab_size: None, others: Vec::new() }
    }
}

/// The fields of a `meta.json`.
pub(super) fn from_fields(name: &str, mut fields: Fields) -> Result<Characters> {
    let stoi = match fields.remove("stoi") {
        None => None,
        Some(Json::Object(entries)) => Some(ids(name, "`stoi`: ", entries)?),
        Some(other) => return Err(not_entries(name, "stoi", &other.describe())),
    };
    let itos = match fields.remove("itos") {
        None => None,
        Some(Json::List(items)) => {
            let items = items.into_iter().zip(0..).map(|(value, id)| (id.to_string(), value));
            Some(inverse(name, items)?)
        }
        Some(Json::Object(entries)) => Some(inverse(name, entries.into_iter())?),
        Some(other) => return Err(not_entries(name, "itos", &other.describe())),
    };
    let vocab_size = fields.remove("vocab_size").as_ref().and_then(whole);
    let ids = united(name, stoi, itos)?;
    Ok(Characters { ids, vocab_size, others: fields.into_keys().collect() })
}

/// `["\n", " ", "!"]`: a list `itos` without a name.
pub(super) fn from_list(name: &str, bytes: &[u8]) -> Result<Characters> {
    let Ok(list) = serde_json::from_slice::<Vec<String>>(bytes) else {
        return Err(refused(
            name,
            format!("the file is not a JSON list of characters, or is cut; {EXPECTED}"),
        ));
    };
    let list = Json::List(list.into_iter().map(Json::Text).collect());
    from_fields(name, Fields::from([("itos".to_string(), list)]))
}

/// nanoGPT's `meta.pkl`: a pickled dict.
pub(super) fn from_pickle(name: &str, bytes: &[u8]) -> Result<Characters> {
    let pickle = pickle::read(bytes).map_err(|reason| refused(name, reason))?;
    let root = pickle.root();
    let (stoi, itos) = (root.get("stoi"), root.get("itos"));
    if stoi.is_none() && itos.is_none() {
        let found = root.describe();
        return Err(refused(
            name,
            format!(
                "the pickle is {found}, expected a dict with `stoi` or `itos`, as nanoGPT's meta.pkl"
            ),
        ));
    }
    let mut fields = Fields::new();
    for (field, item) in [("stoi", stoi), ("itos", itos)] {
        if let Some(item) = item {
            fields.insert(field.into(), plain(name, field, item)?);
        }
    }
    for (key, value) in root.entries().into_iter().flatten() {
        let key = key.text().unwrap_or("(no text)");
        let whole = value.int().and_then(|number| u64::try_from(number).ok());
        fields.entry(key.into()).or_insert(whole.map_or(Json::Null, Json::Whole));
    }
    from_fields(name, fields)
}

/// A pickled dict or list as JSON. Keys that are numbers become texts.
fn plain(name: &str, field: &str, item: Item) -> Result<Json> {
    let scalar = |item: Item| match item.value() {
        Value::Text(text) => Ok(Json::Text(text.into())),
        Value::Int(number) if number >= 0 => Ok(Json::Whole(number as u64)),
        _ => {
            let found = item.describe();
            Err(refused(
                name,
                format!("`{field}` holds {found}, expected characters and whole numbers"),
            ))
        }
    };
    if let (Value::List | Value::Tuple, Some(items)) = (item.value(), item.items()) {
        return Ok(Json::List(items.map(scalar).collect::<Result<_>>()?));
    }
    let Some(entries) = item.entries() else {
        return Err(not_entries(name, field, &item.describe()));
    };
    let mut fields = Fields::new();
    for (key, value) in entries {
        let key = match scalar(key)? {
            Json::Text(text) => text,
            number => number.describe(),
        };
        fields.insert(key, scalar(value)?);
    }
    Ok(Json::Object(fields))
}

fn not_entries(name: &str, field: &str, found: &str) -> crate::Error {
    refused(name, format!("`{field}` is {found}, expected an object of characters and their ids"))
}

/// The ids of the texts of an `itos`.
fn inverse(name: &str, entries: impl Iterator<Item = (String, Json)>) -> Result<Ids> {
    let mut ids = Ids::new();
    for (key, value) in entries {
        let id = key.trim().parse().ok().filter(|id| u64::from(*id) < MAX_ID);
        let (Some(id), Json::Text(text)) = (id, &value) else {
            let (key, found) = (shortened(&key), value.describe());
            return Err(refused(
                name,
                format!(
                    "`itos` gives \"{key}\" {found}, expected ids below {MAX_ID} and their characters"
                ),
            ));
        };
        if let Some(other) = ids.insert(text.clone(), id).filter(|other| *other != id) {
            return Err(refused(
                name,
                format!(
                    "`itos` gives the ids {other} and {id} both {text:?}, expected one id for each character"
                ),
            ));
        }
    }
    Ok(ids)
}

/// The entries of `stoi` and `itos`, which may not contradict each other.
fn united(name: &str, stoi: Option<Ids>, itos: Option<Ids>) -> Result<Ids> {
    let (Some(stoi), Some(itos)) = (&stoi, &itos) else {
        return Ok(stoi.or(itos).unwrap_or_default());
    };
    let by_id: BTreeMap<u32, &String> = itos.iter().map(|(text, id)| (*id, text)).collect();
    for (text, id) in stoi {
        let other_id = itos.get(text).filter(|other| *other != id);
        let other_text = by_id.get(id).filter(|other| **other != text);
        if other_id.is_some() || other_text.is_some() {
            let found = match (other_id, other_text) {
                (_, Some(other)) => format!("{id} the text {other:?}"),
                (other, _) => format!("{text:?} to {}", other.copied().unwrap_or_default()),
            };
            return Err(refused(
                name,
                format!(
                    "`stoi` gives {text:?} the id {id}, but `itos` gives {found}: both must come from the same training"
                ),
            ));
        }
    }
    Ok(stoi.iter().chain(itos).map(|(text, id)| (text.clone(), *id)).collect())
}

/// # Errors
/// [`Error::Tokenizer`](crate::Error::Tokenizer) when there are no characters, or the entries are words.
pub(super) fn parts(
    name: &str,
    characters: Characters,
    settings: &Settings,
) -> Result<TokenizerParts> {
    let Characters { ids: mut vocab, vocab_size, others } = characters;
    let mut report = settings.report();
    if let Some(id) = vocab.remove("") {
        let message = format!(
            "{name} gives the id {id} an empty text, which no text contains: it is shown as ⟨{id}⟩."
        );
        report.push(NoticeKind::Ignored, name, message);
    }
    let is_long = |text: &&String| text.chars().nth(1).is_some();
    let long: Vec<(&str, u32)> = vocab
        .iter()
        .filter(|(text, _)| is_long(text))
        .map(|(text, id)| (text.as_str(), *id))
        .collect();
    let single = vocab.len() - long.len();
    if single == 0 || long.len() > single {
        let count = long.len();
        return Err(refused(
            name,
            format!(
                "{count} entries are words and {single} are characters, and the file does not say how a text is split into \
                 words; expected characters, or a tokenizer.json"
            ),
        ));
    }
    if let Some((first, _)) = long.first() {
        let (count, first) = (long.len(), shortened(first));
        let message = format!(
            "{name} has {count} entries of several characters, such as \"{first}\": where a text contains one, it is one token."
        );
        report.push(NoticeKind::Assumed, name, message);
    }
    let largest = vocab.values().max().map_or(0, |id| u64::from(*id) + 1);
    if let Some(size) = vocab_size.filter(|size| *size != largest) {
        let message = format!(
            "{name}: `vocab_size` is {size}, which is ignored: the largest id is {}.",
            largest - 1
        );
        report.push(NoticeKind::Ignored, name, message);
    }
    report.ignored(base_name(name), others.iter().map(String::as_str), |field| {
        format!("{name}: `{field}` is not needed for a tokenizer and was ignored.")
    });
    let defaults: Vec<(String, u32)> =
        long.iter().map(|(text, id)| (text.to_string(), *id)).collect();
    let defaults: Vec<(&str, u32)> =
        defaults.iter().map(|(text, id)| (text.as_str(), *id)).collect();
    let added = settings.added(name, &mut vocab, &defaults, &mut report)?;
    Ok(TokenizerParts { vocab, added, splitting: Splitting::Characters, report })
}
