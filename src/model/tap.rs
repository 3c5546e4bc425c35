//! The connection between the forward pass and the hooks.

use candle_core::Tensor;

use super::rows::{Row, Rows};
use crate::error::{Error, Result};
use crate::hook::{BlockPoint, HookContext, HookPoint, Hooks};

/// Offers the values of one forward pass to the hooks, those of each text by themselves.
pub(super) struct Tap<'h> {
    hooks: &'h mut dyn Hooks,
    /// The block whose points [`Tap::block`] offers.
    layer: usize,
    rows: &'h Rows,
}

impl<'h> Tap<'h> {
    /// For values outside the blocks.
    pub(super) fn new(hooks: &'h mut dyn Hooks, rows: &'h Rows) -> Tap<'h> {
        Tap::in_block(0, hooks, rows)
    }

    /// For values in the block `layer`.
    pub(super) fn in_block(layer: usize, hooks: &'h mut dyn Hooks, rows: &'h Rows) -> Tap<'h> {
        Tap { hooks, layer, rows }
    }

    /// The texts of the pass.
    pub(super) fn rows(&self) -> &'h Rows {
        self.rows
    }

    /// The block whose points [`Tap::block`] offers.
    pub(super) fn layer(&self) -> usize {
        self.layer
    }

    fn point(&self, point: BlockPoint) -> HookPoint {
        HookPoint::Block(self.layer, point)
    }

    /// Whether the hooks want the value at a point of this block.
    pub(super) fn wants(&self, point: BlockPoint) -> bool {
        self.wants_at(self.point(point))
    }

    /// The same for any point.
    pub(super) fn wants_at(&self, point: HookPoint) -> bool {
        self.hooks.wants(point)
    }

    /// Offers the packed value at a point of this block. Returns the value with which the run continues.
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
        if let Some(row) = self.rows.only() {
            return self.offer(row, point, value);
        }
        let replaced = self.replaced(point, &value)?;
        if replaced.iter().all(Option::is_none) {
            return Ok(value);
        }
        self.rows.map(|row| replaced[row.index].clone().map_or_else(|| row.of(&value), Ok))
    }

    fn replaced(&mut self, point: HookPoint, value: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let rows = self.rows;
        let of_row = |row: Row| {
            let part = row.of(value)?;
            let returned = self.offer(row, point, part.clone())?;
            Ok((returned.id() != part.id()).then_some(returned))
        };
        rows.iter().map(of_row).collect()
    }

    /// Offers one text's value at a point of this block.
    pub(super) fn row(&mut self, row: Row, point: BlockPoint, value: Tensor) -> Result<Tensor> {
        let point = self.point(point);
        if self.hooks.wants(point) { self.offer(row, point, value) } else { Ok(value) }
    }

    fn offer(&mut self, row: Row, point: HookPoint, value: Tensor) -> Result<Tensor> {
        let expected = value.shape().clone();
        let context = HookContext { point, first_position: row.first_position, row: row.index };
        let returned = self.hooks.visit(context, value)?;
        if *returned.shape() != expected {
            let (found, expected) = (returned.dims(), expected.dims());
            return Err(Error::Hook(format!(
                "`{point}` was set to shape {found:?}, expected {expected:?}"
            )));
        }
        Ok(returned)
    }
}
