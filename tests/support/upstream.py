"""A raw HTTP upstream on loopback whose every byte the test decides."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType


class Visit:
    """One request as it came, and the means to answer it byte by byte."""

    def __init__(
        self,
        connection: int,
        head: bytes,
        body: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        lines = head.decode("latin-1").split("\r\n")
        self.connection = connection
        """Number of the connection that it came on, from 0."""
        self.method, self.path, self.version = lines[0].split(" ")
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        self.body = body
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Put `data` on the wire now."""
        self._writer.write(data)
        await self._writer.drain()

    async def gone(self) -> None:
        """Wait until the other side has closed the connection."""
        with contextlib.suppress(ConnectionError):
            while await self._reader.read(4096):
                pass

    def reset(self) -> None:
        """Close at once."""
        self._writer.transport.abort()


Answer = Callable[[Visit], Awaitable[bool | None]]
"""Answers one visit; the connection is closed afterwards unless it returns True."""


class Upstream:
    """`async with Upstream(answer) as upstream:` serves `answer` at `upstream.url`."""

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.visits: list[Visit] = []
        self.connections = 0
        self.open = 0
        self._answer = answer
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = asyncio.Condition()

    @property
    def url(self) -> str:
        """The base URL, without a closing slash."""
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}"

    @property
    def port(self) -> int:
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Upstream:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def none_open(self) -> None:
        """Wait until the other side has closed every connection."""
        async with self._closed:
            await self._closed.wait_for(lambda: self.open == 0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        number, self.connections = self.connections, self.connections + 1
        self.open += 1
        try:
            await self._converse(number, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass  # the other side went, or the test is over
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError, ssl.SSLError):
                await writer.wait_closed()
            self.open -= 1
            async with self._closed:
                self._closed.notify_all()

    async def _converse(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = 0
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            body = await reader.readexactly(length)
            visit = Visit(number, head.removesuffix(b"\r\n\r\n"), body, reader, writer)
            self.visits.append(visit)
            if not await self._answer(visit):
                return


def whole(
    body: bytes,
    status: str = "200 OK",
    content_type: str = "application/json",
    headers: Iterable[str] = (),
) -> bytes:
    """A response with a Content-Length."""
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One chunk of the chunked transfer coding."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def sse(*payloads: bytes) -> bytes:
    """Each payload as an event, in a chunk of its own."""
    return b"".join(chunk(b"data: " + payload + b"\n\n") for payload in payloads)


def always(response: bytes) -> Answer:
    """Answer every visit with `response` and keep the connection."""

    async def answer(visit: Visit) -> bool:
        await visit.send(response)
        return True

    return answer
