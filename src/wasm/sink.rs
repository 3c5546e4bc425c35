//! Copies the captured values of a run to JavaScript, one at a time.

use candle_core::{CpuStorage, Storage, Tensor};
use js_sys::Float32Array;
use wasm_bindgen::prelude::*;

use super::convert::to_js;
use crate::error::{Error, Result};
use crate::hook::HookPoint;
use crate::interface;
use crate::named_array::{NamedArray, NamedIds};
use crate::run::{Cache, Run, Sink};
use crate::wire::{Host, HostValue, IntoValue, Nullable, Value};

/// Copies each captured value to JavaScript at once: while it is in the processor's caches, and so that its memory can be
/// reused. All activations of 256 tokens of GPT-2 124M take 280 MB.
pub(super) struct JsSink {
    /// `[{ name, value }]` so far.
    captured: Vec<Value>,
    /// The same values in wasm memory, if scores of heads are computed from them.
    pub(super) to_score: Option<Cache>,
}

impl JsSink {
    /// A sink that also keeps the values in wasm memory if head scores are requested.
    pub(super) fn new(head_scores: bool) -> JsSink {
        JsSink { captured: Vec::new(), to_score: head_scores.then(Cache::default) }
    }
}

impl Sink for JsSink {
    const KEEPS: bool = false;

    fn take(&mut self, point: HookPoint, value: Tensor) -> Result<()> {
        self.captured.push(entry(point, &value)?);
        self.to_score.as_mut().map_or(Ok(()), |cache| cache.take(point, value))
    }
}

/// The result of `runWithCache`: an [`interface::Run`] and its gradients.
pub(super) fn run_to_js(
    ids: &[u32],
    run: Run<JsSink>,
    head_scores: Option<NamedArray>,
) -> Result<JsValue> {
    let residual = run.residual();
    let logits = match residual {
        None => copy(run.logits()?, HookPoint::UnembedOut.axes())?,
        Some(_) => Value::Null,
    };
    let residual = residual.map(|x| copy(x, HookPoint::Embed.axes())).transpose()?;
    let gradients = captured(&run.gradients)?;
    let loss = run.scores.loss();
    let ranks = run.scores.ranks.into_iter().map(|rank| rank.map_or(f32::NAN, |rank| rank as f32));
    let answer = interface::Run {
        ids: NamedIds::along("pos", ids.to_vec()),
        logits: Host::new(logits),
        residual: Nullable(residual.map(Host::new)),
        loss: Nullable(loss),
        log_probs: NamedArray::along("pos", run.scores.log_probs),
        ranks: NamedArray::along("pos", ranks.collect()),
        cache: Host::new(Value::List(run.cache.captured)),
        head_scores: Nullable(head_scores),
    };
    let mut value = answer.into_value();
    if let Value::Object(fields) = &mut value {
        fields.push(("gradients".into(), gradients)); // which JavaScript makes a part of the cache
    }
    Ok(to_js(value))
}

/// `[{ name, value }]` of a cache.
pub(super) fn captured(cache: &Cache) -> Result<Value> {
    cache.iter().map(|(point, value)| entry(point, value)).collect::<Result<_>>().map(Value::List)
}

fn entry(point: HookPoint, value: &Tensor) -> Result<Value> {
    let fields = [("name", Value::Text(point.to_string())), ("value", copy(value, point.axes())?)];
    Ok(Value::Object(fields.map(|(name, value)| (name.into(), value)).into()))
}

/// `{ data, shape, axes }`, with the numbers copied to JavaScript.
pub(super) fn copy(tensor: &Tensor, axes: &[&'static str]) -> Result<Value> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    let (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) =
        (&*storage, layout.contiguous_offsets())
    else {
        return Err(Error::Input(format!(
            "the result has dtype {:?}, expected F32; report this as a bug",
            tensor.dtype()
        )));
    };
    let data = JsValue::from(Float32Array::from(&values[start..end]));
    let fields = [
        ("data", Value::Host(HostValue::new(data))),
        ("shape", tensor.dims().to_vec().into_value()),
        ("axes", axes.to_vec().into_value()),
    ];
    Ok(Value::Object(fields.map(|(name, value)| (name.into(), value)).into()))
}
