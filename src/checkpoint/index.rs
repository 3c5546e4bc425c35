//! `model.safetensors.index.json`: the file of each tensor of a checkpoint in several files.

use std::collections::{BTreeMap, BTreeSet};

use super::config::Config;
use super::json::{self, Json};
use super::report::Report;
use super::role::{self, Role};
use super::shapes::{expected_shapes, missing, without_prefix};
use crate::error::{Error, Result, shortened};

/// The largest index that is read.
const MAX_BYTES: usize = 16 << 20;

/// An index, checked against a config.
#[derive(Debug)]
pub struct Index {
    /// The files with tensors that the model needs, in the order of their names.
    pub files: BTreeSet<String>,
    /// The file of each tensor, whose name has no prefix `transformer.`, for
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
        parse(bytes, config).map_err(|error| error.in_file(name))
    }
}

fn parse(bytes: &[u8], config: &Config) -> Result<Index> {
    let mut fields = json::object(bytes, MAX_BYTES).map_err(Error::Weights)?;
    let tensors = match fields.remove("weight_map") {
        Some(Json::Object(map)) if !map.is_empty() => by_name(map)?,
        found => {
            let found = found.map_or("missing".into(), |found| found.describe());
            let expected = "an object that gives the file of each tensor";
            return Err(Error::Weights(format!("`weight_map` is {found}, expected {expected}")));
        }
    };
    let shapes = expected_shapes(config);
    if let Some((name, shape)) = shapes.iter().find(|(name, _)| !tensors.contains_key(name)) {
        return Err(missing(name, shape));
    }
    let shapes = shapes.into_iter().collect();
    let mut files = BTreeSet::new();
    let mut others = Vec::new();
    for (name, file) in &tensors {
        match role::of(name, config, &shapes)? {
            Role::Parameter | Role::Head | Role::HeadBias => drop(files.insert(file.clone())),
            Role::OtherTask => others.push((name.as_str(), file)),
            Role::Buffer => {}
        }
    }
    // Those in the other files are reported when the files are read.
    let unread = others.iter().filter(|(_, file)| !files.contains(*file)).map(|(name, _)| *name);
    let mut report = Report::default();
    report.ignored_heads("the list of files", unread);
    Ok(Index { files, tensors, report })
}

fn by_name(map: json::Fields) -> Result<BTreeMap<String, String>> {
    let mut tensors = BTreeMap::new();
    for (key, file) in map {
        let name = without_prefix(&key).to_string();
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
                "`{name}` is there under two names, with and without `transformer.`"
            )));
        }
    }
    Ok(tensors)
}

/// Checks that `file` is the plain name of a file in the folder of the index, because it becomes part of an address.
fn check_file_name(key: &str, file: &str) -> Result<()> {
    let (key, shown) = (shortened(key), shortened(file));
    if [".bin", ".pt", ".pth"].iter().any(|end| file.ends_with(end)) {
        return Err(Error::Weights(format!(
            "`{key}` is in \"{shown}\", a PyTorch file; save the model with `safe_serialization=True`"
        )));
    }
    let is_plain = |letter: char| {
        letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.' | ' ' | '+' | '=' | '@')
    };
    let is_name = file.len() <= 255 && !file.starts_with(['.', ' ']) && file.chars().all(is_plain);
    if !is_name || !file.ends_with(".safetensors") {
        return Err(Error::Weights(format!(
            "`{key}` is in \"{shown}\", expected the name of a file beside this one that ends with `.safetensors`"
        )));
    }
    Ok(())
}
