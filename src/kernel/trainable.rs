//! What a training step spends its time on besides matrix products, each as one custom op with
//! its own backward pass: bias, gelu_new, the parts of LayerNorm, softmax and cross-entropy.
//!
//! Composed from candle's operations these cost several times the matrix products: candle's gelu
//! alone goes through `powf` and `tanh` of the C library in its backward pass. In: contiguous f32
//! tensors on the CPU. Out: the numbers of the composed forms, up to rounding.

use super::dispatch::map as map_rows;
use super::simd::rowwise::Map;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail,
};

/// `x + bias`, the bias along the last axis.
pub fn add_bias(x: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op2(bias, AddBias)
}

/// GPT-2's own gelu: `x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
pub fn gelu_new(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Gelu)
}

/// `sqrt(variance + eps)` of the last axis, which stays with length 1.
pub fn scale(x: &Tensor, eps: f64) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Scale { eps: eps as f32 })
}

/// `(x - mean) / scale` over the last axis, `scale` of length 1 along it.
pub fn normalize(x: &Tensor, scale: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op2(scale, Normalize)
}

/// `x * weight + bias`, both along the last axis.
pub fn affine(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op3(weight, bias, Affine)
}

/// `exp(x) / sum(exp(x))` over the last axis; `-inf` gets 0.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Softmax)
}

/// Mean over rows, weighted, of `-log softmax(logits)[target]`. `logits` is `[n, vocab]`; a row of
/// weight 0 is skipped and gets no gradient.
pub fn cross_entropy(logits: &Tensor, targets: Vec<u32>, weights: Vec<f32>) -> Result<Tensor> {
    let (rows, vocab) = logits.dims2()?;
    if targets.len() != rows || weights.len() != rows {
        bail!("cross_entropy: {rows} rows, {} targets, {} weights", targets.len(), weights.len())
    }
    if let Some(id) = targets.iter().find(|&&id| id as usize >= vocab) {
        bail!("cross_entropy: target {id} with a vocabulary of {vocab}")
    }
    logits.contiguous()?.apply_op1(CrossEntropy { targets, weights })
}

struct AddBias;

impl CustomOp2 for AddBias {
    fn name(&self) -> &'static str {
        "add-bias"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, bias: &CpuStorage, bl: &Layout) -> Computed {
        let (x, bias) = (floats(x, xl)?, floats(bias, bl)?);
        let width = bias.len();
        let out = fill_rows(x.len(), width, |row, out| {
            for ((out, x), b) in out.iter_mut().zip(&x[row * width..]).zip(bias) {
                *out = x + b;
            }
        });
        Ok((CpuStorage::F32(out), xl.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, bias: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Grads2> {
        let grad = grad.contiguous()?;
        let sums = SumRows { width: bias.elem_count() };
        let bias_grad = if bias.track_op() { Some(grad.apply_op1_no_bwd(&sums)?) } else { None };
        Ok((Some(grad), bias_grad))
    }
}

struct SumRows {
    width: usize,
}

impl CustomOp1 for SumRows {
    fn name(&self) -> &'static str {
        "sum-rows"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Computed {
        let mut sum = vec![0f32; self.width];
        for row in floats(x, layout)?.chunks_exact(self.width) {
            add_to(&mut sum, row);
        }
        Ok((CpuStorage::F32(sum), Shape::from(self.width)))
    }
}

const SQRT_2_OVER_PI: f32 = 0.797_884_6;
const CUBIC: f32 = 0.044_715;

struct Gelu;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu-new"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Computed {
        let out = map_rows(Map::Gelu, floats(x, layout)?, last(layout));
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        x.apply_op2_no_bwd(&grad.contiguous()?, &GeluGrad).map(Some)
    }
}

struct GeluGrad;

impl CustomOp2 for GeluGrad {
    fn name(&self) -> &'static str {
        "gelu-new-grad"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, grad: &CpuStorage, gl: &Layout) -> Computed {
        let (x, grad) = (floats(x, xl)?, floats(grad, gl)?);
        let width = last(xl);
        let out = fill_rows(x.len(), width, |row, out| {
            for ((out, &x), g) in out.iter_mut().zip(&x[row * width..]).zip(&grad[row * width..]) {
                let t = tanh(SQRT_2_OVER_PI * (x + CUBIC * x * x * x));
                let slope = SQRT_2_OVER_PI * (1.0 + 3.0 * CUBIC * x * x);
                *out = g * 0.5 * (1.0 + t + x * (1.0 - t * t) * slope);
            }
        });
        Ok((CpuStorage::F32(out), xl.shape().clone()))
    }
}

fn mean(row: &[f32]) -> f32 {
    sum(row, |x| x) / row.len() as f32
}

struct Scale {
    eps: f32,
}

impl CustomOp1 for Scale {
    fn name(&self) -> &'static str {
        "layer-norm-scale"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Computed {
        let out = map_rows(Map::Scale { eps: self.eps }, floats(x, layout)?, last(layout));
        let mut dims = layout.dims().to_vec();
        dims.pop();
        dims.push(1);
        Ok((CpuStorage::F32(out), Shape::from(dims)))
    }

    fn bwd(&self, x: &Tensor, scale: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        x.apply_op3_no_bwd(scale, &grad.contiguous()?, &ScaleGrad).map(Some)
    }
}

struct ScaleGrad;

impl CustomOp3 for ScaleGrad {
    fn name(&self) -> &'static str {
        "layer-norm-scale-grad"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        scale: &CpuStorage,
        sl: &Layout,
        grad: &CpuStorage,
        gl: &Layout,
    ) -> Computed {
        let (x, scale, grad) = (floats(x, xl)?, floats(scale, sl)?, floats(grad, gl)?);
        let width = last(xl);
        let out = fill_rows(x.len(), width, |row, out| {
            let x = &x[row * width..][..width];
            let mean = mean(x);
            let slope = grad[row] / (scale[row] * width as f32);
            for (out, x) in out.iter_mut().zip(x) {
                *out = (x - mean) * slope;
            }
        });
        Ok((CpuStorage::F32(out), xl.shape().clone()))
    }
}

struct Normalize;

impl CustomOp2 for Normalize {
    fn name(&self) -> &'static str {
        "layer-norm-normalize"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, scale: &CpuStorage, sl: &Layout) -> Computed {
        let (x, scale) = (floats(x, xl)?, floats(scale, sl)?);
        let width = last(xl);
        if scale.len() * width != x.len() {
            bail!("{} scales for {} rows", scale.len(), x.len() / width)
        }
        let out = map_rows(Map::Normalize { scale: scale.as_ptr() }, x, width);
        Ok((CpuStorage::F32(out), xl.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        scale: &Tensor,
        normalized: &Tensor,
        grad: &Tensor,
    ) -> Result<Grads2> {
        let grad = grad.contiguous()?;
        // The map is linear and symmetric in x: the gradient goes back through the map itself.
        let x_grad = grad.apply_op2_no_bwd(scale, &Normalize)?;
        let scale_grad = normalized.apply_op3_no_bwd(scale, &grad, &NormalizeScaleGrad)?;
        Ok((Some(x_grad), Some(scale_grad)))
    }
}

struct NormalizeScaleGrad;

impl CustomOp3 for NormalizeScaleGrad {
    fn name(&self) -> &'static str {
        "layer-norm-normalize-grad"
    }

    fn cpu_fwd(
        &self,
        normalized: &CpuStorage,
        nl: &Layout,
        scale: &CpuStorage,
        sl: &Layout,
        grad: &CpuStorage,
        gl: &Layout,
    ) -> Computed {
        let (normalized, scale, grad) =
            (floats(normalized, nl)?, floats(scale, sl)?, floats(grad, gl)?);
        let width = last(nl);
        let out = fill_rows(scale.len(), 1, |row, out| {
            let row_of = row * width..(row + 1) * width;
            let dot = sum_pairs(&normalized[row_of.clone()], &grad[row_of], |n, g| n * g);
            out[0] = -dot / scale[row];
        });
        Ok((CpuStorage::F32(out), sl.shape().clone()))
    }
}

struct Affine;

impl CustomOp3 for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        weight: &CpuStorage,
        wl: &Layout,
        bias: &CpuStorage,
        bl: &Layout,
    ) -> Computed {
        let (x, weight, bias) = (floats(x, xl)?, floats(weight, wl)?, floats(bias, bl)?);
        let width = last(xl);
        if weight.len() != width || bias.len() != width {
            bail!("a weight of {} and a bias of {} for rows of {width}", weight.len(), bias.len())
        }
        let out = map_rows(Map::Affine { weight: weight.as_ptr(), bias: bias.as_ptr() }, x, width);
        Ok((CpuStorage::F32(out), xl.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<Grads3> {
        let grad = grad.contiguous()?;
        let sums = x.apply_op2_no_bwd(&grad, &AffineSums)?;
        Ok((Some(grad.broadcast_mul(weight)?), Some(sums.get(0)?), Some(sums.get(1)?)))
    }
}

/// `[2, width]`: the gradients of the weight and of the bias.
struct AffineSums;

impl CustomOp2 for AffineSums {
    fn name(&self) -> &'static str {
        "affine-sums"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, grad: &CpuStorage, gl: &Layout) -> Computed {
        let (x, grad) = (floats(x, xl)?, floats(grad, gl)?);
        let width = last(xl);
        let mut sums = vec![0f32; 2 * width];
        let (weight_grad, bias_grad) = sums.split_at_mut(width);
        for (x, g) in x.chunks_exact(width).zip(grad.chunks_exact(width)) {
            for ((sum, x), g) in weight_grad.iter_mut().zip(x).zip(g) {
                *sum += x * g;
            }
            add_to(bias_grad, g);
        }
        Ok((CpuStorage::F32(sums), Shape::from((2, width))))
    }
}

struct Softmax;

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Computed {
        let out = map_rows(Map::Softmax, floats(x, layout)?, last(layout));
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, pattern: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        pattern.apply_op2_no_bwd(&grad.contiguous()?, &SoftmaxGrad).map(Some)
    }
}

struct SoftmaxGrad;

impl CustomOp2 for SoftmaxGrad {
    fn name(&self) -> &'static str {
        "softmax-grad"
    }

    fn cpu_fwd(
        &self,
        pattern: &CpuStorage,
        pl: &Layout,
        grad: &CpuStorage,
        gl: &Layout,
    ) -> Computed {
        let (pattern, grad) = (floats(pattern, pl)?, floats(grad, gl)?);
        let width = last(pl);
        let out = fill_rows(pattern.len(), width, |row, out| {
            let (p, g) = (&pattern[row * width..][..width], &grad[row * width..][..width]);
            let mean = sum_pairs(p, g, |p, g| p * g);
            for ((out, p), g) in out.iter_mut().zip(p).zip(g) {
                *out = p * (g - mean);
            }
        });
        Ok((CpuStorage::F32(out), pl.shape().clone()))
    }
}

struct CrossEntropy {
    targets: Vec<u32>,
    weights: Vec<f32>,
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Computed {
        let logits = floats(logits, layout)?;
        let vocab = last(layout);
        let losses = fill_rows(self.targets.len(), 1, |row, out| {
            if self.weights[row] != 0.0 {
                let logits = &logits[row * vocab..][..vocab];
                let log_sum = log_sum_exp(logits) as f32;
                out[0] = self.weights[row] * (log_sum - logits[self.targets[row] as usize]);
            }
        });
        let loss = sum(&losses, |x| x) / sum(&self.weights, |x| x);
        Ok((CpuStorage::F32(vec![loss]), Shape::from(())))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let total = sum(&self.weights, |x| x);
        let scale = grad.to_scalar::<f32>()? / total;
        let weights = self.weights.iter().map(|w| w * scale).collect();
        logits.apply_op1_no_bwd(&CrossEntropyGrad { targets: &self.targets, weights }).map(Some)
    }
}

struct CrossEntropyGrad<'a> {
    targets: &'a [u32],
    weights: Vec<f32>,
}

impl CustomOp1 for CrossEntropyGrad<'_> {
    fn name(&self) -> &'static str {
        "cross-entropy-grad"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Computed {
        let logits = floats(logits, layout)?;
        let vocab = last(layout);
        let out = fill_rows(logits.len(), vocab, |row, out| {
            let weight = self.weights[row];
            if weight != 0.0 {
                softmax_row(&logits[row * vocab..][..vocab], out);
                out.iter_mut().for_each(|p| *p *= weight);
                out[self.targets[row] as usize] -= weight;
            }
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

type Computed = Result<(CpuStorage, Shape)>;
type Grads2 = (Option<Tensor>, Option<Tensor>);
type Grads3 = (Option<Tensor>, Option<Tensor>, Option<Tensor>);

fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => {
            bail!("a trainable op got strides {:?}, expected a contiguous tensor", layout.stride())
        }
    }
}

fn last(layout: &Layout) -> usize {
    layout.dims().last().copied().unwrap_or(1)
}

/// A buffer of `len` zeros whose rows of `width` are filled by `fill(row number, row)`, on as
/// many threads as candle uses when there is enough to do. Every row is computed alone, so the number of cores never
/// changes a bit.
fn fill_rows(len: usize, width: usize, fill: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    const WORTH_A_THREAD: usize = 1 << 16;
    let mut out = vec![0f32; len];
    let cores = candle_core::utils::get_num_threads().min(len / WORTH_A_THREAD + 1);
    let share = (len / width).div_ceil(cores).max(1);
    let fill_share = |first: usize, rows: &mut [f32]| {
        rows.chunks_exact_mut(width).enumerate().for_each(|(i, row)| fill(first + i, row));
    };
    std::thread::scope(|scope| {
        let mut shares = out.chunks_mut(share * width).enumerate();
        let mine = shares.next();
        for (i, rows) in shares {
            let fill_share = &fill_share;
            scope.spawn(move || fill_share(i * share, rows));
        }
        if let Some((_, rows)) = mine {
            fill_share(0, rows);
        }
    });
    out
}

/// `log(sum(exp(x)))`, summed in f64 every thousand numbers, so that a vocabulary of any size adds up.
pub fn log_sum_exp(x: &[f32]) -> f64 {
    const PART: usize = 1024;
    let (parts, rest) = x.split_at(x.len() / PART * PART);
    let mut sums = map_rows(Map::SumExp, parts, PART);
    if !rest.is_empty() {
        sums.extend(map_rows(Map::SumExp, rest, rest.len()));
    }
    let sums = sums.as_chunks::<2>().0;
    let greatest =
        sums.iter().fold(f64::NEG_INFINITY, |greatest, part| greatest.max(f64::from(part[0])));
    let scaled = sums.iter().map(|part| f64::from(part[1]) * (f64::from(part[0]) - greatest).exp());
    greatest + scaled.sum::<f64>().ln()
}

fn softmax_row(row: &[f32], out: &mut [f32]) {
    let top = max(row);
    for (out, x) in out.iter_mut().zip(row) {
        *out = exp(x - top);
    }
    let inverse = 1.0 / sum(out, |x| x);
    out.iter_mut().for_each(|x| *x *= inverse);
}

fn add_to(sum: &mut [f32], row: &[f32]) {
    sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
}

// Sixteen partial results side by side: the compiler may not reorder a plain sum, so one running
// total would run one addition at a time.
const LANES: usize = 16;

fn sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
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

fn sum_pairs(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
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

fn max(row: &[f32]) -> f32 {
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
fn exp(x: f32) -> f32 {
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
fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{D, Device, Var};

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
            all.extend(
                inputs.iter().map(|v| flat(grads.get(v).expect("a gradient for every input"))),
            );
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
            |t| add_bias(&t[0], &t[1]),
            |t| t[0].broadcast_add(&t[1]),
        );
    }

    #[test]
    fn gelu_new_is_candles_gelu() {
        agree(&[wavy(&[5, 33], 0.2, 6.0)], |t| gelu_new(&t[0]), |t| t[0].gelu());
    }

    #[test]
    fn scale_normalize_affine_are_the_composed_layer_norm() {
        agree(
            &[wavy(&[2, 3, 40], 0.4, 3.0), wavy(&[40], 0.7, 1.5), wavy(&[40], 1.1, 0.5)],
            |t| affine(&normalize(&t[0], &scale(&t[0], 1e-5)?)?, &t[1], &t[2]),
            |t| {
                let centred = t[0].broadcast_sub(&t[0].mean_keepdim(D::Minus1)?)?;
                let scale = (centred.sqr()?.mean_keepdim(D::Minus1)? + 1e-5)?.sqrt()?;
                centred.broadcast_div(&scale)?.broadcast_mul(&t[1])?.broadcast_add(&t[2])
            },
        );
    }

    #[test]
    fn softmax_is_candles_softmax() {
        agree(
            &[wavy(&[2, 3, 37], 0.5, 4.0)],
            |t| softmax(&t[0]),
            |t| candle_nn::ops::softmax(&t[0], D::Minus1),
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
            |t| cross_entropy(&t[0], vec![3, 0, 49, 7], vec![1.0, 0.0, 0.5, 2.0]),
            |t| {
                let targets = Tensor::new(&[[3u32], [0], [49], [7]], &Device::Cpu)?;
                let weights = Tensor::new(&[[1f32], [0.0], [0.5], [2.0]], &Device::Cpu)?;
                let log_probs =
                    candle_nn::ops::log_softmax(&t[0], D::Minus1)?.gather(&targets, 1)?;
                (log_probs * weights)?.sum_all()? / -3.5
            },
        );
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let x = wavy(&[3, 1 << 16], 0.8, 3.0);
        let wide = flat(&gelu_new(&x).unwrap());
        let narrow: Vec<f32> =
            (0..3).flat_map(|i| flat(&gelu_new(&x.get(i).unwrap()).unwrap())).collect();
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
}
