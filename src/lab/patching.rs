//! What causes what: sweeps that patch one run with another, and gradients between two.

use super::measurement::{Begun, once};
use super::{Lab, Metric, PathName, Prompt};
use crate::analysis::gradients::{Baseline, IntegratedGradients, attribution_patching};
use crate::analysis::patching::{Contrast, Direction, Sweep, SweepOptions};
use crate::analysis::path_patching::{
    Input as Path, Mlps, PathOptions, PathSweep, Receiver, Receivers,
};
use crate::error::Result;
use crate::run::Objective;
use crate::wire::{FromValue, Node, Value, fields, words};

impl Lab {
    fn contrast(&self, request: &ContrastRequest) -> Result<Contrast> {
        Ok(Contrast {
            clean: self.ids(&request.clean)?,
            corrupted: self.ids(&request.corrupted)?,
            direction: match request.direction {
                Some(Way::Noise) => Direction::Noise,
                Some(Way::Denoise) | None => Direction::Denoise,
            },
            metric: self.objective(&request.metric)?,
        })
    }

    pub(super) fn sweep_options(&self, request: &PatchingRequest) -> Result<SweepOptions> {
        Ok(SweepOptions {
            contrast: self.contrast(&request.contrast)?,
            at: request.at.as_deref().unwrap_or("resid_pre").parse()?,
            each_position: request.each_position,
        })
    }

    pub(super) fn patching(&self, request: &PatchingRequest) -> Begun {
        let options = self.sweep_options(request)?;
        match request.method {
            Some(Method::Attribution) => {
                let model = self.model.clone();
                once(move || Ok(attribution_patching(&model, &options)?.into()))
            }
            Some(Method::Activation) | None => Ok(Box::new(Sweep::new(&self.model, options)?)),
        }
    }

    pub(super) fn path_options(&self, request: &PathRequest) -> Result<PathOptions> {
        let receivers = match &request.receivers {
            ReceiversRequest::Logits => Receivers::Logits,
            ReceiversRequest::Heads(heads) => {
                Receivers::Heads(heads.iter().map(ReceiverRequest::receiver).collect())
            }
        };
        Ok(PathOptions {
            contrast: self.contrast(&request.contrast)?,
            receivers,
            mlps: match request.mlps {
                Some(MlpsRequest::Recomputed) => Mlps::Recomputed,
                Some(MlpsRequest::Frozen) | None => Mlps::Frozen,
            },
        })
    }

    pub(super) fn path_patching(&self, request: &PathRequest) -> Begun {
        Ok(Box::new(PathSweep::new(&self.model, self.path_options(request)?)?))
    }

    pub(super) fn integrated(&self, request: &IntegratedRequest) -> Result<Integrated> {
        Ok(Integrated {
            ids: self.ids(&request.input)?,
            metric: self.objective(&request.metric)?,
            baseline: match &request.baseline {
                None => Baseline::Zero,
                Some(prompt) => Baseline::Tokens(self.ids(prompt)?),
            },
            steps: request.steps.unwrap_or(32),
        })
    }

    pub(super) fn integrated_gradients(&self, request: &IntegratedRequest) -> Begun {
        let Integrated { ids, metric, baseline, steps } = self.integrated(request)?;
        Ok(Box::new(IntegratedGradients::new(&self.model, &ids, &metric, &baseline, steps)?))
    }
}

struct ContrastRequest {
    clean: Prompt,
    corrupted: Prompt,
    direction: Option<Way>,
    metric: Metric,
}

fields! { ContrastRequest {
    clean: "clean",
    corrupted: "corrupted",
    direction: "direction" optional,
    ..metric: Metric,
} }

#[derive(Clone, Copy)]
enum Way {
    Denoise,
    Noise,
}

words! { Way { "denoise" => Denoise, "noise" => Noise } }

pub(super) struct PatchingRequest {
    contrast: ContrastRequest,
    at: Option<String>,
    pub(super) method: Option<Method>,
    each_position: bool,
}

fields! { PatchingRequest {
    at: "at" optional,
    method: "method" optional,
    each_position: "eachPosition" or false,
    ..contrast: ContrastRequest,
} }

#[derive(Clone, Copy)]
pub(super) enum Method {
    Activation,
    Attribution,
}

words! { Method { "activation" => Activation, "attribution" => Attribution } }

pub(super) struct PathRequest {
    contrast: ContrastRequest,
    receivers: ReceiversRequest,
    mlps: Option<MlpsRequest>,
}

fields! { PathRequest {
    receivers: "receivers",
    mlps: "mlps" optional,
    ..contrast: ContrastRequest,
} }

enum ReceiversRequest {
    Logits,
    Heads(Vec<ReceiverRequest>),
}

impl FromValue for ReceiversRequest {
    fn from_value(node: Node) -> Result<ReceiversRequest> {
        match node.value() {
            Value::Text(text) if text == "logits" => Ok(ReceiversRequest::Logits),
            Value::List(_) => Vec::from_value(node).map(ReceiversRequest::Heads),
            _ => Err(node.expected(Self::one())),
        }
    }

    fn one() -> String {
        "\"logits\" or an array of { layer, head, input }".into()
    }
}

struct ReceiverRequest {
    layer: usize,
    head: usize,
    input: PathName,
}

fields! { ReceiverRequest { layer: "layer", head: "head", input: "input" } }

impl ReceiverRequest {
    fn receiver(&self) -> Receiver {
        let input = match self.input {
            PathName::Q => Path::Q,
            PathName::K => Path::K,
            PathName::V => Path::V,
        };
        Receiver { layer: self.layer, head: self.head, input }
    }
}

#[derive(Clone, Copy)]
enum MlpsRequest {
    Frozen,
    Recomputed,
}

words! { MlpsRequest { "frozen" => Frozen, "recomputed" => Recomputed } }

pub(super) struct IntegratedRequest {
    input: Prompt,
    metric: Metric,
    baseline: Option<Prompt>,
    steps: Option<usize>,
}

fields! { IntegratedRequest {
    input: "input",
    baseline: "baseline" optional,
    steps: "steps" optional,
    ..metric: Metric,
} }

/// What integrated gradients are computed of.
pub(super) struct Integrated {
    pub(super) ids: Vec<u32>,
    pub(super) metric: Objective,
    pub(super) baseline: Baseline,
    pub(super) steps: usize,
}
