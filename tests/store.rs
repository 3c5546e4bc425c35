//! A checkpoint that is saved and read back is bit-identical, and a damaged copy is refused.

mod common;
#[path = "common/memory_disk.rs"]
mod memory_disk;

use candlescope::checkpoint::bytes_needed;
use candlescope::kernel::WeightFormat;
use candlescope::load::{Checkpoint, CheckpointReader, CheckpointWriter, Fingerprint};
use candlescope::{Config, Model, Result, Tokenizer, Weights, WeightsReader, run_with_cache};
use common::{FIXTURES, Fixture, TOYS, assert_same_bits};
use memory_disk::MemoryDisk;

/// Where the copy begins in its file.
const START: u64 = 48;

const FORMATS: [WeightFormat; 4] =
    [WeightFormat::F32, WeightFormat::F16, WeightFormat::Q8, WeightFormat::Q4];

fn models() -> impl Iterator<Item = &'static Fixture> {
    FIXTURES.iter().chain(&TOYS)
}

fn checkpoint(fixture: &Fixture, tokenizer: Option<&[u8]>, format: WeightFormat) -> Checkpoint {
    let mut reader = WeightsReader::with_format(&fixture.config(), None, format);
    reader.push(fixture.weights).unwrap();
    let weights = reader.finish().unwrap();
    with_weights(fixture, tokenizer, weights)
}

fn with_weights(fixture: &Fixture, tokenizer: Option<&[u8]>, weights: Weights) -> Checkpoint {
    let (config, report) = Config::read(fixture.config).unwrap();
    Checkpoint {
        config,
        family: "a family".into(),
        file_format: "a format".into(),
        report,
        tokenizer: tokenizer.map(Vec::from),
        weights,
    }
}

fn save(checkpoint: Checkpoint, format: WeightFormat) -> (MemoryDisk, u64) {
    let disk = MemoryDisk::new(vec![0; START as usize]);
    let mut writer = CheckpointWriter::new(checkpoint, format).unwrap();
    let length = writer.length();
    while writer.step(&disk, START).unwrap() {}
    assert_eq!(disk.0.borrow().len() as u64, START + length);
    (disk, length)
}

fn restore(disk: &MemoryDisk, length: u64, format: WeightFormat) -> Result<Checkpoint> {
    let mut reader = CheckpointReader::new(disk, START, length, format)?;
    while reader.step(disk)? {}
    Ok(reader.finish()?.checkpoint)
}

#[test]
fn what_was_kept_is_the_same_bit_for_bit_in_every_format() {
    for (fixture, format) in models().flat_map(|fixture| FORMATS.map(|format| (fixture, format))) {
        for tokenizer in [None, Some(TOKENIZER)] {
            let (disk, length) = save(checkpoint(fixture, tokenizer, format), format);
            let fresh = checkpoint(fixture, tokenizer, format);
            let restored = restore(&disk, length, format).unwrap();
            assert_eq!(restored.config, fresh.config);
            assert_eq!(restored.report, fresh.report);
            assert_eq!(restored.family, "a family");
            assert_eq!(restored.file_format, "a format");
            assert_eq!(restored.tokenizer, fresh.tokenizer);
            assert_same_models(
                &format!("{} as {}", fixture.name, format.name()),
                fixture,
                &restored,
                &fresh,
            );
        }
    }
}

fn assert_same_models(what: &str, fixture: &Fixture, restored: &Checkpoint, fresh: &Checkpoint) {
    let model = |checkpoint: &Checkpoint| {
        Model::new(checkpoint.config.clone(), &checkpoint.weights).unwrap()
    };
    let (restored, fresh) = (model(restored), model(fresh));
    for parameter in fresh.parameters() {
        let weight = |model: &Model| model.weight(&parameter.name).unwrap();
        assert_same_bits(
            &format!("{what}: {}", parameter.name),
            &weight(&restored),
            &weight(&fresh),
        );
    }
    let tokens = fixture.expected().tokens;
    let logits =
        |model| run_with_cache::<&str>(model, &tokens, &[]).unwrap().logits().unwrap().clone();
    assert_same_bits(what, &logits(&restored), &logits(&fresh));
}

/// The memory that is reserved before a load is the memory that the load needs.
#[test]
fn a_copy_is_as_long_as_its_weights_and_little_more() {
    for (fixture, format) in models().flat_map(|fixture| FORMATS.map(|format| (fixture, format))) {
        let (_, length) = save(checkpoint(fixture, None, format), format);
        let needed = bytes_needed(&fixture.config(), format);
        let head = length - needed;
        assert!(head < 2300, "{} as {}: {length} for {needed}", fixture.name, format.name());
    }
}

/// A copy outlives the version that wrote it. A change of the packed layout must increment `LAYOUT` in
/// `src/load/store.rs`, so that older copies are not read, and then update these numbers.
#[test]
fn panels_are_arranged_as_the_layouts_number_says() {
    // FNV-1a
    let hash = |bytes: &[u8]| {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
        })
    };
    let found = FORMATS.map(|format| {
        let (disk, _) = save(checkpoint(Fixture::plain(), None, format), format);
        format!("{} {:016x}", format.name(), hash(&disk.0.borrow()))
    });
    let expected = [
        "f32 437d892d7c4697ee",
        "f16 91ff39e0c41bf4d7",
        "q8 bea0dc41ce501ad1",
        "q4 e70b0618423edbf1",
    ];
    assert_eq!(found, expected);
}

const TOKENIZER: &[u8] = include_bytes!("../models/shakespeare/tokenizer.json");

fn plain() -> (MemoryDisk, u64) {
    save(checkpoint(Fixture::plain(), Some(TOKENIZER), WeightFormat::F32), WeightFormat::F32)
}

fn assert_refused(disk: &MemoryDisk, length: u64) {
    let Err(error) = restore(disk, length, WeightFormat::F32) else {
        panic!("{length} bytes were taken")
    };
    assert_eq!(error.name(), "WeightsError", "{error}");
}

#[test]
fn a_copy_that_was_cut_short_anywhere_is_refused() {
    let (disk, length) = plain();
    for cut in (0..length).step_by(997).chain([length - 1]) {
        let short = MemoryDisk::new(disk.0.borrow()[..(START + cut) as usize].to_vec());
        assert_refused(&short, cut);
        assert_refused(&short, length);
    }
}

#[test]
fn a_copy_that_goes_on_or_begins_with_something_else_is_refused() {
    let (disk, length) = plain();
    disk.0.borrow_mut().push(0);
    assert_refused(&disk, length + 1);
    disk.0.borrow_mut()[START as usize + 12] ^= 1;
    assert_refused(&disk, length);
}

/// The ranges of the parts of a copy: the length of the header, the header, the tokenizer, the tensors.
fn regions(disk: &MemoryDisk, length: u64) -> Vec<(&'static str, std::ops::Range<u64>)> {
    let bytes = disk.0.borrow();
    let start = START as usize;
    let head = u64::from_le_bytes(bytes[start..start + 8].try_into().unwrap());
    let tokenizer = 16 + head + 8;
    let tensors = tokenizer + TOKENIZER.len() as u64 + 8;
    vec![
        ("length", 0..16),
        ("header", 16..tokenizer),
        ("tokenizer", tokenizer..tensors),
        ("tensors", tensors..length),
    ]
}

#[test]
fn no_flipped_bit_goes_unnoticed() {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64; // xorshift64, so that each run flips the same bits
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    for format in FORMATS {
        let (disk, length) = save(checkpoint(Fixture::plain(), Some(TOKENIZER), format), format);
        for (name, region) in regions(&disk, length) {
            for _ in 0..100 {
                let at = (START + region.start + next(region.end - region.start)) as usize;
                let bit = 1 << next(8);
                disk.0.borrow_mut()[at] ^= bit;
                let found = restore(&disk, length, format).err().map(|error| error.name());
                assert_eq!(
                    found,
                    Some("WeightsError"),
                    "bit {bit} of byte {at}, of the {name} as {}",
                    format.name()
                );
                disk.0.borrow_mut()[at] ^= bit;
            }
        }
        restore(&disk, length, format).unwrap();
    }
}

#[test]
fn parts_that_changed_places_are_noticed() {
    let (disk, length) = plain();
    let width = Fixture::plain().config().n_embd * 4 + 8;
    let end = (START + length) as usize;
    // The last two parts are the weight and the bias of `ln_f`, or two tensors of its size with their checksums.
    let mut bytes = disk.0.borrow_mut();
    let (first, second) = bytes[end - 2 * width..end].split_at_mut(width);
    assert_ne!(first, second);
    first.swap_with_slice(second);
    drop(bytes);
    assert_refused(&disk, length);
}

#[test]
fn a_tokenizer_that_cannot_be_used_makes_the_copy_unusable() {
    let (disk, length) =
        save(checkpoint(Fixture::plain(), Some(b"{}"), WeightFormat::F32), WeightFormat::F32);
    let error = restore(&disk, length, WeightFormat::F32).err().expect("a failure");
    assert_eq!(error.name(), "TokenizerError");
}

#[test]
fn a_fingerprint_is_that_of_the_numbers_the_config_and_the_tokenizer() {
    let fixture = Fixture::plain();
    let of = |config: &Config, tokenizer: Option<&Tokenizer>, format: WeightFormat| {
        let weights = checkpoint(fixture, None, format).weights;
        let mut fingerprint = Fingerprint::new(config, tokenizer, &weights).unwrap();
        let found =
            std::iter::repeat_with(|| fingerprint.step().unwrap()).flatten().next().unwrap();
        assert_eq!(fingerprint.step().unwrap().as_ref(), Some(&found));
        found
    };
    let (config, tokenizer) = (fixture.config(), Tokenizer::from_json(TOKENIZER).unwrap());
    let first = of(&config, Some(&tokenizer), WeightFormat::F32);
    assert_eq!(first.len(), 16);
    assert_eq!(of(&config, Some(&tokenizer), WeightFormat::F32), first);
    let other = Config { layer_norm_epsilon: config.layer_norm_epsilon * 2.0, ..config.clone() };
    let others = [
        of(&config, None, WeightFormat::F32),
        of(&config, Some(&tokenizer), WeightFormat::F16),
        of(&other, Some(&tokenizer), WeightFormat::F32),
    ];
    assert!(others.iter().all(|found| *found != first), "{others:?}");
}

#[test]
fn a_copy_in_another_form_is_refused_with_both_names() {
    let (disk, length) = plain();
    let text = CheckpointReader::new(&disk, START, length, WeightFormat::Q8)
        .err()
        .expect("a failure")
        .to_string();
    assert!(text.contains("f32") && text.contains("q8"), "{text}");
}

#[test]
fn weights_that_are_tensors_are_not_kept() {
    let fixture = Fixture::plain();
    let mut reader = WeightsReader::with_format(&fixture.config(), None, WeightFormat::Plain);
    reader.push(fixture.weights).unwrap();
    let weights = reader.finish().unwrap();
    let restored = CheckpointWriter::new(with_weights(fixture, None, weights), WeightFormat::F32);
    assert_eq!(restored.err().map(|error| error.name()), Some("WeightsError"));
}

/// The plain fixture with an untied unembedding, although its config ties it, and a tensor of another task.
fn with_head(format: WeightFormat) -> Checkpoint {
    let fixture = Fixture::plain();
    let file = safetensors::SafeTensors::deserialize(fixture.weights).unwrap();
    let head: Vec<u8> = (0..61 * 18).flat_map(|index| (index as f32).sin().to_le_bytes()).collect();
    let view = |shape| safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, &head);
    let mut views = file.tensors();
    views.push(("lm_head.weight".into(), view(vec![61, 18]).unwrap()));
    views.push(("score.weight".into(), view(vec![61, 18]).unwrap()));
    let mut reader = WeightsReader::with_format(&fixture.config(), None, format);
    reader.push(&safetensors::serialize(views, None).unwrap()).unwrap();
    let weights = reader.finish().unwrap();
    with_weights(fixture, None, weights)
}

#[test]
fn a_copy_of_a_model_with_a_head_of_its_own_computes_and_reports_the_same() {
    for format in FORMATS {
        let (disk, length) = save(with_head(format), format);
        let (restored, fresh) = (restore(&disk, length, format).unwrap(), with_head(format));
        assert_eq!(restored.weights.report(), fresh.weights.report());
        assert_eq!(restored.weights.report().notices().len(), 2);
        assert_same_models(format.name(), Fixture::plain(), &restored, &fresh);
        assert!(!restored.config.tie_word_embeddings);
    }
}
