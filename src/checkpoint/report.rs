//! Notices about a model that loaded: what was ignored or assumed, and which values are not finite.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::error::shortened;
use crate::wire::{results, words};

results! {
    /// One notice about a loaded model.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Notice {
        /// What the notice is about.
        pub kind: NoticeKind,
        /// A tensor, a field or a file.
        pub name: String,
        /// One full sentence.
        pub message: String,
        /// How many values or names it is about, if it is about several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub count: Option<u64>,
        /// The keys in the file from which the tensor was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub from: Option<Vec<String>>,
    }
}

words! {
    /// What a notice is about.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub enum NoticeKind {
        /// Values that are not finite.
        NonFinite = "nonFinite",
        /// Part of a file that the model does not use.
        Ignored = "ignored",
        /// Part of a file that the model uses against its config.
        Used = "used",
        /// A default for a value that no file gives, or a state that could not be verified.
        Assumed = "assumed",
        /// A tensor that has another name in the file.
        Renamed = "renamed",
        /// A tensor that has another order of axes in the file.
        Transposed = "transposed",
        /// A tensor that is several tensors in the file.
        Joined = "joined",
        /// An unembedding that is the token embedding.
        Tied = "tied",
        /// A bias that no file holds and that is therefore zero.
        Filled = "filled",
        /// A weight that `withParameters` replaced.
        Replaced = "replaced",
        /// A tensor that is not known and cannot change what the model computes.
        Unknown = "unknown",
    }
}

/// All notices about a model, in the order in which they arose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Report(Vec<Notice>);

/// The maximum number of ignored names with a notice each. The others are counted in one notice.
const MAX_LISTED: usize = 20;

impl Report {
    pub(crate) fn push(&mut self, kind: NoticeKind, name: &str, message: String) {
        self.0.push(Notice { kind, name: name.to_string(), message, count: None, from: None });
    }

    /// Adds a notice about a tensor that was made from tensors with these keys.
    pub(super) fn push_from(
        &mut self,
        kind: NoticeKind,
        name: &str,
        message: String,
        from: &[&str],
    ) {
        let from = from.iter().map(|key| shortened(key).into_owned()).collect();
        self.0.push(Notice { kind, name: name.into(), message, count: None, from: Some(from) });
    }

    /// The notices in their order.
    pub fn notices(&self) -> &[Notice] {
        &self.0
    }

    /// Adds the notices of `other`.
    pub(crate) fn append(&mut self, other: Report) {
        self.0.extend(other.0);
    }

    /// Removes the notices that are in `other`.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn remove(&mut self, other: &Report) {
        self.0.retain(|notice| !other.0.contains(notice));
    }

    /// Removes the notices about `name`, and returns the keys that they named.
    pub(crate) fn forget(&mut self, name: &str) -> Vec<String> {
        let about = self.0.extract_if(.., |notice| notice.name == name);
        about.filter_map(|notice| notice.from).flatten().collect()
    }

    /// Adds a notice for tensors of the training.
    pub(super) fn ignored_training(&mut self, names: &[&str]) {
        let [first, ..] = names else { return };
        let count = names.len();
        let message = format!(
            "{count} tensors belong to the training, such as `{}`, and were ignored.",
            shortened(first)
        );
        let (kind, name) = (NoticeKind::Ignored, shortened(first).into_owned());
        self.0.push(Notice { kind, name, message, count: Some(count as u64), from: None });
    }

    /// Adds a notice for a bias of the logits that is zero.
    pub(super) fn ignored_zeros(&mut self, name: &str) {
        let message = format!("`{name}` is all zeros and was ignored: it changes no logit.");
        self.push(NoticeKind::Ignored, name, message);
    }

    /// Adds a notice for each of the names in `file` that were ignored, up to a limit.
    pub(crate) fn ignored<'n>(
        &mut self,
        file: &str,
        names: impl Iterator<Item = &'n str>,
        message: impl Fn(&str) -> String,
    ) {
        let names: Vec<&str> = names.collect();
        for name in names.iter().take(MAX_LISTED) {
            self.push(NoticeKind::Ignored, &shortened(name), message(&shortened(name)));
        }
        if names.len() > MAX_LISTED {
            let more = names.len() - MAX_LISTED;
            let message =
                format!("{file} holds {more} more things of this kind, which were ignored.");
            let count = Some(more as u64);
            self.0.push(Notice {
                kind: NoticeKind::Ignored,
                name: file.to_string(),
                message,
                count,
                from: None,
            });
        }
    }

    /// Adds notices for tensors in `file` that belong to the head of another task.
    pub(crate) fn ignored_heads<'n>(&mut self, file: &str, names: impl Iterator<Item = &'n str>) {
        self.ignored(file, names, |name| {
            format!(
                "`{name}` belongs to the head of another task and was ignored: it changes no logit."
            )
        });
    }

    /// Adds a notice for a tensor with `count` values that are not finite, `nan` of which are NaN.
    pub(crate) fn non_finite(&mut self, name: &str, count: u64, nan: u64) {
        let infinite = count - nan;
        let message = format!(
            "`{name}` holds {count} numbers that are not finite ({nan} NaN, {infinite} infinite): what is computed \
             with them is not finite either."
        );
        let name = name.to_string();
        let (kind, count) = (NoticeKind::NonFinite, Some(count));
        self.0.push(Notice { kind, name, message, count, from: None });
    }

    /// Adds a notice that `tokenizer.json` is absent, for this reason.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn no_tokenizer(&mut self, reason: &str) {
        let message = format!(
            "The model was loaded without a tokenizer ({reason}): it takes token ids only."
        );
        self.push(NoticeKind::Assumed, "tokenizer.json", message);
    }

    /// Adds a notice if the ids of a tokenizer, which are below `tokens`, are not those of a model with `vocab_size` rows of
    /// embeddings. 0: the model is not known.
    pub(crate) fn tokenizer_size(&mut self, tokens: usize, vocab_size: usize) {
        let last = vocab_size.saturating_sub(1);
        let message = match tokens.cmp(&vocab_size) {
            _ if vocab_size == 0 => return,
            Ordering::Equal => return,
            Ordering::Less => format!(
                "The tokenizer's ids end at {}, those of the model at {last}: ids without a token are shown as \
                 ⟨{last}⟩.",
                tokens - 1
            ),
            Ordering::Greater => format!(
                "The tokenizer's ids end at {}, those of the model at {last}: a text with a token beyond that is refused.",
                tokens - 1
            ),
        };
        self.push(NoticeKind::Assumed, "tokenizer.json", message);
    }

    /// Adds a notice that `tokenizer.json` asks for special tokens, which are not added.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn special_tokens_not_added(&mut self) {
        let message = "`post_processor` adds special tokens to each text; here none is added: ask for the first one with \
                       `prependBos`.";
        self.push(NoticeKind::Ignored, "tokenizer.json", message.into());
    }

    /// Adds a notice that a copy from the browser's storage was used, although its server did not confirm that it is
    /// current.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn unverified_copy(&mut self, name: &str, reason: &str) {
        let message = format!(
            "The copy that this browser keeps was used as it is, because its server could not be asked whether the \
             model has changed ({reason})."
        );
        self.push(NoticeKind::Assumed, name, message);
    }
}
