//! Loops over rows in plain Rust, for backward passes: they run natively on several threads.

/// A buffer of `len` zeros whose rows of `width` are filled by `fill(row number, row)`, on as
/// many threads as candle uses when there is enough to do. Every row is computed alone, so the number of cores never
/// changes a bit.
pub(super) fn fill_rows(
    len: usize,
    width: usize,
    fill: impl Fn(usize, &mut [f32]) + Sync,
) -> Vec<f32> {
    const WORTH_A_THREAD: usize = 1 << 16;
    let mut out = vec![0f32; len];
    let cores = candle_core::utils::get_num_threads().min(len / WORTH_A_THREAD + 1);
    let part = (len / width).div_ceil(cores).max(1);
    let fill_part = |first: usize, rows: &mut [f32]| {
        rows.chunks_exact_mut(width).enumerate().for_each(|(i, row)| fill(first + i, row));
    };
    std::thread::scope(|scope| {
        let mut parts = out.chunks_mut(part * width).enumerate();
        let own = parts.next();
        for (i, rows) in parts {
            let fill_part = &fill_part;
            scope.spawn(move || fill_part(i * part, rows));
        }
        if let Some((_, rows)) = own {
            fill_part(0, rows);
        }
    });
    out
}

/// Adds `row` to `sum`, element by element.
pub(super) fn add_to(sum: &mut [f32], row: &[f32]) {
    sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
}

/// Partial results side by side. The compiler may not reorder a sum of floats, so a single running total would execute one
/// addition at a time.
const LANES: usize = 16;

/// The mean of a row.
pub(super) fn mean(row: &[f32]) -> f32 {
    sum(row, |x| x) / row.len() as f32
}

/// The sum of `f(x)` over a row.
pub(super) fn sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest: f32 = chunks.remainder().iter().map(|&x| f(x)).sum();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// The sum of `f(a, b)` over two rows of equal length.
pub(super) fn sum_pairs(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    let rest: f32 = rest.map(|(&a, &b)| f(a, b)).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += f(a, b);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// The maximum of a row; `-inf` for an empty one.
pub(super) fn max(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest = chunks.remainder().iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = if x > *lane { x } else { *lane };
        }
    }
    lanes.into_iter().fold(rest, f32::max)
}

/// e^x (0 below -87) to 2 units in the last place without a branch or a call, so that loops over it become SIMD:
/// x = n ln 2 + r, a polynomial for e^r (the coefficients of Cephes' expf), and n into the exponent.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding and subtracting it rounds to an integer
    let tiny = x < -87.0;
    let x = x.clamp(-87.0, 88.0);
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = x - n * (355.0 / 512.0) + n * 2.121_944_4e-4; // ln 2 in two parts
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let power = (p * r * r + r + 1.0) * f32::from_bits(((n as i32 + 127) << 23) as u32);
    if tiny { 0.0 } else { power }
}

#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}
