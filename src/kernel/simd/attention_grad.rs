//! The gradients of causal attention, head by head.
//!
//! Compiled like `tile_f32.rs`, with the same restrictions.
//!
//! With the pattern `P`, the gradient `G` of the output and the factor `f` of the scores, a head's
//! gradients are `G vᵀ` of `P`, `S = P (G vᵀ - rowsum(P G vᵀ))` of the scores, `f S k` of the
//! queries, `f Sᵀ q` of the keys and `Pᵀ G` of the values. A worker packs a head's keys and values
//! once, as in `attention.rs`. Then [`BLOCK`] queries at a time get the rows of `P` and `S`, in
//! tiles of a few queries; the block's part of the last two sums follows, in tiles of as many keys.
//! Keys after a query are skipped, because their scores are constant.

use super::attention::{Attention, Heads, Part, multiply_tile};
use super::pack::interleave;
use super::panels::{copy, fill, pack_columns, pack_rows};
use super::rowwise;
use super::tile_f32::{MAX_ROWS, ROWS, WIDTH};

/// Queries whose part of the keys' and values' gradients is computed at once: whole tiles of 5 or 6.
const BLOCK: usize = 60;

/// `[batch, rows, heads, width]` with a contiguous last axis, written by the workers that take the
/// heads.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct HeadsMut {
    /// Valid for writes of every element of the shape.
    pub data: *mut f32,
    pub batch_stride: usize,
    pub row_stride: usize,
    pub head_stride: usize,
}

impl HeadsMut {
    /// The first row of a head.
    #[inline(always)]
    const fn of(&self, batch: usize, head: usize) -> *mut f32 {
        self.data.wrapping_add(batch * self.batch_stride + head * self.head_stride)
    }
}

/// The gradients of [`Attention`].
#[repr(C)]
pub struct AttentionGrad {
    /// What was computed. `pattern` has the gradient of the scores ([`Part::Scores`]) or the
    /// pattern ([`Part::Mix`]), only read; `out` gets the gradient of the pattern, in its shape
    /// ([`Part::Mix`]). Both are unused by [`Part::Whole`].
    pub of: Attention,
    /// The gradient of the output; unused by [`Part::Scores`].
    pub out: Heads,
    /// Unused by [`Part::Mix`], like `k`.
    pub q: HeadsMut,
    pub k: HeadsMut,
    /// Unused by [`Part::Scores`].
    pub v: HeadsMut,
}

impl AttentionGrad {
    /// Bytes of scratch memory that one worker needs: see [`Scratch`].
    pub const fn scratch_bytes(&self) -> usize {
        let Attention { keys, width, .. } = self.of;
        let (keys_up, width_up) = (keys.next_multiple_of(WIDTH), width.next_multiple_of(WIDTH));
        let panels = 2 * keys_up * width + keys * width_up;
        let sums = 2 * keys * width_up;
        let rows = 2 * BLOCK * keys_up + (BLOCK + MAX_ROWS) * width_up;
        4 * (WIDTH + panels + sums + rows + MAX_ROWS * longest(keys, width))
    }
}

/// The longest inner axis of a tile's left factor.
const fn longest(keys: usize, width: usize) -> usize {
    let longer = if keys > width { keys } else { width };
    if longer > BLOCK { longer } else { BLOCK }
}

/// The layout of a worker's scratch memory, which no other worker accesses.
struct Scratch {
    /// `[WIDTH]` zeros, the initial values of sums.
    zeros: *mut f32,
    /// Panels of the transposed keys and values: `[keys / WIDTH, width, WIDTH]` each.
    key_columns: *mut f32,
    value_columns: *mut f32,
    /// Panels of the keys: `[width / WIDTH, keys, WIDTH]`.
    key_rows: *mut f32,
    /// The gradients of keys and values: `[keys, width_up]` each.
    key_sums: *mut f32,
    value_sums: *mut f32,
    /// `P` and `S` of a block of queries: `[BLOCK, keys_up]` each.
    pattern: *mut f32,
    slopes: *mut f32,
    /// Panels of the queries or of `G`, of a block: `[width / WIDTH, BLOCK, WIDTH]`.
    right: *mut f32,
    /// The gradient of a tile's queries: `[rows, width_up]`.
    mixed: *mut f32,
    /// The packed left factor of a tile of at most [`MAX_ROWS`] rows: `[longest, rows]`.
    tile: *mut f32,
    keys_up: usize,
    width_up: usize,
}

impl Scratch {
    /// # Safety
    /// `zeros` must be valid for reads and writes of [`AttentionGrad::scratch_bytes`] bytes and
    /// aligned for f32.
    #[inline(always)]
    unsafe fn new(job: &AttentionGrad, zeros: *mut f32) -> Scratch {
        let Attention { keys, width, .. } = job.of;
        let (keys_up, width_up) = (keys.next_multiple_of(WIDTH), width.next_multiple_of(WIDTH));
        // SAFETY: the parts add up to `AttentionGrad::scratch_bytes`.
        unsafe {
            let key_columns = zeros.add(WIDTH);
            let value_columns = key_columns.add(keys_up * width);
            let key_rows = value_columns.add(keys_up * width);
            let key_sums = key_rows.add(keys * width_up);
            let value_sums = key_sums.add(keys * width_up);
            let pattern = value_sums.add(keys * width_up);
            let slopes = pattern.add(BLOCK * keys_up);
            let right = slopes.add(BLOCK * keys_up);
            let mixed = right.add(BLOCK * width_up);
            let tile = mixed.add(MAX_ROWS * width_up);
            Scratch {
                zeros,
                key_columns,
                value_columns,
                key_rows,
                key_sums,
                value_sums,
                pattern,
                slopes,
                right,
                mixed,
                tile,
                keys_up,
                width_up,
            }
        }
    }
}

/// Computes the gradients of the heads `first..last`, counted over the batch.
///
/// # Safety
/// The pointers of `job` must be valid for the sizes that its fields name, and `scratch` for reads
/// and writes of [`AttentionGrad::scratch_bytes`] bytes. No other thread may access `scratch`, or
/// the gradients of these heads.
pub unsafe fn heads(job: &AttentionGrad, first: usize, last: usize, scratch: *mut f32) {
    // SAFETY: as for this function; the head is below `last`.
    unsafe {
        let scratch = Scratch::new(job, scratch);
        fill(scratch.zeros, 0.0, 0, WIDTH);
        // Not a division: see `attention.rs`.
        let (mut batch, mut head) = (0, first);
        while head >= job.of.heads {
            (batch, head) = (batch + 1, head - job.of.heads);
        }
        let mut done = first;
        while done < last {
            head_gradients(job, &scratch, batch, head);
            (batch, head) =
                if head + 1 < job.of.heads { (batch, head + 1) } else { (batch + 1, 0) };
            done += 1;
        }
    }
}

/// # Safety
/// As for [`heads`], for one head.
#[inline(always)]
unsafe fn head_gradients(job: &AttentionGrad, scratch: &Scratch, batch: usize, head: usize) {
    let Attention { part, queries, keys, width, factor, q, k, v, .. } = job.of;
    let width_up = scratch.width_up;
    // SAFETY: as for `heads`. Blocks of queries are below `queries`; each step reads only what an
    // earlier one has written.
    unsafe {
        if part == Part::Whole {
            pack_columns(k.of(batch, head), k.row_stride, keys, width, scratch.key_columns);
        }
        if part != Part::Scores {
            pack_columns(v.of(batch, head), v.row_stride, keys, width, scratch.value_columns);
            fill(scratch.value_sums, 0.0, 0, keys * width_up);
        }
        if part != Part::Mix {
            pack_rows(k.of(batch, head), k.row_stride, keys, width, scratch.key_rows);
            fill(scratch.key_sums, 0.0, 0, keys * width_up);
        }
        let mut query = 0;
        while query < queries {
            let count = if queries - query < BLOCK { queries - query } else { BLOCK };
            // The keys that the block's last query attends to.
            let seen = if part == Part::Mix { keys } else { keys - queries + query + count };
            let mut done = 0;
            while done < count {
                let height = if count - done < ROWS { count - done } else { ROWS };
                rows(job, scratch, batch, head, query, done, height, seen);
                done += ROWS;
            }
            if part != Part::Scores {
                let grad = job.out.of(batch, head).add(query * job.out.row_stride);
                pack_rows(grad, job.out.row_stride, count, width, scratch.right);
                let pattern = ((batch * job.of.heads + head) * queries + query) * keys;
                let (pattern, stride) = if part == Part::Mix {
                    (job.of.pattern.add(pattern).cast_const(), keys)
                } else {
                    (scratch.pattern.cast_const(), scratch.keys_up)
                };
                accumulate(
                    pattern,
                    stride,
                    1.0,
                    seen,
                    count,
                    scratch.right,
                    scratch.tile,
                    scratch.value_sums,
                    width_up,
                );
            }
            if part != Part::Mix {
                let q_rows = q.of(batch, head).add(query * q.row_stride);
                pack_rows(q_rows, q.row_stride, count, width, scratch.right);
                accumulate(
                    scratch.slopes,
                    scratch.keys_up,
                    factor,
                    seen,
                    count,
                    scratch.right,
                    scratch.tile,
                    scratch.key_sums,
                    width_up,
                );
            }
            query += BLOCK;
        }
        let mut key = 0;
        while key < keys {
            if part != Part::Scores {
                let to = job.v.of(batch, head).add(key * job.v.row_stride);
                copy(scratch.value_sums.add(key * width_up), to, width);
            }
            if part != Part::Mix {
                let to = job.k.of(batch, head).add(key * job.k.row_stride);
                copy(scratch.key_sums.add(key * width_up), to, width);
            }
            key += 1;
        }
    }
}

/// The rows of `P` and `S` of `height` queries from `query + done` on, with zeros up to `seen`, and
/// the gradient of these queries.
///
/// # Safety
/// As for [`heads`]; the queries must be those of the block from `query` on.
#[expect(clippy::too_many_arguments, reason = "there is no stack that could hold a struct of them")]
#[inline(always)]
unsafe fn rows(
    job: &AttentionGrad,
    scratch: &Scratch,
    batch: usize,
    head: usize,
    query: usize,
    done: usize,
    height: usize,
    seen: usize,
) {
    let Attention { part, queries, keys, width, factor, q, .. } = job.of;
    let &Scratch { keys_up, width_up, tile, zeros, mixed, .. } = scratch;
    let first = query + done;
    let visible = keys - queries + first + 1; // number of keys before the first query's mask
    let end = if part == Part::Mix { keys } else { visible + height - 1 };
    // SAFETY: as for this function. A row has `visible + i` keys, at most `end`, at most `seen`.
    unsafe {
        let pattern = scratch.pattern.add(done * keys_up);
        let slopes = scratch.slopes.add(done * keys_up);
        let given = ((batch * job.of.heads + head) * queries + first) * keys;
        if part == Part::Whole {
            let from = q.of(batch, head).add(first * q.row_stride);
            interleave(height, from, q.row_stride, width, factor, tile);
            let (b, step, count) = (scratch.key_columns, width * WIDTH, end.div_ceil(WIDTH));
            multiply_tile(height, width, tile, b, step, WIDTH, count, zeros, 0, pattern, keys_up);
        }
        if part != Part::Scores {
            let from = job.out.of(batch, head).add(first * job.out.row_stride);
            interleave(height, from, job.out.row_stride, width, 1.0, tile);
            let (b, step, count) = (scratch.value_columns, width * WIDTH, end.div_ceil(WIDTH));
            multiply_tile(height, width, tile, b, step, WIDTH, count, zeros, 0, slopes, keys_up);
        }
        let mut i = 0;
        while i < height {
            let slopes = slopes.add(i * keys_up);
            match part {
                Part::Mix => copy(slopes, job.of.out.add(given + i * keys), keys),
                Part::Scores => copy(job.of.pattern.add(given + i * keys), slopes, visible + i),
                Part::Whole => {
                    let pattern = pattern.add(i * keys_up);
                    rowwise::softmax(visible + i, pattern, pattern);
                    rowwise::softmax_grad(visible + i, pattern, slopes, slopes);
                    fill(pattern, 0.0, visible + i, seen);
                }
            }
            if part != Part::Mix {
                fill(slopes, 0.0, visible + i, seen);
            }
            i += 1;
        }
        if part != Part::Mix {
            interleave(height, slopes, keys_up, end, factor, tile);
            let (b, step, count) = (scratch.key_rows, keys * WIDTH, width_up / WIDTH);
            multiply_tile(height, end, tile, b, step, WIDTH, count, zeros, 0, mixed, width_up);
            let mut i = 0;
            while i < height {
                let to = job.q.of(batch, head).add((first + i) * job.q.row_stride);
                copy(mixed.add(i * width_up), to, width);
                i += 1;
            }
        }
    }
}

/// `sums += factor leftᵀ right`, in tiles of [`ROWS`] keys, not inlined: the code serves keys and
/// values.
///
/// # Safety
/// `left` must be valid for reads of `depth` rows of `keys` floats with a stride of `stride`
/// floats, and `right` for reads of `width_up / WIDTH` panels of `depth` rows; `tile` for reads and
/// writes of `depth * ROWS` floats, and `sums` of `keys` rows of `width_up` floats. No other thread
/// may access the latter two.
#[expect(clippy::too_many_arguments, reason = "there is no stack that could hold a struct of them")]
#[inline(never)]
unsafe fn accumulate(
    left: *const f32,
    stride: usize,
    factor: f32,
    keys: usize,
    depth: usize,
    right: *const f32,
    tile: *mut f32,
    sums: *mut f32,
    width_up: usize,
) {
    let mut key = 0;
    while key < keys {
        let height = if keys - key < ROWS { keys - key } else { ROWS };
        // SAFETY: `key + i` is below `keys`, `row` below `depth`, and `column` below `width_up`.
        unsafe {
            let mut row = 0;
            while row < depth {
                let mut i = 0;
                while i < height {
                    *tile.add(row * height + i) = *left.add(row * stride + key + i) * factor;
                    i += 1;
                }
                row += 1;
            }
            let mut column = 0;
            while column < width_up {
                let (b, sums) = (right.add(column * depth), sums.add(key * width_up + column));
                multiply_tile(height, depth, tile, b, 0, WIDTH, 1, sums, width_up, sums, width_up);
                column += WIDTH;
            }
        }
        key += ROWS;
    }
}
