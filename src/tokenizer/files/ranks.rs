//! The ranks of tiktoken: on each line the bytes of a token in base64, and its rank, which is its id.

use std::collections::{BTreeMap, HashMap};

use super::merges::pair_of;
use super::settings::Settings;
use crate::checkpoint::NoticeKind;
use crate::checkpoint::tokenizer_json::{Splitting, TokenizerParts};
use crate::error::{Result, shortened};
use crate::tokenizer::bytes::byte_letters;
use crate::tokenizer::messages::{MAX_ID, refused};

/// The bytes of each token, by its rank.
pub(super) type Ranks = BTreeMap<u32, Vec<u8>>;

/// GPT-2's end of text, and its id beside GPT-2's ranks. The ranks of p50k_base leave that one out.
const END: (&str, u32) = ("<|endoftext|>", 50256);
/// The number of ranks of `gpt2`, which are those of `r50k_base`, and of `p50k_base`. Both split texts as GPT-2 does.
const GPT2S: [usize; 2] = [50256, 50280];
/// Vocabularies that split texts in another way, by the number of their ranks.
const OTHERS: [(usize, &str); 3] =
    [(100_256, "cl100k_base"), (199_998, "o200k_base"), (128_000, "Llama 3")];

/// Whether the first line that is not empty is a token in base64 with a rank.
pub(super) fn looks_like(text: &str) -> bool {
    let line = text.lines().find(|line| !line.trim().is_empty());
    line.is_some_and(|line| token_and_rank(line).is_some())
}

fn token_and_rank(line: &str) -> Option<(Vec<u8>, u32)> {
    let (token, rank) = line.trim().split_once(' ')?;
    let rank = rank.parse().ok().filter(|rank| u64::from(*rank) < MAX_ID)?;
    Some((base64::decode(token).ok().filter(|bytes| !bytes.is_empty())?, rank))
}

/// # Errors
/// [`Error::Tokenizer`](crate::Error::Tokenizer) when a line is no token with a rank, or a token or a rank is there twice.
pub(super) fn read(name: &str, text: &str) -> Result<Ranks> {
    let mut ranks = Ranks::new();
    let mut lines: HashMap<Vec<u8>, usize> = HashMap::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = index + 1;
        let Some((bytes, rank)) = token_and_rank(line) else {
            let found = shortened(line);
            return Err(refused(
                name,
                format!(
                    "line {number} is {found:?}, expected a token in base64, a space, and its rank"
                ),
            ));
        };
        if let Some(first) = lines.insert(bytes.clone(), number) {
            return Err(refused(name, format!("lines {first} and {number} are the same token")));
        }
        if ranks.insert(rank, bytes).is_some() {
            return Err(refused(
                name,
                format!("line {number} has the rank {rank}, which another line has"),
            ));
        }
    }
    Ok(ranks)
}

/// The merges that give what tiktoken gives, and whether they make every token. A token that they do not make is found only as
/// a whole word.
pub(super) fn merges(ranks: &Ranks, letters: &[char; 256]) -> (Vec<(String, String)>, bool) {
    let by_bytes: HashMap<&[u8], u32> =
        ranks.iter().map(|(rank, bytes)| (bytes.as_slice(), *rank)).collect();
    let spelt = |bytes: &[u8]| bytes.iter().map(|byte| letters[usize::from(*byte)]).collect();
    let mut merges = Vec::new();
    let mut all_merge = true;
    for token in ranks.values().filter(|token| token.len() > 1) {
        match pair_of(token, &by_bytes) {
            Some((first, second)) => merges.push((spelt(first), spelt(second))),
            None => all_merge = false,
        }
    }
    (merges, all_merge)
}

/// # Errors
/// [`Error::Tokenizer`](crate::Error::Tokenizer) when bytes have no token, or when texts are not split as GPT-2 splits them.
pub(super) fn parts(name: &str, ranks: &Ranks, settings: &Settings) -> Result<TokenizerParts> {
    let count = ranks.len();
    if let Some((_, other)) = OTHERS.iter().find(|(length, _)| *length == count) {
        return Err(refused(
            name,
            format!(
                "these are the {count} ranks of {other}, which splits texts in another way than GPT-2; save the \
                 tokenizer as a tokenizer.json"
            ),
        ));
    }
    let single = |byte: &u8| ranks.values().any(|token| token.as_slice() == [*byte]);
    if let Some(byte) = (0..=255).find(|byte| !single(byte)) {
        return Err(refused(
            name,
            format!(
                "there is no token for the byte {byte:#04x}, expected one for each of the 256 bytes"
            ),
        ));
    }
    settings.check_class()?;
    let letters = byte_letters();
    let (merges, all_merge) = merges(ranks, &letters);
    let spelt = |bytes: &Vec<u8>| bytes.iter().map(|byte| letters[usize::from(*byte)]).collect();
    let mut vocab: BTreeMap<String, u32> =
        ranks.iter().map(|(rank, bytes)| (spelt(bytes), *rank)).collect();
    let mut report = settings.report();
    let mut defaults = Vec::new();
    if GPT2S.contains(&count) && !ranks.contains_key(&END.1) {
        defaults.push(END);
    } else {
        let message = format!(
            "{name} does not say how texts are split before the {count} ranks are used: GPT-2's rule was taken. It names \
             no special token either."
        );
        report.push(NoticeKind::Assumed, name, message);
    }
    let added = settings.added(name, &mut vocab, &defaults, &mut report)?;
    let splitting = Splitting::Gpt2 {
        merges,
        add_prefix_space: settings.prefix_space(),
        whole_words: !all_merge,
    };
    Ok(TokenizerParts { vocab, added, splitting, report })
}
