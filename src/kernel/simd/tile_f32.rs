//! The f32 micro-kernels: one tile of a matrix product, and one row times several panels (a
//! matrix-vector product).
//!
//! Compiled into the wasm modules of `module.rs`, with plain SIMD and with relaxed multiply-adds,
//! and natively for tests. The code therefore uses raw pointers and plain loops and nothing from
//! the standard library.
//!
//! # Tiles
//!
//! V8 allocates 15 vector registers on x86-64; one more value would spill.
//!
//! - With relaxed SIMD, a tile has 6 rows of 2 vectors: 12 accumulators, 2 vectors of `b` and 1 value
//!   of `a`. An iteration issues 8 loads and 12 multiply-adds, enough to hide the latency of the
//!   multiply-adds: 48 GFLOP/s of the 51 that two multiply-adds per cycle allow.
//! - With plain SIMD, each product is one more value, so 6 rows spill: 25 GFLOP/s. A tile has 5
//!   rows, 10 accumulators: 41 GFLOP/s. (4 rows: 40; 5 rows unrolled by two: 32.)
//!
//! Each load must stay directly before its use, with a constant offset. LLVM's scheduler would hoist all
//! loads to the top of the loop, and its loop strength reduction would compute the address of each
//! load by an addition; `-pre-RA-sched=source` and `-disable-lsr` (`build.rs`) prevent both. Without
//! the first, the relaxed tile reaches 31 of 54 GFLOP/s; without the second, the plain one 37 of 41.
//! (256 rows by 768 by 3072 on an EPYC at 3.2 GHz, 2026-11.)
//!
//! # Single rows
//!
//! A single row is limited by memory bandwidth. It reads six panels at once, because several
//! streams keep more cache lines in flight than one, and each stream continues with the panel that
//! follows its last one in memory, because the hardware prefetcher needs a running stream: 13.9
//! GB/s, with 13.8 for a plain read loop, 13.1 for four streams, 11.5 for four streams that restart
//! at every panel, and 8 for one. (Xeon at 2.8 GHz, 2026-11.)

use super::vector::{BACKEND, Backend, F32x4, Float, Vector};

/// Columns of a panel.
pub const WIDTH: usize = 8;
/// Rows of a full tile with the instruction set of this compilation.
pub const ROWS: usize = rows(BACKEND);
/// Rows of a full tile at most.
pub const MAX_ROWS: usize = 6;
/// Panels that one row is multiplied with at once.
pub const STREAMS: usize = 6;

/// Rows of a full tile.
pub const fn rows(backend: Backend) -> usize {
    match backend {
        Backend::Simd => 5,
        Backend::Relaxed | Backend::RelaxedDot => MAX_ROWS,
    }
}

/// The factors of a tile.
pub struct Factors {
    /// Rows of `a`, at most [`ROWS`].
    pub rows: usize,
    /// The length of the inner axis.
    pub depth: usize,
    /// `[depth, rows]`: `depth * rows` floats.
    pub a: *const f32,
    /// `[depth, WIDTH]`: `depth` rows of `WIDTH` floats, with a stride of `b_stride` floats.
    pub b: *const f32,
    pub b_stride: usize,
}

/// The strides between the panels that are read at once.
#[derive(Clone, Copy)]
pub struct Strides {
    /// From one panel to the next, in bytes.
    pub panels: usize,
    /// Between the initial values of their sums, in floats.
    pub initial: usize,
    /// Between their outputs, in floats.
    pub out: usize,
    /// Between the rows of a panel, in bytes.
    pub rows: usize,
}

/// `out = initial + a b`, with row strides in floats.
///
/// # Safety
/// `factors.a` and `factors.b` must be valid for reads of the sizes that their fields name.
/// `initial` must be valid for reads and `out` for writes of `factors.rows` rows of `WIDTH` floats
/// with their strides; they may be the same rows. No other thread may access the rows of `out`.
#[inline(always)]
pub unsafe fn tile(
    factors: &Factors,
    initial: *const f32,
    initial_stride: usize,
    out: *mut f32,
    out_stride: usize,
) {
    // SAFETY: the caller guarantees `rows` rows, and each arm accesses as many.
    unsafe {
        match factors.rows {
            rows if rows == ROWS => {
                tile_of::<ROWS>(factors, initial, initial_stride, out, out_stride)
            }
            5 if ROWS > 5 => tile_of::<5>(factors, initial, initial_stride, out, out_stride),
            4 => tile_of::<4>(factors, initial, initial_stride, out, out_stride),
            3 => tile_of::<3>(factors, initial, initial_stride, out, out_stride),
            2 => tile_of::<2>(factors, initial, initial_stride, out, out_stride),
            _ => tile_of::<1>(factors, initial, initial_stride, out, out_stride),
        }
    }
}

/// # Safety
/// As for [`tile`], with `M` rows.
#[inline(always)]
unsafe fn tile_of<const M: usize>(
    factors: &Factors,
    initial: *const f32,
    initial_stride: usize,
    out: *mut f32,
    out_stride: usize,
) {
    let Factors { mut a, mut b, depth, b_stride, .. } = *factors;
    // SAFETY: as for `tile` with `M` rows. Iteration `d` reads row `d` of `a` and of `b`; `a` ends
    // one past its array, and `b` may end beyond it, hence `wrapping_add`.
    unsafe {
        let mut sum = load_sums::<M>(initial, initial_stride);
        for _ in 0..depth {
            let (left, right) = (F32x4::load(b), F32x4::load(b.add(4)));
            let mut i = 0;
            while i < M {
                let x = F32x4::load_splat(a.add(i));
                sum[i][0] = x.mul_add(left, sum[i][0]);
                sum[i][1] = x.mul_add(right, sum[i][1]);
                i += 1;
            }
            a = a.add(M);
            b = b.wrapping_add(b_stride);
        }
        store_sums(&sum, out, out_stride);
    }
}

/// `out = initial + x b` for one row `x` and `P` panels in f16 (`HALVES`) or f32.
///
/// # Safety
/// `x` must be valid for reads of `depth` floats. Panel `p` starts at `b + p * strides.panels` and
/// must be valid for reads of `depth` rows of `WIDTH` numbers. `WIDTH` floats must be readable at `initial
/// + p * strides.initial` and writable at `out + p * strides.out`. No other thread may access those
/// of `out`.
#[inline(always)]
pub unsafe fn row<const P: usize, const HALVES: bool>(
    mut x: *const f32,
    depth: usize,
    mut b: *const u8,
    initial: *const f32,
    out: *mut f32,
    strides: Strides,
) {
    // SAFETY: the caller guarantees the sizes. Iteration `d` reads element `d` of `x` and row `d`
    // of each panel; `x` ends one past its array, and `b` may end beyond it, hence `wrapping_add`.
    unsafe {
        let mut sum = load_sums::<P>(initial, strides.initial);
        for _ in 0..depth {
            let value = F32x4::load_splat(x);
            let mut p = 0;
            while p < P {
                let [left, right] = load_row::<HALVES>(b.add(p * strides.panels));
                sum[p][0] = value.mul_add(left, sum[p][0]);
                sum[p][1] = value.mul_add(right, sum[p][1]);
                p += 1;
            }
            x = x.add(1);
            b = b.wrapping_add(strides.rows);
        }
        store_sums(&sum, out, strides.out);
    }
}

/// One row of a panel.
///
/// # Safety
/// `from` must be valid for reads of `WIDTH` numbers in f16 (`HALVES`) or f32.
#[inline(always)]
unsafe fn load_row<const HALVES: bool>(from: *const u8) -> [F32x4; 2] {
    // SAFETY: the caller guarantees 8 readable numbers, of 2 or 4 bytes.
    unsafe {
        if HALVES {
            [F32x4::load_halves(from.cast()), F32x4::load_halves(from.cast::<u16>().add(4))]
        } else {
            [F32x4::load(from.cast()), F32x4::load(from.cast::<f32>().add(4))]
        }
    }
}

/// # Safety
/// `from` must be valid for reads of `N` rows of `WIDTH` floats with a stride of `stride` floats.
#[inline(always)]
pub unsafe fn load_sums<const N: usize>(from: *const f32, stride: usize) -> [[F32x4; 2]; N] {
    // SAFETY: the caller guarantees `N` rows of `WIDTH` floats, and `i` is below `N`.
    core::array::from_fn(|i| unsafe {
        [F32x4::load(from.add(i * stride)), F32x4::load(from.add(i * stride + 4))]
    })
}

/// # Safety
/// `to` must be valid for writes of `N` rows of `WIDTH` floats with a stride of `stride` floats,
/// and no other thread may access them.
#[inline(always)]
pub unsafe fn store_sums<const N: usize>(sums: &[[F32x4; 2]; N], to: *mut f32, stride: usize) {
    for (i, sum) in sums.iter().enumerate() {
        // SAFETY: the caller guarantees `N` rows of `WIDTH` floats, and `i` is below `N`.
        unsafe {
            sum[0].store(to.add(i * stride));
            sum[1].store(to.add(i * stride + 4));
        }
    }
}
