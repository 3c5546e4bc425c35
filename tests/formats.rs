//! Every file format, on files that Python's libraries wrote, element by element against safetensors.

use std::collections::BTreeMap;

use candlescope::checkpoint::TensorFile;
use proptest::prelude::*;
use serde_json::json;

macro_rules! fixture {
    ($name:literal) => {
        ($name, include_bytes!(concat!("fixtures/formats/", $name)).as_slice())
    };
}

/// A file's name and bytes.
type File = (&'static str, &'static [u8]);

/// Dtype, shape and bytes by key.
type Tensors = BTreeMap<String, (String, Vec<u64>, Vec<u8>)>;

/// What the reference implementation reads from a safetensors file.
fn expected(bytes: &[u8]) -> Tensors {
    let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
    let tensor = |(key, tensor): (String, safetensors::tensor::TensorView)| {
        let shape = tensor.shape().iter().map(|length| *length as u64).collect();
        (key, (tensor.dtype().to_string(), shape, tensor.data().to_vec()))
    };
    file.tensors().into_iter().map(tensor).collect()
}

fn base() -> Tensors {
    expected(fixture!("tensors.safetensors").1)
}

fn read((name, bytes): (&str, &[u8])) -> TensorFile {
    TensorFile::read(name, bytes).unwrap_or_else(|error| panic!("{error}"))
}

fn tensors(file: &TensorFile) -> Tensors {
    let tensor = |tensor: &candlescope::checkpoint::TensorBytes| {
        (tensor.key.clone(), (tensor.dtype.clone(), tensor.shape.clone(), tensor.bytes.clone()))
    };
    file.tensors.iter().map(tensor).collect()
}

fn renamed(tensors: Tensors, name: impl Fn(&str) -> String) -> Tensors {
    tensors.into_iter().map(|(key, tensor)| (name(&key), tensor)).collect()
}

#[track_caller]
fn assert_same(found: &Tensors, expected: &Tensors, file: &str) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{file}");
    for (key, tensor) in expected {
        assert_eq!(&found[key], tensor, "{file}: {key}");
    }
}

fn refusal((name, bytes): (&str, &[u8])) -> String {
    match TensorFile::read(name, bytes) {
        Ok(_) => panic!("{name} was read"),
        Err(error) => {
            assert_eq!(error.name(), "WeightsError", "{error}");
            error.to_string()
        }
    }
}

#[test]
fn safetensors_are_read() {
    let file = read(fixture!("tensors.safetensors"));
    assert_eq!(file.format, "safetensors");
    assert_same(&tensors(&file), &base(), "safetensors");
}

#[test]
fn pytorch_files_of_every_kind_hold_the_same_tensors() {
    for file in [
        fixture!("state.pt"),
        fixture!("legacy.bin"),
        fixture!("protocol4.pt"),
        fixture!("deflated.pt"),
        fixture!("streamed.pt"),
    ] {
        let found = read(file);
        assert_eq!((found.format, found.config.is_none()), ("PyTorch", true));
        assert_eq!(found.omitted, []);
        assert_same(&tensors(&found), &base(), file.0);
    }
}

#[test]
fn a_training_checkpoint_gives_its_model_its_config_and_what_is_omitted() {
    let file = read(fixture!("nested.pt"));
    assert_same(&tensors(&file), &base(), "nested");
    let config = json!({
        "n_layer": 2, "n_head": 4, "bias": false, "dropout": 0.0, "dtype": "torch.float16", "vocab_size": null,
    });
    assert_eq!(file.config, Some(config));
    assert_eq!(file.omitted, [("optimizer".into(), "2 tensors beside the model".into())]);
}

#[test]
fn a_module_that_was_pickled_whole_gives_its_state() {
    let file = read(fixture!("module.pt"));
    assert_same(&tensors(&file), &expected(fixture!("module.safetensors").1), "module");
    assert_eq!(file.config, Some(json!({ "n_layer": 1, "n_head": 3 })));
}

#[test]
fn flax_files_are_read_with_large_arrays_in_chunks() {
    let file = read(fixture!("model.msgpack"));
    assert_eq!(file.format, "Flax");
    let nested = renamed(base(), |key| format!("block.{key}"));
    assert_same(&tensors(&file), &nested, "msgpack");
    assert_eq!(file.omitted, [("opt_state".into(), "1 tensors beside the model".into())]);
    assert_eq!(file.config, Some(json!({ "n_head": 4 })));
    assert_same(&tensors(&read(fixture!("chunked.msgpack"))), &nested, "chunked");
}

#[test]
fn numpy_archives_are_read_stored_compressed_in_fortran_order_and_big_endian() {
    let mut arrays = renamed(base(), |key| key.replace("plain", "a/plain"));
    arrays.remove("brain"); // NumPy has no bfloat16
    for file in [fixture!("stored.npz"), fixture!("compressed.npz")] {
        let found = read(file);
        assert_eq!((found.format, found.omitted.len()), ("NumPy", 0));
        assert_same(&tensors(&found), &arrays, file.0);
    }
    let file = read(fixture!("big-endian.npz"));
    assert_same(&tensors(&file), &arrays, "big-endian");
    assert_eq!(file.omitted, [("names".into(), "an array of NumPy's dtype <U1".into())]);
    let versions = tensors(&read(fixture!("versions.npz")));
    assert_eq!(versions.len(), 3);
    assert!(versions.values().all(|array| *array == arrays["a/plain"]));
}

#[test]
fn gguf_files_are_dequantized_as_by_the_gguf_package() {
    let file = read(fixture!("model.gguf"));
    let found = tensors(&file);
    let reference = expected(fixture!("gguf.safetensors").1);
    assert_eq!(found.keys().collect::<Vec<_>>(), reference.keys().collect::<Vec<_>>());
    let numbers = |bytes: &[u8]| {
        bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect::<Vec<_>>()
    };
    for (key, (dtype, shape, bytes)) in &reference {
        assert_eq!((&found[key].0, &found[key].1), (dtype, shape), "{key}");
        if dtype != "F32" || key == "F32" {
            assert_eq!(&found[key].2, bytes, "{key}");
            continue;
        }
        for (found, expected) in numbers(&found[key].2).iter().zip(numbers(bytes)) {
            // Both compute in f32, in another order of the same two or three operations.
            assert!(
                (found - expected).abs() <= 1e-6 * expected.abs().max(1.0),
                "{key}: {found}, {expected}"
            );
        }
    }
    let config = file.config.unwrap();
    assert_eq!(config["general.architecture"], "gpt2");
    assert_eq!(config["gpt2.attention.head_count"], 4);
    assert_eq!(config["gpt2.attention.layer_norm_epsilon"], 1e-5);
    assert!(config.get("tokenizer.ggml.tokens").is_none());
    let tokenizer = candlescope::Tokenizer::from_json(&file.tokenizer.unwrap()).unwrap();
    assert_eq!(tokenizer.encode("ab!a<|endoftext|>").unwrap(), [4, 0, 2, 5]);
}

#[test]
fn a_hostile_pickle_does_nothing() {
    let file = read(fixture!("hostile.pt"));
    assert_eq!(file.tensors.len(), 1);
    assert_eq!(file.omitted, [("evil".into(), "an object made by `posix.system`".into())]);
    assert!(!std::path::Path::new("/tmp/candlescope-was-here").exists());
}

#[test]
fn what_is_no_state_dict_is_refused_with_the_remedy() {
    let cases = [
        (
            fixture!("sparse.pt"),
            "sparse.pt: `weight` is made by `torch._utils._rebuild_sparse_tensor`",
        ),
        (
            fixture!("optimizer.pt"),
            "its only tensors are in `optimizer`, which belongs to the training",
        ),
        (fixture!("script.pt"), "a TorchScript program"),
        (
            fixture!("values.pkl"),
            "a Python pickle of a dict with 1 entries, not a file that `torch.save` wrote",
        ),
        (("model.h5", b"\x89HDF\r\n\x1a\n0000"), "HDF5"),
        (("model.tar", &[&[b'a'; 257][..], b"ustar\0"].concat()), "tar archive; unpack"),
        (("x.npy", b"\x93NUMPY\x01\0"), "a NumPy array"),
        (("model.onnx", b"\x08\x07"), "an ONNX file"),
        (("model", b"\x08\x07\x12\x07pytorch"), "an ONNX file"),
        (
            ("_METADATA", b"{\"tree_metadata\": {}}"),
            "Orbax checkpoint, which is a folder; convert it with `python tools/convert.py",
        ),
        (("manifest.ocdbt", b"\x0c\xdb\x3a\x2a"), "tools/convert.py"),
        (("model.gz", b"\x1f\x8b\x08"), "gzip archive; unpack"),
        (("model.pt", b"<!doctype html>"), "a web page"),
        (("model.pt", b"version https://git-lfs.github.com/spec/v1"), "git lfs pull"),
        (("model.pt", b""), "the file is empty"),
        (
            ("model.zip", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
            "a zip archive with no file",
        ),
    ];
    for (file, reason) in cases {
        let found = refusal(file);
        assert!(found.contains(reason), "{found}");
    }
}

#[test]
fn the_files_of_every_family_are_opened() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/family");
    let mut formats = BTreeMap::new();
    for family in std::fs::read_dir(folder).unwrap() {
        for file in std::fs::read_dir(family.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let ends = [".safetensors", ".bin", ".pt", ".pth", ".msgpack", ".npz", ".gguf"];
            if ends.iter().any(|end| name.ends_with(end)) {
                let file = read((name, &std::fs::read(&path).unwrap()));
                assert!(!file.tensors.is_empty(), "{}", path.display());
                *formats.entry(file.format).or_insert(0) += 1;
            }
        }
    }
    let found: Vec<_> = formats.keys().copied().collect();
    assert_eq!(found, ["Flax", "GGUF", "NumPy", "PyTorch", "safetensors"]);
}

const FILES: [File; 16] = [
    fixture!("tensors.safetensors"),
    fixture!("state.pt"),
    fixture!("legacy.bin"),
    fixture!("protocol4.pt"),
    fixture!("deflated.pt"),
    fixture!("streamed.pt"),
    fixture!("nested.pt"),
    fixture!("module.pt"),
    fixture!("hostile.pt"),
    fixture!("model.msgpack"),
    fixture!("chunked.msgpack"),
    fixture!("stored.npz"),
    fixture!("compressed.npz"),
    fixture!("big-endian.npz"),
    fixture!("versions.npz"),
    fixture!("model.gguf"),
];

/// The places of the entries in the directory of a zip archive.
fn entries(bytes: &[u8]) -> Vec<usize> {
    (0..bytes.len()).filter(|place| bytes[*place..].starts_with(b"PK\x01\x02")).collect()
}

#[test]
fn archives_that_claim_too_much_or_the_same_bytes_twice_are_refused() {
    let (name, bytes) = fixture!("compressed.npz");
    let places = entries(bytes);
    let changed = |at: usize, value: [u8; 4]| {
        let mut bytes = bytes.to_vec();
        bytes[at..at + 4].copy_from_slice(&value);
        refusal((name, &bytes))
    };
    let first_offset: [u8; 4] = bytes[places[0] + 42..places[0] + 46].try_into().unwrap();
    for (found, reason) in [
        (
            changed(places[0] + 24, 2_000_000_000u32.to_le_bytes()),
            "cannot have 2000000000 bytes in",
        ),
        (changed(places[1] + 42, first_offset), "overlap those behind them"),
        (changed(places[0] + 42, [0xFF, 0xFF, 0xFF, 0x7F]), "overlap those behind them"),
        (changed(places[0] + 20, [0xFF, 0xFF, 0xFF, 0x7F]), "overlap those behind them"),
        (changed(places[0] + 8, [1, 0, 8, 0]), "is encrypted"),
        (
            changed(places[0] + 8, [0, 0, 14, 0]),
            "compressed by method 14, expected none or Deflate",
        ),
        (changed(bytes.len() - 6, [0xFF; 4]), "the zip archive is damaged: its directory has"),
    ] {
        assert!(found.contains(reason), "{found}");
    }
    // Two names of the same length, made equal.
    let mut bytes = fixture!("versions.npz").1.to_vec();
    let places = entries(&bytes);
    let name: Vec<u8> = bytes[places[0] + 46..places[0] + 52].to_vec();
    bytes[places[1] + 46..places[1] + 52].copy_from_slice(&name);
    assert!(refusal(("x.npz", &bytes)).contains("two members with the name `v1.npy`"));
}

#[test]
fn a_truncated_file_is_refused_at_every_length() {
    for (name, bytes) in FILES {
        // A GGUF file ends with up to 31 bytes of padding.
        let end = bytes.len() - if name.ends_with(".gguf") { 31 } else { 0 };
        for length in (0..end).step_by((end / 400).max(1)).chain([end - 1]) {
            match TensorFile::read(name, &bytes[..length]) {
                Ok(_) => panic!("{name} was read at {length} of {} bytes", bytes.len()),
                Err(error) => assert_eq!(error.name(), "WeightsError", "{error}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_damage_makes_a_reader_panic(
        file in 0..FILES.len(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let (name, bytes) = FILES[file];
        let mut bytes = bytes.to_vec();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Err(error) = TensorFile::read(name, &bytes) {
            prop_assert_eq!(error.name(), "WeightsError");
        }
    }
}
