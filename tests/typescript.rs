//! The committed TypeScript types are those of the Rust declarations.
//!
//! After a change of options or results, write `www/api/generated.ts` again:
//! `UPDATE_TYPES=1 cargo test --test typescript`.

use candlescope::interface::typescript;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/www/api/generated.ts");

#[test]
fn the_committed_types_are_those_of_the_declarations() {
    let expected = typescript();
    if std::env::var_os("UPDATE_TYPES").is_some() {
        std::fs::write(FILE, &expected).unwrap();
    }
    let found = std::fs::read_to_string(FILE).unwrap();
    let differs = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    assert!(
        found == expected,
        "www/api/generated.ts is not up to date, first at {differs:?}: run `UPDATE_TYPES=1 cargo test --test typescript`"
    );
}

/// A declaration without documentation would be an interface that does not explain itself.
#[test]
fn every_declaration_and_every_field_is_documented() {
    let types = typescript();
    let mut before = "";
    for line in types.lines() {
        let declares = line.starts_with("export ");
        let is_field = line.starts_with("  ")
            && !line.starts_with("  |")
            && line.ends_with(';')
            && line.contains(": ");
        if declares || is_field {
            assert!(before.trim_end().ends_with("*/"), "no documentation: {line}");
        }
        before = line;
    }
}
