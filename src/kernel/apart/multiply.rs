//! A product with a weight matrix, panel by panel.
//!
//! Compiled like `inner.rs`, by the same rules. The inner axis is cut into depths that keep a panel's part and a tile's
//! rows in the first-level cache, the rows into groups of tiles that stay in the second.

use super::form::Form;
use super::inner::{self, Apart, STREAMS, WIDTH};
use super::quantized::{self, BLOCK_TAIL, STEP_BYTES, WIDE_TAIL};
use super::simd::{F32x4, widen_nibbles};

/// The most rows in a group of tiles.
const GROUP: usize = 264;
/// Bytes in which a worker widens one depth of a panel.
const SCRATCH: usize = Form::F32.panel_bytes(Form::F32.depth());

/// `out = a b + bias`.
#[repr(C)]
pub struct Product {
    pub form: Form,
    pub rows: usize,
    /// Along the inner axis, as the form counts it.
    pub steps: usize,
    pub columns: usize,
    /// The left-hand rows: `[depth][tile]`, a tile as `inner.rs` or `quantized.rs` reads it.
    pub a: *const u8,
    /// The right-hand panels, one after the other.
    pub b: *const u8,
    /// What the sums of a panel start from: `WIDTH` floats, those of the next panel `bias_step` further on.
    pub bias: *const f32,
    pub bias_step: usize,
    /// `[rows, columns]`, the rows `stride` apart.
    pub out: *mut f32,
    pub stride: usize,
    /// `[rows, WIDTH]`: where the last panel's columns go when they are fewer than `WIDTH`.
    pub edge: *mut f32,
    pub ones: [i16; 8],
}

impl Product {
    /// Bytes that one worker needs besides.
    pub const fn scratch(&self) -> usize {
        let widened = !matches!(self.form, Form::F32) && self.rows > 1;
        if widened { SCRATCH } else { 0 }
    }
}

/// Multiplies with the panels from `first` to `last`.
///
/// # Safety
/// The job's pointers must be good for what its sizes say.
pub unsafe fn panels(job: &Product, first: usize, last: usize, scratch: *mut u8) {
    // SAFETY: as the caller promises.
    unsafe { if job.rows == 1 { row(job, first, last) } else { tiles(job, first, last, scratch) } }
}

/// One row, which waits for memory: it reads the panels in [`STREAMS`] streams, each of which goes on where it was.
unsafe fn row(job: &Product, first: usize, last: usize) {
    let whole = if last * WIDTH > job.columns { last - 1 } else { last };
    let each = (whole - first) / STREAMS;
    let mut panel = first;
    // SAFETY: the panels up to `whole` have a place in `out`, and what is behind it in `edge`.
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

/// One row and `P` panels, `apart` from each other.
unsafe fn streams<const P: usize>(job: &Product, panel: usize, apart: usize) {
    let size = job.form.panel_bytes(job.steps);
    // SAFETY: as in `row`.
    unsafe {
        let (to, _) = place(job, panel, 0);
        let from = job.bias.add(panel * job.bias_step);
        let b = job.b.add(panel * size);
        let apart = Apart { panels: apart * size, from: apart * job.bias_step, to: apart * WIDTH };
        let factors = factors(job, 1, job.steps, job.a, b);
        match job.form {
            Form::F32 => inner::row::<P, false>(job.a.cast(), job.steps, b, from, to, apart),
            Form::F16 => inner::row::<P, true>(job.a.cast(), job.steps, b, from, to, apart),
            Form::Q8 => quantized::row::<P, false>(&factors, from, to, apart),
            Form::Q4 => quantized::row::<P, true>(&factors, from, to, apart),
        }
    }
}

const fn factors(job: &Product, rows: usize, steps: usize, a: *const u8, b: *const u8) -> quantized::Factors {
    quantized::Factors { rows, steps, block_steps: job.form.block_steps(), a, b, ones: job.ones.as_ptr() }
}

unsafe fn tiles(job: &Product, first: usize, last: usize, scratch: *mut u8) {
    let Product { form, rows, steps, .. } = *job;
    let group_rows = rows.div_ceil(rows / (GROUP + 1) + 1).next_multiple_of(form.rows());
    let mut start = 0;
    while start < steps {
        let depth = if steps - start < form.depth() { steps - start } else { form.depth() };
        let mut group = 0;
        while group < rows {
            let end = if group + group_rows < rows { group + group_rows } else { rows };
            let mut panel = first;
            while panel < last {
                // SAFETY: the sizes are those with which the job was laid out.
                unsafe {
                    let b = job.b.add(panel * form.panel_bytes(steps) + form.panel_bytes(start));
                    let b = widened(form, b, depth, scratch);
                    let mut row = group;
                    while row < end {
                        let height = if end - row < form.rows() { end - row } else { form.rows() };
                        let a = job.a.add(rows * form.row_bytes(start) + row * form.row_bytes(depth));
                        let (to, stride) = place(job, panel, row);
                        let bias = job.bias.add(panel * job.bias_step);
                        let from = if start == 0 { (bias, 0) } else { (to.cast_const(), stride) };
                        if form.is_quantized() {
                            let factors = factors(job, height, depth, a, b);
                            quantized::tile(&factors, from.0, from.1, to, stride);
                        } else {
                            let factors = inner::Factors {
                                rows: height,
                                depth,
                                a: a.cast(),
                                b: b.cast(),
                                b_step: WIDTH,
                            };
                            inner::tile(&factors, from.0, from.1, to, stride);
                        }
                        row += form.rows();
                    }
                }
                panel += 1;
            }
            group = end;
        }
        start += depth;
    }
}

/// Where a panel's part of a row goes, and how far it is to the next row.
unsafe fn place(job: &Product, panel: usize, row: usize) -> (*mut f32, usize) {
    // SAFETY: a panel that is not whole is the last, which has `edge`.
    unsafe {
        if (panel + 1) * WIDTH > job.columns {
            (job.edge.add(row * WIDTH), WIDTH)
        } else {
            (job.out.add(row * job.stride + panel * WIDTH), job.stride)
        }
    }
}

/// One depth of a panel in a form that a tile reads: f32, or blocks of bytes with tails of f32.
unsafe fn widened(form: Form, b: *const u8, depth: usize, scratch: *mut u8) -> *const u8 {
    // SAFETY: `scratch` has room for a depth of the wider form.
    unsafe {
        match form {
            Form::F32 => return b,
            Form::F16 => widen_halves(b, scratch, depth * WIDTH),
            Form::Q8 => widen_blocks::<false>(b, depth, scratch),
            Form::Q4 => widen_blocks::<true>(b, depth, scratch),
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
    let form = if NIBBLES { Form::Q4 } else { Form::Q8 };
    let mut left = steps;
    while left > 0 {
        let steps = if left < form.block_steps() { left } else { form.block_steps() };
        let mut step = 0;
        // SAFETY: a block has as many bytes as `panel_bytes` says, and those of its wider form.
        unsafe {
            while step < steps {
                let mut half = 0;
                while half < 2 {
                    let (b, to) = (b.add(16 * half), to.add(16 * half));
                    if NIBBLES {
                        widen_nibbles(b, to, STEP_BYTES);
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
