//! Loops over rows in plain Rust, for backward passes: they run natively on several threads.

/// A buffer of `len` zeros whose rows of `width` are filled by `fill(row number, row)`, on up to as
/// many threads as candle uses. Every row is computed by one thread, so the number of threads
/// changes no bit.
pub(super) fn fill_rows(
    len: usize,
    width: usize,
    fill: impl Fn(usize, &mut [f32]) + Sync,
) -> Vec<f32> {
    const MIN_LEN_PER_THREAD: usize = 1 << 16;
    let mut out = vec![0f32; len];
    let cores = candle_core::utils::get_num_threads().min(len / MIN_LEN_PER_THREAD + 1);
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

/// Partial results side by side. The compiler may not reorder a sum of floats, so a single running
/// total would execute one addition at a time.
const LANES: usize = 16;

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
