//! A `tokenizer.json` from the tokenizers of other files: GGUF's, and those that `src/tokenizer/files/` reads.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::report::Report;

/// The field that `tokenizer.json` gets for [`Report`]s about the files that it was made from.
pub(crate) const NOTICES_FIELD: &str = "candlescope_notices";

/// What a `tokenizer.json` is made from.
pub(crate) struct TokenizerParts {
    /// The id of each token, added ones included.
    pub vocab: BTreeMap<String, u32>,
    /// Tokens that are found before a text is split. Each one is in `vocab`.
    pub added: Vec<AddedToken>,
    /// How the rest of a text is split.
    pub splitting: Splitting,
    /// Notices about the files.
    pub report: Report,
}

/// A token that is found before a text is split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AddedToken {
    pub content: String,
    pub special: bool,
    pub single_word: bool,
    pub lstrip: bool,
    pub rstrip: bool,
}

impl AddedToken {
    pub fn new(content: &str, special: bool) -> AddedToken {
        let content = content.to_string();
        AddedToken { content, special, single_word: false, lstrip: false, rstrip: false }
    }
}

/// How a text is split into the tokens of a vocabulary.
pub(crate) enum Splitting {
    /// GPT-2's regular expression, then byte pair encoding in GPT-2's byte alphabet.
    Gpt2 {
        /// The first has the lowest rank, which is merged first.
        merges: Vec<(String, String)>,
        /// Whether a text that does not begin with a space gets one.
        add_prefix_space: bool,
        /// Whether a word that is a token is that token, whatever its merges give.
        whole_words: bool,
    },
    /// Each character is a token.
    Characters,
}

impl TokenizerParts {
    /// The bytes of the `tokenizer.json`.
    pub fn into_json(self) -> Vec<u8> {
        let added: Vec<Value> =
            self.added.iter().map(|token| added_token(token, &self.vocab)).collect();
        let mut model = json!({
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
        });
        let (pre_tokenizer, decoder) = match self.splitting {
            Splitting::Characters => {
                model["merges"] = json!([]);
                (Value::Null, json!({ "type": "Fuse" }))
            }
            Splitting::Gpt2 { merges, add_prefix_space, whole_words } => {
                model["merges"] = json!(merges);
                model["ignore_merges"] = json!(whole_words);
                let level = json!({
                    "type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": true, "use_regex": true,
                });
                (level.clone(), level)
            }
        };
        model["vocab"] = json!(self.vocab);
        let mut file = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null,
            "pre_tokenizer": pre_tokenizer, "post_processor": null, "decoder": decoder, "model": model,
        });
        if !self.report.notices().is_empty() {
            file[NOTICES_FIELD] = json!(self.report);
        }
        file.to_string().into_bytes()
    }
}

fn added_token(token: &AddedToken, vocab: &BTreeMap<String, u32>) -> Value {
    let AddedToken { content, special, single_word, lstrip, rstrip } = token;
    json!({
        "id": vocab.get(content), "content": content, "single_word": single_word, "lstrip": lstrip, "rstrip": rstrip,
        "normalized": false, "special": special,
    })
}
