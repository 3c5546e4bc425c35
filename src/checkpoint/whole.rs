//! A checkpoint in files that are in memory.

use super::assembler::Assembler;
use super::config::Config;
use super::format::{Archive, completed};
use super::plan::plan;
use super::report::Report;
use super::weights::Weights;
use crate::error::Result;
use crate::kernel::WeightFormat;

/// A checkpoint in memory.
pub struct Checkpoint {
    /// The config of the model.
    pub config: Config,
    /// Its weights, under canonical names.
    pub weights: Weights,
    /// Whose names and layout its tensors have.
    pub family: &'static str,
    /// The format of its files.
    pub format: &'static str,
}

impl Checkpoint {
    /// Notices about the config and the tensors.
    pub fn report(&self) -> &Report {
        self.weights.report()
    }
}

/// Reads a checkpoint of any family in any format, from one or several files that are in memory, with their names.
///
/// `config` is the text of `config.json`; `overrides` has the fields that replace those of the files or that the files do
/// not say, as a JSON object.
///
/// # Errors
/// [`Error::Weights`](crate::Error::Weights) when a file cannot be read, or the tensors make no model;
/// [`Error::Config`](crate::Error::Config) and [`Error::ConfigOf`](crate::Error::ConfigOf) when the config cannot be used,
/// or lacks fields.
pub fn read_checkpoint(
    files: &[(&str, &[u8])],
    config: Option<&str>,
    overrides: Option<&str>,
    format: WeightFormat,
) -> Result<Checkpoint> {
    let mut archives = Vec::new();
    for (name, bytes) in files {
        archives.push(completed(Archive::open(name, *bytes))?);
    }
    let contents: Vec<_> = archives.iter().map(Archive::contents).collect();
    let plan = plan(config, overrides, &contents)?;
    let family = plan.family;
    let mut assembler = Assembler::new(plan, format)?;
    for (archive, (name, bytes)) in archives.iter().zip(files) {
        for (index, tensor) in archive.contents().tensors.iter().enumerate() {
            if !assembler.wants(tensor) {
                continue;
            }
            assembler.begin(tensor).map_err(|error| error.in_file(name))?;
            let mut deliver =
                |piece: &[u8]| assembler.push(piece).map_err(|error| error.in_file(name));
            completed(archive.read(index, *bytes, &mut deliver))?;
            assembler.end().map_err(|error| error.in_file(name))?;
        }
    }
    let (config, weights) = assembler.finish()?;
    let format = archives.first().map_or("", |archive| archive.contents().format);
    Ok(Checkpoint { config, weights, family, format })
}
