//! `model.safetensors.index.json`: the file of each tensor of a checkpoint in several files.

use std::collections::{BTreeMap, BTreeSet};

use super::config::Config;
use super::family::{self, Listing, Meaning, name_of};
use super::json::{self, Json};
use super::report::Report;
use super::role::{self, Role};
use super::shapes::{check_layer, expected_shapes, missing};
use super::stored::StoredTensor;
use crate::error::{Error, Result, shortened};

/// The largest index that is read.
const MAX_BYTES: usize = 16 << 20;

/// An index, checked against a config.
#[derive(Debug)]
pub struct Index {
    /// The files with tensors that the model needs, in the order of their names.
    pub files: BTreeSet<String>,
    /// The file of each tensor, whose name has no prefix such as `transformer.`, for
    /// [`WeightsReader::expect`](crate::WeightsReader::expect).
    pub tensors: BTreeMap<String, String>,
    /// Notices about tensors in files that are not read.
    pub report: Report,
}

impl Index {
    /// Reads the index file with this name.
    ///
    /// # Errors
    /// [`Error::Weights`] when it is not an index; when a tensor of the model is in no file; when a tensor would change
    /// what the model computes; when a file name contains a path.
    pub fn read(name: &str, bytes: &[u8], config: &Config) -> Result<Index> {
        parse(bytes, Some(config)).map_err(|error| error.in_file(name))
    }

    /// As [`Index::read`], for a model whose config is not known yet: a missing tensor is found when the files are read.
    ///
    /// # Errors
    /// As [`Index::read`].
    pub fn list(name: &str, bytes: &[u8]) -> Result<Index> {
        parse(bytes, None).map_err(|error| error.in_file(name))
    }
}

fn parse(bytes: &[u8], config: Option<&Config>) -> Result<Index> {
    let mut fields = json::object(bytes, MAX_BYTES).map_err(Error::Weights)?;
    let (keys, tensors) = match fields.remove("weight_map") {
        Some(Json::Object(map)) if !map.is_empty() => {
            (map.keys().cloned().collect::<Vec<_>>(), by_name(map)?)
        }
        found => {
            let found = found.map_or("missing".into(), |found| found.describe());
            let expected = "an object that gives the file of each tensor";
            return Err(Error::Weights(format!("`weight_map` is {found}, expected {expected}")));
        }
    };
    let stored: Vec<_> = keys.into_iter().map(unread).collect();
    let listing = Listing::new(&stored)?;
    let family = family::recognize_some(&listing)?;
    let shapes = config.map(expected_shapes).unwrap_or_default().into_iter().collect();
    let mut files = BTreeSet::new();
    let (mut others, mut made) = (Vec::new(), BTreeSet::new());
    for listed in &listing.tensors {
        let file = tensors.get(&listed.name).cloned().unwrap_or_default();
        match family.meaning(listed) {
            Meaning::Parameter(slot) => {
                if let Some(config) = config {
                    check_layer(&slot.name, &listed.tensor.key, config.n_layer)?;
                }
                files.insert(file);
                made.insert(slot.name);
            }
            Meaning::Buffer => {}
            Meaning::Unknown => match role::of(listed, family.name(), &shapes)? {
                Role::OtherTask => others.push((listed.name.as_str(), file)),
                Role::Training | Role::Unknown => {}
            },
        }
    }
    check_complete(config, &made)?;
    // Those in the other files are reported when the files are read.
    let unread = others.iter().filter(|(_, file)| !files.contains(file)).map(|(name, _)| *name);
    let mut report = Report::default();
    report.ignored_heads("the list of files", unread);
    Ok(Index { files, tensors, report })
}

/// A tensor of which only the key is known.
fn unread(key: String) -> StoredTensor {
    StoredTensor { key, dtype: "F32".into(), shape: Vec::new() }
}

/// Checks that the files hold every parameter of a model with this config, but for biases.
fn check_complete(config: Option<&Config>, made: &BTreeSet<String>) -> Result<()> {
    let Some(config) = config else { return Ok(()) };
    let is_missing = |(name, _): &&(String, _)| !made.contains(name) && !name.ends_with(".bias");
    match expected_shapes(config).iter().find(is_missing) {
        Some((name, shape)) => Err(missing(name, shape)),
        None => Ok(()),
    }
}

fn by_name(map: json::Fields) -> Result<BTreeMap<String, String>> {
    let mut tensors = BTreeMap::new();
    for (key, file) in map {
        let name = name_of(&key);
        let file = match file {
            Json::Text(file) => file,
            found => {
                let (key, found) = (shortened(&key), found.describe());
                return Err(Error::Weights(format!(
                    "the file of `{key}` is {found}, expected a file's name"
                )));
            }
        };
        check_file_name(&key, &file)?;
        if tensors.insert(name.clone(), file).is_some() {
            let name = shortened(&name);
            return Err(Error::Weights(format!(
                "`{name}` is there under two names, with and without a prefix such as `transformer.`"
            )));
        }
    }
    Ok(tensors)
}

/// Checks that `file` is the plain name of a file in the folder of the index, because it becomes part of an address.
fn check_file_name(key: &str, file: &str) -> Result<()> {
    let (key, shown) = (shortened(key), shortened(file));
    let is_plain = |letter: char| {
        letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.' | ' ' | '+' | '=' | '@')
    };
    let is_name = (1..=255).contains(&file.len())
        && !file.starts_with(['.', ' '])
        && file.chars().all(is_plain);
    if !is_name {
        return Err(Error::Weights(format!(
            "`{key}` is in \"{shown}\", expected the name of a file beside this one"
        )));
    }
    Ok(())
}
