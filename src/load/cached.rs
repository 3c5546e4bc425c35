//! The saved copy of a model in the browser's storage: reading it, and writing it after a download.

use bytemuck::Pod;
use js_sys::{Array, Object, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::context::{LoadContext, error_of, message_of};
use super::files::{CachedFile, Files, Freshness, Origin};
use super::store::{CheckpointReader, CheckpointWriter, Disk, Restored};
use crate::error::{Error, Result};
use crate::kernel::WeightFormat;

/// The copy that an earlier visit saved, unless it is out of date or damaged.
pub(super) async fn restore(
    files: &Files,
    format: WeightFormat,
    context: &LoadContext,
) -> Result<Option<Restored>> {
    let Some(file) = files.may_be_kept().then(|| files.copy()).flatten() else { return Ok(None) };
    let mut open = OpenFile { file, outcome: "used" };
    let name = weights_name(files);
    // The servers answer while the copy is read, because it is rarely out of date.
    let freshness = files.is_current(&open.file.origins());
    let _ = JsFuture::from(open.file.pause()).await;
    context.check(&name)?;
    let read = read_copy(&open.file, files, format, context).await;
    let freshness = JsFuture::from(freshness).await.map_err(|error| error_of(&error))?;
    let freshness: Freshness = freshness.unchecked_into();
    context.check(&name)?;
    match read {
        Ok(mut restored) if freshness.state() != "changed" => {
            if restored.tokenizer.is_none() {
                let reason = match files.tokenizer().is_empty() {
                    true => "there was none when the model was saved",
                    false => "its server had none when the model was saved",
                };
                restored.checkpoint.report.no_tokenizer(reason);
            }
            if let Some(reason) = freshness.reason() {
                let config = files.config().first().map_or(name, |file| file.name());
                restored.checkpoint.report.unverified_copy(&config, &reason);
            }
            return Ok(Some(restored));
        }
        Err(error @ (Error::Memory(_) | Error::Abort(_))) => return Err(error),
        _ => open.outcome = "discarded", // it is out of date or damaged
    }
    Ok(None)
}

/// The name of the first file of weights, for messages.
fn weights_name(files: &Files) -> String {
    let first = files.weights().into_iter().next();
    let file = first.and_then(|place| place.index().or_else(|| place.files()?.into_iter().next()));
    file.map(|file| file.name()).or_else(|| files.stored()).unwrap_or_default()
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
    let (name, length) = (weights_name(files), file.length() as u64);
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

/// A checkpoint that is to be saved.
pub struct PendingSave {
    writer: CheckpointWriter,
    origins: Vec<Origin>,
}

impl PendingSave {
    pub(super) fn new(writer: CheckpointWriter, origins: Vec<Origin>) -> PendingSave {
        PendingSave { writer, origins }
    }

    /// The length of the copy in bytes.
    pub fn length(&self) -> u64 {
        self.writer.length()
    }

    /// Writes up to 4 MB; false when nothing was left.
    ///
    /// # Errors
    /// [`Error::Input`] when the file cannot be written.
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
