//! From the tensors of a checkpoint's files to the parameters of a model: which config it has, and where the elements of
//! each parameter come from.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::config::Config;
use super::dtype::Dtype;
use super::family::{self, Family, Listed, Listing, Meaning, Slot};
use super::json::Json;
use super::layout::{Layout, Order, Piece, Placement, fits, stored_shape};
use super::report::{NoticeKind, Report};
use super::role::{self, Role, Shapes};
use super::settings::{self, Settings};
use super::shapes::{
    HEAD, HEAD_BIAS, check_layer, expected_shapes, matrix_axes, missing, without_prefix,
    wrong_shape,
};
use super::stored::{Contents, Omitted, StoredTensor};
use crate::error::{Error, Result, shortened};

/// How the tensors of a checkpoint become the parameters of a model.
pub(crate) struct Plan {
    /// The config of the model. Reading the values may still change `tie_word_embeddings` and `unembed_bias`.
    pub config: Config,
    /// The name of the family.
    pub family: &'static str,
    /// Notices about the config and the tensors.
    pub report: Report,
    /// What each stored tensor becomes, by its key. The others are not read.
    uses: HashMap<String, Use>,
    /// The parameters that stored tensors make.
    made: HashSet<String>,
    /// Whether a bias of the logits that is zero is dropped.
    pub(super) drops_zero_head_bias: bool,
}

/// What a stored tensor becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use {
    /// The parameter.
    pub name: String,
    pub shape: Vec<usize>,
    pub dtype: Dtype,
    pub placement: Placement,
    /// The number of tensors that make the parameter.
    pub pieces: usize,
    /// Whether it must be zero, and is then ignored.
    pub must_be_zero: bool,
}

/// Recognizes the family of the tensors in `contents` and plans how they are read. `config` is the text of
/// `config.json`, `overrides` the fields that the caller gives, as a JSON object. `contents` are those of each file of
/// the checkpoint.
///
/// # Errors
/// [`Error::Weights`] when the tensors are those of no family, or make no model; [`Error::Config`] and
/// [`Error::ConfigOf`] when the config cannot be used, or lacks fields that no tensor shows.
pub(crate) fn plan(
    config: Option<&str>,
    overrides: Option<&str>,
    contents: &[&Contents],
) -> Result<Plan> {
    let listing = Listing::new(contents.iter().flat_map(|contents| &contents.tensors))?;
    let embedded = contents.iter().find_map(|contents| contents.config.as_ref());
    let settings = Settings::read(embedded, config, overrides)?;
    let fields = settings.fields();
    let family = family::recognize(&listing, &fields)?;
    let mut meanings: Vec<_> =
        listing.tensors.iter().map(|listed| family.meaning(listed)).collect();
    let is_untied = fields.get("tie_word_embeddings") == Some(&Json::Bool(false));
    let has_only_head = !is_untied && embed_with_head(&mut meanings);
    let slots: Vec<_> = meanings.iter().map(slot_of).collect();
    let (config, report) = settings.config(&*family, &listing, &slots)?;
    let mut plan = Plan::new(config, &*family, report);
    plan.add_all(&*family, &listing, &meanings)?;
    plan.check_complete()?;
    if has_only_head {
        let message =
            "The files have no token embedding: it is the unembedding, as in a tied model.";
        plan.report.push(NoticeKind::Tied, "wte.weight", message.into());
    }
    plan.report_omitted(contents.iter().flat_map(|contents| &contents.omitted));
    Ok(plan)
}

/// Takes the head for the embedding of a tied model that has been saved under the head's name only, as `save_model` of
/// safetensors does. Whether there is such a head.
fn embed_with_head(meanings: &mut [Meaning]) -> bool {
    let is = |meaning: &Meaning, wanted: &str| matches!(meaning, Meaning::Parameter(Slot { name, .. }) if name == wanted);
    if meanings.iter().any(|meaning| is(meaning, "wte.weight")) {
        return false;
    }
    match meanings.iter_mut().find(|meaning| is(meaning, HEAD)) {
        Some(Meaning::Parameter(slot)) => {
            slot.name = "wte.weight".into();
            true
        }
        _ => false,
    }
}

fn slot_of(meaning: &Meaning) -> Option<Slot> {
    match meaning {
        Meaning::Parameter(slot) => Some(slot.clone()),
        Meaning::Buffer | Meaning::Unknown => None,
    }
}

impl Plan {
    fn new(config: Config, family: &dyn Family, report: Report) -> Plan {
        Plan {
            config,
            family: family.name(),
            report,
            uses: HashMap::new(),
            made: HashSet::new(),
            drops_zero_head_bias: family.drops_zero_head_bias(),
        }
    }

    /// The plan for tensors of a model with this config. They may be those of some files of several, so that parameters
    /// may be missing.
    ///
    /// # Errors
    /// As [`plan`].
    pub fn of_some<'c>(
        tensors: impl IntoIterator<Item = &'c StoredTensor>,
        config: &Config,
    ) -> Result<Plan> {
        let listing = Listing::new(tensors)?;
        let family = family::recognize_some(&listing)?;
        let meanings: Vec<_> =
            listing.tensors.iter().map(|listed| family.meaning(listed)).collect();
        let mut plan = Plan::new(config.clone(), &*family, Report::default());
        plan.add_all(&*family, &listing, &meanings)?;
        Ok(plan)
    }

    /// Reports what the files hold beside the model, one notice for each key at the top. The config of the model is
    /// not among it, although its fields are listed.
    fn report_omitted<'o>(&mut self, omitted: impl Iterator<Item = &'o Omitted>) {
        let mut parts: BTreeMap<&str, Vec<&Omitted>> = BTreeMap::new();
        for part in omitted {
            let top = part.key.split('.').next().unwrap_or_default();
            if !settings::NESTED.contains(&top) {
                parts.entry(top).or_default().push(part);
            }
        }
        for (top, parts) in parts {
            let top = shortened(top);
            let message = match parts.as_slice() {
                [Omitted { key, what }] => {
                    format!("`{}` ({}) was not read.", shortened(key), shortened(what))
                }
                parts => format!(
                    "`{top}` was not read: it holds {} parts that are not weights of the model.",
                    parts.len()
                ),
            };
            self.report.push(NoticeKind::Ignored, &top, message);
        }
    }

    /// What the tensor becomes. None if it is not read.
    pub(super) fn get(&self, tensor: &StoredTensor) -> Option<&Use> {
        self.uses.get(&tensor.key)
    }

    /// The key of a tensor that `other` reads in another way.
    pub(super) fn first_difference(&self, other: &Plan) -> Option<&str> {
        let differs = |(key, used): &(&String, &Use)| other.uses.get(*key) != Some(*used);
        self.uses.iter().filter(differs).map(|(key, _)| key.as_str()).min()
    }

    /// Whether a stored tensor becomes this parameter or a part of it.
    pub(super) fn makes(&self, name: &str) -> bool {
        self.made.contains(name)
    }

    /// The config of the model in memory before an unembedding was compared with the embedding.
    pub(super) fn config_in_memory(&self) -> Config {
        let tied = self.config.tie_word_embeddings && !self.makes(HEAD);
        Config { tie_word_embeddings: tied, ..self.config.clone() }
    }

    /// Checks that every parameter is made, but for biases, which may be absent.
    ///
    /// # Errors
    /// [`Error::Weights`] that names the first that is missing.
    pub(super) fn check_complete(&self) -> Result<()> {
        let mut expected = expected_shapes(&self.config);
        expected.sort();
        let is_missing = |(name, _): &&(String, _)| !self.makes(name) && !may_be_absent(name);
        match expected.iter().find(is_missing) {
            Some((name, shape)) => Err(missing(name, shape)),
            None => self.check_pieces(),
        }
    }

    fn check_pieces(&self) -> Result<()> {
        let mut found: HashMap<&str, usize> = HashMap::new();
        for used in self.uses.values() {
            *found.entry(&used.name).or_default() += 1;
        }
        let is_incomplete = |used: &&Use| found[used.name.as_str()] < used.pieces;
        match self.uses.values().filter(is_incomplete).map(|used| &used.name).min() {
            Some(name) => Err(Error::Weights(format!(
                "`{name}` is made of queries, keys and values, but the file holds only {} of the 3 tensors",
                found[name.as_str()]
            ))),
            None => Ok(()),
        }
    }

    /// The biases that no file holds, with their shapes.
    pub(super) fn filled(&self) -> Vec<(String, Vec<usize>)> {
        let is_filled = |(name, _): &(String, _)| !self.makes(name) && may_be_absent(name);
        expected_shapes(&self.config).into_iter().filter(is_filled).collect()
    }

    pub(super) fn report_filled(&mut self) {
        for (name, _) in self.filled() {
            let message = format!("No file holds `{name}`: it is zero.");
            self.report.push(NoticeKind::Filled, &name, message);
        }
    }

    fn add_all(
        &mut self,
        family: &dyn Family,
        listing: &Listing,
        meanings: &[Meaning],
    ) -> Result<()> {
        let shapes: Shapes = expected_shapes(&self.config).into_iter().collect();
        let mut others = Vec::new();
        let mut training = Vec::new();
        let mut sources: HashMap<String, Vec<(Piece, Layout, &str)>> = HashMap::new();
        for (listed, meaning) in listing.tensors.iter().zip(meanings) {
            match meaning {
                Meaning::Parameter(slot) => {
                    let of = sources.entry(slot.name.clone()).or_default();
                    check_once(slot, listed, of)?;
                    of.push((slot.piece, slot.layout, &listed.tensor.key));
                    self.add(slot, listed, &shapes)?;
                }
                Meaning::Buffer => self.check_layer(&listed.name, listed)?,
                Meaning::Unknown => match role::of(listed, family.name(), &shapes) {
                    Ok(Role::OtherTask) => others.push(listed.name.as_str()),
                    Ok(Role::Training) => training.push(listed.name.as_str()),
                    Ok(Role::Unknown) => self.report_unknown(listed),
                    Err(error) => return self.check_layer(&listed.name, listed).and(Err(error)),
                },
            }
        }
        self.report.ignored_heads("the file", others.into_iter());
        self.report.ignored_training(&training);
        self.report_sources(&sources);
        Ok(())
    }

    /// Adds the use of a tensor that is a parameter, or a part of one.
    fn add(&mut self, slot: &Slot, listed: &Listed, shapes: &Shapes) -> Result<()> {
        let Listed { tensor, .. } = listed;
        let shown = shortened(without_prefix(&tensor.key)).into_owned();
        self.check_layer(&slot.name, listed)?;
        let (width, vocabulary) = (self.config.n_embd, self.config.vocab_size);
        let must_be_zero = slot.name == HEAD_BIAS && !self.config.unembed_bias;
        let shape = match (shapes.get(&slot.name), slot.name.as_str()) {
            (Some(shape), _) => shape.clone(),
            (None, HEAD) => vec![vocabulary, width], // although the config says that it is tied
            (None, HEAD_BIAS) => vec![vocabulary],
            (None, name) => {
                return Err(Error::Weights(format!(
                    "`{shown}` is in the file, but a model with this config has no `{name}`: correct {}",
                    fields_of(name)
                )));
            }
        };
        let heads = self.config.n_head;
        let Slot { piece, layout, .. } = *slot;
        if !fits(&tensor.shape, &shape, piece, layout, heads) {
            let expected = stored_shape(&shape, piece, layout, heads);
            let error = wrong_shape(&shown, &tensor.shape, &expected);
            return Err(match error {
                Error::Weights(message) if is_by_head(slot, &tensor.shape) => {
                    Error::Weights(format!(
                        "{message}. Each head seems to hold its own queries, keys and values: save them as three tensors"
                    ))
                }
                other => other,
            });
        }
        let Some(dtype) = Dtype::named(&tensor.dtype) else {
            let found = &tensor.dtype;
            return Err(Error::Weights(format!(
                "`{shown}` has dtype {found}, expected F64, F32, F16 or BF16"
            )));
        };
        let is_matrix = matrix_axes(&slot.name).is_some();
        let placement = Placement::new(&shape, piece, layout, heads, is_matrix);
        let (name, pieces) = (slot.name.clone(), piece.count());
        if !must_be_zero {
            self.made.insert(name.clone());
        }
        let used = Use { name, shape, dtype, placement, pieces, must_be_zero };
        self.uses.insert(tensor.key.clone(), used);
        Ok(())
    }

    /// Checks that the layer of a canonical name is one of the model's.
    fn check_layer(&self, name: &str, listed: &Listed) -> Result<()> {
        check_layer(name, &listed.tensor.key, self.config.n_layer)
    }

    fn report_unknown(&mut self, listed: &Listed) {
        let (name, StoredTensor { key, dtype, shape, .. }) = (&listed.name, listed.tensor);
        let name = shortened(name);
        let message = format!(
            "`{name}` ({dtype}, shape {shape:?}) is not known and was left out: a model does not compute with it."
        );
        self.report.push_from(NoticeKind::Unknown, &name, message, &[key]);
    }

    /// Reports what was renamed, transposed and joined, in the order of the forward pass.
    fn report_sources(&mut self, sources: &HashMap<String, Vec<(Piece, Layout, &str)>>) {
        let names = expected_shapes(&self.config_in_memory()).into_iter().map(|(name, _)| name);
        for name in names {
            let Some(from) = sources.get(&name) else { continue };
            let mut from = from.clone();
            from.sort_by_key(|(piece, ..)| *piece as u8);
            let keys: Vec<&str> = from.iter().map(|(.., key)| *key).collect();
            let listed: Vec<_> = keys.iter().map(|key| format!("`{}`", shortened(key))).collect();
            let listed = listed.join(", ");
            let is = |order: Order| {
                keys.iter().any(|key| {
                    self.uses.get(*key).is_some_and(|used| used.placement.order == order)
                })
            };
            let (kind, message) = match from.as_slice() {
                [(Piece::Whole, layout, key)] => match layout {
                    Layout::Transposed if is(Order::Transposed) => {
                        (NoticeKind::Transposed, format!("`{name}` is {listed}, transposed."))
                    }
                    _ if without_prefix(key) == name => continue,
                    _ => (NoticeKind::Renamed, format!("`{name}` is {listed} in the file.")),
                },
                _ => (
                    NoticeKind::Joined,
                    format!("`{name}` is {listed}, side by side with the heads in their order."),
                ),
            };
            self.report.push_from(kind, &name, message, &keys);
        }
    }
}

/// Whether the parameter is a bias, which is zero if it is absent.
fn may_be_absent(name: &str) -> bool {
    name.ends_with(".bias") && name != HEAD_BIAS
}

/// Checks that no other tensor is the same piece.
fn check_once(slot: &Slot, listed: &Listed, others: &[(Piece, Layout, &str)]) -> Result<()> {
    let is_same = |(piece, ..): &&(Piece, Layout, &str)| {
        *piece == slot.piece || [*piece, slot.piece].contains(&Piece::Whole)
    };
    match others.iter().find(is_same) {
        Some((.., first)) => {
            let (first, second) = (shortened(first), shortened(&listed.tensor.key));
            Err(Error::Weights(format!(
                "`{first}` and `{second}` are both `{}` by their names; remove or rename one of them",
                slot.name
            )))
        }
        None => Ok(()),
    }
}

/// Whether a whole `c_attn` has an axis for heads in front of one for queries, keys and values.
fn is_by_head(slot: &Slot, shape: &[u64]) -> bool {
    let axes = if slot.name.ends_with(".weight") { 3 } else { 2 };
    slot.piece == Piece::Whole && slot.name.contains("attn.c_attn.") && shape.len() == axes
}

/// The fields of the config that decide whether a parameter exists.
fn fields_of(name: &str) -> &'static str {
    match name {
        "wpe.weight" => "`position_embedding`",
        _ if name.contains("mlp.ln") => "`activation_function` or `normalization_type`",
        _ if name.contains("mlp.") => "`attn_only`",
        _ if name.contains("ln_2") => "`attn_only` or `normalization_type`",
        _ => "`normalization_type`",
    }
}
