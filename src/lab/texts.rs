//! Texts token by token: how well each was predicted, where something is most active, and means over all of them.

use super::measurement::Findings;
use super::{Lab, Prompt, Text, check_count};
use crate::analysis::Table;
use crate::analysis::tokens::{self, Channel, MostActive};
use crate::error::Result;
use crate::hook::HookPoint;
use crate::run::means;
use crate::wire::fields;

impl Lab {
    pub(super) fn token_scores(&self, request: &Text) -> Result<Findings> {
        let (ids, run) = self.run(request, &[] as &[&str])?;
        let scores = tokens::token_scores(run.logits()?, &ids)?;
        Ok(Findings::default()
            .table("loss", scores.loss)
            .table("rank", scores.rank)
            .table("entropy", scores.entropy))
    }

    pub(super) fn most_active(&self, request: &ActiveRequest) -> Result<Findings> {
        let texts = self.ids_of_all(&request.texts)?;
        let channel =
            Channel { point: request.at.parse()?, head: request.head, index: request.index };
        let count = check_count("count", request.count.unwrap_or(20), usize::MAX, "")?;
        let MostActive { places, not_finite } =
            tokens::most_active(&self.model, &texts, channel, count)?;
        let column = |of: fn(&tokens::Activity) -> f32| Table {
            axes: vec!["place"],
            shape: vec![places.len()],
            data: places.iter().map(of).collect(),
            ..Table::default()
        };
        Ok(Findings::default()
            .table("text", column(|activity| activity.text as f32))
            .table("position", column(|activity| activity.position as f32))
            .table("value", column(|activity| activity.value))
            .number("notFinite", not_finite as f32))
    }

    pub(super) fn means(&self, request: &MeansRequest) -> Result<Findings> {
        let texts = self.ids_of_all(&request.texts)?;
        let found = means(&self.model, &texts, &request.names)?;
        let tables = found.into_iter().map(|(name, array)| {
            let axes = name.parse::<HookPoint>()?.axes().to_vec();
            Ok((
                name.into(),
                Table { axes, shape: array.shape, data: array.data, ..Table::default() },
            ))
        });
        Ok(Findings { tables: tables.collect::<Result<_>>()?, ..Findings::default() })
    }
}

pub(super) struct ActiveRequest {
    texts: Vec<Prompt>,
    at: String,
    head: Option<usize>,
    index: usize,
    count: Option<usize>,
}

fields! { ActiveRequest {
    texts: "texts",
    at: "at",
    head: "head" optional,
    index: "index",
    count: "count" optional,
} }

pub(super) struct MeansRequest {
    texts: Vec<Prompt>,
    names: Vec<String>,
}

fields! { MeansRequest { texts: "texts", names: "names" } }
