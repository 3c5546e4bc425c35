//! Weight matrices: their formats in memory, their panels, and the conversion from a checkpoint's
//! rows.

mod builder;
mod format;
mod magnitude;
mod matrix;
mod packed;

pub use builder::MatrixBuilder;
pub use format::{Axes, WeightFormat};
pub use magnitude::finite_halves;
pub(crate) use magnitude::largest_magnitude;
pub use matrix::Matrix;
pub(super) use matrix::Storage;
pub(super) use packed::Packed;
