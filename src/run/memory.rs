//! Estimates of the memory that a run needs, checked before it begins.

use super::options::RunOptions;
use crate::checkpoint::Config;
use crate::error::{Error, Result};
use crate::hook::HookPoint;

/// Checks that there is memory for a run of these texts, before it begins.
///
/// # Errors
/// [`Error::Memory`] with the bytes that the run needs.
pub(super) fn check_memory<T: AsRef<[u32]>>(
    config: &Config,
    texts: &[T],
    options: &RunOptions,
    captured: u64,
) -> Result<()> {
    let lengths = || texts.iter().map(|ids| ids.as_ref().len().min(config.n_positions));
    let bytes = lengths()
        .map(|length| bytes_needed(config, length, options))
        .fold(captured, u64::saturating_add);
    let tokens: usize = lengths().sum();
    match texts.len() {
        1 => expect_memory(
            bytes,
            &format!("a run of {tokens} tokens"),
            "a shorter text, or fewer values captured",
        ),
        count => expect_memory(
            bytes,
            &format!("a run of {count} texts with {tokens} tokens"),
            "fewer texts at a time, shorter ones, or fewer values captured",
        ),
    }
}

/// Checks that this many bytes can be allocated, because a run cannot recover from a failed
/// allocation.
///
/// # Errors
/// [`Error::Memory`], which says `what` needs them and what to do `instead`.
pub(crate) fn expect_memory(bytes: u64, what: &str, instead: &str) -> Result<()> {
    /// Smaller requests are not checked.
    const SMALL: u64 = 64 << 20;
    let fits =
        || Vec::<u8>::new().try_reserve_exact(usize::try_from(bytes).unwrap_or(usize::MAX)).is_ok();
    match bytes <= SMALL || fits() {
        true => Ok(()),
        false => Err(Error::Memory(format!(
            "{what} needs about {} MB, which cannot be allocated here: expected {instead}",
            bytes >> 20
        ))),
    }
}

/// The approximate peak memory of a run: the logits and the values of a layer; with gradients, the
/// values of every layer twice.
fn bytes_needed(config: &Config, length: usize, options: &RunOptions) -> u64 {
    let [t, d, heads, layers] =
        [length, config.n_embd, config.n_head, config.n_layer].map(|size| size as u64);
    let logits = t.saturating_mul(config.vocab_size as u64);
    let attention = heads.saturating_mul(t).saturating_mul(t).saturating_mul(2);
    let neurons = if config.attn_only { 0 } else { config.d_mlp() as u64 };
    let layer = attention.saturating_add(t.saturating_mul(8 * d + 2 * neurons));
    let numbers = match options.gradients_of {
        None => logits.saturating_add(layer),
        Some(_) => {
            logits.saturating_mul(3).saturating_add(layer.saturating_mul(2).saturating_mul(layers))
        }
    };
    numbers.saturating_mul(4)
}

/// The bytes of the values at these points, for a text of `length` tokens.
pub(crate) fn captured_bytes<'p>(
    config: &Config,
    points: impl IntoIterator<Item = &'p HookPoint>,
    length: usize,
) -> u64 {
    let along = |axis: &&str| match *axis {
        "pos" | "query" | "key" => length,
        "head" => config.n_head,
        "d_model" => config.n_embd,
        "d_head" => config.d_head(),
        "d_mlp" => config.d_mlp(),
        "vocab" => config.vocab_size,
        _ => 1,
    };
    let count = |point: &HookPoint| {
        point.axes().iter().fold(1u64, |product, axis| product.saturating_mul(along(axis) as u64))
    };
    points.into_iter().fold(0u64, |sum, point| sum.saturating_add(count(point))).saturating_mul(4)
}
