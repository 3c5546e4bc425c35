//! The `model` of a `tokenizer.json`: its vocabulary and merges, validated, to a model of the `tokenizers` crate.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tokenizers::ModelWrapper;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::models::wordpiece::WordPiece;

use super::messages::{MAX_ID, brief, check_token, whole, wrong};
use crate::checkpoint::{NoticeKind, Report};
use crate::error::{Error, Result};

/// The longest word that a WordPiece model splits. The time grows with the square of the length.
const MAX_WORD_CHARS: u64 = 1000;

/// The fields of `model`.
#[derive(Deserialize)]
#[serde(expecting = "`model` to be an object with `type` and `vocab`")]
pub(super) struct ModelFields {
    #[serde(default, rename = "type")]
    kind: Value,
    vocab: Option<Tokens>,
    merges: Option<Vec<Merge>>,
    #[serde(default)]
    dropout: Value,
    #[serde(default)]
    unk_token: Value,
    #[serde(default)]
    unk_id: Value,
    #[serde(default)]
    continuing_subword_prefix: Value,
    #[serde(default)]
    end_of_word_suffix: Value,
    #[serde(default)]
    max_input_chars_per_word: Value,
    #[serde(default)]
    fuse_unk: Value,
    #[serde(default)]
    byte_fallback: Value,
    #[serde(default)]
    ignore_merges: Value,
}

/// The vocabulary.
enum Tokens {
    /// BPE, WordPiece, WordLevel.
    Ids(Vocab),
    /// Unigram: the ids are the indices, and each token has a score.
    Scores(Vec<(String, f64)>),
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
            let index = id as usize;
            taken.resize(taken.len().max(index + 1), false);
            if std::mem::replace(&mut taken[index], true) {
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

    /// A number that was written as text.
    fn visit_str<E: serde::de::Error>(self, id: &str) -> std::result::Result<Id, E> {
        id.trim().parse().map(Id).map_err(|_| {
            E::custom(format!("`model.vocab` gives a token the id {id:?}, expected a whole number"))
        })
    }
}

/// `["a", "b"]`, or `"a b"` in older files; None for the comment at the beginning of those.
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
    /// # Errors
    /// [`Error::Tokenizer`] when a field is missing, has the wrong type or does not fit the others.
    pub(super) fn build(self, report: &mut Report) -> Result<ModelWrapper> {
        let found = match &self.kind {
            Value::String(name) => name.as_str(),
            Value::Null => self.inferred(),
            other => {
                return Err(wrong(format!(
                    "`model.type` is {}, expected a name such as \"BPE\"",
                    brief(other)
                )));
            }
        };
        match found {
            "BPE" => self.bpe(report).map(ModelWrapper::BPE),
            "WordPiece" => self.word_piece().map(ModelWrapper::WordPiece),
            "WordLevel" => self.word_level().map(ModelWrapper::WordLevel),
            "Unigram" => self.unigram().map(ModelWrapper::Unigram),
            other => Err(wrong(format!(
                "`model.type` is {other:?}, expected \"BPE\", \"WordPiece\", \"WordLevel\" or \"Unigram\""
            ))),
        }
    }

    /// The type of a model in an old file without `type`.
    fn inferred(&self) -> &'static str {
        match &self.vocab {
            Some(Tokens::Scores(_)) => "Unigram",
            _ if self.merges.is_some() => "BPE",
            _ if !self.max_input_chars_per_word.is_null() => "WordPiece",
            _ => "WordLevel",
        }
    }

    fn bpe(mut self, report: &mut Report) -> Result<BPE> {
        if !matches!(self.dropout, Value::Null) && self.dropout.as_f64() != Some(0.0) {
            let message = format!(
                "tokenizer.json: `model.dropout` is {}, which makes tokens random in training: it was ignored.",
                brief(&self.dropout)
            );
            report.push(NoticeKind::Ignored, "model.dropout", message);
        }
        let vocab = self.vocabulary()?;
        let merges = self.merges.take().ok_or_else(|| wrong("`model.merges` is missing"))?;
        let merges: Merges = merges.into_iter().filter_map(|Merge(pair)| pair).collect();
        let prefix = self.prefix()?.unwrap_or_default();
        let suffix = text("end_of_word_suffix", &self.end_of_word_suffix)?.unwrap_or_default();
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
            .fuse_unk(flag("fuse_unk", &self.fuse_unk)?)
            .byte_fallback(self.byte_fallback()?)
            .ignore_merges(flag("ignore_merges", &self.ignore_merges)?);
        builder.vocab_and_merges(vocab, merges).build().map_err(Error::TokenizersCrate)
    }

    fn word_piece(mut self) -> Result<WordPiece> {
        let vocab = self.vocabulary()?;
        let unknown = self.required_unknown(&vocab)?;
        let max = whole(&self.max_input_chars_per_word);
        let Some(max) = max.filter(|max| *max <= MAX_WORD_CHARS) else {
            return Err(wrong(format!(
                "`model.max_input_chars_per_word` is not a whole number, expected at most {MAX_WORD_CHARS}"
            )));
        };
        let prefix = self.prefix()?.unwrap_or_else(|| "##".into());
        WordPiece::builder()
            .vocab(vocab)
            .unk_token(unknown)
            .continuing_subword_prefix(prefix)
            .max_input_chars_per_word(max as usize)
            .build()
            .map_err(Error::TokenizersCrate)
    }

    fn word_level(mut self) -> Result<WordLevel> {
        let vocab = self.vocabulary()?;
        let unknown = self.required_unknown(&vocab)?;
        WordLevel::builder().vocab(vocab).unk_token(unknown).build().map_err(Error::TokenizersCrate)
    }

    fn unigram(self) -> Result<Unigram> {
        let byte_fallback = self.byte_fallback()?;
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
        let unknown = match &self.unk_id {
            Value::Null => None,
            id => match whole(id).filter(|id| *id < tokens.len() as u64) {
                Some(id) => Some(id as usize),
                None => {
                    return Err(wrong(format!(
                        "`model.unk_id` is {id}, expected an index of `model.vocab`"
                    )));
                }
            },
        };
        Unigram::from(tokens, unknown, byte_fallback).map_err(Error::TokenizersCrate)
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

    fn prefix(&self) -> Result<Option<String>> {
        text("continuing_subword_prefix", &self.continuing_subword_prefix)
    }

    fn byte_fallback(&self) -> Result<bool> {
        flag("byte_fallback", &self.byte_fallback)
    }

    /// The token for characters that the vocabulary lacks. It must be in the vocabulary itself.
    fn unknown(&self, vocab: &Vocab) -> Result<Option<String>> {
        let unknown = text("unk_token", &self.unk_token)?;
        match &unknown {
            Some(token) if !vocab.contains_key(token) => {
                Err(wrong(format!("`model.unk_token` is {token:?}, which is not in `model.vocab`")))
            }
            _ => Ok(unknown),
        }
    }

    /// As [`ModelFields::unknown`], for models that need one.
    fn required_unknown(&self, vocab: &Vocab) -> Result<String> {
        self.unknown(vocab)?.ok_or_else(|| wrong("`model.unk_token` is missing"))
    }
}

fn text(name: &str, value: &Value) -> Result<Option<String>> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        other => Err(wrong(format!("`model.{name}` is {}, expected text or null", brief(other)))),
    }
}

fn flag(name: &str, value: &Value) -> Result<bool> {
    match value {
        Value::Null => Ok(false),
        Value::Bool(flag) => Ok(*flag),
        other => Err(wrong(format!("`model.{name}` is {}, expected true or false", brief(other)))),
    }
}

/// Checks that the vocabulary has both tokens of each merge and the token that they merge into.
fn check_merges(vocab: &Vocab, merges: &Merges, prefix: &str) -> Result<()> {
    let mut merged = String::new();
    for (a, b) in merges {
        let rest = b.strip_prefix(prefix).ok_or_else(|| {
            wrong(format!(
                "`model.merges` has [{a:?}, {b:?}], whose second token does not begin with {prefix:?}"
            ))
        })?;
        merged.clear();
        merged.push_str(a);
        merged.push_str(rest);
        if let Some(missing) = [a, b, &merged].into_iter().find(|token| !vocab.contains_key(*token))
        {
            return Err(wrong(format!(
                "`model.merges` has [{a:?}, {b:?}], but {missing:?} is not in `model.vocab`"
            )));
        }
    }
    Ok(())
}
