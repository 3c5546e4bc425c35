//! The hook points of the GPT-2 family: their names, axes and order.

use std::fmt;
use std::str::FromStr;

use crate::checkpoint::{Config, Normalization, PositionEmbedding};
use crate::error::{Error, Result, shortened};
use crate::nearest::nearest;

/// A point in the forward pass. Prints and parses with its TransformerLens name, such as
/// `blocks.1.attn.hook_pattern`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HookPoint {
    /// `hook_embed`: token embeddings.
    Embed,
    /// `hook_pos_embed`: position embeddings.
    PosEmbed,
    /// A point in the block of this layer.
    Block(usize, BlockPoint),
    /// `ln_final.hook_scale`.
    LnFinalScale,
    /// `ln_final.hook_normalized`: before weight and bias.
    LnFinalNormalized,
    /// `unembed.hook_in`: the output of the final LayerNorm.
    UnembedIn,
    /// `unembed.hook_out`: the logits.
    UnembedOut,
}

/// A point in a transformer block, in firing order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BlockPoint {
    /// `hook_resid_pre`: the residual stream before the block.
    ResidPre,
    /// `hook_attn_in`: the residual stream, once for each head. On request.
    AttnIn,
    /// `hook_q_input`: what the queries read, before ln1. On request.
    QInput,
    /// `hook_k_input`: what the keys read, before ln1. On request.
    KInput,
    /// `hook_v_input`: what the values read, before ln1. On request.
    VInput,
    /// `ln1.hook_scale`.
    Ln1Scale,
    /// `ln1.hook_normalized`: before weight and bias.
    Ln1Normalized,
    /// `attn.hook_q`: queries.
    Q,
    /// `attn.hook_k`: keys.
    K,
    /// `attn.hook_v`: values.
    V,
    /// `attn.hook_attn_scores`: before the softmax, `-inf` for masked keys.
    AttnScores,
    /// `attn.hook_pattern`: attention weights.
    Pattern,
    /// `attn.hook_z`: values mixed by the pattern.
    Z,
    /// `attn.hook_result`: the output of each head. On request.
    Result,
    /// `hook_attn_out`: the output of attention.
    AttnOut,
    /// `hook_resid_mid`: the residual stream between attention and MLP.
    ResidMid,
    /// `hook_mlp_in`: what the MLP reads, before ln2. On request.
    MlpIn,
    /// `ln2.hook_scale`.
    Ln2Scale,
    /// `ln2.hook_normalized`: before weight and bias.
    Ln2Normalized,
    /// `mlp.hook_pre`: before the activation function.
    MlpPre,
    /// `mlp.hook_mid`: after the activation function of `solu_ln`, before its LayerNorm.
    MlpMid,
    /// `mlp.ln.hook_scale`: that of the LayerNorm of `solu_ln`.
    MlpLnScale,
    /// `mlp.ln.hook_normalized`: before its weight and bias.
    MlpLnNormalized,
    /// `mlp.hook_post`: what the output weights read.
    MlpPost,
    /// `hook_mlp_out`: the output of the MLP.
    MlpOut,
    /// `hook_resid_post`: the residual stream after the block.
    ResidPost,
}

type Axes = &'static [&'static str];

const RESIDUAL: Axes = &["batch", "pos", "d_model"];
const PER_HEAD_RESIDUAL: Axes = &["batch", "pos", "head", "d_model"];
const SCALE: Axes = &["batch", "pos", "1"];
const HEAD: Axes = &["batch", "pos", "head", "d_head"];
const ATTENTION: Axes = &["batch", "head", "query", "key"];
const MLP: Axes = &["batch", "pos", "d_mlp"];
const LOGITS: Axes = &["batch", "pos", "vocab"];

/// Every point of a block: its name after `blocks.{layer}.` and its axes, in firing order.
const BLOCK_POINTS: [(BlockPoint, &str, Axes); 26] = [
    (BlockPoint::ResidPre, "hook_resid_pre", RESIDUAL),
    (BlockPoint::AttnIn, "hook_attn_in", PER_HEAD_RESIDUAL),
    (BlockPoint::QInput, "hook_q_input", PER_HEAD_RESIDUAL),
    (BlockPoint::KInput, "hook_k_input", PER_HEAD_RESIDUAL),
    (BlockPoint::VInput, "hook_v_input", PER_HEAD_RESIDUAL),
    (BlockPoint::Ln1Scale, "ln1.hook_scale", SCALE),
    (BlockPoint::Ln1Normalized, "ln1.hook_normalized", RESIDUAL),
    (BlockPoint::Q, "attn.hook_q", HEAD),
    (BlockPoint::K, "attn.hook_k", HEAD),
    (BlockPoint::V, "attn.hook_v", HEAD),
    (BlockPoint::AttnScores, "attn.hook_attn_scores", ATTENTION),
    (BlockPoint::Pattern, "attn.hook_pattern", ATTENTION),
    (BlockPoint::Z, "attn.hook_z", HEAD),
    (BlockPoint::Result, "attn.hook_result", PER_HEAD_RESIDUAL),
    (BlockPoint::AttnOut, "hook_attn_out", RESIDUAL),
    (BlockPoint::ResidMid, "hook_resid_mid", RESIDUAL),
    (BlockPoint::MlpIn, "hook_mlp_in", RESIDUAL),
    (BlockPoint::Ln2Scale, "ln2.hook_scale", SCALE),
    (BlockPoint::Ln2Normalized, "ln2.hook_normalized", RESIDUAL),
    (BlockPoint::MlpPre, "mlp.hook_pre", MLP),
    (BlockPoint::MlpMid, "mlp.hook_mid", MLP),
    (BlockPoint::MlpLnScale, "mlp.ln.hook_scale", SCALE),
    (BlockPoint::MlpLnNormalized, "mlp.ln.hook_normalized", MLP),
    (BlockPoint::MlpPost, "mlp.hook_post", MLP),
    (BlockPoint::MlpOut, "hook_mlp_out", RESIDUAL),
    (BlockPoint::ResidPost, "hook_resid_post", RESIDUAL),
];

/// The points outside the blocks: those before them, then those after.
const OUTER_POINTS: [(HookPoint, &str, Axes); 6] = [
    (HookPoint::Embed, "hook_embed", RESIDUAL),
    (HookPoint::PosEmbed, "hook_pos_embed", RESIDUAL),
    (HookPoint::LnFinalScale, "ln_final.hook_scale", SCALE),
    (HookPoint::LnFinalNormalized, "ln_final.hook_normalized", RESIDUAL),
    (HookPoint::UnembedIn, "unembed.hook_in", RESIDUAL),
    (HookPoint::UnembedOut, "unembed.hook_out", LOGITS),
];

/// Why a model lacks a hook point that other members of the family have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    Layer,
    Positions,
    Normalization,
    Mlp,
    NeuronNormalization,
}

impl Absence {
    /// The end of a message: "which this model lacks, because …".
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Absence::Layer => "it has fewer layers",
            Absence::Positions => "it has no position embedding (`position_embedding` is \"none\")",
            Absence::Normalization => "it has no normalization (`normalization_type` is \"none\")",
            Absence::Mlp => "its blocks have no MLP (`attn_only` is true)",
            Absence::NeuronNormalization => {
                "its MLP does not normalize its neurons (`activation_function` is not \"solu_ln\")"
            }
        }
    }
}

impl HookPoint {
    /// Every point of a model of this config, in firing order.
    pub fn all(config: &Config) -> Vec<HookPoint> {
        let mut points = HookPoint::of_family(config.n_layer);
        points.retain(|point| point.absence(config).is_none());
        points
    }

    /// Every point that some member of the family with so many layers has, in firing order.
    pub(super) fn of_family(layers: usize) -> Vec<HookPoint> {
        let (before, after) = OUTER_POINTS.split_at(2);
        let block =
            |layer| BLOCK_POINTS.iter().map(move |(point, ..)| HookPoint::Block(layer, *point));
        let outer =
            |points: &'static [(HookPoint, &str, Axes)]| points.iter().map(|(point, ..)| *point);
        outer(before).chain((0..layers).flat_map(block)).chain(outer(after)).collect()
    }

    /// Whether a model of this config has the point.
    pub fn exists(self, config: &Config) -> bool {
        self.absence(config).is_none()
    }

    /// Why a model of this config does not have the point; None if it has it.
    pub(crate) fn absence(self, config: &Config) -> Option<Absence> {
        use BlockPoint::*;
        let normalizes = config.normalization_type != Normalization::None;
        match self {
            HookPoint::PosEmbed if config.position_embedding == PositionEmbedding::None => {
                Some(Absence::Positions)
            }
            HookPoint::LnFinalScale | HookPoint::LnFinalNormalized if !normalizes => {
                Some(Absence::Normalization)
            }
            HookPoint::Block(layer, _) if layer >= config.n_layer => Some(Absence::Layer),
            HookPoint::Block(_, point) => match point {
                ResidMid | MlpIn | Ln2Scale | Ln2Normalized | MlpPre | MlpMid | MlpLnScale
                | MlpLnNormalized | MlpPost | MlpOut
                    if config.attn_only =>
                {
                    Some(Absence::Mlp)
                }
                Ln1Scale | Ln1Normalized | Ln2Scale | Ln2Normalized if !normalizes => {
                    Some(Absence::Normalization)
                }
                MlpMid | MlpLnScale | MlpLnNormalized if !config.normalizes_neurons() => {
                    Some(Absence::NeuronNormalization)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The names of the value's axes, outermost first. The scale's last axis has length 1 and is
    /// called `1`.
    pub fn axes(self) -> &'static [&'static str] {
        self.row().1
    }

    /// Whether the value is computed only if a hook or a capture names the point, because the run
    /// itself does not need it.
    pub fn on_request(self) -> bool {
        use BlockPoint::*;
        matches!(self, HookPoint::Block(_, AttnIn | QInput | KInput | VInput | Result | MlpIn))
    }

    /// The layer of the block that contains the point, if one does.
    pub fn layer(self) -> Option<usize> {
        match self {
            HookPoint::Block(layer, _) => Some(layer),
            _ => None,
        }
    }

    /// The name without `blocks.{layer}.`, and the axes.
    fn row(self) -> (&'static str, Axes) {
        match self {
            HookPoint::Block(_, point) => {
                let (_, name, axes) = BLOCK_POINTS[point as usize];
                (name, axes)
            }
            _ => OUTER_POINTS
                .iter()
                .find(|(point, ..)| *point == self)
                .map(|(_, name, axes)| (*name, *axes))
                .expect("OUTER_POINTS lists every point outside the blocks"),
        }
    }
}

impl fmt::Display for HookPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, _) = self.row();
        match self.layer() {
            Some(layer) => write!(f, "blocks.{layer}.{name}"),
            None => f.write_str(name),
        }
    }
}

impl FromStr for HookPoint {
    type Err = Error;

    fn from_str(name: &str) -> Result<HookPoint> {
        check_length(name)?;
        outer_point(name).or_else(|| parse_block_point(name)).ok_or_else(|| {
            let known = OUTER_POINTS.iter().map(|(_, known, _)| *known);
            let block = BLOCK_POINTS.map(|(_, known, _)| format!("blocks.0.{known}"));
            let known = known.chain(block.iter().map(String::as_str));
            Error::Hook(format!(
                "no hook point is named `{}`; the nearest are {}",
                shortened(name),
                nearest(name, known, 3)
            ))
        })
    }
}

pub(super) fn outer_point(name: &str) -> Option<HookPoint> {
    OUTER_POINTS.iter().find(|(_, known, _)| *known == name).map(|(point, ..)| *point)
}

pub(super) fn parse_block_point(name: &str) -> Option<HookPoint> {
    let (number, rest) = name.strip_prefix("blocks.")?.split_once('.')?;
    let (point, ..) = BLOCK_POINTS.iter().find(|(_, known, _)| *known == rest)?;
    let layer: usize = number.parse().ok()?;
    (layer.to_string() == number).then_some(HookPoint::Block(layer, *point)) // not "+1" and "01"
}

/// In bytes. The time to match a pattern and the length of a message grow with it.
const MAX_NAME_LENGTH: usize = 1000;

pub(super) fn check_length(name: &str) -> Result<()> {
    match name.len() <= MAX_NAME_LENGTH {
        true => Ok(()),
        false => Err(Error::Hook(format!(
            "a hook name has {} bytes, expected at most {MAX_NAME_LENGTH}; it begins with `{}`",
            name.len(),
            shortened(name)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_layers() -> Config {
        Config { n_layer: 2, ..Config::default() }
    }

    #[test]
    fn every_name_parses_back_to_its_point() {
        for point in HookPoint::all(&two_layers()) {
            assert_eq!(point.to_string().parse::<HookPoint>().unwrap(), point);
        }
    }

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (index, (point, ..)) in BLOCK_POINTS.iter().enumerate() {
            assert_eq!(*point as usize, index);
        }
    }
}
