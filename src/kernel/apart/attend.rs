//! Causal attention, head by head, which leaves out what the mask makes zero.
//!
//! Compiled like `inner.rs`, by the same rules.
//!
//! A head's keys and values are brought into panels once, then six queries at a time go all the way: their scores with the
//! keys that they may look at, the softmax of each, and their mix of the values, all in the first two levels of cache. A
//! run that looks at scores or patterns takes the same steps in parts, through the same tiles, and so gets the same bits.
//! Every sum runs over its axis in order, whatever the number of queries.

use super::inner::{self, Factors, ROWS, WIDTH};
use super::rows;
use super::simd::F32x4;
use super::tiles::interleave;

/// `[batch, rows, heads, width]` with a contiguous last axis, and how far apart the others lie.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Heads {
    pub data: *const f32,
    pub by_batch: usize,
    pub by_row: usize,
    pub by_head: usize,
}

impl Heads {
    /// Where the rows of a head begin.
    #[inline(always)]
    const fn of(&self, batch: usize, head: usize) -> *const f32 {
        self.data.wrapping_add(batch * self.by_batch + head * self.by_head)
    }
}

/// Attention of `queries` to `keys`, the last query looking at the last key.
#[repr(C)]
pub struct Attention {
    pub part: Part,
    pub heads: usize,
    pub queries: usize,
    pub keys: usize,
    pub width: usize,
    /// Scores are `factor q k`.
    pub factor: f32,
    pub q: Heads,
    pub k: Heads,
    pub v: Heads,
    /// `[batch, heads, queries, keys]`: the scores that go out, or the pattern that comes in.
    pub pattern: *mut f32,
    /// `[batch, queries, heads, width]`.
    pub out: *mut f32,
}

/// Which part of attention is computed.
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
    /// Bytes that one worker needs besides: see [`Places`].
    pub const fn scratch(&self) -> usize {
        let Attention { keys, width, .. } = *self;
        let (keys_up, width_up) = (keys.next_multiple_of(WIDTH), width.next_multiple_of(WIDTH));
        let longer = if keys > width { keys } else { width };
        4 * (WIDTH + keys_up * width + keys * width_up + ROWS * (longer + keys_up + width_up))
    }
}

/// Where in the scratch what lies.
struct Places {
    /// `[WIDTH]` zeros, which sums start from.
    zeros: *mut f32,
    /// `[keys / WIDTH, width, WIDTH]`.
    keys: *mut f32,
    /// `[width / WIDTH, keys, WIDTH]`.
    values: *mut f32,
    /// A tile's left-hand rows: `[width, ROWS]`, then `[keys, ROWS]`.
    tile: *mut f32,
    /// Scores, then the pattern: `[ROWS, keys]`, the rows `keys_up` apart.
    rows: *mut f32,
    /// `[ROWS, width]`, the rows `width_up` apart.
    mixed: *mut f32,
    keys_up: usize,
    width_up: usize,
}

impl Places {
    #[inline(always)]
    unsafe fn new(job: &Attention, zeros: *mut f32) -> Places {
        let Attention { keys, width, .. } = *job;
        let (keys_up, width_up) = (keys.next_multiple_of(WIDTH), width.next_multiple_of(WIDTH));
        let longer = if keys > width { keys } else { width };
        // SAFETY: the scratch is as long as `Attention::scratch` says.
        unsafe {
            let in_keys = zeros.add(WIDTH);
            let in_values = in_keys.add(keys_up * width);
            let tile = in_values.add(keys * width_up);
            let rows = tile.add(ROWS * longer);
            let mixed = rows.add(ROWS * keys_up);
            Places { zeros, keys: in_keys, values: in_values, tile, rows, mixed, keys_up, width_up }
        }
    }
}

/// Attends with the heads from `first` to `last`, those of the first text in the batch first.
///
/// # Safety
/// The job's pointers must be good for what its sizes say.
pub unsafe fn heads(job: &Attention, first: usize, last: usize, scratch: *mut f32) {
    // SAFETY: as the caller promises.
    unsafe {
        let places = Places::new(job, scratch);
        F32x4::splat(0.0).store(places.zeros);
        F32x4::splat(0.0).store(places.zeros.add(4));
        // No division: one by zero would want to say so.
        let (mut batch, mut head) = (0, first);
        while head >= job.heads {
            (batch, head) = (batch + 1, head - job.heads);
        }
        let mut done = first;
        while done < last {
            attend(job, &places, batch, head);
            (batch, head) = if head + 1 < job.heads { (batch, head + 1) } else { (batch + 1, 0) };
            done += 1;
        }
    }
}

#[inline(always)]
unsafe fn attend(job: &Attention, places: &Places, batch: usize, head: usize) {
    let Attention { part, queries, keys, width, .. } = *job;
    // SAFETY: as in `heads`.
    unsafe {
        if part != Part::Mix {
            pack_columns(job.k.of(batch, head), job.k.by_row, keys, width, places.keys);
        }
        // For one query the values are read where they lie, if the last panel reads no further than they go.
        let mut values = Panels { first: job.v.of(batch, head), apart: WIDTH, step: job.v.by_row };
        if part != Part::Scores && (queries > 1 || width < places.width_up) {
            pack_rows(values.first, values.step, keys, width, places.values);
            values = Panels { first: places.values, apart: keys * WIDTH, step: WIDTH };
        }
        let mut query = 0;
        while query < queries {
            let height = if queries - query < ROWS { queries - query } else { ROWS };
            let seen = keys - queries + query + 1; // keys that the first of them may look at
            let pattern = job.pattern.wrapping_add(((batch * job.heads + head) * queries + query) * keys);
            if part != Part::Mix {
                let q = job.q.of(batch, head).add(query * job.q.by_row);
                interleave(height, q, job.q.by_row, width, job.factor, places.tile);
                let keys = Panels { first: places.keys, apart: width * WIDTH, step: WIDTH };
                let panels = (seen + height - 1).div_ceil(WIDTH);
                multiply(height, width, places, keys, panels, places.rows, places.keys_up);
            }
            match part {
                Part::Scores => copy_scores(height, seen, places, pattern, keys),
                Part::Mix => mix(height, places, pattern, keys, keys, values),
                Part::Whole => {
                    softmax(height, seen, places);
                    mix(height, places, places.rows, places.keys_up, seen + height - 1, values);
                }
            }
            if part != Part::Scores {
                let row = ((batch * queries + query) * job.heads + head) * width;
                copy_mixed(height, places, job.out.add(row), job.heads * width, width);
            }
            query += ROWS;
        }
    }
}

/// Mixes the values by the rows of a pattern, which are `stride` apart and zero from `limit` on.
#[inline(always)]
unsafe fn mix(
    height: usize,
    places: &Places,
    pattern: *const f32,
    stride: usize,
    limit: usize,
    values: Panels,
) {
    // SAFETY: as in `heads`.
    unsafe {
        let depth = longest(height, pattern, stride, limit);
        interleave(height, pattern, stride, depth, 1.0, places.tile);
        multiply(height, depth, places, values, places.width_up / WIDTH, places.mixed, places.width_up);
    }
}

/// Panels that are `apart`, their steps `step` apart.
#[derive(Clone, Copy)]
struct Panels {
    first: *const f32,
    apart: usize,
    step: usize,
}

/// The rows of the tile times `count` panels.
#[inline(always)]
unsafe fn multiply(
    rows: usize,
    depth: usize,
    places: &Places,
    panels: Panels,
    count: usize,
    to: *mut f32,
    stride: usize,
) {
    let Panels { first, apart, step } = panels;
    // SAFETY: as in `heads`.
    unsafe {
        multiply_tile(rows, depth, places.tile, first, apart, step, count, places.zeros, to, stride);
    }
}

/// As [`multiply`], once for all that call it.
#[expect(clippy::too_many_arguments, reason = "there is no stack that could hold a struct of them")]
#[inline(never)]
unsafe fn multiply_tile(
    rows: usize,
    depth: usize,
    a: *const f32,
    b: *const f32,
    apart: usize,
    b_step: usize,
    count: usize,
    zeros: *const f32,
    to: *mut f32,
    stride: usize,
) {
    let mut panel = 0;
    while panel < count {
        // SAFETY: the panels are in the scratch, or the values themselves.
        unsafe {
            let factors = Factors { rows, depth, a, b: b.add(panel * apart), b_step };
            inner::tile(&factors, zeros, 0, to.add(panel * WIDTH), stride);
        }
        panel += 1;
    }
}

/// `[rows, width]` as the panels of its transpose: `[rows / WIDTH, width, WIDTH]`, zero behind the last row.
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
                    *to.add(at * WIDTH + lane) = if there { *x.add((row + lane) * stride + at) } else { 0.0 };
                    lane += 1;
                }
                at += 1;
            }
            to = to.add(width * WIDTH);
            row += WIDTH;
        }
    }
}

/// `[rows, width]` in panels: `[width / WIDTH, rows, WIDTH]`, zero behind the last column.
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
                *to.add(at * rows + lane) = if at + lane < width { *from.add(at + lane) } else { 0.0 };
                lane += 1;
            }
            row += 1;
        }
    }
}

/// The scores of a tile, row by row, with `-inf` behind the last key that a query may look at.
#[inline(always)]
unsafe fn copy_scores(height: usize, seen: usize, places: &Places, to: *mut f32, keys: usize) {
    let mut i = 0;
    while i < height {
        // SAFETY: as in `heads`.
        unsafe {
            let to = to.add(i * keys);
            copy(places.rows.add(i * places.keys_up), to, seen + i);
            fill(to, f32::NEG_INFINITY, seen + i, keys);
        }
        i += 1;
    }
}

/// The softmax of each row of a tile over the keys that it may look at, and zeros up to where the last one looks.
#[inline(always)]
unsafe fn softmax(height: usize, seen: usize, places: &Places) {
    let mut i = 0;
    while i < height {
        // SAFETY: as in `heads`.
        unsafe {
            let row = places.rows.add(i * places.keys_up);
            rows::softmax(seen + i, row, row);
            fill(row, 0.0, seen + i, seen + height - 1);
        }
        i += 1;
    }
}

/// Where the zeros begin that end all rows. A hook may have put a weight behind the diagonal, so the rows themselves say.
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
unsafe fn copy_mixed(height: usize, places: &Places, to: *mut f32, stride: usize, width: usize) {
    let mut i = 0;
    while i < height {
        // SAFETY: as in `heads`.
        unsafe { copy(places.mixed.add(i * places.width_up), to.add(i * stride), width) };
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
