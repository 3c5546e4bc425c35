//! Tokenizers in other files than `tokenizer.json` give the ids and texts of the libraries that use them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use candlescope::tokenizer::tokenizer_json;
use candlescope::{TextStream, Tokenizer};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Cases {
    encoded: Vec<Case>,
    decoded: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    ids: Vec<u32>,
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn golden(name: &str) -> Cases {
    let mut all: BTreeMap<String, Cases> =
        serde_json::from_slice(&fixture("tokenizer-forms/golden.json")).unwrap();
    all.remove(name).unwrap()
}

/// The files of `tokenizer-forms` under their own names.
fn forms(names: &[&str]) -> Vec<(String, Vec<u8>)> {
    let file = |name: &&str| {
        let own = name.rsplit('/').next().unwrap_or_default();
        (own.to_string(), fixture(&format!("tokenizer-forms/{name}")))
    };
    names.iter().map(file).collect()
}

fn text_files(files: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    files.iter().map(|(name, text)| (name.to_string(), text.as_bytes().to_vec())).collect()
}

fn read(files: &[(String, Vec<u8>)]) -> Result<Tokenizer, String> {
    let named = |error: candlescope::Error| {
        assert_eq!(error.name(), "TokenizerError");
        error.to_string()
    };
    Tokenizer::from_json(&tokenizer_json(files).map_err(named)?).map_err(named)
}

fn notices(tokenizer: &Tokenizer) -> Vec<String> {
    tokenizer.report().notices().iter().map(|notice| notice.message.clone()).collect()
}

fn check(tokenizer: &Tokenizer, name: &str) {
    let Cases { encoded, decoded } = golden(name);
    assert!(encoded.len() > 12 && decoded.len() >= 40, "{name}");
    for Case { text, ids } in encoded {
        assert_eq!(tokenizer.encode(&text).unwrap(), ids, "{name}: ids of {text:?}");
        let tokens = tokenizer.tokenize(&text).unwrap();
        let labels: String = tokens.iter().map(|token| token.string.as_str()).collect();
        assert_eq!(labels, text, "{name}: labels of {text:?}");
        let bytes: Vec<u8> = tokens.into_iter().flat_map(|token| token.bytes).collect();
        // An added token with `lstrip` takes the spaces before it, which are no bytes of its own.
        let has_taken_spaces = text.contains(" <mask>");
        assert!(has_taken_spaces || bytes == text.as_bytes(), "{name}: bytes of {text:?}");
    }
    for Case { text, ids } in decoded {
        assert_eq!(tokenizer.decode(&ids).unwrap(), text, "{name}: text of {ids:?}");
        let mut stream = TextStream::new(tokenizer.clone());
        let strings: String = ids.iter().map(|id| stream.push(*id).unwrap().string).collect();
        assert_eq!(strings + &stream.finish(), text, "{name}: text of {ids:?} one by one");
        let names = tokenizer.names(&ids).unwrap();
        assert!(names.iter().all(|name| !name.string.is_empty() && !name.bytes.is_empty()));
    }
}

#[test]
fn a_vocabulary_with_merges_gives_the_ids_of_transformers() {
    let files = forms(&["bpe/merges.txt", "bpe/vocab.json"]);
    check(&read(&files).unwrap(), "bpe");
    let unix = String::from_utf8(files[0].1.clone()).unwrap();
    let (_, without_version) = unix.split_once('\n').unwrap();
    let vocab = String::from_utf8(files[1].1.clone()).unwrap();
    for merges in [without_version.to_string(), unix.replace('\n', "\r\n"), format!("{unix}\n\n")] {
        for vocab in [vocab.clone(), format!("\u{FEFF}{vocab}")] {
            let names = [("encoder.json", vocab.as_str()), ("vocab.bpe", merges.as_str())];
            check(&read(&text_files(&names)).unwrap(), "bpe");
        }
    }
}

#[test]
fn added_tokens_of_the_other_files_are_found() {
    let config = ["bpe/vocab.json", "bpe/merges.txt", "bpe/tokenizer_config.json"];
    let tokenizer = read(&forms(&config)).unwrap();
    check(&tokenizer, "bpe_added");
    assert_eq!(notices(&tokenizer), Vec::<String>::new());
    let size = golden_size();
    let added = format!("{{\"<pad>\": \"{size}\", \"<mask>\": {}}}", size + 1);
    let mask = json!({ "content": "<mask>", "lstrip": true, "rstrip": false });
    let map = json!({ "bos_token": "<|endoftext|>", "mask_token": mask, "pad_token": "<pad>", "sep_token": "</s>" });
    let mut files = forms(&config[..2]);
    files.extend(text_files(&[
        ("special_tokens_map.json", &map.to_string()),
        ("added_tokens.json", &added),
    ]));
    let tokenizer = read(&files).unwrap();
    check(&tokenizer, "bpe_added");
    assert!(notices(&tokenizer)[0].contains("\"</s>\" has no id in any file"));
}

fn golden_size() -> usize {
    let vocab: BTreeMap<String, u32> =
        serde_json::from_slice(&fixture("tokenizer-forms/bpe/vocab.json")).unwrap();
    vocab.len()
}

#[test]
fn ranks_give_the_ids_of_tiktoken() {
    let tokenizer = read(&forms(&["small.tiktoken"])).unwrap();
    check(&tokenizer, "ranks");
    assert!(notices(&tokenizer)[0].contains("GPT-2's rule was taken"));
}

/// `small.tiktoken` has tokens that no merge makes.
#[test]
fn a_token_of_tiktoken_that_no_merge_makes_is_found_as_a_whole_word() {
    let json: Value =
        serde_json::from_slice(&tokenizer_json(&forms(&["small.tiktoken"])).unwrap()).unwrap();
    assert_eq!(json["model"]["ignore_merges"], true);
}

fn gpt2s_ranks() -> (String, Vec<(String, Vec<u8>)>) {
    let merges = String::from_utf8(fixture("gpt2/merges.txt")).unwrap();
    let printable = ('!'..='~').chain('¡'..='¬').chain('®'..='ÿ');
    let mut letters: Vec<char> = printable.collect();
    let bytes = letters.iter().map(|letter| *letter as u8).collect::<Vec<u8>>();
    let others: Vec<u8> = (0..=255).filter(|byte| !bytes.contains(byte)).collect();
    letters.extend(('\u{100}'..).take(others.len()));
    let byte_of: BTreeMap<char, u8> =
        letters.iter().copied().zip([bytes, others].concat()).collect();
    let single = letters.iter().map(|letter| letter.to_string());
    let tokens = single.chain(merges.lines().skip(1).map(|merge| merge.replace(' ', "")));
    let line = |(token, rank): (String, usize)| {
        let bytes: Vec<u8> = token.chars().map(|letter| byte_of[&letter]).collect();
        format!("{} {rank}\n", base64::encode(bytes))
    };
    let lines: String = tokens.zip(0..).map(line).collect();
    (merges, text_files(&[("gpt2.tiktoken", &lines)]))
}

/// make_tokenizer_form_fixtures.py compares tiktoken with the same file.
#[test]
fn gpt2s_ranks_give_gpt2s_merges_and_ids() {
    let (merges, ranks) = gpt2s_ranks();
    let json = tokenizer_json(&ranks).unwrap();
    let file: Value = serde_json::from_slice(&json).unwrap();
    let found = file["model"]["merges"].as_array().unwrap().iter();
    let found: Vec<String> = found
        .map(|pair| format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
        .collect();
    assert_eq!(found, merges.lines().skip(1).collect::<Vec<_>>());
    let tokenizer = Tokenizer::from_json(&json).unwrap();
    assert_eq!(tokenizer.vocab_size(), 50257);
    let all: Vec<Case> = serde_json::from_slice(&fixture("gpt2/golden.json")).unwrap();
    for Case { text, ids } in all {
        assert_eq!(tokenizer.encode(&text).unwrap(), ids);
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
    assert!(notices(&tokenizer).is_empty());
}

#[test]
fn gpt2s_vocabulary_or_merges_alone_are_enough_and_others_are_not() {
    let (merges, ranks) = gpt2s_ranks();
    let whole: Value = serde_json::from_slice(&tokenizer_json(&ranks).unwrap()).unwrap();
    let vocab = whole["model"]["vocab"].to_string();
    for files in [[("vocab.json", vocab.as_str())], [("merges.txt", merges.as_str())]] {
        let json: Value =
            serde_json::from_slice(&tokenizer_json(&text_files(&files)).unwrap()).unwrap();
        assert_eq!(json["model"], whole["model"]);
        assert!(json["candlescope_notices"][0]["message"].as_str().unwrap().contains("GPT-2"));
    }
    for (name, missing) in
        [("vocab.json", "its merges are missing"), ("merges.txt", "its vocabulary is missing")]
    {
        let message = read(&forms(&[&format!("bpe/{name}")])).err().unwrap();
        assert!(message.starts_with(&format!("{name}: {missing}")), "{message}");
    }
}

#[test]
fn characters_in_every_form_give_nano_gpts_ids() {
    for protocol in 2..=5 {
        let tokenizer = read(&forms(&[&format!("meta-{protocol}.pkl")])).unwrap();
        check(&tokenizer, "characters");
        assert!(notices(&tokenizer).is_empty());
    }
    check(&read(&forms(&["meta.json"])).unwrap(), "characters");
    let meta: Value = serde_json::from_slice(&fixture("tokenizer-forms/meta.json")).unwrap();
    let (stoi, itos) = (&meta["stoi"], &meta["itos"]);
    let list: Vec<&Value> =
        (0..itos.as_object().unwrap().len()).map(|id| &itos[id.to_string()]).collect();
    let forms = [
        json!({ "stoi": stoi }),
        json!({ "itos": itos }),
        json!({ "itos": list, "stoi": stoi }),
        itos.clone(),
        json!(list),
        stoi.clone(),
    ];
    for form in forms {
        check(&read(&text_files(&[("meta.json", &form.to_string())])).unwrap(), "characters");
    }
}

#[test]
fn a_character_without_a_token_is_named_with_its_place() {
    let tokenizer = read(&forms(&["meta-4.pkl"])).unwrap();
    let message = tokenizer.encode("é😀x\u{2603} snow").unwrap_err().to_string();
    assert!(message.contains("no token for '☃', character 4 of the text"), "{message}");
    // A byte pair encoding of few bytes names the character and not the letter of its alphabet.
    let vocab = r#"{"a": 0, "b": 1, "ab": 2}"#;
    let files = text_files(&[("vocab.json", vocab), ("merges.txt", "a b\n")]);
    let tokenizer = read(&files).unwrap();
    assert_eq!(tokenizer.encode("abba").unwrap(), [2, 1, 0]);
    let message = tokenizer.encode("ab ab").unwrap_err().to_string();
    assert!(message.contains("no token for ' ', character 3 of the text"), "{message}");
}

#[test]
fn entries_of_several_characters_are_tokens_where_a_text_has_them() {
    let meta = json!({ "stoi": { "a": 0, "<": 1, "e": 2, "<eos>": 3, "": 4, "e\u{301}": 6 }, "vocab_size": 9, "chars": [] });
    let tokenizer = read(&text_files(&[("meta.json", &meta.to_string())])).unwrap().for_model(8);
    assert_eq!(tokenizer.encode("a<e<eos>e\u{301}e").unwrap(), [0, 1, 2, 3, 6, 2]);
    assert_eq!(tokenizer.decode(&[3, 0, 4, 5, 6]).unwrap(), "<eos>a⟨4⟩⟨5⟩e\u{301}");
    let all = notices(&tokenizer).join("\n");
    for part in [
        "2 entries of several characters",
        "the id 4 an empty text",
        "`vocab_size` is 9",
        "`chars` is not needed",
        "end at 6",
    ] {
        assert!(all.contains(part), "{part} in {all}");
    }
}

#[test]
fn ids_beyond_the_embedding_are_refused_when_a_text_has_them() {
    let tokenizer = read(&forms(&["meta.json"])).unwrap();
    let last = tokenizer.vocab_size() as u32 - 1;
    let string = tokenizer.names(&[last]).unwrap()[0].string.clone();
    let smaller = tokenizer.for_model(last as usize);
    assert_eq!(smaller.encode("To be").unwrap(), tokenizer.encode("To be").unwrap());
    let error = smaller.encode(&format!("To {string}")).unwrap_err();
    assert_eq!(error.name(), "TokenizerError");
    assert!(
        error
            .to_string()
            .contains(&format!("is token {last}, but the model's ids end at {}", last - 1)),
        "{error}"
    );
    assert!(notices(&smaller)[0].contains("a text with a token beyond that is refused"));
    let larger = tokenizer.for_model(last as usize + 3);
    assert_eq!(larger.names(&[last + 2]).unwrap()[0].string, format!("⟨{}⟩", last + 2));
    assert!(notices(&larger)[0].contains(&format!("shown as ⟨{}⟩", last + 2)));
}

#[test]
fn a_tokenizer_json_is_used_before_other_files_which_are_reported() {
    let both = ["bpe/vocab.json", "bpe/merges.txt", "bpe/tokenizer_config.json"];
    let json = tokenizer_json(&forms(&both)).unwrap();
    let own = vec![("tokenizer.json".to_string(), json.clone())];
    assert_eq!(tokenizer_json(&own).unwrap(), json);
    let with = |others: Vec<(String, Vec<u8>)>| {
        let tokenizer = read(&[others, own.clone()].concat()).unwrap();
        check(&tokenizer, "bpe_added");
        notices(&tokenizer)
    };
    let same = with(forms(&both));
    assert_eq!(same.len(), 2, "tokenizer_config.json repeats what tokenizer.json says: {same:?}");
    assert!(same[0].contains("vocab.json was not used: tokenizer.json holds"), "{same:?}");
    assert!(same[1].contains("merges.txt was not used"), "{same:?}");
    let other = with(text_files(&[
        ("vocab.json", r#"{"!": 0, "Ġt": 1}"#),
        ("tokenizer_config.json", r#"{"bos_token": "!", "add_prefix_space": true}"#),
        ("meta.pkl", "<html>"),
    ]));
    assert!(
        other[0].contains("they differ (it gives \"!\" the id 0, tokenizer.json 1)"),
        "{other:?}"
    );
    assert!(other[1].contains("its `add_prefix_space` is true"), "{other:?}");
    assert!(other[2].contains("web page"), "{other:?}");
}

/// Files, and words of the message about them.
type Refused = (&'static [(&'static str, &'static str)], &'static [&'static str]);

const VOCAB: &str = r#"{"a": 0, "b": 1, "ab": 2}"#;

const REFUSED: &[Refused] = &[
    (&[], &["there is no vocabulary in no file", "expected a tokenizer.json"]),
    (&[("added_tokens.json", r#"{"<pad>": 50257}"#)], &["no vocabulary in added_tokens.json"]),
    (
        &[("vocab.json", VOCAB), ("merges.txt", "a b\na c\n")],
        &["merges.txt: line 2", "vocab.json has no \"c\"", "same tokenizer"],
    ),
    (
        &[("vocab.json", VOCAB), ("merges.txt", "a b\nabc\n")],
        &["merges.txt: line 2 is \"abc\"", "two tokens"],
    ),
    (&[("vocab.json", VOCAB), ("merges.txt", "▁ t\n")], &["line 1 has \"▁\"", "tokenizer.json"]),
    (&[("vocab.json", VOCAB), ("merges.txt", "t h</w>\n")], &["line 1 has \"</w>\""]),
    (&[("vocab.json", r#"{"a": 0, "b": 0}"#)], &["vocab.json: \"b\" and \"a\" both have the id 0"]),
    (&[("vocab.json", r#"{"a": 0, "b": -1}"#)], &["vocab.json: \"b\" has -1"]),
    (&[("vocab.json", r#"{"a": 0, "a": 1}"#)], &["vocab.json: `a` is there twice"]),
    (&[("vocab.json", r#"{"a": 0, "b""#)], &["vocab.json: it is not whole"]),
    (
        &[("vocab.json", "version https://git-lfs.github.com/spec/v1")],
        &["vocab.json: this is a Git LFS pointer"],
    ),
    (&[("vocab.json", "<!doctype html>")], &["vocab.json: this is a web page"]),
    (
        &[("config.json", r#"{"model_type": "gpt2", "n_layer": 2}"#)],
        &["config.json: the file is no tokenizer"],
    ),
    (&[("tokenizer.json", "{}")], &["tokenizer.json: `model` is missing"]),
    (
        &[("vocab.json", VOCAB), ("merges.txt", "a b"), ("added_tokens.json", r#"{"a": 5}"#)],
        &["added_tokens.json: \"a\" has the id 5, but 0 in vocab.json"],
    ),
    (
        &[("vocab.json", VOCAB), ("merges.txt", "a b"), ("added_tokens.json", r#"{"<x>": 1}"#)],
        &["\"<x>\" has the id 1, which is that of \"b\" in vocab.json"],
    ),
    (
        &[
            ("vocab.json", VOCAB),
            ("merges.txt", "a b"),
            ("tokenizer_config.json", r#"{"tokenizer_class": "CLIPTokenizer"}"#),
        ],
        &["`tokenizer_class` is \"CLIPTokenizer\"", "save_pretrained"],
    ),
    (
        &[("vocab.json", VOCAB), ("merges.txt", "a b"), ("meta.json", r#"{"itos": ["a"]}"#)],
        &["vocab.json and meta.json are two different tokenizers"],
    ),
    (
        &[("a/meta.json", r#"{"itos": ["a"]}"#), ("b/meta.json", r#"{"itos": ["b"]}"#)],
        &["a/meta.json and b/meta.json are two different tokenizers"],
    ),
    (
        &[("meta.json", r#"{"stoi": {"a": 0}, "itos": {"0": "b"}}"#)],
        &["`stoi` gives \"a\" the id 0, but `itos` gives 0 the text \"b\""],
    ),
    (&[("meta.json", r#"{"itos": ["a", "a"]}"#)], &["`itos` gives the ids 0 and 1 both \"a\""]),
    (&[("meta.json", r#"{"itos": [1]}"#)], &["`itos` gives \"0\" 1"]),
    (&[("meta.json", r#"{"stoi": ["a"]}"#)], &["`stoi` is a list of length 1"]),
    (
        &[("meta.json", r#"{"stoi": {"hello": 0, "world": 1, " ": 2}}"#)],
        &["2 entries are words and 1 are characters"],
    ),
    (&[("meta.pkl", "\u{80}")], &["meta.pkl"]),
    (&[("x.tiktoken", "IQ== 0\nIg== x")], &["x.tiktoken: line 2 is \"Ig== x\""]),
    (&[("x.tiktoken", "IQ== 0\nIQ== 1")], &["lines 1 and 2 are the same token"]),
    (&[("x.tiktoken", "IQ== 0\nIg== 0")], &["line 2 has the rank 0"]),
    (&[("x.tiktoken", "IQ== 0")], &["no token for the byte 0x00"]),
    (&[("vocab.json", "")], &["vocab.json: the file is empty"]),
    (&[("notes.txt", "hello")], &["notes.txt: the file is no tokenizer"]),
    (&[("spiece.model", "\n\u{0}\u{1}")], &["spiece.model: this looks like a SentencePiece model"]),
];

#[test]
fn files_that_do_not_fit_are_refused_with_file_field_and_remedy() {
    for (files, parts) in REFUSED {
        let message = read(&text_files(files)).err().unwrap_or_else(|| panic!("{files:?}"));
        for part in *parts {
            assert!(message.contains(part), "{part} in {message}");
        }
    }
    let pickles: [(&[u8], &str); 4] = [
        (b"\x80\x03}X\x04\x00\x00\x00stoi}C\x01\xe9K\x00ss.", "`stoi` holds 1 bytes"),
        (b"\x80\x04N.", "the pickle is None"),
        (b"\x80\x02}X\x04\x00\x00\x00stoiK\x01s.", "`stoi` is 1"),
        (b"\x80\x02}X\x04\x00\x00\x00itos", "cut short"),
    ];
    for long in ["{\"itos\": [\"a\", \"LONG\"]}", "{\"a\": 0, \"\\n\": 1, \"LONG\": 2}"] {
        let long = long.replace("LONG", &"x".repeat(1025));
        let message = read(&text_files(&[("v.json", &long)])).err().unwrap();
        assert!(message.starts_with("v.json: a token has 1025 bytes"), "{message}");
    }
    for (bytes, part) in pickles {
        let message = read(&[("meta.pkl".into(), bytes.to_vec())]).err().unwrap();
        assert!(message.starts_with("meta.pkl: ") && message.contains(part), "{message}");
    }
}

#[derive(Deserialize)]
struct Expected {
    #[serde(default)]
    tokenizer: Vec<String>,
    #[serde(default)]
    texts: Vec<Case>,
}

#[test]
fn the_tokenizers_of_the_family_fixtures_give_their_ids() {
    let mut count = 0;
    for folder in std::fs::read_dir(path("family")).unwrap() {
        let folder = folder.unwrap().path();
        let Ok(expected) = std::fs::read(folder.join("expected.json")) else { continue };
        let Expected { tokenizer: files, texts } = serde_json::from_slice(&expected).unwrap();
        if files.is_empty() {
            continue;
        }
        let file = |name: String| (name.clone(), std::fs::read(folder.join(name)).unwrap());
        let tokenizer = read(&files.into_iter().map(file).collect::<Vec<_>>()).unwrap();
        for Case { text, ids } in texts {
            assert_eq!(tokenizer.encode(&text).unwrap(), ids, "{folder:?} {text:?}");
            assert_eq!(tokenizer.decode(&ids).unwrap(), text, "{folder:?}");
            count += 1;
        }
    }
    assert!(count >= 3, "{count} texts");
}
