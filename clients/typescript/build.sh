#!/usr/bin/env bash
# Builds, checks and packages the TypeScript client: ./build.sh toolchain|gen|lint|test|runner|package|consumer
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$here"
bin=node_modules/.bin

fresh() { # does what is installed belong to the lock file?
  [ -f node_modules/.locked ] && cmp -s package-lock.json node_modules/.locked
}

toolchain() {
  command -v npm >/dev/null || {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null &&
      apt-get install -y --no-install-recommends nodejs npm >&2 || :
  }
  node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 3) ? 0 : 1)' 2>/dev/null || {
    echo 'typescript: Node.js 20.3 or later with npm is missing'
    exit 3
  }
  fresh && return
  npm ci --prefer-offline --loglevel=error >&2
  cp package-lock.json node_modules/.locked
}

gen() {
  toolchain
  local buf=buf
  [ -x "$root/.venv-gen/bin/buf" ] && buf=$root/.venv-gen/bin/buf
  rm -rf src/gen
  (cd "$root" && "$buf" generate --template clients/typescript/buf.gen.yaml)
  node -e '
    const text = JSON.stringify(JSON.parse(require("fs").readFileSync("../service_config.json", "utf8")));
    console.log(`// Generated from clients/service_config.json. DO NOT EDIT.\n\n/** How gRPC spreads and repeats calls. */\nexport const SERVICE_CONFIG = ${JSON.stringify(text)};`);
  ' > src/gen/service_config.ts
}

compile() {
  toolchain
  $bin/tsc
}

lint() {
  compile
  $bin/prettier --check --log-level warn .
  $bin/eslint --max-warnings 0 .
}

unit() {
  compile
  node --test build/test/
}

runner() {
  compile >&2
  echo "node $here/build/conformance/runner.js"
}

package() {
  toolchain
  rm -rf dist
  $bin/tsc -p tsconfig.dist.json
  mkdir -p build/package
  npm pack --silent --pack-destination build/package >/dev/null
  echo "$here/build/package/interlingua-$(node -p 'require("./package.json").version').tgz"
}

consumer() { # a project elsewhere that knows nothing but the tarball
  local tarball project
  tarball=$(package | tail -n 1)
  project=$(mktemp -d)
  trap "rm -rf '$project'" EXIT
  cd "$project"
  cp "$here/test/consumer/"* .
  cp "$tarball" interlingua.tgz
  npm install --prefer-offline --no-audit --no-fund --loglevel=error ./interlingua.tgz "typescript@$(cd "$here" && node -p 'require("./package.json").devDependencies.typescript')" >&2
  npx --no-install tsc -p .
  node main.js
}

case ${1:-} in
  toolchain | gen | lint | runner | package | consumer) "$1" ;;
  test) unit ;;
  *)
    sed -n '2s/^# //p' "$0" >&2
    exit 2
    ;;
esac
