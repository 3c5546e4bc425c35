#!/usr/bin/env bash
# Fuzzes for a limited time with a fixed seed: `fuzz.sh [SECONDS [SEED]]`, or from the environment (120, 1). The parsers get half of
# the time (cargo-fuzz, on stable Rust, without a sanitizer), the built page the other half (tests/fuzz/browser.mjs). Prints the
# inputs, seconds and crashes of each target. After a crash it fails, and the input is in fuzz/artifacts/.

# Bash counts SECONDS up from the environment's value or from 0, so it is read first.
total=${1:-$SECONDS}
[ "$total" -gt 0 ] || total=120
seed=${2:-${SEED:-1}}
. "$(dirname "$0")/common.sh"

CARGO_FUZZ=0.13.2
TARGETS=(header archive config tokenizer tokenizer_files index saved_copy interventions)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

have cargo-fuzz || cargo install --locked --quiet --root .tools --version "$CARGO_FUZZ" cargo-fuzz
cargo fuzz build --fuzz-dir fuzz --sanitizer none

status=0
each=$(((total / 2 + ${#TARGETS[@]} - 1) / ${#TARGETS[@]}))
printf '%-14s %10s %8s %8s\n' target inputs seconds crashes
for target in "${TARGETS[@]}"; do
  mkdir -p "$scratch/$target" "fuzz/artifacts/$target"
  crashes=0
  # New inputs go to the scratch folder; the seeds in the repository do not change.
  if ! cargo fuzz run --fuzz-dir fuzz --sanitizer none "$target" "$scratch/$target" "fuzz/seeds/$target" -- \
    -seed="$seed" -max_total_time="$each" -timeout=20 -rss_limit_mb=0 -max_len=65536 -print_final_stats=1 \
    >"$scratch/log" 2>&1; then
    crashes=1
    status=1
    tail -n 40 "$scratch/log" >&2
  fi
  inputs=$(awk '/stat::number_of_executed_units/ { print $2 }' "$scratch/log")
  seconds=$(awk '/^Done .* in/ { print $(NF - 1) }' "$scratch/log")
  printf '%-14s %10s %8s %8s\n' "$target" "${inputs:-?}" "${seconds:-?}" "$crashes"
done

node tests/fuzz/browser.mjs $((total / 2)) "$seed" || status=1
exit "$status"
