//! Where the elements of a stored tensor are in a file, and their bytes in row-major order, little-endian.

use std::ops::Range;

use super::super::stored::RandomAccess;
use super::ggml::Block;
use super::source::{ByteOrder, Bytes, PIECE, Source};
use super::strided::{self, Strides};
use crate::error::Result;

/// The stored form of a tensor.
#[derive(Debug)]
pub(super) struct Place {
    pub bytes: Bytes,
    pub elements: Elements,
}

/// How elements are written.
#[derive(Debug)]
pub(super) enum Elements {
    /// In row-major order, of this many bytes each.
    RowMajor { size: usize, order: ByteOrder },
    /// In another order.
    Strided { size: usize, order: ByteOrder, strides: Strides },
    /// In blocks that share a scale; delivered as f32.
    Blocks(Block),
}

impl Place {
    /// A plain tensor in one range of the file.
    pub fn row_major(bytes: Range<u64>, size: usize) -> Place {
        let order = ByteOrder::Little;
        Place { bytes: Bytes::Range(bytes), elements: Elements::RowMajor { size, order } }
    }

    /// Delivers the elements in pieces of at most [`PIECE`] bytes.
    pub async fn read<F: RandomAccess + ?Sized>(
        &self,
        file: &F,
        deliver: &mut impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut source = Source::open(&self.bytes, file).await?;
        match &self.elements {
            Elements::RowMajor { size, order } => {
                source
                    .each_piece(PIECE, |mut piece| {
                        order.to_little(&mut piece, *size);
                        deliver(&piece)
                    })
                    .await
            }
            Elements::Strided { size, order, strides } => {
                strided::read(&mut source, *size, *order, strides, deliver).await
            }
            Elements::Blocks(block) => {
                let piece = PIECE / block.delivered_bytes() * block.stored_bytes();
                source.each_piece(piece, |piece| deliver(&block.dequantize(&piece))).await
            }
        }
    }
}
