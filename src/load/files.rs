//! The files of a model as JavaScript passes them: those to download, and a saved copy in the browser's storage.

use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// A `RemoteFile` of `www/worker/network.ts`.
    #[derive(Clone)]
    pub type File;
    #[wasm_bindgen(method, getter)]
    pub(super) fn name(this: &File) -> String;
    #[wasm_bindgen(method, getter)]
    pub(super) fn address(this: &File) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn optional(this: &File) -> Option<bool>;
    /// The promise of a `Download`.
    #[wasm_bindgen(method)]
    pub(super) fn open(this: &File) -> Promise;

    /// A place where the weights may be: either files or an index.
    pub(super) type WeightFiles;
    /// One file, or several in this order.
    #[wasm_bindgen(method, getter)]
    pub(super) fn files(this: &WeightFiles) -> Option<Vec<File>>;
    /// A list of the files that the weights are in.
    #[wasm_bindgen(method, getter)]
    pub(super) fn index(this: &WeightFiles) -> Option<File>;

    /// The files of a model: `OpenableFiles` of `www/worker/network.ts`, with what `www/worker/load.ts` adds for saved
    /// copies. For each part, the places where it may be, in the order in which they are tried.
    #[derive(Clone)]
    pub type Files;
    /// For people.
    #[wasm_bindgen(method, getter)]
    pub(super) fn name(this: &Files) -> String;
    #[wasm_bindgen(method, getter)]
    pub(super) fn config(this: &Files) -> Vec<File>;
    /// Sets of files that make a tokenizer together, as arrays of [`File`].
    #[wasm_bindgen(method, getter)]
    pub(super) fn tokenizer(this: &Files) -> Vec<Array>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn weights(this: &Files) -> Vec<WeightFiles>;
    /// Files whose presence says what a folder without weights is.
    #[wasm_bindgen(method, getter)]
    pub(super) fn markers(this: &Files) -> Vec<File>;
    /// Paths of files that are no part of the model.
    #[wasm_bindgen(method, getter)]
    pub(super) fn ignored(this: &Files) -> Vec<String>;
    /// The fields that replace those of `config.json`, as JSON.
    #[wasm_bindgen(method, getter)]
    pub(super) fn overrides(this: &Files) -> Option<String>;
    /// The name of the stored copy that is opened, if the model has no other files.
    #[wasm_bindgen(method, getter)]
    pub(super) fn stored(this: &Files) -> Option<String>;
    /// A file that the index lists.
    #[wasm_bindgen(method, catch)]
    pub(super) fn shard(
        this: &Files,
        index: &File,
        name: &str,
    ) -> std::result::Result<File, JsValue>;
    /// Whether a saved copy may be read and written. If not, the methods below are not called.
    #[wasm_bindgen(method, getter, js_name = mayBeKept)]
    pub(super) fn may_be_kept(this: &Files) -> bool;
    /// The copy that an earlier visit saved; undefined at the second call.
    #[wasm_bindgen(method)]
    pub(super) fn copy(this: &Files) -> Option<CachedFile>;
    /// The promise of a [`Freshness`]. The requests are sent even if it is not awaited.
    #[wasm_bindgen(method, js_name = isCurrent)]
    pub(super) fn is_current(this: &Files, origins: &Array) -> Promise;

    /// `Freshness` of `www/worker/network/revalidation.ts`.
    pub(super) type Freshness;
    /// `"same"`, `"changed"` or `"unverified"`.
    #[wasm_bindgen(method, getter)]
    pub(super) fn state(this: &Freshness) -> String;
    /// Why a server could not be asked.
    #[wasm_bindgen(method, getter)]
    pub(super) fn reason(this: &Freshness) -> Option<String>;

    /// An open file in the browser's storage: `CachedFile` of `www/worker/cached-file.ts`. The checkpoint begins at `start`.
    pub type CachedFile;
    #[wasm_bindgen(method, getter)]
    pub(super) fn start(this: &CachedFile) -> f64;
    #[wasm_bindgen(method, getter)]
    pub(super) fn length(this: &CachedFile) -> f64;
    /// `[{ address, identity }]`, as [`PendingSave::origins`] gave it.
    #[wasm_bindgen(method, getter)]
    pub(super) fn origins(this: &CachedFile) -> Array;
    /// Reads into a view of wasm memory and returns the number of bytes, as `write` does.
    #[wasm_bindgen(method, catch)]
    pub(super) fn read(
        this: &CachedFile,
        into: &Uint8Array,
        at: f64,
    ) -> std::result::Result<f64, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(super) fn write(
        this: &CachedFile,
        bytes: &[u8],
        at: f64,
    ) -> std::result::Result<f64, JsValue>;
    /// Lets the worker answer other calls.
    #[wasm_bindgen(method)]
    pub(super) fn pause(this: &CachedFile) -> Promise;
    /// `outcome`: "used", or "discarded" if the copy can never be used again.
    #[wasm_bindgen(method)]
    pub(super) fn close(this: &CachedFile, outcome: &str);
}

/// A file on a server. `identity` is its validator, or None if the server did not have the file.
#[derive(Clone)]
pub(super) struct Origin {
    pub address: String,
    pub identity: Option<String>,
}
