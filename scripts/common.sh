# Sourced by the other scripts: the working directory, the search path and a few functions.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Either variable would replace the flags of .cargo/config.toml and build without SIMD.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS

# Missing tools are installed in this folder only.
export PATH="$PWD/.tools/bin:$PATH"

say() { printf '\033[1m%s\033[0m\n' "candlescope: $*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# The version of a crate in Cargo.lock.
locked() { awk -v name="\"$1\"" '$1 == "name" { hit = $3 == name } hit && $1 == "version" { gsub(/"/, "", $3); print $3; exit }' Cargo.lock; }
