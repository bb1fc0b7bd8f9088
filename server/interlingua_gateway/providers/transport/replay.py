"""A transport that travels nowhere: it replays given bytes, for tests of what stands above it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from interlingua_gateway.providers.transport.errors import ConnectFailed, ConnectionBroken
from interlingua_gateway.providers.transport.messages import HttpRequest


class Replayed:
    """One response: its body comes in the given pieces, then ends, or breaks if `broken`."""

    def __init__(
        self,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        pieces: Sequence[bytes] = (),
        *,
        broken: bool = False,
    ) -> None:
        self.status = status
        self.closed = False
        self._headers = dict(headers or {})
        self._pieces = list(pieces)
        self._broken = broken

    def header(self, name: str) -> str:
        """The value of a header, by its lower-case name; empty if there is none."""
        return self._headers.get(name, "")

    async def read(self) -> bytes:
        """The next piece; empty at the end."""
        if self._pieces:
            return self._pieces.pop(0)
        if self._broken:
            raise ConnectionBroken("the server closed the connection")
        return b""

    def finish(self) -> None:
        """Needs no more."""
        self.closed = True

    def close(self) -> None:
        """Needs no more."""
        self.closed = True


class ReplayTransport:
    """Answers the requests in turn with `responses`; `requests` keeps what was asked."""

    def __init__(self, responses: Sequence[Replayed]) -> None:
        self.requests: list[HttpRequest] = []
        self._responses = list(responses)

    @property
    def open_connections(self) -> int:
        """Always none."""
        return 0

    async def send(
        self,
        request: HttpRequest,
        *,
        connect_timeout_s: float,
        on_sent: Callable[[], None],
    ) -> Replayed:
        """The next response.

        Raises:
            ConnectFailed: none is left.
        """
        self.requests.append(request)
        if not self._responses:
            raise ConnectFailed("no response is left")
        on_sent()
        return self._responses.pop(0)

    async def aclose(self) -> None:
        """Nothing to close."""
