//! The formats in which weights are kept in memory, and the axes in which checkpoints store them.

use super::packed::Packed;
use crate::error::{Error, Result};
use crate::kernel::simd::format::PanelFormat;

/// How weight matrices are kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightFormat {
    /// As a tensor, multiplied by candle: for training, and natively, where candle's product is the
    /// fastest.
    Plain,
    /// f32 in panels (`packed.rs`).
    F32,
    /// 16 bits in panels: rounded to 11 significant bits.
    F16,
    /// 8 bits in panels, scaled in blocks of 64; activations are rounded to 7 bits in such blocks
    /// for each product.
    Q8,
    /// 4 bits in panels, scaled in blocks of 32; activations as for [`WeightFormat::Q8`].
    /// Embeddings get 8 bits, because rounding them changes every logit.
    Q4,
}

impl WeightFormat {
    /// The format with this name in the JavaScript API.
    ///
    /// # Errors
    /// [`Error::Input`] if there is none.
    pub fn named(name: &str) -> Result<WeightFormat> {
        match name {
            "f32" => Ok(WeightFormat::default()),
            "f16" => Ok(WeightFormat::F16),
            "q8" => Ok(WeightFormat::Q8),
            "q4" => Ok(WeightFormat::Q4),
            _ => Err(Error::Input(format!(
                "`dtype` is \"{name}\", expected \"f32\", \"f16\", \"q8\" or \"q4\""
            ))),
        }
    }

    /// The name in the JavaScript API.
    pub fn name(self) -> &'static str {
        self.panels(Axes::InOut).map_or("f32", PanelFormat::name)
    }

    /// The bytes of a matrix that the checkpoint stores with this shape and these axes.
    pub fn bytes(self, shape: [usize; 2], axes: Axes) -> u64 {
        let [inner, columns] = axes.in_out(shape);
        match self.panels(axes) {
            None => 4 * inner as u64 * columns as u64,
            Some(format) => Packed::length(format, inner, columns),
        }
    }

    /// The format of the panels of a matrix with these axes. None if it has no panels.
    pub(super) fn panels(self, axes: Axes) -> Option<PanelFormat> {
        match (self, axes) {
            (WeightFormat::Plain, _) => None,
            (WeightFormat::F32, _) => Some(PanelFormat::F32),
            (WeightFormat::F16, _) => Some(PanelFormat::F16),
            (WeightFormat::Q8, _) | (WeightFormat::Q4, Axes::OutIn) => Some(PanelFormat::Q8),
            (WeightFormat::Q4, Axes::InOut) => Some(PanelFormat::Q4),
        }
    }
}

impl Default for WeightFormat {
    /// The fastest lossless format of this target.
    fn default() -> WeightFormat {
        if cfg!(target_arch = "wasm32") { WeightFormat::F32 } else { WeightFormat::Plain }
    }
}

/// The order of axes in a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axes {
    /// `[in, out]`, the order of a `Conv1D`.
    InOut,
    /// `[out, in]`, the order of embeddings.
    OutIn,
}

impl Axes {
    /// The axes of the transposed matrix.
    pub(super) fn transposed(self) -> Axes {
        match self {
            Axes::InOut => Axes::OutIn,
            Axes::OutIn => Axes::InOut,
        }
    }

    /// `[in, out]` of a matrix that the checkpoint stores with this shape.
    pub(super) fn in_out(self, [first, second]: [usize; 2]) -> [usize; 2] {
        match self {
            Axes::InOut => [first, second],
            Axes::OutIn => [second, first],
        }
    }
}
