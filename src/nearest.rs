//! Suggestions for a misspelt name: the known names that are spelled most like it.

use crate::error::shortened;

/// The comparison takes time in proportion to the product of both lengths.
const COMPARED_CHARS: usize = 100;

/// The up to `count` of `known` that are spelled most like `word`, for the end of a message: `` `a`, `b` ``.
pub(crate) fn nearest<'k>(
    word: &str,
    known: impl IntoIterator<Item = &'k str>,
    count: usize,
) -> String {
    let names = ranked(word, known).into_iter().take(count);
    names.map(|name| format!("`{}`", shortened(name))).collect::<Vec<_>>().join(", ")
}

/// The name in `known` that `word` is likely to be a misspelling or the beginning of.
pub(crate) fn likely_meant<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let word = comparable(word);
    let is_beginning = |name: &&&str| word.len() > 2 && comparable(name).starts_with(&word);
    if let Some(name) = known.iter().find(is_beginning) {
        return Some(name);
    }
    let name = ranked(&word, known.iter().copied()).into_iter().next()?;
    let longest = word.chars().count().max(name.chars().count());
    (strsim::osa_distance(&word, &comparable(name)) <= (longest / 3).max(1)).then_some(name)
}

/// `known` in the order of similarity to `word`, the most similar first.
fn ranked<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Vec<&'k str> {
    let word = comparable(word);
    let similarity = |name: &str| strsim::jaro_winkler(&word, &comparable(name));
    let mut names: Vec<(f64, &str)> =
        known.into_iter().map(|name| (similarity(name), name)).collect();
    names.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    names.into_iter().map(|(_, name)| name).collect()
}

fn comparable(name: &str) -> String {
    name.chars().take(COMPARED_CHARS).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: [&str; 4] = ["maxNewTokens", "temperature", "topK", "topP"];

    #[test]
    fn a_list_begins_with_the_most_similar_name() {
        assert_eq!(nearest("tempreature", OPTIONS, 1), "`temperature`");
        assert_eq!(nearest("topk", OPTIONS, 2), "`topK`, `topP`");
    }

    #[test]
    fn a_suggestion_is_close_or_absent() {
        assert_eq!(likely_meant("max", &OPTIONS), Some("maxNewTokens"));
        assert_eq!(likely_meant("TOPK", &OPTIONS), Some("topK"));
        assert_eq!(likely_meant("temprature", &OPTIONS), Some("temperature"));
        assert_eq!(likely_meant("seed", &OPTIONS), None);
    }
}
