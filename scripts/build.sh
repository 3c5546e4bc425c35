#!/usr/bin/env bash
# Builds everything into dist/: the wasm, the page, its type declarations.
. "$(dirname "$0")/common.sh"

scripts/wasm.sh
node scripts/bundle.mjs
node scripts/types.mjs
say "dist/ is ready"
