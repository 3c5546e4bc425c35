//! The backward passes of attention (`simd/attention_grad.rs`).

use std::ops::Deref;

use candle_core::{CpuStorage, Device, Layout, Result, Storage, Tensor, bail};

use super::heads::{Heads, task};
use super::storage::{Grads2, Grads3, floats};
use crate::kernel::dispatch::{filled, parallel_for};
use crate::kernel::simd::attention::{Attention, Part};
use crate::kernel::simd::attention_grad::{AttentionGrad, HeadsMut};
use crate::kernel::simd::job::Task;

/// The gradients of queries and keys, from that of the scores `[B, H, T, S]`.
pub(super) fn scores_grad(q: &Tensor, k: &Tensor, grad: &Tensor, factor: f32) -> Result<Grads2> {
    let grad = grad.contiguous()?;
    let [q, k, grad] = [q, k, &grad].map(Tensor::storage_and_layout);
    let (q, k) = (heads(&q)?, heads(&k)?);
    let given = numbers(&grad)?.as_ptr().cast_mut(); // only read
    let of = Attention { pattern: given, ..task(Part::Scores, &q, &k, &k, factor) };
    let mut grads = [Room::new(&q), Room::new(&k)];
    let [q_grad, k_grad] = grads.each_mut().map(Room::at);
    // SAFETY: the gradient has the shape of the scores, and `Heads` and `Room` have the sizes of
    // their shapes. Every element of `q` and `k` gets its gradient.
    unsafe {
        gradients(AttentionGrad { of, out: q.at, q: q_grad, k: k_grad, v: k_grad }, &q);
        let [q_grad, k_grad] = grads.map(|room| room.filled());
        Ok((Some(q_grad?), Some(k_grad?)))
    }
}

/// The gradients of the pattern and the values, from that of the output `[B, T, H, K]`.
pub(super) fn mix_grad(pattern: &Tensor, v: &Tensor, grad: &Tensor) -> Result<Grads2> {
    let grad = grad.contiguous()?;
    let shape = pattern.shape();
    let [pattern, v, grad] = [pattern, v, &grad].map(Tensor::storage_and_layout);
    let (given, v, out) = (numbers(&pattern)?, heads(&v)?, heads(&grad)?);
    let mut v_grad = Room::new(&v);
    let values = v_grad.at();
    let pattern_grad = |to| {
        let pattern = given.as_ptr().cast_mut(); // only read
        let of = Attention { pattern, out: to, ..task(Part::Mix, &out, &v, &v, 1.0) };
        // SAFETY: the pattern has a number for each head, query and key, and so has its gradient;
        // `Heads` and `Room` have the sizes of their shapes.
        unsafe {
            gradients(AttentionGrad { of, out: out.at, q: values, k: values, v: values }, &out);
        }
    };
    // SAFETY: every number of the pattern and every element of `v` gets its gradient.
    unsafe {
        let numbers = filled(given.len(), pattern_grad);
        let pattern_grad = Tensor::from_vec(numbers, shape, &Device::Cpu)?;
        Ok((Some(pattern_grad), Some(v_grad.filled()?)))
    }
}

/// The gradients of queries, keys and values, from that of the output `[B, T, H, K]`.
pub(super) fn attention_grad(
    [q, k, v]: [&Tensor; 3],
    grad: &Tensor,
    factor: f32,
) -> Result<Grads3> {
    let grad = grad.contiguous()?;
    let [q, k, v, grad] = [q, k, v, &grad].map(Tensor::storage_and_layout);
    let (q, k, v, out) = (heads(&q)?, heads(&k)?, heads(&v)?, heads(&grad)?);
    let mut grads = [Room::new(&q), Room::new(&k), Room::new(&v)];
    let [q_grad, k_grad, v_grad] = grads.each_mut().map(Room::at);
    let of = task(Part::Whole, &q, &k, &v, factor);
    // SAFETY: `Heads` and `Room` have the sizes of their shapes, and the gradient of the output has
    // the shape of the queries. Every element gets its gradient.
    unsafe {
        gradients(AttentionGrad { of, out: out.at, q: q_grad, k: k_grad, v: v_grad }, &q);
        let [q_grad, k_grad, v_grad] = grads.map(|room| room.filled());
        Ok((Some(q_grad?), Some(k_grad?), Some(v_grad?)))
    }
}

/// The same for queries, keys and values side by side in `joined` `[B, T, 3 D]`, as one tensor.
pub(super) fn joined_grad(
    joined: &Tensor,
    n_head: usize,
    grad: &Tensor,
    factor: f32,
) -> Result<Tensor> {
    let grad = grad.contiguous()?;
    let shape = joined.shape();
    let [joined, grad] = [joined, &grad].map(Tensor::storage_and_layout);
    let (given, out) = (numbers(&joined)?, heads(&grad)?);
    let [q, k, v] = Heads::joined(given, joined.1, n_head)?;
    let fill = |to: *mut f32| {
        let place = |heads: &Heads| HeadsMut {
            // SAFETY: the gradient has the shape of `joined`, in which the heads have this offset.
            data: unsafe { to.offset(heads.at.data.offset_from(given.as_ptr())) },
            batch_stride: heads.at.batch_stride,
            row_stride: heads.at.row_stride,
            head_stride: heads.at.head_stride,
        };
        let of = task(Part::Whole, &q, &k, &v, factor);
        let job = AttentionGrad { of, out: out.at, q: place(&q), k: place(&k), v: place(&v) };
        // SAFETY: as for `attention_grad`.
        unsafe { gradients(job, &q) };
    };
    // SAFETY: queries, keys and values are all of `joined`, and each gets its gradient.
    let numbers = unsafe { filled(given.len(), fill) };
    Tensor::from_vec(numbers, shape, &Device::Cpu)
}

/// Computes the gradients of all heads of the batch.
///
/// # Safety
/// The pointers of `job` must be valid for the sizes that its fields name.
unsafe fn gradients(job: AttentionGrad, q: &Heads) {
    let cost = 5 * q.count() * job.of.keys;
    // SAFETY: the caller guarantees every pointer of `job` for the sizes that its fields name.
    unsafe { parallel_for(Task::AttentionGrad(job), q.batch * q.heads, 1, cost) };
}

fn heads<S: Deref<Target = Storage>>((storage, layout): &(S, &Layout)) -> Result<Heads> {
    Heads::new(on_cpu(storage)?, layout)
}

/// The numbers of a contiguous tensor.
fn numbers<'a, S: Deref<Target = Storage>>(
    (storage, layout): &'a (S, &Layout),
) -> Result<&'a [f32]> {
    floats(on_cpu(storage)?, layout)
}

fn on_cpu(storage: &Storage) -> Result<&CpuStorage> {
    match storage {
        Storage::Cpu(storage) => Ok(storage),
        _ => bail!("a kernel got a tensor that is not on the CPU"),
    }
}

/// Uninitialized memory for the gradient of queries, keys or values.
struct Room {
    numbers: Vec<f32>,
    of: Heads,
}

impl Room {
    fn new(of: &Heads) -> Room {
        Room { numbers: Vec::with_capacity(of.count()), of: *of }
    }

    /// Where the kernel writes.
    fn at(&mut self) -> HeadsMut {
        let (batch_stride, row_stride, head_stride) = self.of.strides();
        HeadsMut { data: self.numbers.as_mut_ptr(), batch_stride, row_stride, head_stride }
    }

    /// # Safety
    /// Every element must have been written.
    unsafe fn filled(mut self) -> Result<Tensor> {
        // SAFETY: the capacity is `count`, and the caller guarantees that all are initialized.
        unsafe { self.numbers.set_len(self.of.count()) };
        Tensor::from_vec(self.numbers, self.of.shape(), &Device::Cpu)
    }
}
