//! A truncated, inconsistent or hostile `tokenizer.json` is an error that names the field, and never a panic.

use candlescope::Tokenizer;
use candlescope::tokenizer::tokenizer_json;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A small tokenizer like GPT-2's: all bytes and some merges.
fn byte_level() -> Value {
    let json = include_str!("../models/shakespeare/tokenizer.json");
    let mut file: Value = serde_json::from_str(json).unwrap();
    let model = file["model"].as_object_mut().unwrap();
    model["vocab"].as_object_mut().unwrap().retain(|_, id| id.as_u64().unwrap() < 300);
    let vocab = model["vocab"].clone();
    model["merges"].as_array_mut().unwrap().retain(|merge| {
        let [a, b] = [&merge[0], &merge[1]].map(|part| part.as_str().unwrap());
        vocab.get(a).is_some() && vocab.get(b).is_some() && vocab.get(format!("{a}{b}")).is_some()
    });
    file
}

fn file(model: Value, normalizer: Value, pre_tokenizer: Value, decoder: Value) -> Value {
    let added = json!([{
        "id": 0, "content": "<unk>", "single_word": false, "lstrip": false, "rstrip": true, "normalized": false,
        "special": true,
    }]);
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer, "post_processor": null, "decoder": decoder, "model": model,
    })
}

fn word_piece() -> Value {
    file(
        json!({
            "type": "WordPiece", "unk_token": "<unk>", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": {"<unk>": 0, "the": 1, "##s": 2, "a": 3, "##a": 4, "中": 5},
        }),
        json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true}),
        json!({"type": "BertPreTokenizer"}),
        json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
    )
}

fn unigram() -> Value {
    let normalizers = json!([
        {"type": "NFKC"}, {"type": "Strip", "strip_left": false, "strip_right": true},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}, {"type": "Prepend", "prepend": "▁"},
        {"type": "Precompiled", "precompiled_charsmap": charsmap()},
    ]);
    file(
        json!({
            "type": "Unigram", "unk_id": 0, "byte_fallback": true,
            "vocab": [["<unk>", 0.0], ["▁", -1.5], ["a", -2.0], ["▁the", -3.0], ["s", -2.5], ["<0xE2>", -9.0]],
        }),
        json!({"type": "Sequence", "normalizers": normalizers}),
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}),
        json!({"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ]}),
    )
}

/// A double array of 256 units whose only word is "a", replaced by "b".
fn charsmap() -> String {
    let mut units = [0u32; 256];
    let root = 1;
    let (a, leaf) = (root ^ u32::from(b'a'), 2);
    units[0] = root << 10;
    units[a as usize] = u32::from(b'a') | 1 << 8 | (a ^ leaf) << 10;
    units[leaf as usize] = 1 << 31;
    let bytes: Vec<u8> =
        [1024].iter().chain(&units).flat_map(|unit| unit.to_le_bytes()).chain(*b"b\0").collect();
    base64::encode(bytes)
}

fn word_level() -> Value {
    file(
        json!({"type": "WordLevel", "unk_token": "<unk>", "vocab": {"<unk>": 0, "the": 1, "a": 2}}),
        json!({"type": "Lowercase"}),
        json!({"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": "\\s+"}, "behavior": "Isolated", "invert": false},
            {"type": "Digits", "individual_digits": true}, {"type": "Punctuation", "behavior": "MergedWithNext"},
            {"type": "FixedLength", "length": 5},
        ]}),
        Value::Null,
    )
}

fn bases() -> [Value; 4] {
    [byte_level(), word_piece(), unigram(), word_level()]
}

/// Calls every method of a tokenizer.
fn use_it(tokenizer: &Tokenizer) {
    for text in ["", "the as  the中 12é€😀\n a<unk>  x.", " ", "\u{0}\u{301}a\u{fffd}\u{2581}▁"]
    {
        if let Ok(tokens) = tokenizer.tokenize(text) {
            let joined: String = tokens.iter().map(|token| token.string.as_str()).collect();
            assert!(tokens.is_empty() || joined == text, "{joined:?} for {text:?}");
            let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
            tokenizer.decode(&ids).unwrap();
            tokenizer.names(&ids).unwrap();
        }
        let _ = tokenizer.single_token(text);
    }
    let padded = tokenizer.for_model(310);
    let all: Vec<u32> = (0..310).collect();
    padded.decode(&all).unwrap();
    padded.names(&all).unwrap();
}

fn load(json: &[u8]) -> Result<Tokenizer, String> {
    Tokenizer::from_json(json).map_err(|error| {
        assert_eq!(error.name(), "TokenizerError");
        error.to_string()
    })
}

#[test]
fn each_kind_of_tokenizer_is_read() {
    for base in bases() {
        use_it(&load(base.to_string().as_bytes()).unwrap());
    }
    let unigram = load(unigram().to_string().as_bytes()).unwrap();
    assert_eq!(unigram.tokenize("the").unwrap().len(), 1);
}

/// A wrong value for a field, and words of the message.
#[test]
fn a_wrong_field_is_named() {
    let changes: [(usize, &str, Value, &str); 29] = [
        (0, "/model/vocab/a", json!(-1), "model.vocab"),
        (0, "/model/vocab/a", json!(4_294_967_295u32), "id 4294967295"),
        (0, "/model/vocab/a", json!(2), "two tokens with the id 2"),
        (0, "/model/vocab", json!({}), "`model.vocab` is empty"),
        (0, "/model/vocab", json!([]), "`model.vocab` is a list"),
        (0, "/model/merges/0", json!(["a"]), "`model.merges`"),
        (0, "/model/merges/0", json!(["a", "nowhere"]), "\"nowhere\" is not in `model.vocab`"),
        (0, "/model/merges/0", json!("a b c"), "two tokens"),
        (0, "/model/unk_token", json!("[UNK]"), "`model.unk_token` is \"[UNK]\""),
        (0, "/model/continuing_subword_prefix", json!("####"), "does not begin with \"####\""),
        (0, "/model/fuse_unk", json!("yes"), "`model.fuse_unk`"),
        (0, "/model/type", json!("GPT"), "`model.type` is \"GPT\""),
        (0, "/model/type", json!(3), "`model.type` is 3"),
        (0, "/added_tokens/0/id", json!(5), "the id 5"),
        (0, "/added_tokens/0/content", json!("new"), "the id 0, which another token has"),
        (0, "/added_tokens/0/content", json!(""), "added_tokens[0].content"),
        (0, "/added_tokens", json!([{"id": 400, "content": "new"}]), "expected the next id, 300"),
        (0, "/pre_tokenizer/type", json!("Unknown"), "`pre_tokenizer.type` is \"Unknown\""),
        (0, "/version", json!("2.0"), "`version` is \"2.0\""),
        (1, "/model/max_input_chars_per_word", json!(1e9), "max_input_chars_per_word"),
        (1, "/model/unk_token", json!("missing"), "`model.unk_token`"),
        (2, "/model/unk_id", json!(6), "`model.unk_id` is 6"),
        (2, "/model/vocab/1/0", json!(""), "empty token"),
        (2, "/normalizer/normalizers/4/precompiled_charsmap", json!("!!"), "is not base64"),
        (2, "/normalizer/normalizers/4/precompiled_charsmap", json!("AAAA"), "is damaged"),
        (2, "/normalizer/normalizers/3/prepend", json!(""), "an empty `prepend`"),
        (2, "/decoder/decoders/3/stop", json!(1), "`stop` above 0"),
        (3, "/pre_tokenizer/pretokenizers/3/length", json!(0), "at least 1"),
        (3, "/pre_tokenizer/pretokenizers/0/pattern/Regex", json!("("), "Split"),
    ];
    for (base, path, value, expected) in changes {
        let mut file = bases()[base].clone();
        *file.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value;
        let message =
            load(file.to_string().as_bytes()).err().unwrap_or_else(|| panic!("{path}: no error"));
        assert!(message.contains(expected), "{path}: {message}");
        assert!(message.contains("tokenizer.json"), "{message}");
    }
}

#[test]
fn a_file_that_is_no_tokenizer_is_called_what_it_is() {
    let cases: [(&[u8], &str); 7] = [
        (b"", "ends too early"),
        (b"{\"model\": {\"type\": \"BPE\"", "it is cut"),
        (b"<!doctype html><html>", "web page (HTML or XML)"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"),
        (b"\x80\x02}q", "PyTorch file"),
        (b"{}", "`model` is missing"),
        (b"{\"model\": {\"vocab\": {\"a\": 0, \"a\": 1}, \"merges\": []}}", "a token twice"),
    ];
    for (bytes, expected) in cases {
        let message = load(bytes).err().unwrap();
        assert!(message.contains(expected), "{message}");
    }
    let deep = "[".repeat(100_000);
    load(format!("{{\"normalizer\": {deep}").as_bytes()).err().unwrap();
    let nested = (0..20).fold(
        json!({"type": "NFC"}),
        |inner, _| json!({"type": "Sequence", "normalizers": [inner]}),
    );
    let mut file = word_level();
    file["normalizer"] = nested;
    assert!(load(file.to_string().as_bytes()).err().unwrap().contains("too many steps"));
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    assert!(load(&vec![b' '; (64 << 20) + 1]).err().unwrap().contains("at most 67108864"));
}

fn bundled() -> Value {
    serde_json::from_slice(include_bytes!("../models/shakespeare/tokenizer.json")).unwrap()
}

fn notices(tokenizer: &Tokenizer) -> Vec<String> {
    tokenizer.report().notices().iter().map(|notice| notice.message.clone()).collect()
}

#[test]
fn dropout_is_off_and_reported() {
    let expected = Tokenizer::from_json(bundled().to_string().as_bytes()).unwrap();
    for dropout in [json!(0.1), json!("0.1"), json!(1)] {
        let mut file = bundled();
        file["model"]["dropout"] = dropout.clone();
        let tokenizer = Tokenizer::from_json(file.to_string().as_bytes()).unwrap();
        for _ in 0..20 {
            let text = "To be, or not to be: that is the question";
            assert_eq!(tokenizer.encode(text).unwrap(), expected.encode(text).unwrap());
        }
        assert!(notices(&tokenizer)[0].contains(&format!("`model.dropout` is {dropout}")));
    }
    assert!(notices(&expected).is_empty());
}

#[test]
fn a_byte_level_tokenizer_without_a_decoder_decodes_bytes() {
    let expected = Tokenizer::from_json(bundled().to_string().as_bytes()).unwrap();
    let mut file = bundled();
    let level = file["pre_tokenizer"].clone();
    file["decoder"] = Value::Null;
    let mut nested = file.clone();
    nested["pre_tokenizer"] = json!({ "type": "Sequence", "pretokenizers": [level] });
    for file in [file, nested] {
        let tokenizer = Tokenizer::from_json(file.to_string().as_bytes()).unwrap();
        for text in ["the king 😀 é", "\n\n a"] {
            assert_eq!(tokenizer.tokenize(text).unwrap(), expected.tokenize(text).unwrap());
        }
        assert!(notices(&tokenizer)[0].contains("`decoder` is missing: byte level was taken"));
    }
}

#[test]
fn numbers_as_text_a_byte_order_mark_and_nan_are_read() {
    let mut file = bundled();
    let vocab = file["model"]["vocab"].as_object_mut().unwrap();
    for id in vocab.values_mut() {
        *id = id.to_string().into();
    }
    let id = file["added_tokens"][0]["id"].to_string();
    file["added_tokens"][0]["id"] = id.into();
    let tokenizer = Tokenizer::from_json(format!("\u{FEFF}{file}").as_bytes()).unwrap();
    let expected = Tokenizer::from_json(bundled().to_string().as_bytes()).unwrap();
    assert_eq!(tokenizer.encode("the king").unwrap(), expected.encode("the king").unwrap());
    for value in ["NaN", "Infinity", "-Infinity"] {
        let with = |field: &str| {
            let text = bundled().to_string();
            let from = format!("\"{field}\":{}", bundled()["model"][field]);
            assert!(text.contains(&from), "{from}");
            load(text.replace(&from, &format!("\"{field}\":{value}")).as_bytes())
        };
        let tokenizer = with("dropout").unwrap();
        assert_eq!(tokenizer.encode("the king").unwrap(), expected.encode("the king").unwrap());
        assert!(notices(&tokenizer)[0].contains(&format!("`model.dropout` is {value}")));
        let message = with("fuse_unk").err().unwrap();
        let found = format!("`model.fuse_unk` is {value}, expected true or false");
        assert!(message.contains(&found), "{message}");
    }
}

/// Values that a field should not have.
fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!(-1)),
        Just(json!(0)),
        Just(json!(1)),
        Just(json!(4_294_967_295u32)),
        Just(json!(1e300)),
        Just(json!(true)),
        Just(json!("")),
        Just(json!(" ")),
        Just(json!("a")),
        Just(json!("<unk>")),
        Just(json!("a*|(?=b)")),
        Just(json!("é▁")),
        Just(json!([])),
        Just(json!({})),
        Just(json!(["a", "a"])),
        Just(json!({"type": "Sequence"})),
        Just(
            json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": false})
        ),
        Just(json!({"type": "Strip", "content": " ", "start": 3, "stop": 3})),
        Just(json!({"type": "Strip", "strip_left": true, "strip_right": true})),
        Just(json!({"String": ""})),
    ]
}

/// The paths of all values in a file; only some of those in large lists.
fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_string());
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields
            .iter()
            .take(12)
            .map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value))
            .collect(),
        Value::Array(list) => list
            .iter()
            .take(8)
            .enumerate()
            .map(|(place, value)| (place.to_string(), value))
            .collect(),
        _ => Vec::new(),
    };
    for (name, value) in inner {
        places(value, &format!("{path}/{name}"), found);
    }
}

fn changed(base: usize, changes: &[(prop::sample::Index, Option<Value>)]) -> Value {
    let mut file = bases()[base].clone();
    for (place, value) in changes {
        let mut all = Vec::new();
        places(&file, "", &mut all);
        let path = place.get(&all).clone();
        match value {
            Some(value) => *file.pointer_mut(&path).unwrap() = value.clone(),
            None => {
                let Some((parent, name)) = path.rsplit_once('/') else { continue };
                match file.pointer_mut(parent) {
                    Some(Value::Object(fields)) => {
                        drop(fields.remove(&name.replace("~1", "/").replace("~0", "~")))
                    }
                    Some(Value::Array(list)) => drop(list.remove(name.parse().unwrap())),
                    _ => {}
                }
            }
        }
    }
    file
}

macro_rules! form {
    ($($name:literal),+) => {
        &[$(($name, include_bytes!(concat!("fixtures/tokenizer-forms/", $name)))),+]
    };
}

/// The files of each form.
const FORMS: [&[(&str, &[u8])]; 5] = [
    form!("bpe/vocab.json", "bpe/merges.txt", "bpe/tokenizer_config.json"),
    form!("small.tiktoken"),
    form!("meta.json"),
    form!("meta-2.pkl"),
    form!("meta-5.pkl"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_changed_file_never_panics(
        base in 0usize..4,
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::option::weighted(0.8, odd_value())), 1..4),
    ) {
        if let Ok(tokenizer) = load(changed(base, &changes).to_string().as_bytes()) {
            use_it(&tokenizer);
        }
    }

    #[test]
    fn a_file_with_changed_bytes_never_panics(
        base in 0usize..4,
        cut in any::<prop::sample::Index>(),
        bytes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        keep in any::<bool>(),
    ) {
        let mut file = bases()[base].to_string().into_bytes();
        for (at, byte) in bytes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if !keep {
            file.truncate(cut.index(file.len()));
        }
        if let Ok(tokenizer) = load(&file) {
            use_it(&tokenizer);
        }
    }

    #[test]
    fn changed_files_of_other_forms_never_panic(
        form in 0usize..FORMS.len(),
        cut in any::<prop::sample::Index>(),
        bytes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..4),
        keep in prop::bool::weighted(0.8),
    ) {
        let mut files: Vec<(String, Vec<u8>)> =
            FORMS[form].iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec())).collect();
        for (file, at, byte) in bytes {
            let file = &mut files[file.index(FORMS[form].len())].1;
            let at = at.index(file.len());
            file[at] = byte;
        }
        if !keep {
            let file = &mut files[0].1;
            file.truncate(cut.index(file.len()));
        }
        match tokenizer_json(&files) {
            // What it makes is a tokenizer that can be read.
            Ok(json) => use_it(&load(&json).map_err(TestCaseError::fail)?),
            Err(error) => prop_assert_eq!(error.name(), "TokenizerError"),
        }
    }

    #[test]
    fn a_changed_table_of_replacements_never_panics(at in 0usize..1030, byte in any::<u8>(), text in any::<String>()) {
        let mut table = base64::decode(charsmap()).unwrap();
        let at = at % table.len();
        table[at] = byte;
        let mut file = unigram();
        file["normalizer"] = json!({"type": "Precompiled", "precompiled_charsmap": base64::encode(table)});
        if let Ok(tokenizer) = load(file.to_string().as_bytes()) {
            let _ = tokenizer.tokenize(&text);
            use_it(&tokenizer);
        }
    }
}
