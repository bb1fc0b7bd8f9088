"""Ten thousand cancelled streams leave memory, tasks and sockets where they were."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Iterator

import psutil
import pytest

from interlingua_gateway.store.sql.database import READERS
from tests.support.gateway import Running, openai, scripted
from tests.support.listener import BEGUN
from tests.support.requests import ask
from tests.support.upstream import Upstream, Visit

AT_ONCE = 50
GROWTH_LIMIT_BYTES = 12 * 1024 * 1024
USUAL_THRESHOLD = (700, 10, 10)


@pytest.fixture(autouse=True)
def collected_as_usual() -> Iterator[None]:
    """Garbage is collected as often as in a gateway, not as seldom as in the other tests."""
    threshold = gc.get_threshold()
    gc.set_threshold(*USUAL_THRESHOLD)
    yield
    gc.set_threshold(*threshold)


async def cancelled_stream(gateway: Running) -> None:
    call = gateway.calls.StreamGenerate(ask())
    await call.read()
    await call.read()
    call.cancel()


async def cancelled_streams(gateway: Running, count: int) -> None:
    """`count` streams that are cancelled after their first word, some at a time."""

    async def some() -> None:
        for _ in range(count // AT_ONCE):
            await cancelled_stream(gateway)

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    await asyncio.wait_for(gateway.built.grpc.front.drained(), 5)


async def database_open(gateway: Running) -> None:
    """Wait until every connection stands that the gateway keeps to its database."""
    database = await gateway.built.databases.open()
    together = threading.Barrier(READERS)
    await asyncio.gather(*(database.read(lambda _: together.wait(10)) for _ in range(READERS)))


async def nothing_open() -> None:
    """Where no upstream is in this process, none has to notice that its callers have left."""


async def unchanged(
    gateway: Running, count: int, left: Callable[[], Awaitable[None]] = nothing_open
) -> None:
    """Cancel `count` streams; what the process holds must be what it held before. `left` waits
    until the upstream, which is in this process too, has closed its side."""
    process = psutil.Process()
    await cancelled_streams(gateway, 1000)
    await database_open(gateway)
    await cancelled_streams(gateway, 1000)
    await asyncio.wait_for(left(), 5)
    gc.collect()
    tasks, files = len(asyncio.all_tasks()), process.num_fds()
    resident = process.memory_info().rss
    await cancelled_streams(gateway, count)
    await asyncio.wait_for(left(), 5)
    gc.collect()
    assert len(asyncio.all_tasks()) <= tasks + 5
    assert process.num_fds() <= files + 2
    assert process.memory_info().rss - resident < GROWTH_LIMIT_BYTES
    assert gateway.in_flight == 0


def quiet(tree: dict[str, object]) -> dict[str, object]:
    """A line for every cancelled call would be kept in memory by the test itself."""
    return {**tree, "telemetry": {"log_level": "error"}}


async def test_streams_of_the_scripted_provider(start):
    tree = quiet(scripted(talk=[{"do": "say", "text": "hi"}, {"do": "hang"}]))
    tree["models"][0]["targets"][0]["model"] = "talk"
    await unchanged(await start(tree), 7000)


@pytest.mark.timeout(90)
async def test_streams_of_an_upstream(start):
    async def answer(visit: Visit) -> None:
        await visit.send(BEGUN)
        await visit.gone()
        upstream.visits.clear()

    async with Upstream(answer) as upstream:
        gateway = await start(quiet(openai(upstream.url)), environment={"UP_KEY": "k"})
        await unchanged(gateway, 3000, upstream.none_open)
