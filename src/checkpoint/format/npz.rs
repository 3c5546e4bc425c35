//! NumPy's archives of arrays: each member is an array with a header that is a Python dict.

use super::super::stored::{Contents, Omitted, RandomAccess, StoredTensor};
use super::archive::{Archive, bytes_of};
use super::place::{Elements, Place};
use super::source::{ByteOrder, Bytes, Source};
use super::strided::Strides;
use super::zip::Member;
use crate::error::{Error, Result, shortened};

const MAGIC: &[u8] = b"\x93NUMPY";
/// The bytes of a member that are read for its header. NumPy writes 128.
const START: u64 = 256;
const MAX_HEADER: u64 = 1 << 20;

pub(super) async fn open<F: RandomAccess + ?Sized>(
    file: &F,
    members: Vec<Member>,
) -> Result<Archive> {
    let mut archive = Archive::new(Contents { format: "NumPy", ..Contents::default() });
    for member in members {
        let Some(key) = member.name.strip_suffix(".npy").map(str::to_string) else {
            let what = "a file that is no array".into();
            archive.contents.omitted.push(Omitted { key: member.name, what });
            continue;
        };
        let array = array(file, &member).await;
        let array = array.map_err(|error| error.in_file(&shortened(&member.name)))?;
        match dtype_of(&array.descr) {
            Some((dtype, size, order)) => {
                let place = place(&key, &array, size, order, member)?;
                let (dtype, shape) = (dtype.into(), array.shape);
                archive.add(StoredTensor { key, dtype, shape }, place);
            }
            None if array.descr.contains('V') => {
                let (key, descr) = (shortened(&key), shortened(&array.descr));
                return Err(Error::Weights(format!(
                    "`{key}` has NumPy's dtype {descr}, which does not say what its bytes mean (bfloat16, say); \
                     save it with `.astype(\"float32\")`"
                )));
            }
            None => {
                let what = format!("an array of NumPy's dtype {}", shortened(&array.descr));
                archive.contents.omitted.push(Omitted { key, what });
            }
        }
    }
    Ok(archive)
}

/// The header of an array.
struct Array {
    descr: String,
    is_fortran: bool,
    shape: Vec<u64>,
    /// The bytes of the member before the elements.
    header: u64,
}

fn place(key: &str, array: &Array, size: usize, order: ByteOrder, member: Member) -> Result<Place> {
    let end = bytes_of(&array.shape, size).and_then(|bytes| bytes.checked_add(array.header));
    if end != Some(member.size) {
        let (key, shape, found) = (shortened(key), &array.shape, member.size);
        return Err(Error::Weights(format!(
            "`{key}` has {found} bytes, which its shape {shape:?} does not take; save or download the file again"
        )));
    }
    let part = array.header..member.size;
    let elements = match Strides::fortran(&array.shape).filter(|_| array.is_fortran) {
        Some(strides) if !strides.is_row_major() => Elements::Strided { size, order, strides },
        _ => Elements::RowMajor { size, order },
    };
    Ok(Place { bytes: Bytes::Member { member, part }, elements })
}

/// Reads the header of an array.
async fn array<F: RandomAccess + ?Sized>(file: &F, member: &Member) -> Result<Array> {
    let bytes = Bytes::Member { member: member.clone(), part: 0..member.size };
    let mut source = Source::open(&bytes, file).await?;
    let start = source.read(0..member.size.min(START)).await?;
    let version = start.strip_prefix(MAGIC).and_then(|rest| rest.first());
    let (begin, length) = match (version, start.get(8..12)) {
        (Some(1), Some(length)) => (10, u64::from(u16::from_le_bytes([length[0], length[1]]))),
        (Some(2 | 3), Some(length)) => {
            (12, u64::from(u32::from_le_bytes([length[0], length[1], length[2], length[3]])))
        }
        (Some(version), Some(_)) => {
            return Err(Error::Weights(format!(
                "the version of the array is {version}, expected 1, 2 or 3; save it again with NumPy"
            )));
        }
        _ => return Err(not_an_array()),
    };
    let header = begin + length;
    if length > MAX_HEADER || header > member.size {
        return Err(not_an_array());
    }
    let text = match start.get(begin as usize..header as usize) {
        Some(text) => text.to_vec(),
        None => source.read(begin..header).await?,
    };
    let text = String::from_utf8(text).map_err(|_| not_an_array())?;
    parse(&text, header).ok_or_else(not_an_array)
}

fn not_an_array() -> Error {
    Error::Weights(
        "not a NumPy array: its header is damaged; save or download the file again".into(),
    )
}

/// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`.
fn parse(text: &str, header: u64) -> Option<Array> {
    let field = |name: &str| {
        let (_, rest) = text.split_once(&format!("'{name}':"))?;
        Some(rest.trim_start())
    };
    let descr = field("descr")?;
    let descr = match descr.strip_prefix('\'') {
        Some(rest) => rest.split_once('\'')?.0.to_string(),
        None => "of several fields".into(), // a structured dtype is a list
    };
    let is_fortran = field("fortran_order")?.starts_with("True");
    let shape = field("shape")?.strip_prefix('(')?.split_once(')')?.0;
    let lengths = shape.split(',').map(|length| length.trim().trim_end_matches('L'));
    let shape = lengths.filter(|length| !length.is_empty()).map(|length| length.parse().ok());
    Some(Array { descr, is_fortran, shape: shape.collect::<Option<_>>()?, header })
}

/// The dtype, the bytes of an element and their order.
fn dtype_of(descr: &str) -> Option<(&'static str, usize, ByteOrder)> {
    let (order, name) = match descr.split_at_checked(1)? {
        (">", name) => (ByteOrder::Big, name),
        ("<" | "|" | "=", name) => (ByteOrder::Little, name),
        _ => (ByteOrder::Little, descr),
    };
    let (dtype, size) = match name {
        "f2" => ("F16", 2),
        "f4" => ("F32", 4),
        "f8" => ("F64", 8),
        "i1" => ("I8", 1),
        "i2" => ("I16", 2),
        "i4" => ("I32", 4),
        "i8" => ("I64", 8),
        "u1" => ("U8", 1),
        "u2" => ("U16", 2),
        "u4" => ("U32", 4),
        "u8" => ("U64", 8),
        "b1" => ("BOOL", 1),
        "bfloat16" => ("BF16", 2),
        _ => return None,
    };
    Some((dtype, size, order))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_each_version_of_python_are_parsed() {
        let headers = [
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n",
                "<f4",
                false,
                vec![2, 3],
            ),
            ("{'shape': (2L,), 'fortran_order': True, 'descr': '>f8'}", ">f8", true, vec![2]),
            ("{'descr': '|b1', 'fortran_order': False, 'shape': (), }", "|b1", false, vec![]),
        ];
        for (text, descr, is_fortran, shape) in headers {
            let array = parse(text, 0).unwrap();
            assert_eq!(
                (array.descr.as_str(), array.is_fortran, array.shape),
                (descr, is_fortran, shape)
            );
        }
        for text in
            ["", "{'descr': '<f4", "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"]
        {
            assert!(parse(text, 0).is_none());
        }
        assert_eq!(dtype_of(">f2"), Some(("F16", 2, ByteOrder::Big)));
        assert_eq!(dtype_of("|O"), None);
    }
}
