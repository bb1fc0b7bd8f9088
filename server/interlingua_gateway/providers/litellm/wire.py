"""The transport under litellm: it carries litellm's requests over the house's own connections and
reads every answer past a watch."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

from interlingua_gateway.core.errors import InternalError, Reason, UpstreamError
from interlingua_gateway.providers.litellm.carrying import (
    MAX_WHOLE_BYTES,
    framing_of,
    headers_of,
    opened,
    read_past,
    with_options,
)
from interlingua_gateway.providers.litellm.exchange import CURRENT, Exchange
from interlingua_gateway.providers.litellm.marks import Framing, Watch
from interlingua_gateway.providers.transport.messages import HttpRequest, HttpResponse, Origin

_READ = ("x-amzn-bedrock-input-token-count", "x-amzn-bedrock-output-token-count")
"""Headers that are part of Bedrock's answers: litellm guesses the tokens without them."""


class Routed(httpx.AsyncBaseTransport):
    """The one transport of every client that litellm makes: it hands each request to the exchange
    that runs in this task, and refuses requests that belong to none."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        exchange = CURRENT.get(None)
        if exchange is None:
            raise InternalError("The library made a request outside of an attempt.")
        return await _sent(request, exchange)


async def _sent(request: httpx.Request, exchange: Exchange) -> httpx.Response:
    response = await opened(_request(request, exchange), exchange)
    kind = response.header("content-type")
    if exchange.refusal is not None:
        headers = {"content-type": kind}
        return httpx.Response(response.status, headers=headers, content=exchange.refusal.body)
    headers = {name: value for name in _READ if (value := response.header(name))}
    stream = _Body(response, exchange, framing_of(kind, exchange))
    return httpx.Response(200, headers={"content-type": kind, **headers}, stream=stream)


class _Body(httpx.AsyncByteStream):
    """The bytes of an answer, read past the watch. The exchange closes the connection."""

    def __init__(self, response: HttpResponse, exchange: Exchange, framing: Framing) -> None:
        self._response = response
        self._exchange = exchange
        self._watch = Watch(framing, exchange.marks)
        self._whole = framing in (Framing.JSON, Framing.NAMES)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        while data := await read_past(self._response, self._exchange):
            total += len(data)
            passed, fault = self._watch.feed(data)
            if self._whole and total > MAX_WHOLE_BYTES:
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


def _request(request: httpx.Request, exchange: Exchange) -> HttpRequest:
    """litellm's request with the attempt's headers and the caller's options."""
    body = request.content
    if exchange.options:
        body = with_options(body, exchange.options)
    url = request.url
    secure = url.scheme == "https"
    return HttpRequest(
        method=request.method,
        origin=Origin(secure, url.host, url.port or (443 if secure else 80)),
        path=url.raw_path.decode("ascii"),
        headers=headers_of(request.headers, exchange),
        body=body,
    )
