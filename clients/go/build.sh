#!/usr/bin/env bash
# One entry for everything that is done with this client:
#   build.sh toolchain | gen | lint | test | runner | package | consumer
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
cache="$root/.cache/clients/go"
version=v0.1.0

toolchain() {
  command -v go >/dev/null && return
  echo "Go is skipped: install Go 1.26 or later, see https://go.dev/dl/." >&2
  exit 3
}

# The tools at the versions of tools/go.mod.
tools() {
  mkdir -p "$cache/bin"
  go -C tools build -o "$cache/bin/" tool ./pack
}

gen() {
  tools
  (cd "$root" && PATH="$cache/bin:$PATH" .venv-gen/bin/buf generate --template clients/go/buf.gen.yaml)
  cp "$root/clients/service_config.json" service_config.json
}

lint() {
  tools
  local unformatted
  unformatted=$(gofmt -l . tools consumer)
  [ -z "$unformatted" ] || { echo "gofmt would change: $unformatted" >&2; exit 1; }
  go vet ./...
  "$cache/bin/staticcheck" ./...
  go -C tools vet ./...
  cmp "$root/clients/service_config.json" service_config.json
}

runner() {
  mkdir -p "$cache"
  go build -o "$cache/conformance" ./conformance
  echo "$cache/conformance"
}

# What the ecosystem publishes is a module's zip, as a module proxy serves it.
package() {
  tools
  rm -rf "$cache/proxy"
  "$cache/bin/pack" -module . -version "$version" -proxy "$cache/proxy"
}

# A module outside of the tree that requires the packed one and streams one answer.
consumer() {
  local known
  work=$(mktemp -d)
  known="$(go env GOMODCACHE)/cache/download" # what this client was built with, as a proxy
  trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
  cp consumer/main.go "$work"
  cd "$work"
  export GOFLAGS=-mod=mod GONOSUMDB='*' GOMODCACHE="$work/modules"
  export GOPROXY="file://$cache/proxy,file://$known"
  go mod init example.com/consumer 2>/dev/null
  go get "interlingua.dev/go@$version" 2>/dev/null
  go run .
}

case "${1:-}" in
  toolchain) toolchain ;;
  gen) gen ;;
  lint) lint ;;
  test) go test ./... ;;
  runner) runner ;;
  package) package ;;
  consumer) consumer ;;
  *)
    echo "usage: build.sh toolchain | gen | lint | test | runner | package | consumer" >&2
    exit 2
    ;;
esac
