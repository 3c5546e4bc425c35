//! The bytes of stored tensors, tensor by tensor, to the weights of a model.
//!
//! A tensor in the order of its parameter, or transposed, goes directly into the format of its matrix. Only parameters
//! that are joined or permuted are in memory twice, one at a time if their tensors follow each other.

use std::collections::HashMap;

use super::config::Config;
use super::layout::Order;
use super::plan::Plan;
use super::shapes::{HEAD, HEAD_BIAS};
use super::stored::StoredTensor;
use super::tensor_reader::{Join, TensorReader};
use super::weights::{Weights, bytes_needed, out_of_memory, reserve};
use crate::error::{Error, Result, shortened};
use crate::kernel::WeightFormat;

/// Makes the weights of a model from the tensors of its files, in any order.
pub(crate) struct Assembler {
    plan: Plan,
    format: WeightFormat,
    weights: Weights,
    /// Parameters of which some parts have been read.
    joins: HashMap<String, Join>,
    /// Readers whose memory was allocated before their bytes arrive, by the keys of their tensors.
    ready: HashMap<String, TensorReader>,
    /// The reader of the tensor that is being read, and the tensor's key.
    current: Option<(String, TensorReader)>,
}

impl Assembler {
    /// Checks that the weights fit into memory.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub fn new(plan: Plan, format: WeightFormat) -> Result<Assembler> {
        reserve(&plan.config_in_memory(), format)?;
        Ok(Assembler {
            plan,
            format,
            weights: Weights::default(),
            joins: HashMap::new(),
            ready: HashMap::new(),
            current: None,
        })
    }

    /// Whether the tensor is needed. The bytes of the others are not read.
    pub fn wants(&self, tensor: &StoredTensor) -> bool {
        self.plan.get(tensor).is_some()
    }

    /// Allocates the memory of tensors that will be read in this order.
    pub(super) fn prepare<'t>(
        &mut self,
        tensors: impl Iterator<Item = &'t StoredTensor>,
    ) -> Result<()> {
        for tensor in tensors {
            let is_direct = |order: Order| order != Order::Scattered;
            if self.plan.get(tensor).is_some_and(|used| is_direct(used.placement.order)) {
                let reader = self.reader(tensor)?;
                self.ready.insert(tensor.key.clone(), reader);
            }
        }
        Ok(())
    }

    /// Takes a plan that covers more tensors of the same model.
    ///
    /// # Errors
    /// [`Error::Weights`] when the layout of tensors that were read differs in it.
    pub(super) fn extend(&mut self, plan: Plan) -> Result<()> {
        if let Some(key) = self.plan.first_difference(&plan) {
            let key = shortened(key);
            return Err(Error::Weights(format!(
                "the layout of `{key}` was taken to be another than that of the matrices in this file; save the model in \
                 one file"
            )));
        }
        self.plan = plan;
        Ok(())
    }

    /// The name of the family.
    pub fn family(&self) -> &'static str {
        self.plan.family
    }

    /// Begins a tensor. [`Assembler::push`] takes its elements, in row-major order and little-endian.
    ///
    /// # Errors
    /// [`Error::Weights`] when the tensor is not needed; [`Error::Memory`].
    pub fn begin(&mut self, tensor: &StoredTensor) -> Result<()> {
        let reader = match self.ready.remove(&tensor.key) {
            Some(reader) => reader,
            None => self.reader(tensor)?,
        };
        self.current = Some((tensor.key.clone(), reader));
        Ok(())
    }

    fn reader(&mut self, tensor: &StoredTensor) -> Result<TensorReader> {
        let Some(used) = self.plan.get(tensor) else {
            let key = shortened(&tensor.key);
            return Err(Error::Weights(format!(
                "`{key}` was read but is not needed; report this as a bug"
            )));
        };
        let join = self.joins.remove(&used.name);
        TensorReader::new(used, join, self.format)
            .map_err(|_| out_of_memory(bytes_needed(&self.plan.config, self.format)))
    }

    /// Takes the next elements of the tensor, in pieces of any size.
    ///
    /// # Errors
    /// [`Error::Weights`] when the format cannot represent a value.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.current {
            Some((_, reader)) => reader.push(bytes),
            None => Ok(()),
        }
    }

    /// Ends the tensor.
    ///
    /// # Errors
    /// [`Error::Weights`] when elements are missing or left, or when the format cannot represent its values.
    pub fn end(&mut self) -> Result<()> {
        let Some((key, reader)) = self.current.take() else { return Ok(()) };
        if let Some((found, expected)) = reader.wrong_count() {
            let key = shortened(&key);
            return Err(Error::Weights(format!(
                "`{key}` has {found} elements, expected {expected} by its shape"
            )));
        }
        if let Some((name, join)) = reader.finish(&mut self.weights)? {
            self.joins.insert(name, join);
        }
        Ok(())
    }

    /// The model's config and weights, after the last tensor. The weights have the whole report.
    ///
    /// # Errors
    /// [`Error::Weights`] when tensors are missing.
    pub fn finish(mut self) -> Result<(Config, Weights)> {
        self.plan.check_complete()?;
        self.plan.report_filled();
        let mut weights = self.weights;
        let unread = |name: &String| self.plan.makes(name) && !weights.contains(name);
        let expected = super::shapes::expected_shapes(&self.plan.config_in_memory());
        if let Some((name, shape)) = expected.iter().find(|(name, _)| unread(name)) {
            return Err(super::shapes::missing(name, shape));
        }
        for (name, shape) in self.plan.filled() {
            weights.fill(name, &shape)?;
        }
        weights.prepend_report(self.plan.report);
        weights.compare_head(&self.plan.config)?;
        if self.plan.drops_zero_head_bias && weights.drop_zero(HEAD_BIAS)? {
            weights.report_mut().forget(HEAD_BIAS);
            weights.report_mut().ignored_zeros(HEAD_BIAS);
        }
        let mut config = weights.config(self.plan.config);
        config.tie_word_embeddings = !weights.contains(HEAD);
        Ok((config, weights))
    }
}
