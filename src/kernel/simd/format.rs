//! The storage formats of weight panels and of the packed rows that they are multiplied with, and
//! their sizes.
//!
//! Compiled like `tile_f32.rs`, with the same restrictions; the main module uses the sizes too.

use super::tile_f32::{self, WIDTH};
use super::tile_i8::{self, BLOCK_TAIL, ROW_TAIL, STEP, STEP_BYTES};
use super::vector::Backend;

/// How the numbers of a panel are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum PanelFormat {
    F32,
    F16,
    /// Blocks of 64 numbers in 8 bits.
    Q8,
    /// Blocks of 32 numbers in 4 bits. A byte holds a number of one step in its low nibble and one
    /// of the next step in its high nibble.
    Q4,
}

impl PanelFormat {
    /// The name in the JavaScript API.
    pub const fn name(self) -> &'static str {
        match self {
            PanelFormat::F32 => "f32",
            PanelFormat::F16 => "f16",
            PanelFormat::Q8 => "q8",
            PanelFormat::Q4 => "q4",
        }
    }

    pub const fn is_quantized(self) -> bool {
        matches!(self, PanelFormat::Q8 | PanelFormat::Q4)
    }

    /// Steps of a block.
    pub const fn block_steps(self) -> usize {
        match self {
            PanelFormat::Q4 => 32 / STEP,
            _ => 64 / STEP,
        }
    }

    /// Steps of an inner axis of `inner` numbers: the numbers themselves (f32, f16), or groups of
    /// four; even for `Q4`.
    pub const fn steps(self, inner: usize) -> usize {
        match self {
            PanelFormat::F32 | PanelFormat::F16 => inner,
            PanelFormat::Q8 => inner.div_ceil(STEP),
            PanelFormat::Q4 => inner.div_ceil(STEP).next_multiple_of(2),
        }
    }

    /// Bytes of the first `steps` of a panel.
    pub const fn panel_bytes(self, steps: usize) -> usize {
        match self {
            PanelFormat::F32 => steps * WIDTH * 4,
            PanelFormat::F16 => steps * WIDTH * 2,
            PanelFormat::Q8 => steps * STEP_BYTES + steps.div_ceil(self.block_steps()) * BLOCK_TAIL,
            PanelFormat::Q4 => {
                steps * STEP_BYTES / 2 + steps.div_ceil(self.block_steps()) * BLOCK_TAIL
            }
        }
    }

    /// Steps of a cache block. In f32: 16 kB of a panel, 10 or 12 kB of a tile's rows, 541 kB of a
    /// group's rows; in bytes: 9, 5 and 304 kB, widened to 16 bits: 17, 9 and 574 kB.
    pub const fn depth(self) -> usize {
        if self.is_quantized() { 256 } else { 512 }
    }
}

/// The layout of the packed rows of a product's left factor. It depends on the format of the right
/// factor's panels, the number of rows and the instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowLayout {
    format: PanelFormat,
    /// Rows of a full tile, limited by the number of vector registers (`tile_f32.rs`,
    /// `tile_i8.rs`).
    pub tile_rows: usize,
    /// Bytes of a row in each step, without what follows a block.
    pub step_bytes: usize,
}

impl RowLayout {
    /// The layout of `rows` rows for the kernels with this instruction set.
    pub const fn new(format: PanelFormat, rows: usize, backend: Backend) -> RowLayout {
        let (tile_rows, step_bytes) = match (format.is_quantized(), rows) {
            (false, _) => (tile_f32::rows(backend), 4),
            (true, 1) => (tile_i8::ROWS, STEP),
            (true, _) => (tile_i8::ROWS, tile_i8::row_step_bytes(backend)),
        };
        RowLayout { format, tile_rows, step_bytes }
    }

    /// Bytes of the first `steps` of one row.
    pub const fn row_bytes(self, steps: usize) -> usize {
        let tails = if self.format.is_quantized() {
            steps.div_ceil(self.format.block_steps()) * ROW_TAIL
        } else {
            0
        };
        steps * self.step_bytes + tails
    }
}
