"""The HTTP/1.1 client: a bounded pool of kept-alive connections, closed by its owner."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable

import msgspec

from interlingua_gateway.core.clock import Clock, Timeout, Timer
from interlingua_gateway.providers.transport.connect import Connector, Proxy
from interlingua_gateway.providers.transport.connection import Connection
from interlingua_gateway.providers.transport.errors import (
    ConnectionBroken,
    NoFreeConnection,
    TransportClosed,
)
from interlingua_gateway.providers.transport.exchange import Exchange, exchange
from interlingua_gateway.providers.transport.messages import HttpRequest, Origin


class PoolLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one client over all its origins.

    `max_connections` counts connections being made, in use and idle; an idle one is closed after
    `max_idle_s`; a request waits up to `max_wait_s` for a free one, at most `max_waiting` do.
    """

    max_connections: int = 512
    max_idle_s: float = 60.0
    max_wait_s: float = 10.0
    max_waiting: int = 1024


class HttpClient:
    """Implements Transport on asyncio sockets."""

    def __init__(
        self,
        *,
        clock: Clock,
        limits: PoolLimits | None = None,
        tls: ssl.SSLContext | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        self._clock = clock
        self._limits = limits or PoolLimits()
        self._connector = Connector(tls, proxy, clock)
        self._connections: set[Connection] = set()
        self._idle: dict[Connection, None] = {}
        """Longest idle first."""
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._sweep: Timer | None = None
        self._closed = False
        self._emptied: asyncio.Future[None] | None = None

    @property
    def open_connections(self) -> int:
        """Connections that are being made, in use or idle."""
        return len(self._connections)

    async def send(
        self,
        request: HttpRequest,
        *,
        connect_timeout_s: float,
        on_sent: Callable[[], None],
    ) -> Exchange:
        """Send `request` and wait for the head of its response; see Transport.

        A kept connection that the server closed before the first byte of the response is replaced
        by a new one, once: the server cannot have begun to answer (RFC 9112, section 9.3.1).
        """
        connection = self._unused(request.origin)
        if connection is None:
            connection = await self._connection(request.origin, connect_timeout_s)
        reused = connection.requests > 0
        on_sent()
        try:
            return await exchange(connection, request)
        except ConnectionBroken:
            if not reused or connection.responding:
                raise
        connection = await self._connection(request.origin, connect_timeout_s, fresh=True)
        return await exchange(connection, request)

    async def _connection(
        self, origin: Origin, connect_timeout_s: float, *, fresh: bool = False
    ) -> Connection:
        """An unused connection, or a new one as soon as the limits allow it."""
        until = self._clock.monotonic() + self._limits.max_wait_s
        while not self._room():
            await self._wait(until)
            kept = None if fresh else self._unused(origin)
            if kept is not None:
                return kept
        return await self._connect(origin, connect_timeout_s)

    def _unused(self, origin: Origin) -> Connection | None:
        """The connection to `origin` that was used last, if one is idle."""
        for connection in reversed(self._idle):
            if connection.origin == origin and connection.usable:
                del self._idle[connection]
                return connection
        return None

    def _room(self) -> bool:
        """Whether a connection may be opened; an idle one gives way."""
        if self._closed:
            raise TransportClosed("the client is closed")
        if len(self._connections) < self._limits.max_connections:
            return True
        if self._idle:
            connection = self._longest_idle()
            del self._idle[connection]
            connection.abort()
        return False

    def _longest_idle(self) -> Connection:
        return next(iter(self._idle))

    async def _connect(self, origin: Origin, timeout_s: float) -> Connection:
        connection = Connection(origin, self, self._clock)
        self._connections.add(connection)
        try:
            await self._connector.connect(origin, lambda: connection, timeout_s)
        except BaseException:
            connection.abort()
            self.lost(connection)  # not every event loop tells a connection that was being made
            raise
        if self._closed:
            connection.abort()
            raise TransportClosed("the client is closed")
        return connection

    async def _wait(self, until: float) -> None:
        """Wait until a connection comes free or is closed, in turn."""
        if len(self._waiters) >= self._limits.max_waiting:
            raise NoFreeConnection("too many requests wait for a connection")
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            with Timeout(self._clock, until):
                await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                self._wake()  # what this waiter was woken for goes to the next
            elif waiter in self._waiters:
                self._waiters.remove(waiter)
            if isinstance(error, TimeoutError):
                raise NoFreeConnection("every connection is in use") from error
            raise

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def kept(self, connection: Connection) -> None:
        """A connection can serve another request."""
        if self._closed:
            connection.abort()
            return
        connection.idle_since = self._clock.monotonic()
        self._idle[connection] = None
        if self._sweep is None:
            self._sweep_at(connection.idle_since + self._limits.max_idle_s)
        self._wake()

    def lost(self, connection: Connection) -> None:
        """A connection is closed, or was never made."""
        self._connections.discard(connection)
        self._idle.pop(connection, None)
        self._wake()
        if self._emptied is not None and not self._emptied.done() and not self._made():
            self._emptied.set_result(None)

    def _sweep_at(self, when: float) -> None:
        self._sweep = self._clock.call_at(when, self._close_expired)

    def _close_expired(self) -> None:
        """Close what was idle for too long; come back for the rest."""
        self._sweep = None
        now = self._clock.monotonic()
        expired = [c for c in self._idle if c.idle_since + self._limits.max_idle_s <= now]
        for connection in expired:
            del self._idle[connection]
            connection.abort()
        if self._idle:
            self._sweep_at(self._longest_idle().idle_since + self._limits.max_idle_s)

    async def aclose(self) -> None:
        """Close every connection and wait until they are closed; safe to call twice."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
        for connection in self._made():
            connection.abort()
        if self._made():
            self._emptied = asyncio.get_running_loop().create_future()
            await self._emptied

    def _made(self) -> list[Connection]:
        """The connections that stand; those being made close themselves when they do."""
        return [connection for connection in self._connections if connection.made]
