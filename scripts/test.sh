#!/usr/bin/env bash
# Runs every test and ends with one line, `N passed, N failed`, summed over what the runners themselves reported.
# A runner that fails without a failed test, or reports nothing, counts as one failure.
. "$(dirname "$0")/common.sh"
export CARGO_TERM_COLOR=never NEXTEST_HIDE_PROGRESS_BAR=1

main() {
  suite nextest cargo nextest run --no-fail-fast --no-tests=pass
  suite libtest cargo test --quiet --doc
  wasm_tests
  node_tests tests/www
  node_tests tests/tools
  if compgen -G "tests/e2e/*.test.*js" >/dev/null; then
    scripts/build.sh || fail "the build that tests/e2e opens failed"
  fi
  node_tests tests/e2e
  node_tests tests/engines
  node --import tsx scripts/package.mjs || fail "the npm packages that tests/package installs could not be built"
  node_tests tests/package
  summary
}

passed=0 failed=0 skipped=0
jobs=$(getconf _NPROCESSORS_ONLN)
[ "$jobs" -le 4 ] || jobs=4
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# suite FORMAT COMMAND...: runs the command and adds its report, in that format, to the sums.
suite() {
  local format=$1 status=0 report
  shift
  say "$*"
  "$@" 2>&1 | tee "$log" || status=$?
  report=$("count_$format" <"$log")
  if [ -z "$report" ]; then fail "no report from: $*"; return; fi
  local p f s
  read -r p f s <<<"$report"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then fail "exit status $status without a failed test: $*"; fi
}

fail() {
  say "FAILED: $*"
  failed=$((failed + 1))
}

# Each function reads a log and prints `passed failed skipped`, or nothing if the log has no report.

# Summary [ 1.2s] 12 tests run: 10 passed (1 slow), 1 failed, 1 timed out, 2 skipped
count_nextest() {
  awk '/^ *Summary \[.*tests? run:/ {
    seen = 1; sub(/.*tests? run:/, "")
    count = split($0, parts, ",")
    for (i = 1; i <= count; i++) {
      split(parts[i], word, " ")
      if (word[2] ~ /^passed/) p += word[1]
      else if (word[2] ~ /^skipped/) s += word[1]
      else f += word[1]
    }
  } END { if (seen) print p + 0, f + 0, s + 0 }'
}

# test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s  (one per test program)
count_libtest() {
  awk '/^test result:/ { seen = 1; p += $4; f += $6; s += $8 } END { if (seen) print p + 0, f + 0, s + 0 }'
}

# # pass 3
count_tap() {
  awk '/^# (tests|pass|fail|cancelled|skipped|todo) [0-9]+$/ { seen = 1; n[$2] += $3 }
    END { if (seen) print n["pass"] + 0, n["fail"] + n["cancelled"] + 0, n["skipped"] + n["todo"] + 0 }'
}

# In headless Chromium, only the programs with browser tests: linking one takes as long as linking the wasm build.
wasm_tests() {
  local targets=() path
  if grep -rqs "wasm_bindgen_test" src; then targets+=(--lib); fi
  for path in $(grep -ls "wasm_bindgen_test" tests/*.rs); do targets+=(--test "$(basename "$path" .rs)"); done
  [ "${#targets[@]}" -gt 0 ] || return 0
  suite libtest wasm-pack test --headless --chrome --mode no-install . "${targets[@]}"
}

# node_tests FOLDER: its *.test.js and *.test.mjs files, as many at once as there are processors, up to four: each opens a browser.
node_tests() {
  [ -n "$(find "$1" -name '*.*js' 2>/dev/null)" ] || return 0
  local files=()
  mapfile -t files < <(find "$1" -name node_modules -prune -o \( -name '*.test.js' -o -name '*.test.mjs' \) -print | sort)
  if [ "${#files[@]}" -eq 0 ]; then fail "$1 holds scripts, but none is named *.test.js or *.test.mjs"; return; fi
  suite tap node --import tsx --test --test-reporter=tap --test-concurrency="$jobs" "${files[@]}"
}

summary() {
  local line="$passed passed, $failed failed"
  [ "$skipped" -eq 0 ] || line+=", $skipped skipped"
  echo "$line"
  [ "$failed" -eq 0 ]
}

main
