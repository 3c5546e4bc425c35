//! The backward passes of the kernels against candle's gradients of the same formulas; natively and in the browser.

#[macro_use]
#[path = "common/kernels.rs"]
mod kernels;

use candle_core::{D, Tensor, Var};
use candlescope::kernel::{self, Axes, Backend, Matrix, WeightFormat};

use kernels::{ATTENDED, SIZES, assert_close, attended, build, flat, numbers, tensor};

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

facts! {
    /// The plain matrix has the numbers that the packed one represents.
    fn the_gradient_of_a_packed_product_is_that_of_the_plain_one() {
        for [rows, inner, columns] in SIZES {
            let w = numbers(inner * columns, 7);
            let x = Var::from_tensor(&tensor(&numbers(rows * inner, 8), &[1, rows, inner])).unwrap();
            let weights = numbers(rows * columns, 9);
            // All rows, all but every third, and none.
            for filled in [|_| true, |row| row % 3 != 1, |_| false] {
                let filled: fn(usize) -> bool = filled;
                let weight = |(i, weight): (usize, &f32)| if filled(i / columns) { *weight } else { 0.0 };
                let weights = tensor(&weights.iter().enumerate().map(weight).collect::<Vec<_>>(), &[1, rows, columns]);
                for format in [WeightFormat::F32, WeightFormat::F16, WeightFormat::Q8, WeightFormat::Q4] {
                    let packed = build(&w, [inner, columns], Axes::InOut, format);
                    let plain = Matrix::plain(packed.tensor(Axes::InOut).unwrap(), Axes::InOut).unwrap();
                    let [packed, plain] = [packed, plain].map(|matrix| {
                        let loss = (kernel::matmul(x.as_tensor(), &matrix).unwrap() * &weights).unwrap().sum_all().unwrap();
                        flat(loss.backward().unwrap().get(&x).unwrap())
                    });
                    assert_close(&packed, &plain, columns);
                }
            }
        }
    }

    fn attention_that_skips_the_masked_half_is_attention_with_a_mask() {
        for (queries, keys) in ATTENDED {
            for width in [10, 16] {
                let inputs = attended(queries, keys, width).map(|x| Var::from_tensor(&x).unwrap());
                let [q, k, v] = [0, 1, 2].map(|i: usize| inputs[i].as_tensor());
                // Sums over the keys or the width, whose terms are at most a few.
                let terms = keys + 8 * width;
                let check = |found: &Tensor, expected: &Tensor, inputs: &[&Var]| {
                    assert_close(&flat(found), &flat(expected), terms);
                    for (found, expected) in gradients(found, inputs).iter().zip(gradients(expected, inputs)) {
                        assert_close(found, &expected, terms);
                    }
                };
                let masked = composed_scores(q, k, 3.0);
                let pattern = candle_nn::ops::softmax(&masked, D::Minus1).unwrap();
                let expected = composed_mix(&pattern, v);
                let scores = kernel::attention_scores(q, k, 3.0).unwrap();
                let parts = kernel::attention_mix(&kernel::softmax(&scores).unwrap(), v).unwrap();
                let all = inputs.each_ref();
                check(&parts, &expected, &all);
                let whole = kernel::attention(q, k, v, 3.0).unwrap();
                check(&whole, &expected, &all);
                assert_eq!(gradients(&whole, &all), gradients(&parts, &all));
                // With the masked scores 0, so that the sum of all is finite.
                let open = pattern.detach().gt(0.0).unwrap();
                let opened = |x: &Tensor| open.where_cond(x, &x.zeros_like().unwrap()).unwrap();
                check(&opened(&scores), &opened(&masked), &all[..2]);
                // Weights above the diagonal count too.
                let pattern = tensor(&numbers(pattern.elem_count(), 17), pattern.dims());
                let (pattern, v) = (Var::from_tensor(&pattern).unwrap(), &inputs[2]);
                let mixed = kernel::attention_mix(pattern.as_tensor(), v.as_tensor()).unwrap();
                check(&mixed, &composed_mix(pattern.as_tensor(), v.as_tensor()), &[&pattern, v]);
            }
        }
    }

    fn attention_of_joined_projections_has_the_bits_of_attention_of_its_parts() {
        for (batch, length, heads, width) in [(1, 1, 1, 1), (2, 7, 3, 10), (1, 70, 2, 8)] {
            let joined = numbers(batch * length * 3 * heads * width, 18);
            let joined = Var::from_tensor(&tensor(&joined, &[batch, length, 3 * heads * width])).unwrap();
            let whole = kernel::self_attention(joined.as_tensor(), heads, 3.0).unwrap();
            let split = joined.reshape((batch, length, 3, heads, width)).unwrap();
            let [q, k, v] = [0, 1, 2].map(|path| split.narrow(2, path, 1).unwrap().squeeze(2).unwrap());
            let parts = kernel::attention(&q, &k, &v, 3.0).unwrap();
            assert_eq!(flat(&whole), flat(&parts));
            assert_eq!(gradients(&whole, &[&joined]), gradients(&parts, &[&joined]));
        }
    }

    fn layer_norm_in_one_pass_has_the_bits_of_its_steps() {
        for (rows, width) in [(1, 1), (3, 3), (5, 17), (2, 768)] {
            let x = Var::from_tensor(&tensor(&numbers(rows * width, 23), &[1, rows, width])).unwrap();
            let (weight, bias) = (tensor(&numbers(width, 24), &[width]), tensor(&numbers(width, 25), &[width]));
            let scale = kernel::scale(x.as_tensor(), 1e-2).unwrap();
            let normalized = kernel::normalize(x.as_tensor(), &scale).unwrap();
            let gained = kernel::affine(&normalized, &weight, &bias).unwrap();
            for (gain, steps) in [(None, normalized), (Some((&weight, &bias)), gained)] {
                let whole = kernel::layer_norm(x.as_tensor(), 1e-2, gain).unwrap();
                assert_eq!(flat(&whole), flat(&steps));
                assert_eq!(gradients(&whole, &[&x]), gradients(&steps, &[&x]));
            }
        }
    }
}

/// [`kernel::attention_scores`] as products of all queries with all keys.
fn composed_scores(q: &Tensor, k: &Tensor, divisor: f64) -> Tensor {
    let (queries, keys) = (q.dim(1).unwrap(), k.dim(1).unwrap());
    let scores = (by_head(q) / divisor).unwrap().matmul(&by_head(k).t().unwrap()).unwrap();
    let is_later = |at: usize| at % keys > at / keys + keys - queries;
    let mask = |at| if is_later(at) { f32::NEG_INFINITY } else { 0.0 };
    let mask: Vec<f32> = (0..queries * keys).map(mask).collect();
    scores.broadcast_add(&tensor(&mask, &[queries, keys])).unwrap()
}

/// [`kernel::attention_mix`] as one product for each head.
fn composed_mix(pattern: &Tensor, v: &Tensor) -> Tensor {
    by_head(&pattern.matmul(&by_head(v)).unwrap())
}

/// `[B, rows, H, K]` to `[B, H, rows, K]`, and back.
fn by_head(x: &Tensor) -> Tensor {
    x.transpose(1, 2).unwrap().contiguous().unwrap()
}

/// The gradients of a sum that weighs every element differently.
fn gradients(of: &Tensor, inputs: &[&Var]) -> Vec<Vec<f32>> {
    let weights = tensor(&numbers(of.elem_count(), 19), of.dims());
    let store = (of * weights).unwrap().sum_all().unwrap().backward().unwrap();
    inputs.iter().map(|input| flat(store.get(input).unwrap())).collect()
}
