//! One file on its way: an address or a blob in, its bytes out, piece by piece.
//!
//! A file is streamed. Where a part of a weights file is not needed and the server answers ranges, the rest of it is
//! asked for in pieces, several at once. Any answer to that which is not exactly what was asked for sends the load
//! back to streaming.
//!
//! A file that is needed whole is one stream. In pieces, 500 MB from the same machine took 3.3 s instead of 1.6 s, with
//! one in flight or with eight: each is an answer to wait for and a buffer to fill. Over a real network the link is the
//! limit, and pieces from one host share one connection where it speaks HTTP/2 or 3, as those that serve models do.

use std::collections::VecDeque;
use std::ops::Range;

use js_sys::{Array, ArrayBuffer, Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise, spawn_local};
use web_sys::{
    AbortSignal, Blob, Headers, ReadableStream, ReadableStreamDefaultReader, RequestInit, Response,
};

use crate::error::{Error, Result};
use crate::weights::WeightsReader;

#[wasm_bindgen]
extern "C" {
    /// `{ name, address?, blob?, optional?, ahead? }`: a name for messages, and where the bytes are; the promise of the
    /// address's answer, if it was asked for before, or of undefined.
    #[derive(Clone)]
    pub type File;
    #[wasm_bindgen(method, getter)]
    pub fn name(this: &File) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn address(this: &File) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub fn blob(this: &File) -> Option<Blob>;
    #[wasm_bindgen(method, getter)]
    pub fn optional(this: &File) -> Option<bool>;
    #[wasm_bindgen(method, getter)]
    fn ahead(this: &File) -> Option<Promise>;

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
    /// Ask servers even where the browser's own cache has an answer: it is known to be old.
    pub anew: bool,
}

impl Watch {
    pub fn check(&self, name: &str) -> Result<()> {
        match &self.signal {
            Some(signal) if signal.aborted() => Err(Error::Abort(format!("while loading {name}"))),
            _ => Ok(()),
        }
    }

    pub fn report(&self, stage: &str, name: &str, loaded: u64, total: Option<u64>) {
        let Some(listener) = &self.on_progress else { return };
        let total = total.map_or(JsValue::UNDEFINED, |total| (total as f64).into());
        // A listener that throws is no reason to stop loading.
        let _ = listener.call4(&JsValue::NULL, &stage.into(), &name.into(), &(loaded as f64).into(), &total);
    }

    fn init(&self) -> RequestInit {
        let init = RequestInit::new();
        init.set_signal(self.signal.as_ref());
        if self.anew {
            set_cache(&init, "no-cache");
        }
        init
    }
}

fn set_cache(init: &RequestInit, mode: &str) {
    let _ = Reflect::set(init, &"cache".into(), &mode.into()); // cannot fail on a plain object
}

/// The most bytes that are copied into wasm memory at once.
const PIECE: usize = 1 << 20;
/// A listener hears of progress after this many bytes, and at the end.
const REPORT_EVERY: u64 = 1 << 18;

/// A file on its way.
pub struct Download<'w> {
    stage: &'static str,
    name: String,
    /// Of a file on a server: where it is, what tells this state of it from others, whether a part can be had.
    address: Option<String>,
    pub identity: Option<String>,
    answers_ranges: bool,
    /// None once the rest is asked for in pieces.
    stream: Option<Stream>,
    total: Total,
    loaded: u64,
    reported: u64,
    watch: &'w Watch,
}

/// Bytes on their way. One that is given up, for whatever reason, stops.
struct Stream(ReadableStreamDefaultReader);

impl Stream {
    fn of(body: &ReadableStream, name: &str) -> Result<Stream> {
        ReadableStreamDefaultReader::new(body)
            .map(Stream)
            .map_err(|error| Error::Network(format!("{name} cannot be read: {}", message_of(&error))))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let cancelled = self.0.cancel();
        spawn_local(async {
            let _ = JsFuture::from(cancelled).await;
        });
    }
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
    pub async fn open(stage: &'static str, file: &File, watch: &'w Watch) -> Result<Download<'w>> {
        let name = file.name();
        watch.check(&name)?;
        let download = match (file.blob(), file.address()) {
            (Some(blob), _) => {
                let stream = Stream::of(&blob.stream(), &name)?;
                Download::new(stage, name, stream, Total::Exact(blob.size() as u64), watch)
            }
            (None, Some(address)) => {
                let (response, body) = match file.ahead().filter(|_| !watch.anew) {
                    Some(ahead) => take(ahead, &address, watch).await?,
                    None => respond(&address, watch).await?,
                };
                let stream = Stream::of(&body, &name)?;
                let mut download = Download::new(stage, name, stream, length_of(&response), watch);
                download.identity = identity_of(&response);
                download.answers_ranges = header(&response, "accept-ranges").as_deref() == Some("bytes");
                download.address = Some(address);
                download
            }
            (None, None) => return Err(Error::Input(format!("{name} has neither an address nor bytes"))),
        };
        download.report();
        Ok(download)
    }

    fn new(
        stage: &'static str,
        name: String,
        stream: Stream,
        total: Total,
        watch: &'w Watch,
    ) -> Download<'w> {
        let (address, identity, answers_ranges) = (None, None, false);
        Download {
            stage,
            name,
            address,
            identity,
            answers_ranges,
            stream: Some(stream),
            total,
            loaded: 0,
            reported: 0,
            watch,
        }
    }

    /// The length, where it can be relied on.
    pub fn exact_total(&self) -> Option<u64> {
        match self.total {
            Total::Exact(total) => Some(total),
            Total::Claimed(_) | Total::Unknown => None,
        }
    }

    pub async fn bytes(mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut buffer = Vec::new();
        while let Some(chunk) = self.next_chunk().await? {
            each_piece(&chunk, &mut buffer, |piece| {
                bytes.extend_from_slice(piece);
                Ok(())
            })?;
            self.count(chunk.length());
        }
        self.finish();
        Ok(bytes)
    }

    /// Brings the tensors of a weights file into `reader`.
    pub async fn pour(mut self, reader: &mut WeightsReader) -> Result<()> {
        let mut buffer = Vec::new();
        let mut is_planned = false;
        while let Some(chunk) = self.next_chunk().await? {
            each_piece(&chunk, &mut buffer, |piece| reader.push(piece))?;
            self.count(chunk.length());
            if is_planned {
                continue;
            }
            let Some((end, needed)) = reader.needed() else { continue };
            is_planned = true;
            if self.can_skip(end)
                && let Some(pieces) = pieces(reader.position(), end, needed)
            {
                return self.pour_pieces(end, pieces, reader).await;
            }
        }
        self.finish();
        Ok(())
    }

    /// Whether parts of a file can be asked for that is as long as its own header says (so that what the server sends
    /// is not compressed), and be told from those of another state of it.
    fn can_skip(&self, end: u64) -> bool {
        let length_is_right =
            matches!(self.total, Total::Claimed(total) | Total::Exact(total) if total == end);
        self.answers_ranges && length_is_right && self.identity.is_some()
    }

    /// Asks for the pieces in order, some ahead, and streams the whole file where an answer is not as it should be.
    async fn pour_pieces(
        mut self,
        end: u64,
        pieces: Vec<Range<u64>>,
        reader: &mut WeightsReader,
    ) -> Result<()> {
        self.stream = None;
        let address = self.address.clone().unwrap_or_default();
        let mut pieces = pieces.into_iter();
        let mut coming = VecDeque::new();
        let mut buffer = Vec::new();
        loop {
            while coming.len() < IN_FLIGHT
                && let Some(range) = pieces.next()
            {
                coming.push_back((range.clone(), self.ask_for(&address, range, end)));
            }
            let Some((range, answer)) = coming.pop_front() else { break };
            let answer = answer.await;
            self.watch.check(&self.name)?;
            let bytes = answer.ok().and_then(|bytes| bytes.dyn_into::<Uint8Array>().ok());
            let Some(bytes) = bytes.filter(|bytes| u64::from(bytes.length()) == range.end - range.start)
            else {
                return self.pour_rest(reader).await;
            };
            reader.skip_to(range.start)?;
            each_piece(&bytes, &mut buffer, |piece| reader.push(piece))?;
            self.loaded = range.start;
            self.count(bytes.length());
        }
        reader.skip_to(end)?;
        self.loaded = end;
        self.finish();
        Ok(())
    }

    /// The bytes of a piece, or something else where the answer is not what was asked for.
    fn ask_for(&self, address: &str, range: Range<u64>, end: u64) -> JsFuture {
        let init = self.watch.init();
        set_cache(&init, "no-store"); // the browser's own cache would let only one at a time have the address
        let wanted = format!("{}-{}", range.start, range.end - 1);
        let identity = self.identity.clone();
        let headers = Headers::new().and_then(|headers| {
            headers.set("Range", &format!("bytes={wanted}"))?;
            Ok(headers)
        });
        if let Ok(headers) = headers {
            init.set_headers(&headers);
        }
        let answer = JsFuture::from(fetch(address, &init));
        JsFuture::from(future_to_promise(async move {
            let response: Response = answer.await?.unchecked_into();
            let is_asked_for = response.status() == 206
                && header(&response, "content-range") == Some(format!("bytes {wanted}/{end}"))
                && header(&response, "content-encoding").is_none()
                && is_same_state(&identity, &response);
            if !is_asked_for {
                return Ok(JsValue::UNDEFINED);
            }
            let bytes: ArrayBuffer = JsFuture::from(response.array_buffer()?).await?.unchecked_into();
            Ok(Uint8Array::new(&bytes).into())
        }))
    }

    /// Streams the file from its beginning and drops what `reader` has already.
    async fn pour_rest(mut self, reader: &mut WeightsReader) -> Result<()> {
        let address = self.address.clone().unwrap_or_default();
        let (response, body) = respond(&address, self.watch).await?;
        if identity_of(&response) != self.identity {
            return Err(Error::Network(format!("{} changed while it was being loaded", self.name)));
        }
        self.stream = Some(Stream::of(&body, &self.name)?);
        let mut left = reader.position();
        let mut buffer = Vec::new();
        while let Some(chunk) = self.next_chunk().await? {
            let dropped = left.min(u64::from(chunk.length())) as u32;
            left -= u64::from(dropped);
            let chunk = chunk.subarray(dropped, chunk.length());
            each_piece(&chunk, &mut buffer, |piece| reader.push(piece))?;
            self.loaded = self.loaded.max(reader.position());
            self.count(0);
        }
        self.finish();
        Ok(())
    }

    async fn next_chunk(&self) -> Result<Option<Uint8Array>> {
        let Some(Stream(reader)) = &self.stream else { return Ok(None) };
        let answer = JsFuture::from(reader.read()).await;
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

    fn finish(&mut self) {
        self.total = Total::Exact(self.loaded);
        self.report();
    }

    fn report(&self) {
        let total = match self.total {
            Total::Unknown => None,
            Total::Claimed(total) | Total::Exact(total) => Some(total),
        };
        self.watch.report(self.stage, &self.name, self.loaded, total);
    }
}

/// Hands over the bytes of `chunk`, at most [`PIECE`] at once.
fn each_piece(
    chunk: &Uint8Array,
    buffer: &mut Vec<u8>,
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let longest = chunk.length().min(PIECE as u32) as usize;
    if buffer.len() < longest {
        *buffer = vec![0; longest];
    }
    for start in (0..chunk.length()).step_by(PIECE) {
        let piece = chunk.subarray(start, chunk.length().min(start + PIECE as u32));
        let room = &mut buffer[..piece.length() as usize];
        piece.copy_to(room);
        take(room)?;
    }
    Ok(())
}

/// Pieces are asked for this many at once: while one is copied, the next ones are on their way.
const IN_FLIGHT: usize = 4;
/// The most bytes of a piece: with those in flight, what waits outside of wasm memory stays small.
const LONGEST_PIECE: u64 = 4 << 20;
/// What is passed over at least. A request costs about as much as these bytes on the way at 100 Mbit/s and 80 ms.
const SHORTEST_GAP: u64 = 1 << 20;

/// What to ask for of a file that was read up to `position`, in order; None where too little of it can be passed over.
fn pieces(position: u64, end: u64, needed: Vec<Range<u64>>) -> Option<Vec<Range<u64>>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    let mut last = position;
    let mut passed = 0;
    for range in needed {
        let gap = range.start - last;
        match runs.last_mut() {
            Some(run) if gap < SHORTEST_GAP => run.end = range.end,
            _ => {
                passed += gap;
                runs.push(range.clone());
            }
        }
        last = range.end;
    }
    passed += end - last;
    let pieces = runs.into_iter().flat_map(|run| {
        let starts = run.clone().step_by(LONGEST_PIECE as usize);
        starts.map(move |start| start..run.end.min(start + LONGEST_PIECE))
    });
    (passed >= SHORTEST_GAP).then(|| pieces.collect())
}

/// A successful answer and its body.
async fn respond(address: &str, watch: &Watch) -> Result<(Response, ReadableStream)> {
    let answer = JsFuture::from(fetch(address, &watch.init())).await;
    opened(answer, address, watch)
}

/// The same of an answer that is on its way, or of a new one where it was not asked for after all.
async fn take(ahead: Promise, address: &str, watch: &Watch) -> Result<(Response, ReadableStream)> {
    match JsFuture::from(ahead).await {
        Ok(nothing) if nothing.is_undefined() => respond(address, watch).await,
        answer => opened(answer, address, watch),
    }
}

fn opened(
    answer: std::result::Result<JsValue, JsValue>,
    address: &str,
    watch: &Watch,
) -> Result<(Response, ReadableStream)> {
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
    Ok((response, body))
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name).ok().flatten()
}

fn is_encoded(response: &Response) -> bool {
    header(response, "content-encoding").is_some_and(|encoding| encoding != "identity")
}

fn length_of(response: &Response) -> Total {
    let length = header(response, "content-length").and_then(|length| length.parse().ok());
    match length {
        Some(length) if !is_encoded(response) && is_same_site(response) => Total::Exact(length),
        Some(length) if !is_encoded(response) => Total::Claimed(length),
        _ => Total::Unknown,
    }
}

/// Another site's answer hides its `content-encoding`.
fn is_same_site(response: &Response) -> bool {
    Reflect::get(response, &"type".into()).is_ok_and(|kind| kind == "basic")
}

// ---- which state of a file ----

/// A file on a server, and which state of it: None where there was none.
#[derive(Clone)]
pub struct Origin {
    pub address: String,
    pub identity: Option<String>,
}

/// What tells this state of a file from another: the server's `etag`, or when it changed last and how long it is.
/// Without either nothing does, short of reading the file.
fn identity_of(response: &Response) -> Option<String> {
    match (header(response, "etag"), header(response, "last-modified")) {
        (Some(etag), _) => Some(format!("etag {}", etag.trim_start_matches("W/"))),
        (None, Some(time)) => {
            let length = header(response, "content-length").filter(|_| !is_encoded(response));
            Some(format!("{time}, {} bytes", length.as_deref().unwrap_or("unknown")))
        }
        (None, None) => None,
    }
}

/// Whether a part belongs to the state of the file whose identity is this. A part's length says nothing.
fn is_same_state(identity: &Option<String>, part: &Response) -> bool {
    let time = |identity: &str| identity.rsplit_once(", ").map(|(time, _)| time.to_string());
    match (identity, identity_of(part)) {
        (Some(whole), Some(part)) if !whole.starts_with("etag ") => time(whole) == time(&part),
        (whole, part) => *whole == part,
    }
}

/// Whether all these files are as they were, as far as their servers can be asked: what cannot be reached before
/// `patience` ends is taken to be unchanged. They are asked at the next turn of the event loop, whoever waits for this.
pub fn are_unchanged(
    origins: &[Origin],
    watch: &Watch,
    patience: &Promise,
) -> impl Future<Output = bool> + use<> {
    let answers: Array = origins
        .iter()
        .map(|origin| {
            let (origin, signal) = (origin.clone(), watch.signal.clone());
            future_to_promise(async move { Ok(is_unchanged(&origin, signal.as_ref()).await.into()) })
        })
        .collect();
    let all = Promise::race(&Array::of2(&Promise::all(&answers), patience));
    async {
        match JsFuture::from(all).await {
            Ok(answers) if answers.is_array() => {
                Array::from(&answers).iter().all(|answer| answer.is_truthy())
            }
            _ => true,
        }
    }
}

async fn is_unchanged(origin: &Origin, signal: Option<&AbortSignal>) -> bool {
    for method in ["HEAD", "GET"] {
        let init = RequestInit::new();
        init.set_method(method);
        init.set_signal(signal);
        set_cache(&init, "no-store");
        let Ok(answer) = JsFuture::from(fetch(&origin.address, &init)).await else { return true };
        let response: Response = answer.unchecked_into();
        if let Some(body) = response.body() {
            let _ = JsFuture::from(body.cancel()).await;
        }
        match response.status() {
            200 => return identity_of(&response) == origin.identity,
            404 | 410 => return origin.identity.is_none(),
            429 | 500.. => return true,
            _ => {} // some servers refuse HEAD
        }
    }
    false
}

pub fn message_of(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => error.message().into(),
        None => format!("{error:?}"),
    }
}
