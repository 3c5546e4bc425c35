//! Text to token ids and back, by the `tokenizer.json` that a checkpoint came with.
//!
//! Every token has a string to show, and the strings joined are the text, exactly: where a character is spread over
//! several tokens it belongs to the last of them, and the others show their bytes.

use std::collections::HashMap;
use std::sync::Arc;

use tokenizers::decoders::DecoderWrapper;
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{Model, NormalizerWrapper, TokenizerImpl};

use crate::error::{Error, Result};

/// A tokenizer. It never changes, and a clone is cheap.
#[derive(Clone)]
pub struct Tokenizer(Arc<Parts>);

struct Parts {
    inner: tokenizers::Tokenizer,
    /// Tokens that are found in a text before it is cut, and spell their own name.
    added: HashMap<u32, String>,
    /// The byte that each letter stands for, where tokens spell bytes as GPT-2's do.
    byte_of: Option<HashMap<char, u8>>,
    /// Texts are cut as GPT-2 cuts them.
    cuts_as_gpt2: bool,
}

/// A tokenizer of GPT-2's kind. Of a file of any kind it has to be found out, part by part, which kind each part is: that
/// reads the file several times over, which took a browser 90 ms of the first second for 4,096 tokens.
type Gpt2s = TokenizerImpl<BPE, NormalizerWrapper, ByteLevel, ByteLevel, ByteLevel>;

/// A token of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub id: u32,
    /// The characters that are complete with this token. Joined over a text's tokens they are the text.
    pub string: String,
    /// The bytes that the token itself stands for. Empty where the tokenizer is not a byte-level one.
    pub bytes: Vec<u8>,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`. Truncation and padding that it may ask for are switched off.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when it cannot be read.
    pub fn from_json(json: &[u8]) -> Result<Tokenizer> {
        let read_as_gpt2s = serde_json::from_slice::<Gpt2s>(json).map(tokenizers::Tokenizer::from);
        let mut inner = read_as_gpt2s
            .or_else(|_| tokenizers::Tokenizer::from_bytes(json))
            .map_err(|error| Error::Tokenizer(format!("not a `tokenizer.json`: {error}")))?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(failed)?;
        let byte_level = matches!(inner.get_decoder(), Some(DecoderWrapper::ByteLevel(_)));
        let byte_of = byte_level.then(|| byte_letters().into_iter().zip(0..=255).collect());
        let added =
            inner.get_added_tokens_decoder().into_iter().map(|(id, token)| (id, token.content)).collect();
        let cuts_as_gpt2 = cuts_as_gpt2(&inner);
        Ok(Tokenizer(Arc::new(Parts { inner, added, byte_of, cuts_as_gpt2 })))
    }

    /// How many tokens it knows, special ones included.
    pub fn vocab_size(&self) -> usize {
        self.0.inner.get_vocab_size(true)
    }

    /// The ids of `text`. No beginning-of-text token is put in front.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let has_added = || self.0.added.values().any(|token| text.contains(token));
        if self.0.cuts_as_gpt2 && text.is_ascii() && !has_added() {
            return self.encode_pieces(text);
        }
        Ok(self.0.inner.encode_fast(text, false).map_err(failed)?.get_ids().to_vec())
    }

    fn encode_pieces(&self, text: &str) -> Result<Vec<u32>> {
        let (model, letters) = (self.0.inner.get_model(), byte_letters());
        let mut ids = Vec::new();
        for piece in ascii_pieces(text) {
            let spelt: String = piece.bytes().map(|byte| letters[usize::from(byte)]).collect();
            ids.extend(model.tokenize(&spelt).map_err(failed)?.into_iter().map(|token| token.id));
        }
        Ok(ids)
    }

    /// The tokens of `text`, whose strings joined are `text` even where the tokenizer normalises it.
    pub fn tokenize(&self, text: &str) -> Result<Vec<Token>> {
        let mut tokens = self.tokens(&self.encode(text)?)?;
        if tokens.iter().map(|token| token.string.as_str()).collect::<String>() != text {
            self.cut_at_offsets(text, &mut tokens)?;
        }
        Ok(tokens)
    }

    /// What `ids` stand for, one by one. Bytes that are no character become U+FFFD.
    ///
    /// # Errors
    /// [`Error::Input`] when an id is not in the vocabulary.
    pub fn tokens(&self, ids: &[u32]) -> Result<Vec<Token>> {
        let mut stream = TextStream::new(self.clone());
        let mut tokens = ids.iter().map(|id| stream.push(*id)).collect::<Result<Vec<_>>>()?;
        if let Some(last) = tokens.last_mut() {
            last.string.push_str(&stream.finish());
        }
        Ok(tokens)
    }

    /// The text of `ids`. Bytes that are no character become U+FFFD.
    ///
    /// # Errors
    /// [`Error::Input`] when an id is not in the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        Ok(self.tokens(ids)?.into_iter().map(|token| token.string).collect())
    }

    /// The id of the one token that spells `text`.
    ///
    /// # Errors
    /// [`Error::Input`] when it takes several tokens, or none; the message shows them.
    pub fn single_token(&self, text: &str) -> Result<u32> {
        let tokens = self.tokenize(text)?;
        let [token] = tokens.as_slice() else {
            let strings: Vec<_> = tokens.iter().map(|token| &token.string).collect();
            return Err(Error::Input(format!(
                "{text:?} is {} tokens {strings:?}, expected one",
                tokens.len()
            )));
        };
        Ok(token.id)
    }

    /// Gives each token the piece of `text` up to its end, for tokenizers that normalise what they read.
    fn cut_at_offsets(&self, text: &str, tokens: &mut [Token]) -> Result<()> {
        let encoding = self.0.inner.encode(text, false).map_err(failed)?;
        let mut start = 0;
        for (token, (_, end)) in tokens.iter_mut().zip(encoding.get_offsets()) {
            let end = (*end).max(start);
            token.string = text.get(start..end).unwrap_or_default().to_string();
            start += token.string.len();
        }
        if let Some(last) = tokens.last_mut() {
            last.string.push_str(&text[start..]);
        }
        Ok(())
    }

    /// The bytes of a token that the vocabulary writes so.
    fn spelt(&self, id: u32, written: &str, byte_of: &HashMap<char, u8>) -> Vec<u8> {
        match self.0.added.get(&id) {
            Some(name) => name.as_bytes().to_vec(),
            None => written.chars().filter_map(|letter| byte_of.get(&letter).copied()).collect(),
        }
    }

    /// A token as the vocabulary writes it.
    fn written(&self, id: u32) -> Result<String> {
        self.0.inner.id_to_token(id).ok_or_else(|| {
            let size = self.vocab_size();
            Error::Input(format!("token id {id} is not in the tokenizer's vocabulary of {size}"))
        })
    }
}

/// Turns ids that arrive one by one into text.
pub struct TextStream {
    tokenizer: Tokenizer,
    /// Bytes of a character that is not complete.
    pending: Vec<u8>,
    /// For tokenizers that are not byte-level: all ids, and the text that was given out for them.
    ids: Vec<u32>,
    given: String,
}

impl TextStream {
    pub fn new(tokenizer: Tokenizer) -> TextStream {
        TextStream { tokenizer, pending: Vec::new(), ids: Vec::new(), given: String::new() }
    }

    /// The next token, its string being what is complete with it.
    ///
    /// # Errors
    /// [`Error::Input`] when the id is not in the vocabulary; the stream goes on as if it had not come.
    pub fn push(&mut self, id: u32) -> Result<Token> {
        let written = self.tokenizer.written(id)?;
        let bytes = match &self.tokenizer.0.byte_of {
            Some(byte_of) => self.tokenizer.spelt(id, &written, byte_of),
            None => return Ok(Token { id, string: self.push_decoded(id)?, bytes: Vec::new() }),
        };
        self.pending.extend_from_slice(&bytes);
        let (string, rest) = complete_characters(&self.pending);
        self.pending = rest;
        Ok(Token { id, string, bytes })
    }

    /// What is left over: U+FFFD for a character that never was completed.
    pub fn finish(self) -> String {
        if self.tokenizer.0.byte_of.is_some() {
            return String::from_utf8_lossy(&self.pending).into_owned();
        }
        let whole = self.tokenizer.0.inner.decode(&self.ids, false).unwrap_or_default();
        whole.strip_prefix(&self.given).unwrap_or_default().to_string()
    }

    fn push_decoded(&mut self, id: u32) -> Result<String> {
        self.ids.push(id);
        let whole = self.tokenizer.0.inner.decode(&self.ids, false).map_err(failed)?;
        let new = match whole.strip_prefix(&self.given) {
            Some(new) if !new.ends_with(char::REPLACEMENT_CHARACTER) => new.to_string(),
            _ => String::new(),
        };
        self.given.push_str(&new);
        Ok(new)
    }
}

/// The longest text that `bytes` begin with, and the unfinished character after it.
fn complete_characters(bytes: &[u8]) -> (String, Vec<u8>) {
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

/// GPT-2's alphabet: a printable byte of Latin-1 is written as itself, the others as the characters from U+0100 on.
fn byte_letters() -> [char; 256] {
    let mut others = '\u{100}'..;
    std::array::from_fn(|byte| match byte as u8 {
        own @ (b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF) => char::from(own),
        _ => others.next().unwrap_or_default(),
    })
}

/// Whether a text is cut into pieces by GPT-2's expression, as it is.
fn cuts_as_gpt2(inner: &tokenizers::Tokenizer) -> bool {
    let cut = inner.get_pre_tokenizer();
    let is_gpt2s =
        matches!(cut, Some(PreTokenizerWrapper::ByteLevel(cut)) if cut.use_regex && !cut.add_prefix_space);
    is_gpt2s && inner.get_normalizer().is_none()
}

/// An ASCII text as GPT-2's expression cuts it:
/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
///
/// By hand, because a browser takes 70 ms to compile the expression, at the first text.
fn ascii_pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, after) = rest.split_at(first_piece(rest));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

fn first_piece(text: &str) -> usize {
    const ENDINGS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];
    if let Some(ending) = ENDINGS.iter().find(|ending| text.starts_with(**ending)) {
        return ending.len();
    }
    let run = |from: usize| {
        let kind = text[from..].chars().next().map(Kind::of);
        let length = text[from..].chars().take_while(|character| Some(Kind::of(*character)) == kind).count();
        (kind, from + length)
    };
    let after_space = usize::from(text.starts_with(' '));
    match (run(0), run(after_space)) {
        (_, (Some(kind), end)) if kind != Kind::Space => end,
        // The last of white space belongs to what follows it, or is a piece of its own.
        ((_, end), _) if end > 1 && end < text.len() => end - 1,
        ((_, end), _) => end,
    }
}

/// What the expression tells apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    Number,
    Space,
    Other,
}

impl Kind {
    fn of(character: char) -> Kind {
        match character {
            'A'..='Z' | 'a'..='z' => Kind::Letter,
            '0'..='9' => Kind::Number,
            '\t'..='\r' | ' ' => Kind::Space,
            _ => Kind::Other,
        }
    }
}

fn failed(error: tokenizers::Error) -> Error {
    Error::Tokenizer(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_at_once_or_part_by_part_a_tokenizer_is_the_same() {
        let json = include_str!("../models/shakespeare/tokenizer.json");
        let mut old: serde_json::Value = serde_json::from_str(json).unwrap();
        let model = old["model"].as_object_mut().unwrap();
        model.remove("type");
        for merge in model["merges"].as_array_mut().unwrap() {
            *merge = format!("{} {}", merge[0].as_str().unwrap(), merge[1].as_str().unwrap()).into();
        }
        for json in [json.to_string(), old.to_string()] {
            let at_once = tokenizers::Tokenizer::from(serde_json::from_str::<Gpt2s>(&json).unwrap());
            let part_by_part = tokenizers::Tokenizer::from_bytes(&json).unwrap();
            assert_eq!(at_once.to_string(false).unwrap(), part_by_part.to_string(false).unwrap());
        }
    }

    #[test]
    fn the_byte_alphabet_is_gpt2s() {
        let letters = byte_letters();
        assert_eq!(letters.iter().collect::<std::collections::HashSet<_>>().len(), 256);
        assert_eq!([letters[32], letters[10], letters[97]], ['Ġ', 'Ċ', 'a']);
    }

    #[test]
    fn white_space_gives_its_last_to_what_follows() {
        let pieces: Vec<_> = ascii_pieces("It's  so,\n\n well '89\t").collect();
        assert_eq!(pieces, ["It", "'s", " ", " so", ",", "\n\n", " well", " '", "89", "\t"]);
    }

    #[test]
    fn an_unfinished_character_waits_and_a_broken_one_is_replaced() {
        assert_eq!(complete_characters(b"a\xE2\x82"), ("a".to_string(), vec![0xE2, 0x82]));
        assert_eq!(complete_characters(b"a\xFFb"), ("a\u{FFFD}b".to_string(), vec![]));
    }
}
