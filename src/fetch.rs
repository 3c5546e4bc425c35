//! Files in, from the network, from the disk or from what an earlier visit kept; a config, a tokenizer and weights out.
//!
//! Bytes arrive as a stream and go into the weights piece by piece, so a load holds the weights and one piece. How a
//! model's name becomes addresses is JavaScript's affair (`www/source.js`), and so is where copies are kept
//! (`www/store.js`); what is in a copy is that of [`crate::store`].

use std::collections::BTreeMap;

use bytemuck::Pod;
use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use serde::Deserialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::config::Config;
use crate::download::{Download, File, Origin, are_unchanged, message_of};
use crate::error::{Error, Result};
use crate::kernel::matrix::Form;
use crate::store::{Checkpoint, Disk, Keeping, Restoring};
use crate::tokenizer::Tokenizer;
use crate::weights::{Weights, WeightsReader, files_of};

pub use crate::download::Watch;

#[wasm_bindgen]
extern "C" {
    /// `{ config, tokenizer?, weights, more?, index?, kept? }`: [`File`]s; the rest of the weights where they are in
    /// several; the list of those several, where `weights` is not there; and a function that gives the promise of a
    /// [`Kept`] or of undefined, without which no copy is looked for, and none is made.
    #[derive(Clone)]
    pub type Files;
    #[wasm_bindgen(method, getter)]
    fn config(this: &Files) -> File;
    #[wasm_bindgen(method, getter)]
    fn tokenizer(this: &Files) -> Option<File>;
    #[wasm_bindgen(method, getter)]
    fn weights(this: &Files) -> File;
    #[wasm_bindgen(method, getter)]
    fn more(this: &Files) -> Option<Vec<File>>;
    #[wasm_bindgen(method, getter)]
    fn index(this: &Files) -> Option<File>;
    #[wasm_bindgen(method, getter)]
    fn kept(this: &Files) -> Option<Function>;

    /// A file of several, beside the list of them.
    #[wasm_bindgen(js_name = Object)]
    type Beside;
    #[wasm_bindgen(constructor, js_class = "Object")]
    fn new() -> Beside;
    #[wasm_bindgen(method, setter)]
    fn set_name(this: &Beside, name: &str);
    #[wasm_bindgen(method, setter)]
    fn set_address(this: &Beside, address: &str);

    /// A file in the browser's storage, opened: a copy of a checkpoint is at its end, from `start` on.
    pub type Kept;
    #[wasm_bindgen(method, getter)]
    fn start(this: &Kept) -> f64;
    #[wasm_bindgen(method, getter)]
    fn length(this: &Kept) -> f64;
    /// `[{ address, identity }]`, as [`Unkept::origins`] gave it.
    #[wasm_bindgen(method, getter)]
    fn origins(this: &Kept) -> Array;
    /// Each gives the number of bytes. The view is of wasm memory itself.
    #[wasm_bindgen(method, catch)]
    fn read(this: &Kept, into: &Uint8Array, at: f64) -> std::result::Result<f64, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn write(this: &Kept, bytes: &[u8], at: f64) -> std::result::Result<f64, JsValue>;
    /// Lets other calls have their turn.
    #[wasm_bindgen(method)]
    fn pause(this: &Kept) -> Promise;
    /// So many milliseconds.
    #[wasm_bindgen(method)]
    fn wait(this: &Kept, time: f64) -> Promise;
    /// `fate`: "good", "bad" where the copy can never be used again.
    #[wasm_bindgen(method)]
    fn close(this: &Kept, fate: &str);
}

/// A loaded model in parts.
pub struct Loaded {
    pub config: Config,
    pub tokenizer: Option<Tokenizer>,
    pub weights: Weights,
    /// What came from the network and can be kept.
    pub unkept: Option<Unkept>,
}

/// A checkpoint that is to be kept.
pub struct Unkept {
    /// Which of the candidates it is.
    pub candidate: usize,
    keeping: Keeping,
    origins: Vec<Origin>,
}

/// Loads the first of `candidates` that is there.
///
/// # Errors
/// [`Error::Network`] when no candidate is there, naming every address that was tried, or when a file cannot be
/// fetched; [`Error::Abort`] when the signal fired; whatever is wrong with the files.
pub async fn load(candidates: &[Files], form: Form, watch: &mut Watch) -> Result<Loaded> {
    let mut absent = Vec::new();
    for (candidate, files) in candidates.iter().enumerate() {
        match restore(files, form, watch).await? {
            Found::Checkpoint(checkpoint) => return loaded_from_copy(checkpoint),
            Found::Outdated => watch.anew = true,
            Found::Nothing => {}
        }
        match download(files, form, watch).await {
            Ok(Some(Downloaded { config, tokenizer, checkpoint, origins })) => {
                let weights = checkpoint.weights.clone();
                let unkept = origins.filter(|_| files.kept().is_some()).and_then(|origins| {
                    Some(Unkept { candidate, keeping: Keeping::new(checkpoint, form).ok()?, origins })
                });
                return Ok(Loaded { config, tokenizer, weights, unkept });
            }
            Ok(None) => absent.push(format!("{} is not a config.json but a page", files.config().name())),
            Err(Absent::Config(message)) => absent.push(message),
            Err(Absent::Other(error)) => return Err(error),
        }
    }
    Err(Error::Network(absent.join("; ")))
}

/// Why a download ended: the next candidate is tried only when there is no config.
enum Absent {
    Config(String),
    Other(Error),
}

impl From<Error> for Absent {
    fn from(error: Error) -> Absent {
        Absent::Other(error)
    }
}

// ---- from the network, or from blobs ----

/// The files' origins where all of them have an identity.
type Origins = Option<Vec<Origin>>;

/// A checkpoint, and what was read of it already.
struct Downloaded {
    config: Config,
    tokenizer: Option<Tokenizer>,
    checkpoint: Checkpoint,
    origins: Origins,
}

/// None when the config is a web page: many hosts send one, with status 200, for an address that they do not know.
async fn download(
    files: &Files,
    form: Form,
    watch: &Watch,
) -> std::result::Result<Option<Downloaded>, Absent> {
    let mut origins = Some(Vec::new());
    let config = match small("config", &files.config(), &mut origins, watch).await {
        Err(Error::Network(message)) => return Err(Absent::Config(message)),
        config => config?,
    };
    if is_web_page(&config) {
        return Ok(None);
    }
    let text = String::from_utf8(config)
        .map_err(|_| Error::Config(format!("{} is not UTF-8 text, expected JSON", files.config().name())))?;
    let config = Config::from_json(&text)?;
    let bytes = match files.tokenizer() {
        Some(file) => tokenizer(&file, &mut origins, watch).await?,
        None => None,
    };
    let tokenizer = bytes.as_deref().map(Tokenizer::from_json).transpose()?;
    let weights = weights(&config, files, form, &mut origins, watch).await?;
    let checkpoint = Checkpoint { config: text, tokenizer: bytes, weights };
    Ok(Some(Downloaded { config, tokenizer, checkpoint, origins }))
}

async fn small(stage: &'static str, file: &File, origins: &mut Origins, watch: &Watch) -> Result<Vec<u8>> {
    let download = Download::open(stage, file, watch).await?;
    remember(origins, file, &download);
    download.bytes().await
}

/// None when the file is optional and not there.
async fn tokenizer(file: &File, origins: &mut Origins, watch: &Watch) -> Result<Option<Vec<u8>>> {
    let optional = file.optional().unwrap_or_default();
    let bytes = match small("tokenizer", file, origins, watch).await {
        Err(Error::Network(_)) if optional => {
            let address = file.address().unwrap_or_default();
            origins
                .as_mut()
                .into_iter()
                .for_each(|all| all.push(Origin { address: address.clone(), identity: None }));
            return Ok(None);
        }
        bytes => bytes?,
    };
    if optional && is_web_page(&bytes) {
        return Ok(None);
    }
    Ok(Some(bytes))
}

async fn weights(
    config: &Config,
    files: &Files,
    form: Form,
    origins: &mut Origins,
    watch: &Watch,
) -> Result<Weights> {
    let mut all = [vec![files.weights()], files.more().unwrap_or_default()].concat();
    let first = match (Download::open("weights", &all[0], watch).await, files.index()) {
        (Err(Error::Network(message)), Some(index)) => {
            all = listed(config, &index, origins, watch).await.map_err(|error| match error {
                Error::Network(other) => Error::Network(format!("{message}; {other}")),
                error => error,
            })?;
            Download::open("weights", &all[0], watch).await?
        }
        (first, _) => first?,
    };
    remember(origins, &all[0], &first);
    let mut reader = match all.len() {
        1 => WeightsReader::with_form(config, first.exact_total(), form),
        _ => WeightsReader::sharded(config, first.exact_total(), form),
    };
    first.pour(&mut reader).await?;
    for file in &all[1..] {
        let next = Download::open("weights", file, watch).await?;
        remember(origins, file, &next);
        reader.next_file(next.exact_total())?;
        next.pour(&mut reader).await?;
    }
    reader.finish()
}

/// `model.safetensors.index.json`: which tensor is in which file.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The files that hold the weights, in the order of their names.
async fn listed(config: &Config, file: &File, origins: &mut Origins, watch: &Watch) -> Result<Vec<File>> {
    let (bytes, name) = (small("weights", file, origins, watch).await?, file.name());
    if is_web_page(&bytes) {
        return Err(Error::Network(format!("{name} is not a list of files but a page")));
    }
    let index: Index = serde_json::from_slice(&bytes)
        .map_err(|error| Error::Weights(format!("{name} is no list of files: {error}")))?;
    let names = files_of(config, &index.weight_map)?;
    names.into_iter().map(|shard| beside(file, shard)).collect()
}

/// A file in the same folder as this one.
fn beside(file: &File, name: &str) -> Result<File> {
    let address = file.address().unwrap_or_default();
    let (path, query) = address.find('?').map_or((address.as_str(), ""), |at| address.split_at(at));
    let folder = path.rfind('/').map_or("", |end| &path[..=end]);
    if name.contains(['/', '\\']) {
        return Err(Error::Weights(format!(
            "{} names `{name}`, expected a file in its own folder",
            file.name()
        )));
    }
    let address = format!("{folder}{}{query}", js_sys::encode_uri_component(name));
    let beside = Beside::new();
    beside.set_name(&address);
    beside.set_address(&address);
    Ok(beside.unchecked_into())
}

/// Adds a file to the origins; there are none if it has no identity.
fn remember(origins: &mut Origins, file: &File, download: &Download) {
    match (file.address(), &download.identity, origins.as_mut()) {
        (Some(address), Some(identity), Some(all)) => {
            all.push(Origin { address, identity: Some(identity.clone()) });
        }
        _ => *origins = None,
    }
}

fn is_web_page(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"<")
}

// ---- from the browser's storage ----

enum Found {
    Checkpoint(Checkpoint),
    /// There was a copy, but the files have changed since.
    Outdated,
    Nothing,
}

fn loaded_from_copy(checkpoint: Checkpoint) -> Result<Loaded> {
    let config = Config::from_json(&checkpoint.config)?;
    let tokenizer = checkpoint.tokenizer.as_deref().map(Tokenizer::from_json).transpose()?;
    Ok(Loaded { config, tokenizer, weights: checkpoint.weights, unkept: None })
}

/// How long servers have time to say that a file has changed, in milliseconds.
const PATIENCE: f64 = 4000.0;

/// What an earlier visit kept, unless it has changed or is damaged.
async fn restore(files: &Files, form: Form, watch: &Watch) -> Result<Found> {
    let Some(kept) = files.kept() else { return Ok(Found::Nothing) };
    let Ok(promise) = kept.call0(files) else { return Ok(Found::Nothing) };
    let found = JsFuture::from(Promise::resolve(&promise)).await.unwrap_or_default();
    if found.is_falsy() {
        return Ok(Found::Nothing);
    }
    let mut open = Open { kept: found.unchecked_into(), fate: "good" };
    // Servers answer while the copy is read: it is seldom out of date.
    let unchanged = are_unchanged(&origins_of(&open.kept), watch, &open.kept.wait(PATIENCE));
    let _ = JsFuture::from(open.kept.pause()).await;
    watch.check(&files.weights().name())?;
    let read = read_parts(&open.kept, files, form, watch).await;
    let unchanged = unchanged.await;
    watch.check(&files.weights().name())?;
    let found = match read {
        _ if !unchanged => Found::Outdated,
        Ok(checkpoint) => Found::Checkpoint(checkpoint),
        Err(error @ (Error::Memory(_) | Error::Abort(_))) => return Err(error),
        Err(_) => Found::Nothing, // it is damaged
    };
    if !matches!(found, Found::Checkpoint(_)) {
        open.fate = "bad";
    }
    Ok(found)
}

/// A copy that is closed whatever happens.
struct Open {
    kept: Kept,
    fate: &'static str,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.kept.close(self.fate);
    }
}

/// Other calls have their turn after this many bytes, some 15 ms.
const PAUSE_EVERY: u64 = 32 << 20;

async fn read_parts(kept: &Kept, files: &Files, form: Form, watch: &Watch) -> Result<Checkpoint> {
    let (name, length) = (files.weights().name(), kept.length() as u64);
    let mut restoring = Restoring::new(kept, kept.start() as u64, length, form)?;
    let mut paused = 0;
    while restoring.step(kept)? {
        if restoring.position() - paused >= PAUSE_EVERY {
            paused = restoring.position();
            watch.report("weights", &name, paused, Some(length));
            let _ = JsFuture::from(kept.pause()).await;
            watch.check(&name)?;
        }
    }
    watch.report("weights", &name, length, Some(length));
    restoring.finish()
}

impl Disk for Kept {
    fn read<T: Pod>(&self, at: u64, count: usize, to: &mut Vec<T>) -> Result<()> {
        let bytes = count * size_of::<T>();
        to.try_reserve_exact(count)
            .map_err(|_| Error::Memory(format!("no room for {bytes} bytes of a stored copy")))?;
        // SAFETY: the view is of room that `to` owns and nobody reads, and it is gone before memory can grow or move: all
        // that happens while it lives is the browser's writing to it.
        let room = unsafe { Uint8Array::view_mut_raw(to.spare_capacity_mut().as_mut_ptr().cast(), bytes) };
        complete(self.read(&room, at as f64), bytes, "read")?;
        // SAFETY: there is room for `count` more; the browser says that it wrote all their bytes, and a `Pod` may have any.
        unsafe { to.set_len(to.len() + count) };
        Ok(())
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<()> {
        complete(self.write(bytes, at as f64), bytes.len(), "written")
    }
}

fn complete(done: std::result::Result<f64, JsValue>, expected: usize, verb: &str) -> Result<()> {
    match done {
        Ok(count) if count == expected as f64 => Ok(()),
        Ok(count) => Err(Error::Input(format!("{count} bytes of {expected} could be {verb}"))),
        Err(error) => Err(Error::Input(format!("a stored copy cannot be {verb}: {}", message_of(&error)))),
    }
}

fn origins_of(kept: &Kept) -> Vec<Origin> {
    let text = |origin: &JsValue, key: &str| Reflect::get(origin, &key.into()).ok()?.as_string();
    let origin = |origin: JsValue| Origin {
        address: text(&origin, "address").unwrap_or_default(),
        identity: text(&origin, "identity"),
    };
    kept.origins().iter().map(origin).collect()
}

impl Unkept {
    /// The bytes that the copy takes.
    pub fn length(&self) -> u64 {
        self.keeping.length()
    }

    /// Writes some megabytes; false when nothing was left to write.
    pub fn step(&mut self, file: &Kept) -> Result<bool> {
        self.keeping.step(file, file.start() as u64)
    }

    /// `[{ address, identity }]`, to be given back as [`Kept`]'s.
    pub fn origins(&self) -> Array {
        let origin = |Origin { address, identity }: &Origin| {
            let entries = [("address", address.into()), ("identity", identity.clone().into())];
            let entries = entries.map(|(key, value): (&str, JsValue)| Array::of2(&key.into(), &value));
            Object::from_entries(&Array::from_iter(entries)).unwrap_or_default()
        };
        self.origins.iter().map(origin).collect()
    }
}
