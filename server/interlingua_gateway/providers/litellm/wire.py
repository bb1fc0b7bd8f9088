"""The transport under litellm: it carries litellm's requests over the house's own connections and
reads every answer past a watch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import httpx
import msgspec

from interlingua_gateway.core.call import Phase
from interlingua_gateway.core.errors import InternalError, Reason, UpstreamError
from interlingua_gateway.providers.litellm.exchange import CURRENT, Exchange
from interlingua_gateway.providers.litellm.failure import Refusal
from interlingua_gateway.providers.litellm.marks import Framing, Watch
from interlingua_gateway.providers.transport.errors import (
    BodyTooLarge,
    ConnectTimedOut,
    MalformedResponse,
    TransportError,
)
from interlingua_gateway.providers.transport.messages import (
    HttpRequest,
    HttpResponse,
    Origin,
    read_whole,
)

_FRAMINGS: Mapping[str, Framing] = {
    "": Framing.JSON,
    "application/json": Framing.JSON,
    "text/event-stream": Framing.EVENTS,
    "application/x-ndjson": Framing.LINES,
    "application/ndjson": Framing.LINES,
    "application/stream+json": Framing.LINES,
    "application/vnd.amazon.eventstream": Framing.AMAZON,
}
_CARRIERS = frozenset(
    {"accept-encoding", "connection", "content-length", "host", "transfer-encoding"}
)
"""Headers that the transport sets itself."""
_READ = ("x-amzn-bedrock-input-token-count", "x-amzn-bedrock-output-token-count")
"""Headers that are part of Bedrock's answers: litellm guesses the tokens without them."""
_MAX_REFUSAL_BYTES = 1024 * 1024
_MAX_WHOLE_BYTES = 64 * 1024 * 1024


class Routed(httpx.AsyncBaseTransport):
    """The one transport of every client that litellm makes: it hands each request to the exchange
    that runs in this task, and refuses requests that belong to none."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        exchange = CURRENT.get(None)
        if exchange is None:
            raise InternalError("The library made a request outside of an attempt.")
        try:
            return await _sent(request, exchange)
        except TransportError as error:
            raise exchange.fail(_translated(error, exchange)) from error


async def _sent(request: httpx.Request, exchange: Exchange) -> httpx.Response:
    attempt = exchange.attempt

    def on_sent() -> None:
        attempt.phase = Phase.FIRST_TOKEN

    response = await exchange.transport.send(
        _request(request, exchange),
        connect_timeout_s=attempt.target.timeouts.connect_s,
        on_sent=on_sent,
    )
    exchange.responses.append(response)
    kind = response.header("content-type")
    if response.status != 200:
        body = await read_whole(response, _MAX_REFUSAL_BYTES)
        exchange.refusal = Refusal(response.status, response.header, body)
        return httpx.Response(response.status, headers={"content-type": kind}, content=body)
    headers = {name: value for name in _READ if (value := response.header(name))}
    stream = _Body(response, exchange, _framing(kind, exchange))
    return httpx.Response(200, headers={"content-type": kind, **headers}, stream=stream)


def _framing(content_type: str, exchange: Exchange) -> Framing:
    kind = content_type.partition(";")[0].strip().lower()
    framing = _FRAMINGS.get(kind)
    if framing is None:
        shown = kind if kind.isascii() and kind.isprintable() and len(kind) < 80 else "?"
        text = f"The provider answered with a content type that is none of its answers': {shown}."
        raise exchange.fail(UpstreamError(Reason.UPSTREAM_INVALID_RESPONSE, text))
    if exchange.watched:
        return framing
    return Framing.NAMES if framing is Framing.JSON else Framing.OPAQUE


class _Body(httpx.AsyncByteStream):
    """The bytes of an answer, read past the watch. The exchange closes the connection."""

    def __init__(self, response: HttpResponse, exchange: Exchange, framing: Framing) -> None:
        self._response = response
        self._exchange = exchange
        self._watch = Watch(framing, exchange.marks)
        self._whole = framing in (Framing.JSON, Framing.NAMES)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        while data := await self._read():
            total += len(data)
            passed, fault = self._watch.feed(data)
            if self._whole and total > _MAX_WHOLE_BYTES:
                text = "The provider's answer is too large."
                fault = UpstreamError(Reason.UPSTREAM_INVALID_RESPONSE, text)
            if passed:
                yield passed
            if fault is not None:
                raise self._exchange.fail(fault)
            if self._watch.done:
                return
        if (fault := self._watch.end()) is not None:
            raise self._exchange.fail(fault)

    async def _read(self) -> bytes:
        try:
            return await self._response.read()
        except TransportError as error:
            raise self._exchange.fail(_translated(error, self._exchange)) from error


def _request(request: httpx.Request, exchange: Exchange) -> HttpRequest:
    """litellm's request with the attempt's headers and the caller's options."""
    headers = {name: value for name, value in request.headers.items() if name not in _CARRIERS} | {
        name.lower(): value for name, value in exchange.attempt.headers.items()
    }
    body = request.content
    if exchange.options:
        body = msgspec.json.encode({**msgspec.json.decode(body), **exchange.options})
    url = request.url
    secure = url.scheme == "https"
    return HttpRequest(
        method=request.method,
        origin=Origin(secure, url.host, url.port or (443 if secure else 80)),
        path=url.raw_path.decode("ascii"),
        headers=tuple(headers.items()),
        body=body,
    )


def _translated(error: TransportError, exchange: Exchange) -> UpstreamError:
    reason = Reason.UPSTREAM_UNAVAILABLE
    if isinstance(error, ConnectTimedOut):
        reason = Reason.UPSTREAM_TIMEOUT
    elif isinstance(error, MalformedResponse | BodyTooLarge):
        reason = Reason.UPSTREAM_INVALID_RESPONSE
    return UpstreamError(reason, f"Provider {exchange.attempt.target.provider}: {error}.")
