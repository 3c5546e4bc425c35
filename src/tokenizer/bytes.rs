//! How tokens spell bytes: GPT-2's byte alphabet, byte fallback, and the bytes of incomplete characters.

/// GPT-2's alphabet: a printable byte of Latin-1 is written as itself, the others as the characters from U+0100 on.
pub(super) fn byte_letters() -> [char; 256] {
    let mut others = '\u{100}'..;
    std::array::from_fn(|byte| match byte as u8 {
        own @ (b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF) => char::from(own),
        _ => others.next().unwrap_or_default(),
    })
}

/// The byte of a token such as `<0xE2>`.
pub(super) fn fallback_byte(written: &str) -> Option<u8> {
    let digits = written.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok())?
}

/// Decodes the complete characters of `bytes` and returns the bytes of an incomplete one at the end. Invalid bytes
/// become U+FFFD.
pub(super) fn complete_characters(bytes: &[u8]) -> (String, Vec<u8>) {
    let mut text = String::new();
    let mut rest = bytes;
    loop {
        match std::str::from_utf8(rest) {
            Ok(valid) => return (text + valid, Vec::new()),
            Err(error) => {
                let (valid, after) = rest.split_at(error.valid_up_to());
                text.push_str(&String::from_utf8_lossy(valid));
                let Some(invalid) = error.error_len() else { return (text, after.to_vec()) };
                text.push(char::REPLACEMENT_CHARACTER);
                rest = &after[invalid..];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_byte_alphabet_is_gpt2s() {
        let letters = byte_letters();
        assert_eq!(letters.iter().collect::<std::collections::HashSet<_>>().len(), 256);
        assert_eq!([letters[32], letters[10], letters[97]], ['Ġ', 'Ċ', 'a']);
    }

    #[test]
    fn an_unfinished_character_waits_and_a_broken_one_is_replaced() {
        assert_eq!(complete_characters(b"a\xE2\x82"), ("a".to_string(), vec![0xE2, 0x82]));
        assert_eq!(complete_characters(b"a\xFFb"), ("a\u{FFFD}b".to_string(), vec![]));
    }
}
