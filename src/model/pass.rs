//! The forward pass: the embeddings, the blocks and the unembedding, for one text or several.

use std::ops::Range;

use candle_core::Tensor;

use super::rows::{Rows, packed_ids};
use super::tap::Tap;
use super::{KvCache, Model};
use crate::error::{Error, Result};
use crate::hook::{HookPoint, Hooks};
use crate::kernel;

impl Model {
    /// Logits `[B, T, V]` of `tokens` `[B, T]` (u32), which follow the positions in `kv` if there
    /// is one.
    ///
    /// # Errors
    /// [`Error::Input`] if the context is longer than `n_positions`, an id is not in the
    /// vocabulary, or there is no token; [`Error::Hook`] if a hook returns another shape; the
    /// errors of the hooks.
    pub fn forward(
        &self,
        tokens: &Tensor,
        kv: Option<&mut KvCache>,
        hooks: &mut dyn Hooks,
    ) -> Result<Tensor> {
        let first_position = kv.as_deref().map_or(0, KvCache::len);
        let rows = Rows::one(tokens.dims2()?.1, first_position);
        self.pass(tokens, kv.map(std::slice::from_mut), &rows, hooks)
    }

    /// Logits `[1, T, V]` of each text, which follows the positions in its cache if there are caches. A text gives what
    /// [`Model::forward`] gives for it alone; the products of all texts are computed together. The hooks get each value for
    /// each text by itself, with [`HookContext::row`](crate::HookContext): see [`PerRow`](crate::hook::PerRow).
    ///
    /// # Errors
    /// As [`Model::forward`]; [`Error::Input`] if there is no text.
    ///
    /// # Panics
    /// If there are caches, but not one for each text.
    pub fn forward_rows<T: AsRef<[u32]>>(
        &self,
        texts: &[T],
        kv: Option<&mut [KvCache]>,
        hooks: &mut dyn Hooks,
    ) -> Result<Vec<Tensor>> {
        assert!(kv.as_ref().is_none_or(|kv| kv.len() == texts.len()), "one cache for each text");
        let first_position = |row: usize| kv.as_ref().map_or(0, |kv| kv[row].len());
        let lengths = texts.iter().map(|ids| ids.as_ref().len());
        let rows =
            Rows::packed(lengths.enumerate().map(|(row, length)| (length, first_position(row))));
        let logits = self.pass(&packed_ids(texts)?, kv, &rows, hooks)?;
        rows.split(&logits)
    }

    /// Logits of the tokens of `rows`, `[B, T]` or packed; `kv` has one cache for each text.
    fn pass(
        &self,
        tokens: &Tensor,
        kv: Option<&mut [KvCache]>,
        rows: &Rows,
        hooks: &mut dyn Hooks,
    ) -> Result<Tensor> {
        let x = self.embed_rows(tokens, rows, hooks)?;
        let x = self.blocks_rows(x, 0..self.0.config.n_layer, kv, rows, hooks)?;
        self.unembed_rows(&x, rows, hooks)
    }

    /// The residual stream before the first block, `[B, T, D]`, for tokens that start at
    /// `first_position`.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn embed(
        &self,
        tokens: &Tensor,
        first_position: usize,
        hooks: &mut dyn Hooks,
    ) -> Result<Tensor> {
        self.embed_rows(tokens, &Rows::one(tokens.dims2()?.1, first_position), hooks)
    }

    /// The same for the texts of `rows`.
    pub(crate) fn embed_rows(
        &self,
        tokens: &Tensor,
        rows: &Rows,
        hooks: &mut dyn Hooks,
    ) -> Result<Tensor> {
        self.check_input(tokens, rows)?;
        let mut tap = Tap::new(hooks, rows);
        let embed = tap.at(HookPoint::Embed, self.0.wte.embedding(tokens)?)?; // [B, T, D]
        self.0.positions.add_to_stream(embed, &mut tap)
    }

    /// The residual stream `x` `[B, T, D]` after the blocks in `layers`. `kv` has the positions
    /// before it. The positions of a shortformer enter here, so they fire in each call.
    ///
    /// # Errors
    /// As [`Model::forward`].
    ///
    /// # Panics
    /// If the model does not have one of the layers.
    pub fn blocks(
        &self,
        x: Tensor,
        layers: Range<usize>,
        kv: Option<&mut KvCache>,
        hooks: &mut dyn Hooks,
    ) -> Result<Tensor> {
        let past = |kv: &KvCache| if layers.is_empty() { 0 } else { kv.len_of(layers.start) };
        let rows = Rows::one(x.dim(1)?, kv.as_deref().map_or(0, past));
        self.blocks_rows(x, layers, kv.map(std::slice::from_mut), &rows, hooks)
    }

    /// The same for the texts of `rows`, with a cache for each of them.
    pub(crate) fn blocks_rows(
        &self,
        mut x: Tensor,
        layers: Range<usize>,
        mut kv: Option<&mut [KvCache]>,
        rows: &Rows,
        hooks: &mut dyn Hooks,
    ) -> Result<Tensor> {
        if layers.is_empty() {
            return Ok(x);
        }
        let positions =
            self.0.positions.of_queries_and_keys(&x, &mut Tap::new(&mut *hooks, rows))?;
        for layer in layers {
            let mut tap = Tap::in_block(layer, &mut *hooks, rows);
            x = self.0.blocks[layer].forward(x, positions.as_ref(), kv.as_deref_mut(), &mut tap)?;
        }
        Ok(x)
    }

    /// Logits `[B, T, V]` of the residual stream after the last block, `[B, T, D]`.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn unembed(
        &self,
        x: &Tensor,
        first_position: usize,
        hooks: &mut dyn Hooks,
    ) -> Result<Tensor> {
        self.unembed_rows(x, &Rows::one(x.dim(1)?, first_position), hooks)
    }

    /// The same for the texts of `rows`.
    pub(crate) fn unembed_rows(
        &self,
        x: &Tensor,
        rows: &Rows,
        hooks: &mut dyn Hooks,
    ) -> Result<Tensor> {
        let logits = self.logits_of(&self.unembed_input(x, rows, hooks)?)?;
        Tap::new(hooks, rows).at(HookPoint::UnembedOut, logits)
    }

    /// What the unembedding reads, `[B, T, D]`, for the texts of `rows`.
    pub(crate) fn unembed_input(
        &self,
        x: &Tensor,
        rows: &Rows,
        hooks: &mut dyn Hooks,
    ) -> Result<Tensor> {
        let mut tap = Tap::new(hooks, rows);
        let x = self.0.ln_f.forward(x, &mut tap)?;
        tap.at(HookPoint::UnembedIn, x)
    }

    /// The logits `[B, T, V]` of [`Model::unembed_input`], which no hook gets.
    pub(crate) fn logits_of(&self, x: &Tensor) -> Result<Tensor> {
        match &self.0.lm_head_bias {
            None => kernel::matmul(x, &self.0.lm_head),
            Some(bias) => kernel::linear(x, &self.0.lm_head, bias),
        }
    }

    /// The gradient of the unembedding's input, `[B, T, D]`, from that of the logits.
    pub(crate) fn pull_back_logits(&self, grad: &Tensor) -> Result<Tensor> {
        kernel::transposed_matmul(grad, &self.0.lm_head)
    }

    fn check_input(&self, tokens: &Tensor, rows: &Rows) -> Result<()> {
        if tokens.elem_count() == 0 {
            return Err(Error::no_token());
        }
        rows.check_lengths(self.0.config.n_positions)?;
        self.check_ids(tokens)
    }
}
