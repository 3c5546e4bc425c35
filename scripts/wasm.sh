#!/usr/bin/env bash
# Builds the crate for the browser into pkg/: the glue as an ES module, its types and the wasm modules. `wasm.sh dev` takes a
# fraction of the time: it builds incrementally, without link-time optimisation, and only the module for one thread.
. "$(dirname "$0")/common.sh"

# build FOLDER [ARGUMENT...]: one wasm build; arguments after FOLDER go to cargo.
#
# `wasm-pack build` takes the same two steps, but it builds cdylib and rlib together, for which cargo disables link-time
# optimisation. Hence `--crate-type cdylib`, and cargo and wasm-bindgen are called directly. docs/decisions/kernels.md says why
# there is no wasm-opt.
build() {
  local folder=$1 wasm=${CARGO_TARGET_DIR:-target}/wasm32-unknown-unknown/wasm/candlescope.wasm
  shift
  # Names and relocations say which constants a function refers to; the split removes them.
  cargo rustc --quiet --lib --profile wasm --target wasm32-unknown-unknown --crate-type cdylib "$@" -- \
    -C link-arg=--emit-relocs -C strip=none
  local last=$folder/candlescope_threads_secondary.wasm input
  for input in "$wasm" Cargo.lock scripts/{split,profile,threads,quantize}.mjs tools/wasm-split/*.mjs; do
    [ "$last" -nt "$input" ] || input=
    [ -n "$input" ] || break
  done
  [ -n "$input" ] && return
  say "writing $folder/"
  wasm-bindgen --target web --no-demangle --out-dir "$folder" "$wasm"
  node scripts/threads.mjs "$folder"
  node --import tsx scripts/split.mjs "$folder" "$wasm"
}

# The modules of an earlier full build are removed, because the page would load them.
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
