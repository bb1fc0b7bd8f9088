"""Recorded traffic of real providers: every exchange of the fetched cassettes, as it was."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
import yaml

ROOT = Path(__file__).parents[2] / ".cache" / "recordings"
PACKAGE_PREFIX = "opentelemetry-instrumentation-"
_NOT_REPEATED = frozenset({"connection", "content-encoding", "content-length", "transfer-encoding"})


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded request and its response. `path` is not percent-encoded; `asked` is the
    request's body if that is a JSON object; `body` is the response's body as it came, which may be
    compressed; header names are in lower case."""

    name: str
    package: str
    method: str
    host: str
    path: str
    query: str
    asked: Mapping[str, object]
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """The first value of the response header `name`, or nothing."""
        return next((value for key, value in self.headers if key == name), "")

    @property
    def plain(self) -> bytes:
        """The response's body, not compressed."""
        return gzip.decompress(self.body) if self.header("content-encoding") else self.body

    @property
    def event_stream(self) -> bool:
        """Whether the answer was streamed."""
        kind = self.header("content-type")
        return kind.startswith(
            ("text/event-stream", "application/x-ndjson", "application/stream+json")
        ) or kind.endswith("amazon.eventstream")

    def response(self, *, accepts_gzip: bool, piece: int = 999) -> bytes:
        """The response for the wire. A body that was streamed is cut every `piece` bytes, so that
        events are split anywhere; a compressed one stays so only for clients that accept it."""
        body = self.body if accepts_gzip else self.plain
        lines = [f"HTTP/1.1 {self.status} Recorded"]
        lines += [f"{k}: {v}" for k, v in self.headers if k not in _NOT_REPEATED]
        if accepts_gzip and body is not self.plain and self.header("content-encoding"):
            lines.append(f"content-encoding: {self.header('content-encoding')}")
        if not self.event_stream:
            head = [*lines, f"content-length: {len(body)}", "", ""]
            return "\r\n".join(head).encode("latin-1") + body
        chunks = [body[at : at + piece] for at in range(0, len(body), piece)]
        coded = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
        head = [*lines, "transfer-encoding: chunked", "", ""]
        return "\r\n".join(head).encode("latin-1") + coded + b"0\r\n\r\n"


def recordings(root: Path = ROOT) -> list[Recorded]:
    """Every exchange, in the order of cassettes and of their recording.

    Raises:
        FileNotFoundError: they have not been fetched; `make recordings` does it.
    """
    files = sorted(root.glob("*/**/*.yaml"))
    if not files:
        raise FileNotFoundError(f"{root} holds no recordings: run `make recordings`")
    return [recorded for file in files for recorded in _exchanges(file, root)]


def _exchanges(file: Path, root: Path) -> Iterator[Recorded]:
    package = file.relative_to(root).parts[0].removeprefix(PACKAGE_PREFIX)
    cassette = yaml.load(file.read_bytes(), yaml.CSafeLoader)
    for number, exchange in enumerate(cassette["interactions"]):
        request, response = exchange["request"], exchange["response"]
        url = urlsplit(request["uri"])
        yield Recorded(
            name=f"{package}/{file.parent.name}/{file.stem}#{number}",
            package=package,
            method=request["method"],
            host=url.netloc,
            path=unquote(url.path),
            query=url.query,
            asked=_object(request["body"]),
            status=response["status"]["code"],
            headers=tuple(
                (name.lower(), value)
                for name, values in response["headers"].items()
                for value in values
            ),
            body=_bytes(response["body"].get("string")),
        )


def _object(body: object) -> Mapping[str, object]:
    try:
        value = msgspec.json.decode(_bytes(body))
    except msgspec.DecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _bytes(body: object) -> bytes:
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else b""
