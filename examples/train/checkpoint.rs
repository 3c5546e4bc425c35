//! Everything that a run needs to go on, in one file; and the finished model as Hugging Face writes it.

use std::collections::HashMap;
use std::path::Path;

use candlescope::Config;
use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde_json::json;

use super::Result;
use super::trainer::Trainer;

const FILE: &str = "checkpoint.safetensors";

/// Writes weights, moments and step. The old file stays until the new one is whole.
pub fn save(trainer: &Trainer, folder: &Path) -> Result<()> {
    let mut tensors = Vec::new();
    for parameter in &trainer.parameters {
        let shape = parameter.var.dims().to_vec();
        let parts = [
            ("value", parameter.values()?),
            ("first", parameter.first.clone()),
            ("second", parameter.second.clone()),
        ];
        tensors.extend(parts.map(|(part, values)| {
            (format!("{}/{part}", parameter.name), shape.clone(), bytes_of(&values))
        }));
    }
    let metadata = HashMap::from([
        ("step".to_string(), trainer.step.to_string()),
        ("seed".to_string(), trainer.settings.seed.to_string()),
        ("config".to_string(), serde_json::to_string(&trainer.settings.config)?),
    ]);
    let partial = folder.join("checkpoint.partial");
    std::fs::write(&partial, safetensors(&tensors, Dtype::F32, metadata)?)?;
    Ok(std::fs::rename(partial, folder.join(FILE))?)
}

pub fn exists(folder: &Path) -> bool {
    folder.join(FILE).exists()
}

/// Puts a fresh trainer where the saved one stood. The random rows need no saving: they follow from seed and step.
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
    let tensors = SafeTensors::deserialize(&bytes)?;
    for parameter in &mut trainer.parameters {
        let part = |part: &str| {
            Ok::<_, safetensors::SafeTensorError>(floats_of(
                tensors.tensor(&format!("{}/{part}", parameter.name))?.data(),
            ))
        };
        (parameter.first, parameter.second) = (part("first")?, part("second")?);
        parameter.set(part("value")?)?;
    }
    trainer.step = field("step")?.parse()?;
    Ok(())
}

/// Writes `model.safetensors` in f16 under the keys of `GPT2LMHeadModel`, and `config.json`.
pub fn export(trainer: &Trainer, folder: &Path) -> Result<()> {
    let tensors = trainer.parameters.iter().map(|parameter| {
        let halves =
            parameter.values()?.into_iter().flat_map(|x| f16::from_f32(x).to_le_bytes()).collect();
        let prefix = if parameter.name.starts_with("lm_head") { "" } else { "transformer." };
        Ok((format!("{prefix}{}", parameter.name), parameter.var.dims().to_vec(), halves))
    });
    let tensors = tensors.collect::<Result<Vec<_>>>()?;
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    std::fs::write(folder.join("model.safetensors"), safetensors(&tensors, Dtype::F16, metadata)?)?;
    let config = serde_json::to_string_pretty(&hf_config(&trainer.settings.config)?)? + "\n";
    Ok(std::fs::write(folder.join("config.json"), config)?)
}

/// The config with the fields that Hugging Face adds to say which class to load.
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

type Stored = (String, Vec<usize>, Vec<u8>);

fn safetensors(
    tensors: &[Stored],
    dtype: Dtype,
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>> {
    let mut views = Vec::new();
    for (name, shape, bytes) in tensors {
        views.push((name, TensorView::new(dtype, shape.clone(), bytes)?));
    }
    Ok(serialize(views, Some(metadata))?)
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn floats_of(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}
