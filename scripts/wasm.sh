#!/usr/bin/env bash
# Builds the crate for the browser into pkg/: the glue as an ES module, its types, the wasm.
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
  local last=$folder/candlescope_threads_rest.wasm
  [ "$last" -nt "$wasm" ] && [ "$last" -nt Cargo.lock ] && return
  say "writing $folder/"
  wasm-bindgen --target web --remove-name-section --out-dir "$folder" "$wasm"
  node scripts/threads.mjs "$folder"
  node scripts/split.mjs "$folder"
}

build pkg
