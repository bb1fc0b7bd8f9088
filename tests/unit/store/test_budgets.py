"""What every store of budgets promises, in memory and in a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from interlingua_gateway.core.budget import Floor, Hold, Shortage
from interlingua_gateway.core.clock import SystemClock
from interlingua_gateway.core.ports_budget import Spending
from interlingua_gateway.store.memory_budgets import MemorySpending
from interlingua_gateway.store.redis.budgets import RedisSpending
from interlingua_gateway.store.redis.connection import RedisLink, RedisSettings
from tests.support.manual_clock import ManualClock
from tests.support.pots import USD, Floors, held, pot, spent_and_held
from tests.support.redis_server import redis_server


@pytest.fixture
def floors() -> Floors:
    return Floors()


@pytest.fixture(params=["memory", "redis"])
async def spending(
    request: pytest.FixtureRequest, clock: ManualClock, floors: Floors
) -> AsyncIterator[Spending]:
    if request.param == "memory":
        yield MemorySpending(floors, floors.alerts.append, clock)
        return
    with redis_server() as server:
        system = SystemClock()
        link = RedisLink(RedisSettings(url=server.url, timeout_s=5.0), system)
        found = RedisSpending(link, 0.1, floors, floors.alerts.append, system)
        yield found
        await found.aclose()
        await link.aclose()


async def test_what_does_not_fit_is_refused_whole(spending: Spending) -> None:
    await held(spending, 6)
    refused = await spending.reserve([pot()], 5 * USD)
    assert refused == Shortage(((pot(), 4 * USD),))
    assert await spent_and_held(spending) == (0, 6)
    await held(spending, 4)
    assert await spent_and_held(spending) == (0, 10)


async def test_everybody_at_once_gets_what_there_is(spending: Spending) -> None:
    given = await asyncio.gather(*(spending.reserve([pot()], USD) for _ in range(100)))
    assert sum(isinstance(one, Hold) for one in given) == 10


async def test_all_or_none(spending: Spending) -> None:
    small, large = pot("small", 1), pot("large", 100)
    refused = await spending.reserve([large, small], 2 * USD)
    assert refused == Shortage(((small, USD),))
    assert await spent_and_held(spending, large) == (0, 0)


@pytest.mark.parametrize("cost", [0, 2, 5, 9])
async def test_settling(spending: Spending, cost: int) -> None:
    """To more or less than was held; the levels of a hold are those with it."""
    hold = await held(spending, 5)
    assert [(level.spent_nano_usd, level.held_nano_usd) for level in hold.levels] == [(0, 5 * USD)]
    spending.settle(hold, cost * USD)
    assert await spent_and_held(spending) == (cost, 0)


async def test_a_soft_pot_never_refuses(spending: Spending) -> None:
    soft = pot(hard=False)
    spending.settle(await held(spending, 30, soft), 30 * USD)
    hold = await held(spending, 5, soft)
    assert hold.levels[0].spent_nano_usd == 30 * USD


async def test_nothing_is_left_of_an_overspent_pot(spending: Spending) -> None:
    spending.settle(await held(spending, 5), 12 * USD)
    assert await spending.reserve([pot()], 1) == Shortage(((pot(), -2 * USD),))
    await held(spending, 0)


async def test_a_cancelled_call_holds_nothing(spending: Spending) -> None:
    waiting = asyncio.ensure_future(spending.reserve([pot()], 5 * USD))
    turned = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(turned.set_result, None)
    await turned
    if not waiting.done():
        waiting.cancel()
        await asyncio.wait({waiting})
        await spent_and_held(spending)  # what was taken for it is given back behind this one
        assert await spent_and_held(spending) == (0, 0)


async def test_each_threshold_is_told_of_once(spending: Spending, floors: Floors) -> None:
    for _ in range(4):
        spending.settle(await held(spending, 2), 2 * USD)
    await spent_and_held(spending)
    assert floors.told == [("p", 5)]
    assert floors.alerts[0].spent_nano_usd == 6 * USD
    spending.settle(await held(spending, 2), 20 * USD)
    await spent_and_held(spending)
    assert floors.told == [("p", 5), ("p", 10)]
    # A raised limit has thresholds of its own; the ones below are over.
    spending.settle(await held(spending, 0, pot(limit=50)), 30 * USD)
    await spent_and_held(spending)
    assert floors.told == [("p", 5), ("p", 10), ("p", 25), ("p", 50)]


async def test_a_floor_raises_and_never_adds(spending: Spending, floors: Floors) -> None:
    spending.settle(await held(spending, 1), 1 * USD)
    floors.floors["p"] = Floor(4 * USD)
    assert await spent_and_held(spending) == (4, 0)
    spending.settle(await held(spending, 1), 1 * USD)
    assert await spent_and_held(spending) == (5, 0)
    floors.floors["p"] = Floor(5 * USD)
    assert await spent_and_held(spending) == (5, 0)


async def test_a_floor_knows_of_earlier_alerts(spending: Spending, floors: Floors) -> None:
    floors.floors["p"] = Floor(6 * USD, 5 * USD)
    spending.settle(await held(spending, 1), 1 * USD)
    await spent_and_held(spending)
    assert floors.told == []


async def test_small_and_large_amounts_are_exact(spending: Spending) -> None:
    large = pot(limit=9_000_000)
    whole = 8_999_999 * USD + 999_999_999
    hold = await spending.reserve([large], whole)
    assert isinstance(hold, Hold)
    assert await spending.reserve([large], 2) == Shortage(((large, 1),))
    spending.settle(hold, whole)
    (level,) = await spending.levels([large])
    assert level.spent_nano_usd == whole
