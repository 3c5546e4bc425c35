//! Files in, from the network, from the disk or from what an earlier visit kept; a config, a tokenizer and weights out.
//!
//! Bytes arrive as a stream and go into the weights piece by piece, so a load holds the weights and one piece. In
//! JavaScript, `www/source.js` turns a source into addresses, `www/network.js` sends the requests and `www/store.js`
//! keeps the copies. [`crate::store`] defines what is in a copy.

use bytemuck::Pod;
use js_sys::{Array, Object, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::config::Config;
use crate::download::{Download, File, Opened, error_of, message_of};
use crate::error::{Error, Result};
use crate::index::Index;
use crate::kernel::WeightFormat;
use crate::magic;
use crate::report::Report;
use crate::store::{Checkpoint, Disk, Keeping, Restored, Restoring};
use crate::tokenizer::Tokenizer;
use crate::weights::{Weights, WeightsReader};

pub use crate::download::Watch;

#[wasm_bindgen]
extern "C" {
    /// The files of a model: `OpenableFiles` of `www/network.js`, with what `www/worker.js` adds for copies.
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
    /// The list of those, if `weights` is not there.
    #[wasm_bindgen(method, getter)]
    fn index(this: &Files) -> Option<File>;
    /// A file in the folder of the list.
    #[wasm_bindgen(method, catch)]
    fn shard(this: &Files, name: &str) -> std::result::Result<File, JsValue>;
    /// Whether a copy is looked for and made. Without it the methods below are not called.
    #[wasm_bindgen(method, getter, js_name = mayBeKept)]
    fn may_be_kept(this: &Files) -> bool;
    /// What an earlier visit kept; undefined at the second call.
    #[wasm_bindgen(method)]
    fn copy(this: &Files) -> Option<Kept>;
    /// The promise of a [`Freshness`]. It is under way whether it is awaited or not.
    #[wasm_bindgen(method, js_name = isCurrent)]
    fn is_current(this: &Files, origins: &Array) -> Promise;

    /// `Freshness` of `www/network.js`.
    type Freshness;
    /// `"same"`, `"changed"` or `"unverified"`.
    #[wasm_bindgen(method, getter)]
    fn state(this: &Freshness) -> String;
    /// Why a server could not be asked.
    #[wasm_bindgen(method, getter)]
    fn reason(this: &Freshness) -> Option<String>;

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
    /// `fate`: "good", "bad" where the copy can never be used again.
    #[wasm_bindgen(method)]
    fn close(this: &Kept, fate: &str);
}

/// A file on a server, and which state of it: None if there was none.
#[derive(Clone)]
struct Origin {
    address: String,
    identity: Option<String>,
}

/// A loaded model in parts.
pub struct Loaded {
    pub config: Config,
    pub tokenizer: Option<Tokenizer>,
    pub weights: Weights,
    pub report: Report,
    /// What came from the network and can be kept.
    pub unkept: Option<Unkept>,
}

/// A checkpoint that is to be kept.
pub struct Unkept {
    keeping: Keeping,
    origins: Vec<Origin>,
}

/// Loads a model.
///
/// # Errors
/// [`Error::Network`] when a file cannot be fetched; [`Error::Abort`] when the signal fired; whatever is wrong with the
/// files.
pub async fn load(files: &Files, format: WeightFormat, watch: &Watch) -> Result<Loaded> {
    if let Some(loaded) = restore(files, format, watch).await? {
        return Ok(loaded);
    }
    let Downloaded { config, tokenizer, checkpoint, origins, report } =
        download(files, format, watch).await?;
    let weights = checkpoint.weights.clone();
    let unkept = origins.filter(|_| files.may_be_kept()).and_then(|origins| {
        Some(Unkept { keeping: Keeping::new(checkpoint, format).ok()?, origins })
    });
    Ok(Loaded { config, tokenizer, weights, report, unkept })
}

// ---- from the network, or from blobs ----

/// The files' origins if all of them have an identity.
type Origins = Option<Vec<Origin>>;

/// A checkpoint, and what was read of it already.
struct Downloaded {
    config: Config,
    tokenizer: Option<Tokenizer>,
    checkpoint: Checkpoint,
    origins: Origins,
    report: Report,
}

async fn download(files: &Files, format: WeightFormat, watch: &Watch) -> Result<Downloaded> {
    let mut origins = Some(Vec::new());
    let mut report = Report::default();
    let config = small("config", &files.config(), &mut origins, watch).await?;
    let name = files.config().name();
    let config = config.map_err(Error::Network)?;
    if config.trim_ascii_start().starts_with(b"<") {
        return Err(Error::Network(format!("{name} is not a config.json but a page")));
    }
    if let Some(found) = magic::recognize(&config) {
        return Err(Error::Config(format!("{found}; expected JSON")));
    }
    let text = String::from_utf8(config)
        .map_err(|_| Error::Config(format!("{name} is not UTF-8 text, expected JSON")))?;
    let (config, remarks) = Config::read(&text)?;
    report.append(remarks);
    let bytes = match files.tokenizer() {
        Some(file) => tokenizer(&file, &mut origins, &mut report, watch).await?,
        None => None,
    };
    let tokenizer = bytes.as_deref().map(read_tokenizer).transpose()?;
    let weights = weights(&config, files, format, &mut origins, watch).await?;
    report.append(weights.report().clone());
    let checkpoint = Checkpoint { config: text, tokenizer: bytes, weights };
    Ok(Downloaded { config, tokenizer, checkpoint, origins, report })
}

fn read_tokenizer(bytes: &[u8]) -> Result<Tokenizer> {
    match magic::recognize(bytes) {
        Some(found) => Err(Error::Tokenizer(format!("{found}; expected JSON"))),
        None => Tokenizer::from_json(bytes),
    }
}

/// The bytes of a small file, or why it is absent.
async fn small(
    stage: &'static str,
    file: &File,
    origins: &mut Origins,
    watch: &Watch,
) -> Result<std::result::Result<Vec<u8>, String>> {
    loop {
        let download = match Download::open(stage, file, watch).await? {
            Opened::Absent(reason) => return Ok(Err(reason)),
            Opened::File(download) => download,
        };
        let identity = download.identity();
        match download.bytes().await {
            Err(_) if watch.take_restart() => {}
            bytes => {
                remember(origins, file, identity);
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
    watch: &Watch,
) -> Result<Option<Vec<u8>>> {
    match small("tokenizer", file, origins, watch).await? {
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
    watch: &Watch,
) -> Result<Weights> {
    let before = origins.clone();
    loop {
        let mut all = [vec![files.weights()], files.more().unwrap_or_default()].concat();
        match weights_of(config, &mut all, files, format, origins, watch).await {
            Err(_) if watch.take_restart() => origins.clone_from(&before),
            weights => return weights,
        }
    }
}

/// `all` becomes the files of the index if the first is absent.
async fn weights_of(
    config: &Config,
    all: &mut Vec<File>,
    files: &Files,
    format: WeightFormat,
    origins: &mut Origins,
    watch: &Watch,
) -> Result<Weights> {
    let (first, index) = match (Download::open("weights", &all[0], watch).await?, files.index()) {
        (Opened::Absent(reason), Some(index)) => {
            let index = listed(config, &index, &reason, origins, watch).await?;
            let shards =
                index.files.iter().map(|name| files.shard(name).map_err(|error| error_of(&error)));
            *all = shards.collect::<Result<_>>()?;
            (Download::open("weights", &all[0], watch).await?.required()?, Some(index))
        }
        (first, _) => (first.required()?, None),
    };
    remember(origins, &all[0], first.identity());
    let mut reader = match all.len() {
        1 => WeightsReader::with_format(config, first.exact_total(), format),
        _ => WeightsReader::sharded(config, first.exact_total(), format),
    };
    let mut names: Vec<String> = all.iter().map(File::name).collect();
    let mut remarks = Report::default();
    if let Some(Index { files, tensors, report }) = index {
        names = files.into_iter().collect(); // the list's own names
        reader.expect(tensors);
        remarks = report;
    }
    reader.name_file(&names[0]);
    first.pour(&mut reader).await?;
    for (file, name) in all.iter().zip(&names).skip(1) {
        let next = Download::open("weights", file, watch).await?.required()?;
        remember(origins, file, next.identity());
        reader.next_file(next.exact_total())?;
        reader.name_file(name);
        next.pour(&mut reader).await?;
    }
    let mut weights = reader.finish()?;
    weights.remark(remarks);
    Ok(weights)
}

/// The list of the files that hold the weights. `reason`: why a single file is absent.
async fn listed(
    config: &Config,
    file: &File,
    reason: &str,
    origins: &mut Origins,
    watch: &Watch,
) -> Result<Index> {
    let bytes = small("weights", file, origins, watch).await?;
    let bytes = bytes.map_err(|other| Error::Network(format!("{reason}; {other}")))?;
    Index::read(&file.name(), &bytes, config)
}

/// Adds a file to the origins; there are none if it has no identity.
fn remember(origins: &mut Origins, file: &File, identity: Option<String>) {
    match (file.address(), identity, origins.as_mut()) {
        (Some(address), Some(identity), Some(all)) => {
            all.push(Origin { address, identity: Some(identity) });
        }
        _ => *origins = None,
    }
}

// ---- from the browser's storage ----

/// What an earlier visit kept, unless it has changed or is damaged.
async fn restore(files: &Files, format: WeightFormat, watch: &Watch) -> Result<Option<Loaded>> {
    let Some(kept) = files.may_be_kept().then(|| files.copy()).flatten() else { return Ok(None) };
    let mut open = Open { kept, fate: "good" };
    // Servers answer while the copy is read: it is seldom out of date.
    let freshness = files.is_current(&open.kept.origins());
    let _ = JsFuture::from(open.kept.pause()).await;
    watch.check(&files.weights().name())?;
    let read = read_parts(&open.kept, files, format, watch).await;
    let freshness = JsFuture::from(freshness).await.map_err(|error| error_of(&error))?;
    let freshness: Freshness = freshness.unchecked_into();
    watch.check(&files.weights().name())?;
    match read {
        Ok(Restored { checkpoint, config, mut report, tokenizer })
            if freshness.state() != "changed" =>
        {
            if tokenizer.is_none() && files.tokenizer().is_some() {
                report.no_tokenizer("its server had none when the model was kept");
            }
            if let Some(reason) = freshness.reason() {
                report.unverified_copy(&files.config().name(), &reason);
            }
            let weights = checkpoint.weights;
            report.append(weights.report().clone());
            return Ok(Some(Loaded { config, tokenizer, weights, report, unkept: None }));
        }
        Err(error @ (Error::Memory(_) | Error::Abort(_))) => return Err(error),
        _ => open.fate = "bad", // it is out of date or damaged
    }
    Ok(None)
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

async fn read_parts(
    kept: &Kept,
    files: &Files,
    format: WeightFormat,
    watch: &Watch,
) -> Result<Restored> {
    let (name, length) = (files.weights().name(), kept.length() as u64);
    let mut restoring = Restoring::new(kept, kept.start() as u64, length, format)?;
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
        let room =
            unsafe { Uint8Array::view_mut_raw(to.spare_capacity_mut().as_mut_ptr().cast(), bytes) };
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
        Err(error) => {
            Err(Error::Input(format!("a stored copy cannot be {verb}: {}", message_of(&error))))
        }
    }
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
            let entries =
                entries.map(|(key, value): (&str, JsValue)| Array::of2(&key.into(), &value));
            Object::from_entries(&Array::from_iter(entries)).unwrap_or_default()
        };
        self.origins.iter().map(origin).collect()
    }
}
