//! A checkpoint that was kept and read back is the same bit for bit, and a damaged copy is refused.

mod common;

use std::cell::RefCell;

use candlescope::kernel::matrix::Form;
use candlescope::store::{Checkpoint, Disk, Keeping, Restoring};
use candlescope::{Config, Error, Model, Result, WeightsReader, run_with_cache};
use common::{FIXTURES, Fixture, assert_same_bits};

/// A file in memory.
struct Memory(RefCell<Vec<u8>>);

impl Disk for Memory {
    fn read(&self, at: u64, into: &mut [u8]) -> Result<()> {
        let (bytes, at) = (self.0.borrow(), at as usize);
        let found = bytes.get(at..at + into.len());
        into.copy_from_slice(found.ok_or_else(|| Error::Weights("read past the end".into()))?);
        Ok(())
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<()> {
        let mut all = self.0.borrow_mut();
        assert_eq!(all.len() as u64, at, "written in order, without gaps");
        all.extend_from_slice(bytes);
        Ok(())
    }
}

/// Where the copy begins in its file.
const START: u64 = 48;

fn checkpoint(fixture: &Fixture, tokenizer: Option<&[u8]>) -> Checkpoint {
    let mut reader = WeightsReader::with_form(&fixture.config(), None, Form::Packed);
    reader.push(fixture.weights).unwrap();
    let weights = reader.finish().unwrap();
    Checkpoint { config: fixture.config.into(), tokenizer: tokenizer.map(Vec::from), weights }
}

fn keep(checkpoint: Checkpoint) -> (Memory, u64) {
    let disk = Memory(RefCell::new(vec![0; START as usize]));
    let mut keeping = Keeping::new(checkpoint, Form::Packed).unwrap();
    let length = keeping.length();
    while keeping.step(&disk, START).unwrap() {}
    assert_eq!(disk.0.borrow().len() as u64, START + length);
    (disk, length)
}

fn restore(disk: &Memory, length: u64) -> Result<Checkpoint> {
    let mut restoring = Restoring::new(disk, START, length, Form::Packed)?;
    while restoring.step(disk)? {}
    restoring.finish()
}

#[test]
fn what_was_kept_is_the_same_bit_for_bit() {
    for fixture in &FIXTURES {
        for tokenizer in [None, Some(&b"{}"[..])] {
            let (disk, length) = keep(checkpoint(fixture, tokenizer));
            let (kept, fresh) = (restore(&disk, length).unwrap(), checkpoint(fixture, tokenizer));
            assert_eq!(kept.config, fresh.config);
            assert_eq!(kept.tokenizer, fresh.tokenizer);
            let model = |checkpoint: &Checkpoint| {
                Model::new(Config::from_json(&checkpoint.config).unwrap(), &checkpoint.weights).unwrap()
            };
            let (kept, fresh) = (model(&kept), model(&fresh));
            for parameter in fresh.parameters() {
                let weight = |model: &Model| model.weight(&parameter.name).unwrap();
                assert_same_bits(&parameter.name, &weight(&kept), &weight(&fresh));
            }
            let tokens = fixture.expected().tokens;
            let logits =
                |model| run_with_cache::<&str>(model, &tokens, &[]).unwrap().logits().unwrap().clone();
            assert_same_bits(fixture.name, &logits(&kept), &logits(&fresh));
        }
    }
}

#[test]
fn a_copy_is_as_long_as_the_weights_and_little_more() {
    let fixture = Fixture::plain();
    let padded = fixture.model().parameter_count() * 4 * 2; // panels of 8 columns, of narrow matrices
    let (_, length) = keep(checkpoint(fixture, None));
    assert!(length < padded as u64 + 1000, "{length}");
}

#[test]
fn a_copy_that_was_cut_short_anywhere_is_refused() {
    let (disk, length) = keep(checkpoint(Fixture::plain(), Some(b"{}")));
    for cut in (0..length).step_by(997).chain([length - 1]) {
        let short = Memory(RefCell::new(disk.0.borrow()[..(START + cut) as usize].to_vec()));
        for claimed in [cut, length] {
            let Err(error) = restore(&short, claimed) else { panic!("{cut} of {length} bytes were taken") };
            assert_eq!(error.name(), "WeightsError", "{error}");
        }
    }
}

#[test]
fn a_copy_that_goes_on_or_begins_with_something_else_is_refused() {
    let (disk, length) = keep(checkpoint(Fixture::plain(), None));
    disk.0.borrow_mut().push(0);
    assert_eq!(restore(&disk, length + 1).err().map(|error| error.name()), Some("WeightsError"));
    disk.0.borrow_mut()[START as usize + 12] ^= 1;
    assert_eq!(restore(&disk, length).err().map(|error| error.name()), Some("WeightsError"));
}

#[test]
fn a_copy_in_another_form_is_refused_with_both_names() {
    let (disk, length) = keep(checkpoint(Fixture::plain(), None));
    let text = Restoring::new(&disk, START, length, Form::Plain).err().expect("a failure").to_string();
    assert!(text.contains("f32x8") && text.contains("plain"), "{text}");
}

#[test]
fn weights_that_are_tensors_are_not_kept() {
    let fixture = Fixture::plain();
    let mut reader = WeightsReader::with_form(&fixture.config(), None, Form::Plain);
    reader.push(fixture.weights).unwrap();
    let weights = reader.finish().unwrap();
    let kept =
        Keeping::new(Checkpoint { config: fixture.config.into(), tokenizer: None, weights }, Form::Packed);
    assert_eq!(kept.err().map(|error| error.name()), Some("WeightsError"));
}
