"""A real redis-server of the test's own, on a Unix socket, that can be killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

BINARY = shutil.which("redis-server")


class RedisServer:
    """Keeps nothing on disk: what it knew is lost with it."""

    def __init__(self, directory: Path, options: Sequence[str] = ()) -> None:
        self._options = options
        self._socket = directory / "redis.sock"
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """For the configuration."""
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Returns when it answers."""
        assert BINARY is not None
        self._process = subprocess.Popen(
            [
                *(BINARY, "--port", "0", "--unixsocket", str(self._socket)),
                *("--save", "", "--appendonly", "no", "--dir", str(self._directory)),
                *self._options,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if b"eady to accept connections" in line:
                break
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self._socket))
            client.sendall(b"PING\r\n")
            assert client.recv(16) == b"+PONG\r\n"

    def kill(self) -> None:
        """Without a goodbye."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()
            self._socket.unlink(missing_ok=True)

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def redis_server(*options: str) -> Iterator[RedisServer]:
    """A running server with further `options`.

    The test is skipped where there is no redis-server, but never in CI.
    """
    if BINARY is None:
        reason = "redis-server is not installed: scripts/redis.sh says how to get it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        server = RedisServer(Path(directory), options)
        server.start()
        try:
            yield server
        finally:
            server.kill()
