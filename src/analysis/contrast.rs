//! Two prompts, the metric that compares their runs, and the activation that is patched between them.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::hook::{BlockPoint, HookPoint};
use crate::nearest::nearest;
use crate::run::Objective;
use crate::wire::{FromValue, Node, Prompt, TypeScript, options, words};

/// The activation that is patched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The residual stream before a block: `hook_resid_pre`.
    ResidPre,
    /// The residual stream between attention and MLP: `hook_resid_mid`.
    ResidMid,
    /// The output of attention: `hook_attn_out`.
    AttnOut,
    /// The output of the MLP: `hook_mlp_out`.
    MlpOut,
    /// The mixed values of each head: `hook_z`.
    Z,
    /// The queries of each head: `hook_q`.
    Q,
    /// The keys of each head: `hook_k`.
    K,
    /// The values of each head: `hook_v`.
    V,
    /// The attention pattern of each head: `hook_pattern`.
    Pattern,
    /// The activation of each neuron of one layer's MLP: `hook_post`.
    Post,
}

const TARGETS: [(Target, &str, BlockPoint); 10] = [
    (Target::ResidPre, "resid_pre", BlockPoint::ResidPre),
    (Target::ResidMid, "resid_mid", BlockPoint::ResidMid),
    (Target::AttnOut, "attn_out", BlockPoint::AttnOut),
    (Target::MlpOut, "mlp_out", BlockPoint::MlpOut),
    (Target::Z, "z", BlockPoint::Z),
    (Target::Q, "q", BlockPoint::Q),
    (Target::K, "k", BlockPoint::K),
    (Target::V, "v", BlockPoint::V),
    (Target::Pattern, "pattern", BlockPoint::Pattern),
    (Target::Post, "post", BlockPoint::MlpPost),
];

impl Target {
    /// The hook point of the activation in a layer.
    pub fn point(self, layer: usize) -> HookPoint {
        HookPoint::Block(layer, TARGETS[self as usize].2)
    }

    /// Whether the activation has one value for each head.
    pub fn per_head(self) -> bool {
        self.point(0).axes().contains(&"head")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(TARGETS[*self as usize].1)
    }
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(name: &str) -> Result<Target> {
        let found = TARGETS.iter().find(|(_, known, _)| *known == name).map(|(target, ..)| *target);
        found.ok_or_else(|| {
            let nearest = nearest(name, TARGETS.iter().map(|(_, known, _)| *known), TARGETS.len());
            Error::Input(format!("`{name}` cannot be patched, expected one of {nearest}"))
        })
    }
}

impl FromValue for Target {
    fn from_value(node: Node) -> Result<Target> {
        String::from_value(node)?.parse()
    }

    fn singular() -> String {
        String::singular()
    }

    fn typescript(_: &mut TypeScript) -> String {
        TARGETS.map(|(_, name, _)| format!("\"{name}\"")).join(" | ")
    }

    fn literal(&self) -> Option<String> {
        Some(format!("\"{self}\""))
    }
}

options! {
    /// Two prompts of the same length, and the metric that compares their runs.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Contrast {
        /// The prompt that gives the clean answer.
        pub clean: Vec<u32> as Prompt,
        /// The prompt that does not.
        pub corrupted: Vec<u32> as Prompt,
        /// Which run is patched: the corrupted one with clean values ("denoise"), or the clean one with corrupted values.
        pub direction: Direction = Direction::Denoise,
        ..pub metric: Objective,
    }
}

words! {
    /// Which run is patched with the other's values.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Direction {
        /// Clean values into the corrupted run.
        Denoise = "denoise",
        /// Corrupted values into the clean run.
        Noise = "noise",
    }
}

impl Contrast {
    /// The prompt of the run that is patched.
    pub fn base(&self) -> &[u32] {
        match self.direction {
            Direction::Denoise => &self.corrupted,
            Direction::Noise => &self.clean,
        }
    }

    /// The prompt whose values go into it.
    pub fn other(&self) -> &[u32] {
        match self.direction {
            Direction::Denoise => &self.clean,
            Direction::Noise => &self.corrupted,
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let (clean, corrupted) = (self.clean.len(), self.corrupted.len());
        if clean == corrupted {
            return Ok(());
        }
        Err(Error::Input(format!(
            "the clean prompt has {clean} tokens and the corrupted one {corrupted}; patching takes values position by \
             position, so choose prompts of the same length"
        )))
    }
}
