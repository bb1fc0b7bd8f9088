"""Budgets in the database, and the copy of them that a gateway keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import pytest

from interlingua_gateway.core.budget import (
    Alert,
    BudgetRule,
    Facet,
    Floor,
    Period,
    ScopedBudget,
    Spent,
)
from interlingua_gateway.core.errors import PolicyError, Reason
from interlingua_gateway.policies.budget_book import BudgetBook
from interlingua_gateway.policies.budget_rules import BudgetRules
from interlingua_gateway.store.sql.budgets import SqlBudgets
from interlingua_gateway.store.sql.database import Database
from interlingua_gateway.store.sql.failures import DatabaseDown
from interlingua_gateway.store.sql.operations import store_operations
from tests.support.calls import until
from tests.support.ledger import operation, spooled
from tests.support.manual_clock import ManualClock
from tests.support.pots import USD, pot

DAY_MS = 86_400_000
ACME = ScopedBudget(
    id="acme",
    period=Period.MONTH,
    limit_nano_usd=9_000_000 * USD,
    hard=False,
    alert_at=(0.5, 1.0),
    tenant="acme",
    project="web",
    key="k",
    user="ann",
    model="openai/*",
)


@pytest.fixture
def store(database: Database) -> SqlBudgets:
    return SqlBudgets(database)


def rule(*per: str, **fields: object) -> BudgetRule:
    values = {"name": "r", "period": Period.TOTAL, "limit_nano_usd": 1000, **fields}
    return BudgetRule(per=frozenset(map(Facet, per)), **values)


async def test_budgets_are_put_replaced_and_ended(store: SqlBudgets) -> None:
    assert await store.changed(0) is None
    await store.put(ACME)
    assert await store.changed(0) == (1, [ACME])
    assert await store.changed(1) is None
    other = ScopedBudget(id="a", period=Period.DAY, limit_nano_usd=1)
    await store.put(other)
    smaller = ScopedBudget(id="acme", period=Period.WEEK, limit_nano_usd=2)
    await store.put(smaller)
    assert await store.changed(1) == (3, [other, smaller])
    assert await store.delete("acme")
    assert not await store.delete("acme")
    assert await store.changed(3) == (5, [other])


async def test_changes_at_once_all_count(store: SqlBudgets) -> None:
    budgets = [
        ScopedBudget(id=f"b{number}", period=Period.DAY, limit_nano_usd=1) for number in range(10)
    ]
    await asyncio.gather(*(store.put(budget) for budget in budgets))
    assert await store.changed(9) == (10, budgets)


async def _spend(database: Database) -> None:
    """The cost of each is another power of ten."""
    rows = [
        {"tenant": "acme", "model": "chat"},
        {"tenant": "acme", "model": "talk", "project": "web", "key": "k1"},
        {"tenant": "acme", "user": "ann", "model": "chat"},
        {"tenant": "other", "user": "ann", "model": "other"},
        {"tenant": "other", "cost_nano_usd": None},
    ]
    made = [
        operation(number, **{"cost_nano_usd": 10**number, **row}) for number, row in enumerate(rows)
    ]
    yesterday = operation(9, at_ms=1_800_000_000_000 - DAY_MS, cost_nano_usd=10**5)
    records = spooled(*made, yesterday)
    await database.write(lambda connection: store_operations(connection, records))


A = Facet.TENANT
TOTALS = [
    (rule(), {(): 101_111}),
    (rule("tenant"), {("acme",): 100_111, ("other",): 1000}),
    (rule("project"), {("acme", ""): 100_101, ("acme", "web"): 10, ("other", ""): 1000}),
    (rule("key", tenants=frozenset({"acme"})), {("",): 100_101, ("k1",): 10}),
    (rule("user"), {("acme", "ann"): 100, ("other", "ann"): 1000}),
    (rule(users=frozenset({"ann"}), tenants=frozenset({"acme"})), {(): 100}),
    (rule(projects=frozenset({"web"}), keys=frozenset({"k1"})), {(): 10}),
    (
        rule(models=("chat",), tenants=frozenset({"acme"})),
        {("chat",): 101, ("default",): 100_000, ("talk",): 10},
    ),
]


@pytest.mark.parametrize(("wanted", "found"), TOTALS, ids=range(len(TOTALS)))
async def test_what_was_spent(
    store: SqlBudgets,
    database: Database,
    wanted: BudgetRule,
    found: Mapping[tuple[str, ...], int],
) -> None:
    await _spend(database)
    (rows,) = await store.spent([(wanted, 0.0)])
    assert {tuple(row.values.values()): row.nano_usd for row in rows} == found


async def test_what_was_spent_since(store: SqlBudgets, database: Database) -> None:
    await _spend(database)
    today = 1_800_000_000 // 86_400 * 86_400.0
    ((row,), (older,)) = await store.spent([(rule(), today), (rule(), today - 86_400)])
    assert (row.nano_usd, older.nano_usd) == (1111, 101_111)


async def test_alerts_are_kept_until_their_period_ends(store: SqlBudgets) -> None:
    one, other = pot("one"), pot("other", ends_at_s=500.0)
    await store.tell([Alert(one, 5, 6), Alert(other, 7, 8)], 100.0)
    await store.tell([Alert(one, 3, 6)], 100.0)
    assert await store.alerted() == {"one": 5, "other": 7}
    await store.tell([Alert(one, 10, 12)], 501.0)
    assert await store.alerted() == {"one": 10}


class Copy:
    """The book of a gateway on `store`."""

    def __init__(
        self, store: SqlBudgets, clock: ManualClock, *configured: BudgetRule, empty: bool = False
    ) -> None:
        self.store = store
        self.steady = True
        self.rules = BudgetRules(configured, {"talk": "chat"}, clock)
        self.book = BudgetBook(self.rules, lambda: self.steady, clock, empty=empty)

    async def read(self) -> BudgetBook:
        await self.book.read(self.store)
        return self.book


async def test_a_copy_follows(store: SqlBudgets, database: Database, clock: ManualClock) -> None:
    await _spend(database)
    copy = Copy(store, clock, rule("tenant", models=("chat",)))
    assert not copy.book.complete
    book = await copy.read()
    assert book.complete
    # `talk` is an alias of `chat`.
    assert book.floor_of("budget:r:tenant:acme:total") == Floor(111)
    assert book.floor_of("budget:r:tenant:other:total") == Floor(0)
    await store.put(ScopedBudget(id="r", period=Period.DAY, limit_nano_usd=1))
    await store.put(ScopedBudget(id="b", period=Period.TOTAL, limit_nano_usd=1, tenant="acme"))
    await copy.read()
    # The configuration goes before a budget of the same name.
    assert [budget.id for budget in book.budgets] == ["b"]
    assert [found.name for found in copy.rules.put] == ["b"]
    assert book.floor_of("budget:b:tenant:acme:total") == Floor(100_111)
    await store.delete("b")
    await copy.read()
    assert copy.rules.put == ()


async def test_alerts_outlive_the_process(
    store: SqlBudgets, database: Database, clock: ManualClock
) -> None:
    await _spend(database)
    first = Copy(store, clock, rule())
    await first.read()
    key = "budget:r:gateway:total"
    first.book.alerted(Alert(pot(key), 500, 600))
    await first.read()
    second = Copy(store, clock, rule())
    assert (await second.read()).floor_of(key) == Floor(101_111, 500)


async def test_sums_wait_while_costs_are_under_way(
    store: SqlBudgets, database: Database, clock: ManualClock
) -> None:
    """What the ledger knows and the counters do not know yet would count twice."""
    copy = Copy(store, clock, rule())
    await copy.read()
    await _spend(database)
    copy.steady = False
    clock.advance(3600.0)
    assert (await copy.read()).floor_of("budget:r:gateway:total") == Floor()
    copy.steady = True
    assert (await copy.read()).floor_of("budget:r:gateway:total") == Floor(101_111)


async def test_what_was_open_when_a_budget_was_put_counts_soon(
    store: SqlBudgets, database: Database, clock: ManualClock
) -> None:
    """It holds nothing of the new budget, and is in the ledger a little later."""
    copy = Copy(store, clock, rule())
    for _ in range(12):
        await copy.read()
        clock.advance(600.0)
    await store.put(ScopedBudget(id="b", period=Period.TOTAL, limit_nano_usd=1))
    book = await copy.read()
    await _spend(database)
    clock.advance(2.0)
    await copy.read()
    assert book.floor_of("budget:b:gateway:total") == Floor(101_111)


async def test_a_budget_that_is_put_while_costs_are_under_way_is_summed_after_that(
    store: SqlBudgets, database: Database, clock: ManualClock
) -> None:
    copy = Copy(store, clock, rule())
    await copy.read()
    await _spend(database)
    copy.steady = False
    await store.put(ScopedBudget(id="b", period=Period.TOTAL, limit_nano_usd=1))
    await copy.read()
    copy.steady = True
    assert (await copy.read()).floor_of("budget:b:gateway:total") == Floor(101_111)


async def test_what_was_spent_of_a_budget_is_known_before_it_is_configured(
    store: SqlBudgets, database: Database, clock: ManualClock
) -> None:
    copy = Copy(store, clock, rule())
    await store.put(ScopedBudget(id="new", period=Period.TOTAL, limit_nano_usd=1))
    await copy.read()
    await _spend(database)
    rules = [rule(limit_nano_usd=5), msgspec.structs.replace(rule("tenant"), name="new")]
    await copy.book.prepare(store, rules)
    assert copy.book.floor_of("budget:r:gateway:total") == Floor(101_111)
    assert copy.book.floor_of("budget:new:tenant:acme:total") == Floor(100_111)
    copy.rules.configure(rules, {})
    copy.book.configured()
    assert (copy.book.budgets, copy.rules.put) == ((), ())
    # Its name is free again.
    copy.rules.configure([rule()], {})
    copy.book.configured()
    assert [budget.id for budget in (await copy.read()).budgets] == ["new"]
    assert copy.book.floor_of("budget:new:gateway:total") == Floor(101_111)


async def test_it_is_summed_later_while_costs_are_under_way(
    store: SqlBudgets, database: Database, clock: ManualClock
) -> None:
    copy = Copy(store, clock)
    await copy.read()
    await _spend(database)
    copy.steady = False
    await copy.book.prepare(store, [rule()])
    assert copy.book.floor_of("budget:r:gateway:total") == Floor()
    copy.rules.configure([rule()], {})
    copy.book.configured()
    copy.steady = True
    assert (await copy.read()).floor_of("budget:r:gateway:total") == Floor(101_111)


@dataclass
class Failing:
    """A database that is away, then there."""

    away: bool = True
    reads: int = 0

    async def changed(self, since: int) -> tuple[int, Sequence[ScopedBudget]] | None:
        self.reads += 1
        if self.away:
            raise DatabaseDown
        return None

    async def alerted(self) -> Mapping[str, int]:
        return {}

    async def spent(self, wanted: Sequence[tuple[BudgetRule, float]]) -> Sequence[Sequence[Spent]]:
        return [[Spent({}, 7)] for _ in wanted]


async def test_a_database_that_is_away(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """One line in the log; what was known stays, what was not stays unknown, until it is back."""
    failing = Failing()
    copy = Copy(failing, clock, rule())
    following = asyncio.ensure_future(copy.book.follow(failing))
    for number in (1, 2):
        await clock.until_waiting()
        assert failing.reads == number
        assert not copy.book.complete
        clock.advance(2.0)
        await until(lambda: failing.reads > number)  # noqa: B023
    assert caplog.messages == ["budgets cannot be read"]
    failing.away = False
    await clock.until_waiting()
    clock.advance(2.0)
    await copy.book.known()
    assert copy.book.floor_of("budget:r:gateway:total") == Floor(7)
    following.cancel()
    await asyncio.wait({following})


async def test_a_store_that_does_not_answer_is_told(clock: ManualClock) -> None:
    copy = Copy(Failing(), clock)
    with pytest.raises(PolicyError) as failure:
        await copy.read()
    assert failure.value.reason is Reason.STORE_UNAVAILABLE
