"""Redis that dies, freezes and comes back: bounded waits, one log line each way, nothing lost."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest
from redis.asyncio import Redis

from interlingua_gateway.core.clock import SystemClock
from interlingua_gateway.core.errors import Reason
from interlingua_gateway.core.quota import Grant, Refusal, WhenDown
from interlingua_gateway.store.redis.connection import RedisLink, RedisSettings, StoreDown
from interlingua_gateway.store.redis.counters import RedisCounters
from tests.support.calls import until
from tests.support.quotas import one, places, rate, tokens
from tests.support.redis_server import RedisServer, redis_server


class Shared:
    """Counters on a real Redis; `told` are the changes that a watcher saw."""

    def __init__(self, server: RedisServer, when_down: WhenDown) -> None:
        self.server = server
        self.clock = SystemClock()
        self.link = RedisLink(RedisSettings(url=server.url, timeout_s=0.2), self.clock)
        self.counters = RedisCounters(self.link, when_down, self.clock)
        self.told: list[bool] = []
        self.link.watch(self.told.append)

    async def back(self) -> None:
        await until(lambda: self.link.up)

    async def aclose(self) -> None:
        await self.counters.aclose()
        await self.link.aclose()


@pytest.fixture(params=[WhenDown.LOCAL, WhenDown.OPEN, WhenDown.CLOSED])
async def shared(request: pytest.FixtureRequest):
    with redis_server() as server:
        made = Shared(server, request.param)
        yield made
        await made.aclose()


async def test_what_holds_meanwhile(shared: Shared, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bucket = rate(per_minute=1, burst=2)
    assert isinstance(await shared.counters.reserve(one(bucket)), Grant)
    shared.server.kill()
    expected = {
        WhenDown.LOCAL: [Grant, Grant, Refusal, Refusal],
        WhenDown.OPEN: [Grant] * 4,
        WhenDown.CLOSED: [StoreDown] * 4,
    }
    got: list[type[object]] = []
    for _ in range(4):
        try:
            got.append(type(await shared.counters.reserve(one(bucket))))
        except StoreDown:
            got.append(StoreDown)
    assert got == expected[shared.counters.when_down]
    shared.server.start()
    await shared.back()
    assert isinstance(await shared.counters.reserve(one(bucket)), Grant)
    assert shared.told == [False, True]
    assert [record.message for record in caplog.records] == [
        "Redis is out of use",
        "Redis is in use again",
    ]


@pytest.mark.parametrize("shared", [WhenDown.LOCAL], indirect=True)
async def test_a_frozen_redis_is_waited_for_once(shared: Shared) -> None:
    bucket = rate(per_minute=1, burst=1000)
    await shared.counters.reserve(one(bucket))
    shared.server.freeze()
    began = shared.clock.monotonic()
    for _ in range(500):
        assert isinstance(await shared.counters.reserve(one(bucket)), Grant)
    assert shared.clock.monotonic() - began < 1.0
    shared.server.thaw()
    await shared.back()
    # One order was on its way when Redis froze: it may have been carried out.
    (left,) = await shared.counters.remaining([bucket])
    assert 998 <= round(left) <= 999


@pytest.mark.parametrize("shared", [WhenDown.CLOSED], indirect=True)
async def test_a_stall_of_our_own_is_not_the_fault_of_redis(shared: Shared) -> None:
    bucket = rate(per_minute=1, burst=10)
    await shared.counters.reserve(one(bucket))
    stalled = asyncio.create_task(shared.link.do(_stalled))
    assert isinstance(await shared.counters.reserve(one(bucket)), Grant)
    await stalled
    assert shared.told == []


async def _stalled(client: Redis) -> None:
    """Send a command, and let the process stand still for longer than the timeout."""
    pending = asyncio.create_task(client.ping())
    turned = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(turned.set_result, None)
    await turned
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        pass
    await pending


@pytest.mark.parametrize("shared", [WhenDown.LOCAL], indirect=True)
async def test_places_of_open_calls_survive_a_redis_that_lost_its_memory(shared: Shared) -> None:
    bucket = places(count=2)
    first = await shared.counters.reserve(one(bucket))
    second = await shared.counters.reserve(one(bucket))
    assert isinstance(first, Grant)
    assert isinstance(second, Grant)
    shared.server.kill()
    await shared.counters.reserve(one(rate()))
    shared.counters.settle(first, None)
    shared.server.start()
    await shared.back()
    assert isinstance(await shared.counters.reserve(one(bucket)), Grant)
    assert isinstance(await shared.counters.reserve(one(bucket)), Refusal)


@pytest.mark.parametrize("shared", [WhenDown.LOCAL], indirect=True)
async def test_nothing_is_given_back_that_was_not_taken_there(shared: Shared) -> None:
    bucket = tokens(per_minute=1, burst=1000)
    before = await shared.counters.reserve(one(bucket, 900))
    assert isinstance(before, Grant)
    shared.server.kill()
    await shared.counters.reserve(one(rate()))
    shared.server.start()
    await shared.back()
    assert isinstance(await shared.counters.reserve(one(bucket, 500)), Grant)
    shared.counters.settle(before, 0.0)
    (left,) = await shared.counters.remaining([bucket])
    assert left == pytest.approx(500, abs=0.1)


@pytest.mark.parametrize("shared", [WhenDown.LOCAL], indirect=True)
async def test_settlements_wait_for_redis(shared: Shared) -> None:
    bucket = tokens(per_minute=1, burst=1000)
    grant = await shared.counters.reserve(one(bucket, 900))
    assert isinstance(grant, Grant)
    shared.server.freeze()
    await shared.counters.reserve(one(rate()))
    shared.counters.settle(grant, 100.0)
    shared.server.thaw()
    await shared.back()
    (left,) = await shared.counters.remaining([bucket])
    assert left == pytest.approx(900, abs=0.1)


@pytest.mark.parametrize("shared", [WhenDown.CLOSED], indirect=True)
async def test_the_refusal_says_when_to_come_back(shared: Shared) -> None:
    shared.server.kill()
    with pytest.raises(StoreDown) as failure:
        await shared.counters.reserve(one(rate()))
    assert failure.value.reason is Reason.OVERLOADED
    assert failure.value.retry_after_s == 1.0


async def test_an_address_without_redis_does_no_harm(tmp_path) -> None:
    clock = SystemClock()
    link = RedisLink(RedisSettings(url=f"unix://{tmp_path}/none", timeout_s=0.2), clock)
    counters = RedisCounters(link, WhenDown.OPEN, clock)
    assert isinstance(await counters.reserve(one(rate())), Grant)
    assert not link.up
    await counters.aclose()
    await link.aclose()
