"""Cancelling and closing end the upstream's connection at once, and nothing is left behind."""

from __future__ import annotations

import asyncio
import gc

import psutil
import pytest

from tests.support.upstream import Upstream, Visit, chunk
from tests.support.wires import OPENAI, WIRES, Wire
from tests.unit.providers.litellm.conftest import Make, attempt

each = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
both = pytest.mark.parametrize("streaming", [False, True], ids=["unary", "streaming"])
AT_ONCE_S = 0.1


class Silent:
    """Takes requests, sends `first` and then nothing; says when one came and when one is gone."""

    def __init__(self, first: bytes = b"") -> None:
        self.first = first
        self.came: asyncio.Queue[None] = asyncio.Queue()
        self.left: asyncio.Queue[None] = asyncio.Queue()

    async def __call__(self, visit: Visit) -> None:
        if self.first:
            await visit.send(self.first)
        self.came.put_nowait(None)
        await visit.gone()
        self.left.put_nowait(None)


@each
@both
async def test_cancelled_open_ends_the_connection(make: Make, wire: Wire, streaming: bool) -> None:
    silent = Silent()
    async with Upstream(silent) as upstream:
        provider = make(api_base=upstream.url, **wire.params)
        await provider.preload()
        opening = asyncio.ensure_future(provider.open(attempt(wire.model, streaming=streaming)))
        await silent.came.get()
        opening.cancel()
        async with asyncio.timeout(AT_ONCE_S):
            await silent.left.get()
        with pytest.raises(asyncio.CancelledError):
            await opening


@each
async def test_closed_stream_ends_the_connection(make: Make, wire: Wire) -> None:
    begun = wire.head + b"".join(chunk(piece) for piece in wire.pieces[: wire.unfinished])
    silent = Silent(begun)
    async with Upstream(silent) as upstream:
        provider = make(api_base=upstream.url, **wire.params)
        reply = await provider.open(attempt(wire.model, streaming=True))
        assert await reply.next()
        async with asyncio.timeout(AT_ONCE_S):
            await reply.aclose()
            await silent.left.get()
        assert await reply.source.next() is None  # type: ignore[union-attr]


@each
async def test_cancelled_reading_ends_the_connection(make: Make, wire: Wire) -> None:
    begun = wire.head + b"".join(chunk(piece) for piece in wire.pieces[: wire.unfinished])
    silent = Silent(begun)
    async with Upstream(silent) as upstream:
        provider = make(api_base=upstream.url, **wire.params)
        reply = await provider.open(attempt(wire.model, streaming=True))
        started = asyncio.Event()
        reply.tap(lambda batch: started.set())
        reading = asyncio.ensure_future(reply.collect())
        await started.wait()
        reading.cancel()
        async with asyncio.timeout(AT_ONCE_S):
            await silent.left.get()
        with pytest.raises(asyncio.CancelledError):
            await reading


async def test_closed_provider_breaks_its_streams(make: Make) -> None:
    begun = OPENAI.head + b"".join(chunk(piece) for piece in OPENAI.pieces[:2])
    silent = Silent(begun)
    async with Upstream(silent) as upstream:
        provider = make(api_base=upstream.url, **OPENAI.params)
        await provider.open(attempt(OPENAI.model, streaming=True))
        await provider.aclose()
        async with asyncio.timeout(AT_ONCE_S):
            await silent.left.get()


@each
@both
async def test_nothing_is_left_of_many_cancelled_calls(
    make: Make, wire: Wire, streaming: bool
) -> None:
    silent = Silent()
    process = psutil.Process()
    async with Upstream(silent) as upstream:
        provider = make(api_base=upstream.url, **wire.params)

        async def one() -> None:
            opening = asyncio.ensure_future(provider.open(attempt(wire.model, streaming=streaming)))
            await silent.came.get()
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            await silent.left.get()

        await one()
        gc.collect()
        tasks, descriptors = len(asyncio.all_tasks()), process.num_fds()
        memory = process.memory_info().rss
        for _ in range(20):
            await one()
        await upstream.none_open()
        gc.collect()
        assert len(asyncio.all_tasks()) <= tasks
        assert process.num_fds() <= descriptors
        assert process.memory_info().rss - memory < 20 * 1024 * 1024
