//! A tensor in PyTorch's pickles: a call of a function of `torch._utils` on a storage, a shape and strides.

use super::super::super::header::bits_of;
use super::super::super::pickle::{Item, Value};
use super::super::strided::Strides;
use crate::error::{Error, Result, shortened};

/// How often wrappers, such as `Parameter`, may contain each other.
const MAX_WRAPPERS: usize = 8;
/// How many more elements than its storage a tensor may have, which `expand` makes.
const MAX_REPEATED: u64 = 4 << 20;

/// A view of a storage.
#[derive(Debug)]
pub(super) struct View {
    pub storage: Storage,
    pub strides: Strides,
}

/// The bytes of one or several tensors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Storage {
    /// Its name in the file.
    pub key: String,
    /// The dtype of its elements, under its safetensors name.
    pub dtype: &'static str,
    /// Its length in elements.
    pub count: u64,
}

impl Storage {
    /// The bytes of an element.
    pub fn size(&self) -> usize {
        (bits_of(self.dtype).unwrap_or(8) / 8) as usize
    }
}

/// The tensor that `item` describes under this key; None if it is no tensor.
///
/// # Errors
/// [`Error::Weights`] when it is a tensor that cannot be read.
pub(super) fn read(key: &str, item: Item) -> Result<Option<View>> {
    let Some((function, arguments)) = rebuilt(item) else { return Ok(None) };
    let key = shortened(key);
    let is_third = match function {
        "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2" => false,
        "torch._utils._rebuild_tensor_v3" => true,
        _ => {
            let function = shortened(function);
            return Err(Error::Weights(format!(
                "`{key}` is made by `{function}`, which is not run, expected a dense tensor; load the model in Python \
                 and save its `state_dict()` again"
            )));
        }
    };
    let damaged = || {
        Error::Weights(format!(
            "`{key}` does not have the storage, shape and strides of a tensor; save the file again"
        ))
    };
    let arguments: Vec<Item> = arguments.items().ok_or_else(damaged)?.collect();
    let [storage, offset, shape, strides, ..] = arguments.as_slice() else { return Err(damaged()) };
    let dtype = arguments.get(6).filter(|_| is_third).copied();
    let storage = self::storage(&key, *storage, dtype)?.ok_or_else(damaged)?;
    let strides = Strides {
        shape: sizes(*shape).ok_or_else(damaged)?,
        strides: sizes(*strides).ok_or_else(damaged)?,
        offset: size(*offset).ok_or_else(damaged)?,
    };
    if strides.shape.len() != strides.strides.len() {
        return Err(damaged());
    }
    let (count, needed) = (strides.count(), strides.needed());
    match count.zip(needed) {
        Some((count, needed))
            if needed <= storage.count && count <= storage.count.saturating_add(MAX_REPEATED) =>
        {
            Ok(Some(View { storage, strides }))
        }
        _ => {
            let (shape, count) = (&strides.shape, storage.count);
            Err(Error::Weights(format!(
                "`{key}` has the shape {shape:?}, which its storage of {count} elements does not hold; save the file again"
            )))
        }
    }
}

/// The function that makes the tensor, and its arguments, without wrappers; None if the value is no tensor.
fn rebuilt<'a>(mut item: Item<'a>) -> Option<(&'a str, Item<'a>)> {
    for _ in 0..MAX_WRAPPERS {
        let Value::Object { callable, arguments, .. } = item.value() else { return None };
        let Value::Global(name) = callable.value() else { return None };
        let mut listed = arguments.items()?;
        match name {
            "torch._utils._rebuild_parameter"
            | "torch._utils._rebuild_parameter_with_state"
            | "torch.nn.parameter.Parameter" => item = listed.next()?,
            "torch._tensor._rebuild_from_type_v2" => {
                let (function, arguments) = (listed.next()?, listed.nth(1)?);
                let Value::Global(function) = function.value() else { return None };
                return Some((function, arguments));
            }
            _ if is_tensor_function(name) => return Some((name, arguments)),
            _ => return None,
        }
    }
    None
}

/// Whether a call of this function makes a tensor or an array.
fn is_tensor_function(name: &str) -> bool {
    name.starts_with("torch._utils._rebuild")
        || name.starts_with("torch._tensor._rebuild")
        || matches!(
            name,
            "numpy.core.multiarray._reconstruct" | "numpy._core.multiarray._reconstruct"
        )
}

/// The storage that `item` refers to. `dtype` is the one of the tensor if its storage is untyped.
fn storage(key: &str, item: Item, dtype: Option<Item>) -> Result<Option<Storage>> {
    let Value::Persistent(id) = item.value() else { return Ok(None) };
    let Some(storage) = reference(id) else { return Ok(None) };
    let class = match dtype.map(Item::value) {
        Some(Value::Global(dtype)) => dtype,
        _ => storage.class,
    };
    let Some(dtype) = dtype_of(class) else {
        let class = shortened(class);
        return Err(Error::Weights(format!(
            "`{key}` has elements of `{class}`, which this does not read; convert it to float32 and save the file again"
        )));
    };
    let key = storage.key.to_string();
    let storage_size = class_size(storage.class);
    let size = bits_of(dtype).unwrap_or(8) / 8;
    let bytes = storage.count.saturating_mul(storage_size.unwrap_or(size));
    Ok(Some(Storage { key, dtype, count: bytes / size }))
}

/// A storage as a pickle refers to it.
pub(super) struct Reference<'a> {
    pub key: &'a str,
    /// The class of the storage, such as `torch.FloatStorage`.
    pub class: &'a str,
    /// Its length in elements of its class.
    pub count: u64,
    /// The part of it that a view of older files takes: the view's key, offset and length.
    pub view: Option<Item<'a>>,
}

/// Reads `("storage", class, key, device, count)`.
pub(super) fn reference<'a>(id: Item<'a>) -> Option<Reference<'a>> {
    let mut parts = id.items()?;
    if parts.next()?.text()? != "storage" {
        return None;
    }
    let Value::Global(class) = parts.next()?.value() else { return None };
    let key = parts.next()?.text()?;
    let count = size(parts.nth(1)?)?;
    let view = parts.next().filter(|view| !matches!(view.value(), Value::None));
    Some(Reference { key, class, count, view })
}

/// The bytes of an element of a storage of this class.
pub(super) fn class_size(class: &str) -> Option<u64> {
    match class {
        "torch.storage.UntypedStorage" | "torch.UntypedStorage" => Some(1),
        _ => Some(bits_of(dtype_of(class)?)? / 8),
    }
}

/// The dtype of a class of storages or of a `torch.dtype`.
fn dtype_of(name: &str) -> Option<&'static str> {
    let name = name.strip_prefix("torch.")?;
    Some(match name.strip_prefix("cuda.").unwrap_or(name) {
        "FloatStorage" | "float32" => "F32",
        "DoubleStorage" | "float64" => "F64",
        "HalfStorage" | "float16" => "F16",
        "BFloat16Storage" | "bfloat16" => "BF16",
        "LongStorage" | "int64" => "I64",
        "IntStorage" | "int32" => "I32",
        "ShortStorage" | "int16" => "I16",
        "CharStorage" | "int8" => "I8",
        "ByteStorage" | "uint8" => "U8",
        "BoolStorage" | "bool" => "BOOL",
        "uint16" => "U16",
        "uint32" => "U32",
        "uint64" => "U64",
        "ComplexFloatStorage" | "complex64" => "C64",
        "float8_e4m3fn" => "F8_E4M3",
        "float8_e5m2" => "F8_E5M2",
        _ => return None,
    })
}

fn size(item: Item) -> Option<u64> {
    u64::try_from(item.int()?).ok()
}

fn sizes(item: Item) -> Option<Vec<u64>> {
    item.items()?.map(size).collect()
}
