//! Compiles the kernels with relaxed SIMD (`src/kernel/relaxed.rs`) into a wasm module of their own, and tells
//! `tests/python.rs` whether there is a Python to run.

use std::env;
use std::path::Path;
use std::process::Command;

const ROOT: &str = "src/kernel/relaxed.rs";

fn main() {
    for file in [ROOT, "src/kernel/inner.rs", "src/kernel/simd.rs"] {
        println!("cargo:rerun-if-changed={file}");
    }
    println!("cargo:rustc-check-cfg=cfg(python)");
    println!("cargo:rerun-if-env-changed=CANDLESCOPE_PYTHON");
    if env::var_os("CANDLESCOPE_PYTHON").is_some() {
        println!("cargo:rustc-cfg=python");
    }
    if env::var("CARGO_CFG_TARGET_ARCH").as_deref() != Ok("wasm32") {
        return;
    }
    // The functions of that module get places in the table of the crate's own.
    println!("cargo:rustc-link-arg=--growable-table");
    let variable = |name: &str| env::var(name).expect("cargo sets it");
    let out = Path::new(&variable("OUT_DIR")).join("relaxed.wasm");
    let status = Command::new(variable("RUSTC"))
        .args([ROOT, "--crate-type=cdylib", "--edition=2024", "--target=wasm32-unknown-unknown", "-o"])
        .arg(&out)
        .args(["-Copt-level=3", "-Cpanic=abort", "-Ctarget-feature=+simd128,+relaxed-simd"])
        .arg("-Cllvm-args=-pre-RA-sched=source")
        // No stack: a function that needed one would trap at once instead of writing into the crate's.
        .args(["-Clink-arg=--import-memory", "-Clink-arg=-zstack-size=0", "-Clink-arg=--strip-all"])
        .status()
        .expect("rustc can be started");
    assert!(status.success(), "rustc could not compile {ROOT}");
}
