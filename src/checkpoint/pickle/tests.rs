use proptest::prelude::*;

use super::{Item, Value, read, read_start};

/// `{"n": 3, "itos": {0: "\n", 1: "é"}}` by Python's pickle, in each protocol.
const META: [&[u8]; 4] = [
    b"\x80\x02}q\x00(X\x01\x00\x00\x00nq\x01K\x03X\x04\x00\x00\x00itosq\x02}q\x03(K\x00X\x01\x00\x00\x00\nq\x04K\x01X\x02\x00\x00\x00\xc3\xa9q\x05uu.",
    b"\x80\x03}q\x00(X\x01\x00\x00\x00nq\x01K\x03X\x04\x00\x00\x00itosq\x02}q\x03(K\x00X\x01\x00\x00\x00\nq\x04K\x01X\x02\x00\x00\x00\xc3\xa9q\x05uu.",
    b"\x80\x04\x95\x20\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01n\x94K\x03\x8c\x04itos\x94}\x94(K\x00\x8c\x01\n\x94K\x01\x8c\x02\xc3\xa9\x94uu.",
    b"\x80\x05\x95\x20\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01n\x94K\x03\x8c\x04itos\x94}\x94(K\x00\x8c\x01\n\x94K\x01\x8c\x02\xc3\xa9\x94uu.",
];

#[test]
fn dicts_of_each_protocol_are_read() {
    for bytes in META {
        let pickle = read(bytes).unwrap();
        assert_eq!(pickle.length(), bytes.len());
        assert_eq!(pickle.root().get("n").unwrap().int(), Some(3));
        let itos: Vec<_> = pickle.root().get("itos").unwrap().entries().unwrap().collect();
        let itos: Vec<_> = itos.iter().map(|(key, text)| (key.int(), text.text())).collect();
        assert_eq!(itos, [(Some(0), Some("\n")), (Some(1), Some("é"))]);
    }
}

/// One line a value, without recursion into objects.
fn shown(item: Item) -> String {
    let list = |item: Item| item.items().unwrap().map(shown).collect::<Vec<_>>().join(" ");
    match item.value() {
        Value::Int(number) => number.to_string(),
        Value::Long(bytes) => format!("long{bytes:?}"),
        Value::Float(number) => format!("{number:?}"),
        Value::List => format!("[{}]", list(item)),
        Value::Tuple => format!("({})", list(item)),
        Value::Set => format!("set({})", list(item)),
        Value::Dict => format!("dict({})", item.entries().unwrap().count()),
        _ => item.describe().into_owned(),
    }
}

#[test]
fn every_plain_value_is_read() {
    // [True, None, -1, 255, 65535, -2**31, 2**40, 2**80, 1.5, b'xy\xff', (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), {1},
    //  frozenset([2]), OrderedDict(a=1)] in protocols 2 and 4
    let second = b"\x80\x02]q\x00(\x88NJ\xff\xff\xff\xffK\xffM\xff\xffJ\x00\x00\x00\x80\x8a\x06\x00\x00\x00\x00\x00\x01\x8a\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01G?\xf8\x00\x00\x00\x00\x00\x00c_codecs\nencode\nq\x01X\x04\x00\x00\x00xy\xc3\xbfq\x02X\x06\x00\x00\x00latin1q\x03\x86q\x04Rq\x05K\x01\x85q\x06K\x01K\x02\x86q\x07K\x01K\x02K\x03\x87q\x08(K\x01K\x02K\x03K\x04tq\tc__builtin__\nset\nq\n]q\x0bK\x01a\x85q\x0cRq\rc__builtin__\nfrozenset\nq\x0e]q\x0fK\x02a\x85q\x10Rq\x11ccollections\nOrderedDict\nq\x12)Rq\x13X\x01\x00\x00\x00aq\x14K\x01se.";
    let fourth = b"\x80\x04\x95x\x00\x00\x00\x00\x00\x00\x00]\x94(\x88NJ\xff\xff\xff\xffK\xffM\xff\xffJ\x00\x00\x00\x80\x8a\x06\x00\x00\x00\x00\x00\x01\x8a\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01G?\xf8\x00\x00\x00\x00\x00\x00C\x03xy\xff\x94K\x01\x85\x94K\x01K\x02\x86\x94K\x01K\x02K\x03\x87\x94(K\x01K\x02K\x03K\x04t\x94\x8f\x94(K\x01\x90(K\x02\x91\x94\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94\x93\x94)R\x94\x8c\x01a\x94K\x01se.";
    let expected = "[True None -1 255 65535 -2147483648 1099511627776 long[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] 1.5 \
        3 bytes (1) (1 2) (1 2 3) (1 2 3 4) set(1) set(2) dict(1)]";
    for bytes in [&second[..], fourth] {
        assert_eq!(shown(read(bytes).unwrap().root()), expected);
    }
}

#[test]
fn a_call_is_noted_and_not_made() {
    let bytes = b"\x80\x02}q\x00X\x01\x00\x00\x00aq\x01cposix\nsystem\nq\x02X\x10\x00\x00\x00touch /tmp/ownedq\x03\x85q\x04Rq\x05s.";
    let pickle = read(bytes).unwrap();
    let made = pickle.root().get("a").unwrap();
    assert_eq!(made.describe(), "an object made by `posix.system`");
    assert!(made.text().is_none() && made.int().is_none() && made.get("a").is_none());
}

#[test]
fn values_that_contain_themselves_and_deep_nesting_are_read_without_recursion() {
    let own = read(b"\x80\x04\x95\x06\x00\x00\x00\x00\x00\x00\x00]\x94h\x00a.").unwrap();
    assert_eq!(own.root().items().unwrap().next().unwrap().id(), own.root().id());
    let deep = [b"\x80\x02".to_vec(), b"]".to_vec(), b"\x85".repeat(1_000_000), b".".to_vec()];
    drop(read(&deep.concat()).unwrap());
    // Doubles a value 60 times: as a tree it would have 2^60 items.
    let doubled = [b"\x80\x02]".to_vec(), b"2\x86".repeat(60), b".".to_vec()].concat();
    assert_eq!(read(&doubled).unwrap().root().items().unwrap().len(), 2);
}

#[test]
fn what_cannot_be_read_is_refused_with_the_reason() {
    let cases: [(&[u8], &str); 12] = [
        (b"\x80\x02]", "is cut short: it does not end within 3 bytes"),
        (b"\x80\x06].", "protocol 6, expected one from 2 to 5"),
        (b"\x80\x02.", "lacks a value"),
        (b"\x80\x02](0.", "lacks a value"),
        (b"\x80\x02h\x05.", "recalls value 5 before"),
        (b"\x80\x02}(K\x01u.", "a key of a dict has no value"),
        (b"\x80\x02K\x01K\x02a.", "appends to a value that is no list"),
        (b"\x80\x02K\x01K\x02K\x03s.", "in a value that is no dict"),
        (b"I1\n.", "protocol 0 or 1"),
        (b"\x80\x02\x8b\xff\xff\xff\xff.", "has 4294967295 bytes, expected at most"),
        (b"\x80\x02X\x01\x00\x00\x00\xff.", "is not UTF-8"),
        (b"\x80\x02\xfe.", "byte 2 is 0xfe, which is no instruction"),
    ];
    for (bytes, reason) in cases {
        let found = read(bytes).unwrap_err();
        assert!(found.contains(reason), "{found}");
    }
    assert!(read_start(b"\x80\x02]").unwrap().is_none());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(read(&bytes));
        let damaged = |meta: &[u8]| {
            let mut meta = meta.to_vec();
            for pair in bytes.chunks_exact(2).take(4) {
                let place = usize::from(pair[0]) % meta.len();
                meta[place] = pair[1];
            }
            meta
        };
        for meta in META {
            if let Ok(pickle) = read(&damaged(meta)) {
                let _ = pickle.root().describe();
            }
        }
    }
}
