//! The positions of texts at which a neuron, or any other channel of an activation, is most active.

use candle_core::Tensor;

use super::measurement::{MeasurementResult, once};
use super::stream_parts::captured;
use crate::error::{Error, Result};
use crate::hook::HookPoint;
use crate::lab::{Lab, check_count};
use crate::model::Model;
use crate::named_array::{NamedArray, NamedIds};
use crate::run::run_with_cache;
use crate::wire::{
    FromValue, HookName, List, Node, Prompt, ReadAs, TypeScript, expect_index, options, results,
};

options! {
    /// One channel of an activation: a neuron of `blocks.0.mlp.hook_post`, or a dimension of a head's `hook_z`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Channel {
        /// The hook point.
        pub point: HookPoint as HookName => "at",
        /// The head, at points with an axis `head`; a negative one counts from the last.
        pub head: Option<i64>,
        /// The index along the last axis; a negative one counts from the end.
        pub index: i64,
    }
}

impl ReadAs<HookPoint> for HookName {
    fn read_as(node: Node) -> Result<HookPoint> {
        String::from_value(node)?.parse()
    }

    fn singular_as() -> String {
        String::singular()
    }

    fn typescript_as(types: &mut TypeScript) -> String {
        <HookName as ReadAs<String>>::typescript_as(types)
    }
}

options! {
    /// Options of `mostActive`.
    #[derive(Debug, Clone)]
    pub struct MostActiveOptions {
        /// The texts to search.
        pub texts: Vec<Vec<u32>> as List<Prompt>,
        /// How many positions to list.
        pub count: usize = 20,
        ..pub channel: Channel,
    }
}

results! {
    /// The positions of texts with the largest values of a channel: largest first, the earlier one on a tie.
    #[derive(Debug, Clone, PartialEq)]
    pub struct MostActive {
        /// The index of the text: axis `place`.
        pub text: NamedIds,
        /// The position in it: axis `place`.
        pub position: NamedIds,
        /// The value there: axis `place`. NaN is never listed.
        pub value: NamedArray,
        /// How many of all values are infinite or NaN.
        pub not_finite: usize,
    }
}

pub(super) fn begin(lab: &Lab, options: MostActiveOptions) -> MeasurementResult<MostActive> {
    check_texts(&options.texts)?;
    check_count("count", options.count, usize::MAX, "")?;
    let model = lab.model.clone();
    once(move || most_active(&model, &options))
}

/// # Errors
/// [`Error::Input`] if there is no text.
pub(super) fn check_texts(texts: &[Vec<u32>]) -> Result<()> {
    match texts {
        [] => Err(Error::Input(
            "`texts` is empty, so there is no prompt; expected at least one".into(),
        )),
        _ => Ok(()),
    }
}

/// The value of a channel at one position of one text.
#[derive(Clone, Copy)]
struct Activity {
    text: usize,
    position: usize,
    value: f32,
}

/// The positions of the texts at which the channel has its largest values.
///
/// # Errors
/// [`Error::Hook`] if the point has no position axis or needs a head, [`Error::Input`] if an index is out of range or a
/// text does not fit the model.
pub fn most_active(model: &Model, options: &MostActiveOptions) -> Result<MostActive> {
    let MostActiveOptions { texts, count, channel } = options;
    channel.check_axes()?;
    let (mut all, mut not_finite) = (Vec::new(), 0);
    for (text, tokens) in texts.iter().enumerate() {
        let run = run_with_cache(model, tokens, &[channel.point.to_string()])?;
        let values = channel.of(&captured(&run.cache, channel.point)?)?;
        not_finite += values.iter().filter(|value| !value.is_finite()).count();
        let here = values.into_iter().enumerate().filter(|(_, value)| !value.is_nan());
        all.extend(here.map(|(position, value)| Activity { text, position, value }));
        if all.len() / 2 > (*count).max(MANY) {
            keep_largest(&mut all, *count);
        }
    }
    keep_largest(&mut all, *count);
    let indices = |of: fn(&Activity) -> usize| {
        NamedIds::along("place", all.iter().map(|activity| of(activity) as u32).collect())
    };
    let values = all.iter().map(|activity| activity.value).collect();
    Ok(MostActive {
        text: indices(|activity| activity.text),
        position: indices(|activity| activity.position),
        value: NamedArray::along("place", values),
        not_finite,
    })
}

/// A list of candidates that is at most twice as long is not shortened after each text.
const MANY: usize = 1 << 16;

fn keep_largest(all: &mut Vec<Activity>, count: usize) {
    all.sort_by(|a, b| b.value.total_cmp(&a.value)); // stable, so that earlier ones stay in front
    all.truncate(count);
}

impl Channel {
    fn check_axes(&self) -> Result<()> {
        let Channel { point, head, .. } = self;
        let axes = point.axes();
        if axes.get(1) != Some(&"pos") {
            let found = axes.join(" ");
            return Err(Error::Hook(format!(
                "`{point}` has no value for each position: its axes are {found}"
            )));
        }
        match (axes.contains(&"head"), head) {
            (true, None) => Err(Error::Hook(format!(
                "`{point}` has a head axis, expected `head` to select one head"
            ))),
            (false, Some(_)) => Err(Error::Hook(format!("`{point}` has no heads"))),
            _ => Ok(()),
        }
    }

    /// Its values along the positions of `activation` `[T, (H,) channels]`.
    fn of(&self, activation: &Tensor) -> Result<Vec<f32>> {
        let values = match self.head {
            Some(head) => activation
                .narrow(1, expect_index("`head`", head, activation.dim(1)?)?, 1)?
                .squeeze(1)?,
            None => activation.clone(),
        }; // [T, channels]
        let index = expect_index("`index`", self.index, values.dim(1)?)?;
        Ok(values.narrow(1, index, 1)?.squeeze(1)?.to_vec1()?)
    }
}
