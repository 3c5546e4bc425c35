#!/usr/bin/env bash
# Installs what is missing: `setup.sh` for building and serving, `setup.sh test` for checks and tests too.
# Prints nothing and takes well under a second if everything is there.
. "$(dirname "$0")/common.sh"

WASM_PACK=0.15.1
NEXTEST=0.9.143
GECKODRIVER=0.37.1

main() {
  # A bare Debian may lack the linker that cargo calls.
  have cc || packages gcc libc6-dev
  have cargo || die "no cargo found; install Rust from https://rustup.rs and run this again"
  have node || die "no node found; install Node.js 20 or newer and run this again"
  wasm_target
  cargo_tool wasm-bindgen wasm-bindgen-cli "$(locked wasm-bindgen)"
  npm_packages
  npm_packages docs/site
  [ "${1:-build}" = test ] || return 0
  cargo_tool wasm-pack wasm-pack "$WASM_PACK" # runs the browser tests; scripts/wasm.sh explains why it does not build
  component clippy
  component rustfmt
  have cargo-nextest || install_tool cargo-nextest cargo-nextest "$NEXTEST"
  have chromium && have chromedriver || packages chromium chromium-driver
  # tests/e2e opens Chromium itself where there is no such package.
  have chromium-headless-shell || ! have apt-get || (packages chromium-headless-shell) || say "the tests will take longer in Chromium"
  engines
  python_packages
  npm_packages tests/package
}

# Firefox and WebKitGTK for tests/engines, which skip what cannot be installed, or fail if CI is set. Xvfb is a screen in memory, which
# WebKitGTK needs.
engines() {
  have apt-get || return 0
  have firefox-esr && have WebKitWebDriver && have Xvfb ||
    (packages firefox-esr webkit2gtk-driver xvfb) || say "the tests in Firefox and WebKitGTK cannot run"
  have geckodriver || install_tool geckodriver geckodriver "$GECKODRIVER"
}

die() { say "$*"; exit 1; }

wasm_target() {
  [ -d "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown/lib" ] && return
  say "adding the wasm32-unknown-unknown target"
  rustup target add wasm32-unknown-unknown
}

component() {
  "cargo-${1/rustfmt/fmt}" --version >/dev/null 2>&1 && return
  say "adding $1"
  rustup component add "$1"
}

# cargo_tool PROGRAM CRATE VERSION: exactly this version, because wasm-bindgen refuses any other.
cargo_tool() {
  have "$1" && [ "$("$1" --version | awk '{ print $2 }')" = "$3" ] && return
  install_tool "$@"
}

install_tool() {
  if prebuilt "$2" "$3"; then say "installed a prebuilt $2 $3"; return; fi
  say "building $2 $3, which takes some minutes"
  # These tools run for a second at a time, so a fast build matters more than fast code. Only wasm-bindgen reads megabytes of
  # wasm; its default feature is TLS, for web drivers on other machines.
  local options=() level=0
  [ "$2" != wasm-bindgen-cli ] || { options=(--no-default-features); level=1; }
  # A registry mirror may lag behind the versions that the crate was locked with, hence the second try.
  (
    export CARGO_PROFILE_RELEASE_OPT_LEVEL=$level CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
    export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/tools"
    cargo install --quiet --root .tools --version "$3" "${options[@]}" --locked "$2" ||
      cargo install --quiet --root .tools --version "$3" "${options[@]}" "$2"
  )
}

# prebuilt CRATE VERSION: unpacks the release of the tool's own project, if there is one for this machine.
prebuilt() {
  have curl && have tar || return 1
  local triple gecko unpacked=.tools/unpacked
  case "$(uname -sm)" in
    "Linux x86_64") triple=x86_64-unknown-linux-musl gecko=linux64 ;;
    "Linux aarch64") triple=aarch64-unknown-linux-musl gecko=linux-aarch64 ;;
    "Darwin arm64") triple=aarch64-apple-darwin gecko=macos-aarch64 ;;
    *) return 1 ;;
  esac
  local repository tag
  case "$1" in
    wasm-bindgen-cli) repository=wasm-bindgen/wasm-bindgen tag=$2 archive=wasm-bindgen-$2-$triple.tar.gz ;;
    wasm-pack) repository=wasm-bindgen/wasm-pack tag=v$2 archive=wasm-pack-v$2-$triple.tar.gz ;;
    geckodriver) repository=mozilla/geckodriver tag=v$2 archive=geckodriver-v$2-$gecko.tar.gz ;;
    cargo-nextest) repository=nextest-rs/nextest tag=cargo-nextest-$2 archive=cargo-nextest-$2-$triple.tar.gz ;;
  esac
  rm -rf "$unpacked" && mkdir -p "$unpacked" .tools/bin
  curl --fail --silent --location --connect-timeout 5 --max-time 120 \
    "https://github.com/$repository/releases/download/$tag/$archive" 2>/dev/null |
    tar --extract --gzip --directory "$unpacked" 2>/dev/null || return 1
  find "$unpacked" -type f -perm -u+x -exec mv {} .tools/bin/ \;
  rm -rf "$unpacked"
}

# npm_packages [FOLDER]: what the lock file there lists.
npm_packages() {
  local folder=${1:-.}
  cmp -s "$folder/package-lock.json" "$folder/node_modules/.installed-lock.json" && return
  say "installing npm packages${1:+ for $1}"
  npm ci --prefix "$folder" --ignore-scripts --loglevel=error >/dev/null
  cp "$folder/package-lock.json" "$folder/node_modules/.installed-lock.json"
}

# What tools/convert.py needs, in .tools/python; PYTHON names an interpreter.
python_packages() {
  cmp -s tools/requirements.txt .tools/python/requirements.txt && return
  local python=${PYTHON:-python3}
  "$python" -c "import ensurepip, venv" 2>/dev/null || packages python3 python3-venv
  "$python" -c "import sys; sys.exit(sys.version_info < (3, 11))" ||
    die "$("$python" --version) found; tools/convert.py needs Python 3.11 or newer: name one with PYTHON=... and run this again"
  say "installing Python packages"
  rm -rf .tools/python
  "$python" -m venv .tools/python
  .tools/python/bin/pip install --quiet --disable-pip-version-check --requirement tools/requirements.txt
  cp tools/requirements.txt .tools/python/requirements.txt
}

packages() {
  have apt-get || die "please install $* (this script knows only apt-get)"
  say "installing $*"
  local root=
  [ "$(id -u)" = 0 ] || root=sudo
  $root apt-get -qq -o DPkg::Lock::Timeout=300 update
  DEBIAN_FRONTEND=noninteractive $root apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@" >/dev/null
}

main "$@"
