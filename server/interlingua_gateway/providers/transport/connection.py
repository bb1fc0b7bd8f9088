"""One HTTP/1.1 connection: an asyncio protocol that feeds llhttp and wakes its one reader."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Protocol, cast

import httptools

from interlingua_gateway.core.clock import Clock, Timer
from interlingua_gateway.providers.transport.errors import (
    ConnectionBroken,
    MalformedResponse,
    TransportError,
)
from interlingua_gateway.providers.transport.messages import Origin

MAX_HEAD_BYTES = 64 * 1024
MAX_BUFFERED_BYTES = 256 * 1024
"""Above this many unread bytes the socket is not read; the upstream then has to wait."""

SMALL_BODY_BYTES = 64 * 1024
DRAIN_S = 1.0
"""How long the end of a body may take after its reader said that it needs no more."""


class Owner(Protocol):
    """Keeps connections; told what becomes of them."""

    def kept(self, connection: Connection) -> None:
        """The response was read to its end and the connection can serve another request."""
        ...

    def lost(self, connection: Connection) -> None:
        """The connection is closed."""
        ...


class _Stage(Enum):
    IDLE = 0
    HEAD = 1
    BODY = 2
    COMPLETE = 3


class Connection(asyncio.Protocol):
    """Serves one request at a time.

    The parser calls the `on_*` methods while `data_received` feeds it; the reader is woken once
    for each feed, however much that brought.
    """

    def __init__(self, origin: Origin, owner: Owner, clock: Clock) -> None:
        self.origin = origin
        self.authority = origin.authority
        self.idle_since = 0.0
        self.made = False
        self.requests = 0
        """How many requests it has been given."""
        self.responding = False
        """True once a byte of the response to the last of them has come."""
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._owner = owner
        self._clock = clock
        self._transport: asyncio.Transport | None = None
        self._stage = _Stage.IDLE
        self._error: TransportError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._draining: Timer | None = None
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._head_bytes = 0
        self._paused = False
        self._keep_alive = False
        # Bound to the list itself: the parser calls it once for every chunk of a body.
        self.on_body = self._chunks.append
        self._parser = httptools.HttpResponseParser(self)

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.made = True

    def data_received(self, data: bytes) -> None:
        if self._stage is _Stage.IDLE or self._stage is _Stage.COMPLETE:
            self._fail(MalformedResponse("the server sent bytes that nobody asked for"))
            return
        self.responding = True
        if self._stage is _Stage.HEAD:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(MalformedResponse("the server switched protocols unasked"))
            return
        except httptools.HttpParserError as error:
            self._fail(MalformedResponse(f"not HTTP/1.1: {type(error).__name__}"))
            return
        self._fed(len(data))

    def _fed(self, size: int) -> None:
        if self._error is not None:
            self._fail(self._error)
            return
        if self._stage is _Stage.HEAD:
            if self._head_bytes > MAX_HEAD_BYTES:
                self._fail(MalformedResponse(f"the head is over {MAX_HEAD_BYTES} bytes"))
            return
        self._buffered += size
        if self._draining is not None:
            self._discard()
            return
        if self._buffered > MAX_BUFFERED_BYTES and self._stage is _Stage.BODY:
            self._pause()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._stage is _Stage.BODY and exc is None and _ends_with_close(self.headers):
            self._stage = _Stage.COMPLETE
            self._keep_alive = False
        elif self._stage is not _Stage.COMPLETE and self._error is None:
            detail = f": {type(exc).__name__}" if exc is not None else ""
            self._error = ConnectionBroken(f"the server closed the connection{detail}")
        self._transport = None
        self._stop_draining()
        self._wake()
        self._owner.lost(self)

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._stage is _Stage.COMPLETE:
            self._error = MalformedResponse("more than one response to one request")

    def on_header(self, name: bytes, value: bytes | None) -> None:
        if self._stage is not _Stage.HEAD:
            return  # a trailer
        self.headers.append((name.lower(), value or b""))

    def on_headers_complete(self) -> None:
        if self._stage is not _Stage.HEAD:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            self.headers.clear()  # an interim response; the one that counts follows it
            return
        # What was fed may hold the beginning of the body too; only then is it worth adding up.
        if self._head_bytes > MAX_HEAD_BYTES and _size(self.headers) > MAX_HEAD_BYTES:
            self._error = MalformedResponse(f"the head is over {MAX_HEAD_BYTES} bytes")
        self.status = status
        self._stage = _Stage.BODY

    def on_message_complete(self) -> None:
        if self._stage is _Stage.BODY:
            self._stage = _Stage.COMPLETE
            self._keep_alive = self._parser.should_keep_alive()

    # What the exchange calls.

    @property
    def usable(self) -> bool:
        """Idle, open and not being closed by the server."""
        transport = self._transport
        return transport is not None and self._stage is _Stage.IDLE and not transport.is_closing()

    def write(self, head: bytes, body: bytes) -> None:
        """Put a request on the wire.

        Raises:
            ConnectionBroken: the connection is gone.
        """
        if self._transport is None:
            raise ConnectionBroken("the server closed the connection")
        self.requests += 1
        self.responding = False
        self.headers = []
        self._chunks.clear()
        self._buffered = self._head_bytes = 0
        self._stage = _Stage.HEAD
        if len(body) <= SMALL_BODY_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))

    async def head(self) -> None:
        """Wait until the status and the headers are there.

        Raises:
            TransportError: they will not come.
        """
        while self._stage is _Stage.HEAD:
            if self._error is not None:
                raise self._error
            await self._arrival()

    async def body(self) -> bytes:
        """The bytes that have come since the last call; empty at the end of the body.

        Raises:
            TransportError: the body broke off.
        """
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._stage is _Stage.COMPLETE:
                return b""
            await self._arrival()
        return self._take()

    def _take(self) -> bytes:
        chunks = self._chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._buffered = 0
        if self._paused:
            self._resume()
        return data

    @property
    def at_end(self) -> bool:
        """The body is complete and all of it was read."""
        return self._stage is _Stage.COMPLETE and not self._chunks and self._error is None

    def release(self) -> None:
        """After the end of a body: keep the connection if both sides can, else close it."""
        if not self._keep_alive or self._transport is None or self._transport.is_closing():
            self.abort()
            return
        self._stage = _Stage.IDLE
        self._owner.kept(self)

    def drain(self) -> None:
        """Drop what is left of the body: keep the connection if it ends at once, else close it."""
        if self._transport is None:
            return
        self._draining = self._clock.call_at(self._clock.monotonic() + DRAIN_S, self.abort)
        self._discard()

    def _discard(self) -> None:
        self._take()
        if self._stage is _Stage.COMPLETE:
            self._stop_draining()
            self.release()

    def _stop_draining(self) -> None:
        if self._draining is not None:
            self._draining.cancel()
            self._draining = None

    def abort(self) -> None:
        """Close at once, without waiting for unsent bytes or a TLS farewell."""
        self._stop_draining()
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, error: TransportError) -> None:
        self._error = error
        self._chunks.clear()
        self.abort()
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _arrival(self) -> asyncio.Future[None]:
        """Done when something has come, or the connection is gone."""
        self._waiter = asyncio.get_running_loop().create_future()
        return self._waiter

    def _pause(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        self._paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()


def _size(headers: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) + len(b": \r\n") for name, value in headers)


def _ends_with_close(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether only the close of the connection ends the body (RFC 9112, section 6.3)."""
    return not any(name in (b"content-length", b"transfer-encoding") for name, _ in headers)
