//! nanoGPT and minGPT: GPT-2's names with `nn.Linear` layers, `[out, in]`.

use super::super::json::{Fields, Json};
use super::super::layout::Layout;
use super::super::report::Report;
use super::super::shapes::in_block;
use super::hugging_face::{canonical, linear_layout};
use super::listing::{Listed, Listing};
use super::member::{Default, Family, Meaning, rename, text, without};
use crate::error::Result;

const ALIASES: [(&str, &str); 1] = [("block_size", "n_positions")];

/// Fields of the training, of dropout and of the data, and the switch for biases, which the tensors show.
#[rustfmt::skip]
pub(super) const HARMLESS: [&str; 60] = [
    "always_save_checkpoint", "attn_pdrop", "backend", "batch_size", "beta1", "beta2", "betas", "bias", "compile", "data", "dataset",
    "data_dir", "decay_lr", "device", "dropout", "dtype", "embd_pdrop", "epochs", "eval_interval", "eval_iters", "eval_only",
    "flash", "final_tokens", "grad_clip", "grad_norm_clip", "gradient_accumulation_steps", "init_from", "learning_rate",
    "log_interval", "lr", "lr_decay", "lr_decay_iters", "max_epochs", "max_iters", "min_lr", "model_type", "num_workers", "optimizer",
    "out_dir", "resid_pdrop", "seed", "system", "tokenizer", "trainer", "wandb_log", "wandb_project", "wandb_run_name",
    "warmup_iters", "warmup_tokens", "weight_decay", "work_dir", "ckpt_path", "iter_num", "best_val_loss", "eval_batch_size",
    "max_tokens", "pdrop", "use_flash", "weight_tying", "meta_vocab_size",
];

/// minGPT's names of sizes, with the number of heads.
const MODEL_TYPES: [(&str, u64); 9] = [
    ("openai-gpt", 12),
    ("gpt2", 12),
    ("gpt2-medium", 16),
    ("gpt2-large", 20),
    ("gpt2-xl", 25),
    ("gopher-44m", 16),
    ("gpt-mini", 6),
    ("gpt-micro", 4),
    ("gpt-nano", 3),
];

/// Fields that only Hugging Face's config has: its own model, whose matrices a program transposed.
const HUGGING_FACE: [&str; 7] = [
    "architectures",
    "n_positions",
    "n_ctx",
    "activation_function",
    "layer_norm_epsilon",
    "transformers_version",
    "position_embedding",
];

pub(super) struct NanoGpt {
    linear: Layout,
    is_mingpt: bool,
    /// Whether the attention has its mask as a buffer: minGPT, and nanoGPT before PyTorch had an attention of its own.
    has_mask: bool,
}

/// The names are those of GPT-2; what tells is a config with `block_size`, or matrices `[out, in]` without a config of
/// Hugging Face.
pub(super) fn recognized(listing: &Listing, config: &Fields) -> Option<NanoGpt> {
    if !super::hugging_face::recognizes(listing) {
        return None;
    }
    let linear = linear_layout(listing, Layout::Transposed);
    let has = |name: &str| config.contains_key(name);
    let is_hugging_face = HUGGING_FACE.iter().any(|name| has(name)) || has("_name_or_path");
    let is_ours = has("block_size") || (!is_hugging_face && !is_gpt2(config));
    if linear != Layout::Transposed || is_hugging_face || !is_ours {
        return None;
    }
    let is_mask = |name: &str| in_block(name, "h.").is_some_and(|(_, rest)| rest == "attn.bias");
    let has_mask = listing.names().any(is_mask);
    let is_nanogpt = has("bias") || has("dropout") || has("init_from");
    let is_mingpt =
        !is_nanogpt && (has_mask || has("model_type") || has("embd_pdrop") || has("resid_pdrop"));
    Some(NanoGpt { linear, is_mingpt, has_mask })
}

fn is_gpt2(config: &Fields) -> bool {
    config.get("model_type") == Some(&text("gpt2"))
}

impl Family for NanoGpt {
    fn name(&self) -> &'static str {
        if self.is_mingpt { "minGPT" } else { "nanoGPT" }
    }

    fn meaning(&self, Listed { name, .. }: &Listed) -> Meaning {
        canonical(name, self.linear)
    }

    fn translate(&self, fields: Fields, _: &mut Report) -> Result<Fields> {
        translated(fields)
    }

    fn defaults(&self, _: &Listing, _: &Fields) -> Vec<Default> {
        let epsilon = Default {
            field: "layer_norm_epsilon",
            value: Json::Number(1e-5),
            why: "the number in the code of nanoGPT and minGPT",
        };
        let (value, why) = match (self.is_mingpt, self.has_mask) {
            (true, _) => ("gelu_new", "minGPT's `NewGELU`"),
            (false, true) => (
                "gelu_new",
                "that of nanoGPT's older code, to which the masks in the file belong (its code of today has \"gelu\")",
            ),
            (false, false) => {
                ("gelu", "that of nanoGPT's code of today (its older code has \"gelu_new\")")
            }
        };
        vec![epsilon, Default { field: "activation_function", value: text(value), why }]
    }
}

/// The fields under the names of `config.json`. minGPT's `model_type` stands for a number of heads.
pub(super) fn translated(mut fields: Fields) -> Result<Fields> {
    if let Some(Json::Text(name)) = fields.get("model_type")
        && let Some((_, heads)) = MODEL_TYPES.iter().find(|(known, _)| known == name)
        && fields.get("n_head").is_none_or(|heads| *heads == Json::Null)
    {
        fields.insert("n_head".into(), Json::Whole(*heads));
    }
    fields.retain(|_, value| *value != Json::Null); // minGPT writes sizes that follow from `model_type` as None
    rename(without(fields, &HARMLESS), &ALIASES)
}
