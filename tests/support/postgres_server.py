"""A real PostgreSQL of the tests' own, on a Unix socket, that can be stopped and started again."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

NOBODY = pwd.getpwnam("nobody")
USER = "interlingua"
PORT = 5432  # of the socket's name alone; nothing listens on a network


class PostgresServer:
    """Without `durable` it may be stopped and killed, but not the machine."""

    def __init__(self, directory: Path, programs: Path, *, durable: bool = False) -> None:
        self._durable = durable
        self.directory = directory
        self._programs = programs
        self._databases = 0
        self._running = False

    def create(self) -> None:
        """An empty cluster."""
        options = ("--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        self._do("initdb", f"--pgdata={self.data}", f"--username={USER}", *options)

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def start(self) -> None:
        """Returns when it answers."""
        options = f"-c listen_addresses= -c port={PORT} -c max_connections=200"
        options += f" -c unix_socket_directories={self.directory}"
        if not self._durable:
            options += " -c fsync=off -c full_page_writes=off -c synchronous_commit=off"
            options += " -c shared_buffers=32MB"
        log = f"--log={self.directory / 'log'}"
        self._do("pg_ctl", f"--pgdata={self.data}", log, f"--options={options}", "-w", "start")
        self._running = True

    def stop(self) -> None:
        """At once; who is connected is cut off."""
        if self._running:
            self._do("pg_ctl", f"--pgdata={self.data}", "--mode=immediate", "-w", "stop")
            self._running = False

    def url(self, database: str = "postgres") -> str:
        """For the configuration."""
        return f"postgresql://{USER}@/{database}?host={self.directory}&port={PORT}"

    def new_database(self) -> str:
        """The URL of an empty database."""
        self._databases += 1
        name = f"test_{self._databases}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def _do(self, program: str, *arguments: str) -> None:
        # PostgreSQL refuses to run as root. With the user as an argument of its own, Python would
        # fork instead of vfork, and a copy of gRPC's threads can fail before the program begins.
        other = (
            "setpriv",
            f"--reuid={NOBODY.pw_uid}",
            f"--regid={NOBODY.pw_gid}",
            "--clear-groups",
        )
        done = subprocess.run(
            [*(other if os.geteuid() == 0 else ()), self._programs / program, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            cwd=self.directory,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()


def programs() -> Path | None:
    """Where PostgreSQL's programs are; Debian keeps them out of the PATH."""
    found = shutil.which("pg_ctl")
    if found is not None and shutil.which("initdb") is not None:
        return Path(found).parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """A running server; the test is skipped where there is no PostgreSQL, but never in CI."""
    where = programs()
    if where is None:
        reason = "PostgreSQL is not installed: scripts/postgres.sh says how to get it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        directory = Path(name)
        if os.geteuid() == 0:
            os.chown(directory, NOBODY.pw_uid, NOBODY.pw_gid)
        server = PostgresServer(directory, where, durable=durable)
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.stop()
