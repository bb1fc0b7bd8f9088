"""An upstream that hears a request out, perhaps begins to answer, and waits to be left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.upstream import STREAM_HEAD, Visit, sse

EVENT = b'{"id":"x","model":"m","choices":[{"index":0,"delta":{"content":"hi"}}]}'
BEGUN = STREAM_HEAD + sse(EVENT)


class Listener:
    """An answer for tests.support.upstream.Upstream that sends `first` and nothing more.

    `came` is set when `expected` requests have come; `left_at` is the loop's time at which each
    of them was given up, and `left` is set when all of them have been.
    """

    def __init__(self, first: bytes = b"", expected: int = 1) -> None:
        self.came = asyncio.Event()
        self.left = asyncio.Event()
        self.left_at: list[float] = []
        self._first = first
        self._expected = expected
        self._count = 0

    async def __call__(self, visit: Visit) -> None:
        if self._first:
            await visit.send(self._first)
        self._count += 1
        if self._count == self._expected:
            self.came.set()
        await visit.gone()
        self.left_at.append(asyncio.get_running_loop().time())
        if len(self.left_at) == self._expected:
            self.left.set()


class Mute:
    """A TCP peer that reads and never answers; `greeted` and `left` tell of the last connection."""

    def __init__(self) -> None:
        self.greeted = asyncio.Event()
        self.left = asyncio.Event()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.left.clear()
        await reader.read(1)
        self.greeted.set()
        while await reader.read(4096):
            pass
        writer.close()
        self.greeted.clear()
        self.left.set()


@asynccontextmanager
async def mute() -> AsyncIterator[Mute]:
    """A Mute on a port of loopback."""
    peer = Mute()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        await server.wait_closed()
