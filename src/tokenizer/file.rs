//! The contents of `tokenizer.json`, checked before the `tokenizers` crate sees them.
//!
//! The crate panics on some files that are cut or inconsistent, and a panic ends the WebAssembly instance. So the file is
//! parsed here, every precondition of the crate's code is checked, and its parts are built one by one.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::{
    AddedToken, Model, ModelWrapper, NormalizedString, Normalizer, NormalizerWrapper,
};

use super::parts::{decoder, normalizer, pre_tokenizer};
use crate::error::{Error, Result};

/// The largest file that is read.
const MAX_BYTES: usize = 64 << 20;
/// Ids are below this: `f32` holds whole numbers up to it.
const MAX_ID: u64 = 1 << 24;
/// The longest token in bytes. The trie of a Unigram model is as deep, and is freed recursively.
const MAX_TOKEN_BYTES: usize = 1024;
/// The longest word that a WordPiece model cuts, which takes time that grows with the square of it.
const MAX_WORD_CHARS: u64 = 1000;

pub(super) fn wrong(message: impl fmt::Display) -> Error {
    Error::Tokenizer(message.to_string())
}

/// # Errors
/// [`Error::Tokenizer`] that names the field, when the file is not a tokenizer that can be used.
pub(super) fn read(json: &[u8]) -> Result<Read> {
    if json.len() > MAX_BYTES {
        return Err(wrong(format!(
            "the file has {} bytes, expected at most {MAX_BYTES}",
            json.len()
        )));
    }
    let json = json.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(json);
    let file: File = serde_json::from_slice(json).map_err(|error| wrong(not_read(json, &error)))?;
    let version = file.version.as_str();
    if !(file.version.is_null() || version == Some("1.0")) {
        return Err(wrong(format!("`version` is {}, expected \"1.0\"", file.version)));
    }
    let mut tokenizer = tokenizers::Tokenizer::new(file.model.build()?);
    tokenizer.with_normalizer(normalizer(file.normalizer)?).map_err(wrong)?;
    tokenizer.with_pre_tokenizer(pre_tokenizer(file.pre_tokenizer)?);
    tokenizer.with_decoder(decoder(file.decoder)?);
    add_tokens(&mut tokenizer, &file.added_tokens)?;
    Ok(Read { tokenizer, adds_special_tokens: adds_special_tokens(&file.post_processor) })
}

pub(super) struct Read {
    pub tokenizer: tokenizers::Tokenizer,
    /// The file asks for special tokens around each text, which are not added here.
    pub adds_special_tokens: bool,
}

/// Whether a post-processor does more than adjust offsets, as that of type `ByteLevel` does.
fn adds_special_tokens(post_processor: &Value) -> bool {
    match post_processor["type"].as_str() {
        Some("Sequence") => post_processor["processors"]
            .as_array()
            .is_some_and(|all| all.iter().any(adds_special_tokens)),
        kind => kind.is_some_and(|kind| kind != "ByteLevel"),
    }
}

/// Why the file cannot be read as a tokenizer, without serde's terms.
fn not_read(json: &[u8], error: &serde_json::Error) -> String {
    let start = json.trim_ascii_start();
    if start.starts_with(b"version https://git-lfs") {
        return "the file is a Git LFS pointer, expected JSON: fetch the file that it stands for (`git lfs pull`)".into();
    }
    if start.starts_with(b"<") {
        return "the file is an HTML page, expected JSON: the address does not lead to the file itself"
            .into();
    }
    let place = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Eof => {
            format!("the file ends too early, at {place}: it is cut, load it again")
        }
        serde_json::error::Category::Data => in_plain_words(error),
        _ => format!("the file is not JSON at {place}"),
    }
}

/// What an error of serde says, in the words of JSON: "found a map" is no help to someone who reads a file.
pub(super) fn in_plain_words(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    for (serde, json) in [
        ("invalid type: map,", "found an object,"),
        ("invalid type: sequence,", "found an array,"),
        ("invalid type: null,", "found null,"),
        ("invalid type: ", "found the "),
        ("invalid value: ", "found the "),
        ("invalid length ", "found a list of length "),
        ("missing field ", "there is no field "),
        ("unknown variant ", "there is no kind "),
        (" at line ", ", in line "),
        (" column ", ", column "),
    ] {
        text = text.replace(serde, json);
    }
    text
}

/// The fields of the file. Truncation and padding are ignored. The post-processor only adds special tokens, which are not added
/// here; it is read to be able to say so.
struct File {
    version: Value,
    added_tokens: Value,
    normalizer: Value,
    pre_tokenizer: Value,
    post_processor: Value,
    decoder: Value,
    model: ModelFields,
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<File, D::Error> {
        deserializer.deserialize_map(FileVisitor)
    }
}

struct FileVisitor;

impl<'de> Visitor<'de> for FileVisitor {
    type Value = File;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with `model`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<File, A::Error> {
        let mut fields = Map::new();
        let mut model = None;
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "model" if model.is_none() => model = Some(map.next_value::<ModelFields>()?),
                "version" | "added_tokens" | "normalizer" | "pre_tokenizer" | "post_processor"
                | "decoder"
                    if !fields.contains_key(&name) =>
                {
                    let value = map.next_value()?;
                    fields.insert(name, value);
                }
                "model" | "version" | "added_tokens" | "normalizer" | "pre_tokenizer"
                | "post_processor" | "decoder" => {
                    return Err(A::Error::custom(format!("`{name}` is there twice")));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let mut take = |name: &str| fields.remove(name).unwrap_or_default();
        Ok(File {
            version: take("version"),
            added_tokens: take("added_tokens"),
            normalizer: take("normalizer"),
            pre_tokenizer: take("pre_tokenizer"),
            post_processor: take("post_processor"),
            decoder: take("decoder"),
            model: model.ok_or_else(|| A::Error::custom("`model` is missing"))?,
        })
    }
}

/// The fields of `model`, its large ones apart.
#[derive(Default)]
struct ModelFields {
    fields: Map<String, Value>,
    vocab: Option<Tokens>,
    merges: Option<Merges>,
}

enum Tokens {
    /// BPE, WordPiece, WordLevel.
    Ids(Vocab),
    /// Unigram: the ids are the places, and each token has a score.
    Scores(Vec<(String, f64)>),
}

impl<'de> Deserialize<'de> for ModelFields {
    fn deserialize<D: Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<ModelFields, D::Error> {
        deserializer.deserialize_map(ModelVisitor)
    }
}

struct ModelVisitor;

impl<'de> Visitor<'de> for ModelVisitor {
    type Value = ModelFields;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("`model` to be an object with `type` and `vocab`")
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut map: A,
    ) -> std::result::Result<ModelFields, A::Error> {
        let mut model = ModelFields::default();
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "vocab" if model.vocab.is_none() => model.vocab = Some(map.next_value()?),
                "merges" if model.merges.is_none() => {
                    let merges: Vec<Merge> = map.next_value()?;
                    model.merges =
                        Some(merges.into_iter().filter_map(|Merge(pair)| pair).collect());
                }
                "vocab" | "merges" => {
                    return Err(A::Error::custom(format!("`model.{name}` is there twice")));
                }
                _ if model.fields.contains_key(&name) => {
                    return Err(A::Error::custom(format!("`model.{name}` is there twice")));
                }
                _ => {
                    let value = map.next_value()?;
                    model.fields.insert(name, value);
                }
            }
        }
        Ok(model)
    }
}

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Tokens, D::Error> {
        deserializer.deserialize_any(TokensVisitor)
    }
}

struct TokensVisitor;

impl<'de> Visitor<'de> for TokensVisitor {
    type Value = Tokens;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(
            "`model.vocab` to be an object of tokens with their ids, or a list of tokens with their scores",
        )
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Tokens, A::Error> {
        let mut vocab = Vocab::default();
        let mut taken = Vec::new();
        while let Some((token, Id(id))) = map.next_entry::<String, Id>()? {
            check_token(&token).map_err(A::Error::custom)?;
            if id >= MAX_ID {
                return Err(A::Error::custom(format!(
                    "`model.vocab` gives {token:?} the id {id}, expected below {MAX_ID}"
                )));
            }
            let place = id as usize;
            taken.resize(taken.len().max(place + 1), false);
            if std::mem::replace(&mut taken[place], true) {
                return Err(A::Error::custom(format!(
                    "`model.vocab` has two tokens with the id {id}"
                )));
            }
            if vocab.insert(token, id as u32).is_some() {
                return Err(A::Error::custom(format!(
                    "`model.vocab` has a token twice, the second time with the id {id}"
                )));
            }
        }
        Ok(Tokens::Ids(vocab))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Tokens, A::Error> {
        let mut tokens: Vec<(String, f64)> = Vec::new();
        let mut seen = HashSet::new();
        let pair =
            |error| A::Error::custom(format!("`model.vocab` has no token with its score: {error}"));
        while let Some((token, score)) = list.next_element::<(String, f64)>().map_err(pair)? {
            check_token(&token).map_err(A::Error::custom)?;
            if token.is_empty() {
                return Err(A::Error::custom(
                    "`model.vocab` has an empty token, which a Unigram model cannot have",
                ));
            }
            if !seen.insert(token.clone()) {
                return Err(A::Error::custom(format!(
                    "`model.vocab` has the token {token:?} twice"
                )));
            }
            tokens.push((token, score));
        }
        Ok(Tokens::Scores(tokens))
    }
}

struct Id(u64);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Id, D::Error> {
        deserializer.deserialize_any(IdVisitor)
    }
}

struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("`model.vocab` to give each token a whole number, its id")
    }

    fn visit_u64<E: serde::de::Error>(self, id: u64) -> std::result::Result<Id, E> {
        Ok(Id(id))
    }
}

fn check_token(token: &str) -> std::result::Result<(), String> {
    let length = token.len();
    if length > MAX_TOKEN_BYTES {
        return Err(format!("a token has {length} bytes, expected at most {MAX_TOKEN_BYTES}"));
    }
    Ok(())
}

/// `["a", "b"]`, or `"a b"` in older files; none for the comment that those begin with.
struct Merge(Option<(String, String)>);

impl<'de> Deserialize<'de> for Merge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Merge, D::Error> {
        deserializer.deserialize_any(MergeVisitor)
    }
}

struct MergeVisitor;

impl<'de> Visitor<'de> for MergeVisitor {
    type Value = Merge;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("each of `model.merges` to be two tokens, such as [\"t\", \"h\"] or \"t h\"")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<Merge, E> {
        if text.starts_with("#version") {
            return Ok(Merge(None));
        }
        match text.split_once(' ') {
            Some((a, b)) if !b.contains(' ') => Ok(Merge(Some((a.into(), b.into())))),
            _ => Err(E::custom(format!(
                "`model.merges` has {text:?}, expected two tokens with a space between them"
            ))),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Merge, A::Error> {
        let pair = (list.next_element()?, list.next_element()?, list.next_element::<IgnoredAny>()?);
        match pair {
            (Some(a), Some(b), None) => Ok(Merge(Some((a, b)))),
            _ => Err(A::Error::custom("`model.merges` has a list that is not two tokens")),
        }
    }
}

impl ModelFields {
    fn build(self) -> Result<ModelWrapper> {
        let found = match self.fields.get("type") {
            Some(Value::String(name)) => name.as_str(),
            Some(other) => {
                return Err(wrong(format!(
                    "`model.type` is {other}, expected a name such as \"BPE\""
                )));
            }
            None => self.inferred(),
        };
        match found {
            "BPE" => self.bpe().map(ModelWrapper::BPE),
            "WordPiece" => self.word_piece().map(ModelWrapper::WordPiece),
            "WordLevel" => self.word_level().map(ModelWrapper::WordLevel),
            "Unigram" => self.unigram().map(ModelWrapper::Unigram),
            other => Err(wrong(format!(
                "`model.type` is {other:?}, expected \"BPE\", \"WordPiece\", \"WordLevel\" or \"Unigram\""
            ))),
        }
    }

    /// The type of a model in an old file, which does not name it.
    fn inferred(&self) -> &'static str {
        match &self.vocab {
            Some(Tokens::Scores(_)) => "Unigram",
            _ if self.merges.is_some() => "BPE",
            _ if self.fields.contains_key("max_input_chars_per_word") => "WordPiece",
            _ => "WordLevel",
        }
    }

    fn bpe(mut self) -> Result<BPE> {
        let dropout = self.fields.get("dropout").and_then(Value::as_f64).unwrap_or(0.0);
        if dropout != 0.0 {
            return Err(wrong(format!(
                "`model.dropout` is {dropout}, which makes tokens random; expected null: set it to null"
            )));
        }
        let vocab = self.vocabulary()?;
        let merges = self.merges.take().ok_or_else(|| wrong("`model.merges` is missing"))?;
        let prefix = self.text("continuing_subword_prefix")?.unwrap_or_default();
        let suffix = self.text("end_of_word_suffix")?.unwrap_or_default();
        check_merges(&vocab, &merges, &prefix)?;
        let mut builder = BPE::builder();
        if let Some(unknown) = self.unknown(&vocab)? {
            builder = builder.unk_token(unknown);
        }
        if !prefix.is_empty() {
            builder = builder.continuing_subword_prefix(prefix);
        }
        if !suffix.is_empty() {
            builder = builder.end_of_word_suffix(suffix);
        }
        let builder = builder
            .fuse_unk(self.flag("fuse_unk")?)
            .byte_fallback(self.flag("byte_fallback")?)
            .ignore_merges(self.flag("ignore_merges")?);
        builder.vocab_and_merges(vocab, merges).build().map_err(wrong)
    }

    fn word_piece(mut self) -> Result<WordPiece> {
        let vocab = self.vocabulary()?;
        let unknown = self.unknown(&vocab)?.ok_or_else(|| wrong("`model.unk_token` is missing"))?;
        let most = self.fields.get("max_input_chars_per_word").and_then(Value::as_u64);
        let Some(most) = most.filter(|most| *most <= MAX_WORD_CHARS) else {
            return Err(wrong(format!(
                "`model.max_input_chars_per_word` is not a whole number, expected at most {MAX_WORD_CHARS}"
            )));
        };
        let prefix = self.text("continuing_subword_prefix")?.unwrap_or_else(|| "##".into());
        WordPiece::builder()
            .vocab(vocab)
            .unk_token(unknown)
            .continuing_subword_prefix(prefix)
            .max_input_chars_per_word(most as usize)
            .build()
            .map_err(wrong)
    }

    fn word_level(mut self) -> Result<WordLevel> {
        let vocab = self.vocabulary()?;
        let unknown = self.unknown(&vocab)?.ok_or_else(|| wrong("`model.unk_token` is missing"))?;
        WordLevel::builder().vocab(vocab).unk_token(unknown).build().map_err(wrong)
    }

    fn unigram(self) -> Result<Unigram> {
        let byte_fallback = self.flag("byte_fallback")?;
        let Some(Tokens::Scores(tokens)) = self.vocab else {
            return Err(wrong(
                "`model.vocab` is not a list of tokens with their scores, as a Unigram model has",
            ));
        };
        if tokens.is_empty() || tokens.len() as u64 > MAX_ID {
            return Err(wrong(format!(
                "`model.vocab` has {} tokens, expected 1 to {MAX_ID}",
                tokens.len()
            )));
        }
        let unknown = match self.fields.get("unk_id") {
            None | Some(Value::Null) => None,
            Some(id) => match id.as_u64().filter(|id| *id < tokens.len() as u64) {
                Some(id) => Some(id as usize),
                None => {
                    return Err(wrong(format!(
                        "`model.unk_id` is {id}, expected a place in `model.vocab`"
                    )));
                }
            },
        };
        Unigram::from(tokens, unknown, byte_fallback).map_err(wrong)
    }

    fn vocabulary(&mut self) -> Result<Vocab> {
        match self.vocab.take() {
            Some(Tokens::Ids(vocab)) if !vocab.is_empty() => Ok(vocab),
            Some(Tokens::Ids(_)) => {
                Err(wrong("`model.vocab` is empty, expected tokens with their ids"))
            }
            Some(Tokens::Scores(_)) => {
                Err(wrong("`model.vocab` is a list, expected an object of tokens with their ids"))
            }
            None => Err(wrong("`model.vocab` is missing")),
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => {
                Err(wrong(format!("`model.{name}` is {}, expected text or null", brief(other))))
            }
        }
    }

    fn flag(&self, name: &str) -> Result<bool> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => {
                Err(wrong(format!("`model.{name}` is {}, expected true or false", brief(other))))
            }
        }
    }

    /// The token for what the vocabulary lacks, which it has to contain itself.
    fn unknown(&self, vocab: &Vocab) -> Result<Option<String>> {
        let unknown = self.text("unk_token")?;
        match &unknown {
            Some(token) if !vocab.contains_key(token) => {
                Err(wrong(format!("`model.unk_token` is {token:?}, which is not in `model.vocab`")))
            }
            _ => Ok(unknown),
        }
    }
}

/// A value in an error message.
pub(super) fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Both tokens of a merge, and what they make together, are in the vocabulary.
fn check_merges(vocab: &Vocab, merges: &Merges, prefix: &str) -> Result<()> {
    let mut together = String::new();
    for (a, b) in merges {
        let rest = b.strip_prefix(prefix).ok_or_else(|| {
            wrong(format!(
                "`model.merges` has [{a:?}, {b:?}], whose second token does not begin with {prefix:?}"
            ))
        })?;
        together.clear();
        together.push_str(a);
        together.push_str(rest);
        if let Some(missing) =
            [a, b, &together].into_iter().find(|token| !vocab.contains_key(*token))
        {
            return Err(wrong(format!(
                "`model.merges` has [{a:?}, {b:?}], but {missing:?} is not in `model.vocab`"
            )));
        }
    }
    Ok(())
}

/// The tokens beside the model's. Those with new texts get the next ids, which must be the ones that the file gives.
fn add_tokens(tokenizer: &mut tokenizers::Tokenizer, list: &Value) -> Result<()> {
    let none = Vec::new();
    let list = match list {
        Value::Null => &none,
        Value::Array(list) => list,
        other => return Err(wrong(format!("`added_tokens` is {}, expected a list", brief(other)))),
    };
    let mut ids = HashSet::new();
    let mut patterns = HashSet::new();
    let mut tokens = Vec::new();
    for (place, fields) in list.iter().enumerate() {
        let (id, token) = added_token(place, fields)?;
        let own = tokenizer.get_model().token_to_id(&token.content).map(u64::from);
        let is_taken = || tokenizer.get_model().id_to_token(id as u32).is_some();
        if own.map_or_else(is_taken, |own| own != id) || !ids.insert(id) {
            let content = &token.content;
            return Err(wrong(format!(
                "`added_tokens[{place}]` gives {content:?} the id {id}, which another token has"
            )));
        }
        let pattern = pattern(tokenizer.get_normalizer(), &token)?;
        if pattern.is_empty() || !patterns.insert((token.normalized, pattern)) {
            return Err(wrong(format!(
                "`added_tokens[{place}]` is {:?}, whose normalised text is empty or that of another added token",
                token.content
            )));
        }
        tokens.push((id, token));
    }
    tokenizer.add_tokens(tokens.iter().map(|(_, token)| token.clone())).map_err(wrong)?;
    for (id, AddedToken { content, .. }) in &tokens {
        let read = tokenizer.token_to_id(content).map(u64::from);
        if read != Some(*id) {
            let next = read.unwrap_or_default();
            return Err(wrong(format!(
                "`added_tokens` gives {content:?} the id {id}, expected the next id, {next}"
            )));
        }
    }
    Ok(())
}

/// What is searched for in a text.
fn pattern(normalizer: Option<&NormalizerWrapper>, token: &AddedToken) -> Result<String> {
    let mut text = NormalizedString::from(token.content.as_str());
    if let Some(normalizer) = normalizer.filter(|_| token.normalized) {
        normalizer.normalize(&mut text).map_err(wrong)?;
    }
    Ok(text.get().to_string())
}

fn added_token(place: usize, fields: &Value) -> Result<(u64, AddedToken)> {
    let at = |name: &str| format!("`added_tokens[{place}].{name}`");
    let id = fields.get("id").and_then(Value::as_u64).filter(|id| *id < MAX_ID);
    let id =
        id.ok_or_else(|| wrong(format!("{} is not a whole number below {MAX_ID}", at("id"))))?;
    let content =
        fields.get("content").and_then(Value::as_str).filter(|content| !content.is_empty());
    let content = content.ok_or_else(|| {
        wrong(format!("{} is not a text of at least one character", at("content")))
    })?;
    check_token(content).map_err(|error| wrong(format!("{}: {error}", at("content"))))?;
    let flag = |name: &str, default: bool| match fields.get(name) {
        None => Ok(default),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => {
            Err(wrong(format!("{} is {}, expected true or false", at(name), brief(other))))
        }
    };
    let token = AddedToken::from(content, flag("special", false)?)
        .single_word(flag("single_word", false)?)
        .lstrip(flag("lstrip", false)?)
        .rstrip(flag("rstrip", false)?)
        .normalized(flag("normalized", true)?);
    Ok((id, token))
}
