//! Reading the structure of a file from front to back, without its large blocks of bytes.

use std::ops::Range;

use super::super::stored::RandomAccess;
use crate::error::{Error, Result};

/// The bytes that are read at once.
const PAGE: u64 = 64 << 10;

/// A position in a file, with the bytes around it that were read.
pub(super) struct Cursor<'a, F: ?Sized> {
    file: &'a F,
    position: u64,
    /// The bytes of the file from `start` on.
    page: Vec<u8>,
    start: u64,
}

impl<'a, F: RandomAccess + ?Sized> Cursor<'a, F> {
    pub fn new(file: &'a F, position: u64) -> Cursor<'a, F> {
        Cursor { file, position, page: Vec::new(), start: 0 }
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    /// The bytes of the file after the position.
    pub fn left(&self) -> u64 {
        self.file.length().saturating_sub(self.position)
    }

    /// The next `length` bytes; fewer if the file ends before.
    pub async fn peek(&mut self, length: usize) -> Result<&[u8]> {
        let end = self.position.saturating_add(length as u64).min(self.file.length());
        if self.position >= end {
            return Ok(&[]);
        }
        if self.position < self.start || end > self.start + self.page.len() as u64 {
            let page_end = end.max(self.position.saturating_add(PAGE)).min(self.file.length());
            self.page = read(self.file, self.position..page_end).await?;
            self.start = self.position;
        }
        let from = (self.position - self.start) as usize;
        let length = (end - self.position) as usize;
        Ok(&self.page[from..from + length])
    }

    /// The next `length` bytes, which the cursor passes.
    pub async fn take(&mut self, length: usize) -> Result<&[u8]> {
        if length as u64 > self.left() {
            return Err(cut_short(self.file.length()));
        }
        self.peek(length).await?;
        let from = (self.position - self.start) as usize;
        self.position += length as u64;
        Ok(&self.page[from..from + length])
    }

    pub async fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N).await?);
        Ok(array)
    }

    /// Passes `length` bytes without reading them.
    pub fn skip(&mut self, length: u64) -> Result<()> {
        if length > self.left() {
            return Err(cut_short(self.file.length()));
        }
        self.position += length;
        Ok(())
    }
}

/// The bytes in `range`: all of them.
pub(super) async fn read<F: RandomAccess + ?Sized>(file: &F, range: Range<u64>) -> Result<Vec<u8>> {
    let length = range.end.saturating_sub(range.start);
    if range.end > file.length() {
        return Err(cut_short(file.length()));
    }
    let bytes = file.read(range).await?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(cut_short(file.length())) }
}

/// The file ends where its structure goes on.
pub(super) fn cut_short(length: u64) -> Error {
    Error::Weights(format!(
        "the file is cut short: it has {length} bytes and goes on behind them; download or copy it again"
    ))
}
