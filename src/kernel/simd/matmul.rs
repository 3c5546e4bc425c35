//! A product with a weight matrix, panel by panel.
//!
//! Compiled like `tile_f32.rs`, with the same restrictions. The inner axis is blocked so that a panel's part and a tile's
//! rows stay in the L1 cache; the rows are blocked into groups of tiles that stay in L2.

use super::format::PanelFormat;
use super::tile_f32::{self, STREAMS, Strides, WIDTH};
use super::tile_i8::{self, BLOCK_TAIL, STEP_BYTES, WIDE_TAIL};
use super::vector::{DotProduct, F32x4, I32x4, Vector};

/// The maximum number of rows in a group of tiles.
const GROUP: usize = 264;
/// Bytes of scratch into which a worker widens one block of a panel.
const SCRATCH: usize = PanelFormat::F32.panel_bytes(PanelFormat::F32.depth());

/// `out = a b + bias`.
#[repr(C)]
pub struct Product {
    pub format: PanelFormat,
    pub rows: usize,
    /// The length of the inner axis, in the steps of the format.
    pub steps: usize,
    pub columns: usize,
    /// The packed rows of the left factor: `[block][tile]`, in the layout of `tile_f32.rs` or `tile_i8.rs`.
    pub a: *const u8,
    /// The panels of the right factor, contiguous.
    pub b: *const u8,
    /// The initial values of the sums: `WIDTH` floats for each panel, with a stride of `bias_step` floats.
    pub bias: *const f32,
    pub bias_step: usize,
    /// `[rows, columns]`, with a row stride of `stride` floats.
    pub out: *mut f32,
    pub stride: usize,
    /// `[rows, WIDTH]`: output of the last panel if it has fewer than `WIDTH` columns.
    pub edge: *mut f32,
    pub ones: [i16; 8],
}

impl Product {
    /// Bytes of scratch that one worker needs.
    pub const fn scratch(&self) -> usize {
        let widened = !matches!(self.format, PanelFormat::F32) && self.rows > 1;
        if widened { SCRATCH } else { 0 }
    }
}

/// Multiplies with the panels `first..last`.
///
/// # Safety
/// The job's pointers must be valid for its sizes.
pub unsafe fn panels(job: &Product, first: usize, last: usize, scratch: *mut u8) {
    // SAFETY: the caller guarantees it.
    unsafe { if job.rows == 1 { row(job, first, last) } else { tiles(job, first, last, scratch) } }
}

/// One row, limited by memory bandwidth. It reads the panels in [`STREAMS`] contiguous streams.
unsafe fn row(job: &Product, first: usize, last: usize) {
    let whole = if last * WIDTH > job.columns { last - 1 } else { last };
    let each = (whole - first) / STREAMS;
    let mut panel = first;
    // SAFETY: the output of panels before `whole` lies in `out`, that of a partial panel in `edge`.
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

/// One row and `P` panels with a stride of `distance` panels.
unsafe fn streams<const P: usize>(job: &Product, panel: usize, distance: usize) {
    let size = job.format.panel_bytes(job.steps);
    // SAFETY: as in `row`.
    unsafe {
        let (to, _) = output(job, panel, 0);
        let from = job.bias.add(panel * job.bias_step);
        let b = job.b.add(panel * size);
        let strides = Strides {
            panels: distance * size,
            from: distance * job.bias_step,
            to: distance * WIDTH,
        };
        let factors = factors(job, 1, job.steps, job.a, b);
        match job.format {
            PanelFormat::F32 => {
                tile_f32::row::<P, false>(job.a.cast(), job.steps, b, from, to, strides)
            }
            PanelFormat::F16 => {
                tile_f32::row::<P, true>(job.a.cast(), job.steps, b, from, to, strides)
            }
            PanelFormat::Q8 => tile_i8::row::<P, false>(&factors, from, to, strides),
            PanelFormat::Q4 => tile_i8::row::<P, true>(&factors, from, to, strides),
        }
    }
}

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

unsafe fn tiles(job: &Product, first: usize, last: usize, scratch: *mut u8) {
    let Product { format, rows, steps, .. } = *job;
    let group_rows = rows.div_ceil(rows / (GROUP + 1) + 1).next_multiple_of(format.rows());
    let mut start = 0;
    while start < steps {
        let depth = if steps - start < format.depth() { steps - start } else { format.depth() };
        let mut group = 0;
        while group < rows {
            let end = if group + group_rows < rows { group + group_rows } else { rows };
            let mut panel = first;
            while panel < last {
                // SAFETY: the job's buffers were laid out with these sizes.
                unsafe {
                    let b =
                        job.b.add(panel * format.panel_bytes(steps) + format.panel_bytes(start));
                    let b = widened(format, b, depth, scratch);
                    let mut row = group;
                    while row < end {
                        let height =
                            if end - row < format.rows() { end - row } else { format.rows() };
                        let a = job
                            .a
                            .add(rows * format.row_bytes(start) + row * format.row_bytes(depth));
                        let (to, stride) = output(job, panel, row);
                        let bias = job.bias.add(panel * job.bias_step);
                        let from = if start == 0 { (bias, 0) } else { (to.cast_const(), stride) };
                        if format.is_quantized() {
                            let factors = factors(job, height, depth, a, b);
                            tile_i8::tile(&factors, from.0, from.1, to, stride);
                        } else {
                            let factors = tile_f32::Factors {
                                rows: height,
                                depth,
                                a: a.cast(),
                                b: b.cast(),
                                b_step: WIDTH,
                            };
                            tile_f32::tile(&factors, from.0, from.1, to, stride);
                        }
                        row += format.rows();
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
unsafe fn output(job: &Product, panel: usize, row: usize) -> (*mut f32, usize) {
    // SAFETY: only the last panel can be partial, and its output is `edge`.
    unsafe {
        if (panel + 1) * WIDTH > job.columns {
            (job.edge.add(row * WIDTH), WIDTH)
        } else {
            (job.out.add(row * job.stride + panel * WIDTH), job.stride)
        }
    }
}

/// One block of a panel in the layout that a tile reads: f32, or int8 blocks with f32 scales.
unsafe fn widened(format: PanelFormat, b: *const u8, depth: usize, scratch: *mut u8) -> *const u8 {
    // SAFETY: `scratch` has room for a block in the wider layout.
    unsafe {
        match format {
            PanelFormat::F32 => return b,
            PanelFormat::F16 => widen_halves(b, scratch, depth * WIDTH),
            PanelFormat::Q8 => widen_blocks::<false>(b, depth, scratch),
            PanelFormat::Q4 => widen_blocks::<true>(b, depth, scratch),
        }
    }
    scratch
}

#[inline(always)]
unsafe fn widen_halves(from: *const u8, to: *mut u8, count: usize) {
    let mut i = 0;
    while i < count {
        // SAFETY: as in `widened`.
        unsafe { F32x4::load_halves(from.cast::<u16>().add(i)).store(to.cast::<f32>().add(i)) };
        i += 4;
    }
}

#[inline(always)]
unsafe fn widen_blocks<const NIBBLES: bool>(mut b: *const u8, steps: usize, mut to: *mut u8) {
    let format = if NIBBLES { PanelFormat::Q4 } else { PanelFormat::Q8 };
    let mut left = steps;
    while left > 0 {
        let steps = if left < format.block_steps() { left } else { format.block_steps() };
        let mut step = 0;
        // SAFETY: a block has `panel_bytes` bytes, and `scratch` has room for the wider layout.
        unsafe {
            while step < steps {
                let mut half = 0;
                while half < 2 {
                    let (b, to) = (b.add(16 * half), to.add(16 * half));
                    if NIBBLES {
                        I32x4::widen_nibbles(b, to, STEP_BYTES);
                    } else {
                        F32x4::load(b.cast()).store(to.cast());
                    }
                    half += 1;
                }
                let taken = if NIBBLES { 2 } else { 1 };
                b = b.add(STEP_BYTES);
                to = to.add(taken * STEP_BYTES);
                step += taken;
            }
            widen_halves(b, to, WIDE_TAIL / 4);
            b = b.add(BLOCK_TAIL);
            to = to.add(WIDE_TAIL);
        }
        left -= steps;
    }
}
