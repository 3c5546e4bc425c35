//! With GPT-2's vocabulary the ids equal those of Hugging Face, and no text loses a byte.

mod common;

use std::collections::HashMap;
use std::sync::OnceLock;

use candlescope::Tokenizer;
use candlescope::lab::Lab;
use candlescope::tokenizer::tokenizer_json as from_files;
use common::Fixture;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;

const MERGES: &str = include_str!("fixtures/gpt2/merges.txt");
const GOLDEN: &str = include_str!("fixtures/gpt2/golden.json");
const END: &str = "<|endoftext|>";

/// GPT-2's published `tokenizer.json`, derived from its merges.
fn gpt2() -> &'static Tokenizer {
    static TOKENIZER: OnceLock<Tokenizer> = OnceLock::new();
    TOKENIZER.get_or_init(|| Tokenizer::from_json(&tokenizer_json()).unwrap())
}

fn tokenizer_json() -> Vec<u8> {
    let merges: Vec<&str> = MERGES.lines().skip(1).collect();
    let merged = merges.iter().map(|merge| merge.replace(' ', ""));
    let tokens = byte_letters().map(String::from).chain(merged).chain([END.to_string()]);
    let vocab: HashMap<String, usize> = tokens.zip(0..).collect();
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let end = json!({
        "id": vocab[END], "content": END, "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": true, "special": true,
    });
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [end], "normalizer": null,
        "pre_tokenizer": byte_level, "post_processor": byte_level, "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": false, "vocab": vocab, "merges": merges,
        },
    });
    serde_json::to_vec(&tokenizer).unwrap()
}

/// GPT-2's byte alphabet in the order of ids: printable bytes are themselves, the others begin at U+0100.
fn byte_letters() -> impl Iterator<Item = char> {
    let printable = ('!'..='~').chain('¡'..='¬').chain('®'..='ÿ');
    printable.chain(('\u{100}'..).take(256 - 188))
}

#[derive(Deserialize)]
struct Golden {
    text: String,
    ids: Vec<u32>,
}

fn golden() -> Vec<Golden> {
    serde_json::from_str(GOLDEN).unwrap()
}

fn joined(text: &str) -> String {
    gpt2().tokenize(text).unwrap().into_iter().map(|token| token.string).collect()
}

#[test]
fn the_vocabulary_is_gpt2s() {
    assert_eq!(gpt2().vocab_size(), 50257);
    assert_eq!(gpt2().encode(" Juliet").unwrap(), [38201]);
    assert_eq!(gpt2().encode(END).unwrap(), [50256]);
}

#[test]
fn ids_of_hard_strings_equal_hugging_face() {
    let golden = golden();
    assert!(golden.len() >= 300);
    assert!(golden.iter().any(|case| case.text.chars().count() > 10_000));
    for case in golden {
        let found = gpt2().encode(&case.text).unwrap();
        let first: String = case.text.chars().take(60).collect();
        assert_eq!(found.len(), case.ids.len(), "number of ids of {first:?}");
        assert_eq!(found, case.ids, "ids of {first:?}");
    }
}

#[test]
fn the_strings_of_hard_strings_joined_are_the_text() {
    for case in golden() {
        assert!(
            joined(&case.text) == case.text,
            "{:?}",
            case.text.chars().take(60).collect::<String>()
        );
        assert!(gpt2().decode(&case.ids).unwrap() == case.text);
    }
}

#[test]
fn a_character_in_several_tokens_belongs_to_the_last_and_the_others_keep_their_bytes() {
    let tokens = gpt2().tokenize("😀").unwrap();
    assert!(tokens.len() > 1);
    let (last, others) = tokens.split_last().unwrap();
    assert_eq!(last.string, "😀");
    assert!(others.iter().all(|token| token.string.is_empty() && !token.bytes.is_empty()));
    let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.bytes.clone()).collect();
    assert_eq!(bytes, "😀".as_bytes());
}

/// Any prefix of the ids, which may end inside a character.
fn check_cuts(text: &str) {
    let ids = gpt2().encode(text).unwrap();
    let mut bytes = Vec::new();
    for cut in 0..=ids.len() {
        let tokens = gpt2().tokens(&ids[..cut]).unwrap();
        if let Some(last) = tokens.last() {
            bytes.extend_from_slice(&last.bytes);
        }
        let found: String = tokens.into_iter().map(|token| token.string).collect();
        assert_eq!(found, String::from_utf8_lossy(&bytes), "the first {cut} tokens of {text:?}");
    }
    assert_eq!(bytes, text.as_bytes());
}

/// Strings of characters that are hard for byte-level tokenizers, or of any characters.
fn hard_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        "[ \t\n\r\u{a0}\u{3000}]{1,8}",
        "('s|'t|'re|’s|'){1,3}",
        "[a-zA-Z0-9.,!?]{1,12}",
        "(\u{1F468}\u{200D}\u{1F469}|\u{1F44D}\u{1F3FD}|e\u{301}\u{302}|\u{5E9}\u{5B8}|한|漢|𝔘){1,4}",
        Just(END.to_string()),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_loses_a_byte(text in hard_text()) {
        prop_assert_eq!(joined(&text), text.as_str());
        prop_assert_eq!(gpt2().decode(&gpt2().encode(&text).unwrap()).unwrap(), text.as_str());
        let tokens = gpt2().tokenize(&text).unwrap();
        let bytes: Vec<u8> = tokens.into_iter().flat_map(|token| token.bytes).collect();
        prop_assert_eq!(bytes, text.as_bytes());
    }

    #[test]
    fn a_text_cut_anywhere_shows_its_complete_characters(text in hard_text()) {
        check_cuts(&text);
    }

    /// ASCII texts are split without GPT-2's regular expression, other texts with it.
    #[test]
    fn an_ascii_text_has_the_ids_that_the_expression_gives(text in "([ \t\n\r\x0b\x0c\x1c]{0,3}|'(s|t|re|ve|m|ll|d|S|LL)?|[a-zA-Z]{1,5}|[0-9]{1,3}|[\x00-\x7f]{1,3}){0,20}") {
        let reference = reference().encode_fast(text.as_str(), false).unwrap();
        prop_assert_eq!(gpt2().encode(&text).unwrap(), reference.get_ids());
    }
}

fn reference() -> &'static tokenizers::Tokenizer {
    static REFERENCE: OnceLock<tokenizers::Tokenizer> = OnceLock::new();
    REFERENCE.get_or_init(|| tokenizers::Tokenizer::from_bytes(tokenizer_json()).unwrap())
}

/// A small tokenizer that is not byte-level, like those of T5 and Llama.
fn metaspace(prepend_scheme: &str) -> Tokenizer {
    let words = [
        "<unk>", "▁", "▁the", "▁cat", "s", "e", "é", "<0xE2>", "<0x82>", "<0xAC>", "t", "h", "c",
        "a", "▁t", "▁th",
    ];
    let vocab: HashMap<&str, usize> = words.into_iter().zip(0..).collect();
    let space = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": prepend_scheme, "split": true});
    let merges = ["▁ t", "▁t h", "▁th e"];
    let decoder = json!({"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": usize::from(prepend_scheme != "never"), "stop": 0},
    ]});
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": space, "post_processor": null, "decoder": decoder,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": true, "vocab": vocab, "merges": merges,
        },
    });
    Tokenizer::from_json(&serde_json::to_vec(&tokenizer).unwrap()).unwrap()
}

fn labels(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
    tokenizer.tokenize(text).unwrap().into_iter().map(|token| token.string).collect()
}

fn names(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<String> {
    tokenizer.names(ids).unwrap().into_iter().map(|token| token.string).collect()
}

#[test]
fn a_prefix_space_that_the_tokenizer_adds_moves_no_label() {
    let with_space = with_prefix_space();
    assert_eq!(labels(&with_space, "the cats"), ["the", " cats"]);
    assert_eq!(labels(&with_space, " the cats"), [" the", " cats"]);
    assert_eq!(labels(&with_space, "é€s the "), ["é", "€", "s", " the", " "]);
}

#[test]
fn labels_of_a_metaspace_tokenizer_are_cut_at_offsets() {
    for scheme in ["always", "first"] {
        assert_eq!(
            labels(&metaspace(scheme), "the cats"),
            ["the", " ", "c", "a", "t", "s"],
            "{scheme}"
        );
        // The three bytes of € are tokens; the character belongs to the last. The vocabulary has no \n.
        assert_eq!(
            labels(&metaspace(scheme), "\nthe  the€"),
            ["", "\n", "t", "h", "e", " ", " the", "", "", "€"]
        );
    }
    assert_eq!(labels(&metaspace("never"), " the e"), [" the", " ", "e"]);
}

#[test]
fn a_name_depends_on_nothing_but_the_id() {
    let id = |text| gpt2().single_token(text).unwrap();
    let ids = [gpt2().encode("😀").unwrap(), vec![id(" the"), id("the"), id(END)]].concat();
    let all = gpt2().names(&ids).unwrap();
    for (name, id) in all.iter().zip(&ids) {
        assert_eq!(gpt2().names(&[*id]).unwrap(), std::slice::from_ref(name));
    }
    assert!(all[0].string.contains('\u{FFFD}') && !all[0].bytes.is_empty());
    assert_eq!(names(gpt2(), &ids)[ids.len() - 3..], [" the", "the", END]);
    let space = metaspace("always");
    let [the, second_byte] = [2, 8];
    assert_eq!(names(&space, &[the, the]), [" the", " the"]);
    assert_eq!(space.names(&[second_byte]).unwrap()[0].bytes, [0x82]);
}

#[test]
fn an_id_that_only_the_model_knows_is_shown_in_brackets() {
    let padded = gpt2().for_model(50304);
    for ids in [&[50260][..], &[11, 50303]] {
        assert_eq!(
            names(&padded, ids).last(),
            padded.tokens(ids).unwrap().last().map(|token| &token.string)
        );
        assert!(padded.decode(ids).unwrap().ends_with(&format!("⟨{}⟩", ids[ids.len() - 1])));
    }
    assert!(padded.names(&[50304]).is_err_and(|error| error.name() == "InputError"));
    assert!(gpt2().tokens(&[50260]).is_err_and(|error| error.to_string().contains("50260")));
    // The bytes of the incomplete character come first.
    let [first, ..] = gpt2().encode("😀").unwrap()[..] else { panic!("no tokens") };
    assert_eq!(padded.decode(&[first, 50260]).unwrap(), "\u{FFFD}⟨50260⟩");
}

/// With quadratic time this would take ten minutes.
#[test]
fn a_hundred_thousand_tokens_are_decoded_in_linear_time() {
    let space = metaspace("always");
    let start = std::time::Instant::now();
    let text = space.decode(&[2, 4, 7, 8, 9].repeat(20_000)).unwrap();
    assert_eq!(text.len(), " thes€".len() * 20_000 - 1);
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

proptest! {
    #[test]
    fn labels_joined_are_the_text_with_any_tokenizer(text in hard_text()) {
        for tokenizer in [with_prefix_space_once(), metaspace("always"), metaspace("never")] {
            prop_assert_eq!(labels(&tokenizer, &text).concat(), text.as_str());
        }
    }
}

fn with_prefix_space_once() -> Tokenizer {
    static TOKENIZER: OnceLock<Tokenizer> = OnceLock::new();
    TOKENIZER.get_or_init(with_prefix_space).clone()
}

fn with_prefix_space() -> Tokenizer {
    let mut json: serde_json::Value = serde_json::from_slice(&tokenizer_json()).unwrap();
    for part in ["pre_tokenizer", "post_processor", "decoder"] {
        json[part]["add_prefix_space"] = true.into();
    }
    Tokenizer::from_json(&serde_json::to_vec(&json).unwrap()).unwrap()
}

#[test]
fn a_character_for_which_there_is_no_token_is_refused_and_not_dropped() {
    let json = |vocab: serde_json::Value, post_processor: serde_json::Value| {
        serde_json::json!({
            "version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null, "decoder": null,
            "post_processor": post_processor,
            "model": { "type": "BPE", "vocab": vocab, "merges": [] },
        })
    };
    let template = serde_json::json!({
        "type": "TemplateProcessing", "single": [{ "Sequence": { "id": "A", "type_id": 0 } }], "pair": [], "special_tokens": {},
    });
    let vocab = serde_json::json!({ "a": 0, "b": 1 });
    let tokenizer =
        Tokenizer::from_json(json(vocab.clone(), serde_json::Value::Null).to_string().as_bytes())
            .unwrap();
    assert_eq!(tokenizer.encode("abba").unwrap(), [0, 1, 1, 0]);
    let error = tokenizer.encode("abc").unwrap_err();
    assert_eq!(error.name(), "TokenizerError");
    assert!(error.to_string().contains("no token for 'c'"), "{error}");
    assert!(!tokenizer.adds_special_tokens());
    let templated = Tokenizer::from_json(json(vocab, template).to_string().as_bytes()).unwrap();
    assert!(templated.adds_special_tokens());
}

/// The parameters of models that share their weights are at the same address.
#[test]
fn a_loaded_model_gets_a_tokenizer_without_a_copy_of_its_weights() {
    let lab = Lab { model: Fixture::plain().model(), tokenizer: None, compiler: None };
    let message = lab.tokenizer().err().unwrap().to_string();
    assert!(message.contains("without a tokenizer"), "{message}");
    let meta = ("meta.json".to_string(), br#"{ "itos": ["T", "o"] }"#.to_vec());
    let characters = Tokenizer::from_json(&from_files(&[meta]).unwrap()).unwrap();
    let with = lab.with_tokenizer(Some(characters));
    assert!(std::ptr::eq(lab.model.parameters(), with.model.parameters()));
    let tokenizer = with.tokenizer().unwrap();
    assert_eq!(tokenizer.encode("Too").unwrap(), [0, 1, 1]);
    let last = lab.model.config().vocab_size as u32 - 1;
    assert_eq!(names(tokenizer, &[1, last]), ["o", &format!("⟨{last}⟩")]);
    let gpt2s = with.with_tokenizer(Some(gpt2().clone()));
    let error = gpt2s.tokenizer().unwrap().encode("Too").unwrap_err().to_string();
    assert!(error.contains(&format!("the model's ids end at {last}")), "{error}");
    assert!(gpt2s.with_tokenizer(None).tokenizer().is_err());
}
