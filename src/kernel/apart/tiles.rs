//! The left-hand rows of a product, brought into the tiles that its inner loop reads.
//!
//! Compiled like `inner.rs`, by the same rules. Layout: `[depth][tile]`, a tile as `inner.rs` or `quantized.rs` reads it.

use super::form::Form;
use super::inner::ROWS;
use super::quantized::{ROW_TAIL, STEP};
use super::simd::F32x4;

/// Rows `[rows, inner]`, `stride` apart, and where their tiles go.
#[repr(C)]
pub struct Tiles {
    pub form: Form,
    pub rows: usize,
    pub inner: usize,
    pub x: *const f32,
    pub stride: usize,
    /// `rows * form.row_bytes(form.steps(inner))` bytes.
    pub out: *mut u8,
}

/// Fills the tiles from `first` to `last`.
///
/// # Safety
/// The job's pointers must be good for what its sizes say.
pub unsafe fn fill(job: &Tiles, first: usize, last: usize) {
    let Tiles { form, rows, inner, x, stride, out } = *job;
    let steps = form.steps(inner);
    let mut tile = first;
    while tile < last {
        let row = tile * form.rows();
        let height = if rows - row < form.rows() { rows - row } else { form.rows() };
        let mut start = 0;
        while start < steps {
            let depth = if steps - start < form.depth() { steps - start } else { form.depth() };
            // SAFETY: as the caller promises.
            unsafe {
                let from = x.add(row * stride);
                let to = out.add(rows * form.row_bytes(start) + row * form.row_bytes(depth));
                if form.is_quantized() {
                    blocks(job, height, from, start, depth, to);
                } else {
                    interleave(height, from.add(start), stride, depth, 1.0, to.cast());
                }
            }
            start += depth;
        }
        tile += 1;
    }
}

/// `depth` numbers of each row, times `factor`: `[depth, height]`.
///
/// # Safety
/// They must be readable, and `to` writable.
#[inline(always)]
pub unsafe fn interleave(
    height: usize,
    x: *const f32,
    stride: usize,
    depth: usize,
    factor: f32,
    to: *mut f32,
) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut step = if height == ROWS { interleave_six(x, stride, depth, factor, to) } else { 0 };
        while step < depth {
            let mut i = 0;
            while i < height {
                *to.add(step * height + i) = *x.add(i * stride + step) * factor;
                i += 1;
            }
            step += 1;
        }
    }
}

/// Four steps of a full tile at once, up to the last ones; returns how many are done.
#[inline(always)]
unsafe fn interleave_six(x: *const f32, stride: usize, depth: usize, factor: f32, to: *mut f32) -> usize {
    let factor = F32x4::splat(factor);
    let mut step = 0;
    // Each step's last two numbers are written with two more, which the next step writes anew: so one must follow.
    while step + 4 < depth {
        // SAFETY: as in `interleave`.
        unsafe {
            let row = |i: usize| F32x4::load(x.add(i * stride + step)).mul(factor);
            let (e, f) = (row(4), row(5));
            let four = F32x4::transposed(row(0), row(1), row(2), row(3));
            let two = F32x4::transposed(e, f, e, f);
            let to = to.add(step * ROWS);
            let mut i = 0;
            while i < 4 {
                four[i].store(to.add(i * ROWS));
                two[i].store(to.add(i * ROWS + 4));
                i += 1;
            }
        }
        step += 4;
    }
    step
}

/// One depth of a tile in 7 bits.
unsafe fn blocks(job: &Tiles, height: usize, x: *const f32, start: usize, depth: usize, mut to: *mut u8) {
    let block_steps = job.form.block_steps();
    let mut done = 0;
    while done < depth {
        let steps = if depth - done < block_steps { depth - done } else { block_steps };
        let at = (start + done) * STEP;
        let count = if job.inner - at < steps * STEP { job.inner - at } else { steps * STEP };
        // SAFETY: a block has its steps and then its tails for each of the tile's rows.
        unsafe {
            let tails = to.add(height * steps * STEP);
            let mut i = 0;
            while i < height {
                let tail = tails.add(i * ROW_TAIL).cast();
                quantize(x.add(i * job.stride + at), count, steps, to.add(i * STEP).cast(), height, tail);
                i += 1;
            }
            to = tails.add(height * ROW_TAIL);
        }
        done += steps;
    }
}

/// `count` numbers as `scale q + least` with `q` from 0 to 127, four to a word, the words `apart`; `tail` gets `scale` and
/// `least`. A block that holds an infinity or no number has no scale, and so no product.
#[inline(always)]
unsafe fn quantize(x: *const f32, count: usize, steps: usize, words: *mut u32, apart: usize, tail: *mut f32) {
    let zero = F32x4::splat(0.0);
    let mut finite = zero; // 0, or no number where one is infinite or none
    let mut least = F32x4::splat(f32::INFINITY);
    let mut most = F32x4::splat(f32::NEG_INFINITY);
    let mut look = |four: F32x4| {
        (least, most) = (least.min(four), most.max(four));
        finite = four.mul_add(zero, finite);
    };
    let (whole, some) = (count / STEP, count % STEP);
    // SAFETY: as the caller promises.
    unsafe {
        let four = |step: usize| F32x4::load(x.add(step * STEP));
        let last = |step: usize| F32x4::load_some(x.add(step * STEP), some);
        let mut step = 0;
        while step < whole {
            look(four(step));
            step += 1;
        }
        if some > 0 {
            look(last(whole));
        }
        let (least, finite) = (least.least(), finite.sum());
        let scale = (most.greatest() - least) / 127.0;
        let inverse = F32x4::splat(if scale > 0.0 { 1.0 / scale } else { 0.0 });
        let minus_least = F32x4::splat(-least);
        // Adding 2²³ leaves the nearest integer in the lowest bits.
        let to_integer = F32x4::splat(8_388_608.0);
        let level =
            |four: F32x4| four.add(minus_least).mul(inverse).add(to_integer).lowest_bytes() & 0x7F7F_7F7F;
        step = 0;
        while step < whole {
            *words.add(step * apart) = level(four(step));
            step += 1;
        }
        while step < steps {
            *words.add(step * apart) = if step == whole && some > 0 { level(last(step)) } else { 0 };
            step += 1;
        }
        *tail = scale + finite;
        *tail.add(1) = least + finite;
    }
}
