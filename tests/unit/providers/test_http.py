"""What a provider over HTTP makes of transports and of the heads of responses."""

from __future__ import annotations

import socket

import pytest

from interlingua_gateway.core.call import Attempt, Phase
from interlingua_gateway.core.clock import SystemClock
from interlingua_gateway.core.errors import GatewayError, InternalError, Reason, UpstreamError
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.providers.http import HttpProvider
from interlingua_gateway.providers.registry import BY_NAME, openai_dialect
from interlingua_gateway.providers.transport import errors
from interlingua_gateway.providers.transport.client import HttpClient
from interlingua_gateway.providers.transport.replay import Replayed
from tests.support.openai import JSON, KEY, SSE, Bench, ask, attempt, whole
from tests.support.upstream import Upstream, Visit

ANSWER = {"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (errors.ConnectFailed, UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
        (errors.TlsFailed, UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
        (errors.ConnectTimedOut, UpstreamError, Reason.UPSTREAM_TIMEOUT),
        (errors.NoFreeConnection, UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
        (errors.ConnectionBroken, UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
        (errors.TransportClosed, UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
        (errors.MalformedResponse, UpstreamError, Reason.UPSTREAM_INVALID_RESPONSE),
        (errors.BodyTooLarge, UpstreamError, Reason.UPSTREAM_INVALID_RESPONSE),
        (errors.UnsendableRequest, InternalError, Reason.INTERNAL),
    ],
)
def test_failures_of_the_transport(
    error: type[errors.TransportError], kind: type[GatewayError], reason: Reason
) -> None:
    found = Bench().provider.broken(error(f"at host with {KEY}"))
    assert type(found) is kind
    assert found.reason is reason
    assert KEY not in found.message


@pytest.mark.parametrize(
    ("headers", "streaming"),
    [
        ({"content-type": "text/html"}, False),
        ({"content-type": "text/html; charset=utf-8"}, True),
        (SSE, False),
        ({**JSON, "content-encoding": "gzip"}, False),
        ({**SSE, "content-encoding": "br"}, True),
    ],
)
async def test_response_of_another_kind(headers: dict[str, str], streaming: bool) -> None:
    response = Replayed(200, headers, (b"<html>" + KEY.encode(),))
    with pytest.raises(UpstreamError) as raised:
        await Bench(response).provider.open(attempt(ask(), streaming=streaming))
    assert raised.value.reason is Reason.UPSTREAM_INVALID_RESPONSE
    assert response.closed


@pytest.mark.parametrize(
    "headers",
    [
        JSON,
        {},
        {"content-type": "application/problem+json"},
        {**JSON, "content-encoding": "identity"},
    ],
)
async def test_response_that_will_do(headers: dict[str, str]) -> None:
    reply = await Bench(whole(ANSWER, 200, headers)).provider.open(attempt(ask()))
    assert len(list(await reply.next() or ())) == 2


async def test_body_beyond_the_bound() -> None:
    bench = Bench(whole(ANSWER))
    redactor = Redactor()
    provider = HttpProvider(
        "small", bench.dialect, bench.transport, redactor=redactor, max_body_bytes=10
    )
    with pytest.raises(UpstreamError) as raised:
        await provider.open(attempt(ask()))
    assert raised.value.reason is Reason.UPSTREAM_INVALID_RESPONSE


async def test_phase_is_connect_until_the_request_is_sent() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        refused = attempt(ask())
        with pytest.raises(UpstreamError):
            await over_sockets(url, refused)
        assert refused.phase is Phase.CONNECT

    async def answer(visit: Visit) -> None:
        visit.reset()

    async with Upstream(answer) as upstream:
        broken = attempt(ask())
        with pytest.raises(UpstreamError):
            await over_sockets(upstream.url, broken)
        assert broken.phase is Phase.FIRST_TOKEN


async def over_sockets(url: str, tried: Attempt) -> None:
    clock, redactor = SystemClock(), Redactor()
    dialect = openai_dialect(BY_NAME["openai"], redactor=redactor, clock=clock, base_url=url)
    provider = HttpProvider("p", dialect, HttpClient(clock=clock), redactor=redactor)
    try:
        await provider.open(tried)
    finally:
        await provider.aclose()


@pytest.mark.parametrize(
    "listed",
    [{"object": "list", "data": [{"id": "a"}, {"id": "b", "x": 1}]}, [{"id": "a"}, {"id": "b"}]],
)
async def test_models(listed: object) -> None:
    bench = Bench(whole(listed))
    assert await bench.provider.models() == ["a", "b"]
    (request,) = bench.transport.requests
    assert (request.method, request.path, request.body) == ("GET", "/v1/models", b"")


@pytest.mark.parametrize("response", [whole({"data": 7}), whole(b"", 404), whole(b"", 500)])
async def test_models_that_cannot_be_had(response: Replayed) -> None:
    with pytest.raises(UpstreamError):
        await Bench(response).provider.models()


async def test_provider_without_a_list_of_models() -> None:
    bench = Bench(name="azure")
    assert await bench.provider.models() == ()
    assert not bench.transport.requests
