//! Python's pickle format, read to plain values. Nothing is ever called.
//!
//! A pickle is a program for a stack machine that may call any function. [`read`] runs the machine, but a call becomes an
//! inert [`Value::Object`], and a function only its name. The few names that build plain containers, such as
//! `collections.OrderedDict`, become those containers.
//!
//! Values refer to each other by index, so values that are in several places are stored once, a value may contain
//! itself, and neither reading nor dropping a pickle recurses. The memory is bounded by the length of the pickle.

mod machine;
#[cfg(test)]
mod tests;
mod value;

use value::Stop;
pub(crate) use value::{Item, MAX_BYTES, Pickle, Value};

/// Reads a pickle of protocol 2 to 5. Bytes after its end are ignored; [`Pickle::length`] says where it ends.
///
/// # Errors
/// The reason, as the rest of a sentence about the file.
pub(crate) fn read(bytes: &[u8]) -> Result<Pickle, String> {
    match machine::run(bytes) {
        Ok(pickle) => Ok(pickle),
        Err(Stop::CutShort) => {
            Err(format!("the pickle is cut short: it does not end within {} bytes", bytes.len()))
        }
        Err(Stop::Malformed(reason)) => Err(reason),
    }
}

/// As [`read`], but None when the pickle goes on after `bytes`.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_start(bytes: &[u8]) -> Result<Option<Pickle>, String> {
    match machine::run(bytes) {
        Ok(pickle) => Ok(Some(pickle)),
        Err(Stop::CutShort) => Ok(None),
        Err(Stop::Malformed(reason)) => Err(reason),
    }
}
