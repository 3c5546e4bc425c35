//! PyTorch files: a zip archive, or the older sequence of pickles, to the tensors of a state dict.

mod archive;
mod config;
mod legacy;
mod state;
mod tensor;

pub(super) use archive::open as open_archive;
pub(super) use legacy::open as open_legacy;
