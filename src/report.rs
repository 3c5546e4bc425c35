//! Notices about a model that loaded: what was ignored or assumed, and which numbers are not finite.

use serde::{Deserialize, Serialize};

use crate::error::shortened;

/// One remark about a loaded model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub kind: Kind,
    /// A tensor, a field or a file.
    pub name: String,
    /// One full sentence.
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// What a remark is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Numbers that are not finite.
    NonFinite,
    /// Something that a file holds and the model does not use.
    Ignored,
    /// Something that the model uses although its config does not say so.
    Used,
    /// A value that no file gives, so that a default was used; or a state that could not be verified.
    Assumed,
}

/// All remarks about a model, in the order in which they arose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Report(Vec<Notice>);

/// At most this many ignored things are listed by name; the rest are only counted.
const LISTED: usize = 20;

impl Report {
    pub fn push(&mut self, kind: Kind, name: &str, message: String) {
        self.0.push(Notice { kind, name: name.to_string(), message, count: None });
    }

    /// The remarks in their order.
    pub fn notices(&self) -> &[Notice] {
        &self.0
    }

    /// Adds the remarks of `other`.
    pub fn append(&mut self, other: Report) {
        self.0.extend(other.0);
    }

    /// Removes the notices about `name`.
    pub(crate) fn forget(&mut self, name: &str) {
        self.0.retain(|notice| notice.name != name);
    }

    /// Things in `file` that were ignored, each by its name, up to a limit.
    pub fn ignored<'n>(
        &mut self,
        file: &str,
        names: impl Iterator<Item = &'n str>,
        message: impl Fn(&str) -> String,
    ) {
        let names: Vec<&str> = names.collect();
        for name in names.iter().take(LISTED) {
            self.push(Kind::Ignored, &shortened(name), message(&shortened(name)));
        }
        if names.len() > LISTED {
            let more = names.len() - LISTED;
            let message =
                format!("{file} holds {more} more things of this kind, which were ignored.");
            let count = Some(more as u64);
            self.0.push(Notice { kind: Kind::Ignored, name: file.to_string(), message, count });
        }
    }

    /// A tensor holds `count` numbers that are not finite, `nan` of which are NaN.
    pub fn non_finite(&mut self, name: &str, count: u64, nan: u64) {
        let infinite = count - nan;
        let message = format!(
            "`{name}` holds {count} numbers that are not finite ({nan} NaN, {infinite} infinite): what is computed \
             with them is not finite either."
        );
        let name = name.to_string();
        self.0.push(Notice { kind: Kind::NonFinite, name, message, count: Some(count) });
    }

    /// `tokenizer.json` is absent, for this reason.
    pub fn no_tokenizer(&mut self, reason: &str) {
        let message = format!(
            "The model was loaded without a tokenizer ({reason}): it takes token ids only."
        );
        self.push(Kind::Assumed, "tokenizer.json", message);
    }

    /// `tokenizer.json` asks for special tokens, which are not added.
    pub fn special_tokens_not_added(&mut self) {
        let message = "`post_processor` adds special tokens to each text; here none is added: ask for the first one with \
                       `prependBos`.";
        self.push(Kind::Ignored, "tokenizer.json", message.into());
    }

    /// A copy from the browser's storage was used without its server's word that it is current.
    pub fn unverified_copy(&mut self, name: &str, reason: &str) {
        let message = format!(
            "The copy that this browser keeps was used as it is, because its server could not be asked whether the \
             model has changed ({reason})."
        );
        self.push(Kind::Assumed, name, message);
    }
}
