"""Requests, responses and the protocol of whatever carries them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from interlingua_gateway.providers.transport.errors import BodyTooLarge

_PORTS = {"http": 80, "https": 443}


class Origin(msgspec.Struct, frozen=True):
    """Where a connection goes to."""

    secure: bool
    host: str
    port: int

    @property
    def authority(self) -> str:
        """`host` or `host:port` as the Host header wants it (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.secure else "http"] else self.address

    @property
    def address(self) -> str:
        """`host:port`, always with the port, as CONNECT wants it (RFC 9110, section 9.3.6)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def split_url(url: str) -> tuple[Origin, str]:
    """The origin of an absolute `http` or `https` URL and its path without a closing slash.

    Raises:
        ValueError: not such a URL, or one with credentials, a query or a fragment.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("not an absolute http or https URL")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("a URL with credentials, a query or a fragment has no place here")
    port = parts.port if parts.port is not None else _PORTS[parts.scheme]
    return Origin(parts.scheme == "https", parts.hostname, port), parts.path.rstrip("/")


class HttpRequest(msgspec.Struct, frozen=True):
    """One request; `path` starts with a slash and includes the query.

    The carrier adds Host, Content-Length, Accept-Encoding: identity and nothing else.
    """

    method: str
    origin: Origin
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class HttpResponse(Protocol):
    """The head of a response, and its body as it comes."""

    @property
    def status(self) -> int: ...

    def header(self, name: str) -> str:
        """The first value of a header, by its lower-case name; empty if there is none."""
        ...

    async def read(self) -> bytes:
        """Whatever bytes of the body have come since the last read; empty at its true end.

        Raises:
            ConnectionBroken: the connection ended before the body did.
            MalformedResponse: the body's framing is broken.
        """
        ...

    def finish(self) -> None:
        """The reader needs no more: a connection whose body is at its end is kept, one whose
        body does not end at once is closed."""
        ...

    def close(self) -> None:
        """Close the connection at once unless the body has been read to its end."""
        ...


class Transport(Protocol):
    """Carries requests to their origins."""

    async def send(
        self,
        request: HttpRequest,
        *,
        connect_timeout_s: float,
        on_sent: Callable[[], None],
    ) -> HttpResponse:
        """Send `request` and wait for the head of its response.

        `on_sent` is called when the connection stands and the request is on its way. Cancelling
        this coroutine closes the connection at once.

        Raises:
            TransportError: any of its children.
        """
        ...

    @property
    def open_connections(self) -> int:
        """Connections that are being made, in use or idle."""
        ...

    async def aclose(self) -> None:
        """Close every connection; open responses break."""
        ...


async def read_whole(response: HttpResponse, limit_bytes: int) -> bytes:
    """The whole body of `response`; the connection is closed if it cannot be had.

    Raises:
        BodyTooLarge: the body has more than `limit_bytes`.
        TransportError: it broke off.
    """
    pieces: list[bytes] = []
    total = 0
    try:
        while data := await response.read():
            total += len(data)
            if total > limit_bytes:
                raise BodyTooLarge(f"the body is larger than {limit_bytes} bytes")
            pieces.append(data)
    finally:
        response.close()
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
