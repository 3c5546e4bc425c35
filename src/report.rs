//! What a load has to say about a model that loaded all the same: which file was absent, what could not be verified.

use serde::Serialize;

/// One remark about a loaded model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    pub kind: Kind,
    /// A tensor, a field or a file.
    pub name: String,
    /// One full sentence.
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// What a remark is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Numbers that are not finite.
    NonFinite,
    /// Something that a file holds and the model does not use.
    Ignored,
    /// Something that the model uses although its config does not say so.
    Used,
    /// Something that nobody said, and the value that was taken.
    Assumed,
}

/// All remarks about a model, in the order in which they arose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Report(Vec<Notice>);

impl Report {
    pub fn push(&mut self, kind: Kind, name: &str, message: String) {
        self.0.push(Notice { kind, name: name.to_string(), message, count: None });
    }

    /// `tokenizer.json` is absent, for this reason.
    pub fn no_tokenizer(&mut self, reason: &str) {
        let message =
            format!("The model was loaded without a tokenizer ({reason}): it takes token ids only.");
        self.push(Kind::Assumed, "tokenizer.json", message);
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
