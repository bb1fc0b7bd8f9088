"""The silence between two events is bounded, and the end of an answer is told once."""

from __future__ import annotations

import asyncio

import pytest

from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.core.events import TextDelta
from interlingua_gateway.route.watch import Watched

WORD = (TextDelta(0, "a"),)


class Source:
    """Gives what is put into it: a batch, None for the end, or an error to raise."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[object] = asyncio.Queue()
        self.asked = asyncio.Event()
        self.closed = 0

    async def next(self):
        self.asked.set()
        item = await self.said.get()
        self.asked.clear()
        if isinstance(item, BaseException):
            raise item
        return item

    async def aclose(self) -> None:
        self.closed += 1


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def endings() -> list[object]:
    return []


@pytest.fixture
def watched(source, clock, endings) -> Watched:
    return Watched(source, clock, stall_s=10, until=1100.0, ended=endings.append)


async def asking(watched: Watched, source: Source) -> asyncio.Task[object]:
    task = asyncio.ensure_future(watched.next())
    await source.asked.wait()
    return task


async def test_an_answer_that_keeps_coming_is_left_alone(watched, source, clock, endings):
    for _ in range(9):
        task = await asking(watched, source)
        clock.advance(9.9)
        source.said.put_nowait(WORD)
        assert await task == WORD
    source.said.put_nowait(None)
    assert await watched.next() is None
    assert endings == [None]
    assert clock.waiting == 0
    await watched.aclose()
    assert endings == [None]


async def test_silence_breaks_it(watched, source, clock, endings):
    task = await asking(watched, source)
    clock.advance(9.99)
    clock.advance(0.02)
    with pytest.raises(UpstreamError) as caught:
        await task
    assert caught.value.reason is Reason.STREAM_BROKEN
    assert caught.value.metadata == {"cause": "UPSTREAM_TIMEOUT"}
    assert "fell silent" in caught.value.message
    assert endings == [caught.value]
    assert task.cancelling() == 0
    assert clock.waiting == 0


async def test_a_slow_reader_is_not_the_upstreams_silence(watched, source, clock):
    source.said.put_nowait(WORD)
    await watched.next()
    clock.advance(50)
    task = await asking(watched, source)
    clock.advance(9)
    source.said.put_nowait(WORD)
    assert await task == WORD


async def test_the_whole_is_bounded_too(watched, source, clock):
    for _ in range(10):
        task = await asking(watched, source)
        clock.advance(9)
        source.said.put_nowait(WORD)
        await task
    task = await asking(watched, source)
    clock.advance(9.9)
    assert not task.done()
    clock.advance(0.2)
    with pytest.raises(UpstreamError):
        await task


async def test_a_failure_of_the_upstream_becomes_a_break_with_its_cause(watched, source, endings):
    cause = UpstreamError(Reason.UPSTREAM_RATE_LIMITED, "secret", retry_after_s=4)
    source.said.put_nowait(cause)
    with pytest.raises(UpstreamError) as caught:
        await watched.next()
    assert caught.value.metadata == {"cause": "UPSTREAM_RATE_LIMITED"}
    assert caught.value.retry_after_s == 4
    assert "secret" not in caught.value.message
    assert caught.value.__cause__ is cause
    assert endings == [caught.value]


async def test_a_bug_is_told_as_it_is(watched, source, endings):
    bug = ValueError("a bug")
    source.said.put_nowait(bug)
    with pytest.raises(ValueError, match="a bug"):
        await watched.next()
    assert endings == [bug]


@pytest.mark.parametrize("also_stalled", [False, True])
async def test_a_cancellation_from_outside_passes_through(
    watched, source, clock, endings, also_stalled
):
    task = await asking(watched, source)
    if also_stalled:
        clock.advance(11)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert [type(ending) for ending in endings] == [asyncio.CancelledError]
    assert clock.waiting == 0


async def test_leaving_before_the_end_counts_as_cancelled(watched, source, clock, endings):
    source.said.put_nowait(WORD)
    await watched.next()
    await watched.aclose()
    await watched.aclose()
    assert [type(ending) for ending in endings] == [asyncio.CancelledError]
    assert source.closed == 2
    assert clock.waiting == 0
