//! The custom ops against the same formulas composed from candle's operations.

use candle_core::{D, Device, Tensor, Var};

use super::Activation;
use super::linear::add_bias;
use super::{activation, affine, cross_entropy, normalize, scale, softmax};
use crate::error::Result;
use crate::kernel::simd::functions::exp;

type Composed = fn(&[Tensor]) -> Result<Tensor>;

/// A tensor with no pattern in it, the same on every machine.
fn wavy(dims: &[usize], phase: f32, size: f32) -> Var {
    let n = dims.iter().product::<usize>();
    let values: Vec<f32> = (0..n).map(|i| size * (phase + 1.7 * i as f32).sin()).collect();
    Var::from_tensor(&Tensor::from_vec(values, dims, &Device::Cpu).unwrap()).unwrap()
}

/// Values and gradients of `fused` and `composed` agree; the loss weighs every output differently.
fn agree(inputs: &[Var], fused: Composed, composed: Composed) {
    let results = [fused, composed].map(|f| {
        let tensors: Vec<Tensor> = inputs.iter().map(|v| v.as_tensor().clone()).collect();
        let out = f(&tensors).unwrap();
        let weights = wavy(out.dims(), 0.3, 1.0).detach();
        let grads = (&out * weights).unwrap().sum_all().unwrap().backward().unwrap();
        let mut all = vec![flat(&out)];
        all.extend(inputs.iter().map(|v| flat(grads.get(v).expect("a gradient for every input"))));
        all
    });
    for (fused, composed) in results[0].iter().zip(&results[1]) {
        assert_eq!(fused.len(), composed.len());
        for (a, b) in fused.iter().zip(composed) {
            // Sums of up to 100 terms of size 3 in f32, in another order.
            assert!((a - b).abs() < 1e-5 + 1e-4 * b.abs(), "{a} instead of {b}");
        }
    }
}

fn flat(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn add_bias_is_a_broadcast_sum() {
    agree(
        &[wavy(&[2, 3, 37], 0.1, 2.0), wavy(&[37], 0.9, 1.0)],
        |t| Ok(add_bias(&t[0], &t[1])?),
        |t| Ok(t[0].broadcast_add(&t[1])?),
    );
}

#[test]
fn gelu_new_is_candles_gelu() {
    agree(
        &[wavy(&[5, 33], 0.2, 6.0)],
        |t| activation(&t[0], Activation::GeluNew),
        |t| Ok(t[0].gelu()?),
    );
}

#[test]
fn scale_normalize_affine_are_the_composed_layer_norm() {
    agree(
        &[wavy(&[2, 3, 40], 0.4, 3.0), wavy(&[40], 0.7, 1.5), wavy(&[40], 1.1, 0.5)],
        |t| affine(&normalize(&t[0], &scale(&t[0], 1e-5)?)?, &t[1], &t[2]),
        |t| {
            let centred = t[0].broadcast_sub(&t[0].mean_keepdim(D::Minus1)?)?;
            let scale = (centred.sqr()?.mean_keepdim(D::Minus1)? + 1e-5)?.sqrt()?;
            Ok(centred.broadcast_div(&scale)?.broadcast_mul(&t[1])?.broadcast_add(&t[2])?)
        },
    );
}

#[test]
fn softmax_is_candles_softmax() {
    agree(
        &[wavy(&[2, 3, 37], 0.5, 4.0)],
        |t| softmax(&t[0]),
        |t| Ok(candle_nn::ops::softmax(&t[0], D::Minus1)?),
    );
}

#[test]
fn masked_scores_get_no_probability_and_no_gradient() {
    let scores = wavy(&[1, 3], 0.5, 1.0);
    let mask = Tensor::new(&[0f32, 0.0, f32::NEG_INFINITY], &Device::Cpu).unwrap();
    let pattern = softmax(&add_bias(&scores, &mask).unwrap()).unwrap();
    assert_eq!(flat(&pattern)[2], 0.0);
    let grads = pattern.get_on_dim(1, 0).unwrap().sum_all().unwrap().backward().unwrap();
    assert_eq!(flat(grads.get(&scores).unwrap())[2], 0.0);
}

#[test]
fn cross_entropy_is_weighted_mean_of_minus_log_softmax() {
    agree(
        &[wavy(&[4, 50], 0.6, 5.0)],
        |t| Ok(cross_entropy(&t[0], vec![3, 0, 49, 7], vec![1.0, 0.0, 0.5, 2.0])?),
        |t| {
            let targets = Tensor::new(&[[3u32], [0], [49], [7]], &Device::Cpu)?;
            let weights = Tensor::new(&[[1f32], [0.0], [0.5], [2.0]], &Device::Cpu)?;
            let log_probs = candle_nn::ops::log_softmax(&t[0], D::Minus1)?.gather(&targets, 1)?;
            Ok(((log_probs * weights)?.sum_all()? / -3.5)?)
        },
    );
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let x = wavy(&[3, 1 << 16], 0.8, 3.0);
    let wide = flat(&activation(&x, Activation::GeluNew).unwrap());
    let narrow: Vec<f32> = (0..3)
        .flat_map(|i| flat(&activation(&x.get(i).unwrap(), Activation::GeluNew).unwrap()))
        .collect();
    assert_eq!(wide, narrow);
}

#[test]
fn exp_is_within_two_units_in_the_last_place() {
    for i in -8700..8800 {
        let x = i as f32 / 100.0;
        assert!(
            (exp(x) / x.exp() - 1.0).abs() < 2.5e-7,
            "exp({x}) = {} instead of {}",
            exp(x),
            x.exp()
        );
    }
}
