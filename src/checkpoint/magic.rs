//! Recognizes file types by their first bytes, for the message about a file of the wrong type.

/// Magic bytes, the type of file that they mark, and what to do.
const KNOWN: [(&[u8], &str); 15] = [
    (b"version https://git-lfs", LFS),
    (
        b"PK\x03\x04",
        "this is a zip archive, as PyTorch saves a model; save it with `safe_serialization=True`",
    ),
    (b"\x80\x02", PICKLE),
    (b"\x80\x03", PICKLE),
    (b"\x80\x04", PICKLE),
    (b"\x80\x05", PICKLE),
    (b"GGUF", "this is a GGUF file, as llama.cpp uses it"),
    (b"lmgg", "this is a GGML file, as llama.cpp used it"),
    (b"tjgg", "this is a GGML file, as llama.cpp used it"),
    (b"\x93NUMPY", "this is a NumPy array"),
    (b"\x89HDF\r\n", "this is an HDF5 file, as TensorFlow saves a model"),
    (b"\x1F\x8B", "this is a gzip archive; unpack it first"),
    (b"\x28\xB5\x2F\xFD", "this is a Zstandard archive; unpack it first"),
    (b"\xFF\xFE", "this is UTF-16 text; save it as UTF-8"),
    (b"\xFE\xFF", "this is UTF-16 text; save it as UTF-8"),
];

pub(super) const LFS: &str = "this is a Git LFS pointer, which stands for a file that is kept elsewhere: run \
    `git lfs pull`, or on Hugging Face use an address with `/resolve/` in place of `/raw/`";
const PICKLE: &str =
    "this is a PyTorch file (a pickle); save the model with `safe_serialization=True`";

/// The type of the file that begins with `start` and what to do, or None if the type is not in the list. JSON and
/// safetensors, whose bytes 4 to 7 are zero, are not in the list.
pub(crate) fn recognize(start: &[u8]) -> Option<&'static str> {
    if let Some((_, what)) = KNOWN.iter().find(|(first, _)| start.starts_with(first)) {
        return Some(what);
    }
    let text = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start).trim_ascii_start();
    if text.starts_with(b"<") {
        return Some("this is a web page (HTML or XML), not the file; check the address");
    }
    is_message_pack(start).then_some("this is a MessagePack file, as Flax saves a model")
}

/// A MessagePack map of 1 to 15 or of at most 65535 entries, whose first key is text.
fn is_message_pack(start: &[u8]) -> bool {
    let key = match start {
        [0x81..=0x8F, rest @ ..] | [0xDE, _, _, rest @ ..] => rest,
        _ => return false,
    };
    match key {
        [0xA1..=0xBF, first, ..] | [0xD9, _, first, ..] => first.is_ascii_graphic(),
        _ => false,
    }
}
