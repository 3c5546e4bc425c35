//! The headers of MessagePack values. Long values stay in the file.

use rmp::Marker;
use rmp::decode;

/// The bytes that the longest header takes.
pub(super) const MAX_HEADER: usize = 16;

/// A value without the bytes or values that follow its header.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Header {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A text, bytes or an extension of this many bytes.
    Text(u32),
    Binary(u32),
    Extension {
        kind: i8,
        length: u32,
    },
    /// This many values or pairs of a key and a value.
    List(u32),
    Map(u32),
}

/// The header at the start of `bytes`, and its length; None if it is damaged or goes on behind them.
pub(super) fn read(bytes: &[u8]) -> Option<(Header, usize)> {
    let mut rest = bytes;
    let from = &mut rest;
    let header = match Marker::from_u8(*bytes.first()?) {
        Marker::Null => {
            decode::read_nil(from).ok()?;
            Header::Nil
        }
        Marker::True | Marker::False => Header::Bool(decode::read_bool(from).ok()?),
        Marker::F32 => Header::Float(decode::read_f32(from).ok()?.into()),
        Marker::F64 => Header::Float(decode::read_f64(from).ok()?),
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
            Header::Text(decode::read_str_len(from).ok()?)
        }
        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
            Header::Binary(decode::read_bin_len(from).ok()?)
        }
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
            Header::List(decode::read_array_len(from).ok()?)
        }
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
            Header::Map(decode::read_map_len(from).ok()?)
        }
        Marker::FixExt1
        | Marker::FixExt2
        | Marker::FixExt4
        | Marker::FixExt8
        | Marker::FixExt16
        | Marker::Ext8
        | Marker::Ext16
        | Marker::Ext32 => {
            let meta = decode::read_ext_meta(from).ok()?;
            Header::Extension { kind: meta.typeid, length: meta.size }
        }
        Marker::Reserved => return None,
        _ => Header::Int(decode::read_int(from).ok()?),
    };
    Some((header, bytes.len() - rest.len()))
}
