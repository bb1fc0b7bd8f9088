"""Answers in a real Redis: shared, ageing, removable; and nothing fails when it goes away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from interlingua_gateway.core.clock import SystemClock
from interlingua_gateway.core.errors import GatewayError, Reason
from interlingua_gateway.store.redis.blobs import MAX_WRITES, RedisBlobs
from interlingua_gateway.store.redis.connection import PREFIX, RedisLink, RedisSettings
from tests.support.calls import until
from tests.support.manual_clock import ManualClock
from tests.support.redis_server import RedisServer, redis_server


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture
async def link(server: RedisServer) -> AsyncIterator[RedisLink]:
    made = RedisLink(RedisSettings(url=server.url, timeout_s=5.0), SystemClock())
    yield made
    await made.aclose()


@pytest.fixture
async def blobs(link: RedisLink, clock: ManualClock) -> AsyncIterator[RedisBlobs]:
    """Answers whose own clock is the test's; Redis keeps its own."""
    made = RedisBlobs(link, clock)
    yield made
    await made.aclose()


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[Redis]:
    client = Redis.from_url(server.url)
    yield client
    await client.aclose()


async def test_what_one_gateway_puts_another_finds(
    blobs: RedisBlobs, link: RedisLink, clock: ManualClock, redis: Redis
) -> None:
    blobs.put("a", b"\x00\xff", 60.0, ("x", "y"))
    await blobs.settled()
    other = RedisBlobs(link, clock)
    assert await other.get("a") == b"\x00\xff"
    assert await other.get("b") is None
    assert 59_000 < await redis.pttl(f"{PREFIX}blob:a") <= 60_000
    assert await other.remove("x") == 1
    assert await blobs.get("a") is None
    assert await blobs.remove("y") == 0
    assert await redis.keys() == []


async def test_removal_of_many(blobs: RedisBlobs, redis: Redis) -> None:
    for start in range(0, 1_200, 200):
        for number in range(start, start + 200):
            blobs.put(str(number), b"x", 60.0, ("all", f"half:{number % 2}"))
        await blobs.settled()
    assert await blobs.remove("half:1") == 600
    assert await blobs.remove("all") == 600
    assert await redis.keys(f"{PREFIX}blob:*") == []


async def test_labels_forget_what_has_ended_and_live_as_long_as_what_they_name(
    blobs: RedisBlobs, clock: ManualClock, redis: Redis
) -> None:
    label = f"{PREFIX}label:x"
    blobs.put("short", b"1", 10.0, ("x",))
    await blobs.settled()
    blobs.put("long", b"2", 100.0, ("x",))
    await blobs.settled()
    blobs.put("shorter", b"3", 5.0, ("x",))
    await blobs.settled()
    assert 99_000 < await redis.pttl(label) <= 100_000
    clock.advance(50.0)
    blobs.put("last", b"4", 10.0, ("x",))
    await blobs.settled()
    names = [f"{PREFIX}blob:{name}".encode() for name in ("last", "long")]
    assert await redis.zrange(label, 0, -1) == names
    assert 99_000 < await redis.pttl(label) <= 100_000


async def test_a_ttl_beyond_what_redis_can_hold(blobs: RedisBlobs) -> None:
    blobs.put("a", b"1", 3e11, ())
    await blobs.settled()
    assert await blobs.get("a") == b"1"


async def test_writes_that_wait_are_bounded(blobs: RedisBlobs, redis: Redis) -> None:
    for number in range(2 * MAX_WRITES):
        blobs.put(str(number), b"x", 60.0, ())
    await blobs.settled()
    assert await redis.dbsize() == MAX_WRITES


async def test_without_redis_nothing_is_found_and_nothing_fails(
    blobs: RedisBlobs, link: RedisLink, server: RedisServer
) -> None:
    blobs.put("a", b"1", 60.0, ("x",))
    await blobs.settled()
    server.kill()
    assert await blobs.get("a") is None
    assert not link.up
    blobs.put("b", b"1", 60.0, ("x",))
    await blobs.settled()
    with pytest.raises(GatewayError) as failure:
        await blobs.remove("x")
    assert failure.value.reason is Reason.OVERLOADED
    server.start()
    await until(lambda: link.up)
    blobs.put("c", b"2", 60.0, ("x",))
    await blobs.settled()
    assert await blobs.get("c") == b"2"
