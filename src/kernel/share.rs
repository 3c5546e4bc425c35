//! A product, or a map of rows, as work to be shared out: everyone who works at it takes a few panels or rows at a time
//! until none are left.
//!
//! Compiled like `inner.rs`, by the same rules. Whoever owns the memory fills in a [`Job`] (`product.rs`, `linked.rs`); this file
//! walks through it. Threads (`pool.rs`) run nothing but this file, so nothing else needs to know of them.
//!
//! The inner axis is cut into depths that keep a panel's part and a tile's rows in the first-level cache, the rows
//! into groups of tiles that stay in the second.

use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

use super::inner::{self, STREAMS, WIDTH};
use super::quantized::{self, BLOCK_TAIL, ROW_TAIL, STEP, STEP_BYTES};
use super::rows::{self, Rows};
use super::simd::{F32x4, widen_nibbles};

/// Rows in a group of tiles.
pub const GROUP: usize = 252;
/// f32 along the inner axis in one depth: 16 kB of a panel, 12 kB of a tile's rows, 504 kB of a group's.
pub const DEPTH: usize = 512;
/// The same with 8 bits, in steps of four: 9 kB, 7 kB and 290 kB.
pub const DEPTH_STEPS: usize = 256;
/// Bytes in which a worker widens one depth of a panel.
pub const SCRATCH: usize = DEPTH * WIDTH * 4;

/// How the numbers of a panel are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Form {
    F32,
    F16,
    /// Blocks of 64 numbers in 8 bits.
    Q8,
    /// Blocks of 32 numbers in 4 bits. Two steps lie in one: the lower halves of the bytes, then the upper ones. Scales
    /// and sums are halves.
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
        if self.is_quantized() { 3 } else { 6 }
    }

    /// Steps in a block.
    pub const fn block_steps(self) -> usize {
        match self {
            Form::Q4 => 32 / STEP,
            _ => 64 / STEP,
        }
    }

    /// Steps that `inner` numbers fill; those of `Q4` come in pairs.
    pub const fn steps(self, inner: usize) -> usize {
        let steps = inner.div_ceil(STEP);
        if matches!(self, Form::Q4) { steps.next_multiple_of(2) } else { steps }
    }

    /// Bytes of the first `depth` numbers (f32, f16) or steps (quantized) of a panel.
    pub const fn panel_bytes(self, depth: usize) -> usize {
        match self {
            Form::F32 => depth * WIDTH * 4,
            Form::F16 => depth * WIDTH * 2,
            Form::Q8 => depth * STEP_BYTES + depth.div_ceil(self.block_steps()) * BLOCK_TAIL,
            Form::Q4 => depth * STEP_BYTES / 2 + depth.div_ceil(self.block_steps()) * BLOCK_TAIL / 2,
        }
    }

    /// Bytes of the same part of one row of the left-hand matrix.
    pub const fn row_bytes(self, depth: usize) -> usize {
        match self {
            Form::F32 | Form::F16 => depth * 4,
            Form::Q8 | Form::Q4 => depth * STEP + depth.div_ceil(self.block_steps()) * ROW_TAIL,
        }
    }

    /// Numbers or steps in one depth.
    const fn depth(self) -> usize {
        if self.is_quantized() { DEPTH_STEPS } else { DEPTH }
    }
}

/// Work that can be shared out in `count` pieces: everyone takes `grain` of them at a time, from `next` on.
#[repr(C)]
pub struct Job {
    pub task: Task,
    pub count: usize,
    pub grain: usize,
    pub next: AtomicU32,
    /// Roughly how many numbers are multiplied.
    pub effort: usize,
}

#[repr(C)]
pub enum Task {
    /// Its pieces are panels.
    Product(Product),
    /// Its pieces are rows.
    Rows(Rows),
}

/// `out = a b + bias`.
#[repr(C)]
pub struct Product {
    pub form: Form,
    pub rows: usize,
    /// Numbers (f32, f16) or steps (quantized) along the inner axis.
    pub inner: usize,
    pub columns: usize,
    /// The left-hand rows: `[depth][tile]`, a tile as `inner.rs` or `quantized.rs` reads it.
    pub a: *const u8,
    /// The right-hand panels, one after the other.
    pub b: *const u8,
    /// What the sums of a panel start from: `WIDTH` floats, those of the next panel `bias_step` further on.
    pub bias: *const f32,
    pub bias_step: usize,
    /// `[rows, columns]`.
    pub out: *mut f32,
    /// `[rows, WIDTH]`: where the last panel's columns go when they are fewer than `WIDTH`.
    pub edge: *mut f32,
    /// [`SCRATCH`] bytes for each worker, where the form is widened.
    pub scratch: *mut u8,
    pub ones: [i16; 8],
}

/// Works at `job` until all of it is taken. `worker` tells those who work at it apart: 0 is the owner.
///
/// # Safety
/// The job's pointers must be good for what its sizes say.
pub unsafe fn work(job: &Job, worker: usize) {
    loop {
        let first = job.next.fetch_add(job.grain as u32, SeqCst) as usize;
        if first >= job.count {
            return;
        }
        let last = if first + job.grain < job.count { first + job.grain } else { job.count };
        // SAFETY: as the caller promises.
        unsafe {
            match &job.task {
                Task::Rows(rows) => rows::map(rows, first, last),
                Task::Product(job) if job.rows == 1 && matches!(job.form, Form::F32 | Form::Q8) => {
                    multiply_row(job, first, last);
                }
                Task::Product(job) => multiply_tiles(job, first, last, job.scratch.add(worker * SCRATCH)),
            }
        }
    }
}

/// One row, which waits for memory: it reads the panels in several streams.
unsafe fn multiply_row(job: &Product, first: usize, last: usize) {
    let size = job.form.panel_bytes(job.inner);
    let mut panel = first;
    while panel < last {
        let full = panel + STREAMS <= last && (panel + STREAMS) * WIDTH <= job.columns;
        // SAFETY: the panels from `panel` on are whole and have a place in `out`, or it is one and has it in `edge`.
        unsafe {
            let (to, _) = place(job, panel, 0);
            let (bias, b) = (job.bias.add(panel * job.bias_step), job.b.add(panel * size));
            match (job.form, full) {
                (Form::F32, true) => {
                    inner::row::<STREAMS>(job.a.cast(), job.inner, b.cast(), bias, job.bias_step, to)
                }
                (Form::F32, false) => {
                    inner::row::<1>(job.a.cast(), job.inner, b.cast(), bias, job.bias_step, to)
                }
                (_, true) => quantized::row::<STREAMS>(&row_factors(job, b), size, bias, job.bias_step, to),
                (_, false) => quantized::row::<1>(&row_factors(job, b), size, bias, job.bias_step, to),
            }
        }
        panel += if full { STREAMS } else { 1 };
    }
}

const fn row_factors(job: &Product, b: *const u8) -> quantized::Factors {
    let block_steps = job.form.block_steps();
    quantized::Factors { rows: 1, steps: job.inner, block_steps, a: job.a, b, ones: job.ones.as_ptr() }
}

unsafe fn multiply_tiles(job: &Product, first: usize, last: usize, scratch: *mut u8) {
    let Product { form, rows, inner, .. } = *job;
    let mut start = 0;
    while start < inner {
        let depth = if inner - start < form.depth() { inner - start } else { form.depth() };
        let mut group = 0;
        while group < rows {
            let end = if group + GROUP < rows { group + GROUP } else { rows };
            let mut panel = first;
            while panel < last {
                // SAFETY: the sizes are those with which the job was laid out.
                unsafe {
                    let b = job.b.add(panel * form.panel_bytes(inner) + form.panel_bytes(start));
                    let b = widened(form, b, depth, scratch);
                    let mut row = group;
                    while row < end {
                        let height = if end - row < form.rows() { end - row } else { form.rows() };
                        let a = job.a.add(rows * form.row_bytes(start) + row * form.row_bytes(depth));
                        let (to, stride) = place(job, panel, row);
                        let bias = job.bias.add(panel * job.bias_step);
                        let from = if start == 0 { (bias, 0) } else { (to.cast_const(), stride) };
                        if form.is_quantized() {
                            let (block_steps, ones) = (form.block_steps(), job.ones.as_ptr());
                            let factors =
                                quantized::Factors { rows: height, steps: depth, block_steps, a, b, ones };
                            quantized::tile(&factors, from.0, from.1, to, stride);
                        } else {
                            let factors = inner::Factors { rows: height, depth, a: a.cast(), b: b.cast() };
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
            (job.out.add(row * job.columns + panel * WIDTH), job.columns)
        }
    }
}

/// One depth of a panel in a form that a tile reads: f32, or blocks of bytes.
unsafe fn widened(form: Form, b: *const u8, depth: usize, scratch: *mut u8) -> *const u8 {
    // SAFETY: `scratch` has room for a depth of the wider form.
    unsafe {
        match form {
            Form::F32 | Form::Q8 => b,
            Form::F16 => {
                let mut i = 0;
                while i < depth * WIDTH {
                    F32x4::load_halves(b.cast::<u16>().add(i)).store(scratch.cast::<f32>().add(i));
                    i += 4;
                }
                scratch
            }
            Form::Q4 => {
                widen_blocks(b, depth, scratch);
                scratch
            }
        }
    }
}

unsafe fn widen_blocks(mut b: *const u8, steps: usize, mut to: *mut u8) {
    let mut left = steps;
    while left > 0 {
        let steps = if left < Form::Q4.block_steps() { left } else { Form::Q4.block_steps() };
        let mut step = 0;
        // SAFETY: a block has as many bytes as `panel_bytes` says, half of them where it is not widened.
        unsafe {
            while step < steps {
                // The lower halves are one step's, the upper ones the next one's.
                let mut half = 0;
                while half < 2 {
                    widen_nibbles(b.add(16 * half), to.add(16 * half), STEP_BYTES);
                    half += 1;
                }
                b = b.add(STEP_BYTES);
                to = to.add(2 * STEP_BYTES);
                step += 2;
            }
            let mut i = 0;
            while i < BLOCK_TAIL / 4 {
                F32x4::load_halves(b.cast::<u16>().add(i)).store(to.cast::<f32>().add(i));
                i += 4;
            }
            b = b.add(BLOCK_TAIL / 2);
            to = to.add(BLOCK_TAIL);
        }
        left -= steps;
    }
}
