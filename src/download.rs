//! One file of a load: its bytes from JavaScript into the weights, and its progress.
//!
//! `www/network.js` has the requests, timeouts, retries and validators. This module decides which bytes of a file are
//! asked for: a file is streamed; if a part of a weights file is not needed and the server answers ranges, the rest of it
//! is asked for in pieces, several at once. Any answer to that which is not exactly what was asked for sends the load
//! back to streaming.
//!
//! A file that is needed whole is one stream. In pieces, 500 MB from the same machine took 3.3 s instead of 1.6 s, with
//! one in flight or with eight: each is an answer to wait for and a buffer to fill. Over a real network the link is the
//! limit, and pieces from one host share one connection where it speaks HTTP/2 or 3, as those that serve models do.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ops::Range;

use js_sys::{Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::AbortSignal;

use crate::error::{Error, Result};
use crate::weights::WeightsReader;

#[wasm_bindgen]
extern "C" {
    /// A `RemoteFile` of `www/network.js`.
    #[derive(Clone)]
    pub type File;
    #[wasm_bindgen(method, getter)]
    pub fn name(this: &File) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn address(this: &File) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub fn optional(this: &File) -> Option<bool>;
    /// The promise of a [`Body`].
    #[wasm_bindgen(method)]
    fn open(this: &File) -> Promise;

    /// A `Download` of `www/network.js`.
    type Body;
    #[wasm_bindgen(method, getter)]
    fn absent(this: &Body) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    fn identity(this: &Body) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    fn length(this: &Body) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = claimedLength)]
    fn claimed_length(this: &Body) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = answersRanges)]
    fn answers_ranges(this: &Body) -> bool;
    #[wasm_bindgen(method, js_name = confirmLength)]
    fn confirm_length(this: &Body, length: f64);
    /// The promise of the next bytes, or of undefined at the end.
    #[wasm_bindgen(method)]
    fn read(this: &Body) -> Promise;
    /// The promise of these bytes, or of undefined if the server answered something else.
    #[wasm_bindgen(method)]
    fn range(this: &Body, start: f64, end: f64) -> Promise;
    #[wasm_bindgen(method, js_name = restartAt)]
    fn restart_at(this: &Body, position: f64);
    #[wasm_bindgen(method)]
    fn pause(this: &Body);
    #[wasm_bindgen(method)]
    fn close(this: &Body);
}

/// Who follows a load: a listener for its progress, and a signal that ends it.
#[derive(Default)]
pub struct Watch {
    /// Called with `(stage, file, loaded, total)`, in bytes; `total` is undefined if it is not known.
    pub on_progress: Option<Function>,
    pub signal: Option<AbortSignal>,
    must_restart: Cell<bool>,
}

impl Watch {
    pub fn new(on_progress: Option<Function>, signal: Option<AbortSignal>) -> Watch {
        Watch { on_progress, signal, must_restart: Cell::new(false) }
    }

    /// # Errors
    /// [`Error::Abort`] when the signal fired.
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
        let _ = listener.call4(
            &JsValue::NULL,
            &stage.into(),
            &name.into(),
            &(loaded as f64).into(),
            &total,
        );
    }

    /// Whether the last failure was a body that broke off and cannot be resumed: the file must be read again from its
    /// beginning. `www/network.js` limits how often.
    pub fn take_restart(&self) -> bool {
        self.must_restart.take()
    }

    /// What a promise of `www/network.js` came to.
    async fn settled<T: JsCast>(&self, promise: Promise) -> Result<T> {
        match JsFuture::from(promise).await {
            Ok(value) => Ok(value.unchecked_into()),
            Err(error) => {
                let restart = Reflect::get(&error, &"restart".into());
                self.must_restart.set(restart.is_ok_and(|restart| restart.is_truthy()));
                Err(error_of(&error))
            }
        }
    }
}

/// An error of JavaScript that has one of the stable names; a rejection of the browser itself is the network's.
pub fn error_of(error: &JsValue) -> Error {
    let message = message_of(error);
    match error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.name())).as_deref() {
        Some("AbortError") => Error::Abort(message),
        Some("InputError") => Error::Input(message),
        Some("WeightsError") => Error::Weights(message),
        _ => Error::Network(message),
    }
}

pub fn message_of(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => error.message().into(),
        None => format!("{error:?}"),
    }
}

/// The most bytes that are copied into wasm memory at once.
const PIECE: usize = 1 << 20;
/// A listener hears of progress after this many bytes, and at the end.
const REPORT_EVERY: u64 = 1 << 18;

/// A file on its way.
pub struct Download<'w> {
    stage: &'static str,
    name: String,
    body: Body,
    total: Total,
    loaded: u64,
    reported: u64,
    watch: &'w Watch,
}

impl Drop for Download<'_> {
    fn drop(&mut self) {
        self.body.close();
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

/// A file that was asked for.
pub enum Opened<'w> {
    File(Download<'w>),
    /// The server says that there is none, in these words.
    Absent(String),
}

impl<'w> Opened<'w> {
    /// # Errors
    /// [`Error::Network`] when the file is absent.
    pub fn required(self) -> Result<Download<'w>> {
        match self {
            Opened::File(download) => Ok(download),
            Opened::Absent(reason) => Err(Error::Network(reason)),
        }
    }
}

impl<'w> Download<'w> {
    /// # Errors
    /// [`Error::Network`], [`Error::Abort`]; [`Error::Input`] when a blob cannot be read.
    pub async fn open(stage: &'static str, file: &File, watch: &'w Watch) -> Result<Opened<'w>> {
        let name = file.name();
        watch.check(&name)?;
        let body: Body = watch.settled(file.open()).await?;
        watch.check(&name)?;
        if let Some(reason) = body.absent() {
            return Ok(Opened::Absent(reason));
        }
        let total = match (body.length(), body.claimed_length()) {
            (Some(length), _) => Total::Exact(length as u64),
            (None, Some(length)) => Total::Claimed(length as u64),
            (None, None) => Total::Unknown,
        };
        let download = Download { stage, name, body, total, loaded: 0, reported: 0, watch };
        download.report();
        Ok(Opened::File(download))
    }

    /// The state of the file on its server, if the server names it.
    pub fn identity(&self) -> Option<String> {
        self.body.identity()
    }

    /// The length, if it can be relied on.
    pub fn exact_total(&self) -> Option<u64> {
        match self.total {
            Total::Exact(total) => Some(total),
            Total::Claimed(_) | Total::Unknown => None,
        }
    }

    /// All bytes of a small file.
    ///
    /// # Errors
    /// As [`Download::open`].
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
    ///
    /// # Errors
    /// As [`Download::open`], and what is wrong with the file.
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
            self.body.confirm_length(end as f64);
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
        self.body.answers_ranges() && self.body.length() == Some(end as f64)
    }

    /// Asks for the pieces in order, some ahead, and streams the whole file if an answer is not as it should be.
    async fn pour_pieces(
        mut self,
        end: u64,
        pieces: Vec<Range<u64>>,
        reader: &mut WeightsReader,
    ) -> Result<()> {
        self.body.pause();
        let mut pieces = pieces.into_iter();
        let mut coming = VecDeque::new();
        let mut buffer = Vec::new();
        loop {
            while coming.len() < IN_FLIGHT
                && let Some(range) = pieces.next()
            {
                let answer = JsFuture::from(self.body.range(range.start as f64, range.end as f64));
                coming.push_back((range.clone(), answer));
            }
            let Some((range, answer)) = coming.pop_front() else { break };
            let answer = answer.await.map_err(|error| error_of(&error))?;
            self.watch.check(&self.name)?;
            if answer.is_undefined() {
                return self.pour_rest(reader).await;
            }
            reader.skip_to(range.start)?;
            let bytes: Uint8Array = answer.unchecked_into();
            each_piece(&bytes, &mut buffer, |piece| reader.push(piece))?;
            self.loaded = range.start;
            self.count(bytes.length());
        }
        reader.skip_to(end)?;
        self.loaded = end;
        self.finish();
        Ok(())
    }

    /// Streams what follows the bytes that `reader` has.
    async fn pour_rest(mut self, reader: &mut WeightsReader) -> Result<()> {
        self.body.restart_at(reader.position() as f64);
        self.loaded = reader.position();
        let mut buffer = Vec::new();
        while let Some(chunk) = self.next_chunk().await? {
            each_piece(&chunk, &mut buffer, |piece| reader.push(piece))?;
            self.count(chunk.length());
        }
        self.finish();
        Ok(())
    }

    async fn next_chunk(&self) -> Result<Option<Uint8Array>> {
        let chunk: JsValue = self.watch.settled(self.body.read()).await?;
        self.watch.check(&self.name)?;
        Ok((!chunk.is_undefined()).then(|| chunk.unchecked_into()))
    }

    fn count(&mut self, bytes: u32) {
        self.loaded += u64::from(bytes);
        if let Total::Claimed(total) = self.total
            && self.loaded > total
        {
            self.total = Total::Unknown; // it counted compressed bytes
        }
        if self.loaded.saturating_sub(self.reported) >= REPORT_EVERY {
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
