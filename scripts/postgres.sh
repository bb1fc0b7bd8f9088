#!/bin/sh
# Sees to the PostgreSQL that tests of the ledger, keys and budgets start for themselves.
set -eu
found() { command -v initdb || ls -d /usr/lib/postgresql/*/bin/initdb; }
found >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  # Without the cluster that the package would make and start.
  mkdir -p /etc/postgresql-common
  echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq --yes --no-install-recommends postgresql >/dev/null
  found >/dev/null 2>&1 && exit 0
fi
echo 'Tests that need PostgreSQL are skipped: install postgresql (Debian, Ubuntu) or postgresql-server.' >&2
[ -z "${CI:-}" ]
