//! The bytes of one tensor or storage, wherever they are in the file.

use std::ops::Range;

use super::super::stored::RandomAccess;
use super::cursor::{self, cut_short};
use super::inflate::Inflater;
use super::zip::Member;
use crate::error::{Error, Result};

/// The largest piece that is delivered.
pub(super) const PIECE: usize = 1 << 20;

/// Bytes that belong together.
#[derive(Debug)]
pub(super) enum Bytes {
    /// They follow each other in the file.
    Range(Range<u64>),
    /// They are in several places.
    Ranges(Vec<Range<u64>>),
    /// They are a part of a member of a zip archive.
    Member { member: Member, part: Range<u64> },
}

/// Which byte of an element comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    /// Reverses the bytes of each element of big-endian data.
    pub fn to_little(self, bytes: &mut [u8], size: usize) {
        if self == ByteOrder::Big && size > 1 {
            bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
    }
}

/// The bytes of one tensor or storage, addressed from 0.
pub(super) struct Source<'a, F: ?Sized> {
    file: &'a F,
    stored: Stored,
    length: u64,
}

enum Stored {
    Ranges(Vec<Range<u64>>),
    Deflated { inflater: Inflater, start: u64 },
}

impl<'a, F: RandomAccess + ?Sized> Source<'a, F> {
    pub async fn open(bytes: &Bytes, file: &'a F) -> Result<Source<'a, F>> {
        let (stored, length) = match bytes {
            Bytes::Range(range) => (Stored::Ranges(vec![range.clone()]), range.end - range.start),
            Bytes::Ranges(ranges) => {
                let length = ranges.iter().map(|range| range.end - range.start).sum();
                (Stored::Ranges(ranges.clone()), length)
            }
            Bytes::Member { member, part } => {
                let data = member.data(file).await?;
                let stored = match member.is_deflated() {
                    true => {
                        let inflater = Inflater::new(data, member.size);
                        Stored::Deflated { inflater, start: part.start }
                    }
                    false => {
                        let (start, end) = (data.start + part.start, data.start + part.end);
                        if end > data.end {
                            return Err(cut_short(file.length()));
                        }
                        let range = start..end;
                        Stored::Ranges(vec![range])
                    }
                };
                (stored, part.end - part.start)
            }
        };
        Ok(Source { file, stored, length })
    }

    pub fn length(&self) -> u64 {
        self.length
    }

    /// The bytes in `range`. Reading deflated bytes again from an earlier place inflates them again from the beginning.
    pub async fn read(&mut self, range: Range<u64>) -> Result<Vec<u8>> {
        if range.end > self.length {
            return Err(Error::Weights(
                "a tensor reads behind its storage; report this as a bug".into(),
            ));
        }
        match &mut self.stored {
            Stored::Deflated { inflater, start } => {
                inflater.read(self.file, *start + range.start..*start + range.end).await
            }
            Stored::Ranges(ranges) => {
                let mut bytes = Vec::new();
                let mut passed = 0;
                for own in ranges.iter() {
                    let length = own.end - own.start;
                    let from = range.start.max(passed) - passed;
                    let to = range.end.min(passed + length).saturating_sub(passed);
                    if from < to {
                        let part = own.start + from..own.start + to;
                        let part = cursor::read(self.file, part).await?;
                        match bytes.is_empty() {
                            true => bytes = part,
                            false => bytes.extend_from_slice(&part),
                        }
                    }
                    passed += length;
                }
                Ok(bytes)
            }
        }
    }

    /// Delivers all bytes in pieces of `length` bytes; the last may be shorter.
    pub async fn each_piece(
        &mut self,
        length: usize,
        mut deliver: impl FnMut(Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let mut position = 0;
        while position < self.length {
            let end = self.length.min(position + length as u64);
            deliver(self.read(position..end).await?)?;
            position = end;
        }
        Ok(())
    }
}
