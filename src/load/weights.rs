//! The weights of a model, wherever its files are and whatever their format.
//!
//! safetensors arrive as a stream and are converted piece by piece, so a load needs the memory of the weights and of one
//! piece. Files of the other formats are read with random access: a file of the user where it is, a file from a server
//! after it was downloaded into a Blob, outside of wasm memory.

use std::pin::Pin;

use super::context::{LoadContext, error_of};
use super::download::{Download, Opened};
use super::files::{File, Files};
use super::random_access::WeightsFile;
use super::small_file::{Origins, add_absent, add_origin, small};
use crate::checkpoint::{
    Archive, Assembler, Config, Index, Notice, NoticeKind, Report, Weights, WeightsReader,
    is_archive, plan, unsupported_name,
};
use crate::error::{Error, Result};
use crate::kernel::WeightFormat;

/// What the files of weights hold.
pub(super) struct WeightsRead {
    pub config: Config,
    pub weights: Weights,
    pub family: &'static str,
    pub format: &'static str,
    /// Whether the files of weights hold a config.
    pub has_config: bool,
    /// A tokenizer in the same file, as the bytes of a `tokenizer.json`.
    pub tokenizer: Option<Vec<u8>>,
}

impl WeightsRead {
    /// What a reader of safetensors has read.
    fn of_stream(reader: WeightsReader) -> Result<WeightsRead> {
        let (config, weights, family) = reader.finish_model()?;
        let format = "safetensors";
        Ok(WeightsRead { config, weights, family, format, has_config: false, tokenizer: None })
    }
}

/// Reads the weights of the first place that exists.
pub(super) async fn read_weights(
    config: Option<&str>,
    files: &Files,
    format: WeightFormat,
    origins: &mut Origins,
    context: &LoadContext,
) -> Result<WeightsRead> {
    let before = origins.clone();
    loop {
        let place = find(files, origins, context).await?;
        let overrides = files.overrides();
        let load = Load { config, overrides: overrides.as_deref(), format, context };
        match load.read(place, origins).await {
            Err(_) if context.take_restart() => origins.clone_from(&before),
            read => return read,
        }
    }
}

/// The files of weights that exist, of which the first is open.
struct Place<'c> {
    files: Vec<File>,
    /// As the index spells them.
    names: Vec<String>,
    first: Download<'c>,
    index: Option<(String, Vec<u8>)>,
}

async fn find<'c>(
    files: &Files,
    origins: &mut Origins,
    context: &'c LoadContext,
) -> Result<Place<'c>> {
    let mut reasons = Vec::new();
    for place in files.weights() {
        if let Some(list) = place.index() {
            let bytes = match small("weights", &list, origins, context).await? {
                Ok(bytes) => bytes,
                Err(reason) => {
                    add_absent(origins, &list);
                    reasons.push(reason);
                    continue;
                }
            };
            let names: Vec<String> = Index::list(&list.name(), &bytes)?.files.into_iter().collect();
            let shards = names
                .iter()
                .map(|name| files.shard(&list, name).map_err(|error| error_of(&error)))
                .collect::<Result<Vec<_>>>()?;
            let first = Download::open("weights", &shards[0], context).await?.required()?;
            add_origin(origins, &shards[0], first.identity());
            return Ok(Place { files: shards, names, first, index: Some((list.name(), bytes)) });
        }
        let all = place.files().unwrap_or_default();
        let Some(file) = all.first() else { continue };
        match Download::open("weights", file, context).await? {
            Opened::Absent(reason) => {
                add_absent(origins, file);
                reasons.push(reason);
            }
            Opened::File(first) => {
                add_origin(origins, file, first.identity());
                let names = all.iter().map(File::name).collect();
                return Ok(Place { files: all, names, first, index: None });
            }
        }
    }
    Err(nowhere(files, &reasons, context).await)
}

/// The error for a folder without weights.
async fn nowhere(files: &Files, reasons: &[String], context: &LoadContext) -> Error {
    for marker in files.markers() {
        if let Ok(Opened::File(_)) = Download::open("weights", &marker, context).await
            && let Some(what) = unsupported_name(&marker.name())
        {
            return Error::Weights(format!("{}: {what}", marker.name()));
        }
    }
    match reasons {
        [] => Error::Network("no file of weights was given".into()),
        [only] => Error::Network(only.clone()),
        [first, second] => Error::Network(format!("{first}; {second}")),
        [first, second, others @ ..] => Error::Network(format!(
            "{first}; {second}; none of the {} other names of weights exists there either",
            others.len()
        )),
    }
}

type Reading<'r> = Pin<Box<dyn Future<Output = Result<WeightsRead>> + 'r>>;

/// Keeps the code of `read` out of that of the caller: only then can it be in the secondary module.
fn rarely<'r>(read: impl Future<Output = Result<WeightsRead>> + 'r) -> Reading<'r> {
    Box::pin(read)
}

/// What all ways to read weights need.
struct Load<'l> {
    config: Option<&'l str>,
    overrides: Option<&'l str>,
    format: WeightFormat,
    context: &'l LoadContext,
}

/// The bytes by which a format is recognized.
const MAGIC_BYTES: usize = 512;

impl Load<'_> {
    async fn read(&self, place: Place<'_>, origins: &mut Origins) -> Result<WeightsRead> {
        if is_archive(&place.first.peek(MAGIC_BYTES).await?) {
            return rarely(self.read_archives(place, origins)).await;
        }
        if place.files.len() == 1 {
            return self.stream_one(place).await;
        }
        match config_of(self.config, self.overrides) {
            Some(config) => rarely(self.stream_shards(&config, place, origins)).await,
            None => rarely(self.read_archives(place, origins)).await,
        }
    }

    async fn stream_one(&self, place: Place<'_>) -> Result<WeightsRead> {
        let Place { names, first, .. } = place;
        let total = first.exact_total();
        let mut reader =
            WeightsReader::recognizing(self.config, self.overrides, total, self.format);
        reader.name_file(&names[0]);
        first.stream_into(&mut reader).await?;
        WeightsRead::of_stream(reader)
    }

    async fn stream_shards(
        &self,
        config: &Config,
        place: Place<'_>,
        origins: &mut Origins,
    ) -> Result<WeightsRead> {
        let Place { files, names, first, index } = place;
        let mut reader = WeightsReader::sharded(config, first.exact_total(), self.format);
        let mut notices = match self.config {
            Some(text) => Config::read(text)?.1,
            None => Report::default(),
        };
        if let Some((name, bytes)) = index {
            let Index { tensors, report, .. } = Index::read(&name, &bytes, config)?;
            reader.expect(tensors);
            notices.append(report);
        }
        reader.name_file(&names[0]);
        first.stream_into(&mut reader).await?;
        for (file, name) in files.iter().zip(&names).skip(1) {
            let next = Download::open("weights", file, self.context).await?.required()?;
            add_origin(origins, file, next.identity());
            reader.next_file(next.exact_total())?;
            reader.name_file(name);
            next.stream_into(&mut reader).await?;
        }
        let mut read = WeightsRead::of_stream(reader)?;
        read.weights.prepend_report(notices);
        Ok(read)
    }

    async fn read_archives(&self, place: Place<'_>, origins: &mut Origins) -> Result<WeightsRead> {
        let Place { files, names, first, index } = place;
        let mut opened = vec![first.whole().await?];
        for file in files.iter().skip(1) {
            let next = Download::open("weights", file, self.context).await?.required()?;
            add_origin(origins, file, next.identity());
            opened.push(next.whole().await?);
        }
        let mut archives = Vec::new();
        for (file, name) in opened.iter().zip(&names) {
            archives.push(Archive::open(name, file).await?);
        }
        let contents: Vec<_> = archives.iter().map(Archive::contents).collect();
        let plan = plan(self.config, self.overrides, &contents)?;
        let mut assembler = Assembler::new(plan, self.format)?;
        let family = assembler.family();
        for (archive, file) in archives.iter().zip(&opened) {
            self.assemble(archive, file, &mut assembler).await?;
        }
        let (config, mut weights) = assembler.finish()?;
        if let Some((name, bytes)) = index {
            weights.report_mut().append(Index::list(&name, &bytes)?.report);
        }
        let format = contents.first().map_or("", |contents| contents.format);
        let has_config = contents.iter().any(|contents| contents.config.is_some());
        let tokenizer = contents.iter().find_map(|contents| contents.tokenizer.clone());
        Ok(WeightsRead { config, weights, family, format, has_config, tokenizer })
    }

    /// Reads the tensors of a file that are needed.
    async fn assemble(
        &self,
        archive: &Archive,
        file: &WeightsFile<'_>,
        assembler: &mut Assembler,
    ) -> Result<()> {
        let (name, tensors) = (&file.name, &archive.contents().tensors);
        let wanted: Vec<_> =
            tensors.iter().enumerate().filter(|(_, tensor)| assembler.wants(tensor)).collect();
        let total = wanted.iter().map(|(_, tensor)| tensor.bytes()).sum();
        let mut progress = self.context.progress("weights", name, total);
        for (index, tensor) in wanted {
            assembler.begin(tensor).map_err(|error| error.in_file(name))?;
            let mut deliver = |piece: &[u8]| {
                progress.add(piece.len() as u64);
                assembler.push(piece).map_err(|error| error.in_file(name))
            };
            archive.read(index, file, &mut deliver).await?;
            assembler.end().map_err(|error| error.in_file(name))?;
        }
        progress.finish();
        Ok(())
    }
}

/// The config that Hugging Face's `config.json` gives by itself, so that shards can be streamed one after the other. Every
/// other config needs the tensors of all shards: one that lacks sizes, or has them under names of another program.
fn config_of(text: Option<&str>, overrides: Option<&str>) -> Option<Config> {
    let of_hugging_face = |text: &&str| overrides.is_none() && text.contains("\"gpt2\"");
    let (config, report) = Config::read(text.filter(of_hugging_face)?).ok()?;
    let is_assumed = |notice: &Notice| notice.kind == NoticeKind::Assumed;
    (!report.notices().iter().any(is_assumed)).then_some(config)
}
