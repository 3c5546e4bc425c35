//! Files with stored tensors, whatever their format: which tensors they hold, and the bytes of each.
//!
//! ```text
//! the first bytes ── magic ──► safetensors, torch, flax, npz, gguf: the structure of a file
//!                                            │
//!                                            ▼
//!                       Archive: Contents, and a Place for each tensor
//!                                            │
//!              place: strided, inflate, ggml ▼
//!                       elements in row-major order, little-endian, in pieces
//! ```
//!
//! A format reads the structure of a file and says where each tensor is. [`Archive::read`] hides how it is stored:
//! strides, byte order, compression and quantization. Files are read with random access, so neither a file nor a tensor
//! is in memory as a whole.

mod archive;
mod cursor;
mod flax;
mod ggml;
mod gguf;
mod gguf_tokenizer;
mod inflate;
mod message_pack;
mod npz;
mod open;
mod place;
mod safetensors;
mod source;
mod strided;
mod torch;
mod unsupported;
mod whole;
mod zip;

pub(crate) use archive::Archive;
#[cfg(target_arch = "wasm32")]
pub(crate) use unsupported::unsupported_name;
pub(super) use whole::completed;
pub use whole::{TensorBytes, TensorFile};
