"""Streams of a program: read, left early, cancelled, broken."""

import asyncio
import gc
import threading

import pytest

from interlingua_gateway import (
    AsyncStream,
    CallerError,
    Gateway,
    GatewayConfig,
    PolicyError,
    Reason,
    TextDelta,
    UpstreamError,
    stream_text,
)
from interlingua_gateway.library.pipe import MOST_BATCHES
from tests.support.endless import Endless, delta, openai_tree
from tests.support.upstream import LAST_CHUNK, STREAM_HEAD, Upstream, Visit, sse

LONG = " ".join(["word"] * 5000)
BROKEN = [{"do": "say", "text": "so far"}, {"do": "fail"}]


def test_events_and_the_whole_answer(stage):
    with stage().generate_stream("one two") as stream:
        with pytest.raises(CallerError, match="goes on"):
            _ = stream.response
        events = list(stream)
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["one", " two"]
    assert stream.response.text == "one two"
    assert stream.response.usage.output_tokens == 2


def test_text_for_a_blocking_reader(stage):
    gateway = stage()
    assert list(stream_text(gateway, "one two")) == ["one", " two"]
    assert gateway.stream("one two").collect().text == "one two"


async def test_text_for_asyncio(stage):
    gateway = stage()
    assert [text async for text in stream_text(gateway, "one two")] == ["one", " two"]
    assert [text async for text in stream_text(gateway.aio, "one two")] == ["one", " two"]
    stream = gateway.generate_stream_async("one two")
    assert (await stream.collect()).text == "one two"
    async with gateway.aio.stream("x", candidate_count=2) as both:
        assert [text async for text in both.text_deltas(candidate=1)] == ["x"]


def test_a_stream_that_breaks_says_so_after_what_had_come(stage):
    stream = stage(broken=BROKEN).stream("x", "broken")
    texts = stream.text_deltas()
    assert [next(texts), next(texts)] == ["so", " far"]
    for _ in range(2):
        with pytest.raises(UpstreamError) as caught:
            next(texts)
        assert caught.value.reason is Reason.STREAM_BROKEN
    with pytest.raises(UpstreamError):
        _ = stream.response


def test_a_failure_before_the_first_event(stage):
    texts = stream_text(stage(), "x", "nobody")
    with pytest.raises(CallerError) as caught:
        next(texts)
    assert caught.value.reason is Reason.MODEL_NOT_FOUND


def test_a_slow_reader_holds_the_upstream_back(stage):
    gateway = stage(long=LONG)
    stream = gateway.stream("x", "long")
    next(stream)
    pipe = stream._reader._pipe
    gateway._host.call(lambda: None)
    assert gateway._host.call(lambda: len(pipe._batches)) <= MOST_BATCHES
    assert stream.collect().usage.output_tokens == 5000


async def begun(stream: AsyncStream) -> asyncio.Task[object]:
    """A task that waits for the next event."""
    waits = asyncio.Event()

    async def read() -> object:
        waits.set()
        return await anext(stream)

    task = asyncio.ensure_future(read())
    await waits.wait()
    return task


async def _break(gateway, answer):
    async for _ in stream_text(gateway, "x"):
        break


async def _aclose(gateway, answer):
    stream = gateway.aio.stream("x")
    await anext(stream)
    await stream.aclose()
    with pytest.raises(CallerError) as caught:
        await anext(stream)
    assert caught.value.reason is Reason.CANCELLED


async def _async_with(gateway, answer):
    async with gateway.generate_stream_async("x") as stream:
        await anext(stream)


async def _cancel(gateway, answer):
    stream = gateway.aio.stream("x")
    await anext(stream)
    waiting = await begun(stream)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def _never_read(gateway, answer):
    stream = stream_text(gateway, "x")
    await answer.asked.wait()
    assert stream is not None


async def _blocking_break(gateway, answer):
    def read() -> None:
        for _ in stream_text(gateway, "x"):
            break

    await asyncio.to_thread(read)


async def _blocking_with(gateway, answer):
    def read() -> None:
        with gateway.generate_stream("x") as stream:
            next(stream)

    await asyncio.to_thread(read)


async def _close_from_another_thread(gateway, answer):
    stream = gateway.stream("x")

    def read() -> None:
        next(stream)
        timer.start()
        with pytest.raises(CallerError):
            next(stream)

    timer = threading.Timer(0, stream.close)
    await asyncio.to_thread(read)
    timer.join()


@pytest.mark.parametrize(
    "leave",
    [
        _break,
        _aclose,
        _async_with,
        _cancel,
        _never_read,
        _blocking_break,
        _blocking_with,
        _close_from_another_thread,
    ],
)
async def test_a_reader_who_leaves_ends_the_request_to_the_provider(stage, leave):
    answer = Endless()
    async with Upstream(answer) as upstream:
        gateway = stage(openai_tree(upstream.url))
        await leave(gateway, answer)
        gc.collect()
        await answer.left.wait()


async def test_closing_the_gateway_ends_streams(stage):
    answer = Endless()
    async with Upstream(answer) as upstream:
        gateway = stage(openai_tree(upstream.url))
        stream = gateway.aio.stream("x")
        await anext(stream)
        waiting = await begun(stream)
        await gateway.aclose()
        with pytest.raises(PolicyError) as caught:
            await waiting
        assert caught.value.reason is Reason.SHUTTING_DOWN
        await answer.left.wait()


async def test_a_stream_outlives_the_name_of_its_gateway(tmp_path):
    async def answer(visit: Visit) -> bool:
        await visit.send(STREAM_HEAD + delta("a") + delta("b"))
        await visit.send(
            sse(b'{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}')
        )
        await visit.send(sse(b"[DONE]") + LAST_CHUNK)
        return True

    async with Upstream(answer) as upstream:
        config = GatewayConfig(data_dir=tmp_path, **openai_tree(upstream.url))
        gateway = Gateway(config)
        thread = gateway._host.loop._thread
        texts = stream_text(gateway, "x")
        del gateway
        gc.collect()
        assert [text async for text in texts] == ["a", "b"]
        # Nobody holds the gateway any more: it ends by itself.
        del texts
        gc.collect()
        await asyncio.to_thread(thread.join)
