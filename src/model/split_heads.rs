//! Attention with its heads computed separately, for the hook points that are computed only on
//! request: `hook_attn_in`, `hook_{q,k,v}_input` and `hook_result`.

use candle_core::Tensor;

use super::rows::Row;
use super::tap::Tap;
use super::{Attention, Block, PathInputs};
use crate::error::Result;
use crate::hook::BlockPoint;
use crate::kernel;

impl Block {
    /// Offers queries, keys and values of each text an input of their own; returns those that a hook replaced.
    ///
    /// The hook points of ln1 show only the stream that the remaining paths share, so a replaced
    /// input is normalized without hooks. A path whose input was only read uses the shared stream,
    /// so reading changes no bit.
    pub(super) fn path_inputs(
        &self,
        resid_pre: &Tensor,
        positions: Option<&Tensor>,
        tap: &mut Tap,
    ) -> Result<PathInputs> {
        use BlockPoint::{AttnIn, KInput, QInput, VInput};
        let paths = [QInput, KInput, VInput];
        if !tap.wants(AttnIn) && !paths.iter().any(|path| tap.wants(*path)) {
            return Ok(PathInputs::default());
        }
        let rows = tap.rows();
        let of_row = |row: Row| {
            let resid_pre = row.of(resid_pre)?;
            let (b, t, d) = resid_pre.dims3()?;
            let copies =
                resid_pre.unsqueeze(2)?.broadcast_as((b, t, self.attn.n_head, d))?.contiguous()?;
            let attn_in = tap.row(row, AttnIn, copies.clone())?;
            let mut split = [None, None, None];
            for (input, path) in split.iter_mut().zip(paths) {
                let returned = tap.row(row, path, attn_in.clone())?; // [B, T, H, D]
                if returned.id() != copies.id() {
                    let normalized = self.ln_1.without_hooks(&returned)?;
                    *input = Some(match positions.filter(|_| path != VInput) {
                        None => normalized,
                        Some(positions) => {
                            normalized.broadcast_add(&row.of(positions)?.unsqueeze(2)?)?
                        }
                    });
                }
            }
            Ok(split)
        };
        rows.iter().map(of_row).collect()
    }
}

impl Attention {
    /// One path of the projection, in which every head reads its own row of `input` `[B, T, H, D]`.
    pub(super) fn project_heads(&self, input: &Tensor, path: usize) -> Result<Tensor> {
        let (_, _, heads, d) = input.dims4()?;
        let width = d / heads;
        let each = (0..heads).map(|head| {
            let columns = path * d + head * width;
            let weight = self.c_attn.weight.columns(columns..columns + width)?;
            let bias = self.c_attn.bias.narrow(0, columns, width)?;
            kernel::linear(&input.narrow(2, head, 1)?.squeeze(2)?.contiguous()?, &weight, &bias) // [B, T, K]
        });
        Ok(Tensor::stack(&each.collect::<Result<Vec<_>>>()?, 2)?)
    }

    /// As [`Attention::output`], with the output of each head offered to the hooks.
    ///
    /// Heads that a hook replaced are added one by one. Of a text whose heads were only read, the output is that of all
    /// heads in one product, so reading changes no bit.
    pub(super) fn output_by_head(&self, z: &Tensor, tap: &mut Tap) -> Result<Tensor> {
        tap.rows().map(|row| {
            let z = row.of(z)?;
            let result = self.head_results(&z)?;
            let returned = tap.row(row, BlockPoint::Result, result.clone())?;
            match returned.id() == result.id() {
                true => self.c_proj.forward(&z.flatten_from(2)?),
                false => Ok(returned.sum(2)?.broadcast_add(&self.c_proj.bias)?),
            }
        })
    }

    /// The output of each head, without the bias, which belongs to no head: `[B, T, H, D]`.
    fn head_results(&self, z: &Tensor) -> Result<Tensor> {
        let (_, _, heads, width) = z.dims4()?;
        let each = (0..heads).map(|head| {
            let weight = self.c_proj.weight.rows(head * width..(head + 1) * width)?; // [K, D]
            kernel::matmul(&z.narrow(2, head, 1)?.squeeze(2)?.contiguous()?, &weight)
        });
        Ok(Tensor::stack(&each.collect::<Result<Vec<_>>>()?, 2)?)
    }
}
