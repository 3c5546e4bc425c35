//! A text's residual stream: read through the lens, in shares of an answer, or part by part.

use super::measurement::{Begun, Findings, Measurement};
use super::{Answer, Lab, Text, check_count};
use crate::analysis::attribution::{self, AttributionOptions, By, FinalLayerNorm};
use crate::analysis::logit_lens::{self, Lens, LensOptions};
use crate::analysis::residual::{self, Reader, Stack, Steps};
use crate::error::{Error, Result};
use crate::run::{Run, expect_memory};
use crate::wire::{fields, words};

impl Lab {
    pub(super) fn logit_lens(&self, request: &LensRequest) -> Begun {
        let config = self.model.config();
        let top = match request.top {
            Some(top) => check_count("top", top, config.vocab_size, "the size of the vocabulary")?,
            None => 5.min(config.vocab_size),
        };
        let points = logit_lens::points(config, request.of.as_deref().unwrap_or("resid_post"))?;
        let answer = request.answer.as_ref().map(|answer| self.answer(answer)).transpose()?;
        let (ids, run) = self.run(&request.text, &logit_lens::names(config, &points))?;
        let options = LensOptions { points, top, answer };
        let lens = Lens::new(&self.model, &run.cache, &ids, options)?;
        Ok(Box::new(Looking { lens, lab: self.clone() }))
    }

    pub(super) fn attribution(&self, request: &AttributionRequest) -> Result<Findings> {
        let by = request.by.unwrap_or(Fineness::Component).into();
        let (_, run) = self.run(&request.text, &attribution::names(by))?;
        let answer = |answer: &Answer| self.answer(answer);
        let target = match (&request.answer, &request.against, &request.direction) {
            (Some(token), None, None) => attribution::Target::Answer(answer(token)?),
            (Some(token), Some(against), None) => attribution::Target::Difference {
                answer: answer(token)?,
                against: answer(against)?,
            },
            (None, None, Some(direction)) => attribution::Target::Direction(direction.clone()),
            _ => {
                return Err(Error::Input(
                    "the target is ambiguous or missing: expected `answer`, `answer` and `against`, or only `direction`".into(),
                ));
            }
        };
        let options = AttributionOptions {
            target,
            position: request.position.unwrap_or(-1),
            by,
            layer_norm: match request.layer_norm {
                Some(Norm::Recomputed) => FinalLayerNorm::Recomputed,
                Some(Norm::Frozen) | None => FinalLayerNorm::Frozen,
            },
        };
        Ok(Findings::default()
            .table("shares", attribution::attribution(&self.model, &run.cache, &options)?))
    }

    pub(super) fn residual(&self, request: &ResidualRequest) -> Result<Findings> {
        let kind = request.stack.unwrap_or(StackName::Decomposed);
        let beside = [
            (request.by.is_some(), "by", StackName::Decomposed, "decomposed"),
            (request.sublayers.is_some(), "sublayers", StackName::Accumulated, "accumulated"),
        ];
        if let Some((_, option, _, stack)) =
            beside.iter().find(|(given, _, owner, _)| *given && *owner != kind)
        {
            return Err(Error::Input(format!(
                "`{option}` is an option of `stack: \"{stack}\"` only: leave it out"
            )));
        }
        let (model, by) = (&self.model, request.by.unwrap_or(Fineness::Component).into());
        let reader = request.reader.as_ref().map_or(Reader::Unembed, ReaderRequest::reader);
        let mut names = match kind {
            StackName::Decomposed => By::names(by),
            StackName::Accumulated => vec!["/hook_resid_(pre|mid|post)$/"],
            StackName::Heads => vec!["blocks.*.attn.hook_z"],
            StackName::Neurons => vec!["blocks.*.mlp.hook_post"],
        };
        names.extend(request.layer_norm.map(|_| "/hook_scale$/"));
        let (ids, run) = self.run_at(&request.text, &names, request.positions.clone())?;
        let rows = request.positions.as_ref().map_or(ids.len(), Vec::len) as u64;
        if matches!(kind, StackName::Neurons)
            || matches!((kind, by), (StackName::Decomposed, By::Neuron))
        {
            let config = model.config();
            let neurons = config.n_layer as u64 * config.d_mlp() as u64;
            let numbers = neurons.saturating_mul(rows).saturating_mul(config.n_embd as u64);
            // Each layer's parts and all of them together.
            expect_memory(
                numbers.saturating_mul(8),
                "a vector for each neuron and position",
                "fewer `positions`",
            )?;
        }
        let stack = match kind {
            StackName::Decomposed => residual::decomposed(model, &run.cache, reader, by)?,
            StackName::Accumulated => {
                let steps = if request.sublayers.unwrap_or(false) {
                    Steps::Sublayers
                } else {
                    Steps::Layers
                };
                residual::accumulated(model, &run.cache, reader, steps)?
            }
            StackName::Heads => residual::heads(model, &run.cache, reader)?,
            StackName::Neurons => {
                let rows = 0..request.positions.as_ref().map_or(ids.len(), Vec::len);
                let layers = reader.layers_before(model.config())?;
                residual::neurons(model, &run.cache, &layers, &rows.collect::<Vec<_>>())?
            }
        };
        let read = self.through(&run, stack, reader, request.layer_norm)?;
        Ok(Findings::default().table("parts", read.table()?))
    }

    /// The stack as `reader` reads it through a LayerNorm, or as it is.
    fn through(
        &self,
        run: &Run,
        stack: Stack,
        reader: Reader,
        norm: Option<Norm>,
    ) -> Result<Stack> {
        match (norm, reader) {
            (None, _) => Ok(stack),
            (Some(Norm::Frozen), _) => {
                residual::through_frozen_layer_norm(&self.model, &run.cache, &stack, reader)
            }
            (Some(Norm::Recomputed), Reader::Unembed) => {
                residual::through_recomputed_layer_norm(&self.model, &stack)
            }
            (Some(Norm::Recomputed), _) => Err(Error::Input(
                "`layerNorm: \"recomputed\"` is the final LayerNorm's: leave `reader` out, or take \"frozen\"".into(),
            )),
        }
    }
}

/// A logit lens, whose ids are spelled out at the end.
struct Looking {
    lens: Lens,
    lab: Lab,
}

impl Measurement for Looking {
    fn total(&self) -> usize {
        self.lens.len()
    }

    fn done(&self) -> usize {
        self.lens.done()
    }

    fn step(&mut self) -> Result<bool> {
        self.lens.step()
    }

    fn finish(self: Box<Self>) -> Result<Findings> {
        let Looking { lens, lab } = *self;
        let lens = lens.finish()?;
        let spelled = lab.spelled(&lens.top_ids);
        let found = Findings::default()
            .table("topIds", lens.top_ids)
            .table("topProbabilities", lens.top_probabilities)
            .texts("topStrings", spelled)
            .table("nextProbability", lens.next.probability)
            .table("nextRank", lens.next.rank)
            .table("kl", lens.kl);
        Ok(match lens.answer {
            Some(answer) => found
                .table("answerProbability", answer.probability)
                .table("answerRank", answer.rank),
            None => found,
        })
    }
}

pub(super) struct LensRequest {
    text: Text,
    top: Option<usize>,
    of: Option<String>,
    answer: Option<Answer>,
}

fields! { LensRequest { top: "top" optional, of: "of" optional, answer: "answer" optional, ..text: Text } }

pub(super) struct AttributionRequest {
    text: Text,
    answer: Option<Answer>,
    against: Option<Answer>,
    direction: Option<Vec<f32>>,
    position: Option<i64>,
    by: Option<Fineness>,
    layer_norm: Option<Norm>,
}

fields! { AttributionRequest {
    answer: "answer" optional,
    against: "against" optional,
    direction: "direction" optional,
    position: "position" optional,
    by: "by" optional,
    layer_norm: "layerNorm" optional,
    ..text: Text,
} }

#[derive(Clone, Copy)]
enum Fineness {
    Component,
    Head,
    Neuron,
}

words! { Fineness { "component" => Component, "head" => Head, "neuron" => Neuron } }

impl From<Fineness> for By {
    fn from(by: Fineness) -> By {
        match by {
            Fineness::Component => By::Component,
            Fineness::Head => By::Head,
            Fineness::Neuron => By::Neuron,
        }
    }
}

#[derive(Clone, Copy)]
enum Norm {
    Frozen,
    Recomputed,
}

words! { Norm { "frozen" => Frozen, "recomputed" => Recomputed } }

pub(super) struct ResidualRequest {
    text: Text,
    stack: Option<StackName>,
    by: Option<Fineness>,
    sublayers: Option<bool>,
    reader: Option<ReaderRequest>,
    layer_norm: Option<Norm>,
    positions: Option<Vec<i64>>,
}

fields! { ResidualRequest {
    stack: "stack" optional,
    by: "by" optional,
    sublayers: "sublayers" optional,
    reader: "reader" optional,
    layer_norm: "layerNorm" optional,
    positions: "positions" optional,
    ..text: Text,
} }

#[derive(Clone, Copy, PartialEq)]
enum StackName {
    Decomposed,
    Accumulated,
    Heads,
    Neurons,
}

words! { StackName {
    "decomposed" => Decomposed,
    "accumulated" => Accumulated,
    "heads" => Heads,
    "neurons" => Neurons,
} }

struct ReaderRequest {
    layer: usize,
    part: ReaderPart,
}

fields! { ReaderRequest { layer: "layer", part: "part" } }

#[derive(Clone, Copy)]
enum ReaderPart {
    Attn,
    Mlp,
}

words! { ReaderPart { "attn" => Attn, "mlp" => Mlp } }

impl ReaderRequest {
    fn reader(&self) -> Reader {
        match self.part {
            ReaderPart::Attn => Reader::Attention(self.layer),
            ReaderPart::Mlp => Reader::Mlp(self.layer),
        }
    }
}
