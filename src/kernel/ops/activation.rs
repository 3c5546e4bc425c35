//! The MLP's activation functions.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Tensor};
use serde::{Deserialize, Serialize};

use super::softmax::softmax;
use super::storage::{OpOutput, floats, row_width};
use crate::error::Result;
use crate::kernel::dispatch::map_rows;
use crate::kernel::simd::rowwise::RowOp;

/// The non-linearity of the MLP, under the names of Hugging Face and TransformerLens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`, GPT-2's own.
    GeluNew,
    /// `0.5 x (1 + erf(x / sqrt(2)))`.
    Gelu,
    /// `max(x, 0)`.
    Relu,
    /// `x / (1 + exp(-x))`.
    Silu,
    /// The hyperbolic tangent.
    Tanh,
    /// SoLU, `x softmax(x)` over all neurons (Elhage et al. 2022, *Softmax Linear Units*). The MLP normalizes its
    /// output; see `crate::model`.
    SoluLn,
}

/// The MLP's non-linearity: elementwise, or over the last axis for SoLU.
///
/// # Errors
/// Those of candle, for a tensor that is not f32 on the CPU.
pub fn activation(x: &Tensor, function: Activation) -> Result<Tensor> {
    Ok(match function {
        Activation::GeluNew => x.contiguous()?.apply_op1(Gelu)?,
        Activation::Gelu => x.gelu_erf()?,
        Activation::Relu => x.relu()?,
        Activation::Silu => x.silu()?,
        Activation::Tanh => x.tanh()?,
        Activation::SoluLn => (x * softmax(x)?)?,
    })
}

/// GPT-2's own GELU: `x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
struct Gelu;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu-new"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> OpOutput {
        // SAFETY: the operation has no pointers.
        let out = unsafe { map_rows(RowOp::Gelu, floats(x, layout)?, row_width(layout)) };
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> candle_core::Result<Option<Tensor>> {
        x.apply_op2_no_bwd(&grad.contiguous()?, &GeluGrad).map(Some)
    }
}

struct GeluGrad;

impl CustomOp2 for GeluGrad {
    fn name(&self) -> &'static str {
        "gelu-new-grad"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, grad: &CpuStorage, gl: &Layout) -> OpOutput {
        let (x, grad) = (floats(x, xl)?, floats(grad, gl)?);
        assert_eq!(x.len(), grad.len());
        let op = RowOp::GeluGrad { grad: grad.as_ptr() };
        // SAFETY: the gradient has as many numbers.
        let out = unsafe { map_rows(op, x, row_width(xl)) };
        Ok((CpuStorage::F32(out), xl.shape().clone()))
    }
}
