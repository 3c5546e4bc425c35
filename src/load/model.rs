//! [`load`]: a model from its saved copy or from its files.

use super::cached::{PendingSave, restore};
use super::context::LoadContext;
use super::fetch::{Downloaded, download};
use super::files::Files;
use super::store::{Checkpoint, CheckpointWriter, Restored};
use crate::checkpoint::{Config, Report, Weights};
use crate::error::Result;
use crate::kernel::WeightFormat;
use crate::tokenizer::Tokenizer;

/// The parts of a loaded model.
pub struct Loaded {
    /// Its config.
    pub config: Config,
    /// Its tokenizer, if it has one.
    pub tokenizer: Option<Tokenizer>,
    /// Its weights.
    pub weights: Weights,
    /// Notices about its files.
    pub report: Report,
    /// Whose names and layout its tensors have.
    pub family: String,
    /// The format of its files.
    pub format: String,
    /// A copy to save, if the files were downloaded and may be saved.
    pub pending_save: Option<PendingSave>,
}

/// Loads a model from its saved copy if that is current, and from its files otherwise.
///
/// # Errors
/// [`Error::Network`] when a file cannot be fetched; [`Error::Abort`] when the signal fired; whatever is wrong with the
/// files.
pub async fn load(files: &Files, format: WeightFormat, context: &LoadContext) -> Result<Loaded> {
    if let Some(restored) = restore(files, format, context).await? {
        let Restored { checkpoint, tokenizer } = restored;
        let Checkpoint { config, family, file_format: format, mut report, weights, .. } =
            checkpoint;
        report.append(weights.report().clone());
        return Ok(Loaded {
            config,
            tokenizer,
            weights,
            report,
            family,
            format,
            pending_save: None,
        });
    }
    let Downloaded { tokenizer, checkpoint, origins, report } =
        download(files, format, context).await?;
    let (config, weights) = (checkpoint.config.clone(), checkpoint.weights.clone());
    let (family, file_format) = (checkpoint.family.clone(), checkpoint.file_format.clone());
    let pending_save = origins.filter(|_| files.may_be_kept()).and_then(|origins| {
        Some(PendingSave::new(CheckpointWriter::new(checkpoint, format).ok()?, origins))
    });
    Ok(Loaded { config, tokenizer, weights, report, family, format: file_format, pending_save })
}
