//! The inner loops of the f32 product: what happens inside one tile, and one row against a few panels.
//!
//! Compiled into the modules of `module.rs`, with plain SIMD and with relaxed multiply-adds, and natively for tests.
//! Hence raw pointers, plain loops, and nothing from the standard library.
//!
//! Tile: 6 rows by 2 vectors. Its 12 sums, the 2 vectors of `b` and 1 value of `a` fill the 15 vector registers that
//! V8 hands out on x86-64; one more would spill. A step is 8 loads for 12 multiply-adds, enough of them in flight to
//! hide the latency of each: 54 GFLOP/s where two relaxed multiply-adds a cycle allow 55. The loads must stay between
//! the multiply-adds, just before their use. LLVM's scheduler would move them all to the front, and the flag
//! `-pre-RA-sched=source` (`.cargo/config.toml`, `build.rs`) keeps it from that; without it the tile reaches 31.
//!
//! One row alone waits for memory, not for arithmetic. Six panels are read side by side, because several streams keep more
//! cache lines on the way than one, and each goes on to the panel that lies behind its last, because what fetches ahead
//! of a stream must first see it run: 13.9 GB/s where reading alone reaches 13.8, four streams 13.1, four that begin anew
//! with every panel 11.5, one 8. Their 12 sums hide the latency of the additions.

use super::simd::F32x4;

/// Columns in a panel.
pub const WIDTH: usize = 8;
/// Rows of a full tile.
pub const ROWS: usize = 6;
/// Panels that one row is multiplied with side by side.
pub const STREAMS: usize = 6;

/// The factors of a tile: `a` `[depth, rows]` with at most [`ROWS`] rows, `b` `[depth, WIDTH]`, its rows `b_step` apart.
pub struct Factors {
    pub rows: usize,
    pub depth: usize,
    pub a: *const f32,
    pub b: *const f32,
    pub b_step: usize,
}

/// How far it is from one panel that is read side by side with others to the next: in bytes, in floats of what its sums
/// start from, in floats of where they go.
#[derive(Clone, Copy)]
pub struct Apart {
    pub panels: usize,
    pub from: usize,
    pub to: usize,
}

/// `to = from + a b`, row by row; the rows of `from` and of `to` lie as far apart as their strides say.
///
/// # Safety
/// `a` and `b` must be readable that far, and every row of `from` readable, of `to` writable for `WIDTH` floats.
#[inline(always)]
pub unsafe fn tile(factors: &Factors, from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
    // SAFETY: as the caller promises.
    unsafe {
        match factors.rows {
            6 => tile_of::<6>(factors, from, from_stride, to, to_stride),
            5 => tile_of::<5>(factors, from, from_stride, to, to_stride),
            4 => tile_of::<4>(factors, from, from_stride, to, to_stride),
            3 => tile_of::<3>(factors, from, from_stride, to, to_stride),
            2 => tile_of::<2>(factors, from, from_stride, to, to_stride),
            _ => tile_of::<1>(factors, from, from_stride, to, to_stride),
        }
    }
}

#[inline(always)]
unsafe fn tile_of<const M: usize>(
    factors: &Factors,
    from: *const f32,
    from_stride: usize,
    to: *mut f32,
    to_stride: usize,
) {
    let Factors { mut a, mut b, depth, b_step, .. } = *factors;
    // SAFETY: every address is inside `a`, `b`, `from` or `to`; the pointers end one past their arrays.
    unsafe {
        let mut sum = load_sums::<M>(from, from_stride);
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
            b = b.wrapping_add(b_step);
        }
        store_sums(&sum, to, to_stride);
    }
}

/// `to = from + x b` for one row `x` and `P` panels, whose numbers are halves or floats.
///
/// # Safety
/// `x`, each panel and `from` must be readable and `to` writable that far.
#[inline(always)]
pub unsafe fn row<const P: usize, const HALVES: bool>(
    mut x: *const f32,
    depth: usize,
    mut b: *const u8,
    from: *const f32,
    to: *mut f32,
    apart: Apart,
) {
    // SAFETY: every address is inside `x`, a panel, `from` or `to`; the pointers end one past their arrays.
    unsafe {
        let mut sum = load_sums::<P>(from, apart.from);
        for _ in 0..depth {
            let value = F32x4::load_splat(x);
            let mut p = 0;
            while p < P {
                let [left, right] = eight::<HALVES>(b.add(p * apart.panels));
                sum[p][0] = value.mul_add(left, sum[p][0]);
                sum[p][1] = value.mul_add(right, sum[p][1]);
                p += 1;
            }
            x = x.add(1);
            b = b.add(if HALVES { WIDTH * 2 } else { WIDTH * 4 });
        }
        store_sums(&sum, to, apart.to);
    }
}

/// One row of a panel.
#[inline(always)]
unsafe fn eight<const HALVES: bool>(from: *const u8) -> [F32x4; 2] {
    // SAFETY: as in `row`.
    unsafe {
        if HALVES {
            [F32x4::load_halves(from.cast()), F32x4::load_halves(from.cast::<u16>().add(4))]
        } else {
            [F32x4::load(from.cast()), F32x4::load(from.cast::<f32>().add(4))]
        }
    }
}

#[inline(always)]
unsafe fn load_sums<const N: usize>(from: *const f32, stride: usize) -> [[F32x4; 2]; N] {
    // SAFETY: the caller's rows have `WIDTH` floats each.
    core::array::from_fn(|i| unsafe {
        [F32x4::load(from.add(i * stride)), F32x4::load(from.add(i * stride + 4))]
    })
}

#[inline(always)]
unsafe fn store_sums<const N: usize>(sums: &[[F32x4; 2]; N], to: *mut f32, stride: usize) {
    for (i, sum) in sums.iter().enumerate() {
        // SAFETY: as in `load_sums`.
        unsafe {
            sum[0].store(to.add(i * stride));
            sum[1].store(to.add(i * stride + 4));
        }
    }
}
