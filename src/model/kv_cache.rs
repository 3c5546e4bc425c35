//! The key/value cache: what attention needs of earlier positions.
//!
//! A run owns its cache and passes it to [`Model::forward`](super::Model::forward), which reads it
//! and appends to it.

use candle_core::Tensor;

use crate::checkpoint::Config;
use crate::error::{Error, Result};

/// The keys and values of the positions so far, so that a later call computes only the new
/// positions.
///
/// ```no_run
/// # fn main() -> candlescope::Result<()> {
/// # let model: candlescope::Model = unimplemented!();
/// # let [prompt, next]: [candle_core::Tensor; 2] = unimplemented!();
/// use candlescope::{KvCache, NoHooks};
/// let mut kv = KvCache::new(model.config());
/// model.forward(&prompt, Some(&mut kv), &mut NoHooks)?; // [1, T, V]
/// model.forward(&next, Some(&mut kv), &mut NoHooks)?; // [1, 1, V]
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct KvCache {
    layers: Vec<LayerCache>,
}

impl KvCache {
    /// An empty cache for a model of this shape.
    pub fn new(config: &Config) -> KvCache {
        KvCache { layers: vec![LayerCache::default(); config.n_layer] }
    }

    /// The number of positions in the cache.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.len)
    }

    /// The number of positions that a layer's part has: a pass may be between two layers.
    pub(super) fn len_of(&self, layer: usize) -> usize {
        self.layers[layer].len
    }

    /// Whether there is no position in the cache.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The part of one layer.
    pub(super) fn layer(&mut self, layer: usize) -> &mut LayerCache {
        &mut self.layers[layer]
    }

    /// A copy of the first `length` positions. They do not depend on later ones, so this is the
    /// cache as it was then.
    ///
    /// # Errors
    /// Those of candle, if the cache has fewer positions.
    pub fn prefix(&self, length: usize) -> Result<KvCache> {
        if length == 0 {
            return Ok(KvCache { layers: vec![LayerCache::default(); self.layers.len()] });
        }
        let prefix = |layer: &LayerCache| {
            let rows = |buffer: &Tensor| -> Result<Tensor> {
                Ok(buffer.narrow(2, 0, length)?.contiguous()?)
            };
            let buffers = layer.buffers.as_ref().map(|(k, v)| Ok::<_, Error>((rows(k)?, rows(v)?)));
            Ok(LayerCache { buffers: buffers.transpose()?, len: length })
        };
        Ok(KvCache { layers: self.layers.iter().map(prefix).collect::<Result<_>>()? })
    }
}

/// Keys and values of one layer, after the hooks on them: the first `len` rows of buffers `[B, H,
/// capacity, K]`.
#[derive(Default)]
pub(super) struct LayerCache {
    buffers: Option<(Tensor, Tensor)>,
    len: usize,
}

impl LayerCache {
    /// Appends the keys and values of new positions, `[B, T, H, K]` each. Returns those of all
    /// positions, `[B, S, H, K]`, as views of the buffers.
    pub(super) fn append(&mut self, k: &Tensor, v: &Tensor) -> Result<(Tensor, Tensor)> {
        let by_head = |x: &Tensor| x.transpose(1, 2)?.contiguous();
        let (k, v) = (by_head(k)?, by_head(v)?);
        let len = self.len + k.dim(2)?;
        let (keys, values) = self.buffers_for(len, &k)?;
        keys.slice_set(&k, 2, self.len)?;
        values.slice_set(&v, 2, self.len)?;
        let view = |buffer: &Tensor| buffer.narrow(2, 0, len)?.transpose(1, 2);
        let views = (view(&keys)?, view(&values)?);
        (self.buffers, self.len) = (Some((keys, values)), len);
        Ok(views)
    }

    /// Buffers with room for `len` positions that contain the present ones. The capacity doubles,
    /// so that most steps copy nothing.
    fn buffers_for(&mut self, len: usize, like: &Tensor) -> Result<(Tensor, Tensor)> {
        let (batch, heads, _, width) = like.dims4()?;
        let grown = |old: Option<&Tensor>| -> Result<Tensor> {
            let new = Tensor::zeros(
                (batch, heads, len.next_power_of_two(), width),
                like.dtype(),
                like.device(),
            )?;
            if let Some(old) = old {
                new.slice_set(&old.narrow(2, 0, self.len)?.contiguous()?, 2, 0)?;
            }
            Ok(new)
        };
        match self.buffers.take() {
            Some((k, v)) if k.dim(2)? >= len => Ok((k, v)),
            Some((k, v)) => Ok((grown(Some(&k))?, grown(Some(&v))?)),
            None => Ok((grown(None)?, grown(None)?)),
        }
    }
}

impl Clone for LayerCache {
    /// Copies the numbers, because each clone writes its own positions into its buffers.
    fn clone(&self) -> LayerCache {
        let copy = |buffer: &Tensor| buffer.copy().expect("the memory of a tensor can be copied");
        let buffers = self.buffers.as_ref().map(|(k, v)| (copy(k), copy(v)));
        LayerCache { buffers, len: self.len }
    }
}
