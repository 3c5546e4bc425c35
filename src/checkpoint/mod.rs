//! How bytes become tensors: the files of a checkpoint, parsed and checked.
//!
//! ```text
//! config.json ─── json ── config_file ──► Config ──► shapes: the expected tensors
//!                                            │
//! model.safetensors.index.json ── index ─────┤   role: a parameter, or why a tensor is refused
//!                                            ▼
//! model.safetensors, in pieces ── header ─ reader ── tensor_reader ── dtype ──► Weights
//! ```
//!
//! [`Config`] has the sizes. `shapes` derives the name and shape of every tensor from it. [`WeightsReader`] takes the
//! bytes of one or several files in pieces of any size, checks each `header` against those shapes, and passes the bytes
//! of each tensor to a `tensor_reader`, which converts them to f32 or to the format of a matrix. What a file holds
//! beyond that goes into a [`Report`] or is an error.
//!
//! [`TensorFile`] and the archives of `format` read files of every format with random access.
//!
//! A file in this folder imports only from files above it in this list: `pickle`, `json` and `magic`, `architecture`,
//! `stored`, `report`, `tokenizer_json`, `config`, `config_file`, `shapes`, `role`, `index`, `header`, `format`, `dtype`,
//! `range`, `weights`, `tensor_reader`, `reader`.

mod architecture;
mod config;
mod config_file;
mod dtype;
mod format;
mod header;
mod index;
pub(crate) mod json;
mod magic;
pub(crate) mod pickle;
mod range;
mod reader;
mod report;
mod role;
mod shapes;
mod stored;
mod tensor_reader;
pub(crate) mod tokenizer_json;
mod weights;

pub use architecture::{Normalization, PositionEmbedding};
pub use config::Config;
#[expect(unused_imports, reason = "used by the loaders, which follow")]
pub(crate) use format::{Archive, unsupported_name};
pub use format::{TensorBytes, TensorFile};
pub use index::Index;
pub(crate) use magic::recognize;
pub use reader::WeightsReader;
pub use report::{Notice, NoticeKind, Report};
pub use shapes::expected_shapes;
pub(crate) use shapes::matrix_axes;
pub(crate) use weights::reserve;
pub use weights::{Weights, bytes_needed};
