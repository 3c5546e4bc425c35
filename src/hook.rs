//! Hooks: code that reads or replaces values in a forward pass.
//!
//! [`HookPoint`] lists the values, under their TransformerLens names; [`Selector`] finds points by
//! name, glob or regular expression; [`Hooks`] is the code. Hooks are passed into a run and the
//! model stores none, so there is nothing to reset.

mod point;
mod selector;

use candle_core::Tensor;

use crate::error::Result;

pub use point::{BlockPoint, HookPoint};
pub use selector::Selector;
pub(crate) use selector::Selectors;

/// The point of a value and its position in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookContext {
    /// The hook point.
    pub point: HookPoint,
    /// The position of the value's first row along `pos` or `query`: the number of positions in the
    /// key/value cache before this pass, or 0.
    pub first_position: usize,
    /// Which text of [`Model::forward_rows`](crate::Model::forward_rows) the value belongs to; 0 in a pass over one.
    pub row: usize,
}

/// Code that reads or replaces the values of a run.
///
/// The run first asks [`wants`](Hooks::wants) and calls [`visit`](Hooks::visit) only if the answer
/// is yes; a value *on request* is computed only then. A hook that returns the value unchanged
/// changes no number of the run.
///
/// ```no_run
/// use candle_core::Tensor;
/// use candlescope::{HookContext, HookPoint, Hooks, Result};
///
/// /// Sets the embeddings to zero.
/// struct ZeroEmbeddings;
///
/// impl Hooks for ZeroEmbeddings {
///     fn wants(&self, point: HookPoint) -> bool {
///         point == HookPoint::Embed
///     }
///
///     fn visit(&mut self, _: HookContext, value: Tensor) -> Result<Tensor> {
///         Ok(value.zeros_like()?)
///     }
/// }
///
/// # fn main() -> Result<()> {
/// # let model: candlescope::Model = unimplemented!();
/// # let tokens: Tensor = unimplemented!();
/// let logits = model.forward(&tokens, None, &mut ZeroEmbeddings)?; // [B, T, V]
/// # Ok(()) }
/// ```
pub trait Hooks {
    /// Whether [`visit`](Hooks::visit) is called at `point`.
    fn wants(&self, point: HookPoint) -> bool;

    /// Takes a value, and returns the value with which the run continues. It must have the same
    /// shape.
    ///
    /// # Errors
    /// Any error ends the run, which returns it.
    fn visit(&mut self, context: HookContext, value: Tensor) -> Result<Tensor>;
}

/// Hooks for each text of [`Model::forward_rows`](crate::Model::forward_rows): each sees its own text only, as in a run of
/// that text alone.
pub struct PerRow<H>(pub Vec<H>);

impl<H: Hooks> Hooks for PerRow<H> {
    fn wants(&self, point: HookPoint) -> bool {
        self.0.iter().any(|hooks| hooks.wants(point))
    }

    fn visit(&mut self, context: HookContext, value: Tensor) -> Result<Tensor> {
        match self.0.get_mut(context.row) {
            Some(hooks) if hooks.wants(context.point) => hooks.visit(context, value),
            _ => Ok(value),
        }
    }
}

impl<H: Hooks + ?Sized> Hooks for Box<H> {
    fn wants(&self, point: HookPoint) -> bool {
        (**self).wants(point)
    }

    fn visit(&mut self, context: HookContext, value: Tensor) -> Result<Tensor> {
        (**self).visit(context, value)
    }
}

/// Reads nothing and changes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {
    fn wants(&self, _: HookPoint) -> bool {
        false
    }

    fn visit(&mut self, _: HookContext, value: Tensor) -> Result<Tensor> {
        Ok(value)
    }
}

/// Several hooks in order: each gets the value that the previous one returned.
pub struct Chain<'a>(pub Vec<&'a mut dyn Hooks>);

impl Hooks for Chain<'_> {
    fn wants(&self, point: HookPoint) -> bool {
        self.0.iter().any(|hooks| hooks.wants(point))
    }

    fn visit(&mut self, context: HookContext, value: Tensor) -> Result<Tensor> {
        let mut wanting = self.0.iter_mut().filter(|hooks| hooks.wants(context.point));
        wanting.try_fold(value, |value, hooks| hooks.visit(context, value))
    }
}
