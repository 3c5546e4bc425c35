//! The kernels against plain loops in f64, over sizes that no tile divides; natively and in the browser.

#[macro_use]
#[path = "common/kernels.rs"]
mod kernels;

use std::ops::Range;

use candle_core::{Device, Tensor};
use candlescope::Activation;
use candlescope::kernel::{self, Axes, Backend, Matrix, WeightFormat};

use kernels::{
    ATTENDED, SIZES, assert_close, assert_near, attended, build, flat, numbers, packed, tensor,
};

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

facts! {
    fn a_packed_product_is_the_sum_over_the_inner_axis() {
        for [rows, inner, columns] in SIZES {
            let (x, w, bias) = (numbers(rows * inner, 1), numbers(inner * columns, 2), numbers(columns, 3));
            let found = kernel::linear(&tensor(&x, &[rows, inner]), &packed(&w, [inner, columns]), &tensor(&bias, &[columns]));
            let expected = product(&x, &w, [rows, inner, columns], |column| bias[column]);
            assert_close(&flat(&found.unwrap()), &expected, inner);
        }
    }

    fn a_product_in_fewer_bits_is_that_of_the_rounded_numbers() {
        for format in [WeightFormat::F16, WeightFormat::Q8, WeightFormat::Q4] {
            for [rows, inner, columns] in SIZES {
                let (x, w, bias) = (numbers(rows * inner, 1), numbers(inner * columns, 2), numbers(columns, 3));
                let matrix = build(&w, [inner, columns], Axes::InOut, format);
                let found = kernel::linear(&tensor(&x, &[rows, inner]), &matrix, &tensor(&bias, &[columns]));
                let w = flat(&matrix.tensor(Axes::InOut).unwrap());
                let x = match format {
                    WeightFormat::Q8 => in_7_bits(&x, inner, 64),
                    WeightFormat::Q4 => in_7_bits(&x, inner, 32),
                    _ => x,
                };
                let expected = product(&x, &w, [rows, inner, columns], |column| bias[column]);
                // Sums of a block's weights are f16. Each rounds by at most 2⁻¹¹ of the block, times a minimum below 1.
                let block = match format { WeightFormat::F16 => 0.0, WeightFormat::Q8 => 64.0, _ => 32.0 };
                let slack = if block > 0.0 { (inner as f64 / block).ceil() * block / 2048.0 } else { 0.0 };
                assert_near(&flat(&found.unwrap()), &expected, inner as f64 * 4.0 * f64::from(f32::EPSILON) + slack);
            }
        }
    }

    /// Each number changes by at most half a step.
    fn fewer_bits_round_to_the_nearest_number() {
        for [_, inner, columns] in SIZES {
            let w = numbers(inner * columns, 4);
            // Numbers are below 1. f16 has 11 bits; steps are 1/127 and 1/8. With 4 bits, a number may be clamped to 7 of 8 steps.
            for (format, step) in [(WeightFormat::F16, 1.0 / 2048.0), (WeightFormat::Q8, 1.0 / 127.0), (WeightFormat::Q4, 2.01 / 8.0)] {
                let found = flat(&build(&w, [inner, columns], Axes::InOut, format).tensor(Axes::InOut).unwrap());
                let expected: Vec<f64> = w.iter().map(|number| f64::from(*number)).collect();
                assert_near(&found, &expected, step / 2.0 + 1e-6);
            }
        }
    }

    fn every_finite_half_is_read_as_its_value() {
        for bits in (0..=u16::MAX).filter(|bits| bits & 0x7C00 != 0x7C00) {
            let expected = half::f16::from_bits(bits).to_f32();
            assert_eq!(kernel::finite_halves([bits; 4]).map(f32::to_bits), [expected.to_bits(); 4]);
        }
    }

    fn nan_and_infinity_give_products_that_are_not_finite() {
        for format in [WeightFormat::F32, WeightFormat::F16, WeightFormat::Q8, WeightFormat::Q4] {
            let (inner, columns) = (70, 9);
            let matrix = build(&numbers(inner * columns, 5), [inner, columns], Axes::InOut, format);
            let mut x = numbers(2 * inner, 6);
            (x[3], x[inner + 66]) = (f32::NAN, f32::INFINITY);
            let found = flat(&kernel::matmul(&tensor(&x, &[2, inner]), &matrix).unwrap());
            assert!(found.iter().all(|number| !number.is_finite()), "{format:?}: {found:?}");
        }
    }

    fn a_matrix_packed_by_columns_is_its_transpose_packed_by_rows() {
        for [_, inner, columns] in SIZES {
            let w = numbers(inner * columns, 4);
            let transposed: Vec<f32> =
                (0..columns).flat_map(|column| (0..inner).map(move |row| (row, column))).map(|(row, column)| w[row * columns + column]).collect();
            for format in [WeightFormat::F32, WeightFormat::F16, WeightFormat::Q8] {
                let by_columns = build(&transposed, [columns, inner], Axes::OutIn, format);
                let by_rows = build(&w, [inner, columns], Axes::InOut, format);
                for axes in [Axes::InOut, Axes::OutIn] {
                    assert_eq!(flat(&by_columns.tensor(axes).unwrap()), flat(&by_rows.tensor(axes).unwrap()));
                }
            }
            let matrix = build(&transposed, [columns, inner], Axes::OutIn, WeightFormat::F32);
            assert_eq!(flat(&matrix.tensor(Axes::InOut).unwrap()), w);
            assert_eq!(flat(&matrix.tensor(Axes::OutIn).unwrap()), transposed);
        }
    }

    /// Decoding with the key/value cache therefore has the bits of a run over the whole text.
    fn a_single_row_has_the_bits_that_it_has_among_others() {
        for [rows, inner, columns] in SIZES {
            let x = numbers(rows * inner, 5);
            for format in [WeightFormat::F32, WeightFormat::F16, WeightFormat::Q8, WeightFormat::Q4] {
                let matrix = build(&numbers(inner * columns, 6), [inner, columns], Axes::InOut, format);
                let together = flat(&kernel::matmul(&tensor(&x, &[rows, inner]), &matrix).unwrap());
                let alone = x.chunks(inner).flat_map(|row| flat(&kernel::matmul(&tensor(row, &[1, inner]), &matrix).unwrap()));
                assert_eq!(together, alone.collect::<Vec<_>>());
            }
        }
    }

    fn rows_columns_and_embeddings_are_parts_of_the_matrix() {
        let (inner, columns) = (21, 19);
        let w = tensor(&numbers(inner * columns, 10), &[inner, columns]);
        let matrix = packed(&flat(&w), [inner, columns]);
        let part = |matrix: Matrix| flat(&matrix.tensor(Axes::InOut).unwrap());
        assert_eq!(part(matrix.rows(3..9).unwrap()), flat(&w.narrow(0, 3, 6).unwrap()));
        assert_eq!(part(matrix.columns(5..18).unwrap()), flat(&w.narrow(1, 5, 13).unwrap()));
        let ids = Tensor::new(&[[18u32, 0], [7, 7]], &Device::Cpu).unwrap();
        let found = matrix.embedding(&ids).unwrap();
        assert_eq!(found.dims(), [2, 2, inner]);
        let plain = Matrix::plain(w, Axes::InOut).unwrap();
        assert_eq!(flat(&found), flat(&plain.embedding(&ids).unwrap()));
    }

    /// The tolerance is a few roundings; the sum of a row rounds once for each number of a lane.
    fn row_operations_are_their_formulas() {
        for (rows, width) in [(1, 1), (3, 3), (2, 4), (5, 17), (2, 64), (3, 1000), (1, 50_257)] {
            let x: Vec<f32> = numbers(rows * width, 20).iter().map(|x| 6.0 * x).collect();
            let tensor_of_x = tensor(&x, &[rows, width]);
            let slack = 1e-6 * (width as f64).sqrt().max(8.0);
            let each = |f: &dyn Fn(&[f32]) -> Vec<f64>| x.chunks(width).flat_map(f).collect::<Vec<f64>>();
            let check = |found: &Tensor, expected: Vec<f64>| assert_near(&flat(found), &expected, slack);

            let gelu = |x: f64| x / 2.0 * (1.0 + (std::f64::consts::FRAC_2_PI.sqrt() * (x + 0.044_715 * x.powi(3))).tanh());
            let found = kernel::activation(&tensor_of_x, Activation::GeluNew).unwrap();
            check(&found, each(&|row| row.iter().map(|x| gelu(f64::from(*x))).collect()));

            let found = kernel::softmax(&tensor_of_x).unwrap();
            let softmax = |row: &[f32], total: f64| row.iter().map(|x| (f64::from(*x) - total).exp()).collect();
            check(&found, each(&|row| softmax(row, log_sum_exp(row))));
            for row in x.chunks(width) {
                assert!((kernel::log_sum_exp(row) - log_sum_exp(row)).abs() < slack);
            }

            let scales = kernel::scale(&tensor_of_x, 1e-5).unwrap();
            check(&scales, each(&|row| vec![mean_and_scale(row).1]));
            let found = kernel::normalize(&tensor_of_x, &scales).unwrap();
            // A single number is its own mean, so the scale is small, and the rounding error is divided by it.
            let normalized = each(&|row| {
                let (mean, scale) = mean_and_scale(row);
                row.iter().map(|x| (f64::from(*x) - mean) / scale).collect()
            });
            check(&found, normalized.clone());

            let (weight, bias) = (numbers(width, 21), numbers(width, 22));
            let found = kernel::affine(&found, &tensor(&weight, &[width]), &tensor(&bias, &[width])).unwrap();
            let affine = |(i, x): (usize, &f64)| x * f64::from(weight[i % width]) + f64::from(bias[i % width]);
            check(&found, normalized.iter().enumerate().map(affine).collect());
        }
    }

    fn large_and_infinite_numbers_give_the_limits_of_their_formulas() {
        let x = tensor(&[f32::NEG_INFINITY, -1e30, -100.0, 0.0, 100.0, 1e30, f32::MAX], &[1, 7]);
        let found = flat(&kernel::activation(&x, Activation::GeluNew).unwrap());
        assert_eq!(found[1..], [0.0, 0.0, 0.0, 100.0, 1e30, f32::MAX]);
        let scores = tensor(&[f32::NEG_INFINITY, -1e30, 3.0, 3.0, f32::NEG_INFINITY], &[1, 5]);
        assert_eq!(flat(&kernel::softmax(&scores).unwrap()), [0.0, 0.0, 0.5, 0.5, 0.0]);
        assert!(flat(&kernel::softmax(&tensor(&[1.0, f32::NAN], &[1, 2])).unwrap()).iter().all(|p| p.is_nan()));
    }

    /// A run therefore has the same bits whether its scores and patterns are captured or not.
    fn attention_in_one_pass_has_the_bits_of_its_parts() {
        for (queries, keys) in ATTENDED {
            for width in [10, 12, 16] {
                let [q, k, v] = attended(queries, keys, width);
                let pattern = kernel::softmax(&kernel::attention_scores(&q, &k, 4.0).unwrap()).unwrap();
                let parts = flat(&kernel::attention_mix(&pattern, &v).unwrap());
                assert_eq!(flat(&kernel::attention(&q, &k, &v, 4.0).unwrap()), parts);
                // A single query has the bits that it has among others.
                let (last, earlier) = (q.narrow(1, queries - 1, 1).unwrap(), parts.len() / queries * (queries - 1));
                if q.dim(0).unwrap() == 1 {
                    assert_eq!(flat(&kernel::attention(&last, &k, &v, 4.0).unwrap()), parts[earlier..]);
                }
            }
        }
    }

    fn a_weight_above_the_diagonal_counts() {
        let pattern = tensor(&[0.0, 1.0, 0.5, 0.5], &[1, 1, 2, 2]);
        let v = tensor(&[1.0, 10.0, 2.0, 20.0], &[1, 2, 1, 2]);
        assert_eq!(flat(&kernel::attention_mix(&pattern, &v).unwrap()), [2.0, 20.0, 1.5, 15.0]);
    }

    fn keys_may_be_views_of_a_longer_buffer() {
        let (q, buffer) = (tensor(&numbers(2 * 3 * 4, 14), &[1, 3, 2, 4]), tensor(&numbers(2 * 8 * 4, 15), &[1, 2, 8, 4]));
        let view = buffer.narrow(2, 0, 5).unwrap().transpose(1, 2).unwrap();
        let copy = view.contiguous().unwrap();
        let scores = |k| flat(&kernel::attention_scores(&q, k, 2.0).unwrap());
        assert_eq!(scores(&view), scores(&copy));
        let pattern = tensor(&numbers(2 * 3 * 5, 16), &[1, 2, 3, 5]);
        let mix = |v| flat(&kernel::attention_mix(&pattern, v).unwrap());
        assert_eq!(mix(&view), mix(&copy));
        let whole = |kv| flat(&kernel::attention(&q, kv, kv, 2.0).unwrap());
        assert_eq!(whole(&view), whole(&copy));
    }
}

/// Sums of products of bytes are exact, with whatever instruction.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen_test::wasm_bindgen_test]
fn the_dot_instruction_changes_no_bit() {
    for [rows, inner, columns] in SIZES {
        let x = tensor(&numbers(rows * inner, 21), &[rows, inner]);
        for format in [WeightFormat::Q8, WeightFormat::Q4] {
            let matrix =
                build(&numbers(inner * columns, 22), [inner, columns], Axes::InOut, format);
            let [with, without] = [Backend::RelaxedDot, Backend::Relaxed].map(|backend| {
                assert!(kernel::select_backend(backend));
                flat(&kernel::matmul(&x, &matrix).unwrap())
            });
            assert_eq!(with, without);
        }
    }
}

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen_test::wasm_bindgen_test]
fn the_relaxed_kernels_are_used_if_the_browser_has_relaxed_simd() {
    assert!(kernel::select_backend(Backend::Relaxed));
    assert_eq!(kernel::backend(), Backend::Relaxed);
    assert!(kernel::select_backend(Backend::Simd));
    assert_eq!(kernel::backend(), Backend::Simd);
}

/// `x` `[.., inner]` in 128 steps between the minimum and the maximum of each block.
fn in_7_bits(x: &[f32], inner: usize, block: usize) -> Vec<f32> {
    let round = |numbers: &[f32]| -> Vec<f32> {
        let min = numbers.iter().copied().fold(f32::INFINITY, f32::min);
        let scale = (numbers.iter().copied().fold(f32::NEG_INFINITY, f32::max) - min) / 127.0;
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        numbers.iter().map(|x| ((x - min) * inverse).round_ties_even() * scale + min).collect()
    };
    x.chunks(inner).flat_map(|row| row.chunks(block).flat_map(round).collect::<Vec<_>>()).collect()
}

fn product(
    x: &[f32],
    w: &[f32],
    [rows, inner, columns]: [usize; 3],
    bias: impl Fn(usize) -> f32,
) -> Vec<f64> {
    let sum = |row: usize, column: usize| -> f64 {
        (0..inner).map(|i| f64::from(x[row * inner + i]) * f64::from(w[i * columns + column])).sum()
    };
    let elements = |row: usize| (Range { start: 0, end: columns }).map(move |column| (row, column));
    (0..rows)
        .flat_map(elements)
        .map(|(row, column)| sum(row, column) + f64::from(bias(column)))
        .collect()
}

fn log_sum_exp(row: &[f32]) -> f64 {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    f64::from(top) + row.iter().map(|x| f64::from(x - top).exp()).sum::<f64>().ln()
}

fn mean_and_scale(row: &[f32]) -> (f64, f64) {
    let count = row.len() as f64;
    let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / count;
    (mean, (row.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / count + 1e-5).sqrt())
}
