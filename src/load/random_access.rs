//! A file with random access outside of wasm memory: a Blob of the page, or a download in one.

use std::ops::Range;

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::context::{LoadContext, message_of};
use crate::checkpoint::RandomAccess;
use crate::error::{Error, Result};

#[wasm_bindgen]
extern "C" {
    /// `BlobFile` of `www/worker/network/blob-file.ts`.
    pub(super) type BlobFile;
    #[wasm_bindgen(method, getter)]
    fn length(this: &BlobFile) -> f64;
    /// The promise of these bytes.
    #[wasm_bindgen(method)]
    fn read(this: &BlobFile, start: f64, end: f64) -> Promise;
}

/// A file of weights that can be read at any position.
pub(super) struct WeightsFile<'c> {
    pub name: String,
    pub blob: BlobFile,
    pub context: &'c LoadContext,
}

impl WeightsFile<'_> {
    fn unreadable(&self, error: &JsValue) -> Error {
        let (name, reason) = (&self.name, message_of(error));
        Error::Input(format!(
            "{name} cannot be read ({reason}): the file was changed, moved or deleted after it was chosen; choose it again"
        ))
    }
}

impl RandomAccess for WeightsFile<'_> {
    fn length(&self) -> u64 {
        self.blob.length() as u64
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>> {
        self.context.check(&self.name)?;
        let bytes = JsFuture::from(self.blob.read(range.start as f64, range.end as f64)).await;
        let bytes: Uint8Array = bytes.map_err(|error| self.unreadable(&error))?.unchecked_into();
        self.context.check(&self.name)?;
        Ok(bytes.to_vec())
    }
}
