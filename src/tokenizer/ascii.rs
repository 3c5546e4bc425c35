//! GPT-2's pre-tokenization of ASCII texts, without its regular expression.
//!
//! A browser takes 70 ms to compile the expression for the first text (November 2026), and the regular
//! expression engine is a sixth of the first wasm module. A property test compares both.

/// Splits an ASCII text as GPT-2's expression does:
/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
pub(super) fn ascii_words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (word, after) = rest.split_at(first_word_length(rest));
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

fn first_word_length(text: &str) -> usize {
    const CONTRACTIONS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];
    if let Some(ending) = CONTRACTIONS.iter().find(|ending| text.starts_with(**ending)) {
        return ending.len();
    }
    let run = |from: usize| {
        let class = text[from..].chars().next().map(CharClass::of);
        let same = |character: &char| Some(CharClass::of(*character)) == class;
        (class, from + text[from..].chars().take_while(same).count())
    };
    let after_space = usize::from(text.starts_with(' '));
    match (run(0), run(after_space)) {
        (_, (Some(class), end)) if class != CharClass::Space => end,
        // `\s+(?!\S)`: the last white space before a word belongs to the word, or is a word of its own.
        ((_, end), _) if end > 1 && end < text.len() => end - 1,
        ((_, end), _) => end,
    }
}

/// The character classes of the expression.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CharClass {
    Letter,
    Number,
    Space,
    Other,
}

impl CharClass {
    fn of(character: char) -> CharClass {
        match character {
            'A'..='Z' | 'a'..='z' => CharClass::Letter,
            '0'..='9' => CharClass::Number,
            '\t'..='\r' | ' ' => CharClass::Space,
            _ => CharClass::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_gives_its_last_to_what_follows() {
        let words: Vec<_> = ascii_words("It's  so,\n\n well '89\t").collect();
        assert_eq!(words, ["It", "'s", " ", " so", ",", "\n\n", " well", " '", "89", "\t"]);
    }
}
