//! Gradients of a number with respect to the values at hook points.

use std::collections::BTreeSet;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};

use crate::error::{Error, Result};
use crate::hook::{HookContext, HookPoint, Hooks};
use crate::intervene::expect_position;
use crate::kernel;
use crate::model::Model;
use crate::wire::{Answer, Optional, checked, options};

/// A number to differentiate.
#[derive(Debug, Clone, PartialEq)]
pub enum Objective {
    /// The logit of `answer` minus that of `against`, if there is one, at a position (negative from
    /// the end).
    Logit {
        /// The token id whose logit counts.
        answer: u32,
        /// The token id whose logit is subtracted.
        against: Option<u32>,
        /// The position of the logits.
        position: i64,
    },
    /// The mean negative log-probability of the true next tokens, in nats.
    Loss,
}

options! {
    /// A number of a run's logits: the logit of `answer`, less that of `against`, at `position`; or the loss.
    #[derive(Debug, Clone, Default)]
    pub struct Metric {
        /// The token whose logit counts.
        pub answer: Option<u32> as Optional<Answer>,
        /// The token whose logit is subtracted.
        pub against: Option<u32> as Optional<Answer>,
        /// The position of the logits; negative ones count from the end. The last one if absent.
        pub position: Option<i64>,
        /// The mean loss of the true next tokens, in nats, instead of a logit.
        pub loss: Option<bool>,
    }
}

impl TryFrom<Metric> for Objective {
    type Error = Error;

    fn try_from(metric: Metric) -> Result<Objective> {
        let selects_logit = metric.against.is_some() || metric.position.is_some();
        match (metric.answer, metric.loss) {
            (None, Some(true)) if !selects_logit => Ok(Objective::Loss),
            (Some(answer), None | Some(false)) => Ok(Objective::Logit {
                answer,
                against: metric.against,
                position: metric.position.unwrap_or(-1),
            }),
            _ => Err(Error::Input(
                "the metric is ambiguous or missing: expected either `answer` (with `against`, `position`) or only `loss: true`".into(),
            )),
        }
    }
}

checked!(Objective: Metric);

impl Objective {
    /// The value of the objective for logits `[1, T, V]`: a tensor without axes.
    ///
    /// # Errors
    /// [`Error::Input`] if the position or an id is out of range, or a loss has a single token.
    pub fn of(&self, logits: &Tensor, tokens: &[u32]) -> Result<Tensor> {
        let (_, length, vocab) = logits.dims3()?;
        match self {
            Objective::Logit { answer, against, position } => {
                let (row, ids) = signed_ids((*answer, *against), *position, (length, vocab))?;
                let term = |(id, sign): (u32, f32)| (row * vocab + id as usize, sign);
                Ok(kernel::weighted_sum(logits, ids.into_iter().map(term).collect())?)
            }
            Objective::Loss => {
                let (targets, weights) = scored(tokens, length)?;
                Ok(kernel::cross_entropy(logits, targets, weights)?)
            }
        }
    }

    /// The gradient of the unembedding's input `[1, T, D]`, for its logits `[1, T, V]`.
    pub(super) fn gradient_of_input(
        &self,
        model: &Model,
        logits: &Tensor,
        tokens: &[u32],
    ) -> Result<Tensor> {
        let (_, length, vocab) = logits.dims3()?;
        match self {
            Objective::Logit { answer, against, position } => {
                let (row, ids) = signed_ids((*answer, *against), *position, (length, vocab))?;
                let width = model.config().n_embd;
                let mut gradient = vec![0f32; length * width];
                for (id, sign) in ids {
                    let column = model.unembedding_of(&Tensor::new(id, &Device::Cpu)?)?;
                    let row = gradient[row * width..][..width].iter_mut();
                    row.zip(column.to_vec1::<f32>()?).for_each(|(sum, w)| *sum += sign * w);
                }
                Ok(Tensor::from_vec(gradient, (1, length, width), &Device::Cpu)?)
            }
            Objective::Loss => {
                let (targets, weights) = scored(tokens, length)?;
                model.pull_back_logits(&kernel::cross_entropy_grad(logits, &targets, &weights)?)
            }
        }
    }
}

/// The row of the logits that is read, and the ids that count in it with their signs: `answer` with 1,
/// `against` with -1.
fn signed_ids(
    (answer, against): (u32, Option<u32>),
    position: i64,
    (length, vocab): (usize, usize),
) -> Result<(usize, Vec<(u32, f32)>)> {
    let row = expect_position(position, length)?;
    let against = against.map(|against| (against, -1.0));
    let ids: Vec<(u32, f32)> = std::iter::once((answer, 1.0)).chain(against).collect();
    match ids.iter().find(|(id, _)| *id as usize >= vocab) {
        Some((id, _)) => Err(Error::out_of_range(format_args!("answer id {id}"), vocab)),
        None => Ok((row, ids)),
    }
}

/// The true next token of each row of the logits, and the row's weight in the loss: 0 for the last.
fn scored(tokens: &[u32], length: usize) -> Result<(Vec<u32>, Vec<f32>)> {
    if length < 2 {
        return Err(Error::loss_of_one_token());
    }
    let mut targets = tokens[1..length].to_vec();
    targets.push(0);
    let mut weights = vec![1.0; length];
    weights[length - 1] = 0.0;
    Ok((targets, weights))
}

/// Hooks that make values differentiable. Each value gets a variable of zeros added, because
/// candle's backward pass keeps only the gradients of variables; the gradient of the variable is
/// that of the value.
///
/// If a path input of a block is probed, that path is normalized separately, so the gradient at the
/// points of ln1 is that of the other paths.
pub(super) struct Probe {
    points: BTreeSet<HookPoint>,
    variables: Vec<(HookPoint, Var)>,
}

impl Probe {
    pub(super) fn new(points: impl Iterator<Item = HookPoint>) -> Probe {
        Probe { points: points.collect(), variables: Vec::new() }
    }

    /// The gradient at every value, in firing order, from those of a backward pass.
    pub(super) fn gradients(self, store: &GradStore) -> Result<Vec<(HookPoint, Tensor)>> {
        let gradient = |(point, variable): (HookPoint, Var)| {
            // A value that the objective does not depend on has no entry.
            let gradient = store.get(&variable).cloned();
            Ok((point, gradient.map_or_else(|| variable.zeros_like(), Ok)?))
        };
        self.variables.into_iter().map(gradient).collect()
    }
}

impl Hooks for Probe {
    fn wants(&self, point: HookPoint) -> bool {
        self.points.contains(&point)
    }

    fn visit(&mut self, context: HookContext, value: Tensor) -> Result<Tensor> {
        let variable = Var::zeros(value.shape(), DType::F32, &Device::Cpu)?;
        let value = (value + variable.as_tensor())?;
        self.variables.push((context.point, variable));
        Ok(value)
    }
}
