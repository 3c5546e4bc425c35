//! Recognizes the format of a file and opens it.

use super::super::magic::{self, Kind};
use super::super::stored::RandomAccess;
use super::archive::Archive;
use super::cursor;
use super::unsupported::unsupported_name;
use super::{flax, gguf, npz, safetensors, torch, zip};
use crate::error::{Error, Result, shortened};

/// The bytes from which a format is recognized.
const START: u64 = 512;

impl Archive {
    /// Recognizes the format of a file by its first bytes, and reads which tensors it holds. `name` is for messages, and
    /// for files of other programs that are recognized by their names.
    ///
    /// # Errors
    /// [`Error::Weights`] when the file is damaged or in a format that is not read, with the remedy.
    pub async fn open<F: RandomAccess + ?Sized>(name: &str, file: &F) -> Result<Archive> {
        match Archive::recognized(name, file).await.and_then(Archive::checked) {
            Ok(archive) => Ok(Archive { name: name.into(), ..archive }),
            Err(error) => Err(error.in_file(name)),
        }
    }

    async fn recognized<F: RandomAccess + ?Sized>(name: &str, file: &F) -> Result<Archive> {
        if let Some(reason) = unsupported_name(name) {
            return Err(Error::Weights(reason.into()));
        }
        let start = cursor::read(file, 0..START.min(file.length())).await?;
        if start.is_empty() {
            return Err(Error::Weights("the file is empty; download or copy it again".into()));
        }
        // The length of a header may begin with the bytes of another format.
        if start.get(4..9) == Some(b"\0\0\0\0{") {
            return safetensors::open(file).await;
        }
        match magic::kind(&start) {
            Some(Kind::Zip) => open_zip(file).await,
            Some(Kind::Pickle) => torch::open_legacy(file).await,
            Some(Kind::MessagePack) => flax::open(file).await,
            Some(Kind::Gguf) => gguf::open(file).await,
            None => match magic::recognize(&start) {
                Some(found) => Err(Error::Weights(format!(
                    "{found}; expected weights as safetensors, PyTorch, Flax msgpack, .npz or GGUF"
                ))),
                None => safetensors::open(file).await,
            },
        }
    }
}

/// A zip archive of PyTorch or NumPy.
async fn open_zip<F: RandomAccess + ?Sized>(file: &F) -> Result<Archive> {
    let members = zip::members(file).await?;
    let is_pickle = |name: &&str| {
        *name == "data.pkl" || name.split_once('/').is_some_and(|(_, rest)| rest == "data.pkl")
    };
    let names = || members.iter().map(|member| member.name.as_str());
    if let Some(pickle) = names().find(is_pickle).map(str::to_string) {
        return torch::open_archive(file, members, &pickle).await;
    }
    if names().any(|name| name.ends_with(".npy")) {
        return npz::open(file, members).await;
    }
    let found = names().next().map_or("no file".into(), |name| format!("`{}`", shortened(name)));
    Err(Error::Weights(format!(
        "this is a zip archive with {found}, expected one of PyTorch or NumPy; unpack it, and open the files in it"
    )))
}
