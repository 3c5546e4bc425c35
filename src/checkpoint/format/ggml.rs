//! The blocks of ggml's quantized formats, to f32 by candle's functions.

use candle_core::quantized::k_quants::{
    BlockQ2K, BlockQ3K, BlockQ4_0, BlockQ4_1, BlockQ4K, BlockQ5_0, BlockQ5_1, BlockQ5K, BlockQ6K,
    BlockQ8_0,
};
use candle_core::quantized::{GgmlDType, GgmlType};

/// A format whose elements are in blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block(GgmlDType);

impl Block {
    /// The blocks of this type, unless its elements are single numbers or it is not supported.
    pub fn of(dtype: GgmlDType) -> Option<Block> {
        use GgmlDType::{Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0};
        let is_known =
            matches!(dtype, Q4_0 | Q4_1 | Q5_0 | Q5_1 | Q8_0 | Q2K | Q3K | Q4K | Q5K | Q6K);
        is_known.then_some(Block(dtype))
    }

    /// The elements of a block.
    pub fn elements(self) -> u64 {
        self.0.block_size() as u64
    }

    /// The bytes of a block in the file.
    pub fn stored_bytes(self) -> usize {
        self.0.type_size()
    }

    /// The bytes of a block as f32.
    pub fn delivered_bytes(self) -> usize {
        self.0.block_size() * size_of::<f32>()
    }

    /// The elements of whole blocks as little-endian f32.
    pub fn dequantize(self, bytes: &[u8]) -> Vec<u8> {
        let values = match self.0 {
            GgmlDType::Q4_0 => to_float::<BlockQ4_0>(bytes),
            GgmlDType::Q4_1 => to_float::<BlockQ4_1>(bytes),
            GgmlDType::Q5_0 => to_float::<BlockQ5_0>(bytes),
            GgmlDType::Q5_1 => to_float::<BlockQ5_1>(bytes),
            GgmlDType::Q8_0 => to_float::<BlockQ8_0>(bytes),
            GgmlDType::Q2K => to_float::<BlockQ2K>(bytes),
            GgmlDType::Q3K => to_float::<BlockQ3K>(bytes),
            GgmlDType::Q4K => to_float::<BlockQ4K>(bytes),
            GgmlDType::Q5K => to_float::<BlockQ5K>(bytes),
            _ => to_float::<BlockQ6K>(bytes),
        };
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
}

fn to_float<T: GgmlType>(bytes: &[u8]) -> Vec<f32> {
    let count = bytes.len() / size_of::<T>();
    let mut blocks = vec![T::zeros(); count];
    // SAFETY: `blocks` has `count * size_of::<T>()` bytes, which is at most `bytes.len()`. The block types are
    // `repr(C)` structs of u8 and f16 without padding, so any bytes are a value of them. Both slices are distinct
    // allocations.
    unsafe {
        let target = blocks.as_mut_ptr().cast::<u8>();
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, count * size_of::<T>());
    }
    let mut values = vec![0.0; count * T::BLCK_SIZE];
    T::to_float(&blocks, &mut values);
    values
}
