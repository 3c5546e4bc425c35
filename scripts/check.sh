#!/usr/bin/env bash
# Formatters, linters and types; warnings are errors. Runs all checks before it fails.
. "$(dirname "$0")/common.sh"

status=0
step() {
  say "$*"
  "$@" || status=1
}

step cargo fmt --check
step cargo clippy --quiet --all-targets -- -D warnings
step env RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps
# Only the library and the tests that run in a browser: this target has no use for programs.
step cargo clippy --quiet --target wasm32-unknown-unknown --lib --tests -- -D warnings
# The worker is checked against the declarations that wasm-bindgen writes.
[ -f pkg/candlescope.d.ts ] && [ -z "$(find src -name '*.rs' -newer pkg/candlescope.d.ts)" ] || step scripts/wasm.sh
step node_modules/.bin/biome check --error-on-warnings .
# By its path: another package installs a program of the same name.
step node_modules/typescript/bin/tsc -p tsconfig.json
exit "$status"
