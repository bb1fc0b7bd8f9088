"""Opens connections: directly, under TLS, or through a proxy's CONNECT tunnel."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable
from typing import TypeVar, cast
from urllib.parse import unquote, urlsplit

import msgspec

from interlingua_gateway.core.clock import Clock, Timeout
from interlingua_gateway.providers.transport.errors import (
    ConnectFailed,
    ConnectTimedOut,
    TlsFailed,
)
from interlingua_gateway.providers.transport.messages import Origin, split_url

MAX_ANSWER_BYTES = 16 * 1024

P = TypeVar("P", bound=asyncio.Protocol)


class Proxy(msgspec.Struct, frozen=True):
    """An HTTP proxy that tunnels; `authorization` is a Proxy-Authorization value or empty."""

    origin: Origin
    authorization: str = ""


def proxy_of(url: str) -> Proxy:
    """The proxy of `http[s]://[user:password@]host[:port]`.

    Raises:
        ValueError: not such a URL.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    origin, path = split_url(f"{parts.scheme}://{host}{parts.path}")
    if path:
        raise ValueError("a proxy's URL has no path")
    if parts.username is None:
        return Proxy(origin)
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Proxy(origin, "Basic " + base64.b64encode(pair.encode()).decode())


class Connector:
    """Makes connections that speak a given protocol."""

    def __init__(self, tls: ssl.SSLContext | None, proxy: Proxy | None, clock: Clock) -> None:
        self._tls = tls
        self._proxy = proxy
        self._clock = clock

    async def connect(self, origin: Origin, protocol: Callable[[], P], timeout_s: float) -> P:
        """A connection to `origin`, ready for the first request.

        Raises:
            ConnectTimedOut: not within `timeout_s`.
            ConnectFailed: not at all; TlsFailed where the handshake is to blame.
        """
        try:
            with Timeout(self._clock, self._clock.monotonic() + timeout_s):
                if self._proxy is not None:
                    return await self._through(self._proxy, origin, protocol)
                return await self._direct(origin, protocol)
        except TimeoutError as error:
            raise ConnectTimedOut(f"no connection to {origin.address} in time") from error
        except ssl.SSLError as error:
            raise TlsFailed(f"TLS with {origin.address} failed: {error.reason}") from error
        except (OSError, UnicodeError) as error:
            detail = type(error).__name__
            raise ConnectFailed(f"no connection to {origin.address}: {detail}") from error

    async def _direct(self, origin: Origin, protocol: Callable[[], P]) -> P:
        loop = asyncio.get_running_loop()
        context = self._context(origin)
        _, made = await loop.create_connection(protocol, origin.host, origin.port, ssl=context)
        return made

    def _context(self, origin: Origin) -> ssl.SSLContext | None:
        if not origin.secure:
            return None
        if self._tls is None:
            raise TlsFailed(f"no TLS was configured for {origin.address}")
        return self._tls

    async def _through(self, proxy: Proxy, origin: Origin, protocol: Callable[[], P]) -> P:
        tunnel = await self._direct(proxy.origin, _Tunnel)
        try:
            await tunnel.open(origin, proxy.authorization)
            return await self._hand_over(tunnel, origin, protocol())
        except BaseException:
            tunnel.abort()
            raise

    async def _hand_over(self, tunnel: _Tunnel, origin: Origin, made: P) -> P:
        """Let `made` speak through the open tunnel."""
        context = self._context(origin)
        if context is None:
            tunnel.transport.set_protocol(made)
            made.connection_made(tunnel.transport)
            return made
        transport = await asyncio.get_running_loop().start_tls(
            tunnel.transport, made, context, server_hostname=origin.host
        )
        if transport is None:
            raise ConnectFailed(f"the proxy closed the tunnel to {origin.address}")
        made.connection_made(transport)
        return made


class _Tunnel(asyncio.Protocol):
    """Asks a proxy for a tunnel and waits for its answer."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._answer = bytearray()
        self._opened: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    async def open(self, origin: Origin, authorization: str) -> None:
        """Ask for a tunnel to `origin` (RFC 9110, section 9.3.6)."""
        self._opened = asyncio.get_running_loop().create_future()
        address = origin.address
        credentials = f"proxy-authorization: {authorization}\r\n" if authorization else ""
        request = f"CONNECT {address} HTTP/1.1\r\nhost: {address}\r\n{credentials}\r\n"
        self.transport.write(request.encode("ascii"))
        await self._opened

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if b"\r\n\r\n" in self._answer:
            status = self._answer.split(b"\r\n", 1)[0].split(b" ")[1:2]
            whole = self._answer.endswith(b"\r\n\r\n")
            if status and status[0][:1] == b"2" and whole:
                self._settle(None)
            else:
                code = status[0][:3].decode("ascii", "replace") if status else "?"
                self._settle(ConnectFailed(f"the proxy refused the tunnel: {code}"))
        elif len(self._answer) > MAX_ANSWER_BYTES:
            self._settle(ConnectFailed("the proxy's answer is too long"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._settle(ConnectFailed("the proxy closed the connection"))

    def _settle(self, error: Exception | None) -> None:
        if self._opened is None or self._opened.done():
            return
        if error is None:
            self._opened.set_result(None)
        else:
            self._opened.set_exception(error)

    def abort(self) -> None:
        """Close at once."""
        self.transport.abort()
