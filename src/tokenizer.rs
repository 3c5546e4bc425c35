//! Text to token ids and back, by the `tokenizer.json` that a checkpoint came with.
//!
//! A token has two strings. Its *name* ([`Tokenizer::names`]) depends on its id only. Its *label* in a text
//! ([`Tokenizer::tokenize`]) is a piece of that text: the labels joined are the text, exactly. A character that is spread
//! over several tokens is part of the last one's label; the others show their bytes.

mod file;
mod parts;

use std::collections::HashMap;
use std::sync::Arc;

use tokenizers::decoders::DecoderWrapper;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::{Model, ModelWrapper, OffsetReferential, OffsetType, PreTokenizer};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result};

/// A tokenizer. It never changes, and a clone is cheap.
#[derive(Clone)]
pub struct Tokenizer {
    parts: Arc<Parts>,
    /// Ids below this that the tokenizer does not name are shown as `⟨350⟩`.
    model_vocab_size: usize,
}

struct Parts {
    inner: tokenizers::Tokenizer,
    /// Tokens that are found in a text before it is cut, and spell their own name.
    added: HashMap<u32, String>,
    /// The byte that each letter stands for, where tokens spell bytes as GPT-2's do.
    byte_of: Option<HashMap<char, u8>>,
    /// A token written `<0xE2>` stands for that byte.
    byte_fallback: bool,
    /// Texts are cut as GPT-2 cuts them.
    cuts_as_gpt2: bool,
    /// The model leaves out characters that its vocabulary lacks, without a word.
    drops_characters: bool,
    /// The file asks for special tokens around each text, which [`Tokenizer::encode`] does not add.
    adds_special_tokens: bool,
    /// XXH3 of the file.
    fingerprint: u64,
}

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
    /// Reads a `tokenizer.json`. Truncation, padding and post-processing that it may ask for are left out.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when it is not one, is inconsistent, or asks for what is not supported.
    pub fn from_json(json: &[u8]) -> Result<Tokenizer> {
        let file::Read { tokenizer: inner, adds_special_tokens } = file::read(json)?;
        let byte_level = matches!(inner.get_decoder(), Some(DecoderWrapper::ByteLevel(_)));
        let byte_fallback = inner.get_decoder().is_some_and(has_byte_fallback);
        let byte_of = byte_level.then(|| byte_letters().into_iter().zip(0..=255).collect());
        let added = inner
            .get_added_tokens_decoder()
            .into_iter()
            .map(|(id, token)| (id, token.content))
            .collect();
        let cuts_as_gpt2 = cuts_as_gpt2(&inner);
        let drops_characters = drops_characters(&inner, byte_level);
        let fingerprint = xxh3_64(json);
        let parts = Parts {
            inner,
            added,
            byte_of,
            byte_fallback,
            cuts_as_gpt2,
            drops_characters,
            adds_special_tokens,
            fingerprint,
        };
        Ok(Tokenizer { parts: Arc::new(parts), model_vocab_size: 0 })
    }

    /// The same tokenizer beside a model with `vocab_size` rows of embeddings, which may be more than it has tokens: ids
    /// below `vocab_size` that it does not name are shown as `⟨50260⟩`, and are no error.
    pub fn for_model(&self, vocab_size: usize) -> Tokenizer {
        Tokenizer { parts: self.parts.clone(), model_vocab_size: vocab_size }
    }

    /// XXH3 of the file's bytes.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.parts.fingerprint
    }

    /// Whether its file asks for special tokens around each text, which are not added here.
    pub fn adds_special_tokens(&self) -> bool {
        self.parts.adds_special_tokens
    }

    /// How many tokens it knows, special ones included.
    pub fn vocab_size(&self) -> usize {
        self.parts.inner.get_vocab_size(true)
    }

    /// The ids of `text`. No beginning-of-text token is put in front.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when `text` has a character for which there is no token.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        if self.parts.drops_characters {
            self.check_characters(text)?;
        }
        let has_added = || self.parts.added.values().any(|token| text.contains(token));
        if self.parts.cuts_as_gpt2 && text.is_ascii() && !has_added() {
            return self.encode_pieces(text);
        }
        Ok(self.parts.inner.encode_fast(text, false).map_err(failed)?.get_ids().to_vec())
    }

    /// That the vocabulary has each character of `text`, as normalizer and pre-tokenizer write it.
    fn check_characters(&self, text: &str) -> Result<()> {
        let inner = &self.parts.inner;
        let mut pieces =
            inner.get_added_vocabulary().extract_and_normalize(inner.get_normalizer(), text);
        if let Some(pre_tokenizer) = inner.get_pre_tokenizer() {
            pre_tokenizer.pre_tokenize(&mut pieces).map_err(failed)?;
        }
        let splits = pieces.get_splits(OffsetReferential::Original, OffsetType::Byte);
        let texts =
            splits.into_iter().filter(|(_, _, tokens)| tokens.is_none()).map(|(piece, ..)| piece);
        let is_missing =
            |character: &char| inner.token_to_id(character.encode_utf8(&mut [0; 4])).is_none();
        match texts.flat_map(str::chars).find(is_missing) {
            Some(character) => Err(Error::Tokenizer(format!(
                "`model.vocab` has no token for {character:?} and there is no `unk_token`, so this text cannot be encoded \
                 without losing it"
            ))),
            None => Ok(()),
        }
    }

    fn encode_pieces(&self, text: &str) -> Result<Vec<u32>> {
        let (model, letters) = (self.parts.inner.get_model(), byte_letters());
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

    /// What each id stands for by itself, whatever comes before it. A token that is not whole UTF-8 has U+FFFD in its
    /// string; its bytes tell what it is.
    ///
    /// # Errors
    /// [`Error::Input`] when an id is neither in the vocabulary nor in the model's.
    pub fn names(&self, ids: &[u32]) -> Result<Vec<Token>> {
        ids.iter().map(|id| self.name(*id)).collect()
    }

    /// As [`Tokenizer::names`], of one.
    pub(crate) fn name(&self, id: u32) -> Result<Token> {
        let Some(written) = self.written(id)? else {
            return Ok(Token { id, string: nameless(id), bytes: Vec::new() });
        };
        let (string, bytes) = match self.bytes(id, &written) {
            Some(bytes) => (String::from_utf8_lossy(&bytes).into_owned(), bytes),
            // After itself, because decoders drop the space before a text's first word.
            None => match self.decoded_after(Some(id), id)? {
                repeated if repeated.is_empty() => (self.decoded_after(None, id)?, Vec::new()),
                string => (string, Vec::new()),
            },
        };
        Ok(Token { id, string, bytes })
    }

    /// What `ids` stand for, one after the other. Bytes that are no character become U+FFFD.
    ///
    /// # Errors
    /// [`Error::Input`] when an id is neither in the vocabulary nor in the model's.
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
    /// [`Error::Input`] when an id is neither in the vocabulary nor in the model's.
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

    /// Cuts `text` where the offsets of its tokens say, for tokenizers that normalise what they read. What lies between
    /// two tokens, such as white space that was dropped, goes to the second. What two tokens share goes to the second.
    fn cut_at_offsets(&self, text: &str, tokens: &mut [Token]) -> Result<()> {
        let encoding = self.parts.inner.encode(text, false).map_err(failed)?;
        let offsets = encoding.get_offsets();
        let mut from = 0;
        for (i, token) in tokens.iter_mut().enumerate() {
            let end = match (offsets.get(i), offsets.get(i + 1)) {
                (Some((_, end)), Some((next, _))) => *end.min(next).max(&from),
                _ => text.len(),
            };
            let end = (from..=end.min(text.len()))
                .rev()
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or(from);
            token.string = text[from..end].to_string();
            from = end;
        }
        Ok(())
    }

    /// The bytes of a token that the vocabulary writes so, if it spells bytes.
    fn bytes(&self, id: u32, written: &str) -> Option<Vec<u8>> {
        let name = self.parts.added.get(&id);
        match &self.parts.byte_of {
            Some(_) if name.is_some() => name.map(|name| name.as_bytes().to_vec()),
            Some(byte_of) => {
                Some(written.chars().filter_map(|letter| byte_of.get(&letter).copied()).collect())
            }
            None if self.parts.byte_fallback => fallback_byte(written).map(|byte| vec![byte]),
            None => None,
        }
    }

    /// What `id` adds to the text of `before`, or begins a text with. Decoders look no further back than one token.
    fn decoded_after(&self, before: Option<u32>, id: u32) -> Result<String> {
        let decode = |ids: &[u32]| self.parts.inner.decode(ids, false).map_err(failed);
        let Some(before) = before else { return decode(&[id]) };
        let (first, both) = (decode(&[before])?, decode(&[before, id])?);
        match both.strip_prefix(&first) {
            Some(added) => Ok(added.to_string()),
            None => decode(&[id]),
        }
    }

    /// A token as the vocabulary writes it; none for an id that only the model knows.
    fn written(&self, id: u32) -> Result<Option<String>> {
        let written = self.parts.inner.id_to_token(id);
        if written.is_none() && id as usize >= self.model_vocab_size {
            let size = self.vocab_size().max(self.model_vocab_size);
            return Err(Error::Input(format!(
                "token id {id} is not in the tokenizer's vocabulary, expected an id below {size}"
            )));
        }
        Ok(written)
    }
}

/// How an id is shown that a model has a row for and its tokenizer no token.
fn nameless(id: u32) -> String {
    format!("⟨{id}⟩")
}

/// The byte that a token such as `<0xE2>` stands for.
fn fallback_byte(written: &str) -> Option<u8> {
    let digits = written.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok())?
}

fn has_byte_fallback(decoder: &DecoderWrapper) -> bool {
    match decoder {
        DecoderWrapper::ByteFallback(_) => true,
        DecoderWrapper::Sequence(sequence) => sequence.get_decoders().iter().any(has_byte_fallback),
        _ => false,
    }
}

/// Turns ids that arrive one by one into text, each in constant time.
pub struct TextStream {
    tokenizer: Tokenizer,
    /// Bytes of a character that is not complete.
    pending: Vec<u8>,
    /// The token before, where the tokenizer is not a byte-level one.
    before: Option<u32>,
}

impl TextStream {
    pub fn new(tokenizer: Tokenizer) -> TextStream {
        TextStream { tokenizer, pending: Vec::new(), before: None }
    }

    /// The next token, its string being what is complete with it.
    ///
    /// # Errors
    /// [`Error::Input`] when the id is neither in the vocabulary nor in the model's; the stream goes on as if it had not
    /// come.
    pub fn push(&mut self, id: u32) -> Result<Token> {
        let written = self.tokenizer.written(id)?;
        let bytes = written.as_ref().and_then(|written| self.tokenizer.bytes(id, written));
        if let Some(bytes) = bytes {
            self.pending.extend_from_slice(&bytes);
            self.before = Some(id);
            let (string, rest) = complete_characters(&self.pending);
            self.pending = rest;
            return Ok(Token { id, string, bytes });
        }
        let (before, added) = match written {
            Some(_) => (Some(id), self.tokenizer.decoded_after(self.before, id)?),
            None => (self.before, nameless(id)),
        };
        let unfinished = std::mem::take(&mut self.pending);
        self.before = before;
        let string = String::from_utf8_lossy(&unfinished).into_owned() + &added;
        Ok(Token { id, string, bytes: Vec::new() })
    }

    /// What is left over: U+FFFD for a character that never was completed.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
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
    let is_gpt2s = matches!(cut, Some(PreTokenizerWrapper::ByteLevel(cut)) if cut.use_regex && !cut.add_prefix_space);
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
        let length =
            text[from..].chars().take_while(|character| Some(Kind::of(*character)) == kind).count();
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

/// Whether the model may leave out a character that its vocabulary lacks: byte pair encoding without an unknown token or byte
/// tokens does. (With affixes of subwords characters are written in several ways; those vocabularies are not checked.)
fn drops_characters(inner: &tokenizers::Tokenizer, byte_level: bool) -> bool {
    let ModelWrapper::BPE(bpe) = inner.get_model() else { return false };
    let has_all_bytes = byte_level
        && byte_letters().iter().all(|letter| bpe.token_to_id(&letter.to_string()).is_some());
    let has_affixes = bpe.continuing_subword_prefix.is_some() || bpe.end_of_word_suffix.is_some();
    !(has_all_bytes
        || has_affixes
        || bpe.unk_token.is_some()
        || bpe.byte_fallback
        || bpe.ignore_merges)
}

fn failed(error: tokenizers::Error) -> Error {
    Error::Tokenizer(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokenizer_in_either_notation_of_merges_is_the_crates_own() {
        let json = include_str!("../models/shakespeare/tokenizer.json");
        let mut old: serde_json::Value = serde_json::from_str(json).unwrap();
        let model = old["model"].as_object_mut().unwrap();
        model.remove("type");
        for merge in model["merges"].as_array_mut().unwrap() {
            *merge =
                format!("{} {}", merge[0].as_str().unwrap(), merge[1].as_str().unwrap()).into();
        }
        for json in [json.to_string(), old.to_string()] {
            let found = file::read(json.as_bytes()).unwrap();
            let mut expected = tokenizers::Tokenizer::from_bytes(&json).unwrap();
            expected.with_post_processor(None::<tokenizers::PostProcessorWrapper>);
            assert_eq!(
                found.tokenizer.to_string(false).unwrap(),
                expected.to_string(false).unwrap()
            );
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
