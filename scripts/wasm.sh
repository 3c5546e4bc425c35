#!/usr/bin/env bash
# Builds the crate for the browser into pkg/: the glue as an ES module, its types, the wasm. `wasm.sh dev` builds in a
# fraction of the time: without link-time optimisation, incrementally, and without the builds that only visitors need.
. "$(dirname "$0")/common.sh"

# build FOLDER [ARGUMENT...]: one wasm build; arguments after FOLDER go to cargo.
#
# `wasm-pack build` takes the same two steps, but it builds all of the crate's types at once, and cargo turns
# link-time optimisation off where an rlib is among them: hence `--crate-type cdylib`, and cargo and wasm-bindgen by name.
# No wasm-opt: after LTO, -O3 takes 5 minutes on this code and gains 1.5 % of the compressed size.
build() {
  local folder=$1 wasm=${CARGO_TARGET_DIR:-target}/wasm32-unknown-unknown/wasm/candlescope.wasm
  shift
  cargo rustc --quiet --lib --profile wasm --target wasm32-unknown-unknown --crate-type cdylib "$@"
  local last=$folder/candlescope_threads_secondary.wasm
  [ "$last" -nt "$wasm" ] && [ "$last" -nt Cargo.lock ] && return
  say "writing $folder/"
  wasm-bindgen --target web --remove-name-section --out-dir "$folder" "$wasm"
  node scripts/threads.mjs "$folder"
  node --import tsx scripts/split.mjs "$folder"
}

# One module for one thread. What an earlier full build left is removed, or the page would load it.
build_dev() {
  local folder=$1
  export CARGO_PROFILE_WASM_LTO=off CARGO_PROFILE_WASM_CODEGEN_UNITS=16 CARGO_PROFILE_WASM_INCREMENTAL=true
  export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/dev
  cargo rustc --quiet --lib --profile wasm --target wasm32-unknown-unknown --crate-type cdylib
  rm -f "$folder"/*.wasm
  wasm-bindgen --target web --debug --out-dir "$folder" "$CARGO_TARGET_DIR/wasm32-unknown-unknown/wasm/candlescope.wasm"
}

case "${1:-}" in
  dev) build_dev pkg ;;
  *) build pkg ;;
esac
