//! Access to the numbers of a tensor, for custom ops.

use candle_core::{CpuStorage, Layout, Result, Shape, Storage, Tensor, bail};

/// The output of a custom op.
pub(super) type OpOutput = Result<(CpuStorage, Shape)>;

/// The gradients that the backward pass of an op with two inputs returns.
pub(super) type Grads2 = (Option<Tensor>, Option<Tensor>);

/// The same for three inputs.
pub(super) type Grads3 = (Option<Tensor>, Option<Tensor>, Option<Tensor>);

/// The numbers of a contiguous tensor, inside a custom op.
pub(super) fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("a kernel got strides {:?}, expected a contiguous tensor", layout.stride()),
    }
}

/// Calls `f` with the numbers of a contiguous tensor.
pub(crate) fn with_floats<T>(x: &Tensor, f: impl FnOnce(&[f32]) -> Result<T>) -> Result<T> {
    let (storage, layout) = x.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => f(floats(storage, layout)?),
        _ => bail!("a kernel got a tensor that is not on the CPU"),
    }
}

/// The length of the last axis.
pub(super) fn row_width(layout: &Layout) -> usize {
    layout.dims().last().copied().unwrap_or(1)
}
