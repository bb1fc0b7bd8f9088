"""Reports add up exactly what is in the ledger, whatever they are put together from."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from sqlalchemy import event, func, select

from interlingua_gateway.core.events import Outcome, Usage
from interlingua_gateway.core.ledger import Details, Operation
from interlingua_gateway.core.prices import Cost
from interlingua_gateway.core.reports import (
    Dimension,
    Interval,
    Matching,
    Span,
    Totals,
    UsageQuery,
)
from interlingua_gateway.store.sql.database import Database
from interlingua_gateway.store.sql.operations import store_operations
from interlingua_gateway.store.sql.sources import DAY_MS, HOUR_MS, pieces, rows_of
from interlingua_gateway.store.sql.usage import UsageReports
from tests.support.ledger import AT_MS, operation, spooled
from tests.support.manual_clock import ManualClock

DAY0 = AT_MS // DAY_MS * DAY_MS
WEEK = Span(DAY0, DAY0 + 7 * DAY_MS)
MANY = 300


def some(seed: int, count: int) -> list[Operation]:
    """Operations of a week, of every kind."""
    dice = random.Random(seed)
    made = []
    for number in range(count):
        outcome = dice.choices(list(Outcome), (8, 2, 1))[0]
        made.append(
            operation(
                number,
                at_ms=DAY0 + dice.randrange(7 * DAY_MS),
                tenant=dice.choice(("acme", "globex", "")),
                project=dice.choice(("", "web")),
                key=dice.choice(("", "k1", "k2")),
                user=dice.choice(("", "ann", "bob")),
                model=dice.choice(("default", "gpt")),
                provider=dice.choice(("openai", "groq")),
                outcome=str(outcome),
                reason=dice.choice(("UPSTREAM_TIMEOUT", "RATE_LIMITED"))
                if outcome is Outcome.FAILED
                else "",
                usage=Usage(dice.randrange(1000), dice.randrange(500), reasoning_tokens=3),
                cost_nano_usd=dice.choice((None, 0, dice.randrange(10**9))),
                duration_us=dice.randrange(10**7),
                details=Details(tags=tuple(dice.sample(("a", "b", "c"), dice.randrange(3)))),
            )
        )
    return made


OPERATIONS = some(7, MANY)


@pytest.fixture(name="reports")
async def _reports(database: Database) -> UsageReports:
    records = spooled(*OPERATIONS)
    await database.write(lambda connection: store_operations(connection, records))
    clock = ManualClock()
    clock.advance((DAY0 + 30 * DAY_MS) / 1000 - clock.time())
    return UsageReports(database, clock)


VALUES = {
    Dimension.TENANT: lambda o: [o.tenant],
    Dimension.PROJECT: lambda o: [o.project],
    Dimension.KEY: lambda o: [o.key],
    Dimension.USER: lambda o: [o.user] if o.user else [],
    Dimension.MODEL: lambda o: [o.model],
    Dimension.PROVIDER: lambda o: [o.provider],
    Dimension.TAG: lambda o: list(o.details.tags),
}


def matches(query: UsageQuery, one: Operation) -> bool:
    wanted = query.matching
    named = ("tenant", "project", "key", "user", "model", "provider", "outcome")
    return (
        query.span.start_ms <= one.accepted_at_ms < query.span.end_ms
        and all(getattr(wanted, n) in (None, getattr(one, n)) for n in named)
        and set(wanted.tags) <= set(one.details.tags)
    )


def keys_of(query: UsageQuery, one: Operation) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [()]
    for by in query.group_by:
        found = [(*keys, value) for keys in found for value in VALUES[by](one)]
    return found


def expected(query: UsageQuery) -> dict[tuple[tuple[str, ...], int], list[Operation]]:
    groups: dict[tuple[tuple[str, ...], int], list[Operation]] = {}
    for one in OPERATIONS:
        if matches(query, one):
            step = int(query.interval or 0) * 1000
            start = one.accepted_at_ms // step * step if step else query.span.start_ms
            for keys in keys_of(query, one):
                groups.setdefault((keys, start), []).append(one)
    return groups


def check(totals: Totals, of: list[Operation]) -> None:
    assert totals.operations == len(of)
    assert totals.failed == sum(o.outcome == "failed" for o in of)
    assert totals.cancelled == sum(o.outcome == "cancelled" for o in of)
    assert totals.failures == Counter(o.reason for o in of if o.reason)
    assert totals.usage.input_tokens == sum(o.usage.input_tokens for o in of)
    assert totals.usage.output_tokens == sum(o.usage.output_tokens for o in of)
    assert totals.usage.reasoning_tokens == 3 * len(of)
    costs = [o.cost_nano_usd for o in of if o.cost_nano_usd is not None]
    assert totals.cost == (Cost(sum(costs)) if costs else None)
    assert totals.unpriced_operations == len(of) - len(costs)
    latencies = totals.latencies
    assert latencies.mean_s == pytest.approx(sum(o.duration_us for o in of) / len(of) / 1e6)
    ranked = sorted(o.duration_us / 1e6 for o in of)
    for percent, told in ((50, latencies.p50_s), (95, latencies.p95_s), (99, latencies.p99_s)):
        exact = ranked[-(-len(of) * percent // 100) - 1]
        assert exact <= told <= max(exact, 0.001) * 1.4143


RAGGED = Span(DAY0 + DAY_MS + 1234567, DAY0 + 5 * DAY_MS + 7654321)
QUERIES = {
    "everything": UsageQuery(span=WEEK),
    "ragged": UsageQuery(span=RAGGED),
    "within an hour": UsageQuery(span=Span(DAY0 + 1, DAY0 + HOUR_MS - 1)),
    "by tenant and model": UsageQuery(span=RAGGED, group_by=(Dimension.TENANT, Dimension.MODEL)),
    "by day": UsageQuery(span=RAGGED, interval=Interval.DAY),
    "by hour and provider": UsageQuery(
        span=RAGGED, interval=Interval.HOUR, group_by=(Dimension.PROVIDER,)
    ),
    "by user": UsageQuery(span=RAGGED, group_by=(Dimension.USER,)),
    "by tag, day and key": UsageQuery(
        span=RAGGED, group_by=(Dimension.TAG, Dimension.KEY), interval=Interval.DAY
    ),
    "by user and tag": UsageQuery(span=RAGGED, group_by=(Dimension.USER, Dimension.TAG)),
    "of a user": UsageQuery(
        span=RAGGED, matching=Matching(user="ann"), group_by=(Dimension.PROJECT, Dimension.USER)
    ),
    "of a tag": UsageQuery(
        span=RAGGED, matching=Matching(tags=("a",)), group_by=(Dimension.MODEL,)
    ),
    "of a tag by tag": UsageQuery(
        span=RAGGED, matching=Matching(tags=("a",)), group_by=(Dimension.TAG,)
    ),
    "of two tags": UsageQuery(span=RAGGED, matching=Matching(tags=("a", "b"))),
    "of a tenant that has no name": UsageQuery(span=RAGGED, matching=Matching(tenant="")),
    "of much": UsageQuery(
        span=RAGGED,
        matching=Matching(
            tenant="acme", model="gpt", provider="groq", project="web", key="k1", outcome="failed"
        ),
        group_by=(Dimension.KEY,),
    ),
    "of nobody": UsageQuery(span=WEEK, matching=Matching(tenant="nobody")),
}


async def test_totals_are_those_of_the_operations(reports: UsageReports) -> None:
    for name, query in QUERIES.items():
        try:
            await check_report(reports, query)
        except AssertionError as error:
            raise AssertionError(name) from error


async def check_report(reports: UsageReports, query: UsageQuery) -> None:
    report = await reports.usage(query)
    of = [one for one in OPERATIONS if matches(query, one)]
    if of:
        check(report.total, of)
    else:
        assert report.total == Totals()
    wanted = expected(query)
    found = {(group.keys, group.start_ms): group.totals for group in report.groups}
    if query.group_by or query.interval:
        assert found.keys() == wanted.keys()
    for place, operations in wanted.items():
        check(found[place], operations)


async def test_what_is_put_together_is_added_up_before(
    reports: UsageReports, database: Database
) -> None:
    query = UsageQuery(span=RAGGED, group_by=(Dimension.TENANT,))
    (by, ends, sources) = (3, 4, 5)  # tenants; ways to end; days, hours and the rest, both sides
    whole = (await reports.usage(query)).total.operations
    now_ms = DAY0 + 30 * DAY_MS
    rows = rows_of(query, now_ms, ("operations",))
    asked = select(func.count(), func.sum(rows.c.operations)).select_from(rows)
    count, operations = await database.read(lambda connection: connection.execute(asked).one())
    assert operations == whole
    assert count <= by * ends * sources < whole


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_nothing_is_read_that_is_not_in_the_span(
    reports: UsageReports, database: Database
) -> None:
    asked: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, statement: str, given: object, *_: object):
        asked.append((statement, given))

    engine = await database.read(lambda connection: connection.engine)
    event.listen(engine, "before_cursor_execute", note)
    await reports.usage(QUERIES["by tenant and model"])
    event.remove(engine, "before_cursor_execute", note)
    reports_asked = [one for one in asked if one[0].startswith("SELECT")]
    assert len(reports_asked) == 2
    for statement, given in reports_asked:
        plan = await database.read(
            lambda connection, statement=statement, given=given: [
                row[3]
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
            ]
        )
        read = [step for step in plan if "operations" in step or "usage_rollups" in step]
        single = "SEARCH operations USING PRIMARY KEY (operation_id>? AND operation_id<?)"
        totals = "(step_s=? AND facet=? AND start_s>? AND start_s<?)"
        assert read == [f"SEARCH usage_rollups USING PRIMARY KEY {totals}"] * 3 + [single] * 2


async def test_groups_stand_by_time_and_then_by_cost(reports: UsageReports) -> None:
    query = UsageQuery(span=WEEK, group_by=(Dimension.KEY,), interval=Interval.DAY)
    groups = (await reports.usage(query)).groups
    cost = [g.totals.cost.nano_usd if g.totals.cost else 0 for g in groups]
    order = [(g.start_ms, -c) for g, c in zip(groups, cost, strict=True)]
    assert order == sorted(order)


async def test_only_the_dearest_groups_are_given(reports: UsageReports) -> None:
    by = (Dimension.TENANT, Dimension.KEY)
    whole = await reports.usage(UsageQuery(span=WEEK, group_by=by))
    assert whole.omitted_groups == 0
    some = await reports.usage(UsageQuery(span=WEEK, group_by=by, max_groups=2))
    assert (some.groups, some.omitted_groups) == (whole.groups[:2], len(whole.groups) - 2)
    assert some.total == whole.total
    daily = UsageQuery(span=WEEK, group_by=by, max_groups=2, interval=Interval.DAY)
    assert {group.keys for group in (await reports.usage(daily)).groups} == {
        group.keys for group in some.groups
    }


async def test_operations_come_in_pages_newest_first(reports: UsageReports) -> None:
    matching = Matching(tenant="acme", tags=("a",), outcome="ok")
    wanted = sorted(
        (o.id for o in OPERATIONS if matches(UsageQuery(span=RAGGED, matching=matching), o)),
        reverse=True,
    )
    assert len(wanted) > 10
    found: list[Operation] = []
    before = ""
    while page := await reports.operations(RAGGED, matching, 7, before):
        found += page
        before = page[-1].id
    assert [one.id for one in found] == wanted
    assert {one.id: one for one in OPERATIONS}[found[0].id] == found[0]


async def test_an_operation_comes_back_as_it_was_written(database: Database) -> None:
    told = operation(
        1,
        user="u",
        reason="INTERNAL",
        outcome="failed",
        cost_nano_usd=None,
        first_event_us=None,
        usage=Usage(1, 2, 3, 4, 5, 6, 7, estimated=True),
        details=Details(tags=("x",), metadata={"a": "b"}, upstream_id="i"),
    )
    await database.write(lambda connection: store_operations(connection, spooled(told)))
    (found,) = await UsageReports(database, ManualClock()).operations(
        Span(AT_MS, AT_MS + 1), Matching(), 10
    )
    assert found == told


def test_the_price_of_a_thousand_tokens() -> None:
    totals = Totals(usage=Usage(900, 600), unpriced_tokens=500, cost=Cost(3000))
    assert totals.nano_usd_per_thousand_tokens == 3000
    assert Totals(usage=Usage(900, 600)).nano_usd_per_thousand_tokens is None
    assert Totals(cost=Cost(0)).nano_usd_per_thousand_tokens is None


@pytest.mark.parametrize(
    ("start", "end", "days", "hours", "rest"),
    [
        (0, 2 * DAY_MS, [(0, 2 * DAY_MS)], [], []),
        (1, HOUR_MS, [], [], [(1, HOUR_MS)]),
        (0, HOUR_MS, [], [(0, HOUR_MS)], []),
        (
            1,
            2 * DAY_MS + HOUR_MS + 5,
            [(DAY_MS, 2 * DAY_MS)],
            [(HOUR_MS, DAY_MS), (2 * DAY_MS, 2 * DAY_MS + HOUR_MS)],
            [(1, HOUR_MS), (2 * DAY_MS + HOUR_MS, 2 * DAY_MS + HOUR_MS + 5)],
        ),
        (5, 5, [], [], []),
        (9, 5, [], [], []),
    ],
)
def test_a_span_is_cut_at_days_and_hours(start, end, days, hours, rest) -> None:
    cut = pieces(Span(start, end), days=True, now_ms=10 * DAY_MS)
    for part, wanted in ((cut.days, days), (cut.hours, hours), (cut.rest, rest)):
        assert [(span.start_ms, span.end_ms) for span in part] == wanted


def test_the_day_that_still_goes_on_is_taken_whole() -> None:
    now = 3 * DAY_MS + 5 * HOUR_MS + 123
    cut = pieces(Span(DAY_MS, now), days=True, now_ms=now)
    assert (cut.days, cut.hours, cut.rest) == ((Span(DAY_MS, 4 * DAY_MS),), (), ())
