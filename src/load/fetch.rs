//! The files of a model, from the network, from blobs or from a saved copy, to a config, a tokenizer and weights.
//!
//! The weights arrive as a stream and are converted piece by piece, so a load needs the memory of the weights and of one
//! piece. In JavaScript, `www/api/source.ts` turns a source into addresses, `www/worker/network.ts` sends the requests
//! and `www/worker/store.ts` manages the saved copies, whose format is in `store.rs`.

use bytemuck::Pod;
use js_sys::{Array, Object, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::download::{Download, File, LoadContext, Opened, error_of, message_of};
use super::store::{Checkpoint, CheckpointReader, CheckpointWriter, Disk, Restored};
use crate::checkpoint::{Config, Index, Report, Weights, WeightsReader, recognize};
use crate::error::{Error, Result};
use crate::kernel::WeightFormat;
use crate::tokenizer::Tokenizer;

#[wasm_bindgen]
extern "C" {
    /// The files of a model: `OpenableFiles` of `www/worker/network.ts`, with what `www/worker/worker.ts` adds for saved
    /// copies.
    #[derive(Clone)]
    pub type Files;
    #[wasm_bindgen(method, getter)]
    fn config(this: &Files) -> File;
    #[wasm_bindgen(method, getter)]
    fn tokenizer(this: &Files) -> Option<File>;
    #[wasm_bindgen(method, getter)]
    fn weights(this: &Files) -> File;
    /// The other files of weights in several.
    #[wasm_bindgen(method, getter)]
    fn more(this: &Files) -> Option<Vec<File>>;
    /// The index of those, if `weights` is absent.
    #[wasm_bindgen(method, getter)]
    fn index(this: &Files) -> Option<File>;
    /// A file in the folder of the index.
    #[wasm_bindgen(method, catch)]
    fn shard(this: &Files, name: &str) -> std::result::Result<File, JsValue>;
    /// Whether a saved copy may be read and written. If not, the methods below are not called.
    #[wasm_bindgen(method, getter, js_name = mayBeKept)]
    fn may_be_kept(this: &Files) -> bool;
    /// The copy that an earlier visit saved; undefined at the second call.
    #[wasm_bindgen(method)]
    fn copy(this: &Files) -> Option<CachedFile>;
    /// The promise of a [`Freshness`]. The requests are sent even if it is not awaited.
    #[wasm_bindgen(method, js_name = isCurrent)]
    fn is_current(this: &Files, origins: &Array) -> Promise;

    /// `Freshness` of `www/worker/network.ts`.
    type Freshness;
    /// `"same"`, `"changed"` or `"unverified"`.
    #[wasm_bindgen(method, getter)]
    fn state(this: &Freshness) -> String;
    /// Why a server could not be asked.
    #[wasm_bindgen(method, getter)]
    fn reason(this: &Freshness) -> Option<String>;

    /// An open file in the browser's storage. The checkpoint is in it from `start` on.
    pub type CachedFile;
    #[wasm_bindgen(method, getter)]
    fn start(this: &CachedFile) -> f64;
    #[wasm_bindgen(method, getter)]
    fn length(this: &CachedFile) -> f64;
    /// `[{ address, identity }]`, as [`PendingSave::origins`] gave it.
    #[wasm_bindgen(method, getter)]
    fn origins(this: &CachedFile) -> Array;
    /// Reads into a view of wasm memory and returns the number of bytes, as `write` does.
    #[wasm_bindgen(method, catch)]
    fn read(this: &CachedFile, into: &Uint8Array, at: f64) -> std::result::Result<f64, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn write(this: &CachedFile, bytes: &[u8], at: f64) -> std::result::Result<f64, JsValue>;
    /// Lets the worker answer other calls.
    #[wasm_bindgen(method)]
    fn pause(this: &CachedFile) -> Promise;
    /// `outcome`: "used", or "discarded" if the copy can never be used again.
    #[wasm_bindgen(method)]
    fn close(this: &CachedFile, outcome: &str);
}

/// A file on a server. `identity` is its validator, or None if the server did not have the file.
#[derive(Clone)]
struct Origin {
    address: String,
    identity: Option<String>,
}

/// The parts of a loaded model.
pub struct Loaded {
    /// Its config.
    pub config: Config,
    /// Its tokenizer, if it has one.
    pub tokenizer: Option<Tokenizer>,
    /// Its weights.
    pub weights: Weights,
    /// Notices about its files.
    pub report: Report,
    /// A copy to save, if the files were downloaded and may be saved.
    pub pending_save: Option<PendingSave>,
}

/// A checkpoint that is to be saved.
pub struct PendingSave {
    writer: CheckpointWriter,
    origins: Vec<Origin>,
}

/// Loads a model.
///
/// # Errors
/// [`Error::Network`] when a file cannot be fetched; [`Error::Abort`] when the signal fired; whatever is wrong with the
/// files.
pub async fn load(files: &Files, format: WeightFormat, context: &LoadContext) -> Result<Loaded> {
    if let Some(loaded) = restore(files, format, context).await? {
        return Ok(loaded);
    }
    let Downloaded { config, tokenizer, checkpoint, origins, report } =
        download(files, format, context).await?;
    let weights = checkpoint.weights.clone();
    let pending_save = origins.filter(|_| files.may_be_kept()).and_then(|origins| {
        Some(PendingSave { writer: CheckpointWriter::new(checkpoint, format).ok()?, origins })
    });
    Ok(Loaded { config, tokenizer, weights, report, pending_save })
}

// ---- from the network, or from blobs ----

/// The origins of the files, if all of them have an identity.
type Origins = Option<Vec<Origin>>;

/// A downloaded checkpoint, with its config and tokenizer parsed.
struct Downloaded {
    config: Config,
    tokenizer: Option<Tokenizer>,
    checkpoint: Checkpoint,
    origins: Origins,
    report: Report,
}

async fn download(
    files: &Files,
    format: WeightFormat,
    context: &LoadContext,
) -> Result<Downloaded> {
    let mut origins = Some(Vec::new());
    let mut report = Report::default();
    let config = small("config", &files.config(), &mut origins, context).await?;
    let name = files.config().name();
    let config = config.map_err(Error::Network)?;
    if config.trim_ascii_start().starts_with(b"<") {
        return Err(Error::Network(format!("{name} is not a config.json but a page")));
    }
    if let Some(found) = recognize(&config) {
        return Err(Error::Config(format!("{found}; expected JSON")));
    }
    let text = String::from_utf8(config)
        .map_err(|_| Error::Config(format!("{name} is not UTF-8 text, expected JSON")))?;
    let (config, notices) = Config::read(&text)?;
    report.append(notices);
    let bytes = match files.tokenizer() {
        Some(file) => tokenizer(&file, &mut origins, &mut report, context).await?,
        None => None,
    };
    let tokenizer = bytes.as_deref().map(read_tokenizer).transpose()?;
    let weights = weights(&config, files, format, &mut origins, context).await?;
    report.append(weights.report().clone());
    let checkpoint = Checkpoint { config: text, tokenizer: bytes, weights };
    Ok(Downloaded { config, tokenizer, checkpoint, origins, report })
}

fn read_tokenizer(bytes: &[u8]) -> Result<Tokenizer> {
    match recognize(bytes) {
        Some(found) => Err(Error::Tokenizer(format!("{found}; expected JSON"))),
        None => Tokenizer::from_json(bytes),
    }
}

/// The bytes of a small file, or why it is absent.
async fn small(
    stage: &'static str,
    file: &File,
    origins: &mut Origins,
    context: &LoadContext,
) -> Result<std::result::Result<Vec<u8>, String>> {
    loop {
        let download = match Download::open(stage, file, context).await? {
            Opened::Absent(reason) => return Ok(Err(reason)),
            Opened::File(download) => download,
        };
        let identity = download.identity();
        match download.bytes().await {
            Err(_) if context.take_restart() => {}
            bytes => {
                add_origin(origins, file, identity);
                return bytes.map(Ok);
            }
        }
    }
}

/// None when the file is optional and absent.
async fn tokenizer(
    file: &File,
    origins: &mut Origins,
    report: &mut Report,
    context: &LoadContext,
) -> Result<Option<Vec<u8>>> {
    match small("tokenizer", file, origins, context).await? {
        Ok(bytes) => Ok(Some(bytes)),
        Err(reason) if file.optional().unwrap_or_default() => {
            let origin = Origin { address: file.address().unwrap_or_default(), identity: None };
            origins.as_mut().into_iter().for_each(|all| all.push(origin.clone()));
            report.no_tokenizer(&reason);
            Ok(None)
        }
        Err(reason) => Err(Error::Network(reason)),
    }
}

async fn weights(
    config: &Config,
    files: &Files,
    format: WeightFormat,
    origins: &mut Origins,
    context: &LoadContext,
) -> Result<Weights> {
    let before = origins.clone();
    loop {
        let mut all = [vec![files.weights()], files.more().unwrap_or_default()].concat();
        match weights_of(config, &mut all, files, format, origins, context).await {
            Err(_) if context.take_restart() => origins.clone_from(&before),
            weights => return weights,
        }
    }
}

/// Reads the files `all`, which become the files of the index if the first is absent.
async fn weights_of(
    config: &Config,
    all: &mut Vec<File>,
    files: &Files,
    format: WeightFormat,
    origins: &mut Origins,
    context: &LoadContext,
) -> Result<Weights> {
    let (first, index) = match (Download::open("weights", &all[0], context).await?, files.index()) {
        (Opened::Absent(reason), Some(index)) => {
            let index = read_index(config, &index, &reason, origins, context).await?;
            let shards =
                index.files.iter().map(|name| files.shard(name).map_err(|error| error_of(&error)));
            *all = shards.collect::<Result<_>>()?;
            (Download::open("weights", &all[0], context).await?.required()?, Some(index))
        }
        (first, _) => (first.required()?, None),
    };
    add_origin(origins, &all[0], first.identity());
    let mut reader = match all.len() {
        1 => WeightsReader::with_format(config, first.exact_total(), format),
        _ => WeightsReader::sharded(config, first.exact_total(), format),
    };
    let mut names: Vec<String> = all.iter().map(File::name).collect();
    let mut notices = Report::default();
    if let Some(Index { files, tensors, report }) = index {
        names = files.into_iter().collect(); // as the index spells them
        reader.expect(tensors);
        notices = report;
    }
    reader.name_file(&names[0]);
    first.stream_into(&mut reader).await?;
    for (file, name) in all.iter().zip(&names).skip(1) {
        let next = Download::open("weights", file, context).await?.required()?;
        add_origin(origins, file, next.identity());
        reader.next_file(next.exact_total())?;
        reader.name_file(name);
        next.stream_into(&mut reader).await?;
    }
    let mut weights = reader.finish()?;
    weights.report_mut().append(notices);
    Ok(weights)
}

/// The index of the files that hold the weights. `reason`: why the single file is absent.
async fn read_index(
    config: &Config,
    file: &File,
    reason: &str,
    origins: &mut Origins,
    context: &LoadContext,
) -> Result<Index> {
    let bytes = small("weights", file, origins, context).await?;
    let bytes = bytes.map_err(|other| Error::Network(format!("{reason}; {other}")))?;
    Index::read(&file.name(), &bytes, config)
}

/// Adds a file to the origins, or clears them if the file has no identity.
fn add_origin(origins: &mut Origins, file: &File, identity: Option<String>) {
    match (file.address(), identity, origins.as_mut()) {
        (Some(address), Some(identity), Some(all)) => {
            all.push(Origin { address, identity: Some(identity) });
        }
        _ => *origins = None,
    }
}

// ---- from the browser's storage ----

/// The copy that an earlier visit saved, unless it is out of date or damaged.
async fn restore(
    files: &Files,
    format: WeightFormat,
    context: &LoadContext,
) -> Result<Option<Loaded>> {
    let Some(file) = files.may_be_kept().then(|| files.copy()).flatten() else { return Ok(None) };
    let mut open = OpenFile { file, outcome: "used" };
    // The servers answer while the copy is read, because it is rarely out of date.
    let freshness = files.is_current(&open.file.origins());
    let _ = JsFuture::from(open.file.pause()).await;
    context.check(&files.weights().name())?;
    let read = read_copy(&open.file, files, format, context).await;
    let freshness = JsFuture::from(freshness).await.map_err(|error| error_of(&error))?;
    let freshness: Freshness = freshness.unchecked_into();
    context.check(&files.weights().name())?;
    match read {
        Ok(Restored { checkpoint, config, mut report, tokenizer })
            if freshness.state() != "changed" =>
        {
            if tokenizer.is_none() && files.tokenizer().is_some() {
                report.no_tokenizer("its server had none when the model was saved");
            }
            if let Some(reason) = freshness.reason() {
                report.unverified_copy(&files.config().name(), &reason);
            }
            let weights = checkpoint.weights;
            report.append(weights.report().clone());
            return Ok(Some(Loaded { config, tokenizer, weights, report, pending_save: None }));
        }
        Err(error @ (Error::Memory(_) | Error::Abort(_))) => return Err(error),
        _ => open.outcome = "discarded", // it is out of date or damaged
    }
    Ok(None)
}

/// A file that is closed when it is dropped.
struct OpenFile {
    file: CachedFile,
    outcome: &'static str,
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.file.close(self.outcome);
    }
}

/// The worker answers other calls after reading this many bytes.
const PAUSE_EVERY: u64 = 32 << 20;

async fn read_copy(
    file: &CachedFile,
    files: &Files,
    format: WeightFormat,
    context: &LoadContext,
) -> Result<Restored> {
    let (name, length) = (files.weights().name(), file.length() as u64);
    let mut reader = CheckpointReader::new(file, file.start() as u64, length, format)?;
    let mut paused = 0;
    while reader.step(file)? {
        if reader.position() - paused >= PAUSE_EVERY {
            paused = reader.position();
            context.report("weights", &name, paused, Some(length));
            let _ = JsFuture::from(file.pause()).await;
            context.check(&name)?;
        }
    }
    context.report("weights", &name, length, Some(length));
    reader.finish()
}

impl Disk for CachedFile {
    fn read<T: Pod>(&self, position: u64, count: usize, to: &mut Vec<T>) -> Result<()> {
        let bytes = count * size_of::<T>();
        to.try_reserve_exact(count)
            .map_err(|_| Error::Memory(format!("no room for {bytes} bytes of a stored copy")))?;
        // SAFETY: the view covers spare capacity that `to` owns. It is dropped before memory can grow or move, because only
        // the browser's write to it happens while it exists.
        let room =
            unsafe { Uint8Array::view_mut_raw(to.spare_capacity_mut().as_mut_ptr().cast(), bytes) };
        complete(self.read(&room, position as f64), bytes, "read")?;
        // SAFETY: there is capacity for `count` more values. The browser reported that it wrote all their bytes, and any
        // bytes are a valid `Pod`.
        unsafe { to.set_len(to.len() + count) };
        Ok(())
    }

    fn write(&self, position: u64, bytes: &[u8]) -> Result<()> {
        complete(self.write(bytes, position as f64), bytes.len(), "written")
    }
}

fn complete(done: std::result::Result<f64, JsValue>, expected: usize, verb: &str) -> Result<()> {
    match done {
        Ok(count) if count == expected as f64 => Ok(()),
        Ok(count) => Err(Error::Input(format!("{count} bytes of {expected} could be {verb}"))),
        Err(error) => {
            Err(Error::Input(format!("a stored copy cannot be {verb}: {}", message_of(&error))))
        }
    }
}

impl PendingSave {
    /// The length of the copy in bytes.
    pub fn length(&self) -> u64 {
        self.writer.length()
    }

    /// Writes up to 4 MB; false when nothing was left.
    pub fn step(&mut self, file: &CachedFile) -> Result<bool> {
        self.writer.step(file, file.start() as u64)
    }

    /// `[{ address, identity }]`, which a [`CachedFile`] gives back.
    pub fn origins(&self) -> Array {
        let origin = |Origin { address, identity }: &Origin| {
            let entries = [("address", address.into()), ("identity", identity.clone().into())];
            let entries =
                entries.map(|(key, value): (&str, JsValue)| Array::of2(&key.into(), &value));
            Object::from_entries(&Array::from_iter(entries)).unwrap_or_default()
        };
        self.origins.iter().map(origin).collect()
    }
}
