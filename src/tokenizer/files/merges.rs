//! `merges.txt`: the pairs of tokens that GPT-2's byte pair encoding merges, one a line, in the order of their ranks.

use std::collections::HashMap;

use xxhash_rust::xxh3::Xxh3;

use super::values::EXPECTED;
use crate::error::{Result, shortened};
use crate::tokenizer::messages::refused;

/// A merge and its line in the file, from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Merge {
    pub line: usize,
    pub first: String,
    pub second: String,
}

impl Merge {
    pub fn into_pair(self) -> (String, String) {
        (self.first, self.second)
    }
}

/// Reads the lines of a file. The first may be a comment such as `#version: 0.2`.
///
/// # Errors
/// [`Error::Tokenizer`](crate::Error::Tokenizer) when a line is not two tokens.
pub(super) fn read(name: &str, text: &str) -> Result<Vec<Merge>> {
    let mut merges = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        let (number, line) = (index + 1, line.strip_suffix('\r').unwrap_or(line));
        if line.is_empty() || (index == 0 && line.starts_with("#version")) {
            continue;
        }
        match line.trim_end_matches(' ').split_once(' ') {
            Some((first, second)) if !first.is_empty() && !second.contains(' ') => {
                merges.push(Merge { line: number, first: first.into(), second: second.into() });
            }
            _ if merges.is_empty() => {
                return Err(refused(name, format!("the file is no tokenizer; {EXPECTED}")));
            }
            _ => {
                let found = shortened(line);
                return Err(refused(
                    name,
                    format!(
                        "line {number} is {found:?}, expected two tokens with a space between them"
                    ),
                ));
            }
        }
    }
    Ok(merges)
}

/// XXH3 of the merges of GPT-2: each token followed by a zero byte.
const GPT2S: u64 = 0x04a2_7566_874d_a2e7;

/// Whether these are the merges that OpenAI published with GPT-2.
pub(super) fn are_gpt2s<'m>(merges: impl Iterator<Item = (&'m str, &'m str)>) -> bool {
    let mut hash = Xxh3::new();
    for token in merges.flat_map(|(first, second)| [first, second]) {
        hash.update(token.as_bytes());
        hash.update(&[0]);
    }
    hash.digest() == GPT2S
}

/// The two tokens that make a token, by byte pair encoding with these ranks; None if it is made by none.
///
/// A merge happens in a text only where the bytes of its token have been merged to these two. Therefore one pair for each
/// token is enough: merges of these pairs in the order of ranks give exactly what tiktoken gives, which
/// merges any two neighbours whose bytes together are a token.
pub(super) fn pair_of<'t>(
    token: &'t [u8],
    ranks: &HashMap<&[u8], u32>,
) -> Option<(&'t [u8], &'t [u8])> {
    // The start of each part, and the end of the last.
    let mut bounds: Vec<usize> = (0..=token.len()).collect();
    while bounds.len() > 3 {
        let rank = |at: &usize| ranks.get(&token[bounds[*at]..bounds[at + 2]]).copied();
        let best = (0..bounds.len() - 2).filter_map(|at| rank(&at).map(|rank| (rank, at))).min()?;
        bounds.remove(best.1 + 1);
    }
    (bounds.len() == 3).then(|| token.split_at(bounds[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_carriage_returns_and_empty_lines_are_no_merges() {
        let merge = |line, first: &str, second: &str| Merge {
            line,
            first: first.into(),
            second: second.into(),
        };
        let expected = [merge(2, "Ġ", "t"), merge(3, "#", "#version")];
        assert_eq!(read("m", "#version: 0.2\r\nĠ t\r\n# #version\r\n\r\n").unwrap(), expected);
        assert_eq!(read("m", "Ġ t\n# #version").unwrap()[1].line, 2);
        assert_eq!(read("m", "").unwrap(), []);
    }

    #[test]
    fn the_merges_of_gpt2_are_known() {
        let text = include_str!("../../../tests/fixtures/gpt2/merges.txt");
        let merges = read("merges.txt", text).unwrap();
        let pairs = |count: usize| {
            merges[..count].iter().map(|merge| (merge.first.as_str(), merge.second.as_str()))
        };
        assert!(are_gpt2s(pairs(50_000)));
        assert!(!are_gpt2s(pairs(49_999)));
    }

    #[test]
    fn a_token_is_made_of_what_its_bytes_merge_to() {
        let tokens: [&[u8]; 6] = [b"a", b"b", b"c", b"bc", b"ab", b"abc"];
        let ranks: HashMap<&[u8], u32> = tokens.into_iter().zip(0..).collect();
        assert_eq!(pair_of(b"abc", &ranks), Some((&b"a"[..], &b"bc"[..])));
        assert_eq!(pair_of(b"ab", &ranks), Some((&b"a"[..], &b"b"[..])));
        assert_eq!(pair_of(b"a", &ranks), None);
        // `cab` is a token whose bytes do not merge: c, ab.
        assert_eq!(pair_of(b"cabd", &ranks), None);
    }
}
