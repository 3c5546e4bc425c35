//! `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json`: tokens that are found before a text is split.

use std::collections::HashMap;

use super::values::{Ids, whole};
use crate::checkpoint::json::{Fields, Json};
use crate::checkpoint::tokenizer_json::AddedToken;
use crate::checkpoint::{NoticeKind, Report};
use crate::error::Result;
use crate::tokenizer::messages::{MAX_ID, check_token, refused};

/// Fields whose value is a special token.
const SPECIAL: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"];
/// Classes of transformers whose `vocab.json` and `merges.txt` are GPT-2's, without the ending `Fast`.
const CLASSES: [&str; 8] = [
    "GPT2Tokenizer",
    "RobertaTokenizer",
    "BartTokenizer",
    "LongformerTokenizer",
    "LEDTokenizer",
    "PreTrainedTokenizer",
    "TokenizersBackend",
    "AutoTokenizer",
];

/// What these files say about a tokenizer.
#[derive(Default)]
pub(super) struct Settings {
    tokens: Vec<Entry>,
    prefix_space: Option<(String, bool)>,
    class: Option<(String, String)>,
    /// A file that asks for a token before each text.
    adds_bos: Option<String>,
}

/// A token in one of the files.
struct Entry {
    file: String,
    token: AddedToken,
    id: Option<u32>,
}

impl Settings {
    /// Adds the fields of a `tokenizer_config.json` or `special_tokens_map.json`.
    ///
    /// # Errors
    /// [`Error::Tokenizer`](crate::Error::Tokenizer) when a token is not text or its id is not a number.
    pub fn add_fields(&mut self, file: &str, fields: &Fields) -> Result<()> {
        if let Some(Json::Object(tokens)) = fields.get("added_tokens_decoder") {
            for (id, token) in tokens {
                let number = id.trim().parse().ok().filter(|id| u64::from(*id) < MAX_ID);
                let Some(number) = number else {
                    return Err(refused(
                        file,
                        format!(
                            "`added_tokens_decoder` has the id {id:?}, expected a whole number below {MAX_ID}"
                        ),
                    ));
                };
                self.add(file, "added_tokens_decoder", token, false, Some(number))?;
            }
        }
        for name in SPECIAL {
            match fields.get(name) {
                None | Some(Json::Null) => {}
                Some(token) => self.add(file, name, token, true, None)?,
            }
        }
        if let Some(Json::List(tokens)) = fields.get("additional_special_tokens") {
            for token in tokens {
                self.add(file, "additional_special_tokens", token, true, None)?;
            }
        }
        let flag = |name: &str| match fields.get(name) {
            Some(Json::Bool(flag)) => Some(*flag),
            _ => None,
        };
        if let Some(flag) = flag("add_prefix_space") {
            self.prefix_space = Some((file.into(), flag));
        }
        if flag("add_bos_token") == Some(true) || flag("add_eos_token") == Some(true) {
            self.adds_bos = Some(file.into());
        }
        if let Some(Json::Text(class)) = fields.get("tokenizer_class") {
            self.class = Some((file.into(), class.clone()));
        }
        Ok(())
    }

    /// Adds the tokens of an `added_tokens.json`.
    ///
    /// # Errors
    /// [`Error::Tokenizer`](crate::Error::Tokenizer) when a token is empty or too long.
    pub fn add_ids(&mut self, file: &str, ids: &Ids) -> Result<()> {
        ids.iter().try_for_each(|(token, id)| {
            self.add(file, "added tokens", &Json::Text(token.clone()), false, Some(*id))
        })
    }

    fn add(
        &mut self,
        file: &str,
        field: &str,
        token: &Json,
        special: bool,
        id: Option<u32>,
    ) -> Result<()> {
        let fields = match token {
            Json::Object(fields) => Some(fields),
            _ => None,
        };
        let flag = |name: &str| fields.is_some_and(|all| all.get(name) == Some(&Json::Bool(true)));
        let content = match fields.and_then(|fields| fields.get("content")).unwrap_or(token) {
            Json::Text(content) if !content.is_empty() => content,
            other => {
                let found = other.describe();
                return Err(refused(
                    file,
                    format!(
                        "`{field}` is {found}, expected a token as text of at least one character"
                    ),
                ));
            }
        };
        check_token(content).map_err(|reason| refused(file, reason))?;
        let id = id.or_else(|| {
            let id = fields.and_then(|fields| fields.get("id")).and_then(whole);
            id.and_then(|id| u32::try_from(id).ok())
        });
        let token = AddedToken {
            content: content.clone(),
            special: special || flag("special"),
            single_word: flag("single_word"),
            lstrip: flag("lstrip"),
            rstrip: flag("rstrip"),
        };
        self.tokens.push(Entry { file: file.into(), token, id });
        Ok(())
    }

    /// Whether a text that does not begin with a space gets one.
    pub fn prefix_space(&self) -> bool {
        self.prefix_space.as_ref().is_some_and(|(_, flag)| *flag)
    }

    /// A report with the notices about these files.
    pub fn report(&self) -> Report {
        let mut report = Report::default();
        if let Some(file) = &self.adds_bos {
            let message = format!(
                "{file} adds special tokens to each text; here none is added: ask for the first one with `prependBos`."
            );
            report.push(NoticeKind::Ignored, file, message);
        }
        report
    }

    /// # Errors
    /// [`Error::Tokenizer`](crate::Error::Tokenizer) when the files are those of another kind of tokenizer than GPT-2's.
    pub fn check_class(&self) -> Result<()> {
        let Some((file, class)) = &self.class else { return Ok(()) };
        match CLASSES.contains(&class.strip_suffix("Fast").unwrap_or(class)) {
            true => Ok(()),
            false => Err(refused(
                file,
                format!(
                    "`tokenizer_class` is \"{class}\", expected \"GPT2Tokenizer\"; load it with \
                     `AutoTokenizer.from_pretrained` and save it with `save_pretrained`, which writes a tokenizer.json"
                ),
            )),
        }
    }

    /// The added tokens, which are put into `vocab` too. `name`: the file of the vocabulary. `defaults`: tokens that its kind
    /// adds with these ids. A token that has no id in any file is reported.
    ///
    /// # Errors
    /// [`Error::Tokenizer`](crate::Error::Tokenizer) when two files give a token different ids, or an id different tokens, or a
    /// token is too long.
    pub fn added(
        &self,
        name: &str,
        vocab: &mut Ids,
        defaults: &[(&str, u32)],
        report: &mut Report,
    ) -> Result<Vec<AddedToken>> {
        for token in vocab.keys() {
            check_token(token).map_err(|reason| refused(name, reason))?;
        }
        let mut names: HashMap<u32, String> =
            vocab.iter().map(|(token, id)| (*id, token.clone())).collect();
        let default = |(content, id): &(&str, u32)| Entry {
            file: name.into(),
            token: AddedToken::new(content, false),
            id: Some(*id),
        };
        let defaults: Vec<Entry> = defaults.iter().map(default).collect();
        let mut added: Vec<AddedToken> = Vec::new();
        for Entry { file, token, id } in defaults.iter().chain(&self.tokens) {
            let content = &token.content;
            if let Some(id) = id {
                let own = vocab.get(content).filter(|own| *own != id);
                if let Some(own) = own {
                    return Err(refused(
                        file,
                        format!(
                            "{content:?} has the id {id}, but {own} in {name}: both files must be of the same tokenizer"
                        ),
                    ));
                }
                let other = names.insert(*id, content.clone()).filter(|other| other != content);
                if let Some(other) = other {
                    return Err(refused(
                        file,
                        format!(
                            "{content:?} has the id {id}, which is that of {other:?} in {name}: both files must be of the \
                             same tokenizer"
                        ),
                    ));
                }
                vocab.insert(content.clone(), *id);
            }
            match added.iter_mut().find(|known| known.content == *content) {
                Some(known) => {
                    known.special |= token.special;
                    known.single_word |= token.single_word;
                    known.lstrip |= token.lstrip;
                    known.rstrip |= token.rstrip;
                }
                None => added.push(token.clone()),
            }
        }
        added.retain(|token| {
            let content = &token.content;
            let has_id = vocab.contains_key(content);
            if !has_id {
                let message = format!(
                    "The special token \"{content}\" has no id in any file: it was not added, and a text that contains it is \
                     split like any other."
                );
                report.push(NoticeKind::Ignored, content, message);
            }
            has_id
        });
        Ok(added)
    }

    /// What contradicts a tokenizer that gives these ids and this prefix space; empty if nothing does.
    pub fn contradiction(
        &self,
        file: &str,
        id_of: impl Fn(&str) -> Option<u32>,
        prefix_space: bool,
    ) -> Option<String> {
        let wrong_id = |entry: &&Entry| {
            entry.file == file && entry.id.is_some() && id_of(&entry.token.content) != entry.id
        };
        if let Some(entry) = self.tokens.iter().find(wrong_id) {
            let (content, id) = (&entry.token.content, entry.id.unwrap_or_default());
            return Some(match id_of(content) {
                Some(other) => {
                    format!("it gives \"{content}\" the id {id}, tokenizer.json {other}")
                }
                None => {
                    format!("it gives \"{content}\" the id {id}, tokenizer.json has no such token")
                }
            });
        }
        match &self.prefix_space {
            Some((from, flag)) if from == file && *flag != prefix_space => Some(format!(
                "its `add_prefix_space` is {flag}, that of tokenizer.json is {prefix_space}"
            )),
            _ => None,
        }
    }
}
