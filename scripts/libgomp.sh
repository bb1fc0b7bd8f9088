#!/bin/sh
# Sees to the one system library that the embedded model needs: GNU OpenMP.
set -eu
[ "$(uname -s)" = Linux ] || exit 0
found() { .venv/bin/python -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null; }
found && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq && apt-get install -qq --yes --no-install-recommends libgomp1 >/dev/null
  found && exit 0
fi
echo 'The embedded model needs the library libgomp.so.1: install libgomp1 (Debian, Ubuntu) or libgomp (Fedora, Alpine).' >&2
exit 1
