//! GPT-2's `vocab.json` and `merges.txt`.

use std::collections::{HashMap, HashSet};

use super::characters;
use super::merges::{Merge, are_gpt2s, pair_of};
use super::settings::Settings;
use super::values::Ids;
use crate::checkpoint::NoticeKind;
use crate::checkpoint::tokenizer_json::{Splitting, TokenizerParts};
use crate::error::{Result, shortened};
use crate::tokenizer::bytes::byte_letters;
use crate::tokenizer::messages::refused;

const END: &str = "<|endoftext|>";

/// # Errors
/// [`Error::Tokenizer`](crate::Error::Tokenizer) when one of both files is missing and does not follow from the other, or
/// when they contradict each other.
pub(super) fn parts(
    vocab: Option<(String, Ids)>,
    merges: Option<(String, Vec<Merge>)>,
    settings: &Settings,
) -> Result<TokenizerParts> {
    settings.check_class()?;
    match (vocab, merges) {
        (Some((name, vocab)), Some((merges_name, merges))) => {
            check_merges(&name, &vocab, &merges_name, &merges)?;
            let merges = merges.into_iter().map(Merge::into_pair).collect();
            byte_level(&name, vocab, merges, settings, None)
        }
        (Some((name, vocab)), None) if is_of_characters(&vocab) => {
            characters::parts(&name, vocab.into(), settings)
        }
        (Some((name, vocab)), None) => {
            let merges = gpt2s_merges(&vocab).ok_or_else(|| {
                refused(&name, "its merges are missing: give the merges.txt that belongs to this vocabulary too")
            })?;
            let message = format!(
                "{name} came without a merges.txt: its tokens are those of GPT-2, so GPT-2's merges were taken."
            );
            byte_level(&name, vocab, merges, settings, Some(message))
        }
        (None, merges) => {
            let (name, merges) = merges.unwrap_or_default();
            let pairs: Vec<(String, String)> = merges.into_iter().map(Merge::into_pair).collect();
            if !are_gpt2s(pairs.iter().map(|(first, second)| (first.as_str(), second.as_str()))) {
                return Err(refused(
                    &name,
                    "its vocabulary is missing: give the vocab.json that belongs to these merges too, because the ids do not \
                     follow from the merges",
                ));
            }
            let message = format!(
                "{name} came without a vocab.json: these are GPT-2's merges, so GPT-2's ids were taken."
            );
            byte_level(&name, gpt2s_vocabulary(&pairs), pairs, settings, Some(message))
        }
    }
}

fn byte_level(
    name: &str,
    mut vocab: Ids,
    merges: Vec<(String, String)>,
    settings: &Settings,
    assumed: Option<String>,
) -> Result<TokenizerParts> {
    let mut report = settings.report();
    if let Some(message) = assumed {
        report.push(NoticeKind::Assumed, name, message);
    }
    let end = vocab.get(END).map(|id| (END, *id));
    let added = settings.added(name, &mut vocab, end.as_slice(), &mut report)?;
    let reachable: HashSet<String> = merges
        .iter()
        .map(|(first, second)| format!("{first}{second}"))
        .chain(added.iter().map(|token| token.content.clone()))
        .collect();
    let is_unreachable =
        |token: &&String| token.chars().nth(1).is_some() && !reachable.contains(*token);
    let unreachable: Vec<&String> = vocab.keys().filter(is_unreachable).collect();
    if let Some(first) = unreachable.first() {
        let (count, first) = (unreachable.len(), shortened(first));
        let message = format!(
            "{name} has {count} tokens that no merge makes and no file adds, such as \"{first}\": no text is encoded to them."
        );
        report.push(NoticeKind::Ignored, name, message);
    }
    let splitting =
        Splitting::Gpt2 { merges, add_prefix_space: settings.prefix_space(), whole_words: false };
    Ok(TokenizerParts { vocab, added, splitting, report })
}

/// Checks that the vocabulary has both tokens of each merge and what they merge to, and that all are in GPT-2's byte alphabet.
fn check_merges(name: &str, vocab: &Ids, merges_name: &str, merges: &[Merge]) -> Result<()> {
    let letters: HashSet<char> = byte_letters().into_iter().collect();
    for Merge { line, first, second } in merges {
        let merged = format!("{first}{second}");
        let other = merged.chars().find(|letter| !letters.contains(letter));
        if other.is_some() || merged.ends_with("</w>") {
            let found = other.map_or("</w>".into(), String::from);
            return Err(refused(
                merges_name,
                format!(
                    "line {line} has {found:?}, which GPT-2's byte alphabet lacks: this is another kind of byte pair encoding; \
                     load it with transformers and save it as a tokenizer.json"
                ),
            ));
        }
        let missing =
            [first, second, &merged].into_iter().find(|token| !vocab.contains_key(*token));
        if let Some(missing) = missing {
            return Err(refused(
                merges_name,
                format!(
                    "line {line} merges {first:?} and {second:?}, but {name} has no {missing:?}: both files must come from the \
                     same tokenizer"
                ),
            ));
        }
    }
    Ok(())
}

/// Whether these are characters as such, because some are not in GPT-2's byte alphabet. Most entries must be characters.
fn is_of_characters(vocab: &Ids) -> bool {
    let single = vocab.keys().filter(|token| token.chars().nth(1).is_none()).count();
    let has_space = [" ", "\n"].iter().any(|space| vocab.contains_key(*space));
    has_space && single * 2 > vocab.len()
}

/// GPT-2's merges, if these are its tokens, in the order of their ids.
fn gpt2s_merges(vocab: &Ids) -> Option<Vec<(String, String)>> {
    let letters: HashMap<char, u8> = byte_letters().into_iter().zip(0..=255).collect();
    let bytes = |token: &str| -> Option<Vec<u8>> {
        token.chars().map(|letter| letters.get(&letter).copied()).collect()
    };
    let tokens: Option<Vec<(Vec<u8>, &String, u32)>> = vocab
        .iter()
        .filter(|(token, _)| *token != END)
        .map(|(token, id)| Some((bytes(token)?, token, *id)))
        .collect();
    let mut tokens = tokens?;
    tokens.sort_by_key(|(.., id)| *id);
    let ranks: HashMap<&[u8], u32> =
        tokens.iter().map(|(bytes, _, id)| (bytes.as_slice(), *id)).collect();
    let longer = tokens.iter().filter(|(bytes, ..)| bytes.len() > 1);
    let pairs: Option<Vec<(String, String)>> = longer
        .map(|(bytes, token, _)| {
            let (first, _) = pair_of(bytes, &ranks)?;
            let (at, _) = token.char_indices().nth(first.len())?; // a letter for each byte
            Some((token[..at].to_string(), token[at..].to_string()))
        })
        .collect();
    let pairs = pairs?;
    let are = are_gpt2s(pairs.iter().map(|(first, second)| (first.as_str(), second.as_str())));
    (are && *vocab == gpt2s_vocabulary(&pairs)).then_some(pairs)
}

/// GPT-2's ids: the bytes in the order of its alphabet, the merges, and the end of text.
fn gpt2s_vocabulary(merges: &[(String, String)]) -> Ids {
    let mut letters = byte_letters();
    letters.sort_by_key(|letter| (*letter >= '\u{100}', *letter));
    let merged = merges.iter().map(|(first, second)| format!("{first}{second}"));
    letters.map(String::from).into_iter().chain(merged).chain([END.to_string()]).zip(0..).collect()
}
