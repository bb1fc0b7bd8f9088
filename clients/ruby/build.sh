#!/usr/bin/env bash
# One entry for everything that is done with this client:
#   build.sh toolchain | gen | lint | test | runner | package | consumer
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
out="$root/.cache/clients/ruby"
packages=(ruby ruby-grpc ruby-google-protobuf ruby-googleapis-common-protos-types ruby-minitest
  rubocop protobuf-compiler protobuf-compiler-grpc)

toolchain() {
  command -v ruby rubocop protoc grpc_ruby_plugin >/dev/null &&
    ruby -e 'require "grpc"; require "google/rpc/error_details_pb"; require "minitest"' && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    apt-get install -qq --yes --no-install-recommends "${packages[@]}" >/dev/null
    return
  fi
  echo "Ruby is skipped: install ${packages[*]} (Debian, Ubuntu)." >&2
  exit 3
}

# The stubs are those of Debian 12: protoc 3.21, grpc_ruby_plugin 1.51.
gen() {
  local made
  made=$(mktemp -d)
  protoc --proto_path="$root/protos" --proto_path="$root/third_party/googleapis" \
    --ruby_out="$made" --grpc_out="$made" --plugin=protoc-gen-grpc="$(command -v grpc_ruby_plugin)" \
    "$root"/protos/interlingua/v1/*.proto
  rm -rf lib/interlingua/v1
  cp -r "$made/interlingua/v1" lib/interlingua/v1
  rm -rf "$made"
  cp "$root/clients/service_config.json" lib/interlingua/service_config.json
}

lint() {
  rubocop --format quiet
  cmp "$root/clients/service_config.json" lib/interlingua/service_config.json
}

run_tests() {
  ruby -w -W:no-experimental -Ilib -Itest -e 'Dir["test/*_test.rb"].each { |file| require "./#{file}" }'
}

runner() {
  echo "ruby -I$PWD/lib $PWD/conformance/runner.rb"
}

package() {
  mkdir -p "$out"
  rm -f "$out"/*.gem
  gem build --quiet interlingua.gemspec --output "$out/interlingua.gem" >"$out/build.log" 2>&1 ||
    { cat "$out/build.log" >&2; exit 1; }
  echo "$out/interlingua.gem"
}

# A program outside of the tree that uses the installed gem and streams one answer.
consumer() {
  local work
  work=$(mktemp -d)
  trap 'rm -rf "$work"' RETURN
  cp consumer/main.rb "$work"
  (
    cd "$work"
    # Its dependencies are Debian's gems, which this directory of gems stands beside.
    gem install --quiet --local --force --no-document --install-dir "$work/gems" \
      "$out/interlingua.gem" >/dev/null
    GEM_PATH="$work/gems:$(gem env gempath)" ruby main.rb
  )
}

case "${1:-}" in
  toolchain) toolchain ;;
  gen) gen ;;
  lint) lint ;;
  test) run_tests ;;
  runner) runner ;;
  package) package ;;
  consumer) consumer ;;
  *)
    echo "usage: build.sh toolchain | gen | lint | test | runner | package | consumer" >&2
    exit 2
    ;;
esac
