//! Captured activations: where they go, and the hooks that take them.

use std::collections::BTreeSet;

use candle_core::{Device, Tensor};

use crate::checkpoint::Config;
use crate::error::{Error, Result};
use crate::hook::{HookContext, HookPoint, Hooks, Selectors};
use crate::intervene::{Source, expect_position};
use crate::named_array::NamedArray;
use crate::nearest::nearest;

/// Captured activations, in the order in which they were computed.
#[derive(Clone, Default)]
pub struct Cache {
    entries: Vec<(HookPoint, Tensor)>,
}

impl Cache {
    /// The captured values, in firing order.
    pub fn iter(&self) -> impl Iterator<Item = (HookPoint, &Tensor)> {
        self.entries.iter().map(|(point, value)| (*point, value))
    }

    /// The captured hook points, in firing order.
    pub fn points(&self) -> impl Iterator<Item = HookPoint> {
        self.iter().map(|(point, _)| point)
    }

    /// The names of the captured hook points.
    pub fn names(&self) -> Vec<String> {
        self.points().map(|point| point.to_string()).collect()
    }

    /// The value at `name`, with the axes of [`HookPoint::axes`].
    ///
    /// # Errors
    /// [`Error::Hook`] if it was not captured; the message lists the nearest captured names.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        let found = self.entries.iter().find(|(point, _)| point.to_string() == name);
        found.map(|(_, value)| value).ok_or_else(|| {
            let names = self.names();
            match names.len() {
                0 => Error::Hook(format!(
                    "`{name}` was not captured: nothing was; ask for it in `names`"
                )),
                _ => {
                    let nearest = nearest(name, names.iter().map(String::as_str), 3);
                    Error::Hook(format!(
                        "`{name}` was not captured; the nearest that were are {nearest}"
                    ))
                }
            }
        })
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = (HookPoint, Tensor)> {
        self.entries.into_iter()
    }

    /// All captured values as the source of a patch in another run.
    ///
    /// # Errors
    /// Those of candle.
    pub fn source(&self) -> Result<Source> {
        self.entries
            .iter()
            .map(|(point, value)| Ok((point.to_string(), NamedArray::new(point.axes(), value)?)))
            .collect()
    }

    /// The value at `point`, if it was captured.
    pub fn at(&self, point: HookPoint) -> Option<&Tensor> {
        self.entries.iter().find(|(captured, _)| *captured == point).map(|(_, value)| value)
    }
}

/// A destination of captured values. It gets each value as soon as it is computed.
pub trait Sink {
    /// Whether the values stay in this memory, so that the memory check of a run has to count them.
    const KEEPS: bool = true;

    /// Takes the value at `point`, with the axes of [`HookPoint::axes`].
    ///
    /// # Errors
    /// Those of the destination; an error ends the run.
    fn take(&mut self, point: HookPoint, value: Tensor) -> Result<()>;
}

impl Sink for Cache {
    fn take(&mut self, point: HookPoint, value: Tensor) -> Result<()> {
        self.entries.push((point, value));
        Ok(())
    }
}

/// Hooks that pass the values at some points to a [`Sink`] and change none.
#[derive(Clone)]
pub struct Capture<S = Cache> {
    pub(super) wanted: BTreeSet<HookPoint>,
    /// The rows to take along `pos` or `query`; all if none.
    rows: Option<Tensor>,
    /// Detach values from the graph, so that the memory of the backward pass can be freed after it.
    pub(super) detached: bool,
    pub(super) sink: S,
}

impl Capture {
    /// Captures the points that the names, globs and regular expressions select.
    ///
    /// # Errors
    /// [`Error::Hook`] if one of them matches nothing.
    pub fn new<N: AsRef<str>>(names: &[N], config: &Config) -> Result<Capture> {
        Capture::with_sink(Cache::default(), names, config)
    }

    /// A cache of values that were computed before.
    pub(super) fn collect(
        values: Vec<(HookPoint, Tensor)>,
        positions: Option<&[i64]>,
        length: usize,
    ) -> Result<Cache> {
        let mut capture = Capture::with_sink(Cache::default(), &[] as &[&str], &Config::default())?
            .at_positions(positions, length)?;
        values.into_iter().try_for_each(|(point, value)| capture.take(point, &value))?;
        Ok(capture.sink)
    }

    /// The points that it captures.
    pub(crate) fn points(&self) -> &BTreeSet<HookPoint> {
        &self.wanted
    }

    /// The captured values.
    pub fn into_cache(self) -> Cache {
        self.sink
    }
}

impl<S: Sink> Capture<S> {
    pub(super) fn with_sink<N: AsRef<str>>(
        sink: S,
        names: &[N],
        config: &Config,
    ) -> Result<Capture<S>> {
        let (mut selectors, mut wanted) = (Selectors::new(config), BTreeSet::new());
        for name in names {
            wanted.extend(selectors.parse(name.as_ref())?);
        }
        Ok(Capture { wanted, rows: None, detached: false, sink })
    }

    /// Restricts the capture to these rows along `pos` or `query`, of values with `length` of them.
    pub(super) fn at_positions(
        mut self,
        positions: Option<&[i64]>,
        length: usize,
    ) -> Result<Capture<S>> {
        self.rows = positions.map(|positions| rows(positions, length)).transpose()?;
        Ok(self)
    }

    fn take(&mut self, point: HookPoint, value: &Tensor) -> Result<()> {
        let row_axis = point.axes().iter().position(|axis| matches!(*axis, "pos" | "query"));
        let taken = match (&self.rows, row_axis) {
            (Some(rows), Some(axis)) => value.contiguous()?.index_select(rows, axis)?,
            _ => value.clone(),
        };
        self.sink.take(point, if self.detached { taken.detach() } else { taken })
    }
}

impl<S: Sink> Hooks for Capture<S> {
    fn wants(&self, point: HookPoint) -> bool {
        self.wanted.contains(&point)
    }

    fn visit(&mut self, context: HookContext, value: Tensor) -> Result<Tensor> {
        self.take(context.point, &value)?;
        Ok(value)
    }
}

/// The indices of `positions` among `length` rows; negative positions count from the end.
///
/// # Errors
/// [`Error::Input`] if there is no position, or one is out of range or listed twice.
pub(crate) fn resolve_rows(positions: &[i64], length: usize) -> Result<Vec<u32>> {
    let row = |position: &i64| Ok(expect_position(*position, length)? as u32);
    let rows = positions.iter().map(row).collect::<Result<Vec<_>>>()?;
    if rows.is_empty() {
        return Err(Error::Input("`positions` is empty, expected at least one to capture".into()));
    }
    let mut seen = BTreeSet::new();
    match rows.iter().find(|row| !seen.insert(**row)) {
        Some(row) => {
            Err(Error::Input(format!("`positions` has position {row} twice, expected each once")))
        }
        None => Ok(rows),
    }
}

/// The same as a tensor.
fn rows(positions: &[i64], length: usize) -> Result<Tensor> {
    let rows = resolve_rows(positions, length)?;
    Ok(Tensor::from_vec(rows, positions.len(), &Device::Cpu)?)
}
