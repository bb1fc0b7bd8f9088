"""Streams of both clients against a scripted gateway on a socket."""

import asyncio

import grpc
import pytest

from interlingua import (
    CallCancelledError,
    DeadlineExceededError,
    InvalidRequestError,
    StreamBrokenError,
    UnavailableError,
)
from interlingua.v1.generate_pb2 import (
    FINISH_REASON_STOP,
    Cost,
    Finish,
    StreamGenerateResponse,
    StreamStart,
    Usage,
)
from tests.clients.python.scripted import (
    completed,
    delta,
    events,
    fail,
    info,
)


def whole():
    return events(
        StreamGenerateResponse(start=StreamStart(operation_id="op")),
        delta("Hel"),
        StreamGenerateResponse(usage=Usage(output_tokens=1)),
        delta("other", candidate_index=1),
        delta("lo"),
        StreamGenerateResponse(finish=Finish(reason=FINISH_REASON_STOP)),
        completed(usage=Usage(output_tokens=3), cost=Cost(cost_nano_usd=2_000)),
    )


async def test_text_and_response(client, script):
    script.stream = lambda *_: iter(whole())
    async with client.stream("x", "gpt", seed=3) as stream:
        assert [text async for text in stream.text_deltas()] == ["Hel", "lo"]
        response = stream.response
    assert stream.response == response
    assert response.operation_id == "op"
    assert response.text == "Hello"
    assert response.finish_reason == "stop"
    assert response.candidates[1].parts[0].text == "other"
    assert response.usage.output_tokens == 3
    assert response.cost_nano_usd == 2_000
    assert response.cost_usd == 2e-6
    assert script.requests[0].sampling.seed == 3


async def test_events_are_the_contract_s(client, script):
    script.stream = lambda *_: iter(whole())
    async with client.stream("x") as stream:
        assert [event async for event in stream] == whole()


async def test_collect(client, script):
    script.stream = lambda *_: iter(whole())
    assert (await client.stream("x").collect()).text == "Hello"


async def test_unknown_events_are_skipped(client, script):
    unknown = StreamGenerateResponse.FromString(b"\xaa\x06\x03new")
    script.stream = lambda *_: iter(events(delta("a"), unknown, delta("b"), completed()))
    assert (await client.stream("x").collect()).text == "ab"


async def test_no_response_before_the_end(client, script):
    script.stream = lambda *_: iter(whole())
    async with client.stream("x") as stream:
        await anext(stream)
        await anext(stream)
        with pytest.raises(RuntimeError):
            _ = stream.response
        assert stream.partial.text == "Hel"
        assert stream.partial.finish_reason == "unspecified"


async def test_a_broken_stream_never_looks_complete(client, script):
    def broken(_, context):
        yield from events(delta("Hel"))
        fail(context, "ABORTED", "broken", info("STREAM_BROKEN", events_sent="1"))

    script.stream = broken
    async with client.stream("x") as stream:
        assert (await anext(stream)).text_delta == "Hel"
        for _ in range(3):
            with pytest.raises(StreamBrokenError) as caught:
                await anext(stream)
            assert caught.value.metadata["events_sent"] == "1"
        with pytest.raises(StreamBrokenError):
            _ = stream.response
        with pytest.raises(StreamBrokenError):
            await stream.collect()
        assert stream.partial.text == "Hel"


async def test_an_ok_status_without_the_last_event_is_broken(client, script):
    script.stream = lambda *_: iter(events(delta("Hel"), delta("lo")))
    with pytest.raises(StreamBrokenError):
        await client.stream("x").collect()


async def test_an_empty_stream_is_broken(client, script):
    script.stream = lambda *_: iter(())
    with pytest.raises(StreamBrokenError):
        await client.stream("x").collect()


@pytest.mark.parametrize("lost", [0, 1, 2])
async def test_a_lost_event_breaks_the_stream(client, script, lost):
    sent = events(delta("a"), delta("b"), delta("c"), completed())
    del sent[lost]
    script.stream = lambda *_: iter(sent)
    with pytest.raises(StreamBrokenError) as caught:
        await client.stream("x").collect()
    assert caught.value.code is grpc.StatusCode.DATA_LOSS


async def test_events_after_the_last_break_the_stream(client, script):
    script.stream = lambda *_: iter(events(delta("a"), completed(), delta("b")))
    with pytest.raises(StreamBrokenError):
        await client.stream("x").collect()


async def test_failure_before_the_first_event_is_itself(client, script):
    def refused(_, context):
        fail(context, "INVALID_ARGUMENT", "no", info("INVALID_REQUEST"))
        yield

    script.stream = refused
    with pytest.raises(InvalidRequestError):
        await client.stream("x").collect()
    assert len(script.requests) == 1


async def test_unavailable_before_the_first_event_is_retried(client, script):
    def stream(_, context):
        if len(script.requests) < 2:
            fail(context, "UNAVAILABLE", "no")
        yield from whole()

    script.stream = stream
    assert (await client.stream("x").collect()).text == "Hello"
    assert len(script.requests) == 2


async def test_unavailable_after_the_first_event_is_not_retried(client, script):
    def stream(_, context):
        yield from events(delta("a"))
        fail(context, "UNAVAILABLE", "lost")

    script.stream = stream
    with pytest.raises(StreamBrokenError) as caught:
        await client.stream("x").collect()
    assert not isinstance(caught.value, UnavailableError)
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    assert len(script.requests) == 1


async def test_leaving_the_block_cancels(client, script):
    def stream(*_):
        yield from events(delta("a"))
        script.hold()

    script.stream = stream
    async with client.stream("x") as stream:
        async for text in stream.text_deltas():
            assert text == "a"
            break
    assert await asyncio.to_thread(script.over.wait, 10)
    with pytest.raises(CallCancelledError):
        await anext(stream)
    with pytest.raises(CallCancelledError):
        _ = stream.response
    assert stream.partial.text == "a"


async def test_closing_wakes_the_reader(client, script):
    def stream(*_):
        yield from events(delta("a"))
        script.hold()

    script.stream = stream
    stream = client.stream("x")
    await anext(stream)
    reader = asyncio.ensure_future(anext(stream))
    await asyncio.to_thread(lambda: None)  # the reader has begun to wait
    await stream.aclose()
    with pytest.raises(CallCancelledError):
        await reader
    assert await asyncio.to_thread(script.over.wait, 10)


async def test_deadline_in_the_middle(client, script):
    def stream(*_):
        yield from events(delta("a"))
        script.hold()

    script.stream = stream
    async with client.stream("x", timeout_s=0.3) as stream:
        assert (await anext(stream)).text_delta == "a"
        with pytest.raises(DeadlineExceededError):
            await anext(stream)
    assert await asyncio.to_thread(script.over.wait, 10)


async def test_cancelling_the_task_cancels_the_stream(aio, script):
    def stream(*_):
        yield from events(delta("a"))
        script.hold()

    script.stream = stream
    stream = aio.stream("x")
    await anext(stream)
    reader = asyncio.ensure_future(anext(stream))
    await asyncio.to_thread(lambda: None)  # the reader has begun to wait
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await asyncio.to_thread(script.over.wait, 10)
    with pytest.raises(CallCancelledError):
        await anext(stream)


async def test_closing_the_client_ends_its_streams(aio, script):
    def stream(*_):
        yield from events(delta("a"))
        script.hold()

    script.stream = stream
    stream = aio.stream("x")
    await anext(stream)
    await aio.aclose()
    with pytest.raises(CallCancelledError):
        await anext(stream)
    assert await asyncio.to_thread(script.over.wait, 10)
