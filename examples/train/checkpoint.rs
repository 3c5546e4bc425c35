//! A checkpoint from which a run can be resumed, and the finished model in Hugging Face's format.
//!
//! candle-nn's `VarMap::save` does not serve: it writes no metadata, and the step and the config must be in the file
//! that replaces the old one at once.

use std::collections::HashMap;
use std::path::Path;

use candle_core::safetensors::load_buffer;
use candle_core::{DType, Device, Tensor};
use candlescope::Config;
use safetensors::{SafeTensors, serialize_to_file};
use serde_json::json;

use super::Result;
use super::optimizer::Parameter;
use super::trainer::Trainer;

const FILE: &str = "checkpoint.safetensors";

/// Writes weights, moments and step. The old file stays until the new one is complete.
pub fn save(trainer: &Trainer, folder: &Path) -> Result<()> {
    let mut tensors = Vec::new();
    for Parameter { name, var, first, second } in &trainer.parameters {
        let moment = |values: &[f32]| Tensor::from_slice(values, var.shape(), var.device());
        tensors.push((format!("{name}/value"), var.as_tensor().clone()));
        tensors.push((format!("{name}/first"), moment(first)?));
        tensors.push((format!("{name}/second"), moment(second)?));
    }
    let metadata = HashMap::from([
        ("step".to_string(), trainer.step.to_string()),
        ("seed".to_string(), trainer.settings.seed.to_string()),
        ("config".to_string(), serde_json::to_string(&trainer.settings.config)?),
    ]);
    let partial = folder.join("checkpoint.partial");
    serialize_to_file(tensors, Some(metadata), &partial)?;
    Ok(std::fs::rename(partial, folder.join(FILE))?)
}

pub fn exists(folder: &Path) -> bool {
    folder.join(FILE).exists()
}

/// Restores a saved trainer. The random rows are not saved, because they follow from the seed and the step.
pub fn resume(trainer: &mut Trainer, folder: &Path) -> Result<()> {
    let bytes = std::fs::read(folder.join(FILE))?;
    let (_, header) = SafeTensors::read_metadata(&bytes)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let field =
        |name: &str| metadata.get(name).cloned().ok_or(format!("the checkpoint has no `{name}`"));
    let config = Config::from_json(&field("config")?)?;
    if config != trainer.settings.config || field("seed")? != trainer.settings.seed.to_string() {
        return Err(format!(
            "the checkpoint is of another run: seed {}, {config:?}",
            field("seed")?
        )
        .into());
    }
    let tensors = load_buffer(&bytes, &Device::Cpu)?;
    for Parameter { name, var, first, second } in &mut trainer.parameters {
        let part = |part: &str| {
            tensors.get(&format!("{name}/{part}")).ok_or(format!("the checkpoint has no `{name}`"))
        };
        *first = part("first")?.flatten_all()?.to_vec1()?;
        *second = part("second")?.flatten_all()?.to_vec1()?;
        var.set(part("value")?)?;
    }
    trainer.step = field("step")?.parse()?;
    Ok(())
}

/// Writes `model.safetensors` in f16 under the keys of `GPT2LMHeadModel`, and `config.json`.
pub fn export(trainer: &Trainer, folder: &Path) -> Result<()> {
    let tensors = trainer.parameters.iter().map(|Parameter { name, var, .. }| {
        let prefix = if name.starts_with("lm_head") { "" } else { "transformer." };
        Ok((format!("{prefix}{name}"), var.to_dtype(DType::F16)?))
    });
    let tensors = tensors.collect::<Result<Vec<_>>>()?;
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    serialize_to_file(tensors, Some(metadata), &folder.join("model.safetensors"))?;
    let config = serde_json::to_string_pretty(&hf_config(&trainer.settings.config)?)? + "\n";
    Ok(std::fs::write(folder.join("config.json"), config)?)
}

/// The config with the fields by which Hugging Face chooses the class.
fn hf_config(config: &Config) -> Result<serde_json::Value> {
    let mut fields = serde_json::to_value(config)?;
    let more = json!({
        "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "torch_dtype": "float16",
        "n_ctx": config.n_positions, "initializer_range": 0.02, "use_cache": true,
        "attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0,
    });
    if let (Some(fields), Some(more)) = (fields.as_object_mut(), more.as_object()) {
        fields.extend(more.clone());
    }
    Ok(fields)
}
