//! The storage formats of weight panels and of the packed rows that they are multiplied with, and
//! their sizes.
//!
//! Compiled like `tile_f32.rs`, with the same restrictions; the main module uses the sizes too.

use super::tile_f32::WIDTH;
use super::tile_i8::{self, BLOCK_TAIL, ROW_TAIL, STEP, STEP_BYTES};

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

    /// Rows of a full tile, limited by the number of vector registers (`tile_f32.rs`,
    /// `tile_i8.rs`).
    pub const fn rows(self) -> usize {
        if self.is_quantized() { tile_i8::ROWS } else { super::tile_f32::ROWS }
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

    /// Bytes of the first `steps` of one packed row of the left factor.
    pub const fn row_bytes(self, steps: usize) -> usize {
        match self {
            PanelFormat::F32 | PanelFormat::F16 => steps * 4,
            PanelFormat::Q8 | PanelFormat::Q4 => {
                steps * STEP + steps.div_ceil(self.block_steps()) * ROW_TAIL
            }
        }
    }

    /// Steps of a cache block. In f32: 16 kB of a panel, 12 kB of a tile's rows, 504 kB of a
    /// group's rows; in int8: 9, 3 and 290 kB.
    pub const fn depth(self) -> usize {
        if self.is_quantized() { 256 } else { 512 }
    }
}
