//! How bytes become tensors: the files of a checkpoint, recognized, parsed and checked.
//!
//! ```text
//! a file ── format: which tensors it holds ──┐
//! config.json ─── json ── settings ──────────┤   family: whose names, layouts and defaults these are
//!                                            ▼
//!                                          plan: Config, and where each parameter comes from
//!                                            │
//!      the bytes of each tensor ── assembler ┴─ tensor_reader ── layout, dtype ──► Weights
//! ```
//!
//! [`Config`] has the sizes. `shapes` derives the name and shape of every parameter from it. A family recognizes the
//! tensors of a file; the plan says which parameter each of them makes, and how. The assembler passes the bytes of each
//! tensor to a `tensor_reader`, which converts them to f32 or to the format of a matrix. What a file holds beyond that
//! goes into a [`Report`] or is an error (`role`).
//!
//! [`WeightsReader`] takes safetensors in pieces of any size, from one or several files that an [`Index`] may list.
//! [`TensorFile`] and the archives of `format` read files of every format with random access.
//!
//! A file in this folder imports only from files above it in this list: `pickle`, `json` and `magic`, `architecture`,
//! `stored`, `report`, `tokenizer_json`, `config`, `config_file`, `shapes`, `layout`, `family`, `role`, `settings`,
//! `index`, `header`, `format`, `dtype`, `range`, `weights`, `plan`, `tensor_reader`, `assembler`, `reader`, `whole`.

mod architecture;
mod assembler;
mod config;
mod config_file;
mod dtype;
mod family;
mod format;
mod header;
mod index;
pub(crate) mod json;
mod layout;
mod magic;
pub(crate) mod pickle;
mod plan;
mod range;
mod reader;
mod report;
mod role;
mod settings;
mod shapes;
mod stored;
mod tensor_reader;
pub(crate) mod tokenizer_json;
mod weights;
mod whole;

pub use architecture::{Normalization, PositionEmbedding};
#[cfg(target_arch = "wasm32")]
pub(crate) use assembler::Assembler;
pub use config::Config;
#[cfg(target_arch = "wasm32")]
pub(crate) use format::{Archive, unsupported_name};
pub use format::{TensorBytes, TensorFile};
pub use index::Index;
#[cfg(target_arch = "wasm32")]
pub(crate) use magic::is_archive;
pub(crate) use magic::recognize;
#[cfg(target_arch = "wasm32")]
pub(crate) use plan::plan;
pub use reader::WeightsReader;
pub use report::{Notice, NoticeKind, Report};
pub use shapes::expected_shapes;
pub(crate) use shapes::{HEAD, HEAD_BIAS, matrix_axes};
#[cfg(target_arch = "wasm32")]
pub(crate) use stored::RandomAccess;
pub(crate) use weights::reserve;
pub use weights::{Weights, bytes_needed};
pub use whole::{Checkpoint, read_checkpoint};
