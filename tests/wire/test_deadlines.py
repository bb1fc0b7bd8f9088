"""Deadlines of callers and timeouts of the configuration, and what each of them is told as."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from interlingua.v1 import gateway_service_pb2, generate_pb2
from tests.support.failures import Failure, failure
from tests.support.gateway import Running, openai, scripted
from tests.support.listener import BEGUN, EVENT, Listener, mute
from tests.support.manual_clock import ManualClock
from tests.support.requests import ask
from tests.support.upstream import Upstream, Visit, sse

KEY = {"UP_KEY": "k"}
TIMEOUTS = {"connect_s": 5, "first_token_s": 20, "stall_s": 8, "total_s": 50}
HANG = [{"do": "hang"}]
OF_CALLS = (3.0, 2000.0)
"""When the bounds of calls are due in these tests; what is due sooner or later is not theirs."""
TALK_AND_HANG = [{"do": "say", "text": "so far"}, {"do": "hang"}]


async def settled(gateway: Running) -> None:
    """A whole other call has been served: what was about to happen has happened."""
    await gateway.calls.Health(gateway_service_pb2.HealthRequest())


async def test_the_answer_comes_before_the_callers_own_deadline(start):
    """With the real clock: the caller sees our ErrorInfo, not its library's bare timeout."""
    gateway = await start(scripted(hang=HANG, halfway=TALK_AND_HANG))
    for call in (
        gateway.calls.Generate(ask(model="hang"), timeout=0.3),
        gateway.calls.StreamGenerate(ask(model="hang"), timeout=0.3),
        gateway.calls.Generate(ask(model="halfway"), timeout=0.3),
    ):
        failed = await failure(call)
        assert (failed.code, failed.reason) == (
            grpc.StatusCode.DEADLINE_EXCEEDED,
            "DEADLINE_EXCEEDED",
        )
        assert failed.metadata["phase"] == "first_token"
    failed = await failure(gateway.calls.StreamGenerate(ask(model="halfway"), timeout=0.3))
    assert failed.reason == "DEADLINE_EXCEEDED"
    assert failed.metadata["phase"] == "stream"
    assert failed.metadata["events_sent"] == "3"


@pytest.mark.parametrize(
    ("timeout_s", "reason"), [(4, "DEADLINE_EXCEEDED"), (30, "UPSTREAM_TIMEOUT")]
)
@pytest.mark.parametrize("name", ["Generate", "StreamGenerate"])
async def test_time_spent_on_connecting(start, name, timeout_s, reason):
    """The peer takes the connection and never answers the greeting of TLS."""
    clock = ManualClock()
    async with mute() as peer:
        url = f"https://127.0.0.1:{peer.port}"
        gateway = await start(openai(url, timeouts=TIMEOUTS), clock=clock, environment=KEY)
        call = getattr(gateway.calls, name)(ask(), timeout=timeout_s)
        failing = asyncio.ensure_future(failure(call))
        await peer.greeted.wait()
        clock.advance(5.1)
        failed = await failing
        assert failed.reason == reason
        assert failed.metadata.get("phase", "connect") == "connect"
        await asyncio.wait_for(peer.left.wait(), 1)


async def test_a_call_without_a_deadline_gets_the_configured_one(start):
    clock = ManualClock()
    tree = {**scripted(hang=HANG), "server": {"default_deadline_s": 40}}
    gateway = await start(tree, clock=clock)
    for method in (gateway.calls.Generate, gateway.calls.StreamGenerate):
        failing = asyncio.ensure_future(failure(method(ask(model="hang"))))
        await clock.until_waiting(1, OF_CALLS)  # the deadline; the first event may take longer
        clock.advance(39)
        await settled(gateway)
        assert not failing.done()
        clock.advance(1)
        assert (await failing).reason == "DEADLINE_EXCEEDED"


async def test_a_call_may_have_no_deadline_at_all(start):
    clock = ManualClock()
    tree = {**scripted(hang=HANG), "server": {"default_deadline_s": None}}
    gateway = await start(tree, clock=clock)
    call = gateway.calls.StreamGenerate(ask(model="hang"))
    failing = asyncio.ensure_future(failure(call))
    await clock.until_waiting(1, OF_CALLS)
    assert clock.due_in(OF_CALLS) == 1  # only the bound of the first event
    clock.advance(120)
    assert (await failing).reason == "UPSTREAM_TIMEOUT"


async def timed_out(start, first: bytes, after_s: float, *, streaming: bool) -> Failure:
    """The failure after `after_s` of silence, which does not come before; all is closed then."""
    clock, listener = ManualClock(), Listener(first)
    async with Upstream(listener) as upstream:
        gateway = await start(openai(upstream.url, timeouts=TIMEOUTS), clock=clock, environment=KEY)
        call = (gateway.calls.StreamGenerate if streaming else gateway.calls.Generate)(ask())
        if first:
            assert (await call.read()).WhichOneof("event") == "start"
            assert (await call.read()).text_delta == "hi"
        failing = asyncio.ensure_future(failure(call))
        await listener.came.wait()
        await clock.until_waiting(2, OF_CALLS)  # the call's deadline and the bound in question
        clock.advance(after_s - 0.01)
        await settled(gateway)
        assert not failing.done()
        clock.advance(0.02)
        failed = await failing
        await asyncio.wait_for(upstream.none_open(), 1)
        await asyncio.wait_for(gateway.built.grpc.front.drained(), 1)
        return failed


async def test_a_slow_first_token_is_the_upstreams_timeout(start):
    failed = await timed_out(start, b"", 20, streaming=True)
    assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "UPSTREAM_TIMEOUT")
    assert failed.metadata["phase"] == "first_token"
    assert failed.metadata["deployment"] == "up"
    assert failed.metadata["attempts"] == "up=UPSTREAM_TIMEOUT"
    assert failed.retry_s is not None


async def test_a_whole_answer_may_take_the_total(start):
    failed = await timed_out(start, b"", 50, streaming=False)
    assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "UPSTREAM_TIMEOUT")


async def test_a_stall_breaks_the_stream(start):
    failed = await timed_out(start, BEGUN, 8, streaming=True)
    assert (failed.code, failed.reason) == (grpc.StatusCode.ABORTED, "STREAM_BROKEN")
    assert failed.metadata["cause"] == "UPSTREAM_TIMEOUT"
    assert failed.metadata["events_sent"] == "2"


async def test_the_total_bounds_a_stream_that_never_stalls(start):
    clock = ManualClock()
    say: asyncio.Queue[bytes] = asyncio.Queue()

    async def steady(visit: Visit) -> None:
        while word := await say.get():
            await visit.send(word)
        await visit.gone()

    async with Upstream(steady) as upstream:
        gateway = await start(openai(upstream.url, timeouts=TIMEOUTS), clock=clock, environment=KEY)
        call = gateway.calls.StreamGenerate(ask())
        say.put_nowait(BEGUN)
        assert (await call.read()).WhichOneof("event") == "start"
        assert (await call.read()).text_delta == "hi"
        for _ in range(7):
            await settled(gateway)
            clock.advance(7)
            say.put_nowait(sse(EVENT))
            assert (await call.read()).text_delta == "hi"
        say.put_nowait(b"")
        await settled(gateway)
        clock.advance(1.5)
        failed = await failure(call)
        assert failed.metadata["cause"] == "UPSTREAM_TIMEOUT"
        await asyncio.wait_for(upstream.none_open(), 1)


async def test_the_deadline_wins_where_it_is_shorter(start):
    clock, listener = ManualClock(), Listener()
    async with Upstream(listener) as upstream:
        gateway = await start(openai(upstream.url, timeouts=TIMEOUTS), clock=clock, environment=KEY)
        call = gateway.calls.StreamGenerate(ask(), timeout=15)
        failing = asyncio.ensure_future(failure(call))
        await listener.came.wait()
        clock.advance(15)
        failed = await failing
        await asyncio.wait_for(upstream.none_open(), 1)
    assert (failed.reason, failed.metadata["phase"]) == ("DEADLINE_EXCEEDED", "first_token")


async def test_the_deadline_bounds_all_attempts_together(start):
    clock = ManualClock()
    slow = [{"do": "wait", "seconds": 10}, {"do": "fail"}]
    gateway = await start(scripted(slow=slow, also=slow), clock=clock)
    routing = generate_pb2.RoutingOptions(fallback_models=["also"])
    call = gateway.calls.Generate(ask(model="slow", routing=routing), timeout=15)
    failing = asyncio.ensure_future(failure(call))
    await clock.until_waiting(2, OF_CALLS)  # the deadline and the script
    clock.advance(10)
    await settled(gateway)
    await clock.until_waiting(2, OF_CALLS)
    clock.advance(5)
    failed = await failing
    assert (failed.reason, failed.metadata["phase"]) == ("DEADLINE_EXCEEDED", "first_token")


async def test_a_deadline_in_the_past_is_not_served(start):
    gateway = await start(scripted())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.calls.Generate(ask(), timeout=-1)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert gateway.in_flight == 0
