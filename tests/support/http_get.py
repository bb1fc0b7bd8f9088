"""One HTTP GET over a plain socket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping


class Answered:
    """A response: its status, its headers by lower-case name, its body as text."""

    def __init__(self, data: bytes) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        pairs = (line.partition(":") for line in lines[1:])
        self.headers: Mapping[str, str] = {n.lower(): v.strip() for n, _, v in pairs}
        self.text = body.decode()


async def http_get(address: str, path: str, method: str = "GET", accept: str = "*/*") -> Answered:
    """What the server at `address` (`host:port`) says to `method path`."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: {address}\r\nAccept: {accept}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        return Answered(await reader.read())
    finally:
        writer.close()
        await writer.wait_closed()
