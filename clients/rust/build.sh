#!/usr/bin/env bash
# Builds, checks and packages the Rust client: ./build.sh toolchain|gen|lint|test|runner|package|consumer
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$here"
# One target directory for everything, so that dependencies are compiled once.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/.cache/clients/rust}

toolchain() {
  command -v cargo >/dev/null && cargo fmt --version >/dev/null 2>&1 &&
    cargo clippy --version >/dev/null 2>&1 && minimum && return
  echo "rust: cargo $(msrv) or later with rustfmt and clippy is missing (see rustup.rs)"
  exit 3
}

msrv() {
  sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml
}

minimum() { # is the compiler new enough?
  local version
  version=$(rustc --version | cut -d ' ' -f 2)
  [ "$(printf '%s\n' "$(msrv)" "$version" | sort -V | head -n 1)" = "$(msrv)" ]
}

gen() {
  cargo run --quiet -p xtask
}

lint() {
  cargo fmt --all --check
  cargo clippy --quiet --workspace --all-targets -- -D warnings
  cargo clippy --quiet --no-default-features -- -D warnings
  RUSTDOCFLAGS='-D warnings' cargo doc --quiet --no-deps -p interlingua
}

unit() {
  cargo test --quiet -p interlingua
}

runner() {
  cargo build --quiet -p interlingua-conformance >&2
  echo "$CARGO_TARGET_DIR/debug/interlingua-conformance"
}

package() { # consumer compiles what is packed, so it is not verified here as well
  cargo package --quiet --allow-dirty --no-verify -p interlingua >&2
  echo "$CARGO_TARGET_DIR/package/interlingua-$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml).crate"
}

consumer() { # a project elsewhere that knows nothing but the packed crate
  local crate project
  crate=$(package | tail -n 1)
  project=$(mktemp -d)
  trap "rm -rf '$project'" EXIT
  cp -r test-consumer/. "$project"
  mkdir "$project/interlingua"
  tar -xzf "$crate" -C "$project/interlingua" --strip-components 1
  cd "$project"
  CARGO_TARGET_DIR=$CARGO_TARGET_DIR/consumer cargo run --quiet
}

case ${1:-} in
  toolchain) toolchain ;;
  gen | lint | runner | package | consumer)
    toolchain
    "$1"
    ;;
  test)
    toolchain
    unit
    ;;
  *)
    sed -n '2s/^# //p' "$0" >&2
    exit 2
    ;;
esac
