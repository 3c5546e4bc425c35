//! Causal attention, head by head, without the masked half.
//!
//! Compiled like `tile_f32.rs`, with the same restrictions.
//!
//! A head's keys and values are packed into panels once. Then a tile of queries at a time is processed
//! from their scores through the softmax to the weighted sum of the values, all within the L1 and
//! L2 caches. A run that captures scores or patterns executes the same steps separately, with the
//! same tiles, and therefore gets the same bits. Every sum runs over its axis in order, independent
//! of the number of queries. A single query, as in decoding, reads keys and values in place, if the width of
//! the head fits whole vectors and panels: it uses each of them once.

use super::one_query::{LANES, multiply_rows, read_lines};
use super::pack::interleave;
use super::panels::{copy, fill, longest, pack_columns, pack_rows};
use super::rowwise;
use super::tile_f32::{self, Factors, MAX_ROWS, ROWS, Strides, WIDTH};
use super::vector::{F32x4, Float, Vector};

/// `[batch, rows, heads, width]` with a contiguous last axis and arbitrary strides for the others,
/// in floats. Only read, by all workers.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Heads {
    /// Valid for reads of every element of the shape.
    pub data: *const f32,
    pub batch_stride: usize,
    pub row_stride: usize,
    pub head_stride: usize,
}

impl Heads {
    /// The first row of a head.
    #[inline(always)]
    pub const fn of(&self, batch: usize, head: usize) -> *const f32 {
        self.data.wrapping_add(batch * self.batch_stride + head * self.head_stride)
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
    /// `[batch, heads, queries, keys]`: the scores, written by the worker that takes the head
    /// ([`Part::Scores`]), or the pattern, only read ([`Part::Mix`]); else unused.
    pub pattern: *mut f32,
    /// `[batch, queries, heads, width]`, written by the worker that takes the head; unused by
    /// [`Part::Scores`].
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
    /// Bytes of scratch memory that one worker needs: see [`Scratch`].
    pub const fn scratch_bytes(&self) -> usize {
        let Attention { keys, width, .. } = *self;
        let (keys_up, width_up) = (keys.next_multiple_of(WIDTH), width.next_multiple_of(WIDTH));
        let longer = if keys > width { keys } else { width };
        4 * (WIDTH + keys_up * width + keys * width_up + MAX_ROWS * (longer + keys_up + width_up))
    }
}

/// The layout of a worker's scratch memory, which no other worker accesses.
struct Scratch {
    /// `[WIDTH]` zeros, the initial values of sums.
    zeros: *mut f32,
    /// `[keys / WIDTH, width, WIDTH]`.
    keys: *mut f32,
    /// `[width / WIDTH, keys, WIDTH]`.
    values: *mut f32,
    /// The packed left factor of a tile of at most [`MAX_ROWS`] rows: `[width, rows]`, then `[keys, rows]`.
    tile: *mut f32,
    /// Scores, then the pattern: `[rows, keys]` with a row stride of `keys_up`.
    rows: *mut f32,
    /// `[rows, width]` with a row stride of `width_up`.
    mixed: *mut f32,
    keys_up: usize,
    width_up: usize,
}

impl Scratch {
    /// # Safety
    /// `zeros` must be valid for reads and writes of [`Attention::scratch_bytes`] bytes and aligned
    /// for f32.
    #[inline(always)]
    unsafe fn new(job: &Attention, zeros: *mut f32) -> Scratch {
        let Attention { keys, width, .. } = *job;
        let (keys_up, width_up) = (keys.next_multiple_of(WIDTH), width.next_multiple_of(WIDTH));
        let longer = if keys > width { keys } else { width };
        // SAFETY: the parts add up to `Attention::scratch_bytes`.
        unsafe {
            let in_keys = zeros.add(WIDTH);
            let in_values = in_keys.add(keys_up * width);
            let tile = in_values.add(keys * width_up);
            let rows = tile.add(MAX_ROWS * longer);
            let mixed = rows.add(MAX_ROWS * keys_up);
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
/// The pointers of `job` must be valid for the sizes that its fields name, and `scratch` for reads
/// and writes of [`Attention::scratch_bytes`] bytes. No other thread may access `scratch`, or the
/// output of these heads.
pub unsafe fn heads(job: &Attention, first: usize, last: usize, scratch: *mut f32) {
    // SAFETY: as for this function; the head is below `last`.
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

/// # Safety
/// As for [`heads`], for one head.
#[inline(always)]
unsafe fn head_attention(job: &Attention, scratch: &Scratch, batch: usize, head: usize) {
    let Attention { part, queries, keys, width, .. } = *job;
    // SAFETY: as for `heads`. The queries of a tile are below `queries`; `scratch` has room for the
    // panels of all keys and values and for one tile, and each step reads only what an earlier one
    // has written.
    unsafe {
        if queries == 1 && part != Part::Mix {
            read_lines(job.k.of(batch, head), job.k.row_stride, keys, width);
        }
        if queries == 1 && part != Part::Scores {
            read_lines(job.v.of(batch, head), job.v.row_stride, keys, width);
        }
        // One query uses each key once.
        let reads_keys = queries == 1 && width.is_multiple_of(LANES);
        if part != Part::Mix && !reads_keys {
            pack_columns(job.k.of(batch, head), job.k.row_stride, keys, width, scratch.keys);
        }
        // For one query the values are read in place, unless the last panel would read past their
        // end.
        let mut values =
            Panels { first: job.v.of(batch, head), stride: WIDTH, row_stride: job.v.row_stride };
        if part != Part::Scores && (queries > 1 || width < scratch.width_up) {
            pack_rows(values.first, values.row_stride, keys, width, scratch.values);
            values = Panels { first: scratch.values, stride: keys * WIDTH, row_stride: WIDTH };
        }
        let mut query = 0;
        while query < queries {
            let height = if queries - query < ROWS { queries - query } else { ROWS };
            let visible = keys - queries + query + 1; // number of keys before the first query's mask
            let pattern =
                job.pattern.wrapping_add(((batch * job.heads + head) * queries + query) * keys);
            if part != Part::Mix {
                let q = job.q.of(batch, head).add(query * job.q.row_stride);
                interleave(height, q, job.q.row_stride, width, job.factor, scratch.tile);
                if reads_keys {
                    let k = job.k.of(batch, head);
                    multiply_rows(scratch.tile, width, k, job.k.row_stride, keys, scratch.rows);
                } else {
                    let keys =
                        Panels { first: scratch.keys, stride: width * WIDTH, row_stride: WIDTH };
                    let panels = (visible + height - 1).div_ceil(WIDTH);
                    multiply(height, width, scratch, keys, panels, scratch.rows, scratch.keys_up);
                }
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

/// The values weighted by the rows of a pattern, which has a row stride of `stride` and is zero
/// from column `limit` on.
///
/// # Safety
/// `pattern` must be valid for reads of `height` rows of `limit` floats, and `values` for reads of
/// all panels. `scratch` must be as for [`heads`].
#[inline(always)]
unsafe fn mix(
    height: usize,
    scratch: &Scratch,
    pattern: *const f32,
    stride: usize,
    limit: usize,
    values: Panels,
) {
    // SAFETY: as for this function; `depth` is at most `limit`.
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

/// Panels of the right factor, only read. `first` is valid for reads of every row of every panel
/// that [`multiply`] counts.
#[derive(Clone, Copy)]
struct Panels {
    first: *const f32,
    /// Between panels, in floats.
    stride: usize,
    /// Between the rows of a panel, in floats.
    row_stride: usize,
}

/// The packed tile times `count` panels.
///
/// # Safety
/// `scratch.tile` must contain `depth * rows` floats, and `panels` `count` panels of `depth` rows.
/// `to` must be valid for writes of `rows` rows of `count * WIDTH` floats, which no other thread
/// may access.
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
    let Panels { first, stride: panel_stride, row_stride } = panels;
    // SAFETY: as for this function.
    unsafe {
        multiply_tile(
            rows,
            depth,
            scratch.tile,
            first,
            panel_stride,
            row_stride,
            count,
            scratch.zeros,
            0,
            to,
            stride,
        );
    }
}

/// `to = initial + a b` for a packed tile `a` and `count` panels, not inlined: one copy of the tile
/// code serves all callers. Every panel has the same initial values.
///
/// # Safety
/// `a` must be valid for reads of `depth * rows` floats, `b` for reads of `depth` rows of `WIDTH`
/// floats in each panel, and `initial` for reads of `rows` rows of `WIDTH` floats, with their
/// strides. `to` must be valid for writes of `rows` rows of `count * WIDTH` floats, which no other
/// thread may access.
#[expect(clippy::too_many_arguments, reason = "there is no stack that could hold a struct of them")]
#[inline(never)]
pub unsafe fn multiply_tile(
    rows: usize,
    depth: usize,
    a: *const f32,
    b: *const f32,
    panel_stride: usize,
    b_stride: usize,
    count: usize,
    initial: *const f32,
    initial_stride: usize,
    to: *mut f32,
    stride: usize,
) {
    let mut panel = 0;
    // A single row's sums wait for their own last addition: several panels at once hide that.
    const STREAMS: usize = 4;
    while rows == 1 && panel + STREAMS <= count {
        let strides =
            Strides { panels: 4 * panel_stride, initial: 0, out: WIDTH, rows: 4 * b_stride };
        // SAFETY: as below, for each of the panels.
        unsafe {
            let (b, to) = (b.add(panel * panel_stride), to.add(panel * WIDTH));
            tile_f32::row::<STREAMS, false>(a, depth, b.cast(), initial, to, strides);
        }
        panel += STREAMS;
    }
    while panel < count {
        // SAFETY: `panel` is below `count`, and the panels are in the scratch memory or are the
        // values themselves.
        unsafe {
            let factors = Factors { rows, depth, a, b: b.add(panel * panel_stride), b_stride };
            tile_f32::tile(&factors, initial, initial_stride, to.add(panel * WIDTH), stride);
        }
        panel += 1;
    }
}

/// Copies the scores of a tile, with `-inf` for masked keys.
///
/// # Safety
/// `scratch.rows` must contain `height` rows of scores. `to` must be valid for writes of `height`
/// rows of `keys` floats, which no other thread may access.
#[inline(always)]
unsafe fn copy_scores(height: usize, visible: usize, scratch: &Scratch, to: *mut f32, keys: usize) {
    let mut i = 0;
    while i < height {
        // SAFETY: `i` is below `height`, and `visible + i` is at most the number of keys.
        unsafe {
            let to = to.add(i * keys);
            copy(scratch.rows.add(i * scratch.keys_up), to, visible + i);
            fill(to, f32::NEG_INFINITY, visible + i, keys);
        }
        i += 1;
    }
}

/// The softmax of each row of a tile over its unmasked keys, with zeros up to the last row's
/// length.
///
/// # Safety
/// `scratch.rows` must contain `height` rows of scores, `visible` in the first and one more in each
/// further row.
#[inline(always)]
unsafe fn softmax(height: usize, visible: usize, scratch: &Scratch) {
    let mut i = 0;
    while i < height {
        // SAFETY: `i` is below `height`, and `visible + i` is at most the number of keys.
        unsafe {
            let row = scratch.rows.add(i * scratch.keys_up);
            rowwise::softmax(visible + i, row, row);
            fill(row, 0.0, visible + i, visible + height - 1);
        }
        i += 1;
    }
}

/// Copies the mixed values of a tile to the output.
///
/// # Safety
/// `scratch.mixed` must contain `height` rows of `width` floats. `to` must be valid for writes of
/// as many with a stride of `stride` floats, which no other thread may access.
#[inline(always)]
unsafe fn copy_mixed(height: usize, scratch: &Scratch, to: *mut f32, stride: usize, width: usize) {
    let mut i = 0;
    while i < height {
        // SAFETY: `i` is below `height`.
        unsafe { copy(scratch.mixed.add(i * scratch.width_up), to.add(i * stride), width) };
        i += 1;
    }
}
