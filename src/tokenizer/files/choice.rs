//! Which of several tokenizer files are used: a `tokenizer.json` before all others, else the files of one tokenizer.

use tokenizers::PreTokenizerWrapper;

use super::characters::Characters;
use super::content::{Content, read};
use super::merges::Merge;
use super::ranks::Ranks;
use super::settings::Settings;
use super::values::{EXPECTED, Ids, base_name};
use crate::checkpoint::tokenizer_json::NOTICES_FIELD;
use crate::checkpoint::{NoticeKind, Report};
use crate::error::{Error, Result};
use crate::tokenizer::file;

/// The files of one tokenizer, each with its name.
pub(super) enum Chosen {
    TokenizerJson(Vec<u8>),
    /// One of both at least.
    Gpt2 {
        vocab: Option<(String, Ids)>,
        merges: Option<(String, Vec<Merge>)>,
    },
    Ranks(String, Ranks),
    Characters(String, Characters),
}

/// # Errors
/// [`Error::Tokenizer`] when a file is no tokenizer, when there is no tokenizer, or when there are several.
pub(super) fn choose(files: &[(String, Vec<u8>)]) -> Result<(Chosen, Settings)> {
    let read: Vec<(&str, Result<Content>)> =
        files.iter().map(|(name, bytes)| (name.as_str(), read(name, bytes))).collect();
    let is_whole =
        |(_, content): &&(&str, Result<Content>)| matches!(content, Ok(Content::TokenizerJson));
    let mut whole = read.iter().zip(files).filter(|(content, _)| is_whole(content));
    if let Some((_, (name, bytes))) = whole.next() {
        let other = whole.find(|(_, (_, other))| other != bytes);
        if let Some((_, (other, _))) = other {
            return Err(two(name, other));
        }
        let others = read.iter().filter(|content| !is_whole(content));
        return Ok((Chosen::TokenizerJson(with_notices(bytes, others)?), Settings::default()));
    }
    let mut settings = Settings::default();
    let mut found = Found::default();
    for (name, content) in read {
        match content? {
            Content::TokenizerJson => {}
            Content::Ids(ids) if is_addition(name, &ids) => settings.add_ids(name, &ids)?,
            Content::Ids(ids) => put(&mut found.vocab, name, ids)?,
            Content::Merges(merges) => put(&mut found.merges, name, merges)?,
            Content::Ranks(ranks) => put(&mut found.ranks, name, ranks)?,
            Content::Characters(characters) => put(&mut found.characters, name, characters)?,
            Content::Settings(fields) => settings.add_fields(name, &fields)?,
        }
    }
    Ok((found.only(files)?, settings))
}

#[derive(Default)]
struct Found {
    vocab: Option<(String, Ids)>,
    merges: Option<(String, Vec<Merge>)>,
    ranks: Option<(String, Ranks)>,
    characters: Option<(String, Characters)>,
}

impl Found {
    /// The only tokenizer.
    fn only(self, files: &[(String, Vec<u8>)]) -> Result<Chosen> {
        let vocab = self.vocab.as_ref().map(|(name, _)| name);
        let gpt2 = vocab.or(self.merges.as_ref().map(|(name, _)| name));
        let ranks = self.ranks.as_ref().map(|(name, _)| name);
        let characters = self.characters.as_ref().map(|(name, _)| name);
        let names: Vec<&String> = [gpt2, ranks, characters].into_iter().flatten().collect();
        if let [first, second, ..] = names[..] {
            return Err(two(first, second));
        }
        match self {
            Found { ranks: Some((name, ranks)), .. } => Ok(Chosen::Ranks(name, ranks)),
            Found { characters: Some((name, characters)), .. } => {
                Ok(Chosen::Characters(name, characters))
            }
            Found { vocab: None, merges: None, .. } => {
                let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
                let names = if names.is_empty() { "no file".into() } else { names.join(", ") };
                Err(Error::Tokenizer(format!("there is no vocabulary in {names}; {EXPECTED}")))
            }
            Found { vocab, merges, .. } => Ok(Chosen::Gpt2 { vocab, merges }),
        }
    }
}

/// Whether these ids are those of tokens that are added to a vocabulary.
fn is_addition(name: &str, ids: &Ids) -> bool {
    base_name(name).contains("added_tokens") || !ids.values().any(|id| *id == 0)
}

fn put<T: PartialEq>(place: &mut Option<(String, T)>, name: &str, content: T) -> Result<()> {
    match place {
        Some((other, known)) if *known != content => Err(two(other, name)),
        Some(_) => Ok(()),
        None => {
            *place = Some((name.to_string(), content));
            Ok(())
        }
    }
}

fn two(first: &str, second: &str) -> Error {
    Error::Tokenizer(format!(
        "{first} and {second} are two different tokenizers, expected one: give only the files of the one that the model was \
         trained with"
    ))
}

/// The `tokenizer.json` with notices about the files beside it, which are not used.
fn with_notices<'f>(
    json: &[u8],
    others: impl Iterator<Item = &'f (&'f str, Result<Content>)>,
) -> Result<Vec<u8>> {
    let mut others = others.peekable();
    if others.peek().is_none() {
        return Ok(json.to_vec());
    }
    let read = file::read(json)?.tokenizer;
    let id_of = |token: &str| read.token_to_id(token);
    let prefix_space = matches!(read.get_pre_tokenizer(), Some(PreTokenizerWrapper::ByteLevel(step)) if step.add_prefix_space);
    let mut report = Report::default();
    for (name, content) in others {
        let ids_differ = |ids: &Ids| {
            let other = ids.iter().find(|(token, id)| id_of(token) != Some(**id));
            other.map(|(token, id)| match id_of(token) {
                Some(own) => format!("it gives {token:?} the id {id}, tokenizer.json {own}"),
                None => format!("it gives {token:?} the id {id}, tokenizer.json has no such token"),
            })
        };
        let contradiction = match content {
            Err(error) => Some(error.to_string()),
            Ok(Content::Ids(ids)) => ids_differ(ids),
            Ok(Content::Characters(characters)) => ids_differ(&characters.ids),
            Ok(Content::Settings(fields)) => {
                let mut settings = Settings::default();
                match settings.add_fields(name, fields) {
                    Err(error) => Some(error.to_string()),
                    Ok(()) => match settings.contradiction(name, id_of, prefix_space) {
                        None => continue, // it repeats what tokenizer.json says
                        contradiction => contradiction,
                    },
                }
            }
            Ok(_) => None,
        };
        let message = match contradiction {
            None => format!("{name} was not used: tokenizer.json holds the whole tokenizer."),
            Some(why) => {
                format!(
                    "{name} was not used, because tokenizer.json holds the whole tokenizer; they differ ({why})."
                )
            }
        };
        report.push(NoticeKind::Ignored, name, message);
    }
    Ok(spliced(json, &report))
}

/// The JSON object with the notices as its last field.
fn spliced(json: &[u8], report: &Report) -> Vec<u8> {
    let is_there = json.windows(NOTICES_FIELD.len()).any(|part| part == NOTICES_FIELD.as_bytes());
    let (Some(start), Ok(notices)) =
        (json.trim_ascii_end().strip_suffix(b"}"), serde_json::to_string(report))
    else {
        return json.to_vec();
    };
    match is_there || report.notices().is_empty() {
        true => json.to_vec(),
        false => [start, format!(",\"{NOTICES_FIELD}\":{notices}}}").as_bytes()].concat(),
    }
}
