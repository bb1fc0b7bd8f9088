"""One request and its response on a connection that is borrowed for it."""

from __future__ import annotations

from interlingua_gateway.providers.transport.connection import Connection
from interlingua_gateway.providers.transport.errors import UnsendableRequest
from interlingua_gateway.providers.transport.messages import HttpRequest


class Exchange:
    """The HttpResponse of a Connection; gives the connection back at the end of the body."""

    __slots__ = ("_connection", "_headers", "status")

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection
        self._headers = connection.headers
        self.status = connection.status

    def header(self, name: str) -> str:
        """The first value of a header, by its lower-case name; empty if there is none."""
        wanted = name.encode("latin-1")
        for key, value in self._headers:
            if key == wanted:
                return value.decode("latin-1")
        return ""

    async def read(self) -> bytes:
        """What has come of the body since the last read; empty at its true end."""
        connection = self._connection
        if connection is None:
            return b""
        try:
            data = await connection.body()
        except BaseException:
            self.close()
            raise
        if connection.at_end:
            self._connection = None
            connection.release()
        return data

    def finish(self) -> None:
        """Give the connection back without reading on."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.drain()

    def close(self) -> None:
        """Close the connection unless it was given back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()


async def exchange(connection: Connection, request: HttpRequest) -> Exchange:
    """Send `request` on an unused connection and wait for the head of the response.

    Raises:
        TransportError: it broke off before, or the request cannot be sent; the connection is
            closed.
    """
    try:
        connection.write(_head(request, connection.authority), request.body)
        await connection.head()
    except BaseException:
        connection.abort()
        raise
    return Exchange(connection)


def _head(request: HttpRequest, authority: str) -> bytes:
    lines = [
        f"{request.method} {request.path} HTTP/1.1",
        f"host: {authority}",
        "accept-encoding: identity",
    ]
    if request.body or request.method == "POST":
        lines.append(f"content-length: {len(request.body)}")
    lines.extend([f"{name}: {value}" for name, value in request.headers])
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        raise UnsendableRequest("a header holds a line break")
    try:
        return text.encode("latin-1") + b"\r\n\r\n"
    except UnicodeEncodeError as error:
        raise UnsendableRequest("a header holds a character outside ISO 8859-1") from error
