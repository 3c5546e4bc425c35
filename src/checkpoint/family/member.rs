//! What a family says about the tensors and the config of a checkpoint.

use super::super::config_file;
use super::super::json::{Fields, Json};
use super::super::layout::{Layout, Piece};
use super::super::report::Report;
use super::listing::{Listed, Listing};
use crate::error::Result;

/// What a tensor of a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Meaning {
    /// A parameter or a piece of one.
    Parameter(Slot),
    /// Constants that the model does not read, such as a causal mask.
    Buffer,
    /// None that the family has.
    Unknown,
}

/// A parameter, or a piece of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Slot {
    /// The parameter under its canonical name.
    pub name: String,
    pub piece: Piece,
    pub layout: Layout,
}

impl Slot {
    pub fn whole(name: impl Into<String>, layout: Layout) -> Meaning {
        Slot::piece(name, Piece::Whole, layout)
    }

    pub fn piece(name: impl Into<String>, piece: Piece, layout: Layout) -> Meaning {
        Meaning::Parameter(Slot { name: name.into(), piece, layout })
    }
}

/// A value that a family takes where no config says one.
pub(in super::super) struct Default {
    pub field: &'static str,
    pub value: Json,
    /// Where the value comes from, for the report.
    pub why: &'static str,
}

/// A family of checkpoints.
pub(in super::super) trait Family {
    /// Its name for people.
    fn name(&self) -> &'static str;

    /// What the tensor is.
    fn meaning(&self, tensor: &Listed) -> Meaning;

    /// Renames the fields of a config to those of `config.json`, drops those that have no effect, and refuses what a
    /// GPT-2 cannot compute.
    ///
    /// # Errors
    /// [`Error::Config`](crate::error::Error::Config).
    fn translate(&self, fields: Fields, report: &mut Report) -> Result<Fields>;

    /// The values of fields that no config gives, without those that shapes show.
    fn defaults(&self, listing: &Listing, fields: &Fields) -> Vec<Default>;

    /// Whether models of the family differ in architecture: what a file lacks (a table of positions, MLPs, the parameters
    /// of normalizations) the model may lack too. In the other families such a file is incomplete.
    fn varies(&self) -> bool {
        false
    }

    /// Whether the unembedding is the token embedding if no config says it, whatever the files hold.
    fn ties_by_default(&self) -> bool {
        false
    }

    /// Whether a bias of the logits that is zero is dropped, because every file of the family has one.
    fn drops_zero_head_bias(&self) -> bool {
        false
    }

    /// What the report says once about every model of the family.
    fn remark(&self, _listing: &Listing) -> Option<(&'static str, String)> {
        None
    }
}

/// Renames fields by a table of old and new names.
///
/// # Errors
/// [`Error::Config`](crate::error::Error::Config) when a field is there under two names with two values.
pub(super) fn rename(mut fields: Fields, table: &[(&str, &str)]) -> Result<Fields> {
    for (alias, name) in table {
        config_file::rename(&mut fields, alias, name)?;
    }
    Ok(fields)
}

/// Removes fields that do not change what the model computes.
pub(super) fn without(mut fields: Fields, names: &[&str]) -> Fields {
    fields.retain(|name, _| !names.contains(&name.as_str()));
    fields
}

pub(super) fn text(value: &str) -> Json {
    Json::Text(value.into())
}
