//! Deflated members of a zip archive, inflated from front to back in pieces.

use std::ops::Range;

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush, MZStatus};

use super::super::stored::RandomAccess;
use super::cursor;
use crate::error::{Error, Result};

/// The compressed bytes that are read at once.
const PAGE: u64 = 256 << 10;

/// Inflates one member.
pub(super) struct Inflater {
    /// The compressed bytes in the file.
    compressed: Range<u64>,
    /// The length of the inflated bytes, according to the archive.
    size: u64,
    state: Box<InflateState>,
    /// Compressed bytes that were read and not used yet: those of `page` from `used` on.
    page: Vec<u8>,
    used: usize,
    /// How many compressed bytes were read, and how many bytes were inflated.
    read: u64,
    inflated: u64,
}

impl Inflater {
    pub fn new(compressed: Range<u64>, size: u64) -> Inflater {
        let state = InflateState::new_boxed(DataFormat::Raw);
        Inflater { compressed, size, state, page: Vec::new(), used: 0, read: 0, inflated: 0 }
    }

    /// The inflated bytes in `range`, which is within `size`. Begins again if they were passed already.
    pub async fn read<F: RandomAccess + ?Sized>(
        &mut self,
        file: &F,
        range: Range<u64>,
    ) -> Result<Vec<u8>> {
        if range.start < self.inflated {
            *self = Inflater::new(self.compressed.clone(), self.size);
        }
        let mut skipped = vec![0; PAGE.min(range.start - self.inflated) as usize];
        while self.inflated < range.start {
            let length = (range.start - self.inflated).min(skipped.len() as u64) as usize;
            self.fill(file, &mut skipped[..length]).await?;
        }
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.fill(file, &mut bytes).await?;
        Ok(bytes)
    }

    async fn fill<F: RandomAccess + ?Sized>(&mut self, file: &F, mut to: &mut [u8]) -> Result<()> {
        while !to.is_empty() {
            if self.used == self.page.len() {
                let start = self.compressed.start + self.read;
                let end = self.compressed.end.min(start + PAGE);
                self.page = cursor::read(file, start..end).await?;
                self.used = 0;
                self.read = end - self.compressed.start;
            }
            let done = inflate(&mut self.state, &self.page[self.used..], to, MZFlush::None);
            self.used += done.bytes_consumed;
            self.inflated += done.bytes_written as u64;
            to = &mut to[done.bytes_written..];
            let has_ended = matches!(done.status, Ok(MZStatus::StreamEnd));
            let is_stuck = done.bytes_consumed == 0 && done.bytes_written == 0;
            if to.is_empty() || !(has_ended || is_stuck || done.status.is_err()) {
                continue;
            }
            let (inflated, size) = (self.inflated, self.size);
            return Err(Error::Weights(format!(
                "the archive is damaged: a compressed member ends after {inflated} bytes, expected {size}; \
                 download or copy it again"
            )));
        }
        Ok(())
    }
}
