//! Families of checkpoints: whose names and layouts the tensors of a file have.
//!
//! A family is one file in this folder. It says by which keys it is recognized, which parameter each of its tensors is
//! and in which layout, what its config's fields mean, and which defaults its programs have ([`Family`]).

mod flax;
mod flax_names;
mod gguf;
mod hugging_face;
mod listing;
mod member;
mod mingpt_first;
mod nanogpt;
mod transformer_lens;
mod unrecognized;

use super::json::{Fields, Json};
use crate::error::Result;
pub(super) use listing::{Listed, Listing, name_of};
pub(super) use member::{Default, Family, Meaning, Slot};

/// Recognizes the family of the tensors. `config` has the fields of all configs, as they are in the files.
///
/// # Errors
/// [`Error::Weights`](crate::Error::Weights) when the names are those of no family, with what was found and what is known.
pub(super) fn recognize(listing: &Listing, config: &Fields) -> Result<Box<dyn Family>> {
    if transformer_lens::recognizes(listing) {
        return Ok(Box::new(transformer_lens::TransformerLens));
    }
    if gguf::recognizes(listing) {
        return Ok(Box::new(gguf::Gguf));
    }
    if mingpt_first::recognizes(listing) {
        return Ok(Box::new(mingpt_first::FirstMinGpt));
    }
    if flax::recognizes(listing) {
        return Ok(match hugging_face::recognizes_flax(listing) {
            true => Box::new(hugging_face::HuggingFace::flax()),
            false => Box::new(flax::FlaxGpt::new(listing, config)),
        });
    }
    if let Some(family) = nanogpt::recognized(listing, config) {
        return Ok(Box::new(family));
    }
    match hugging_face::recognizes(listing) {
        true => Ok(Box::new(hugging_face::HuggingFace::new(listing))),
        false => Err(unrecognized::error(listing, config)),
    }
}

/// Recognizes the family of some of a model's tensors, whose config is Hugging Face's: the names decide. If they do not,
/// the canonical ones are expected.
///
/// # Errors
/// As [`recognize`], when no tensor has a name that is known.
pub(super) fn recognize_some(listing: &Listing) -> Result<Box<dyn Family>> {
    let config = Fields::from([("model_type".into(), Json::Text("gpt2".into()))]);
    recognize(listing, &config).or_else(|error| {
        let family = hugging_face::HuggingFace::new(listing);
        let is_known = |listed: &Listed| family.meaning(listed) != Meaning::Unknown;
        let is_empty = listing.tensors.is_empty();
        if is_empty || listing.tensors.iter().any(is_known) {
            Ok(Box::new(family))
        } else {
            Err(error)
        }
    })
}
