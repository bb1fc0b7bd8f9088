"""Carries one exchange over the house's own transport, and says what went wrong on the way."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from interlingua_gateway.core.call import Phase
from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.providers.litellm.exchange import Exchange
from interlingua_gateway.providers.litellm.failure import Refusal
from interlingua_gateway.providers.litellm.marks import Framing
from interlingua_gateway.providers.transport.errors import (
    BodyTooLarge,
    ConnectTimedOut,
    MalformedResponse,
    TransportError,
)
from interlingua_gateway.providers.transport.messages import (
    HttpRequest,
    HttpResponse,
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
_MAX_REFUSAL_BYTES = 1024 * 1024
MAX_WHOLE_BYTES = 64 * 1024 * 1024


async def opened(request: HttpRequest, exchange: Exchange) -> HttpResponse:
    """The head of the answer to `request`. What has another status than 200 is read to its end and
    noted as the exchange's refusal.

    Raises:
        GatewayError: the request could not be carried; the exchange has noted it.
    """
    attempt = exchange.attempt

    def on_sent() -> None:
        attempt.phase = Phase.FIRST_TOKEN

    exchange.refusal = None
    try:
        response = await exchange.transport.send(
            request, connect_timeout_s=attempt.target.timeouts.connect_s, on_sent=on_sent
        )
        exchange.responses.append(response)
        if response.status != 200:
            body = await read_whole(response, _MAX_REFUSAL_BYTES)
            exchange.refusal = Refusal(response.status, response.header, body)
    except TransportError as error:
        raise exchange.fail(_translated(error, exchange)) from error
    return response


def framing_of(content_type: str, exchange: Exchange) -> Framing:
    """How the bytes of an answer of this type are cut.

    Raises:
        GatewayError: it is none of the types that answers have; the exchange has noted it.
    """
    kind = content_type.partition(";")[0].strip().lower()
    framing = _FRAMINGS.get(kind)
    if framing is None:
        shown = kind if kind.isascii() and kind.isprintable() and len(kind) < 80 else "?"
        text = f"The provider answered with a content type that is none of its answers': {shown}."
        raise exchange.fail(UpstreamError(Reason.UPSTREAM_INVALID_RESPONSE, text))
    if exchange.watched:
        return framing
    return Framing.NAMES if framing is Framing.JSON else Framing.OPAQUE


async def read_past(response: HttpResponse, exchange: Exchange) -> bytes:
    """Whatever bytes of the body have come; empty at its end.

    Raises:
        GatewayError: the connection broke; the exchange has noted it.
    """
    try:
        return await response.read()
    except TransportError as error:
        raise exchange.fail(_translated(error, exchange)) from error


async def read_body(response: HttpResponse, exchange: Exchange) -> bytes:
    """The whole body of `response`.

    Raises:
        GatewayError: it broke off or is too large; the exchange has noted it.
    """
    try:
        return await read_whole(response, MAX_WHOLE_BYTES)
    except TransportError as error:
        raise exchange.fail(_translated(error, exchange)) from error


def with_options(body: bytes, options: Mapping[str, object]) -> bytes:
    """A JSON body with `options` in it."""
    return msgspec.json.encode({**msgspec.json.decode(body), **options})


def headers_of(headers: Mapping[str, str], exchange: Exchange) -> tuple[tuple[str, str], ...]:
    """litellm's headers, and the attempt's above them."""
    made = {name.lower(): value for name, value in headers.items()}
    made.update((name.lower(), value) for name, value in exchange.attempt.headers.items())
    return tuple((name, value) for name, value in made.items() if name not in _CARRIERS)


def _translated(error: TransportError, exchange: Exchange) -> UpstreamError:
    reason = Reason.UPSTREAM_UNAVAILABLE
    if isinstance(error, ConnectTimedOut):
        reason = Reason.UPSTREAM_TIMEOUT
    elif isinstance(error, MalformedResponse | BodyTooLarge):
        reason = Reason.UPSTREAM_INVALID_RESPONSE
    return UpstreamError(reason, f"Provider {exchange.attempt.target.provider}: {error}.")
