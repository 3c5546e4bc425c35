//! The options of a run.

use candle_core::{Device, Tensor};

use super::gradients::Objective;
use crate::error::{Error, Result};
use crate::hook::HookPoint;
use crate::intervene::{Compiler, Intervention};
use crate::named_array::NamedArray;
use crate::wire::{
    self, FromValue, HookNames, LayerBoundary, Node, Optional, ReadAs, TypeScript, options,
};

options! {
    /// The options of a run.
    #[derive(Clone)]
    pub struct RunOptions {
        /// The values to capture.
        pub names: Vec<String> as HookNames = Vec::new(),
        /// Changes, applied in this order. A capture gets the changed values.
        pub interventions: Vec<Intervention> = Vec::new(),
        /// Capture only these rows along `pos` or `query`; negative ones count from the end.
        pub positions: Option<Vec<i64>>,
        /// Stop before this block; a negative one counts from the last, so -1 leaves out the last block. The run returns the
        /// residual stream there instead of logits.
        pub stop_at_layer: Option<usize> as Optional<LayerBoundary>,
        /// Start from a residual stream instead of the embeddings.
        pub start: Option<Start> => "startAt",
        /// Differentiate this number with respect to every value that `names` selects.
        pub gradients_of: Option<Objective>,
    } with {
        /// Compiles the source of a JavaScript intervention, in a browser.
        pub compiler: Option<Compiler>,
    }
}

impl Default for RunOptions {
    fn default() -> Self {
        wire::defaults()
    }
}

options! {
    /// The start of a run that does not begin at the embeddings.
    #[derive(Clone)]
    pub struct Start {
        /// The first block to run, a negative one counted from the last; `n_layer` runs only the final LayerNorm and the
        /// unembedding.
        pub layer: usize as LayerBoundary,
        /// `blocks.{layer}.hook_resid_pre` of another run, [1, T, d_model]; of a batch, [batch, T, d_model] with its padding.
        pub resid: Tensor as ResidualStream,
    }
}

/// A residual stream. Names of its axes, if it has them, say in which order they are.
pub struct ResidualStream;

impl ReadAs<Tensor> for ResidualStream {
    fn read_as(node: Node) -> Result<Tensor> {
        let array = NamedArray::from_value(node)?;
        let (shape, count) = (&array.shape, array.expected_length());
        if Some(array.data.len()) != count {
            let found = array.data.len();
            let expected = count.map_or("more".into(), |count| count.to_string());
            return Err(node.error(format!(
                "has {found} values, expected {expected} for its shape {shape:?}"
            )));
        }
        if array.axes.is_empty() {
            return Ok(Tensor::from_vec(array.data, array.shape, &Device::Cpu)?);
        }
        let axes = HookPoint::Embed.axes();
        let ordered = array.in_order(axes).ok_or_else(|| {
            let found = array.axes.join(", ");
            node.error(format!("has the axes {found}, expected {}", axes.join(", ")))
        })?;
        Ok(Tensor::from_vec(ordered.data, ordered.shape, &Device::Cpu)?)
    }

    fn singular_as() -> String {
        NamedArray::singular()
    }

    fn typescript_as(types: &mut TypeScript) -> String {
        NamedArray::typescript_input(types)
    }
}

impl Start {
    /// The same with the residual streams of several texts one after the other, `[1, ΣT, D]`, without the padding that
    /// `[B, T, D]` has before the texts or after them.
    ///
    /// # Errors
    /// [`Error::Input`] if the shape is another, or there are numbers in the padding.
    pub(crate) fn packed(self, texts: &[Vec<u32>], padded_left: bool) -> Result<Start> {
        let longest = texts.iter().map(Vec::len).max().unwrap_or_default();
        let (rows, length, _) = self.resid.dims3().unwrap_or_default();
        if (rows, length) != (texts.len(), longest) {
            return Err(Error::Input(format!(
                "the residual stream to start from has shape {:?}, expected [{}, {longest}, d_model] for these texts",
                self.resid.dims(),
                texts.len()
            )));
        }
        let part = |(row, ids): (usize, &Vec<u32>)| -> Result<Tensor> {
            let stream = self.resid.narrow(0, row, 1)?;
            let padding = longest - ids.len();
            let (start, padded) = if padded_left { (padding, 0) } else { (0, ids.len()) };
            let padded = stream.narrow(1, padded, padding)?.flatten_all()?.to_vec1::<f32>()?;
            if padded.iter().any(|x| !x.is_nan()) {
                let side = if padded_left { "left" } else { "right" };
                return Err(Error::Input(format!(
                    "the residual stream to start from has numbers where text {row} is padded at the {side}, expected NaN: \
                     give the `paddingSide` with which it was captured"
                )));
            }
            Ok(stream.narrow(1, start, ids.len())?)
        };
        let parts = texts.iter().enumerate().map(part).collect::<Result<Vec<_>>>()?;
        Ok(Start { resid: Tensor::cat(&parts, 1)?, ..self })
    }
}
