//! Runs the fuzz targets on the seeds (`fuzz/seeds`) and on inputs that crashed in the past (`fuzz/crashes`).

#[path = "common/targets.rs"]
mod targets;

use std::fs;
use std::path::Path;

/// Runs a target with every committed input. If one panics, its name is the last that is printed.
fn replay(name: &str, target: fn(&[u8])) {
    let mut count = 0;
    for kind in ["seeds", "crashes"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind).join(name);
        for file in fs::read_dir(&folder).into_iter().flatten() {
            let path = file.unwrap().path();
            println!("{}", path.display());
            target(&fs::read(&path).unwrap());
            count += 1;
        }
    }
    assert!(count >= 2, "{count} inputs for {name}");
}

#[test]
fn headers() {
    replay("header", targets::header);
}

#[test]
fn configs() {
    replay("config", targets::config);
}

#[test]
fn tokenizers() {
    replay("tokenizer", targets::tokenizer);
}

#[test]
fn tokenizer_files() {
    replay("tokenizer_files", targets::tokenizer_files);
}

#[test]
fn archives() {
    replay("archive", targets::archive);
}

#[test]
fn indexes() {
    replay("index", targets::index);
}

#[test]
fn saved_copies() {
    replay("saved_copy", targets::saved_copy);
}

#[test]
fn interventions() {
    replay("interventions", targets::interventions);
}
