//! How a model's files get into memory: from the network, from blobs, or from the copy that an earlier visit saved.
//!
//! `store` defines the format of a saved copy ([`CheckpointWriter`], [`CheckpointReader`]), `fingerprint` the hash that
//! identifies a loaded model. The others exist only in a browser. `files` declares the files that JavaScript passes,
//! `download` brings one of them into memory, `random_access` reads one at any position, `small_file` reads small ones whole, `weights` the weights in
//! any format, `fetch` downloads a model, `cached` reads and writes its saved copy, and `model` decides between the two: the copy is read if its servers confirm that it is current.

#[cfg(target_arch = "wasm32")]
mod cached;
#[cfg(target_arch = "wasm32")]
mod context;
#[cfg(target_arch = "wasm32")]
mod download;
#[cfg(target_arch = "wasm32")]
mod fetch;
#[cfg(target_arch = "wasm32")]
mod files;
mod fingerprint;
#[cfg(target_arch = "wasm32")]
mod model;
#[cfg(target_arch = "wasm32")]
mod random_access;
#[cfg(target_arch = "wasm32")]
mod small_file;
mod store;
#[cfg(target_arch = "wasm32")]
mod weights;

#[cfg(target_arch = "wasm32")]
pub use cached::PendingSave;
#[cfg(target_arch = "wasm32")]
pub use context::LoadContext;
#[cfg(target_arch = "wasm32")]
pub use fetch::load_tokenizer;
#[cfg(target_arch = "wasm32")]
pub use files::{CachedFile, File, Files};
pub use fingerprint::Fingerprint;
#[cfg(target_arch = "wasm32")]
pub use model::{Loaded, load};
pub use store::{Checkpoint, CheckpointReader, CheckpointWriter, Disk, Restored};
