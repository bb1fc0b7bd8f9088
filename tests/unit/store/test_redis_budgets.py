"""What Redis can do to budgets: lose its memory, go away, outlive a gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from interlingua_gateway.core.budget import Floor, Hold, Shortage
from interlingua_gateway.core.clock import SystemClock
from interlingua_gateway.core.errors import PolicyError, Reason
from interlingua_gateway.store.redis.budgets import RedisSpending
from interlingua_gateway.store.redis.connection import RedisLink, RedisSettings
from tests.support.calls import until
from tests.support.pots import USD, Floors, held, pot, spent_and_held
from tests.support.redis_server import RedisServer, redis_server

KEY = "{interlingua}:p"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_server() as found:
        yield found


class Gateway:
    """One gateway's view of Redis."""

    def __init__(self, server: RedisServer, share: float = 0.5) -> None:
        clock = SystemClock()
        self.floors = Floors()
        self.link = RedisLink(RedisSettings(url=server.url, timeout_s=2.0), clock)
        self.spending = RedisSpending(
            self.link, share, self.floors, self.floors.alerts.append, clock
        )

    async def pay(self, dollars: int) -> None:
        self.spending.settle(await held(self.spending, dollars), dollars * USD)

    async def notice(self, *, up: bool) -> None:
        """Find out that Redis has gone or come."""
        if not up:
            await self.spending.levels([pot()])
        await until(lambda: self.link.up is up)

    async def aclose(self) -> None:
        await self.spending.aclose()
        await self.link.aclose()


@pytest.fixture
async def pair(server: RedisServer) -> AsyncIterator[tuple[Gateway, Gateway]]:
    found = Gateway(server), Gateway(server)
    yield found
    for gateway in found:
        await gateway.aclose()


async def test_gateways_share_a_pot(pair: tuple[Gateway, Gateway]) -> None:
    one, other = pair
    await one.pay(4)
    hold = await held(other.spending, 5)
    assert await one.spending.reserve([pot()], 2 * USD) == Shortage(((pot(), USD),))
    other.spending.settle(hold, 2 * USD)
    assert await spent_and_held(other.spending) == (6, 0)
    assert await spent_and_held(one.spending) == (6, 0)
    assert one.floors.told + other.floors.told == [("p", 5)]


async def test_memory_that_was_lost_is_put_back(
    server: RedisServer, pair: tuple[Gateway, Gateway]
) -> None:
    """The one who knew less comes first and spends; what the other one knew is not lost to it, and
    no alert comes twice."""
    one, other = pair
    await one.pay(3)
    await spent_and_held(one.spending)
    await other.pay(3)
    hold = await held(other.spending, 2)
    await spent_and_held(other.spending)
    assert other.floors.told == [("p", 5)]
    server.kill()
    for gateway in pair:
        await gateway.notice(up=False)
    server.start()
    await one.notice(up=True)
    await one.pay(1)
    await other.notice(up=True)
    assert await spent_and_held(other.spending) == (7, 2)
    other.spending.settle(hold, 1 * USD)
    assert await spent_and_held(other.spending) == (8, 0)
    assert await spent_and_held(one.spending) == (8, 0)
    assert one.floors.told == []
    assert other.floors.told == [("p", 5)]


async def test_a_share_while_redis_is_away(server: RedisServer) -> None:
    """Half of what was left when it was known last; afterwards Redis learns of it, once."""
    gateway = Gateway(server)
    await gateway.pay(2)
    open_call = await held(gateway.spending, 2)
    await spent_and_held(gateway.spending)
    server.kill()
    await gateway.notice(up=False)
    await gateway.pay(2)
    with pytest.raises(PolicyError) as refused:
        await gateway.spending.reserve([pot()], 2 * USD)
    assert refused.value.reason is Reason.OVERLOADED
    short = await gateway.spending.reserve([pot()], 9 * USD)
    assert isinstance(short, Shortage)
    still_open = await held(gateway.spending, 1)
    gateway.spending.settle(open_call, 1 * USD)
    assert not gateway.spending.steady
    server.start()
    await gateway.notice(up=True)
    assert await spent_and_held(gateway.spending) == (5, 0)
    gateway.spending.settle(still_open, 1 * USD)
    assert await spent_and_held(gateway.spending) == (6, 0)
    assert gateway.floors.told == [("p", 5)]
    await gateway.aclose()


async def test_nothing_without_redis_where_the_share_is_nothing(server: RedisServer) -> None:
    gateway = Gateway(server, share=0.0)
    server.kill()
    await gateway.notice(up=False)
    with pytest.raises(PolicyError) as refused:
        await gateway.spending.reserve([pot()], 1)
    assert refused.value.retry_after_s
    assert isinstance(await gateway.spending.reserve([pot(hard=False)], 1), Hold)
    await gateway.aclose()


async def test_what_a_dead_gateway_held_counts_as_spent(
    server: RedisServer, pair: tuple[Gateway, Gateway]
) -> None:
    """The safe side. One that was only slow is corrected when it settles, once."""
    one, other = pair
    hold = await held(one.spending, 4)
    client = Redis.from_url(server.url)
    await client.zadd(KEY + ":leases", {hold.lease: 1})
    assert await spent_and_held(other.spending) == (4, 0)
    one.spending.settle(hold, 1 * USD)
    one.spending.settle(hold, 1 * USD)
    assert await spent_and_held(one.spending) == (1, 0)
    await client.aclose()


async def test_a_settlement_that_is_sent_again_counts_once(
    server: RedisServer, pair: tuple[Gateway, Gateway]
) -> None:
    """In the epoch in which it was given, and in another one."""
    gateway, _ = pair
    hold = await held(gateway.spending, 4)
    for _ in range(3):
        gateway.spending.settle(hold, 2 * USD)
    assert await spent_and_held(gateway.spending) == (2, 0)
    hold = await held(gateway.spending, 4)
    client = Redis.from_url(server.url)
    await client.flushall()
    await client.aclose()
    for _ in range(3):
        gateway.spending.settle(hold, 1 * USD)
    assert await spent_and_held(gateway.spending) == (3, 0)


async def test_a_flushed_redis_learns_from_the_next_call(
    server: RedisServer, pair: tuple[Gateway, Gateway]
) -> None:
    one, _ = pair
    await one.pay(9)
    await spent_and_held(one.spending)
    client = Redis.from_url(server.url)
    await client.flushall()
    assert await one.spending.reserve([pot()], 2 * USD) == Shortage(((pot(), USD),))
    assert int(await client.hget(KEY, "base")) == 9 * USD
    await client.aclose()


async def test_a_new_gateway_brings_the_ledger(server: RedisServer) -> None:
    gateway = Gateway(server)
    gateway.floors.floors["p"] = Floor(9 * USD, 5 * USD)
    short = await gateway.spending.reserve([pot()], 2 * USD)
    assert short == Shortage(((pot(), USD),))
    assert gateway.floors.told == []
    await gateway.aclose()


async def test_pots_end_with_their_periods(server: RedisServer) -> None:
    gateway = Gateway(server)
    ends_at_s = SystemClock().time() + 100
    await held(gateway.spending, 1, pot(ends_at_s=ends_at_s))
    client = Redis.from_url(server.url)
    for key in (KEY, KEY + ":leases"):
        assert 86_400 < await client.ttl(key) <= 86_500
    await client.aclose()
    await gateway.aclose()
