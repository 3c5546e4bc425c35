//! The connection between the forward pass and the hooks.

use candle_core::Tensor;

use crate::error::{Error, Result};
use crate::hook::{BlockPoint, HookContext, HookPoint, Hooks};

/// Offers the values of one forward pass to the hooks.
pub(super) struct Tap<'h> {
    hooks: &'h mut dyn Hooks,
    /// The block whose points [`Tap::block`] offers.
    layer: usize,
    first_position: usize,
}

impl<'h> Tap<'h> {
    /// For values outside the blocks. `first_position` is the position of their first row.
    pub(super) fn new(hooks: &'h mut dyn Hooks, first_position: usize) -> Tap<'h> {
        Tap::in_block(0, hooks, first_position)
    }

    /// For values in the block `layer`.
    pub(super) fn in_block(
        layer: usize,
        hooks: &'h mut dyn Hooks,
        first_position: usize,
    ) -> Tap<'h> {
        Tap { hooks, layer, first_position }
    }

    /// The position of the first row of each value.
    pub(super) fn first_position(&self) -> usize {
        self.first_position
    }

    fn point(&self, point: BlockPoint) -> HookPoint {
        HookPoint::Block(self.layer, point)
    }

    /// Whether the hooks want the value at a point of this block.
    pub(super) fn wants(&self, point: BlockPoint) -> bool {
        self.hooks.wants(self.point(point))
    }

    /// Offers the value at a point of this block. Returns the value with which the run continues.
    pub(super) fn block(&mut self, point: BlockPoint, value: Tensor) -> Result<Tensor> {
        self.at(self.point(point), value)
    }

    /// The same for any point.
    ///
    /// # Errors
    /// Those of the hook; [`Error::Hook`] if the hook returns a tensor of another shape.
    pub(super) fn at(&mut self, point: HookPoint, value: Tensor) -> Result<Tensor> {
        if !self.hooks.wants(point) {
            return Ok(value);
        }
        let expected = value.shape().clone();
        let returned =
            self.hooks.visit(HookContext { point, first_position: self.first_position }, value)?;
        if *returned.shape() != expected {
            let (found, expected) = (returned.dims(), expected.dims());
            return Err(Error::Hook(format!(
                "`{point}` was set to shape {found:?}, expected {expected:?}"
            )));
        }
        Ok(returned)
    }
}
