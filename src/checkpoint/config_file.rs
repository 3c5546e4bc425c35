//! `config.json` to a [`Config`].
//!
//! Fields that do not change what the model computes (dropout, initialisation, summaries) are ignored. Fields that would
//! change it in a way that this crate does not support are refused. Unknown fields are reported.

use super::architecture::{Normalization, PositionEmbedding};
use super::config::{Config, check_size, max_size};
use super::json::{self, Fields, Json};
use super::report::{NoticeKind, Report};
use crate::error::{Error, Result, shortened};
use crate::kernel::Activation;
use crate::nearest::nearest;

impl Config {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// [`Error::Config`] when the text is not JSON, describes another architecture, or names sizes that do
    /// not fit together.
    pub fn from_json(text: &str) -> Result<Config> {
        Config::read(text).map(|(config, _)| config)
    }

    /// As [`Config::from_json`], with notices: fields that were ignored, sizes that the file does not give.
    ///
    /// # Errors
    /// As [`Config::from_json`].
    pub fn read(text: &str) -> Result<(Config, Report)> {
        from_fields(json::object(text.as_bytes(), MAX_BYTES).map_err(Error::Config)?)
    }
}

/// A config from the fields of a `config.json`, with notices.
pub(super) fn from_fields(fields: Fields) -> Result<(Config, Report)> {
    let mut reader = Reader { fields, report: Report::default() };
    reader.check_architecture()?;
    reader.check_refused()?;
    let config = reader.config()?;
    config.validate()?;
    reader.check_neutral(&config)?;
    reader.report_unknown();
    Ok((config, reader.report))
}

/// Gives the fields their first names.
pub(super) fn rename_aliases(fields: &mut Fields) -> Result<()> {
    for (alias, name) in ALIASES {
        rename(fields, alias, name)?;
    }
    if !fields.contains_key("n_positions")
        && let Some(length) = fields.get("n_ctx").cloned()
    {
        fields.insert("n_positions".into(), length); // the name in old files
    }
    Ok(())
}

/// Gives a field its first name. Null under one of the names does not contradict the other.
pub(super) fn rename(fields: &mut Fields, alias: &str, name: &str) -> Result<()> {
    let Some(value) = fields.remove(alias) else { return Ok(()) };
    match fields.get(name) {
        Some(_) if value == Json::Null => Ok(()),
        Some(first) if *first != value && *first != Json::Null => {
            let (first, second) = (first.describe(), value.describe());
            Err(Error::Config(format!(
                "`{name}` is {first} and `{alias}` is {second}, expected the same: they are two names of one field"
            )))
        }
        _ => {
            fields.insert(name.into(), value);
            Ok(())
        }
    }
}

/// The largest `config.json` that is read.
const MAX_BYTES: usize = 1 << 20;
const MAX_EPSILON: f64 = 1.0;

/// Aliases of Hugging Face, and the names that they stand for.
const ALIASES: [(&str, &str); 4] = [
    ("num_hidden_layers", "n_layer"),
    ("num_attention_heads", "n_head"),
    ("hidden_size", "n_embd"),
    ("max_position_embeddings", "n_positions"),
];

/// The names of activation functions, some of which are aliases.
const ACTIVATIONS: [(&str, Activation); 11] = [
    ("gelu_new", Activation::GeluNew),
    ("gelu_pytorch_tanh", Activation::GeluNew),
    ("gelu_fast", Activation::GeluNew),
    ("gelu_accurate", Activation::GeluNew),
    ("gelu", Activation::Gelu),
    ("gelu_python", Activation::Gelu),
    ("relu", Activation::Relu),
    ("silu", Activation::Silu),
    ("swish", Activation::Silu),
    ("tanh", Activation::Tanh),
    ("solu_ln", Activation::SoluLn),
];

/// Fields of other architectures. A file that sets one of them (not to null, false or an empty value) is refused.
const REFUSED: [&str; 26] = [
    "adapters",
    "add_cross_attention",
    "alibi",
    "attention_types",
    "attn_logit_softcapping",
    "cross_attention_hidden_size",
    "embedding_multiplier",
    "final_logit_softcapping",
    "is_encoder_decoder",
    "logit_scale",
    "mup_scale_qk_dot_by_d",
    "mup_width_scale",
    "multi_query",
    "peft_type",
    "pruned_heads",
    "quantization_config",
    "residual_multiplier",
    "rms_norm_eps",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "rotary_dim",
    "rotary_pct",
    "sliding_window",
    "use_alibi",
    "use_parallel_residual",
];

/// Fields that do not change what the model computes: those of `GPT2Config` and of every `PretrainedConfig` for
/// training, generation or other programs.
#[rustfmt::skip]
const HARMLESS: [&str; 76] = [
    "_attn_implementation", "_attn_implementation_autoset", "_commit_hash", "_name_or_path", "_num_labels", "architectures", "attn_pdrop",
    "bad_words_ids", "begin_suppress_tokens", "chunk_size_feed_forward", "decoder_start_token_id", "diversity_penalty",
    "do_sample", "dtype", "early_stopping", "embd_pdrop", "encoder_no_repeat_ngram_size", "exponential_decay_length_penalty",
    "finetuning_task", "forced_bos_token_id", "forced_eos_token_id", "gradient_checkpointing", "id2label",
    "initializer_range", "is_decoder", "keys_to_ignore_at_inference", "label2id", "length_penalty", "max_length", "min_length",
    "model_type", "n_ctx", "n_special", "no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_labels", "num_return_sequences",
    "output_attentions", "output_hidden_states", "output_past", "output_scores", "pad_token_id", "predict_special_tokens", "prefix", "problem_type",
    "remove_invalid_values", "repetition_penalty", "resid_pdrop", "return_dict", "return_dict_in_generate",
    "scale_attention_softmax_in_fp32", "sep_token_id", "summary_activation", "summary_first_dropout",
    "summary_hidden_size", "summary_proj_to_labels", "summary_type", "summary_use_proj", "suppress_tokens",
    "task_specific_params", "temperature", "tf_legacy_loss", "tie_encoder_decoder", "tokenizer_class", "top_k", "top_p",
    "torch_dtype", "torchscript", "transformers_version", "typical_p", "unk_token_id", "use_bfloat16", "use_cache",
    "use_return_dict", "xla_device",
];

/// The fields that make a [`Config`], and those that are checked against it.
#[rustfmt::skip]
const READ: [&str; 20] = [
    "n_layer", "n_head", "n_embd", "n_inner", "n_positions", "vocab_size", "layer_norm_epsilon", "activation_function",
    "scale_attn_weights", "scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn", "tie_word_embeddings",
    "bos_token_id", "eos_token_id", "position_embedding_type", "head_dim",
    "position_embedding", "normalization_type", "attn_only", "unembed_bias",
];

/// The fields of a file that is being read.
struct Reader {
    fields: Fields,
    report: Report,
}

/// Refuses the config of another architecture.
///
/// # Errors
/// [`Error::Config`].
pub(super) fn check_architecture(fields: &Fields) -> Result<()> {
    Reader { fields: fields.clone(), report: Report::default() }.check_architecture()
}

impl Reader {
    fn check_architecture(&self) -> Result<()> {
        match self.fields.get("model_type") {
            Some(Json::Text(found)) if found == "gpt2" => return Ok(()),
            None | Some(Json::Null) => {}
            Some(Json::Text(found)) => {
                let found = shortened(found);
                return Err(Error::Config(format!(
                    "`model_type` is \"{found}\", expected \"gpt2\""
                )));
            }
            Some(found) => return Err(wrong("model_type", found, "\"gpt2\"")),
        }
        let Some(Json::List(names)) = self.fields.get("architectures") else { return Ok(()) };
        let is_other = |name: &&Json| !matches!(name, Json::Text(name) if name.starts_with("GPT2"));
        match names.iter().find(is_other) {
            Some(found) => {
                Err(wrong("architectures", found, "GPT-2's, such as [\"GPT2LMHeadModel\"]"))
            }
            None => Ok(()),
        }
    }

    fn check_refused(&self) -> Result<()> {
        let position = self.fields.get("position_embedding_type");
        if let Some(found) =
            position.filter(|found| !matches!(found, Json::Text(name) if name == "absolute"))
            && *found != Json::Null
        {
            return Err(wrong(
                "position_embedding_type",
                found,
                "\"absolute\", the only one that GPT-2 has",
            ));
        }
        let is_set = |name: &&&str| self.fields.get(**name).is_some_and(|value| !value.is_empty());
        let Some(name) = REFUSED.iter().find(is_set) else { return Ok(()) };
        let (found, help) = (self.fields[*name].describe(), remedy(name));
        Err(Error::Config(format!("`{name}` is {found}: GPT-2 does not support this.{help}")))
    }

    fn config(&mut self) -> Result<Config> {
        let default = Config::default();
        rename_aliases(&mut self.fields)?;
        let vocab_size = self.size("vocab_size", default.vocab_size)?;
        Ok(Config {
            n_layer: self.size("n_layer", default.n_layer)?,
            n_head: self.size("n_head", default.n_head)?,
            n_embd: self.size("n_embd", default.n_embd)?,
            n_inner: match self.fields.get("n_inner") {
                None | Some(Json::Null) => None,
                Some(_) => Some(self.size("n_inner", 0)?),
            },
            n_positions: self.size("n_positions", default.n_positions)?,
            vocab_size,
            layer_norm_epsilon: self.epsilon(default.layer_norm_epsilon)?,
            activation_function: self.activation(default.activation_function)?,
            position_embedding: self.word(
                "position_embedding",
                default.position_embedding,
                &PositionEmbedding::ALL,
                PositionEmbedding::word,
            )?,
            normalization_type: self.word(
                "normalization_type",
                default.normalization_type,
                &Normalization::ALL,
                Normalization::word,
            )?,
            attn_only: self.flag("attn_only", false)?,
            unembed_bias: self.flag("unembed_bias", false)?,
            scale_attn_weights: self.flag("scale_attn_weights", default.scale_attn_weights)?,
            scale_attn_by_inverse_layer_idx: self.flag("scale_attn_by_inverse_layer_idx", false)?,
            reorder_and_upcast_attn: self.flag("reorder_and_upcast_attn", false)?,
            tie_word_embeddings: self.flag("tie_word_embeddings", default.tie_word_embeddings)?,
            bos_token_id: self.token("bos_token_id", vocab_size)?,
            eos_token_id: self.token("eos_token_id", vocab_size)?,
        })
    }

    /// A size. A default is reported, because no tensor's shape shows a wrong `n_head`.
    fn size(&mut self, name: &str, default: usize) -> Result<usize> {
        match self.fields.get(name) {
            None => Ok(self.assumed(name, default, default)),
            Some(Json::Whole(size)) => check_size(name, *size).map(|()| *size as usize),
            Some(Json::Text(text)) if let Ok(size) = text.trim().parse() => {
                check_size(name, size).map(|()| size as usize)
            }
            Some(found) => {
                let max = max_size(name);
                Err(wrong(name, found, &format!("a whole number from 1 to {max}")))
            }
        }
    }

    fn epsilon(&mut self, default: f64) -> Result<f64> {
        let name = "layer_norm_epsilon";
        let number = match self.fields.get(name) {
            None => return Ok(self.assumed(name, default, default)),
            Some(Json::Whole(number)) => *number as f64,
            Some(Json::Number(number)) => *number,
            Some(_) => f64::NAN,
        };
        // LayerNorm computes in f32, in which a smaller number is 0, and a constant row would be divided by 0.
        match number >= f64::from(f32::MIN_POSITIVE) && number <= MAX_EPSILON {
            true => Ok(number),
            false => Err(wrong(
                name,
                &self.fields[name],
                "a number above 0 (1.2e-38 at least) and at most 1, 1e-5 say",
            )),
        }
    }

    fn activation(&mut self, default: Activation) -> Result<Activation> {
        let name = "activation_function";
        let Some(found) = self.fields.get(name) else {
            return Ok(self.assumed(name, default, "gelu_new"));
        };
        let known = match found {
            Json::Text(text) => ACTIVATIONS
                .iter()
                .find(|(known, _)| known == text)
                .map(|(_, activation)| *activation),
            _ => None,
        };
        let names: Vec<_> = ACTIVATIONS.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        known.ok_or_else(|| wrong(name, found, &format!("one of {}", names.join(", "))))
    }

    /// One of some words.
    fn word<T: Copy>(
        &self,
        name: &str,
        default: T,
        choices: &[T],
        word: fn(&T) -> &'static str,
    ) -> Result<T> {
        let Some(found) = self.fields.get(name) else { return Ok(default) };
        let is_found = |choice: &&T| matches!(found, Json::Text(text) if text == word(choice));
        choices.iter().copied().find(|choice| is_found(&choice)).ok_or_else(|| {
            let words: Vec<_> =
                choices.iter().map(|choice| format!("\"{}\"", word(choice))).collect();
            wrong(name, found, &format!("one of {}", words.join(", ")))
        })
    }

    fn flag(&self, name: &str, default: bool) -> Result<bool> {
        match self.fields.get(name) {
            None => Ok(default),
            Some(Json::Bool(flag)) => Ok(*flag),
            Some(found) => Err(wrong(name, found, "true or false")),
        }
    }

    /// A special token. Small models often come with GPT-2's id 50256, which their vocabulary lacks.
    fn token(&mut self, name: &str, vocab_size: usize) -> Result<Option<u32>> {
        let default = Config::default().eos_token_id.filter(|id| (*id as usize) < vocab_size);
        let expected = format!("null or one token id below {vocab_size} (`vocab_size`)");
        let found = match self.fields.get(name) {
            None => return Ok(default),
            Some(Json::Null) => return Ok(None),
            Some(Json::List(ids)) => match ids.as_slice() {
                [id] => id,
                _ => {
                    let several = "; a model that ends with one of several tokens is not supported: name one of them";
                    return Err(wrong(name, &self.fields[name], &format!("{expected}{several}")));
                }
            },
            Some(found) => found,
        };
        match found {
            Json::Whole(id) if *id < vocab_size as u64 => Ok(Some(*id as u32)),
            Json::Whole(_) | Json::Number(-1.0) => {
                let found = found.describe();
                let message = format!(
                    "config.json: `{name}` is {found}, which is no token of the model (`vocab_size` is {vocab_size}): \
                     it was taken to be null."
                );
                self.report.push(NoticeKind::Ignored, name, message);
                Ok(None)
            }
            found => Err(wrong(name, found, &expected)),
        }
    }

    fn assumed<T>(&mut self, name: &str, value: T, shown: impl std::fmt::Display) -> T {
        let message =
            format!("config.json does not give `{name}`: {shown} was taken, the default of GPT-2.");
        self.report.push(NoticeKind::Assumed, name, message);
        value
    }

    /// Checks fields of other architectures that must agree with the sizes.
    fn check_neutral(&self, config: &Config) -> Result<()> {
        let heads = ["num_key_value_heads", "n_head_kv", "num_kv_heads"];
        let sizes = heads.map(|name| (name, config.n_head)).into_iter();
        for (name, size) in sizes.chain([("head_dim", config.d_head())]) {
            match self.fields.get(name) {
                None | Some(Json::Null) => {}
                Some(Json::Whole(found)) if *found == size as u64 => {}
                Some(found) => return Err(wrong(name, found, &format!("{size}, as GPT-2 has it"))),
            }
        }
        Ok(())
    }

    fn report_unknown(&mut self) {
        if let (Some(old), Some(length)) =
            (self.fields.get("n_ctx"), self.fields.get("n_positions"))
            && old != length
        {
            let (old, length) = (old.describe(), length.describe());
            let message = format!(
                "config.json: `n_ctx` is {old}, which is ignored: `n_positions` is {length}."
            );
            self.report.push(NoticeKind::Ignored, "n_ctx", message);
        }
        let is_unknown =
            |name: &&str| ![&READ[..], &REFUSED, &HARMLESS].iter().any(|list| list.contains(name));
        let unknown = self.fields.keys().map(String::as_str).filter(is_unknown);
        self.report.ignored("config.json", unknown, |name| {
            let near = nearest(name, READ, 1);
            format!("config.json: `{name}` is no field of GPT-2 and was ignored (nearest: {near}).")
        });
    }
}

fn wrong(name: &str, found: &Json, expected: &str) -> Error {
    Error::Config(format!("`{name}` is {}, expected {expected}", found.describe()))
}

fn remedy(name: &str) -> &'static str {
    match name {
        "quantization_config" => {
            " Load the model that it was quantized from, with `dtype: \"q8\"` if memory is short."
        }
        "pruned_heads" => " Load the model without pruned heads, and ablate these heads instead.",
        "peft_type" | "adapters" => {
            " Merge the adapter into the model first (`merge_and_unload()` in peft)."
        }
        _ => " Load a model whose `model_type` is \"gpt2\".",
    }
}
