//! The files of a model, from the network or from blobs, to a config, a tokenizer and weights.
//!
//! In JavaScript, `www/api/source.ts` turns a source into addresses and `www/worker/network.ts` sends the requests.

use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::context::LoadContext;
use super::files::{File, Files};
use super::small_file::{Origins, Small, add_absent, small};
use super::store::Checkpoint;
use super::weights::{WeightsRead, read_weights};
use crate::checkpoint::{NoticeKind, Report, recognize};
use crate::error::{Error, Result};
use crate::kernel::WeightFormat;
use crate::tokenizer::{Tokenizer, tokenizer_json};

/// A downloaded checkpoint, with its tokenizer parsed.
pub(super) struct Downloaded {
    pub tokenizer: Option<Tokenizer>,
    pub checkpoint: Checkpoint,
    pub origins: Origins,
    pub report: Report,
}

/// Downloads all files of a model, or reads them from blobs.
pub(super) async fn download(
    files: &Files,
    format: WeightFormat,
    context: &LoadContext,
) -> Result<Downloaded> {
    if files.stored().is_some() {
        return Err(Error::Input(format!(
            "the copy of {} that the browser kept is gone or damaged: load the model from its source again",
            files.name()
        )));
    }
    let mut origins = Some(Vec::new());
    let mut notices = Report::default();
    let config = config(files, &mut origins, context).await?;
    let tokenizer = tokenizer(files, &mut origins, context).await?;
    let text = config.as_deref().ok();
    let read = read_weights(text, files, format, &mut origins, context).await;
    let config_reason = config.as_ref().err();
    let read = read.map_err(|error| with_config_reason(error, config_reason))?;
    let WeightsRead { config: parsed, weights, family, format: file_format, .. } = read;
    let embedded = read.tokenizer;
    let (bytes, no_tokenizer) = match (tokenizer, embedded) {
        (Ok(bytes), _) | (Err(_), Some(bytes)) => (Some(bytes), None),
        (Err(reason), None) => (None, Some(reason)),
    };
    if let Some(reason) = config_reason {
        let source = if read.has_config {
            "its config is in the file of weights"
        } else {
            "its sizes are those of its weights"
        };
        let message = format!("The model was loaded without a config.json ({reason}): {source}.");
        notices.push(NoticeKind::Assumed, "config.json", message);
    }
    report_ignored(files, &mut notices);
    let tokenizer = bytes.as_deref().map(Tokenizer::from_json).transpose()?;
    let mut report = notices.clone();
    if let Some(reason) = no_tokenizer.filter(|_| !files.tokenizer().is_empty()) {
        report.no_tokenizer(&reason); // a copy says it in its own words
    }
    report.append(weights.report().clone());
    let checkpoint = Checkpoint {
        config: parsed,
        family: family.into(),
        file_format: file_format.into(),
        report: notices,
        tokenizer: bytes,
        weights,
    };
    Ok(Downloaded { tokenizer, checkpoint, origins, report })
}

/// The most names of ignored files in a notice.
const MAX_NAMED: usize = 12;

/// Adds a notice about files that were given and are no part of the model.
fn report_ignored(files: &Files, report: &mut Report) {
    let ignored = files.ignored();
    if ignored.is_empty() {
        return;
    }
    let named = ignored.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = match ignored.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!("These files are no part of the model and were not read: {named}{more}.");
    report.push(NoticeKind::Ignored, "files", message);
}

/// If neither the config nor the weights exist, the address is probably wrong: the message names both. If the weights do not
/// say all of the config, it says why there is no `config.json`.
fn with_config_reason(error: Error, reason: Option<&String>) -> Error {
    match (error, reason) {
        (Error::Network(message), Some(reason)) => Error::Network(format!("{reason}; {message}")),
        (Error::ConfigOf { place, message, missing }, Some(reason)) => {
            let message = format!("{message}. There is no config.json: {reason}");
            Error::ConfigOf { place, message, missing }
        }
        (error, _) => error,
    }
}

/// The text of `config.json`, or why there is none.
async fn config(
    files: &Files,
    origins: &mut Origins,
    context: &LoadContext,
) -> Result<std::result::Result<String, String>> {
    let mut why = "no config.json was given".to_string();
    for (index, file) in files.config().iter().enumerate() {
        let bytes = match small("config", file, origins, context).await? {
            Ok(bytes) => bytes,
            Err(reason) if file.optional().unwrap_or_default() => {
                add_absent(origins, file);
                if index == 0 {
                    why = reason;
                }
                continue;
            }
            Err(reason) => return Err(Error::Network(reason)),
        };
        if bytes.trim_ascii_start().starts_with(b"<") {
            let name = file.name();
            return Err(Error::Network(format!("{name} is not a config.json but a page")));
        }
        if let Some(found) = recognize(&bytes) {
            return Err(Error::Config(format!("{found}; expected JSON")));
        }
        let text = String::from_utf8(bytes).map_err(|_| {
            Error::Config(format!("{} is not UTF-8 text, expected JSON", file.name()))
        })?;
        return Ok(Ok(text));
    }
    Ok(Err(why))
}

/// The bytes of one `tokenizer.json` for the first set of tokenizer files whose first file exists, or why there is none.
async fn tokenizer(files: &Files, origins: &mut Origins, context: &LoadContext) -> Result<Small> {
    let mut why = None;
    for set in files.tokenizer() {
        let set = file_list(&set);
        match tokenizer_of(&set, origins, context).await? {
            Ok(bytes) => return Ok(Ok(bytes)),
            // One request a visit is enough to notice that a usual model has got a tokenizer.
            Err(reason) if why.is_none() => {
                set.iter().take(1).for_each(|file| add_absent(origins, file));
                why = Some(reason);
            }
            Err(_) => {}
        }
    }
    Ok(Err(why.unwrap_or_default()))
}

/// The tokenizer in a set of files, or why the first of them is absent: the others mean nothing without it.
async fn tokenizer_of(set: &[File], origins: &mut Origins, context: &LoadContext) -> Result<Small> {
    let mut found = Vec::new();
    for file in set {
        match small("tokenizer", file, origins, context).await? {
            Ok(bytes) => found.push((file.name(), bytes)),
            Err(reason) if !file.optional().unwrap_or_default() => {
                return Err(Error::Network(reason));
            }
            Err(reason) if found.is_empty() => return Ok(Err(reason)),
            Err(_) => {}
        }
    }
    tokenizer_json(&found).map(Ok)
}

fn file_list(set: &Array) -> Vec<File> {
    set.iter().map(JsCast::unchecked_into).collect()
}

/// A tokenizer from its files.
///
/// # Errors
/// [`Error::Network`] when a file is absent; [`Error::Tokenizer`] when the files are no tokenizer; [`Error::Abort`].
pub async fn load_tokenizer(files: &[File], context: &LoadContext) -> Result<Tokenizer> {
    let bytes = tokenizer_of(files, &mut None, context).await?.map_err(Error::Network)?;
    Tokenizer::from_json(&bytes)
}
