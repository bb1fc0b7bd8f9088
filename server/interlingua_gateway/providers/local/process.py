"""A child process whose pipes the event loop reads; it is started without a plain fork.

The loop's own subprocess functions fork under uvloop, which sets off gRPC's fork handlers in a
live server. `subprocess` starts by vfork and exec on Linux, which does not.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO

from interlingua_gateway.core.clock import Clock, Timeout

TAIL_BYTES = 4096


class Process:
    """A running program; `aclose()` it in the end, also when it has ended by itself.

    Attributes:
        pid: its process id.
        tail: the last TAIL_BYTES that it wrote to standard error.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        pipe = subprocess.PIPE
        self._popen = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        assert self._popen.stderr is not None
        self._pipes = (self._popen.stdin, self._popen.stdout, self._popen.stderr)
        self._output = asyncio.StreamReader()
        self._ended = asyncio.Event()
        self.pid = self._popen.pid
        self.tail = b""
        _watch(self._popen.stdout, self._on_output)
        _watch(self._popen.stderr, self._on_errors)

    def write(self, data: bytes) -> None:
        """Write `data` to its input: less than a pipe holds, and lost if the process has ended."""
        with suppress(BrokenPipeError):
            os.write(self._pipes[0].fileno(), data)

    async def read_line(self) -> bytes:
        """The next line of its output; empty at its end."""
        return await self._output.readline()

    async def wait(self) -> int:
        """Wait for its end; the exit status, or minus the number of the signal that ended it."""
        await self._ended.wait()
        return await asyncio.to_thread(self._popen.wait)

    async def aclose(self, clock: Clock, grace_s: float) -> None:
        """Send SIGTERM, after `grace_s` seconds SIGKILL, unless it has ended; then reap it."""
        self._popen.terminate()
        try:
            with Timeout(clock, clock.monotonic() + grace_s):
                await self.wait()
        except TimeoutError:
            self._popen.kill()
            await self.wait()
        finally:
            for pipe in self._pipes:
                asyncio.get_running_loop().remove_reader(pipe.fileno())
                pipe.close()

    def _on_output(self, data: bytes) -> None:
        if data:
            self._output.feed_data(data)
        else:
            self._output.feed_eof()

    def _on_errors(self, data: bytes) -> None:
        self.tail = (self.tail + data)[-TAIL_BYTES:]
        if not data:
            self._ended.set()


def _watch(pipe: IO[bytes], receive: Callable[[bytes], None]) -> None:
    """Call `receive` with whatever arrives in `pipe`, and with nothing at its end."""
    loop = asyncio.get_running_loop()
    descriptor = pipe.fileno()
    os.set_blocking(descriptor, False)

    def read() -> None:
        with suppress(BlockingIOError):
            data = os.read(descriptor, TAIL_BYTES)
            if not data:
                loop.remove_reader(descriptor)
            receive(data)

    loop.add_reader(descriptor, read)
