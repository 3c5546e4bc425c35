//! The files of a model, from the network or from blobs, to a config, a tokenizer and weights.
//!
//! The weights arrive as a stream and are converted piece by piece, so a load needs the memory of the weights and of one
//! piece. In JavaScript, `www/api/source.ts` turns a source into addresses and `www/worker/network.ts` sends the requests.

use super::context::{LoadContext, error_of};
use super::download::{Download, Opened};
use super::files::{File, Files, Origin};
use super::store::Checkpoint;
use crate::checkpoint::{Config, Index, Report, Weights, WeightsReader, recognize};
use crate::error::{Error, Result};
use crate::kernel::WeightFormat;
use crate::tokenizer::Tokenizer;

/// The origins of the files, if all of them have an identity.
pub(super) type Origins = Option<Vec<Origin>>;

/// A downloaded checkpoint, with its tokenizer parsed.
pub(super) struct Downloaded {
    pub tokenizer: Option<Tokenizer>,
    pub checkpoint: Checkpoint,
    pub origins: Origins,
    pub report: Report,
}

/// Downloads all files of a model, or reads them from blobs.
pub(super) async fn download(
    files: &Files,
    format: WeightFormat,
    context: &LoadContext,
) -> Result<Downloaded> {
    let mut origins = Some(Vec::new());
    let mut report = Report::default();
    let config = small("config", &files.config(), &mut origins, context).await?;
    let name = files.config().name();
    let config = config.map_err(Error::Network)?;
    if config.trim_ascii_start().starts_with(b"<") {
        return Err(Error::Network(format!("{name} is not a config.json but a page")));
    }
    if let Some(found) = recognize(&config) {
        return Err(Error::Config(format!("{found}; expected JSON")));
    }
    let text = String::from_utf8(config)
        .map_err(|_| Error::Config(format!("{name} is not UTF-8 text, expected JSON")))?;
    let (config, notices) = Config::read(&text)?;
    report.append(notices.clone());
    let bytes = match files.tokenizer() {
        Some(file) => tokenizer(&file, &mut origins, &mut report, context).await?,
        None => None,
    };
    let tokenizer = bytes.as_deref().map(Tokenizer::from_json).transpose()?;
    let weights = weights(&config, files, format, &mut origins, context).await?;
    report.append(weights.report().clone());
    let checkpoint = Checkpoint {
        config,
        family: "Hugging Face GPT-2".into(),
        file_format: "safetensors".into(),
        report: notices,
        tokenizer: bytes,
        weights,
    };
    Ok(Downloaded { tokenizer, checkpoint, origins, report })
}

/// The bytes of a small file, or why it is absent.
async fn small(
    stage: &'static str,
    file: &File,
    origins: &mut Origins,
    context: &LoadContext,
) -> Result<std::result::Result<Vec<u8>, String>> {
    loop {
        let download = match Download::open(stage, file, context).await? {
            Opened::Absent(reason) => return Ok(Err(reason)),
            Opened::File(download) => download,
        };
        let identity = download.identity();
        match download.bytes().await {
            Err(_) if context.take_restart() => {}
            bytes => {
                add_origin(origins, file, identity);
                return bytes.map(Ok);
            }
        }
    }
}

/// None when the file is optional and absent.
async fn tokenizer(
    file: &File,
    origins: &mut Origins,
    report: &mut Report,
    context: &LoadContext,
) -> Result<Option<Vec<u8>>> {
    match small("tokenizer", file, origins, context).await? {
        Ok(bytes) => Ok(Some(bytes)),
        Err(reason) if file.optional().unwrap_or_default() => {
            let origin = Origin { address: file.address().unwrap_or_default(), identity: None };
            origins.as_mut().into_iter().for_each(|all| all.push(origin.clone()));
            report.no_tokenizer(&reason);
            Ok(None)
        }
        Err(reason) => Err(Error::Network(reason)),
    }
}

async fn weights(
    config: &Config,
    files: &Files,
    format: WeightFormat,
    origins: &mut Origins,
    context: &LoadContext,
) -> Result<Weights> {
    let before = origins.clone();
    loop {
        let mut all = [vec![files.weights()], files.more().unwrap_or_default()].concat();
        match weights_of(config, &mut all, files, format, origins, context).await {
            Err(_) if context.take_restart() => origins.clone_from(&before),
            weights => return weights,
        }
    }
}

/// Reads the files `all`, which become the files of the index if the first is absent.
async fn weights_of(
    config: &Config,
    all: &mut Vec<File>,
    files: &Files,
    format: WeightFormat,
    origins: &mut Origins,
    context: &LoadContext,
) -> Result<Weights> {
    let (first, index) = match (Download::open("weights", &all[0], context).await?, files.index()) {
        (Opened::Absent(reason), Some(index)) => {
            let index = read_index(config, &index, &reason, origins, context).await?;
            let shards =
                index.files.iter().map(|name| files.shard(name).map_err(|error| error_of(&error)));
            *all = shards.collect::<Result<_>>()?;
            (Download::open("weights", &all[0], context).await?.required()?, Some(index))
        }
        (first, _) => (first.required()?, None),
    };
    add_origin(origins, &all[0], first.identity());
    let mut reader = match all.len() {
        1 => WeightsReader::with_format(config, first.exact_total(), format),
        _ => WeightsReader::sharded(config, first.exact_total(), format),
    };
    let mut names: Vec<String> = all.iter().map(File::name).collect();
    let mut notices = Report::default();
    if let Some(Index { files, tensors, report }) = index {
        names = files.into_iter().collect(); // as the index spells them
        reader.expect(tensors);
        notices = report;
    }
    reader.name_file(&names[0]);
    first.stream_into(&mut reader).await?;
    for (file, name) in all.iter().zip(&names).skip(1) {
        let next = Download::open("weights", file, context).await?.required()?;
        add_origin(origins, file, next.identity());
        reader.next_file(next.exact_total())?;
        reader.name_file(name);
        next.stream_into(&mut reader).await?;
    }
    let mut weights = reader.finish()?;
    weights.report_mut().append(notices);
    Ok(weights)
}

/// The index of the files that hold the weights. `reason`: why the single file is absent.
async fn read_index(
    config: &Config,
    file: &File,
    reason: &str,
    origins: &mut Origins,
    context: &LoadContext,
) -> Result<Index> {
    let bytes = small("weights", file, origins, context).await?;
    let bytes = bytes.map_err(|other| Error::Network(format!("{reason}; {other}")))?;
    Index::read(&file.name(), &bytes, config)
}

/// Adds a file to the origins, or clears them if the file has no identity.
fn add_origin(origins: &mut Origins, file: &File, identity: Option<String>) {
    match (file.address(), identity, origins.as_mut()) {
        (Some(address), Some(identity), Some(all)) => {
            all.push(Origin { address, identity: Some(identity) });
        }
        _ => *origins = None,
    }
}
