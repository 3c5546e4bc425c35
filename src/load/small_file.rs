//! The small files of a model, which are read whole, and the origins of all files.

use super::context::LoadContext;
use super::download::{Download, Opened};
use super::files::{File, Origin};
use crate::error::Result;

/// The origins of the files, if all of them have an identity.
pub(super) type Origins = Option<Vec<Origin>>;

/// A small file that exists, or why it does not.
pub(super) type Small = std::result::Result<Vec<u8>, String>;

/// The bytes of a small file, or why it is absent.
pub(super) async fn small(
    stage: &'static str,
    file: &File,
    origins: &mut Origins,
    context: &LoadContext,
) -> Result<Small> {
    loop {
        let download = match Download::open(stage, file, context).await? {
            Opened::Absent(reason) => return Ok(Err(reason)),
            Opened::File(download) => download,
        };
        let identity = download.identity();
        match download.bytes().await {
            Err(_) if context.take_restart() => {}
            bytes => {
                add_origin(origins, file, identity);
                return bytes.map(Ok);
            }
        }
    }
}

/// Adds a file to the origins, or clears them if a server does not say the state of its file. A file from this machine
/// has no origin.
pub(super) fn add_origin(origins: &mut Origins, file: &File, identity: Option<String>) {
    match (file.address(), identity, origins.as_mut()) {
        (None, ..) => {}
        (Some(address), Some(identity), Some(all)) => {
            all.push(Origin { address, identity: Some(identity) });
        }
        _ => *origins = None,
    }
}

/// Adds a file that its server does not have, so that a copy is not used when it has it.
pub(super) fn add_absent(origins: &mut Origins, file: &File) {
    let origin = Origin { address: file.address().unwrap_or_default(), identity: None };
    origins.iter_mut().for_each(|all| all.push(origin.clone()));
}
