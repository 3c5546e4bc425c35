//! The tensors of a checkpoint's files under names without prefixes.

use std::collections::HashMap;

use super::super::stored::StoredTensor;
use crate::error::{Error, Result, shortened};

/// Prefixes that programs put in front of every name, in any order and number: containers of modules, and wrappers of
/// `DataParallel` (`module.`), `torch.compile` (`_orig_mod.`), DeepSpeed, Lightning and peft.
const PREFIXES: [&str; 12] = [
    "transformer.",
    "module.",
    "_orig_mod.",
    "model.",
    "base_model.model.",
    "_forward_module.",
    "state_dict.",
    "model_state_dict.",
    "params.",
    "gpt.",
    "net.",
    "network.",
];

/// A tensor and its name without prefixes.
#[derive(Debug)]
pub(in super::super) struct Listed<'c> {
    /// Without prefixes, and with `.` between its parts.
    pub name: String,
    pub tensor: &'c StoredTensor,
}

/// The tensors of all files.
pub(in super::super) struct Listing<'c> {
    pub tensors: Vec<Listed<'c>>,
    by_name: HashMap<String, usize>,
}

impl<'c> Listing<'c> {
    /// # Errors
    /// [`Error::Weights`] when two tensors have the same name.
    pub fn new(stored: impl IntoIterator<Item = &'c StoredTensor>) -> Result<Listing<'c>> {
        let tensors =
            stored.into_iter().map(|tensor| Listed { name: name_of(&tensor.key), tensor });
        let tensors: Vec<_> = tensors.collect();
        let mut by_name = HashMap::new();
        for (index, Listed { name, tensor }) in tensors.iter().enumerate() {
            let Some(first) = by_name.insert(name.clone(), index) else { continue };
            let (first, second) = (shortened(&tensors[first].tensor.key), shortened(&tensor.key));
            let name = shortened(name);
            return Err(Error::Weights(match first == second {
                true => format!("`{first}` is in two of the files, or in one twice"),
                false => format!(
                    "`{name}` is there under two names: `{first}` and `{second}`; remove one of them"
                ),
            }));
        }
        Ok(Listing { tensors, by_name })
    }

    /// The tensor with this name.
    pub fn get(&self, name: &str) -> Option<&StoredTensor> {
        self.by_name.get(name).map(|index| self.tensors[*index].tensor)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.iter().map(|listed| listed.name.as_str())
    }

    /// The shapes of the matrices with names that end with this.
    pub fn matrices(&self, end: &str) -> impl Iterator<Item = [u64; 2]> {
        let listed = self.tensors.iter().filter(move |listed| listed.name.ends_with(end));
        listed.filter_map(|listed| <[u64; 2]>::try_from(listed.tensor.shape.as_slice()).ok())
    }
}

/// The name without prefixes.
pub(in super::super) fn name_of(key: &str) -> String {
    let key = if key.contains('/') { key.replace('/', ".") } else { key.to_string() };
    let mut name = key.as_str();
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        name = rest;
    }
    name.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_removed_in_any_order_and_number() {
        for prefix in [
            "",
            "transformer.",
            "module.transformer.",
            "module._orig_mod.transformer.",
            "_orig_mod.module.model.",
            "base_model.model.transformer.",
            "params.params.transformer.",
        ] {
            assert_eq!(name_of(&format!("{prefix}h.0.ln_1.weight")), "h.0.ln_1.weight");
        }
        assert_eq!(name_of("params/h_0/ln_1/scale"), "h_0.ln_1.scale");
    }
}
