"""Carries the requests that litellm only makes, and reads the answers as their bytes come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from interlingua_gateway.core.errors import GatewayError, Reason, UpstreamError
from interlingua_gateway.providers.litellm.carrying import (
    framing_of,
    headers_of,
    opened,
    read_body,
    read_past,
    with_options,
)
from interlingua_gateway.providers.litellm.exchange import Exchange
from interlingua_gateway.providers.litellm.marks import Framing, Watch
from interlingua_gateway.providers.litellm.prepared import Ask, Prepared
from interlingua_gateway.providers.litellm.streams import Values
from interlingua_gateway.providers.transport.messages import HttpRequest, HttpResponse, Origin

if TYPE_CHECKING:
    from interlingua_gateway.providers.litellm.library import Library

_IN_A_PATH = "/%:;=@!$&'()*+,~"


class Direct:
    """One request that litellm made, on the wire."""

    __slots__ = ("_ask", "_exchange", "_library", "_prepared")

    def __init__(self, library: Library, ask: Ask, prepared: Prepared, exchange: Exchange) -> None:
        self._library = library
        self._ask = ask
        self._prepared = prepared
        self._exchange = exchange

    async def send(self) -> HttpResponse:
        """The head of the answer, which is no refusal.

        Raises:
            GatewayError: there is none.
        """
        response = await opened(self._request(), self._exchange)
        refusal = self._exchange.refusal
        if refusal is not None:
            raise self._library.refused(self._ask, refusal.status, refusal.body)
        return response

    async def read(self, response: HttpResponse) -> object | Pieces:
        """litellm's chunks of an answer that is a stream, or its response object.

        Raises:
            GatewayError: the answer is none.
        """
        exchange = self._exchange
        framing = framing_of(response.header("content-type"), exchange)
        if framing is Framing.JSON:
            return await self._whole(response)
        if not self._ask.streaming:
            raise _invalid("The provider answered with a stream, which was not asked for.")
        values = Values(framing, exchange.marks, self._prepared.plain)
        return Pieces(self, response, exchange, values)

    async def _whole(self, response: HttpResponse) -> object:
        exchange, values = self._exchange, list[object]()
        watch = Watch(Framing.JSON, exchange.marks, values)
        _, fault = watch.feed(await read_body(response, exchange))
        fault = fault or watch.end()
        if fault is not None:
            raise exchange.fail(fault)
        if len(values) != 1 or not isinstance(values[0], dict):
            raise _invalid("The provider's answer could not be understood.")
        return self._library.read(self._ask, self._prepared.whole, values[0])

    def pieces(self, values: list[object]) -> Iterator[object]:
        """litellm's chunks of JSON values of the stream; what is plain stays as it is.

        Raises:
            Failure: litellm cannot read one.
        """
        for value in values:
            if not isinstance(value, dict):
                yield value
            elif (chunk := self._library.read(self._ask, self._prepared.piece, value)) is not None:
                yield chunk

    def _request(self) -> HttpRequest:
        prepared, exchange = self._prepared, self._exchange
        url = urlsplit(prepared.url)
        secure = url.scheme == "https"
        path = quote(url.path or "/", safe=_IN_A_PATH)
        body = prepared.body
        return HttpRequest(
            method="POST",
            origin=Origin(secure, url.hostname or "", url.port or (443 if secure else 80)),
            path=f"{path}?{url.query}" if url.query else path,
            headers=headers_of(prepared.headers, exchange),
            body=with_options(body, exchange.options) if exchange.options else body,
        )


class Pieces:
    """The chunks of a stream: of each read, all that it completes."""

    __slots__ = ("_direct", "_exchange", "_over", "_response", "_values")

    def __init__(
        self, direct: Direct, response: HttpResponse, exchange: Exchange, values: Values
    ) -> None:
        self._direct = direct
        self._response = response
        self._exchange = exchange
        self._values = values
        self._over = False

    async def next(self) -> list[object] | None:
        """The next chunks, or None where the bytes end or a fault stands, which the exchange then
        knows of.

        Raises:
            GatewayError: the connection broke.
        """
        values = self._values
        while not self._over:
            data = await read_past(self._response, self._exchange)
            fault = values.feed(data) if data else None
            if not data:
                values.end()
            chunks = self._read()
            if fault is not None:
                self._exchange.fail(fault)
            if not data or values.done or fault is not None:
                self._over = True
            if chunks:
                return chunks
        return None

    def _read(self) -> list[object]:
        chunks: list[object] = []
        try:
            chunks.extend(self._direct.pieces(self._values.taken))
        except GatewayError as error:
            self._exchange.fail(error)
            self._over = True
        self._values.taken.clear()
        return chunks

    async def aclose(self) -> None:
        """Nothing: the exchange closes the connection."""


def _invalid(message: str) -> UpstreamError:
    return UpstreamError(Reason.UPSTREAM_INVALID_RESPONSE, message)
