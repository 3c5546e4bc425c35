//! What distinguishes the members of the GPT-2 family: how positions enter, which normalization is used, and what a
//! block consists of.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::wire::words;

words! {
    /// How the model knows the position of a token.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum PositionEmbedding {
        /// A learned vector for each position is added to the token embedding, as in GPT-2.
        Learned = "learned",
        /// A fixed vector of sines and cosines is added to the token embedding. It is not a parameter.
        Sinusoidal = "sinusoidal",
        /// Only the causal mask depends on the position.
        None = "none",
        /// A learned vector for each position is added to the inputs of queries and keys, but not to the residual
        /// stream (Press et al. 2021, *Shortformer*).
        Shortformer = "shortformer",
    }
}

words! {
    /// The normalization in front of each attention, each MLP and the unembedding, under TransformerLens's names.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Normalization {
        /// LayerNorm with a learned weight and bias.
        LayerNorm = "LN",
        /// LayerNorm without weight and bias.
        LayerNormPre = "LNPre",
        /// No normalization.
        None = "none",
    }
}

impl PositionEmbedding {
    /// Whether a vector for each position is a parameter.
    pub(crate) fn is_learned(self) -> bool {
        matches!(self, PositionEmbedding::Learned | PositionEmbedding::Shortformer)
    }

    /// Whether the residual stream contains a vector for each position.
    pub(crate) fn is_in_stream(self) -> bool {
        matches!(self, PositionEmbedding::Learned | PositionEmbedding::Sinusoidal)
    }
}

impl PositionEmbedding {
    /// Every kind.
    pub const ALL: [PositionEmbedding; 4] = [
        PositionEmbedding::Learned,
        PositionEmbedding::Sinusoidal,
        PositionEmbedding::None,
        PositionEmbedding::Shortformer,
    ];
}

impl Normalization {
    /// Every kind.
    pub const ALL: [Normalization; 3] =
        [Normalization::LayerNorm, Normalization::LayerNormPre, Normalization::None];
}

/// As the words of config.json.
macro_rules! serde_as_word {
    ($type:ident) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                let word = String::deserialize(deserializer)?;
                let found = $type::ALL.into_iter().find(|kind| kind.word() == word);
                found.ok_or_else(|| D::Error::custom("an unknown word"))
            }
        }
    };
}

serde_as_word!(PositionEmbedding);
serde_as_word!(Normalization);
