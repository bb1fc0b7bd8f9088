"""Reports over the ledger: totals in groups and steps, and single operations by pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec
from sqlalchemy import (
    Connection,
    RowMapping,
    Subquery,
    func,
    select,
    tuple_,
)

from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.events import Outcome, Usage
from interlingua_gateway.core.ledger import Details, Operation
from interlingua_gateway.core.prices import Cost
from interlingua_gateway.core.reports import (
    Dimension,
    Group,
    Latencies,
    Matching,
    Report,
    Span,
    Totals,
    UsageQuery,
)
from interlingua_gateway.store.sql.database import Database
from interlingua_gateway.store.sql.ledger_tables import LATENCY_BOUNDS_US, OPERATIONS, ROLLUP_SUMS
from interlingua_gateway.store.sql.sources import (
    label,
    matching_operations,
    rows_of,
    summed,
    within,
)

_BUCKETS: Final = tuple(f"latency_{i}" for i in range(len(LATENCY_BOUNDS_US) + 1))
_PERCENTS: Final = (50, 95, 99)
_COUNT_MANY: Final = frozenset({Dimension.USER, Dimension.TAG})
"""Dimensions by which an operation may be in no group, or in several."""
_BEYOND_US: Final = 2 * LATENCY_BOUNDS_US[-1]
"""What is told of the bucket that has no bound."""

Keys: TypeAlias = tuple[str, ...]
Sums: TypeAlias = dict[str, int]


class UsageReports:
    """The port Reports on a database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def usage(self, query: UsageQuery) -> Report:
        """See Reports."""
        now_ms = int(self._clock.time() * 1000)
        return await self._database.read(lambda connection: _report(connection, query, now_ms))

    async def operations(
        self, span: Span, matching: Matching, limit: int, before: str = ""
    ) -> Sequence[Operation]:
        """See Reports."""
        conditions = within(span) + matching_operations(matching)
        if before:
            conditions.append(OPERATIONS.c.operation_id < before)
        newest_first = OPERATIONS.c.operation_id.desc()
        page = select(OPERATIONS).where(*conditions).order_by(newest_first).limit(limit)
        return await self._database.read(
            lambda connection: [_operation(row) for row in connection.execute(page).mappings()]
        )


def _report(connection: Connection, query: UsageQuery, now_ms: int) -> Report:
    dearest, omitted = _dearest(connection, query, now_ms)
    found = _added_up(connection, query, rows_of(query, now_ms), dearest)
    if omitted or not _COUNT_MANY.isdisjoint(query.group_by):
        whole = msgspec.structs.replace(query, group_by=(), interval=None)
        parts = _added_up(connection, whole, rows_of(whole, now_ms), None)
    else:
        parts = found  # each operation is in one of them
    total = _Adding()
    for adding in parts.values():
        total.join(adding)
    groups = [
        Group(
            keys=keys,
            start_ms=start_s * 1000 or query.span.start_ms,
            totals=adding.totals(),
        )
        for (keys, start_s), adding in found.items()
    ]
    groups.sort(key=_by_time_and_cost)
    return Report(total=total.totals(), groups=tuple(groups), omitted_groups=omitted)


def _by_time_and_cost(group: Group) -> tuple[object, ...]:
    totals = group.totals
    cost = 0 if totals.cost is None else totals.cost.nano_usd
    return group.start_ms, -cost, -totals.operations, group.keys


def _dearest(
    connection: Connection, query: UsageQuery, now_ms: int
) -> tuple[Sequence[Keys] | None, int]:
    """The groups that cost most over the whole span, or None for all of them, and how many there
    are beside those."""
    if not query.group_by:
        return None, 0
    weights = ("cost_nano_usd", "operations")
    rows = rows_of(msgspec.structs.replace(query, interval=None), now_ms, weights)
    keys = [rows.c[label(by)] for by in query.group_by]
    groups = select(*keys).group_by(*keys).subquery()
    count = connection.execute(select(func.count()).select_from(groups)).scalar_one()
    if count <= query.max_groups:
        return None, 0
    order = (*(func.sum(rows.c[name]).desc() for name in weights), *keys)
    chosen = select(*keys).group_by(*keys).order_by(*order).limit(query.max_groups)
    return [tuple(row) for row in connection.execute(chosen)], count - query.max_groups


def _added_up(
    connection: Connection, query: UsageQuery, rows: Subquery, only: Sequence[Keys] | None
) -> dict[tuple[Keys, int], _Adding]:
    """Sums by group and start of step (in seconds; 0 for the whole span)."""
    grouped = [*(rows.c[label(by)] for by in query.group_by), rows.c.start_s]
    sums = [summed(rows, name) for name in ROLLUP_SUMS]
    statement = select(*grouped, rows.c.outcome, rows.c.reason, *sums)
    if only is not None:
        statement = statement.where(tuple_(*grouped[:-1]).in_(only))
    statement = statement.group_by(*grouped, rows.c.outcome, rows.c.reason)
    found: dict[tuple[Keys, int], _Adding] = {}
    for row in connection.execute(statement).mappings():
        keys = tuple(row[label(by)] for by in query.group_by)
        found.setdefault((keys, row["start_s"]), _Adding()).add(row)
    return found


class _Adding:
    """Sums up the rows of one group, one for each way in which operations ended."""

    __slots__ = ("_cancelled", "_failed", "_failures", "_sums")

    def __init__(self) -> None:
        self._sums = dict.fromkeys(ROLLUP_SUMS, 0)
        self._failed = 0
        self._cancelled = 0
        self._failures: dict[str, int] = {}

    def add(self, row: RowMapping) -> None:
        """Count what one row says."""
        for name in ROLLUP_SUMS:
            self._sums[name] += row[name] or 0
        count, outcome = row["operations"], row["outcome"]
        if outcome == Outcome.CANCELLED:
            self._cancelled += count
        elif outcome == Outcome.FAILED:
            self._failed += count
            self._failures[row["reason"]] = self._failures.get(row["reason"], 0) + count

    def join(self, other: _Adding) -> None:
        """Count what `other` has counted."""
        for name, value in other._sums.items():
            self._sums[name] += value
        self._failed += other._failed
        self._cancelled += other._cancelled
        for reason, count in other._failures.items():
            self._failures[reason] = self._failures.get(reason, 0) + count

    def totals(self) -> Totals:
        """Of all that was counted."""
        sums = self._sums
        priced = sums["operations"] - sums["unpriced_operations"]
        return Totals(
            operations=sums["operations"],
            failed=self._failed,
            cancelled=self._cancelled,
            usage=_usage(sums, estimated=sums["usage_estimated_operations"] > 0),
            cost=Cost(sums["cost_nano_usd"], sums["cost_estimated_operations"] > 0)
            if priced
            else None,
            unpriced_operations=sums["unpriced_operations"],
            unpriced_tokens=sums["unpriced_tokens"],
            cache_hits=sums["cache_hits"],
            latencies=_latencies(sums),
            failures=dict(sorted(self._failures.items())),
        )


def _usage(row: RowMapping | Sums, *, estimated: bool) -> Usage:
    return Usage(
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cached_input_tokens=row["cached_input_tokens"],
        cache_write_input_tokens=row["cache_write_input_tokens"],
        reasoning_tokens=row["reasoning_tokens"],
        audio_input_tokens=row["audio_input_tokens"],
        audio_output_tokens=row["audio_output_tokens"],
        estimated=estimated,
    )


def _latencies(sums: Sums) -> Latencies:
    count, streamed = sums["operations"], sums["first_event_operations"]
    if not count:
        return Latencies()
    p50, p95, p99 = (_percentile(sums, count, percent) for percent in _PERCENTS)
    return Latencies(
        mean_s=sums["duration_us"] / count / 1e6,
        p50_s=p50,
        p95_s=p95,
        p99_s=p99,
        first_event_mean_s=sums["first_event_us"] / streamed / 1e6 if streamed else None,
    )


def _percentile(sums: Sums, count: int, percent: int) -> float:
    """Upper bound in seconds of the bucket that the percentile is in."""
    missing = -(-count * percent // 100)
    for name, bound_us in zip(_BUCKETS, LATENCY_BOUNDS_US, strict=False):
        missing -= sums[name]
        if missing <= 0:
            return bound_us / 1e6
    return _BEYOND_US / 1e6


def _operation(row: RowMapping) -> Operation:
    details = msgspec.json.decode(row["details"], type=Details)
    return Operation(
        id=row["operation_id"],
        accepted_at_ms=row["accepted_at_ms"],
        method=row["method"],
        tenant=row["tenant_id"],
        project=row["project"],
        key=row["api_key_id"],
        user=row["end_user"],
        model=row["model"],
        provider=row["provider"],
        deployment=row["deployment"],
        upstream_model=row["upstream_model"],
        outcome=row["outcome"],
        reason=row["reason"],
        usage=details.usage or _usage(row, estimated=row["usage_estimated"]),
        cost_nano_usd=row["cost_nano_usd"],
        cost_estimated=row["cost_estimated"],
        duration_us=row["duration_us"],
        first_event_us=row["first_event_us"],
        queue_us=row["queue_us"],
        cache_status=row["cache_status"],
        dedupe_status=row["dedupe_status"],
        trace_id=row["trace_id"],
        details=details,
    )
