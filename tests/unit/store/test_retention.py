"""What is too old goes, in small steps, and nothing else."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Connection, select

from interlingua_gateway.core.ledger import Details, Texts
from interlingua_gateway.store.sql import retention
from interlingua_gateway.store.sql.database import Database
from interlingua_gateway.store.sql.ledger_tables import OPERATION_TAGS, OPERATION_TEXTS
from interlingua_gateway.store.sql.operations import store_operations
from interlingua_gateway.store.sql.retention import PAUSE_S, Retention
from tests.support.ledger import counted, ids, operation, spooled
from tests.support.manual_clock import ManualClock

DAY_MS = 86_400_000


async def fill(database: Database, clock: ManualClock, days: range, each: int = 3) -> list[str]:
    """Operations of so many days ago, oldest first."""
    now_ms = int(clock.time() * 1000)
    made = [
        operation(
            n,
            at_ms=now_ms - day * DAY_MS - 1000,
            user=f"u{n}",
            details=Details(tags=("a", "b")),
            texts=Texts("q", "a"),
        )
        for day in days
        for n in range(each)
    ]
    await database.write(lambda c: store_operations(c, spooled(*made)))
    return [operation.id for operation in sorted(made, key=lambda o: o.id)]


async def swept(retention: Retention, clock: ManualClock) -> int:
    """The result of a sweep whose pauses are made short."""
    sweeping = asyncio.ensure_future(retention.sweep())
    while not sweeping.done():
        pausing = asyncio.ensure_future(clock.until_waiting())
        await asyncio.wait({sweeping, pausing}, return_when=asyncio.FIRST_COMPLETED)
        pausing.cancel()
        clock.advance(PAUSE_S)
    return sweeping.result()


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 4)


async def test_old_operations_go_with_their_tags_and_texts(
    database: Database, clock: ManualClock
) -> None:
    made = await fill(database, clock, range(10))
    keeping = Retention(database, clock, days=6, totals_days=None)
    hours = 3 * (1 + 3 + 2)  # of three days that are gone as a whole, in all facets
    assert await swept(keeping, clock) == 4 * 3 * (1 + 2 + 1) + hours
    kept = made[4 * 3 :]
    assert await ids(database) == kept

    def beside(connection: Connection) -> tuple[set[str], set[str]]:
        tags = connection.execute(select(OPERATION_TAGS.c.operation_id)).scalars()
        texts = connection.execute(select(OPERATION_TEXTS.c.operation_id)).scalars()
        return set(tags), set(texts)

    assert await database.read(beside) == (set(kept), set(kept))
    assert (await counted(database))["operations"] == 30 - 3 * 3
    assert (await counted(database, step_s=86400))["operations"] == 30
    assert await swept(keeping, clock) == 0


async def test_old_totals_go_by_whole_days(database: Database, clock: ManualClock) -> None:
    await fill(database, clock, range(10))
    await swept(Retention(database, clock, days=None, totals_days=4), clock)
    assert (await counted(database, step_s=86400))["operations"] == 3 * 5
    assert (await counted(database, step_s=86400, facet="user:u1"))["operations"] == 5
    assert (await counted(database))["operations"] == 30
    assert len(await ids(database)) == 30


async def test_each_step_is_small_and_lets_others_in(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(database, clock, range(9, 10), each=20)
    totals = 1 + 20 + 2  # of one hour: all, by user, by tag
    sizes = []
    write = database.write

    async def watched(change):
        sizes.append(await write(change))
        return sizes[-1]

    monkeypatch.setattr(database, "write", watched)
    assert await swept(Retention(database, clock, days=1, totals_days=None), clock) == 80 + totals
    assert max(sizes) == 4
    assert len(sizes) >= 20


async def test_nothing_goes_where_all_is_kept(database: Database, clock: ManualClock) -> None:
    await fill(database, clock, range(900, 901))
    assert await Retention(database, clock, days=None, totals_days=None).sweep() == 0
    assert len(await ids(database)) == 3
