//! How the numbers of a weight matrix are stored in panels, and of its left-hand rows in tiles.
//!
//! Compiled like `inner.rs`, by the same rules; the crate needs the sizes too.

use super::inner::WIDTH;
use super::quantized::{self, BLOCK_TAIL, ROW_TAIL, STEP, STEP_BYTES};

/// How the numbers of a panel are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Form {
    F32,
    F16,
    /// Blocks of 64 numbers in 8 bits.
    Q8,
    /// Blocks of 32 numbers in 4 bits. Two steps lie in one: the lower halves of the bytes, then the upper ones.
    Q4,
}

impl Form {
    /// As JavaScript spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Form::F32 => "f32",
            Form::F16 => "f16",
            Form::Q8 => "q8",
            Form::Q4 => "q4",
        }
    }

    pub const fn is_quantized(self) -> bool {
        matches!(self, Form::Q8 | Form::Q4)
    }

    /// Rows of a full tile: as many as registers have room for (`inner.rs`, `quantized.rs`).
    pub const fn rows(self) -> usize {
        if self.is_quantized() { quantized::ROWS } else { super::inner::ROWS }
    }

    /// Steps in a block.
    pub const fn block_steps(self) -> usize {
        match self {
            Form::Q4 => 32 / STEP,
            _ => 64 / STEP,
        }
    }

    /// What `inner` numbers are counted in: numbers (f32, f16), or the steps that they fill; those of `Q4` come in pairs.
    pub const fn steps(self, inner: usize) -> usize {
        match self {
            Form::F32 | Form::F16 => inner,
            Form::Q8 => inner.div_ceil(STEP),
            Form::Q4 => inner.div_ceil(STEP).next_multiple_of(2),
        }
    }

    /// Bytes of the first `steps` of a panel.
    pub const fn panel_bytes(self, steps: usize) -> usize {
        match self {
            Form::F32 => steps * WIDTH * 4,
            Form::F16 => steps * WIDTH * 2,
            Form::Q8 => steps * STEP_BYTES + steps.div_ceil(self.block_steps()) * BLOCK_TAIL,
            Form::Q4 => steps * STEP_BYTES / 2 + steps.div_ceil(self.block_steps()) * BLOCK_TAIL,
        }
    }

    /// Bytes of the same part of one row of the left-hand matrix.
    pub const fn row_bytes(self, steps: usize) -> usize {
        match self {
            Form::F32 | Form::F16 => steps * 4,
            Form::Q8 | Form::Q4 => steps * STEP + steps.div_ceil(self.block_steps()) * ROW_TAIL,
        }
    }

    /// Steps in one depth. With f32 16 kB of a panel, 12 kB of a tile's rows, 504 kB of a group's; with 8 bits 9 kB, 3 kB
    /// and 290 kB.
    pub const fn depth(self) -> usize {
        if self.is_quantized() { 256 } else { 512 }
    }
}
