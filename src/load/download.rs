//! The download of one file: its bytes from JavaScript into the weights, and its progress.
//!
//! `www/worker/network/` has the requests, timeouts, retries and validators. This module decides which bytes of a file
//! are requested. A file is streamed. If parts of a weights file are not needed and the server supports range requests,
//! the rest is requested in ranges, several at once. If a response is not exactly the requested range, the download
//! continues as a stream.
//!
//! A file that is needed whole is one stream. With range requests, 500 MB from the same machine took 3.3 s instead of
//! 1.6 s (November 2026), with one in flight or with eight: each costs a round trip and a buffer. Over a real
//! network the link is the limit, and range requests to one host share a connection with HTTP/2 or 3.

use std::collections::VecDeque;
use std::ops::Range;

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::context::{LoadContext, REPORT_EVERY, error_of};
use super::files::File;
use super::random_access::{BlobFile, WeightsFile};
use crate::checkpoint::WeightsReader;
use crate::error::{Error, Result};

#[wasm_bindgen]
extern "C" {
    /// A `Download` of `www/worker/network/download.ts`.
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
    /// The promise of the first bytes, at most this many.
    #[wasm_bindgen(method)]
    fn peek(this: &Body, count: f64) -> Promise;
    /// The promise of the number of bytes that were added to `collected`, or of undefined at the end.
    #[wasm_bindgen(method)]
    fn collect(this: &Body) -> Promise;
    #[wasm_bindgen(method, getter)]
    fn collected(this: &Body) -> BlobFile;
    #[wasm_bindgen(method, getter, js_name = isLocal)]
    fn is_local(this: &Body) -> bool;
    #[wasm_bindgen(method)]
    fn pause(this: &Body);
    #[wasm_bindgen(method)]
    fn close(this: &Body);
}

/// The largest piece that is copied into wasm memory at once.
const MAX_PIECE: usize = 1 << 20;

/// A file that is being downloaded.
pub(super) struct Download<'c> {
    stage: &'static str,
    name: String,
    body: Body,
    total: Total,
    loaded: u64,
    reported: u64,
    context: &'c LoadContext,
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
    /// `content-length` of another origin, which may count compressed bytes.
    Claimed(u64),
    Exact(u64),
}

/// The answer to a request for a file.
pub(super) enum Opened<'c> {
    File(Download<'c>),
    /// The server does not have the file, for this reason.
    Absent(String),
}

impl<'c> Opened<'c> {
    /// # Errors
    /// [`Error::Network`] when the file is absent.
    pub fn required(self) -> Result<Download<'c>> {
        match self {
            Opened::File(download) => Ok(download),
            Opened::Absent(reason) => Err(Error::Network(reason)),
        }
    }
}

impl<'c> Download<'c> {
    /// # Errors
    /// [`Error::Network`], [`Error::Abort`]; [`Error::Input`] when a blob cannot be read.
    pub async fn open(
        stage: &'static str,
        file: &File,
        context: &'c LoadContext,
    ) -> Result<Opened<'c>> {
        let name = file.name();
        context.check(&name)?;
        let body: Body = context.resolve(file.open()).await?;
        context.check(&name)?;
        if let Some(reason) = body.absent() {
            return Ok(Opened::Absent(reason));
        }
        let total = match (body.length(), body.claimed_length()) {
            (Some(length), _) => Total::Exact(length as u64),
            (None, Some(length)) => Total::Claimed(length as u64),
            (None, None) => Total::Unknown,
        };
        let download = Download { stage, name, body, total, loaded: 0, reported: 0, context };
        Ok(Opened::File(download))
    }

    /// The validator of the file (`ETag`, or `Last-Modified` and length), if the server sends one.
    pub fn identity(&self) -> Option<String> {
        self.body.identity()
    }

    /// The length, if it is reliable.
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
        self.report();
        let mut bytes = Vec::new();
        let mut buffer = Vec::new();
        while let Some(chunk) = self.next_chunk().await? {
            copy_in_pieces(&chunk, &mut buffer, |piece| {
                bytes.extend_from_slice(piece);
                Ok(())
            })?;
            self.count(chunk.length());
        }
        self.finish();
        Ok(bytes)
    }

    /// The first bytes of the file, at most `count`. They are read again later.
    ///
    /// # Errors
    /// As [`Download::open`].
    pub async fn peek(&self, count: usize) -> Result<Vec<u8>> {
        let bytes: Uint8Array = self.context.resolve(self.body.peek(count as f64)).await?;
        Ok(bytes.to_vec())
    }

    /// The whole file with random access, outside of wasm memory. One from a server is downloaded for it.
    ///
    /// # Errors
    /// As [`Download::open`].
    pub async fn whole(mut self) -> Result<WeightsFile<'c>> {
        if !self.body.is_local() {
            self.stage = "download";
            self.report();
            loop {
                let count: JsValue = self.context.resolve(self.body.collect()).await?;
                self.context.check(&self.name)?;
                let Some(count) = count.as_f64() else { break };
                self.count(count as u32);
            }
            self.finish();
        }
        let (name, blob, context) = (self.name.clone(), self.body.collected(), self.context);
        Ok(WeightsFile { name, blob, context })
    }

    /// Reads a weights file into `reader`.
    ///
    /// # Errors
    /// As [`Download::open`], and what is wrong with the file.
    pub async fn stream_into(mut self, reader: &mut WeightsReader) -> Result<()> {
        self.report();
        let mut buffer = Vec::new();
        let mut is_planned = false;
        while let Some(chunk) = self.next_chunk().await? {
            copy_in_pieces(&chunk, &mut buffer, |piece| reader.push(piece))?;
            self.count(chunk.length());
            if is_planned {
                continue;
            }
            let Some((end, needed)) = reader.needed() else { continue };
            is_planned = true;
            self.body.confirm_length(end as f64);
            if self.can_skip(end)
                && let Some(ranges) = ranges(reader.position(), end, needed)
            {
                return self.stream_ranges_into(end, ranges, reader).await;
            }
        }
        self.finish();
        Ok(())
    }

    /// Whether ranges of the file can be requested. Its length must be the one that its header gives, because ranges of a
    /// compressed body would be other bytes.
    fn can_skip(&self, end: u64) -> bool {
        self.body.answers_ranges() && self.body.length() == Some(end as f64)
    }

    /// Requests the ranges in order, several at once. If a response is not the requested range, streams the rest of the
    /// file.
    async fn stream_ranges_into(
        mut self,
        end: u64,
        ranges: Vec<Range<u64>>,
        reader: &mut WeightsReader,
    ) -> Result<()> {
        self.body.pause();
        let mut ranges = ranges.into_iter();
        let mut in_flight = VecDeque::new();
        let mut buffer = Vec::new();
        loop {
            while in_flight.len() < MAX_IN_FLIGHT
                && let Some(range) = ranges.next()
            {
                let response =
                    JsFuture::from(self.body.range(range.start as f64, range.end as f64));
                in_flight.push_back((range.clone(), response));
            }
            let Some((range, response)) = in_flight.pop_front() else { break };
            let response = response.await.map_err(|error| error_of(&error))?;
            self.context.check(&self.name)?;
            if response.is_undefined() {
                return self.resume_into(reader).await;
            }
            reader.skip_to(range.start)?;
            let bytes: Uint8Array = response.unchecked_into();
            copy_in_pieces(&bytes, &mut buffer, |piece| reader.push(piece))?;
            self.loaded = range.start;
            self.count(bytes.length());
        }
        reader.skip_to(end)?;
        self.loaded = end;
        self.finish();
        Ok(())
    }

    /// Streams the file from the position of `reader` on.
    async fn resume_into(mut self, reader: &mut WeightsReader) -> Result<()> {
        self.body.restart_at(reader.position() as f64);
        self.loaded = reader.position();
        let mut buffer = Vec::new();
        while let Some(chunk) = self.next_chunk().await? {
            copy_in_pieces(&chunk, &mut buffer, |piece| reader.push(piece))?;
            self.count(chunk.length());
        }
        self.finish();
        Ok(())
    }

    async fn next_chunk(&self) -> Result<Option<Uint8Array>> {
        let chunk: JsValue = self.context.resolve(self.body.read()).await?;
        self.context.check(&self.name)?;
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
        self.context.report(self.stage, &self.name, self.loaded, total);
    }
}

/// Copies `chunk` into wasm memory in pieces of at most [`MAX_PIECE`] bytes and passes each to `take`.
fn copy_in_pieces(
    chunk: &Uint8Array,
    buffer: &mut Vec<u8>,
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let longest = chunk.length().min(MAX_PIECE as u32) as usize;
    if buffer.len() < longest {
        *buffer = vec![0; longest];
    }
    for start in (0..chunk.length()).step_by(MAX_PIECE) {
        let piece = chunk.subarray(start, chunk.length().min(start + MAX_PIECE as u32));
        let room = &mut buffer[..piece.length() as usize];
        piece.copy_to(room);
        take(room)?;
    }
    Ok(())
}

/// How many range requests are in flight: while one response is copied, the next ones arrive.
const MAX_IN_FLIGHT: usize = 4;
/// The largest range. With those in flight, 16 MB wait outside of wasm memory.
const MAX_RANGE: u64 = 4 << 20;
/// The smallest gap that is skipped. A request costs about as much time as these bytes, at 100 Mbit/s and a round trip
/// of 80 ms.
const MIN_GAP: u64 = 1 << 20;

/// The ranges to request of a file that was read up to `position`, in order; None if too few bytes can be skipped.
fn ranges(position: u64, end: u64, needed: Vec<Range<u64>>) -> Option<Vec<Range<u64>>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    let mut last = position;
    let mut skipped = 0;
    for range in needed {
        let gap = range.start - last;
        match runs.last_mut() {
            Some(run) if gap < MIN_GAP => run.end = range.end,
            _ => {
                skipped += gap;
                runs.push(range.clone());
            }
        }
        last = range.end;
    }
    skipped += end - last;
    let ranges = runs.into_iter().flat_map(|run| {
        let starts = run.clone().step_by(MAX_RANGE as usize);
        starts.map(move |start| start..run.end.min(start + MAX_RANGE))
    });
    (skipped >= MIN_GAP).then(|| ranges.collect())
}
