//! How a model's files get into memory: from the network, from blobs, or from the copy that an earlier visit saved.
//!
//! `store` defines the format of a saved checkpoint ([`CheckpointWriter`], [`CheckpointReader`]), `fingerprint` the hash
//! that identifies a loaded model. In a browser, `download` brings one file into memory, and `fetch` loads a model: it
//! reads the saved copy if its server confirms that the copy is current, and downloads the files otherwise.

#[cfg(target_arch = "wasm32")]
mod download;
#[cfg(target_arch = "wasm32")]
mod fetch;
mod fingerprint;
mod store;

#[cfg(target_arch = "wasm32")]
pub use download::LoadContext;
#[cfg(target_arch = "wasm32")]
pub use fetch::{CachedFile, Files, Loaded, PendingSave, load};
pub use fingerprint::Fingerprint;
pub use store::{Checkpoint, CheckpointReader, CheckpointWriter, Disk, Restored};
