//! The directory of a zip archive, as PyTorch and NumPy write it: with 64-bit lengths, and with lengths behind the data.
//!
//! docs/decisions/formats.md says why the `zip` crate, which reads from a blocking file, is not used.

use std::collections::HashSet;
use std::ops::Range;

use super::super::stored::RandomAccess;
use super::cursor::{self, Cursor};
use crate::error::{Error, Result, shortened};

const END: [u8; 4] = *b"PK\x05\x06";
const END_64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";
const ENTRY: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";
/// The lengths of these records without their names, comments and extra fields.
const END_BYTES: usize = 22;
const LOCATOR_BYTES: usize = 20;
const END_64_BYTES: usize = 56;
const ENTRY_BYTES: usize = 46;
const LOCAL_BYTES: usize = 30;
/// The longest comment at the end of an archive.
const MAX_COMMENT: u64 = 0xFFFF;
const MAX_DIRECTORY: u64 = 16 << 20;
/// The most bytes that Deflate makes of one byte.
const MAX_RATIO: u64 = 1032;

/// A file in the archive.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub name: String,
    /// Its length when it is inflated.
    pub size: u64,
    compressed: u64,
    method: u16,
    is_encrypted: bool,
    /// Where its local header begins, and where the next one or the directory begins.
    header: u64,
    end: u64,
}

/// The members of the archive, in the order of their data.
pub(super) async fn members<F: RandomAccess + ?Sized>(file: &F) -> Result<Vec<Member>> {
    let directory = find_directory(file).await?;
    if directory.end - directory.start > MAX_DIRECTORY {
        let length = directory.end - directory.start;
        return Err(damaged(format!(
            "its directory has {length} bytes, expected at most {MAX_DIRECTORY}"
        )));
    }
    let (start, bytes) = (directory.start, cursor::read(file, directory).await?);
    let mut members = Vec::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let (member, length) = entry(rest)?;
        members.push(member);
        rest = &rest[length..];
    }
    members.sort_by_key(|member: &Member| member.header);
    let mut names = HashSet::new();
    if let Some(twice) = members.iter().find(|member| !names.insert(member.name.clone())) {
        let name = shortened(&twice.name);
        return Err(damaged(format!("it has two members with the name `{name}`")));
    }
    let next: Vec<u64> =
        members.iter().skip(1).map(|member| member.header).chain([start]).collect();
    for (member, end) in members.iter_mut().zip(next) {
        member.end = end;
        let needed =
            member.compressed.saturating_add(LOCAL_BYTES as u64 + member.name.len() as u64);
        if member.header.saturating_add(needed) > end {
            return Err(damaged(format!(
                "the bytes of `{}` overlap those behind them",
                shortened(&member.name)
            )));
        }
    }
    Ok(members)
}

/// The range of the directory, from the records at the end of the file.
async fn find_directory<F: RandomAccess + ?Sized>(file: &F) -> Result<Range<u64>> {
    let length = file.length();
    let tail_start = length.saturating_sub(MAX_COMMENT + (END_BYTES + LOCATOR_BYTES) as u64);
    let tail = cursor::read(file, tail_start..length).await?;
    let is_end = |place: &usize| {
        let record = &tail[*place..];
        record.starts_with(&END)
            && place + END_BYTES + usize::from(u16_at(record, 20)) == tail.len()
    };
    let places = (0..(tail.len() + 1).saturating_sub(END_BYTES)).rev();
    let Some(place) = places.into_iter().find(is_end) else {
        return Err(Error::Weights(format!(
            "the file is cut short: it has {length} bytes and is a zip archive whose end is missing; download or copy \
             it again"
        )));
    };
    let record = &tail[place..];
    let (mut size, mut start) = (u64::from(u32_at(record, 12)), u64::from(u32_at(record, 16)));
    let mut end = tail_start + place as u64;
    let locator = place.checked_sub(LOCATOR_BYTES).map(|before| &tail[before..place]);
    if let Some(locator) = locator.filter(|locator| locator.starts_with(&LOCATOR_64)) {
        let record = u64_at(locator, 8);
        let mut cursor = Cursor::new(file, record);
        let record_bytes = cursor.take(END_64_BYTES).await?;
        if !record_bytes.starts_with(&END_64) {
            return Err(damaged("the record of its 64-bit lengths is missing".into()));
        }
        (size, start) = (u64_at(record_bytes, 40), u64_at(record_bytes, 48));
        end = record;
    }
    match start.checked_add(size) {
        Some(directory_end) if directory_end <= end => Ok(start..directory_end),
        _ => Err(damaged(format!(
            "its directory has {size} bytes from byte {start} on, the file has {length}"
        ))),
    }
}

/// The member at the start of a part of the directory, and the length of its entry.
fn entry(bytes: &[u8]) -> Result<(Member, usize)> {
    let cut = || damaged("its directory is cut short".into());
    if bytes.len() < ENTRY_BYTES || !bytes.starts_with(&ENTRY) {
        return Err(cut());
    }
    let [name, extra, comment] = [28, 30, 32].map(|at| usize::from(u16_at(bytes, at)));
    let length = ENTRY_BYTES + name + extra + comment;
    if bytes.len() < length {
        return Err(cut());
    }
    let name_bytes = &bytes[ENTRY_BYTES..ENTRY_BYTES + name];
    let extra = &bytes[ENTRY_BYTES + name..ENTRY_BYTES + name + extra];
    let mut fields = [24, 20, 42].map(|at| u64::from(u32_at(bytes, at)));
    widen(&mut fields, extra).ok_or_else(cut)?;
    let [size, compressed, header] = fields;
    let member = Member {
        name: String::from_utf8_lossy(name_bytes).into_owned(),
        size,
        compressed,
        method: u16_at(bytes, 10),
        is_encrypted: u16_at(bytes, 8) & 1 != 0,
        header,
        end: 0,
    };
    Ok((member, length))
}

/// Takes the 64-bit values of the fields that do not fit 32 bits from the extra field with number 1.
fn widen(fields: &mut [u64; 3], mut extra: &[u8]) -> Option<()> {
    let is_wide = |field: &u64| *field == u64::from(u32::MAX);
    if !fields.iter().any(is_wide) {
        return Some(());
    }
    while extra.len() >= 4 {
        let (id, length) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let mut data = extra.get(4..4 + length)?;
        if id == 1 {
            for field in fields.iter_mut().filter(|field| is_wide(field)) {
                *field = u64_at(data.get(..8)?, 0);
                data = &data[8..];
            }
            return Some(());
        }
        extra = &extra[4 + length..];
    }
    None
}

impl Member {
    pub fn is_deflated(&self) -> bool {
        self.method != 0
    }

    /// The range of its stored or compressed bytes.
    pub async fn data<F: RandomAccess + ?Sized>(&self, file: &F) -> Result<Range<u64>> {
        let name = shortened(&self.name);
        if self.is_encrypted {
            return Err(Error::Weights(format!(
                "`{name}` in the archive is encrypted; unpack the archive and pack it again without a password"
            )));
        }
        if !matches!(self.method, 0 | 8) {
            let method = self.method;
            return Err(Error::Weights(format!(
                "`{name}` in the archive is compressed by method {method}, expected none or Deflate; unpack the \
                 archive and pack it again"
            )));
        }
        let is_possible = match self.method {
            0 => self.size == self.compressed,
            _ => self.size / MAX_RATIO <= self.compressed,
        };
        if !is_possible {
            let (size, compressed) = (self.size, self.compressed);
            return Err(damaged(format!("`{name}` cannot have {size} bytes in {compressed}")));
        }
        // The directory, which is behind the members, is in the file, so their headers are too.
        let local = cursor::read(file, self.header..self.header + LOCAL_BYTES as u64).await?;
        if !local.starts_with(&LOCAL) {
            return Err(damaged(format!("the header of `{name}` is missing")));
        }
        let start = self.header
            + LOCAL_BYTES as u64
            + u64::from(u16_at(&local, 26))
            + u64::from(u16_at(&local, 28));
        match start.checked_add(self.compressed) {
            Some(end) if end <= self.end => Ok(start..end),
            _ => Err(damaged(format!("the bytes of `{name}` overlap those behind them"))),
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

fn damaged(reason: String) -> Error {
    Error::Weights(format!("the zip archive is damaged: {reason}"))
}
