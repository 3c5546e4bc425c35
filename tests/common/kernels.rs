//! Sizes, operands and comparisons for tests of the kernels.
#![allow(dead_code)] // every test file uses a part of this

use candle_core::{Device, Tensor};
use candlescope::kernel::{Axes, Matrix, MatrixBuilder, WeightFormat};

/// Tests that run with every instruction set, natively and in the browser.
macro_rules! facts {
    ($($(#[$doc:meta])* fn $name:ident() $body:block)*) => {$(
        $(#[$doc])*
        #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
        #[cfg_attr(not(target_arch = "wasm32"), test)]
        fn $name() {
            for backend in [Backend::Simd, Backend::Relaxed, Backend::RelaxedDot] {
                if kernel::select_backend(backend) $body
            }
        }
    )*};
}

/// `[rows, inner, columns]`: one row, a tile less one, a tile and one, more than a group of tiles, more than one
/// depth, more than six panels and some, three groups; more than one depth of columns for a transposed product, also with groups.
pub const SIZES: [[usize; 3]; 13] = [
    [1, 1, 1],
    [1, 37, 33],
    [2, 3, 8],
    [5, 16, 7],
    [6, 12, 17],
    [7, 513, 9],
    [13, 1030, 41],
    [265, 5, 12],
    [271, 515, 3],
    [1, 130, 203],
    [530, 9, 50],
    [7, 41, 515],
    [270, 9, 1030],
];

/// Queries and keys: one of each, more keys, as many, a tile less one, a tile, a tile and one, panels that are not full, more than one
/// block of queries.
pub const ATTENDED: [(usize, usize); 10] =
    [(1, 1), (1, 9), (5, 5), (6, 13), (7, 16), (19, 19), (40, 41), (3, 530), (61, 61), (70, 131)];

/// Queries, keys and values of three heads; those of a few are two texts.
pub fn attended(queries: usize, keys: usize, width: usize) -> [Tensor; 3] {
    let (batch, heads) = (if keys < 10 { 2 } else { 1 }, 3);
    [(queries, 11), (keys, 12), (keys, 13)].map(|(rows, seed)| {
        tensor(&numbers(batch * rows * heads * width, seed), &[batch, rows, heads, width])
    })
}

pub fn packed(values: &[f32], shape: [usize; 2]) -> Matrix {
    build(values, shape, Axes::InOut, WeightFormat::F32)
}

/// Pushes row by row, except for a first piece of two and a half rows.
pub fn build(values: &[f32], shape: [usize; 2], axes: Axes, format: WeightFormat) -> Matrix {
    let mut builder = MatrixBuilder::new(shape, axes, format).unwrap();
    let (mut at, mut end) = (0, 2 * shape[1] + shape[1] / 2);
    while at < values.len() {
        at += builder.push(&values[at..end.min(values.len())]);
        end += shape[1];
    }
    builder.finish().unwrap()
}

/// Pseudo-random numbers between -1 and 1, the same on every machine.
pub fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / (1u32 << 31) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

pub fn tensor(values: &[f32], shape: &[usize]) -> Tensor {
    Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
}

pub fn flat(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

/// The tolerance of sums of `terms` products below 1 in f32, in any order: each addition rounds by at most 2⁻²⁴ of the
/// largest sum.
pub fn assert_close<N: Copy + Into<f64>>(found: &[f32], expected: &[N], terms: usize) {
    assert_near(found, expected, terms as f64 * f64::from(f32::EPSILON));
}

pub fn assert_near<N: Copy + Into<f64>>(found: &[f32], expected: &[N], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let (found, expected) = (f64::from(*found), (*expected).into());
        assert!(
            found == expected || (found - expected).abs() <= tolerance,
            "number {index} is {found}, expected {expected}"
        );
    }
}
