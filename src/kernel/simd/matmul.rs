//! A product with a weight matrix, panel by panel.
//!
//! Compiled like `tile_f32.rs`, with the same restrictions. The inner axis is blocked so that a
//! panel's part and a tile's rows stay in the L1 cache; the rows are blocked into groups of tiles
//! that stay in L2.

use super::format::{PanelFormat, RowLayout};
use super::tile_f32::{self, STREAMS, Strides, WIDTH};
use super::tile_i8::{self, BLOCK_TAIL, STEP_BYTES, Tails, WIDE_STEP_BYTES, WIDE_TAIL};
use super::vector::{BACKEND, F32x4, I32x4, TileProduct, Vector};

/// The maximum number of rows in a group of tiles, before rounding up to whole tiles.
const GROUP: usize = 264;
/// Bytes of scratch memory for what follows the blocks of a panel, widened: the most that a format
/// needs, which is 4 bits.
const TAIL_BYTES: usize = PanelFormat::Q4.depth() / PanelFormat::Q4.block_steps() * WIDE_TAIL;
/// Bytes of scratch memory into which a worker widens one cache block of a panel: the most that a
/// format needs with any instruction set, which is bytes widened to 16 bits.
const SCRATCH_BYTES: usize = TAIL_BYTES + PanelFormat::Q8.depth() * 2 * STEP_BYTES;
/// F16 is widened to as many bytes as F32 has.
const _: () =
    assert!(SCRATCH_BYTES - TAIL_BYTES >= PanelFormat::F32.panel_bytes(PanelFormat::F32.depth()));

/// `out = a b + bias`.
#[repr(C)]
pub struct Product {
    pub format: PanelFormat,
    pub rows: usize,
    /// The length of the inner axis, in the steps of the format.
    pub steps: usize,
    pub columns: usize,
    /// The packed rows of the left factor: `[block][tile]`, in the layout of `tile_f32.rs` or
    /// `tile_i8.rs`. In all `rows * RowLayout::row_bytes(steps)` bytes. Read by all workers.
    pub a: *const u8,
    /// The panels of the right factor, contiguous: `format.panel_bytes(steps)` bytes for each
    /// `WIDTH` columns. Read by all workers.
    pub b: *const u8,
    /// The initial values of the sums: `WIDTH` floats for each panel, with a stride of
    /// `bias_stride` floats. Read by all workers.
    pub bias: *const f32,
    pub bias_stride: usize,
    /// `[rows, columns]`, with a row stride of `stride` floats. A worker writes the columns of its
    /// panels.
    pub out: *mut f32,
    pub stride: usize,
    /// `[rows, WIDTH]`: output of the last panel if it has fewer than `WIDTH` columns, else unused.
    /// Written by the worker that takes that panel.
    pub edge: *mut f32,
    /// Operands of the integer dot products: 1 in each.
    pub ones: [i16; 8],
    /// Whether tiles use the instruction for dot products of bytes (`Backend::RelaxedDot`).
    pub dot_instruction: bool,
}

impl Product {
    /// Bytes of scratch memory that one worker needs.
    pub const fn scratch_bytes(&self) -> usize {
        let widened = !matches!(self.format, PanelFormat::F32) && self.rows > 1;
        if widened { SCRATCH_BYTES } else { 0 }
    }
}

/// Multiplies with the panels `first..last`.
///
/// # Safety
/// The pointers of `job` must be valid for the sizes that its fields name, and `scratch` for reads
/// and writes of [`Product::scratch_bytes`] bytes. No other thread may access `scratch`, or the
/// output of these panels.
pub unsafe fn panels(job: &Product, first: usize, last: usize, scratch: *mut u8) {
    // SAFETY: as for this function.
    unsafe { if job.rows == 1 { row(job, first, last) } else { tiles(job, first, last, scratch) } }
}

/// One row, limited by memory bandwidth. It reads the panels in [`STREAMS`] contiguous streams.
///
/// # Safety
/// As for [`panels`], without the scratch memory.
unsafe fn row(job: &Product, first: usize, last: usize) {
    let whole = if last * WIDTH > job.columns { last - 1 } else { last };
    let each = (whole - first) / STREAMS;
    let mut panel = first;
    // SAFETY: every panel is below `last`: the streams start at `first..first + each` and are
    // `each` panels apart. Panels before `whole` have their output in `out`; a partial panel, which
    // has it in `edge`, is multiplied separately.
    unsafe {
        while panel < first + each {
            streams::<STREAMS>(job, panel, each);
            panel += 1;
        }
        panel = first + each * STREAMS;
        while panel < last {
            streams::<1>(job, panel, 0);
            panel += 1;
        }
    }
}

/// One row and `P` panels with a stride of `stride` panels.
///
/// # Safety
/// As for [`row`]; all of these panels must be among its panels, and only a single one may be
/// partial.
unsafe fn streams<const P: usize>(job: &Product, panel: usize, stride: usize) {
    let size = job.format.panel_bytes(job.steps);
    // SAFETY: as for this function. A panel has `size` bytes, and its outputs are `WIDTH` floats
    // apart.
    unsafe {
        let (out, _) = output(job, panel, 0);
        let initial = job.bias.add(panel * job.bias_stride);
        let b = job.b.add(panel * size);
        let strides = Strides {
            panels: stride * size,
            initial: stride * job.bias_stride,
            out: stride * WIDTH,
            rows: WIDTH * if matches!(job.format, PanelFormat::F16) { 2 } else { 4 },
        };
        let factors = factors(job, 1, job.steps, job.a, b);
        match job.format {
            PanelFormat::F32 => {
                tile_f32::row::<P, false>(job.a.cast(), job.steps, b, initial, out, strides)
            }
            PanelFormat::F16 => {
                tile_f32::row::<P, true>(job.a.cast(), job.steps, b, initial, out, strides)
            }
            PanelFormat::Q8 => tile_i8::row::<P, false>(&factors, initial, out, strides),
            PanelFormat::Q4 => tile_i8::row::<P, true>(&factors, initial, out, strides),
        }
    }
}

/// `rows` rows at `a` and a panel at `b`, for the int8 kernels.
const fn factors(
    job: &Product,
    rows: usize,
    steps: usize,
    a: *const u8,
    b: *const u8,
) -> tile_i8::Factors {
    tile_i8::Factors {
        rows,
        steps,
        block_steps: job.format.block_steps(),
        a,
        b,
        ones: job.ones.as_ptr(),
    }
}

/// Several rows, limited by arithmetic.
///
/// # Safety
/// As for [`panels`].
unsafe fn tiles(job: &Product, first: usize, last: usize, scratch: *mut u8) {
    let Product { format, rows, steps, .. } = *job;
    let layout = RowLayout::new(format, rows, BACKEND);
    let tile_rows = layout.tile_rows;
    let group_rows = rows.div_ceil(rows / (GROUP + 1) + 1).next_multiple_of(tile_rows);
    let mut start = 0;
    while start < steps {
        let depth = if steps - start < format.depth() { steps - start } else { format.depth() };
        let mut group = 0;
        while group < rows {
            let end = if group + group_rows < rows { group + group_rows } else { rows };
            let mut panel = first;
            while panel < last {
                // SAFETY: `a`, `b` and `bias` have the layout that the fields of `Product` name,
                // and the panel, the block from `start` on and the rows from `row` on are inside.
                // `out` and `edge` have the rows; this worker has taken the panel.
                unsafe {
                    let b =
                        job.b.add(panel * format.panel_bytes(steps) + format.panel_bytes(start));
                    let (b, tails) = widened(format, b, depth, scratch);
                    let mut row = group;
                    while row < end {
                        let height = if end - row < tile_rows { end - row } else { tile_rows };
                        let a = job
                            .a
                            .add(rows * layout.row_bytes(start) + row * layout.row_bytes(depth));
                        let (out, stride) = output(job, panel, row);
                        let bias = job.bias.add(panel * job.bias_stride);
                        let initial =
                            if start == 0 { (bias, 0) } else { (out.cast_const(), stride) };
                        if format.is_quantized() {
                            let factors = factors(job, height, depth, a, b);
                            let (from, step) = initial;
                            if I32x4::PARTS == 1 && job.dot_instruction {
                                tile_i8::tile::<true>(&factors, tails, from, step, out, stride);
                            } else {
                                tile_i8::tile::<false>(&factors, tails, from, step, out, stride);
                            }
                        } else {
                            let factors = tile_f32::Factors {
                                rows: height,
                                depth,
                                a: a.cast(),
                                b: b.cast(),
                                b_stride: WIDTH,
                            };
                            tile_f32::tile(&factors, initial.0, initial.1, out, stride);
                        }
                        row += tile_rows;
                    }
                }
                panel += 1;
            }
            group = end;
        }
        start += depth;
    }
}

/// The output of a panel for a row, and the row stride.
///
/// # Safety
/// `panel` and `row` must be inside the product.
unsafe fn output(job: &Product, panel: usize, row: usize) -> (*mut f32, usize) {
    // SAFETY: the caller guarantees that panel and row exist. Only the last panel can be partial,
    // and its output is `edge`.
    unsafe {
        if (panel + 1) * WIDTH > job.columns {
            (job.edge.add(row * WIDTH), WIDTH)
        } else {
            (job.out.add(row * job.stride + panel * WIDTH), job.stride)
        }
    }
}

/// One cache block of a panel in the layout that a tile reads: numbers in f32, or the parts of
/// integers, whose scales and sums are apart in f32. Panels that have that layout are not copied: a
/// copy would have to wait for the memory, which the first tile does not.
///
/// # Safety
/// `b` must be valid for reads of `format.panel_bytes(depth)` bytes, and `scratch` for writes of
/// `SCRATCH_BYTES` bytes, which no other thread may access.
#[inline(always)]
unsafe fn widened(
    format: PanelFormat,
    b: *const u8,
    depth: usize,
    scratch: *mut u8,
) -> (*const u8, Tails) {
    // SAFETY: as for this function; a cache block of any format has at most `TAIL_BYTES` of tails and
    // `SCRATCH_BYTES` in all.
    unsafe {
        let steps = scratch.add(TAIL_BYTES);
        let in_scratch = (steps.cast_const(), Tails { wide: scratch, gap: 0 });
        match format {
            PanelFormat::F32 => (b, in_scratch.1),
            PanelFormat::F16 => {
                widen_halves(b, steps, depth * WIDTH);
                in_scratch
            }
            PanelFormat::Q8 if I32x4::PARTS == 1 => {
                widen_tails(b, depth, scratch);
                (b, Tails { wide: scratch, gap: BLOCK_TAIL })
            }
            PanelFormat::Q8 => {
                widen_blocks::<false>(b, depth, steps, scratch);
                in_scratch
            }
            PanelFormat::Q4 => {
                widen_blocks::<true>(b, depth, steps, scratch);
                in_scratch
            }
        }
    }
}

/// # Safety
/// `from` must be valid for reads of `count` f16 and `to` for writes of `count` f32; `count` must
/// be a multiple of 4.
#[inline(always)]
unsafe fn widen_halves(from: *const u8, to: *mut u8, count: usize) {
    let mut i = 0;
    while i < count {
        // SAFETY: four numbers from `i` on are below `count`.
        unsafe { F32x4::load_halves(from.cast::<u16>().add(i)).store(to.cast::<f32>().add(i)) };
        i += 4;
    }
}

/// Widens the tails of 8-bit blocks.
///
/// # Safety
/// `b` must be valid for reads of the blocks of `steps` steps, and `to` for writes of `WIDE_TAIL`
/// bytes for each block.
#[inline(always)]
unsafe fn widen_tails(mut b: *const u8, steps: usize, mut to: *mut u8) {
    let block_steps = PanelFormat::Q8.block_steps();
    let mut left = steps;
    while left > 0 {
        let steps = if left < block_steps { left } else { block_steps };
        // SAFETY: the caller guarantees the blocks; the tail follows the steps.
        unsafe {
            b = b.add(steps * STEP_BYTES);
            widen_halves(b, to, WIDE_TAIL / 4);
            b = b.add(BLOCK_TAIL);
            to = to.add(WIDE_TAIL);
        }
        left -= steps;
    }
}

/// # Safety
/// `b` must be valid for reads of the blocks of `steps` steps, `to` for writes of their parts, and
/// `tails` for writes of `WIDE_TAIL` bytes for each block.
#[inline(always)]
unsafe fn widen_blocks<const NIBBLES: bool>(
    mut b: *const u8,
    steps: usize,
    mut to: *mut u8,
    mut tails: *mut u8,
) {
    let format = if NIBBLES { PanelFormat::Q4 } else { PanelFormat::Q8 };
    let mut left = steps;
    while left > 0 {
        let steps = if left < format.block_steps() { left } else { format.block_steps() };
        let mut step = 0;
        // SAFETY: the caller guarantees the blocks. Each iteration of the inner loop reads the
        // `STEP_BYTES` of one step (8 bits) or two (4 bits) and writes the parts of as many steps;
        // then follows the tail.
        unsafe {
            while step < steps {
                let mut half = 0;
                while half < 2 {
                    let (b, to) = (b.add(16 * half), to.add(16 * half));
                    if NIBBLES {
                        I32x4::widen_nibbles(b, to, STEP_BYTES);
                    } else {
                        I32x4::widen_bytes(b, to, STEP_BYTES);
                    }
                    half += 1;
                }
                let taken = if NIBBLES { 2 } else { 1 };
                b = b.add(STEP_BYTES);
                to = to.add(taken * WIDE_STEP_BYTES);
                step += taken;
            }
            widen_halves(b, tails, WIDE_TAIL / 4);
            b = b.add(BLOCK_TAIL);
            tails = tails.add(WIDE_TAIL);
        }
        left -= steps;
    }
}
