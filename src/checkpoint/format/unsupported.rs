//! Files of other programs that hold no readable tensors and are recognized by their names.

/// Why a file with this name is not read, and what to do; None for other names. The name may have folders before it.
pub(crate) fn unsupported_name(name: &str) -> Option<&'static str> {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let is_part_of = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    match name {
        "_METADATA"
        | "_CHECKPOINT_METADATA"
        | "_sharding"
        | "manifest.ocdbt"
        | "commit_success.txt" => Some(ORBAX),
        "saved_model.pb" | "keras_metadata.pb" => Some(TENSORFLOW),
        _ if is_part_of(&[".ckpt.index", ".ckpt.meta", "-of-00001"])
            && !name.contains(".safetensors") =>
        {
            Some(TENSORFLOW)
        }
        _ if is_part_of(&[".onnx", ".onnx_data"]) => Some(ONNX),
        _ => None,
    }
}

const ORBAX: &str = "this is a part of an Orbax checkpoint, which is a folder; convert it with \
    `python tools/convert.py FOLDER TARGET`, and open the folder TARGET";
const TENSORFLOW: &str = "this is a part of a TensorFlow checkpoint; convert it with \
    `python tools/convert.py SOURCE TARGET`, and open the folder TARGET";
const ONNX: &str = "this is an ONNX file, a graph of operators; save the PyTorch model that it was exported from with \
    `save_pretrained`";
