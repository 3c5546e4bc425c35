#!/usr/bin/env bash
# Builds everything into dist/: the wasm, the page, its type declarations, the documentation.
. "$(dirname "$0")/common.sh"

scripts/wasm.sh
node scripts/bundle.mjs
node scripts/types.mjs
node docs/site/build.mjs
say "dist/ is ready"
