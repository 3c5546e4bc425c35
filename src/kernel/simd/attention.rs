//! Causal attention, head by head, without the masked half.
//!
//! Compiled like `tile_f32.rs`, with the same restrictions.
//!
//! A head's keys and values are packed into panels once. Then six queries at a time are processed from their scores through
//! the softmax to the weighted sum of the values, all within the L1 and L2 caches. A run that captures scores or patterns
//! executes the same steps separately, with the same tiles, and therefore gets the same bits. Every sum runs over its axis
//! in order, independent of the number of queries.

use super::pack::interleave;
use super::rowwise;
use super::tile_f32::{self, Factors, ROWS, WIDTH};
use super::vector::{F32x4, Float, Vector};

/// `[batch, rows, heads, width]` with a contiguous last axis and arbitrary strides for the others, in floats.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Heads {
    pub data: *const f32,
    pub by_batch: usize,
    pub by_row: usize,
    pub by_head: usize,
}

impl Heads {
    /// The first row of a head.
    #[inline(always)]
    const fn of(&self, batch: usize, head: usize) -> *const f32 {
        self.data.wrapping_add(batch * self.by_batch + head * self.by_head)
    }
}

/// Attention of `queries` to `keys`; the last query is at the position of the last key.
#[repr(C)]
pub struct Attention {
    pub part: Part,
    pub heads: usize,
    pub queries: usize,
    pub keys: usize,
    pub width: usize,
    /// Scores are `factor q·k`.
    pub factor: f32,
    pub q: Heads,
    pub k: Heads,
    pub v: Heads,
    /// `[batch, heads, queries, keys]`: the scores (output) or the pattern (input).
    pub pattern: *mut f32,
    /// `[batch, queries, heads, width]`.
    pub out: *mut f32,
}

/// The part of attention to compute.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Part {
    /// `q` and `k` to scores, `-inf` where the key comes after the query.
    Scores,
    /// A pattern and `v` to `out`.
    Mix,
    /// `q`, `k` and `v` to `out`.
    Whole,
}

impl Attention {
    /// Bytes of scratch that one worker needs: see [`Scratch`].
    pub const fn scratch(&self) -> usize {
        let Attention { keys, width, .. } = *self;
        let (keys_up, width_up) = (keys.next_multiple_of(WIDTH), width.next_multiple_of(WIDTH));
        let longer = if keys > width { keys } else { width };
        4 * (WIDTH + keys_up * width + keys * width_up + ROWS * (longer + keys_up + width_up))
    }
}

/// The layout of a worker's scratch memory.
struct Scratch {
    /// `[WIDTH]` zeros, the initial values of sums.
    zeros: *mut f32,
    /// `[keys / WIDTH, width, WIDTH]`.
    keys: *mut f32,
    /// `[width / WIDTH, keys, WIDTH]`.
    values: *mut f32,
    /// The packed left factor of a tile: `[width, ROWS]`, then `[keys, ROWS]`.
    tile: *mut f32,
    /// Scores, then the pattern: `[ROWS, keys]` with a row stride of `keys_up`.
    rows: *mut f32,
    /// `[ROWS, width]` with a row stride of `width_up`.
    mixed: *mut f32,
    keys_up: usize,
    width_up: usize,
}

impl Scratch {
    #[inline(always)]
    unsafe fn new(job: &Attention, zeros: *mut f32) -> Scratch {
        let Attention { keys, width, .. } = *job;
        let (keys_up, width_up) = (keys.next_multiple_of(WIDTH), width.next_multiple_of(WIDTH));
        let longer = if keys > width { keys } else { width };
        // SAFETY: the scratch has `Attention::scratch` bytes.
        unsafe {
            let in_keys = zeros.add(WIDTH);
            let in_values = in_keys.add(keys_up * width);
            let tile = in_values.add(keys * width_up);
            let rows = tile.add(ROWS * longer);
            let mixed = rows.add(ROWS * keys_up);
            Scratch {
                zeros,
                keys: in_keys,
                values: in_values,
                tile,
                rows,
                mixed,
                keys_up,
                width_up,
            }
        }
    }
}

/// Computes the heads `first..last`, counted over the batch.
///
/// # Safety
/// The job's pointers must be valid for its sizes.
pub unsafe fn heads(job: &Attention, first: usize, last: usize, scratch: *mut f32) {
    // SAFETY: the caller guarantees it.
    unsafe {
        let scratch = Scratch::new(job, scratch);
        F32x4::splat(0.0).store(scratch.zeros);
        F32x4::splat(0.0).store(scratch.zeros.add(4));
        // A division would add a panic for a zero divisor, and panics need constants in memory.
        let (mut batch, mut head) = (0, first);
        while head >= job.heads {
            (batch, head) = (batch + 1, head - job.heads);
        }
        let mut done = first;
        while done < last {
            head_attention(job, &scratch, batch, head);
            (batch, head) = if head + 1 < job.heads { (batch, head + 1) } else { (batch + 1, 0) };
            done += 1;
        }
    }
}

#[inline(always)]
unsafe fn head_attention(job: &Attention, scratch: &Scratch, batch: usize, head: usize) {
    let Attention { part, queries, keys, width, .. } = *job;
    // SAFETY: as in `heads`.
    unsafe {
        if part != Part::Mix {
            pack_columns(job.k.of(batch, head), job.k.by_row, keys, width, scratch.keys);
        }
        // For one query the values are read in place, unless the last panel would read past their end.
        let mut values = Panels { first: job.v.of(batch, head), stride: WIDTH, step: job.v.by_row };
        if part != Part::Scores && (queries > 1 || width < scratch.width_up) {
            pack_rows(values.first, values.step, keys, width, scratch.values);
            values = Panels { first: scratch.values, stride: keys * WIDTH, step: WIDTH };
        }
        let mut query = 0;
        while query < queries {
            let height = if queries - query < ROWS { queries - query } else { ROWS };
            let visible = keys - queries + query + 1; // number of keys before the first query's mask
            let pattern =
                job.pattern.wrapping_add(((batch * job.heads + head) * queries + query) * keys);
            if part != Part::Mix {
                let q = job.q.of(batch, head).add(query * job.q.by_row);
                interleave(height, q, job.q.by_row, width, job.factor, scratch.tile);
                let keys = Panels { first: scratch.keys, stride: width * WIDTH, step: WIDTH };
                let panels = (visible + height - 1).div_ceil(WIDTH);
                multiply(height, width, scratch, keys, panels, scratch.rows, scratch.keys_up);
            }
            match part {
                Part::Scores => copy_scores(height, visible, scratch, pattern, keys),
                Part::Mix => mix(height, scratch, pattern, keys, keys, values),
                Part::Whole => {
                    softmax(height, visible, scratch);
                    mix(
                        height,
                        scratch,
                        scratch.rows,
                        scratch.keys_up,
                        visible + height - 1,
                        values,
                    );
                }
            }
            if part != Part::Scores {
                let row = ((batch * queries + query) * job.heads + head) * width;
                copy_mixed(height, scratch, job.out.add(row), job.heads * width, width);
            }
            query += ROWS;
        }
    }
}

/// The values weighted by the rows of a pattern, which has a row stride of `stride` and is zero from column `limit` on.
#[inline(always)]
unsafe fn mix(
    height: usize,
    scratch: &Scratch,
    pattern: *const f32,
    stride: usize,
    limit: usize,
    values: Panels,
) {
    // SAFETY: as in `heads`.
    unsafe {
        let depth = longest(height, pattern, stride, limit);
        interleave(height, pattern, stride, depth, 1.0, scratch.tile);
        multiply(
            height,
            depth,
            scratch,
            values,
            scratch.width_up / WIDTH,
            scratch.mixed,
            scratch.width_up,
        );
    }
}

/// Panels with a stride of `stride` floats, whose rows have a stride of `step` floats.
#[derive(Clone, Copy)]
struct Panels {
    first: *const f32,
    stride: usize,
    step: usize,
}

/// The packed tile times `count` panels.
#[inline(always)]
unsafe fn multiply(
    rows: usize,
    depth: usize,
    scratch: &Scratch,
    panels: Panels,
    count: usize,
    to: *mut f32,
    stride: usize,
) {
    let Panels { first, stride: panel_stride, step } = panels;
    // SAFETY: as in `heads`.
    unsafe {
        multiply_tile(
            rows,
            depth,
            scratch.tile,
            first,
            panel_stride,
            step,
            count,
            scratch.zeros,
            to,
            stride,
        );
    }
}

/// The body of [`multiply`], not inlined: one copy of the tile code serves all callers.
#[expect(clippy::too_many_arguments, reason = "there is no stack that could hold a struct of them")]
#[inline(never)]
unsafe fn multiply_tile(
    rows: usize,
    depth: usize,
    a: *const f32,
    b: *const f32,
    panel_stride: usize,
    b_step: usize,
    count: usize,
    zeros: *const f32,
    to: *mut f32,
    stride: usize,
) {
    let mut panel = 0;
    while panel < count {
        // SAFETY: the panels lie in the scratch memory or are the values themselves.
        unsafe {
            let factors = Factors { rows, depth, a, b: b.add(panel * panel_stride), b_step };
            tile_f32::tile(&factors, zeros, 0, to.add(panel * WIDTH), stride);
        }
        panel += 1;
    }
}

/// Packs `[rows, width]` into the panels of its transpose: `[rows / WIDTH, width, WIDTH]`, padded with zeros.
#[inline(always)]
unsafe fn pack_columns(x: *const f32, stride: usize, rows: usize, width: usize, mut to: *mut f32) {
    let mut row = 0;
    // SAFETY: as in `heads`.
    unsafe {
        while row < rows {
            let full = row + WIDTH <= rows;
            let mut at = 0;
            while full && at + 4 <= width {
                let mut half = 0;
                while half < WIDTH {
                    let from = x.add((row + half) * stride + at);
                    let four = |i: usize| F32x4::load(from.add(i * stride));
                    let [a, b, c, d] = F32x4::transposed(four(0), four(1), four(2), four(3));
                    let to = to.add(at * WIDTH + half);
                    a.store(to);
                    b.store(to.add(WIDTH));
                    c.store(to.add(2 * WIDTH));
                    d.store(to.add(3 * WIDTH));
                    half += 4;
                }
                at += 4;
            }
            while at < width {
                let mut lane = 0;
                while lane < WIDTH {
                    let there = row + lane < rows;
                    *to.add(at * WIDTH + lane) =
                        if there { *x.add((row + lane) * stride + at) } else { 0.0 };
                    lane += 1;
                }
                at += 1;
            }
            to = to.add(width * WIDTH);
            row += WIDTH;
        }
    }
}

/// Packs `[rows, width]` into panels: `[width / WIDTH, rows, WIDTH]`, padded with zeros.
#[inline(always)]
unsafe fn pack_rows(x: *const f32, stride: usize, rows: usize, width: usize, to: *mut f32) {
    let mut row = 0;
    // SAFETY: as in `heads`.
    unsafe {
        while row < rows {
            let (from, to) = (x.add(row * stride), to.add(row * WIDTH));
            let mut at = 0;
            while at + WIDTH <= width {
                let to = to.add(at * rows);
                F32x4::load(from.add(at)).store(to);
                F32x4::load(from.add(at + 4)).store(to.add(4));
                at += WIDTH;
            }
            let mut lane = 0;
            while at < width && lane < WIDTH {
                *to.add(at * rows + lane) =
                    if at + lane < width { *from.add(at + lane) } else { 0.0 };
                lane += 1;
            }
            row += 1;
        }
    }
}

/// Copies the scores of a tile, with `-inf` for masked keys.
#[inline(always)]
unsafe fn copy_scores(height: usize, visible: usize, scratch: &Scratch, to: *mut f32, keys: usize) {
    let mut i = 0;
    while i < height {
        // SAFETY: as in `heads`.
        unsafe {
            let to = to.add(i * keys);
            copy(scratch.rows.add(i * scratch.keys_up), to, visible + i);
            fill(to, f32::NEG_INFINITY, visible + i, keys);
        }
        i += 1;
    }
}

/// The softmax of each row of a tile over its unmasked keys, with zeros up to the last row's length.
#[inline(always)]
unsafe fn softmax(height: usize, visible: usize, scratch: &Scratch) {
    let mut i = 0;
    while i < height {
        // SAFETY: as in `heads`.
        unsafe {
            let row = scratch.rows.add(i * scratch.keys_up);
            rowwise::softmax(visible + i, row, row);
            fill(row, 0.0, visible + i, visible + height - 1);
        }
        i += 1;
    }
}

/// The length of the longest row without its trailing zeros. A hook may have written above the diagonal, so the length is
/// read from the rows and not from the mask.
#[inline(always)]
unsafe fn longest(height: usize, pattern: *const f32, stride: usize, limit: usize) -> usize {
    let (mut longest, mut i) = (0, 0);
    while i < height {
        // SAFETY: as in `heads`.
        unsafe {
            let row = pattern.add(i * stride);
            let mut end = limit;
            while end > longest && *row.add(end - 1) == 0.0 {
                end -= 1;
            }
            longest = end;
        }
        i += 1;
    }
    longest
}

#[inline(always)]
unsafe fn copy_mixed(height: usize, scratch: &Scratch, to: *mut f32, stride: usize, width: usize) {
    let mut i = 0;
    while i < height {
        // SAFETY: as in `heads`.
        unsafe { copy(scratch.mixed.add(i * scratch.width_up), to.add(i * stride), width) };
        i += 1;
    }
}

#[inline(always)]
unsafe fn copy(from: *const f32, to: *mut f32, count: usize) {
    let mut i = 0;
    // SAFETY: as in `heads`.
    unsafe {
        while i + 4 <= count {
            F32x4::load(from.add(i)).store(to.add(i));
            i += 4;
        }
        while i < count {
            *to.add(i) = *from.add(i);
            i += 1;
        }
    }
}

#[inline(always)]
unsafe fn fill(to: *mut f32, value: f32, first: usize, last: usize) {
    let mut i = first;
    // SAFETY: as in `heads`.
    unsafe {
        while i + 4 <= last {
            F32x4::splat(value).store(to.add(i));
            i += 4;
        }
        while i < last {
            *to.add(i) = value;
            i += 1;
        }
    }
}
