#!/bin/sh
# Sees to the redis-server that tests of shared limits and caches start for themselves.
set -eu
command -v redis-server >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq && apt-get install -qq --yes --no-install-recommends redis-server >/dev/null
  command -v redis-server >/dev/null && exit 0
fi
echo 'Tests that need Redis are skipped: install redis-server (Debian, Ubuntu) or redis.' >&2
[ -z "${CI:-}" ]
