#!/usr/bin/env bash
# Builds the crate for the browser into pkg/, by wasm-pack.
. "$(dirname "$0")/common.sh"

# build FOLDER [ARGUMENT...]: one wasm build; arguments after FOLDER go to cargo.
# No wasm-opt: on this code -O3 takes 5 minutes and gains 1.5 % of the compressed size.
build() {
  local folder=$1
  shift
  wasm-pack --quiet build --mode no-install --release --target web --no-opt --no-pack --out-dir "$folder" . "$@"
  rm -f "$folder/.gitignore"
}

build pkg
