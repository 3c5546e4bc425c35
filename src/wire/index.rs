//! Indices that count from the end if they are negative: -1 is the last layer, head, neuron, position or text.

use std::fmt::Display;

use super::{FromValue, Node, ReadAs, TypeScript};
use crate::error::{Error, Result};

/// The index that `index` names; a negative one counts from the end of `length`. It may be `length` or more.
pub(crate) fn resolve_index(index: i64, length: usize) -> Option<usize> {
    if index >= 0 {
        usize::try_from(index).ok()
    } else {
        length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
    }
}

/// The index below `length` that `index` names. `what` is its name in the message: "`head`".
///
/// # Errors
/// [`Error::Input`] with the range that is expected.
pub(crate) fn expect_index(what: impl Display, index: i64, length: usize) -> Result<usize> {
    let found = resolve_index(index, length).filter(|found| *found < length);
    found.ok_or_else(|| Error::index_out_of_range(what, index, length))
}

/// The number of a layer, read as it is counted from 0.
pub struct Layer;

/// The number of a head in its layer, read as it is counted from 0.
pub struct Head;

/// A boundary between layers, read as the number of layers before it: that of a layer, or the number of layers.
pub struct LayerBoundary;

macro_rules! indices {
    ($($type:ident: $counted:ident, $more:literal, $one:literal, $several:literal;)*) => {
        $(impl ReadAs<usize> for $type {
            fn read_as(node: Node) -> Result<usize> {
                read(node, node.model().$counted(), $more, [$one, $several])
            }

            fn singular_as() -> String {
                i64::singular()
            }

            fn plural_as() -> String {
                i64::plural()
            }

            fn typescript_as(types: &mut TypeScript) -> String {
                i64::typescript(types)
            }
        })*
    };
}
indices! {
    Layer: layers, 0, "layer", "layers";
    Head: heads, 0, "head in each layer", "heads in each layer";
    LayerBoundary: layers, 1, "layer", "layers";
}

/// Reads an index below `count + more`, counted from the end of `count` if it is negative.
fn read(node: Node, count: Option<usize>, more: usize, [one, several]: [&str; 2]) -> Result<usize> {
    let Some(count) = count else { return usize::from_value(node) };
    let index = i64::from_value(node)?;
    let found = resolve_index(index, count).filter(|found| *found < count + more);
    found.ok_or_else(|| {
        let last = (count + more).saturating_sub(1);
        let noun = if count == 1 { one } else { several };
        node.expected(format!("-{count} to {last}: the model has {count} {noun}"))
    })
}
