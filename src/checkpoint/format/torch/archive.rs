//! PyTorch's format since 1.6: a zip archive with a pickle `data.pkl` and a member for each storage.

use std::collections::HashMap;
use std::ops::Range;

use super::super::super::pickle;
use super::super::super::stored::{Contents, RandomAccess, StoredTensor};
use super::super::archive::Archive;
use super::super::place::{Elements, Place};
use super::super::source::{ByteOrder, Bytes, Source};
use super::super::zip::Member;
use super::state::{self, State};
use super::tensor::View;
use crate::error::{Error, Result, shortened};

/// Whether the archive is PyTorch's, by its members.
pub(in super::super) async fn open<F: RandomAccess + ?Sized>(
    file: &F,
    members: Vec<Member>,
    pickle: &str,
) -> Result<Archive> {
    let folder = pickle.strip_suffix("data.pkl").unwrap_or_default().to_string();
    let members: HashMap<String, Member> =
        members.into_iter().map(|member| (member.name.clone(), member)).collect();
    if members.contains_key(&format!("{folder}constants.pkl")) {
        return Err(Error::Weights(
            "this is a TorchScript program, expected a state dict; load it with `torch.jit.load` and save its \
             `state_dict()`"
                .into(),
        ));
    }
    let order = byte_order(file, members.get(&format!("{folder}byteorder"))).await?;
    let bytes = content(file, &members[pickle], pickle::MAX_BYTES as u64).await?;
    let pickle =
        pickle::read(&bytes).map_err(|reason| Error::Weights(format!("`{pickle}`: {reason}")))?;
    let state = state::find(pickle.root())?;
    let storage = |view: &View| {
        let name = format!("{folder}data/{}", view.storage.key);
        let bytes = view.storage.count * view.storage.size() as u64;
        match members.get(&name) {
            Some(member) if member.size >= bytes => Ok(member),
            Some(member) => {
                let (name, found) = (shortened(&name), member.size);
                Err(Error::Weights(format!(
                    "the storage `{name}` has {found} bytes, expected {bytes}; save or download the file again"
                )))
            }
            None => {
                let name = shortened(&name);
                Err(Error::Weights(format!(
                    "the storage `{name}` is missing in the archive; save or download the file again"
                )))
            }
        }
    };
    archive(state, order, |view, part| {
        let member = storage(view)?.clone();
        if member.is_deflated() && !view.is_dense() {
            return Err(Error::Weights(format!(
                "a tensor of the shape {:?} skips elements of a compressed storage; save the file again with `torch.save`",
                view.strides.shape
            )));
        }
        Ok(Bytes::Member { member, part })
    })
}

/// An archive of these tensors. `bytes` gives a part of the storage of a view.
pub(super) fn archive(
    state: State,
    order: ByteOrder,
    bytes: impl Fn(&View, Range<u64>) -> Result<Bytes>,
) -> Result<Archive> {
    let mut archive = Archive::new(Contents {
        format: "PyTorch",
        config: state.config,
        omitted: state.omitted,
        ..Contents::default()
    });
    for (key, view) in state.views {
        let size = view.storage.size();
        let place = match view.strides.is_row_major() {
            true => {
                // Both products are checked: they are within the storage.
                let start = view.strides.offset * size as u64;
                let length = view.strides.count().unwrap_or(0) * size as u64;
                let elements = Elements::RowMajor { size, order };
                Place { bytes: bytes(&view, start..start + length)?, elements }
            }
            false => {
                let whole = 0..view.storage.count * size as u64;
                let strides = view.strides.clone();
                let elements = Elements::Strided { size, order, strides };
                Place { bytes: bytes(&view, whole)?, elements }
            }
        };
        let dtype = view.storage.dtype.into();
        archive.add(StoredTensor { key, dtype, shape: view.strides.shape }, place);
    }
    Ok(archive)
}

impl View {
    /// Whether the view has each element of a part of its storage once, so that the storage can be read in order.
    fn is_dense(&self) -> bool {
        let mut axes: Vec<_> = self.strides.strides.iter().zip(&self.strides.shape).collect();
        axes.sort();
        let mut next = 1;
        axes.iter().filter(|(_, length)| **length > 1).all(|(stride, length)| {
            let fits = **stride == next;
            next *= **length;
            fits
        })
    }
}

/// The bytes of a small member.
pub(in super::super) async fn content<F: RandomAccess + ?Sized>(
    file: &F,
    member: &Member,
    max: u64,
) -> Result<Vec<u8>> {
    if member.size > max {
        let (name, size) = (shortened(&member.name), member.size);
        return Err(Error::Weights(format!(
            "`{name}` in the archive has {size} bytes, expected at most {max}"
        )));
    }
    let bytes = Bytes::Member { member: member.clone(), part: 0..member.size };
    let mut source = Source::open(&bytes, file).await?;
    let length = source.length();
    source.read(0..length).await
}

async fn byte_order<F: RandomAccess + ?Sized>(
    file: &F,
    member: Option<&Member>,
) -> Result<ByteOrder> {
    let Some(member) = member else { return Ok(ByteOrder::Little) };
    let bytes = content(file, member, 64).await?;
    match bytes.trim_ascii() {
        b"little" => Ok(ByteOrder::Little),
        b"big" => Ok(ByteOrder::Big),
        other => {
            let found = String::from_utf8_lossy(other);
            Err(Error::Weights(format!(
                "`byteorder` is \"{found}\", expected \"little\" or \"big\""
            )))
        }
    }
}
