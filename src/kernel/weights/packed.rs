//! A weight matrix `[inner, columns]` in panels of eight columns, in one of the formats that
//! `simd/matmul.rs` multiplies with.
//!
//! In: f32 rows or columns, as a checkpoint stores them. Out: the bytes of the panels, and the
//! numbers that they represent.

use std::collections::TryReserveError;
use std::ops::Range;
use std::sync::atomic::AtomicU32;

use half::f16;

use crate::kernel::dispatch::parallel_for;
use crate::kernel::simd::conversion::Conversion;
use crate::kernel::simd::format::PanelFormat;
use crate::kernel::simd::job::Task;
use crate::kernel::simd::tile_f32::WIDTH;
use crate::kernel::simd::tile_i8::{BLOCK_TAIL, STEP, STEP_BYTES};

/// A matrix stored in panels.
#[derive(Debug)]
pub struct Packed {
    format: PanelFormat,
    words: Vec<u32>,
    inner: usize,
    columns: usize,
    clipped: bool,
}

impl Packed {
    /// A matrix of zeros, to be filled.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn zeros(
        format: PanelFormat,
        inner: usize,
        columns: usize,
    ) -> Result<Packed, TryReserveError> {
        let mut packed = Packed { format, words: Vec::new(), inner, columns, clipped: false };
        let len = columns.div_ceil(WIDTH) * packed.panel_bytes() / 4;
        packed.words.try_reserve_exact(len)?;
        // SAFETY: the capacity is at least `len` words, and zero is a valid word. (`resize` writes
        // them one by one in a build that is optimized for size.)
        unsafe {
            packed.words.as_mut_ptr().write_bytes(0, len);
            packed.words.set_len(len);
        }
        Ok(packed)
    }

    /// The matrix with these panels. None if the shape requires another number of words.
    pub fn from_words(
        format: PanelFormat,
        inner: usize,
        columns: usize,
        words: Vec<u32>,
    ) -> Option<Packed> {
        let length = Packed::length(format, inner, columns);
        (words.len() as u64 * 4 == length).then_some(Packed {
            format,
            words,
            inner,
            columns,
            clipped: false,
        })
    }

    /// The bytes of all panels of such a matrix. They may exceed the address space, hence `u64`.
    pub fn length(format: PanelFormat, inner: usize, columns: usize) -> u64 {
        columns.div_ceil(WIDTH) as u64 * format.panel_bytes(format.steps(inner)) as u64
    }

    /// The format of the panels.
    pub fn format(&self) -> PanelFormat {
        self.format
    }

    /// The number of rows.
    pub fn inner(&self) -> usize {
        self.inner
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Whether a scale or a sum of a block was too large for f16.
    pub fn is_clipped(&self) -> bool {
        self.clipped
    }

    /// The length of the inner axis in the steps of the format.
    pub fn steps(&self) -> usize {
        self.format.steps(self.inner)
    }

    /// All panels, one after the other.
    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.words)
    }

    fn panel_bytes(&self) -> usize {
        self.format.panel_bytes(self.steps())
    }

    fn panel(&self, column: usize) -> &[u8] {
        let len = self.panel_bytes();
        &self.bytes()[column / WIDTH * len..][..len]
    }

    /// [`Packed::set_rows`] takes a multiple of this number of rows, except for the last rows,
    /// starting at a multiple of it.
    pub fn rows_at_once(&self) -> usize {
        if self.format.is_quantized() { self.format.block_steps() * STEP } else { 1 }
    }

    /// Sets the rows from `first` on to `values` `[rows, columns]`.
    pub fn set_rows(&mut self, first: usize, values: &[f32]) {
        self.convert(values, first..first + values.len() / self.columns, 0..self.columns, false);
    }

    /// Sets the columns from `first` on to `values` `[columns, inner]`. It takes a multiple of
    /// [`WIDTH`] columns, except for the last columns, starting at a multiple of it.
    pub fn set_columns(&mut self, first: usize, values: &[f32]) {
        self.convert(values, 0..self.inner, first..first + values.len() / self.inner, true);
    }

    /// Sets these rows of these columns to `values`, which have an order of their own.
    fn convert(
        &mut self,
        values: &[f32],
        rows: Range<usize>,
        columns: Range<usize>,
        by_column: bool,
    ) {
        /// About as many multiply-adds take the time of one number.
        const COST: usize = 8;
        let panel_bytes = self.panel_bytes();
        let panels = columns.start / WIDTH..columns.end.div_ceil(WIDTH);
        assert!(rows.end <= self.inner && columns.end <= self.columns);
        assert!(rows.start.is_multiple_of(self.rows_at_once()));
        assert!(columns.start.is_multiple_of(WIDTH) && values.len() == rows.len() * columns.len());
        let out: &mut [u8] = bytemuck::cast_slice_mut(&mut self.words);
        let out = &mut out[panels.start * panel_bytes..panels.end * panel_bytes];
        let clipped = AtomicU32::new(0);
        let task = Task::Conversion(Conversion {
            format: self.format,
            inner: self.inner,
            first: rows.start,
            rows: rows.len(),
            columns: columns.len(),
            by_column,
            x: values.as_ptr(),
            out: out.as_mut_ptr(),
            clipped: &raw const clipped,
        });
        // SAFETY: `values` has as many numbers as rows and columns say, and `out` is the memory of
        // their panels, which this function borrows.
        unsafe { parallel_for(task, panels.len(), 1, COST * values.len()) };
        self.clipped |= clipped.into_inner() != 0;
    }

    /// The bytes in a panel of the block with this row.
    fn block(&self, row: usize) -> Range<usize> {
        if !self.format.is_quantized() {
            return 0..0;
        }
        let start = row / STEP / self.format.block_steps() * self.format.block_steps();
        let end = (start + self.format.block_steps()).min(self.steps());
        self.format.panel_bytes(start)..self.format.panel_bytes(end)
    }

    /// The number that the panel represents.
    fn value(&self, row: usize, column: usize) -> f32 {
        let (panel, lane) = (self.panel(column), column % WIDTH);
        let step = row / STEP % self.format.block_steps();
        let offset = lane * STEP + row % STEP;
        match self.format {
            PanelFormat::F32 => f32::from_le_bytes(get(panel, (row * WIDTH + lane) * 4)),
            PanelFormat::F16 => f16::from_le_bytes(get(panel, (row * WIDTH + lane) * 2)).to_f32(),
            PanelFormat::Q8 | PanelFormat::Q4 => {
                let block = &panel[self.block(row)];
                let scale =
                    f16::from_le_bytes(get(block, block.len() - BLOCK_TAIL + lane * 2)).to_f32();
                if self.format == PanelFormat::Q8 {
                    return f32::from(block[step * STEP_BYTES + offset] as i8) * scale;
                }
                let both = block[step / 2 * STEP_BYTES + offset];
                let nibble = if step % 2 == 1 { both >> 4 } else { both & 15 };
                (f32::from(nibble) - 8.0) * scale
            }
        }
    }

    /// Copies a part of a row to `to`.
    pub fn copy_row(&self, row: usize, columns: Range<usize>, to: &mut [f32]) {
        columns.zip(to).for_each(|(column, to)| *to = self.value(row, column));
    }

    /// Copies a column to `to`.
    pub fn copy_column(&self, column: usize, to: &mut [f32]) {
        to.iter_mut().enumerate().for_each(|(row, to)| *to = self.value(row, column));
    }
}

fn get<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes[at..].first_chunk().expect("a panel is as long as its format says")
}
