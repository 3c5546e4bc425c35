//! Recognizes file types by their first bytes, for the message about a file of the wrong type.

/// Magic bytes, the type of file that they mark, and what to do.
const KNOWN: [(&[u8], &str); 16] = [
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
    (
        b"model_checkpoint_path:",
        "this is the list of a TensorFlow checkpoint; convert the checkpoint with `python tools/convert.py SOURCE TARGET`",
    ),
    (b"\xFF\xFE", "this is UTF-16 text; save it as UTF-8"),
    (b"\xFE\xFF", "this is UTF-16 text; save it as UTF-8"),
];

pub(super) const LFS: &str = "this is a Git LFS pointer, which stands for a file that is kept elsewhere: run \
    `git lfs pull`, or on Hugging Face use an address with `/resolve/` in place of `/raw/`";
const PICKLE: &str =
    "this is a PyTorch file (a pickle); save the model with `safe_serialization=True`";

/// A format whose files hold tensors that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Zip,
    Pickle,
    MessagePack,
    Gguf,
}

/// The format of the file that begins with `start`, unless it is safetensors or unknown.
pub(super) fn kind(start: &[u8]) -> Option<Kind> {
    match start {
        // safetensors: a header of less than 4 GiB. Its length may begin with the bytes of another format.
        [_, _, _, _, 0, 0, 0, 0, b'{', ..] => None,
        [b'P', b'K', 3 | 5, 4 | 6, ..] => Some(Kind::Zip),
        [0x80, 2..=5, ..] => Some(Kind::Pickle),
        [b'G', b'G', b'U', b'F', ..] => Some(Kind::Gguf),
        _ => is_message_pack(start).then_some(Kind::MessagePack),
    }
}

/// Whether a file that begins with `start` is read with random access, and not as a stream.
#[cfg(target_arch = "wasm32")]
pub(crate) fn is_archive(start: &[u8]) -> bool {
    kind(start).is_some()
}

/// The type of the file that begins with `start` and what to do, or None if the type is not in the list. JSON and
/// safetensors, whose bytes 4 to 7 are zero, are not in the list.
pub(crate) fn recognize(start: &[u8]) -> Option<&'static str> {
    if matches!(start, [_, _, _, _, 0, 0, 0, 0, b'{', ..]) {
        return None; // safetensors, the length of whose header may begin with any bytes
    }
    if let Some((_, what)) = KNOWN.iter().find(|(first, _)| start.starts_with(first)) {
        return Some(what);
    }
    let text = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start).trim_ascii_start();
    if text.starts_with(b"<") {
        return Some("this is a web page (HTML or XML), not the file; check the address");
    }
    match start {
        _ if is_message_pack(start) => Some("this is a MessagePack file, as Flax saves a model"),
        _ if start.get(257..262) == Some(b"ustar") => {
            Some("this is a tar archive; unpack it first")
        }
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => {
            Some("this is a TensorFlow Lite file; save the model that it was made from")
        }
        // Its first field is the version of the format, its second the name of the program that wrote it.
        [0x08, 3..=15, 0x12, length, rest @ ..]
            if rest.iter().take(usize::from(*length)).all(u8::is_ascii_graphic) && *length > 0 =>
        {
            Some("this is an ONNX file; save the PyTorch model that it was exported from")
        }
        _ => None,
    }
}

/// A MessagePack map of at least one entry, whose first key is text.
fn is_message_pack(start: &[u8]) -> bool {
    let key = match start {
        [0x81..=0x8F, rest @ ..] | [0xDE, _, _, rest @ ..] | [0xDF, _, _, _, _, rest @ ..] => rest,
        _ => return false,
    };
    match key {
        [0xA1..=0xBF, first, ..] | [0xD9, _, first, ..] => first.is_ascii_graphic(),
        _ => false,
    }
}
