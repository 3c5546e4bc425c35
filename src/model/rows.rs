//! The texts of one forward pass, packed one after the other.
//!
//! All values of a pass over several texts are `[1, ΣT, ..]`: the rows of all texts in one product, without padding. Position
//! embeddings, attention and hooks run on each text's slice, so results equal those of the text alone. A pass over one text
//! neither splits nor copies.

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};

/// The texts of one pass, in order.
#[derive(Debug, Clone)]
pub(crate) struct Rows(Vec<Row>);

/// One text of a pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Its place among the texts.
    pub(super) index: usize,
    /// How many new positions it has.
    pub(super) length: usize,
    /// The position of the first of them.
    pub(super) first_position: usize,
    /// Where its part of a packed value begins.
    start: usize,
    /// Whether the pass has no other text.
    alone: bool,
}

impl Rows {
    /// One text, or a batch of texts of one length: the hooks get whole values.
    pub(super) fn one(length: usize, first_position: usize) -> Rows {
        Rows(vec![Row { index: 0, length, first_position, start: 0, alone: true }])
    }

    /// Texts with this many new positions each, the first of which has this position.
    pub(crate) fn packed(texts: impl IntoIterator<Item = (usize, usize)>) -> Rows {
        let mut start = 0;
        let row = |(index, (length, first_position))| {
            let row = Row { index, length, first_position, start, alone: false };
            start += length;
            row
        };
        let mut rows: Vec<Row> = texts.into_iter().enumerate().map(row).collect();
        if let [row] = rows.as_mut_slice() {
            row.alone = true;
        }
        Rows(rows)
    }

    /// The texts.
    pub(super) fn iter(&self) -> impl Iterator<Item = Row> + '_ {
        self.0.iter().copied()
    }

    /// Checks that no text is longer than the context.
    ///
    /// # Errors
    /// [`Error::Input`] with the first that is.
    pub(super) fn check_lengths(&self, n_positions: usize) -> Result<()> {
        let length = |row: &Row| row.first_position + row.length;
        match self.0.iter().find(|row| length(row) > n_positions) {
            Some(row) => {
                Err(Error::context_too_long(length(row), n_positions)
                    .in_row(row.index, self.0.len()))
            }
            None => Ok(()),
        }
    }

    /// The only text, if there is one.
    pub(super) fn only(&self) -> Option<Row> {
        match self.0.as_slice() {
            [row] => Some(*row),
            _ => None,
        }
    }

    /// A packed value whose parts `part` gives.
    pub(super) fn map(&self, part: impl FnMut(Row) -> Result<Tensor>) -> Result<Tensor> {
        let mut parts = self.iter().map(part).collect::<Result<Vec<_>>>()?;
        match parts.len() {
            1 => Ok(parts.remove(0)),
            _ => Ok(Tensor::cat(&parts, 1)?),
        }
    }

    /// The parts of a packed value, as views.
    pub(crate) fn split(&self, value: &Tensor) -> Result<Vec<Tensor>> {
        self.iter().map(|row| row.of(value)).collect()
    }
}

impl Row {
    /// The part of a packed value that belongs to this text, as a view.
    pub(super) fn of(self, value: &Tensor) -> Result<Tensor> {
        match self.alone {
            true => Ok(value.clone()),
            false => Ok(value.narrow(1, self.start, self.length)?),
        }
    }
}

/// The token ids of several texts, one after the other: `[1, ΣT]`.
///
/// # Errors
/// [`Error::Input`] if there is no text, or one of them has no token.
pub(crate) fn packed_ids<T: AsRef<[u32]>>(texts: &[T]) -> Result<Tensor> {
    if texts.is_empty() {
        return Err(Error::Input("the batch has no text, expected at least one".into()));
    }
    if let Some(row) = texts.iter().position(|ids| ids.as_ref().is_empty()) {
        return Err(Error::no_token().in_row(row, texts.len()));
    }
    let ids: Vec<u32> = texts.iter().flat_map(|ids| ids.as_ref()).copied().collect();
    let count = ids.len();
    Ok(Tensor::from_vec(ids, (1, count), &Device::Cpu)?)
}
