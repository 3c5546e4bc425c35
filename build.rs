//! Compiles the compute kernels (`src/kernel/simd/`) into separate wasm modules, and tells
//! `tests/python.rs` which Python is available.

use std::env;
use std::path::Path;
use std::process::Command;

const ROOT: &str = "src/kernel/simd/module.rs";
const MODULES: [(&str, &str, &[&str]); 4] = [
    ("simd", "+simd128", &[]),
    ("relaxed", "+simd128,+relaxed-simd", &[]),
    ("simd-shared", "+simd128,+atomics", SHARED),
    ("relaxed-shared", "+simd128,+relaxed-simd,+atomics", SHARED),
];
/// Shared memory needs a maximum size: 4 GiB, the whole address space. `scripts/threads.mjs` declares
/// the same for the main module.
const SHARED: &[&str] =
    &["--cfg=shared", "-Clink-arg=--shared-memory", "-Clink-arg=--max-memory=4294967296"];

fn main() {
    println!("cargo::rustc-check-cfg=cfg(shared)");
    println!("cargo:rerun-if-changed=src/kernel/simd");
    println!("cargo:rustc-check-cfg=cfg(python)");
    println!("cargo:rerun-if-env-changed=CANDLESCOPE_PYTHON");
    if env::var_os("CANDLESCOPE_PYTHON").is_some() {
        println!("cargo:rustc-cfg=python");
    }
    println!("cargo:rustc-check-cfg=cfg(python3)");
    if Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success())
    {
        println!("cargo:rustc-cfg=python3");
    }
    if env::var("CARGO_CFG_TARGET_ARCH").as_deref() != Ok("wasm32") {
        return;
    }
    // The functions of a kernel module are added to the table of the main module.
    println!("cargo:rustc-link-arg=--growable-table");
    for (name, features, options) in MODULES {
        compile(name, features, options);
    }
}

fn compile(name: &str, features: &str, options: &[&str]) {
    let variable = |name: &str| env::var(name).expect("cargo sets it");
    let out = Path::new(&variable("OUT_DIR")).join(name).with_extension("wasm");
    let status = Command::new(variable("RUSTC"))
        .args([
            ROOT,
            "--crate-type=cdylib",
            "--edition=2024",
            "--target=wasm32-unknown-unknown",
            "-o",
        ])
        .arg(&out)
        .args(["-Copt-level=3", "-Cpanic=abort", &format!("-Ctarget-feature={features}")])
        // Loads stay where they are written, with constant offsets (`tile_f32.rs`). Loops over the
        // accumulators must be unrolled completely. Otherwise the accumulators would need a stack.
        .arg("-Cllvm-args=-pre-RA-sched=source -disable-lsr -unroll-threshold=2000")
        // No stack: a function that needs one traps instead of overwriting the memory of the main
        // module.
        .args(["-Clink-arg=--import-memory", "-Clink-arg=-zstack-size=0", "-Clink-arg=--strip-all"])
        .args(options)
        .status()
        .expect("rustc can be started");
    assert!(status.success(), "rustc could not compile {ROOT}");
    let wasm = std::fs::read(&out).expect("rustc wrote it");
    assert!(
        !has_data(&wasm),
        "{ROOT} has a data section, which would overwrite the main module's: does something in it panic?"
    );
}

/// Whether a wasm module has a data section.
fn has_data(wasm: &[u8]) -> bool {
    const DATA: u8 = 11;
    let mut rest = &wasm[8..];
    while let [id, after @ ..] = rest {
        let length =
            after.iter().position(|byte| byte & 0x80 == 0).expect("a section has a size") + 1;
        let size =
            after[..length].iter().rev().fold(0, |size, byte| size << 7 | usize::from(byte & 0x7F));
        if *id == DATA {
            return true;
        }
        rest = &after[length + size..];
    }
    false
}
