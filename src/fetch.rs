//! Files in, from the network or from the disk; a config, a tokenizer and weights out.
//!
//! Bytes arrive as a stream and go into the weights piece by piece, so a load holds the weights and one piece. How a
//! model's name becomes addresses is JavaScript's affair (`www/source.js`).

use js_sys::{Function, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AbortSignal, Blob, ReadableStream, ReadableStreamDefaultReader, RequestInit, Response};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::kernel::matrix::Form;
use crate::tokenizer::Tokenizer;
use crate::weights::{Weights, WeightsReader};

#[wasm_bindgen]
extern "C" {
    /// `{ config, tokenizer?, weights }`, each a [`File`].
    pub type Files;
    #[wasm_bindgen(method, getter)]
    fn config(this: &Files) -> File;
    #[wasm_bindgen(method, getter)]
    fn tokenizer(this: &Files) -> Option<File>;
    #[wasm_bindgen(method, getter)]
    fn weights(this: &Files) -> File;

    /// `{ name, address?, blob?, optional? }`: a name for messages, and where the bytes are.
    pub type File;
    #[wasm_bindgen(method, getter)]
    fn name(this: &File) -> String;
    #[wasm_bindgen(method, getter)]
    fn address(this: &File) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    fn blob(this: &File) -> Option<Blob>;
    #[wasm_bindgen(method, getter)]
    fn optional(this: &File) -> Option<bool>;

    /// What a stream's reader answers.
    type Read;
    #[wasm_bindgen(method, getter)]
    fn done(this: &Read) -> bool;
    #[wasm_bindgen(method, getter)]
    fn value(this: &Read) -> Uint8Array;

    /// The same in a worker and in a page.
    fn fetch(address: &str, init: &RequestInit) -> Promise;
}

/// Who follows a load: a listener for its progress, and a signal that ends it.
pub struct Watch {
    /// Called with `(stage, file, loaded, total)`, in bytes; `total` is undefined where it is not known.
    pub on_progress: Option<Function>,
    pub signal: Option<AbortSignal>,
}

/// What a model is made of.
pub struct Checkpoint {
    pub config: Config,
    pub tokenizer: Option<Tokenizer>,
    pub weights: Weights,
}

/// Loads the first of `candidates` whose `config.json` is there.
///
/// # Errors
/// [`Error::Network`] when no candidate is there, naming every address that was tried, or when a file cannot be
/// fetched; [`Error::Abort`] when the signal fired; whatever is wrong with the files.
pub async fn load(candidates: &[Files], form: Form, watch: &Watch) -> Result<Checkpoint> {
    let mut absent = Vec::new();
    for files in candidates {
        match read_config(&files.config(), watch).await {
            Ok(Some(config)) => return load_rest(config, files, form, watch).await,
            Ok(None) => absent.push(format!("{} is not a config.json but a page", files.config().name())),
            Err(Error::Network(message)) => absent.push(message),
            Err(error) => return Err(error),
        }
    }
    Err(Error::Network(absent.join("; ")))
}

async fn load_rest(config: Config, files: &Files, form: Form, watch: &Watch) -> Result<Checkpoint> {
    let tokenizer = match files.tokenizer() {
        Some(file) => read_tokenizer(&file, watch).await?,
        None => None,
    };
    let weights = read_weights(&config, &files.weights(), form, watch).await?;
    Ok(Checkpoint { config, tokenizer, weights })
}

/// None when the answer is a web page: many hosts send one, with status 200, for an address that they do not know.
async fn read_config(file: &File, watch: &Watch) -> Result<Option<Config>> {
    let bytes = Download::open("config", file, watch).await?.bytes().await?;
    if is_web_page(&bytes) {
        return Ok(None);
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::Config(format!("{} is not UTF-8 text, expected JSON", file.name())))?;
    Config::from_json(&text).map(Some)
}

/// None when the file is optional and not there.
async fn read_tokenizer(file: &File, watch: &Watch) -> Result<Option<Tokenizer>> {
    let optional = file.optional().unwrap_or_default();
    let download = match Download::open("tokenizer", file, watch).await {
        Err(Error::Network(_)) if optional => return Ok(None),
        download => download?,
    };
    let bytes = download.bytes().await?;
    if optional && is_web_page(&bytes) {
        return Ok(None);
    }
    Tokenizer::from_json(&bytes).map(Some)
}

async fn read_weights(config: &Config, file: &File, form: Form, watch: &Watch) -> Result<Weights> {
    let mut download = Download::open("weights", file, watch).await?;
    let mut reader = WeightsReader::with_form(config, download.exact_total(), form);
    download.each_piece(|piece| reader.push(piece)).await?;
    reader.finish()
}

fn is_web_page(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"<")
}

/// The most bytes that are copied into wasm memory at once.
const PIECE: usize = 1 << 20;
/// A listener hears of progress after this many bytes, and at the end.
const REPORT_EVERY: u64 = 1 << 18;

/// A file on its way.
struct Download<'w> {
    stage: &'static str,
    name: String,
    reader: ReadableStreamDefaultReader,
    total: Total,
    loaded: u64,
    reported: u64,
    watch: &'w Watch,
}

/// How long a file is.
#[derive(Clone, Copy)]
enum Total {
    Unknown,
    /// `content-length` of another site, which does not say whether it counts compressed bytes.
    Claimed(u64),
    Exact(u64),
}

impl<'w> Download<'w> {
    async fn open(stage: &'static str, file: &File, watch: &'w Watch) -> Result<Download<'w>> {
        let name = file.name();
        watch.check(&name)?;
        let (stream, total) = match (file.blob(), file.address()) {
            (Some(blob), _) => (blob.stream(), Total::Exact(blob.size() as u64)),
            (None, Some(address)) => respond(&address, watch).await?,
            (None, None) => return Err(Error::Input(format!("{name} has neither an address nor bytes"))),
        };
        let reader = ReadableStreamDefaultReader::new(&stream)
            .map_err(|error| Error::Network(format!("{name} cannot be read: {}", message_of(&error))))?;
        let download = Download { stage, name, reader, total, loaded: 0, reported: 0, watch };
        download.report();
        Ok(download)
    }

    /// The length, where it can be relied on.
    fn exact_total(&self) -> Option<u64> {
        match self.total {
            Total::Exact(total) => Some(total),
            Total::Claimed(_) | Total::Unknown => None,
        }
    }

    async fn bytes(mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.each_piece(|piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })
        .await?;
        Ok(bytes)
    }

    async fn each_piece(&mut self, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut buffer = vec![0; PIECE];
        while let Some(chunk) = self.next_chunk().await? {
            for start in (0..chunk.length()).step_by(PIECE) {
                let piece = chunk.subarray(start, chunk.length().min(start + PIECE as u32));
                let room = &mut buffer[..piece.length() as usize];
                piece.copy_to(room);
                take(room)?;
            }
            self.count(chunk.length());
        }
        self.total = Total::Exact(self.loaded);
        self.report();
        Ok(())
    }

    async fn next_chunk(&self) -> Result<Option<Uint8Array>> {
        let answer = JsFuture::from(self.reader.read()).await;
        self.watch.check(&self.name)?;
        let read: Read = answer.map_err(|error| self.broken(&error))?.unchecked_into();
        Ok((!read.done()).then(|| read.value()))
    }

    fn broken(&self, error: &JsValue) -> Error {
        let (name, loaded, reason) = (&self.name, self.loaded, message_of(error));
        Error::Network(format!("{name} broke off after {loaded} bytes: {reason}"))
    }

    fn count(&mut self, bytes: u32) {
        self.loaded += u64::from(bytes);
        if let Total::Claimed(total) = self.total
            && self.loaded > total
        {
            self.total = Total::Unknown; // it counted compressed bytes
        }
        if self.loaded - self.reported >= REPORT_EVERY {
            self.reported = self.loaded;
            self.report();
        }
    }

    fn report(&self) {
        let Some(listener) = &self.watch.on_progress else { return };
        let total = match self.total {
            Total::Unknown => JsValue::UNDEFINED,
            Total::Claimed(total) | Total::Exact(total) => (total as f64).into(),
        };
        let loaded = (self.loaded as f64).into();
        // A listener that throws is no reason to stop loading.
        let _ = listener.call4(&JsValue::NULL, &self.stage.into(), &(&self.name).into(), &loaded, &total);
    }
}

/// A download that is given up, for whatever reason, stops.
impl Drop for Download<'_> {
    fn drop(&mut self) {
        let cancelled = self.reader.cancel();
        spawn_local(async {
            let _ = JsFuture::from(cancelled).await;
        });
    }
}

impl Watch {
    fn check(&self, name: &str) -> Result<()> {
        match &self.signal {
            Some(signal) if signal.aborted() => Err(Error::Abort(format!("while loading {name}"))),
            _ => Ok(()),
        }
    }
}

/// The body of a successful answer, and its length.
async fn respond(address: &str, watch: &Watch) -> Result<(ReadableStream, Total)> {
    let init = RequestInit::new();
    init.set_signal(watch.signal.as_ref());
    let answer = JsFuture::from(fetch(address, &init)).await;
    watch.check(address)?;
    let response: Response = answer
        .map_err(|error| {
            let reason = message_of(&error);
            Error::Network(format!(
                "{address} cannot be reached ({reason}); if it is on another site, that site must allow it (CORS)"
            ))
        })?
        .unchecked_into();
    if !response.ok() {
        let (status, text) = (response.status(), response.status_text());
        return Err(Error::Network(format!("{address} answered {}", format!("{status} {text}").trim_end())));
    }
    let body = response.body().ok_or_else(|| Error::Network(format!("{address} answered without a body")))?;
    Ok((body, length_of(&response)))
}

fn length_of(response: &Response) -> Total {
    let header = |name| response.headers().get(name).ok().flatten();
    let encoded = header("content-encoding").is_some_and(|encoding| encoding != "identity");
    let length = header("content-length").and_then(|length| length.parse().ok());
    match length {
        Some(length) if !encoded && is_same_site(response) => Total::Exact(length),
        Some(length) if !encoded => Total::Claimed(length),
        _ => Total::Unknown,
    }
}

/// Another site's answer hides its `content-encoding`.
fn is_same_site(response: &Response) -> bool {
    js_sys::Reflect::get(response, &"type".into()).is_ok_and(|kind| kind == "basic")
}

fn message_of(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => error.message().into(),
        None => format!("{error:?}"),
    }
}
