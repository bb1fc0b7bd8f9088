"""When the caller leaves, the upstream's connection is closed within 100 ms and usage is kept."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from interlingua.v1 import gateway_service_pb2_grpc
from tests.support.gateway import Running, openai
from tests.support.http_get import http_get
from tests.support.listener import BEGUN, EVENT, Listener
from tests.support.requests import ask, embed
from tests.support.upstream import STREAM_HEAD, Upstream, Visit, sse

KEY = {"UP_KEY": "sk-test-0123456789"}
WITHIN_S = 0.1
MEASURED = (
    b'{"id":"x","model":"m","choices":[],"usage":'
    b'{"prompt_tokens":11,"completion_tokens":5,"total_tokens":16}}'
)


def native(url: str) -> dict[str, object]:
    return {**openai(url, price=True), "http": {"listen": "127.0.0.1:0"}}


def through_litellm(url: str) -> dict[str, object]:
    tree = native(url)
    tree["providers"] = {"up": {"kind": "litellm", "base_url": url, "api_key": "env:UP_KEY"}}
    tree["models"][0]["targets"][0]["model"] = "openai/m"
    return tree


async def left_in_time(listener: Listener, since: float) -> None:
    """The upstream was left, soon enough."""
    await asyncio.wait_for(listener.left.wait(), 5)
    assert max(listener.left_at) - since < WITHIN_S


def now() -> float:
    return asyncio.get_running_loop().time()


async def accounted(gateway: Running) -> dict[str, object]:
    """The log line of the one call that there was, once it has ended."""
    await asyncio.wait_for(gateway.built.grpc.front.drained(), 2)
    (line,) = (line for line in gateway.log_lines if line["logger"] == "interlingua.call")
    metrics = (await http_get(gateway.built.http.address, "/metrics")).text
    assert (
        'interlingua_upstream_attempts_total{deployment="up",outcome="cancelled",provider="up"} 1.0'
    ) in metrics
    assert 'interlingua_upstream_attempts_in_flight{deployment="up",provider="up"} 0.0' in metrics
    assert line["attempts"] == 1
    return line


DIALECTS = pytest.mark.parametrize("dialect", [native, through_litellm])


@DIALECTS
@pytest.mark.parametrize("name", ["Generate", "StreamGenerate"])
async def test_a_cancel_before_the_first_event_closes_the_upstream(start, dialect, name):
    listener = Listener()
    async with Upstream(listener) as upstream:
        gateway = await start(dialect(upstream.url), environment=KEY)
        call = getattr(gateway.calls, name)(ask("one two three"), timeout=50)
        reading = asyncio.ensure_future(call.read() if name == "StreamGenerate" else call)
        await listener.came.wait()
        cancelled_at = now()
        call.cancel()
        await left_in_time(listener, cancelled_at)
        with pytest.raises(asyncio.CancelledError):
            await reading
        line = await accounted(gateway)
    assert (line["outcome"], line["reason"]) == ("cancelled", "CANCELLED")
    assert line["usage_estimated"]
    assert (line["input_tokens"] > 0, line["output_tokens"]) == (True, 0)
    assert line["cost_nano_usd"] == line["input_tokens"] * 1000


@DIALECTS
async def test_a_cancel_in_mid_stream_closes_the_upstream(start, dialect):
    listener = Listener(BEGUN)
    async with Upstream(listener) as upstream:
        gateway = await start(dialect(upstream.url), environment=KEY)
        call = gateway.calls.StreamGenerate(ask("one two three"), timeout=50)
        assert (await call.read()).WhichOneof("event") == "start"
        assert (await call.read()).text_delta == "hi"
        cancelled_at = now()
        call.cancel()
        await left_in_time(listener, cancelled_at)
        line = await accounted(gateway)
    assert line["outcome"] == "cancelled"
    assert line["usage_estimated"]
    assert (line["input_tokens"] > 0, line["output_tokens"]) == (True, 1)


async def test_an_embedding_is_cancelled_too(start):
    listener = Listener()
    async with Upstream(listener) as upstream:
        gateway = await start(native(upstream.url), environment=KEY)
        call = gateway.calls.Embed(embed("a"))
        asking = asyncio.ensure_future(call)
        await listener.came.wait()
        cancelled_at = now()
        call.cancel()
        await left_in_time(listener, cancelled_at)
        with pytest.raises(asyncio.CancelledError):
            await asking


@DIALECTS
@pytest.mark.parametrize("first", [b"", BEGUN], ids=["before", "amid"])
async def test_a_caller_that_hangs_up_is_gone(start, dialect, first):
    listener = Listener(first)
    async with Upstream(listener) as upstream:
        gateway = await start(dialect(upstream.url), environment=KEY)
        async with grpc.aio.insecure_channel(gateway.address) as channel:
            stub = gateway_service_pb2_grpc.GatewayServiceStub(channel)
            call = stub.StreamGenerate(ask())
            if first:
                await call.read()
            await listener.came.wait()
            hung_up_at = now()
        await left_in_time(listener, hung_up_at)
        line = await accounted(gateway)
    assert line["outcome"] == "cancelled"


@DIALECTS
@pytest.mark.parametrize("name", ["Generate", "StreamGenerate"])
async def test_a_deadline_closes_the_upstream(start, dialect, name):
    listener = Listener()
    async with Upstream(listener) as upstream:
        gateway = await start(dialect(upstream.url), environment=KEY)
        if dialect is through_litellm:
            await gateway.built.tasks.joined()  # the library is loaded
        called_at = now()
        call = getattr(gateway.calls, name)(ask(), timeout=0.6)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await (call.read() if name == "StreamGenerate" else call)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await left_in_time(listener, called_at + 0.6)
        line = await accounted(gateway)
    assert (line["outcome"], line["reason"]) == ("failed", "DEADLINE_EXCEEDED")
    assert line["usage_estimated"]
    assert line["input_tokens"] > 0


async def test_what_the_provider_measured_before_it_broke_is_kept(start):
    """Measured so far, then more text: the sum is an estimate on top of the measurement."""

    async def answer(visit: Visit) -> None:
        await visit.send(STREAM_HEAD + sse(EVENT, MEASURED, EVENT))
        await visit.gone()

    async with Upstream(answer) as upstream:
        gateway = await start(native(upstream.url), environment=KEY)
        call = gateway.calls.StreamGenerate(ask())
        seen = []
        while not seen or seen[-1].text_delta != "hi" or len(seen) < 4:
            seen.append(await call.read())
        assert [e.usage.output_tokens for e in seen if e.WhichOneof("event") == "usage"] == [5]
        call.cancel()
        line = await accounted(gateway)
    assert (line["input_tokens"], line["output_tokens"]) == (11, 6)
    assert line["usage_estimated"]
    assert line["cost_nano_usd"] == 11 * 1000 + 6 * 2000


async def test_a_call_that_never_reached_an_upstream_has_used_nothing(start):
    async with Upstream(Listener()) as upstream:
        url = upstream.url
    gateway = await start(native(url), environment=KEY)
    with pytest.raises(grpc.aio.AioRpcError):
        await gateway.calls.Generate(ask())
    (line,) = (line for line in gateway.log_lines if line["logger"] == "interlingua.call")
    assert (line["outcome"], line["reason"]) == ("failed", "UPSTREAM_UNAVAILABLE")
    assert (line["input_tokens"], line["cost_nano_usd"]) == (0, None)
