//! The dtypes of tensors in a file: little-endian bytes to f32.

use crate::kernel::finite_halves;

/// A dtype that this crate reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dtype {
    F64,
    F32,
    F16,
    Bf16,
}

impl Dtype {
    /// The dtype with this name in a safetensors header.
    pub fn named(name: &str) -> Option<Dtype> {
        match name {
            "F64" => Some(Dtype::F64),
            "F32" => Some(Dtype::F32),
            "F16" => Some(Dtype::F16),
            "BF16" => Some(Dtype::Bf16),
            _ => None,
        }
    }

    /// The bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Dtype::F64 => 8,
            Dtype::F32 => 4,
            Dtype::F16 | Dtype::Bf16 => 2,
        }
    }

    /// Appends the elements in `bytes` as f32.
    pub fn decode(self, bytes: &[u8], values: &mut Vec<f32>) {
        match self {
            Dtype::F64 => {
                values.extend(bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32))
            }
            Dtype::F32 => decode_floats(bytes, values),
            Dtype::F16 => decode_halves(bytes, values),
            Dtype::Bf16 => {
                values.extend(
                    bytes.as_chunks().0.iter().map(|b| half::bf16::from_le_bytes(*b).to_f32()),
                );
            }
        }
    }
}

/// Copies the floats: the crate is compiled for size, where an iterator would take them one by one.
fn decode_floats(bytes: &[u8], values: &mut Vec<f32>) {
    let (start, count) = (values.len(), bytes.len() / 4);
    values.reserve(count);
    // SAFETY: `reserve` made room for `count` values from `start` on, and `bytes` has as many. Any
    // bits are a float, and all targets of this crate are little-endian, as the file is.
    unsafe {
        let to = values.as_mut_ptr().add(start);
        to.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), 4 * count);
        values.set_len(start + count);
    }
}

/// Decodes four halves at a time if all are finite, which they are in an intact checkpoint. The crate is compiled for
/// size, where iterators and `resize` cost a call for each number: this loop has no calls.
fn decode_halves(bytes: &[u8], values: &mut Vec<f32>) {
    let (fours, rest) = bytes.as_chunks::<8>();
    values.reserve(bytes.len() / 2);
    let start = values.len();
    for (index, four) in fours.iter().enumerate() {
        let halves = u64::from_le_bytes(*four);
        let four = match has_non_finite(halves) {
            true => split(halves).map(|half| half::f16::from_bits(half).to_f32()),
            false => finite_halves(split(halves)),
        };
        // SAFETY: `reserve` made room for `bytes.len() / 2` values from `start` on, and `4 * fours.len()` is at most
        // that. The length grows only over values that were written.
        unsafe {
            values.as_mut_ptr().add(start + 4 * index).cast::<[f32; 4]>().write_unaligned(four);
            values.set_len(start + 4 * index + 4);
        }
    }
    values.extend(rest.as_chunks().0.iter().map(|half| half::f16::from_le_bytes(*half).to_f32()));
}

fn split(halves: u64) -> [u16; 4] {
    [halves as u16, (halves >> 16) as u16, (halves >> 32) as u16, (halves >> 48) as u16]
}

/// Whether one of four halves has the exponent of infinity and NaN, which is all ones: adding one to the lowest bit of
/// the exponent then carries into the sign bit, which was masked out before.
fn has_non_finite(halves: u64) -> bool {
    const EXPONENTS: u64 = 0x7C00_7C00_7C00_7C00;
    const LOWEST: u64 = 0x0400_0400_0400_0400;
    const SIGNS: u64 = 0x8000_8000_8000_8000;
    ((halves & EXPONENTS) + LOWEST) & SIGNS != 0
}
