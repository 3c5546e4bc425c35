//! The configs of a model to one [`Config`]: what a checkpoint holds itself, `config.json`, and what the caller says.
//!
//! A family translates the fields of each. What no config says comes from the shapes of tensors or from the family's
//! defaults, which the report lists, or is asked for.

use super::architecture::{Normalization, PositionEmbedding};
use super::config::Config;
use super::config_file;
use super::family::{self, Family, Listing, Slot};
use super::json::{self, Fields, Json};
use super::layout::{Layout, Piece};
use super::report::{NoticeKind, Report};
use super::shapes::{HEAD, HEAD_BIAS, layer_of};
use crate::error::{Error, FieldChoice, MissingField, Result};

const MAX_BYTES: usize = 1 << 20;

/// Where programs nest the config of the model.
pub(super) const NESTED: [&str; 8] =
    ["model_args", "model_config", "gpt_config", "config", "model", "cfg", "args", "params"];

/// The fields that show that an object is the config itself.
const SIZES: [&str; 12] = [
    "n_layer",
    "n_layers",
    "num_layers",
    "num_hidden_layers",
    "n_embd",
    "d_model",
    "hidden_size",
    "vocab_size",
    "d_vocab",
    "n_head",
    "n_heads",
    "model_type",
];

/// The fields that are absent if they are null.
const REQUIRED: [&str; 9] = [
    "n_layer",
    "n_head",
    "n_embd",
    "n_positions",
    "vocab_size",
    "position_embedding",
    "normalization_type",
    "activation_function",
    "layer_norm_epsilon",
];

const FILE: &str = "config.json";
const CALLER: &str = "the option `config`";
/// The longest context of a model whose positions have no table and whose config does not say one.
const CONTEXT: u64 = 1024;

/// The fields of a model's configs.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// What the checkpoint holds, where it is, and then `config.json`.
    files: Vec<(String, Fields)>,
    caller: Fields,
    report: Report,
}

/// What the tensors show of a config.
#[derive(Debug, Default)]
struct Shown {
    sizes: Vec<(&'static str, u64)>,
    has_positions: bool,
    has_norms: bool,
    has_mlps: bool,
    has_head: bool,
    has_head_bias: bool,
}

impl Settings {
    /// # Errors
    /// [`Error::ConfigOf`] when a text is not a JSON object.
    pub fn read(
        embedded: Option<&Json>,
        file: Option<&str>,
        overrides: Option<&str>,
    ) -> Result<Settings> {
        let mut settings = Settings::default();
        if let Some(Json::Object(fields)) = embedded {
            let place = "the config in the checkpoint";
            settings.files.push((place.into(), fields.clone()));
        }
        if let Some(text) = file {
            let fields = json::object(text.as_bytes(), MAX_BYTES).map_err(Error::Config)?;
            settings.files.push((FILE.into(), fields));
        }
        if let Some(text) = overrides {
            let fields = json::object(text.as_bytes(), MAX_BYTES);
            settings.caller = fields.map_err(|message| at(CALLER, message))?;
        }
        for (place, fields) in &mut settings.files {
            unnest(place, fields, &mut settings.report);
        }
        Ok(settings)
    }

    /// The fields of all files, as they are there.
    pub fn fields(&self) -> Fields {
        let all = self.files.iter().flat_map(|(_, fields)| fields.clone());
        all.collect()
    }

    /// The config of a model of this family. `slots` are those of the listing's tensors.
    ///
    /// # Errors
    /// [`Error::Config`] or [`Error::ConfigOf`] when a field cannot be, or is missing.
    pub fn config(
        mut self,
        family: &dyn Family,
        listing: &Listing,
        slots: &[Option<Slot>],
    ) -> Result<(Config, Report)> {
        let place = self.files.last().map_or(CALLER.to_string(), |(place, _)| place.clone());
        let mut fields = self.merged(family)?;
        let overridden: Vec<String> = self.caller.keys().cloned().collect();
        fields.retain(|name, value| *value != Json::Null || !REQUIRED.contains(&name.as_str()));
        let shown = Shown::new(listing, slots);
        shown.add_sizes(&mut fields);
        self.add_architecture(family, &shown, &mut fields);
        self.add_defaults(family, listing, &mut fields);
        config_file::check_architecture(&fields).map_err(|error| match error {
            Error::Config(message) => at(&place, message),
            other => other,
        })?;
        let missing = missing_fields(&shown, &fields);
        if !missing.is_empty() {
            let place = if place == CALLER { "the model's files" } else { &place };
            return Err(asked(place, missing));
        }
        let place = |message: &str| {
            let field = message.split('`').nth(1).unwrap_or_default();
            if overridden.iter().any(|name| name == field) {
                CALLER.to_string()
            } else {
                place.clone()
            }
        };
        let config = config_file::from_fields(fields).map_err(|error| match error {
            Error::Config(message) => at(&place(&message), message),
            other => other,
        });
        let (config, notices) = config?;
        self.report.append(notices);
        if let Some((name, message)) = family.remark(listing) {
            self.report.push(NoticeKind::Assumed, name, message);
        }
        Ok((config, self.report))
    }

    /// The fields of all configs under the names of `config.json`.
    fn merged(&mut self, family: &dyn Family) -> Result<Fields> {
        let translate = |place: &str, fields: Fields, report: &mut Report| {
            family.translate(fields, report).map_err(|error| moved(error, place))
        };
        let mut caller = translate(CALLER, std::mem::take(&mut self.caller), &mut self.report)?;
        config_file::rename_aliases(&mut caller).map_err(|error| moved(error, CALLER))?;
        let mut merged = Fields::new();
        let mut first_place = String::new();
        for (place, fields) in std::mem::take(&mut self.files) {
            let mut fields = translate(&place, fields, &mut self.report)?;
            config_file::rename_aliases(&mut fields).map_err(|error| moved(error, &place))?;
            for (name, value) in fields {
                match merged.get(&name) {
                    Some(_) if value == Json::Null => {} // one file says it, the other does not
                    Some(first)
                        if ![&Json::Null, &value].contains(&first)
                            && !caller.contains_key(&name) =>
                    {
                        let (first, second) = (Json::describe(first), value.describe());
                        return Err(at(
                            &place,
                            format!(
                                "`{name}` is {second}, but in {first_place} it is {first}, expected the same; say which \
                                 with the option `config`"
                            ),
                        ));
                    }
                    _ => drop(merged.insert(name, value)),
                }
            }
            first_place = place;
        }
        for (name, value) in &caller {
            let (shown, old) = (value.describe(), merged.get(name).map(Json::describe));
            match old {
                Some(old) if old == shown => {}
                Some(old) => self.report.push(
                    NoticeKind::Used,
                    name,
                    format!(
                        "`{name}` is {shown}, as the option `config` says; the files say {old}."
                    ),
                ),
                None => self.report.push(
                    NoticeKind::Assumed,
                    name,
                    format!("`{name}` is {shown}, as the option `config` says."),
                ),
            }
        }
        merged.extend(caller.clone());
        self.caller = caller;
        Ok(merged)
    }

    /// What the presence of tensors shows.
    fn add_architecture(&mut self, family: &dyn Family, shown: &Shown, fields: &mut Fields) {
        let mut add = |name: &str, value: Json| {
            fields.entry(name.into()).or_insert(value);
        };
        if family.varies() {
            add("attn_only", Json::Bool(!shown.has_mlps));
            if shown.has_norms {
                add("normalization_type", Json::Text(Normalization::LayerNorm.word().into()));
            }
            if shown.has_head_bias {
                add("unembed_bias", Json::Bool(true));
            }
        } else {
            add("normalization_type", Json::Text(Normalization::LayerNorm.word().into()));
            add("position_embedding", Json::Text(PositionEmbedding::Learned.word().into()));
        }
        if !family.ties_by_default() {
            add("tie_word_embeddings", Json::Bool(!shown.has_head));
            if !shown.has_head {
                let message =
                    "The files have no unembedding: the model unembeds with the token embedding.";
                self.report.push(NoticeKind::Tied, HEAD, message.into());
            }
        }
        if fields.get("attn_only") == Some(&Json::Bool(true)) {
            let unused = Json::Text("gelu_new".into()); // without MLPs the field has no effect
            fields.entry("activation_function".into()).or_insert(unused);
        }
        if fields.get("normalization_type") == Some(&Json::Text("none".into())) {
            fields.entry("layer_norm_epsilon".into()).or_insert(Json::Number(1e-5)); // no effect
        }
    }

    fn add_defaults(&mut self, family: &dyn Family, listing: &Listing, fields: &mut Fields) {
        let mut defaults = family.defaults(listing, fields);
        let has_table = fields
            .get("position_embedding")
            .is_none_or(|kind| [text("learned"), text("shortformer")].contains(kind));
        if !has_table {
            let why = "which does not change the numbers of shorter texts";
            defaults.push(family::Default {
                field: "n_positions",
                value: Json::Whole(CONTEXT),
                why,
            });
        }
        for family::Default { field, value, why } in defaults {
            if fields.contains_key(field) {
                continue;
            }
            let shown = match &value {
                Json::Text(text) => format!("\"{text}\""),
                value => value.describe(),
            };
            let message = format!(
                "No config gives `{field}`: {shown} was taken, {why}. If the model has another one, load it with \
                 `config: {{ {field}: … }}`."
            );
            self.report.push(NoticeKind::Assumed, field, message);
            fields.insert(field.into(), value);
        }
        if fields.get("position_embedding") == Some(&text("sinusoidal")) {
            let message = "Position p has sin(p / 10000^(2i/d)) at 2i and the cosine at 2i + 1, as in Vaswani et al. 2017, \
                           where d is `n_embd`. Programs that place all sines before all cosines compute other numbers.";
            self.report.push(NoticeKind::Assumed, "position_embedding", message.into());
        }
    }
}

fn text(word: &str) -> Json {
    Json::Text(word.into())
}

fn at(place: &str, message: String) -> Error {
    match place {
        FILE => Error::Config(message),
        _ => Error::ConfigOf { place: place.into(), message, missing: Vec::new() },
    }
}

fn moved(error: Error, place: &str) -> Error {
    match error {
        Error::Config(message) => at(place, message),
        other => other,
    }
}

/// Replaces the fields by those of the object in which the config of the model is.
fn unnest(place: &str, fields: &mut Fields, report: &mut Report) {
    let has_size = |fields: &Fields| SIZES.iter().any(|name| fields.contains_key(*name));
    for name in NESTED {
        let is_config = |value: &Json| matches!(value, Json::Object(inner) if has_size(inner));
        if has_size(fields) && name != "model_args" {
            continue;
        }
        if !fields.get(name).is_some_and(is_config) {
            continue;
        }
        if let Some(Json::Object(inner)) = fields.remove(name) {
            let others: Vec<&str> = fields.keys().map(String::as_str).collect();
            if !others.is_empty() {
                let count = others.len();
                let message = format!(
                    "{place}: the config of the model is in `{name}`; the {count} fields beside it were ignored."
                );
                report.push(NoticeKind::Ignored, name, message);
            }
            *fields = inner;
            return;
        }
    }
}

impl Shown {
    fn new(listing: &Listing, slots: &[Option<Slot>]) -> Shown {
        let mut shown = Shown::default();
        let mut layers = 0;
        for (listed, slot) in listing.tensors.iter().zip(slots) {
            let Some(Slot { name, piece, layout }) = slot else { continue };
            let shape = listed.tensor.shape.as_slice();
            layers = layers.max(layer_of(name).map_or(0, |layer| (layer as u64).saturating_add(1)));
            let last = name.rsplit_once('.').map_or("", |(module, _)| module);
            shown.has_norms |= last.ends_with("ln_1") || last == "ln_f";
            shown.has_mlps |= last.ends_with("mlp.c_fc");
            shown.has_head_bias |= name == HEAD_BIAS;
            match (name.as_str(), shape) {
                ("wte.weight", [vocabulary, width]) => {
                    shown.sizes.extend([("vocab_size", *vocabulary), ("n_embd", *width)]);
                }
                ("wpe.weight", [length, _] | [1, length, _]) => {
                    shown.has_positions = true;
                    shown.sizes.push(("n_positions", *length));
                }
                (HEAD, _) => shown.has_head = true,
                _ => {}
            }
            let heads = match (*layout, *piece, shape) {
                (Layout::HeadFirst, _, [heads, _, _]) => Some(*heads),
                (Layout::Same, Piece::Query, [_, heads, _]) => Some(*heads),
                (Layout::Same, Piece::Whole, [_, 3, heads, _]) => Some(*heads),
                _ => None,
            };
            if let Some(heads) = heads.filter(|_| name.ends_with("attn.c_attn.weight")) {
                shown.sizes.push(("n_head", heads));
            }
            if name.ends_with("mlp.c_fc.weight") {
                match (*layout, shape) {
                    (Layout::Same, [_, inner]) | (Layout::Transposed, [inner, _]) => {
                        shown.sizes.push(("n_inner", *inner));
                    }
                    _ => {}
                }
            }
        }
        if layers > 0 {
            shown.sizes.push(("n_layer", layers));
        }
        shown
    }

    fn size(&self, name: &str) -> Option<u64> {
        self.sizes.iter().find(|(known, _)| *known == name).map(|(_, size)| *size)
    }

    fn add_sizes(&self, fields: &mut Fields) {
        let default = self.size("n_embd").map(|width| width.saturating_mul(4));
        for (name, size) in &self.sizes {
            if *name != "n_inner" || Some(*size) != default {
                fields.entry((*name).into()).or_insert(Json::Whole(*size));
            }
        }
    }
}

/// What must be said, because neither a config nor a shape does.
fn missing_fields(shown: &Shown, fields: &Fields) -> Vec<MissingField> {
    let mut missing = Vec::new();
    let mut ask = |field: &'static str, choices: Vec<FieldChoice>| {
        if !fields.contains_key(field) {
            missing.push(MissingField { field, choices });
        }
    };
    let words = |words: &[&'static str]| words.iter().copied().map(FieldChoice::Word).collect();
    let width = match fields.get("n_embd") {
        Some(Json::Whole(width)) => Some(*width),
        _ => shown.size("n_embd"),
    };
    ask("n_head", width.map(head_counts).unwrap_or_default());
    let positions: &[_] = match shown.has_positions {
        true => &["learned", "shortformer"],
        false => &["sinusoidal", "none"],
    };
    ask("position_embedding", words(positions));
    ask("normalization_type", words(&["LNPre", "none"]));
    ask("activation_function", words(&["gelu_new", "gelu", "relu", "silu", "tanh", "solu_ln"]));
    missing
}

/// The numbers of heads that divide the width of a model, of at most 64.
fn head_counts(width: u64) -> Vec<FieldChoice> {
    let divides = |heads: &u64| width.is_multiple_of(*heads);
    let counts = (1..=width.min(64)).filter(divides);
    counts.map(|heads| FieldChoice::Number(heads as usize)).collect()
}

fn asked(place: &str, missing: Vec<MissingField>) -> Error {
    let one = |MissingField { field, choices }: &MissingField| {
        let choices: Vec<_> = choices.iter().map(ToString::to_string).collect();
        match choices.is_empty() {
            true => format!("`{field}`"),
            false => format!("`{field}` (one of {})", choices.join(", ")),
        }
    };
    let fields: Vec<_> = missing.iter().map(one).collect();
    let example: Vec<_> = missing.iter().map(|missing| format!("{}: …", missing.field)).collect();
    let (fields, example) = (fields.join(" and "), example.join(", "));
    let error = Error::Config(format!(
        "neither a config nor the shapes of the tensors say {fields}; load the model with `config: {{ {example} }}`, or \
         add it to config.json"
    ));
    match error {
        Error::Config(message) => Error::ConfigOf { place: place.into(), message, missing },
        other => other,
    }
}
