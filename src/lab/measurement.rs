//! Measurements under way, and what they found.

use std::borrow::Cow;

use crate::analysis::Table;
use crate::analysis::gradients::{IntegratedGradients, Shares};
use crate::analysis::heads::RepeatedScores;
use crate::analysis::patching::{Patched, Sweep};
use crate::analysis::path_patching::PathSweep;
use crate::error::Result;

/// What a measurement found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    pub tables: Vec<(Cow<'static, str>, Table)>,
    pub numbers: Vec<(&'static str, f32)>,
    /// Texts beside a table: the tokens whose ids it holds, say.
    pub texts: Vec<(&'static str, Vec<String>)>,
}

impl Findings {
    pub(super) fn table(mut self, name: impl Into<Cow<'static, str>>, table: Table) -> Findings {
        self.tables.push((name.into(), table));
        self
    }

    pub(super) fn number(mut self, name: &'static str, number: f32) -> Findings {
        self.numbers.push((name, number));
        self
    }

    pub(super) fn texts(mut self, name: &'static str, texts: Vec<String>) -> Findings {
        self.texts.push((name, texts));
        self
    }
}

impl From<Patched> for Findings {
    fn from(patched: Patched) -> Findings {
        let found = Findings::default()
            .table("raw", patched.raw)
            .number("clean", patched.clean)
            .number("corrupted", patched.corrupted);
        match patched.normalized {
            Some(normalized) => found.table("normalized", normalized),
            None => found,
        }
    }
}

/// A measurement under way, so that a caller can show progress and stop between steps.
pub trait Measurement {
    fn total(&self) -> usize;
    fn done(&self) -> usize;
    /// Does the next step; false when there was none left.
    fn step(&mut self) -> Result<bool>;
    /// Does what is left, and sums up.
    fn finish(self: Box<Self>) -> Result<Findings>;
}

macro_rules! stepwise {
    ($type:ty, $found:expr) => {
        impl Measurement for $type {
            fn total(&self) -> usize {
                self.len()
            }

            fn done(&self) -> usize {
                <$type>::done(self)
            }

            fn step(&mut self) -> Result<bool> {
                <$type>::step(self)
            }

            fn finish(self: Box<Self>) -> Result<Findings> {
                Ok($found(<$type>::finish(*self)?))
            }
        }
    };
}

stepwise!(Sweep, Findings::from);
stepwise!(PathSweep, Findings::from);
stepwise!(RepeatedScores, |scores| Findings::default().table("scores", scores));
stepwise!(IntegratedGradients, |shares: Shares| {
    let error = shares.error();
    let found =
        Findings::default().number("metric", shares.metric).number("baseline", shares.baseline);
    found.number("error", error).table("shares", shares.shares)
});

/// A measurement of one step.
struct Single<F>(Option<F>, Findings);

impl<F: FnOnce() -> Result<Findings>> Measurement for Single<F> {
    fn total(&self) -> usize {
        1
    }

    fn done(&self) -> usize {
        usize::from(self.0.is_none())
    }

    fn step(&mut self) -> Result<bool> {
        let Some(measure) = self.0.take() else { return Ok(false) };
        self.1 = measure()?;
        Ok(true)
    }

    fn finish(mut self: Box<Self>) -> Result<Findings> {
        self.step()?;
        Ok(self.1)
    }
}

pub(super) type Begun = Result<Box<dyn Measurement>>;

pub(super) fn once(measure: impl FnOnce() -> Result<Findings> + 'static) -> Begun {
    Ok(Box::new(Single(Some(measure), Findings::default())))
}
