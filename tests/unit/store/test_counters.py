"""What every store of counters promises, on an injected clock in memory and in a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from interlingua_gateway.core.clock import SystemClock
from interlingua_gateway.core.ports import Counters
from interlingua_gateway.core.quota import Charge, Grant, Measure, Refusal, WhenDown
from interlingua_gateway.store.memory_counters import MemoryCounters
from interlingua_gateway.store.redis.connection import RedisLink, RedisSettings
from interlingua_gateway.store.redis.counters import RedisCounters
from tests.support.manual_clock import ManualClock
from tests.support.quotas import one, places, rate, tokens
from tests.support.redis_server import redis_server

# Redis has a clock of its own that cannot be moved: its buckets refill so slowly here that nothing
# comes back while a test runs.
SLOW = 1


@pytest.fixture(params=["memory", "redis"])
async def counters(request: pytest.FixtureRequest, clock: ManualClock) -> AsyncIterator[Counters]:
    if request.param == "memory":
        yield MemoryCounters(clock)
        return
    with redis_server() as server:
        system = SystemClock()
        link = RedisLink(RedisSettings(url=server.url, timeout_s=5.0), system)
        found = RedisCounters(link, WhenDown.CLOSED, system)
        yield found
        await found.aclose()
        await link.aclose()


async def granted(counters: Counters, charges: list[Charge]) -> Grant:
    given = await counters.reserve(charges)
    assert isinstance(given, Grant)
    return given


async def refused(counters: Counters, charges: list[Charge]) -> Refusal:
    given = await counters.reserve(charges)
    assert isinstance(given, Refusal)
    return given


async def test_a_burst_and_no_more(counters: Counters) -> None:
    bucket = rate(per_minute=SLOW, burst=10)
    for _ in range(10):
        await granted(counters, one(bucket))
    refusal = await refused(counters, one(bucket))
    ((charge, wait_s),) = refusal.blocked
    assert charge == Charge(bucket, 1.0)
    assert wait_s == pytest.approx(60.0, abs=1.0)
    assert refusal.wait_s == wait_s
    (left,) = await counters.remaining([bucket])
    assert left == pytest.approx(0.0, abs=0.05)


async def test_everybody_at_once_gets_what_there_is(counters: Counters) -> None:
    bucket = rate(per_minute=SLOW, burst=30)
    given = await asyncio.gather(*(counters.reserve(one(bucket)) for _ in range(200)))
    assert sum(isinstance(g, Grant) for g in given) == 30


async def test_all_or_nothing(counters: Counters) -> None:
    full, free = rate("full", per_minute=SLOW, burst=1), rate("free", per_minute=SLOW, burst=5)
    await granted(counters, one(full))
    both = [Charge(free, 1.0), Charge(full, 1.0), Charge(places(), 1.0)]
    refusal = await refused(counters, both)
    assert [charge.bucket.key for charge, _ in refusal.blocked] == ["full"]
    assert await counters.remaining([free, places()]) == [5.0, 2.0]


async def test_what_was_not_used_comes_back(counters: Counters) -> None:
    bucket = tokens(per_minute=SLOW, burst=1000)
    grant = await granted(counters, one(bucket, 800))
    await refused(counters, one(bucket, 300))
    counters.settle(grant, 100.0)
    (left,) = await counters.remaining([bucket])
    assert left == pytest.approx(900.0, abs=0.1)


async def test_what_was_used_beyond_the_estimate_is_owed(counters: Counters) -> None:
    bucket = tokens(per_minute=SLOW, burst=1000)
    counters.settle(await granted(counters, one(bucket, 100)), 2500.0)
    refusal = await refused(counters, one(bucket, 1))
    assert refusal.wait_s == pytest.approx(1501 * 60, rel=0.01)


async def test_an_estimate_may_stay(counters: Counters) -> None:
    bucket = tokens(per_minute=SLOW, burst=1000)
    counters.settle(await granted(counters, one(bucket, 100)), None)
    (left,) = await counters.remaining([bucket])
    assert left == pytest.approx(900.0, abs=0.1)


async def test_requests_stay_counted(counters: Counters) -> None:
    bucket = rate(per_minute=SLOW, burst=1)
    counters.settle(await granted(counters, one(bucket)), 0.0)
    await refused(counters, one(bucket))


async def test_places_come_back(counters: Counters) -> None:
    bucket = places(count=2)
    first = await granted(counters, one(bucket))
    await granted(counters, one(bucket))
    refusal = await refused(counters, one(bucket))
    assert refusal.wait_s is None
    counters.settle(first, None)
    await granted(counters, one(bucket))


async def test_a_cancelled_call_takes_nothing(counters: Counters) -> None:
    bucket, seats = rate(per_minute=SLOW, burst=5), places(count=1)
    charges = [Charge(seats, 1.0), Charge(tokens(per_minute=SLOW), 400.0)]
    task = asyncio.create_task(counters.reserve(charges))  # type: ignore[arg-type]
    turned = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(turned.set_result, None)
    await turned
    if task.cancel():
        await asyncio.wait({task})
        await counters.remaining([bucket])
        await granted(counters, charges)
    else:
        assert isinstance(task.result(), Grant)


@pytest.mark.parametrize("measure", [Measure.REQUESTS, Measure.TOKENS])
async def test_memory_refills_exactly(clock: ManualClock, measure: Measure) -> None:
    counters = MemoryCounters(clock)
    bucket = rate(per_minute=600, burst=100, measure=measure)
    admitted = 0
    for _ in range(60_001):
        while isinstance(await counters.reserve(one(bucket)), Grant):
            admitted += 1
        clock.advance(0.001)
    assert admitted == 100 + 600


async def test_memory_forgets_no_place(clock: ManualClock) -> None:
    counters = MemoryCounters(clock)
    held = await granted(counters, one(places(count=1)))
    await counters.remaining([rate(f"other-{n}") for n in range(100_001)])
    await refused(counters, one(places(count=1)))
    counters.settle(held, None)
    await granted(counters, one(places(count=1)))


async def test_redis_refills_by_its_own_clock() -> None:
    """The rate is read off the server's clock around the calls: no drift over 2,000 of them."""
    with redis_server() as server:
        system = SystemClock()
        link = RedisLink(RedisSettings(url=server.url, timeout_s=5.0), system)
        counters = RedisCounters(link, WhenDown.CLOSED, system)
        bucket = rate(per_minute=60_000, burst=50)
        client = Redis.from_url(server.url)
        began = _seconds(await client.time())
        admitted = 0
        while admitted < 2000:
            given = await asyncio.gather(*(counters.reserve(one(bucket)) for _ in range(20)))
            admitted += sum(isinstance(g, Grant) for g in given)
        passed = _seconds(await client.time()) - began
        assert 50 + 1000 * passed + 1 >= 2000
        await client.aclose()
        await counters.aclose()
        await link.aclose()


def _seconds(time: tuple[int, int]) -> float:
    return time[0] + time[1] / 1e6
