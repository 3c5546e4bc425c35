//! Expected interventions, sweeps and gradients of a fixture, from its `causal.json` and `causal.safetensors`.
// Each test program uses a part of this.
#![allow(dead_code)]

use std::collections::HashMap;
use std::rc::Rc;

use candle_core::Tensor;
use candlescope::intervene::{Compiler, Function, Selected};
use candlescope::{Intervention, Model, Objective, Selector, Source, means, run_with_cache};
use serde_json::{Value, json};

use crate::common::{FIXTURES, Fixture, tensors};

pub struct Causal {
    pub name: &'static str,
    pub model: Model,
    pub tokens: Vec<u32>,
    /// The tokens with two of them changed.
    pub other: Vec<u32>,
    pub reference: Vec<Vec<u32>>,
    pub json: Value,
    pub tensors: HashMap<String, Tensor>,
}

macro_rules! causal {
    ($index:literal, $name:literal) => {
        Causal::new(
            &FIXTURES[$index],
            include_str!(concat!("../fixtures/", $name, "/causal.json")),
            include_bytes!(concat!("../fixtures/", $name, "/causal.safetensors")),
        )
    };
}

impl Causal {
    pub fn plain() -> Causal {
        causal!(0, "plain")
    }

    pub fn all() -> [Causal; 2] {
        [Causal::plain(), causal!(2, "scaled")]
    }

    fn new(fixture: &Fixture, json: &str, safetensors: &[u8]) -> Causal {
        let json: Value = serde_json::from_str(json).unwrap();
        Causal {
            name: fixture.name,
            model: fixture.model(),
            tokens: fixture.expected().tokens,
            other: serde_json::from_value(json["other"].clone()).unwrap(),
            reference: serde_json::from_value(json["reference"].clone()).unwrap(),
            json,
            tensors: tensors(safetensors),
        }
    }

    pub fn metric(&self, name: &str) -> Objective {
        let metric = &self.json["metrics"][name];
        if metric == "loss" {
            return Objective::Loss;
        }
        let id = |key: &str| metric[key].as_u64().map(|id| id as u32);
        let position = metric["position"].as_i64().unwrap();
        Objective::Logit { answer: id("answer").unwrap(), against: id("against"), position }
    }

    /// Interventions of the fixture, with the values of the run on `other` and the means over `reference` in place.
    pub fn interventions(&self, list: &Value) -> Vec<Intervention> {
        let with_values = |intervention: &Value| {
            let mut intervention = intervention.clone();
            let at = intervention["at"].as_str().unwrap().to_string();
            if intervention["do"]["from"] == "other" {
                intervention["do"]["from"] = json!(self.captured(&self.other, &at));
            }
            if intervention["do"]["mean"] == "reference" {
                intervention["do"]["mean"] =
                    json!(means(&self.model, &self.reference, &[&at]).unwrap());
            }
            Intervention::from_json(&intervention.to_string()).unwrap()
        };
        list.as_array().unwrap().iter().map(with_values).collect()
    }

    /// The values at `at` in a run on `tokens`.
    pub fn captured(&self, tokens: &[u32], at: &str) -> Source {
        let points = Selector::parse(at, self.model.config()).unwrap();
        let names: Vec<String> = points.points().iter().map(ToString::to_string).collect();
        run_with_cache(&self.model, tokens, &names).unwrap().cache.source().unwrap()
    }
}

/// A stand-in for JavaScript that knows four functions.
pub fn compiler() -> Compiler {
    Rc::new(|source: &str| {
        let function: fn(Vec<f32>, &Selected) -> candlescope::Result<Vec<f32>> = match source {
            "x => x * x" => |x, _| Ok(x.into_iter().map(|x| x * x).collect()),
            "x + position" => |x, selected| {
                let width = x.len() / selected.positions.len();
                let position = |index: usize| selected.positions[index / width] as f32;
                Ok(x.iter().enumerate().map(|(index, x)| x + position(index)).collect())
            },
            "throws" => {
                |_, _| Err(candlescope::Error::Hook("the function threw: x is not defined".into()))
            }
            "too short" => |x, _| Ok(x[1..].to_vec()),
            _ => return Err(candlescope::Error::Hook(format!("`{source}` is not a function"))),
        };
        Ok(Box::new(function) as Function)
    })
}
