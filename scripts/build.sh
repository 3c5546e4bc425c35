#!/usr/bin/env bash
# Builds everything into dist/: the wasm, the page, its type declarations.
. "$(dirname "$0")/common.sh"

scripts/wasm.sh
node scripts/bundle.mjs
node_modules/.bin/tsc -p tsconfig.types.json
# The public modules stand beside each other in dist/, whatever folders their sources are in.
for module in candlescope tensor; do echo "export * from \"./api/$module.js\";" >"dist/$module.d.ts"; done
echo 'import "./elements/elements.js";' >dist/elements.d.ts
say "dist/ is ready"
