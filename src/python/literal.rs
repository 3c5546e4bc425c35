//! Python literals.

use std::fmt::Display;

/// `[1, 2, 3]`
pub(super) fn ids(ids: &[u32]) -> String {
    format!("{ids:?}")
}

/// `["a", "b"]`
pub(super) fn strings(names: &[impl Display]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

/// A Python string. JSON's escapes mean the same in Python.
pub(super) fn string(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
