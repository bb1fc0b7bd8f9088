"""Where a report reads from: totals by day and hour where they fit, single operations elsewhere.

Each source has the same columns: one for each dimension of the report, `start_s`, `outcome`,
`reason` and the sums of a total. Rows of one report never overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    SelectBase,
    Subquery,
    and_,
    case,
    cast,
    func,
    literal,
    select,
    union_all,
)

from interlingua_gateway.core.ids import first_id_at
from interlingua_gateway.core.ledger import LONGEST_BYTES, bounded
from interlingua_gateway.core.reports import Dimension, Interval, Matching, Span, UsageQuery
from interlingua_gateway.store.sql.ledger_tables import (
    OPERATION_TAGS,
    OPERATIONS,
    ROLLUP_SUMS,
    ROLLUPS,
)
from interlingua_gateway.store.sql.operations import measures

Conditions: TypeAlias = list[ColumnElement[bool]]

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000

_ROW: Final = OPERATIONS.c
_MODEL: Final = case((_ROW.reason == "MODEL_NOT_FOUND", ""), else_=_ROW.model)
"""As totals count it."""
_OF_OPERATION: Final[Mapping[Dimension, ColumnElement[str]]] = {
    Dimension.TENANT: _ROW.tenant_id,
    Dimension.PROJECT: _ROW.project,
    Dimension.KEY: _ROW.api_key_id,
    Dimension.USER: _ROW.end_user,
    Dimension.MODEL: _MODEL,
    Dimension.PROVIDER: _ROW.provider,
    Dimension.TAG: OPERATION_TAGS.c.tag,
}
_OF_ROLLUP: Final[Mapping[Dimension, ColumnElement[str]]] = {
    Dimension.TENANT: ROLLUPS.c.tenant_id,
    Dimension.PROJECT: ROLLUPS.c.project,
    Dimension.KEY: ROLLUPS.c.api_key_id,
    Dimension.MODEL: ROLLUPS.c.model,
    Dimension.PROVIDER: ROLLUPS.c.provider,
}
_FIXED: Final = ("start_s", "outcome", "reason")
"""Columns by which every source is grouped, beside the dimensions."""


class Pieces(msgspec.Struct, frozen=True):
    """A span cut at whole days and hours: what totals cover, and the ragged rest."""

    days: tuple[Span, ...]
    hours: tuple[Span, ...]
    rest: tuple[Span, ...]


def pieces(span: Span, *, days: bool, now_ms: int) -> Pieces:
    """`span` in pieces that totals by hour, and with `days` by day, cover.

    Nothing was accepted after now: totals that end later need no rest.
    """
    end_ms = span.end_ms
    if end_ms >= now_ms:
        end_ms = max(_above(end_ms, HOUR_MS), _above(now_ms, DAY_MS))
    inner, rest = _cut(Span(span.start_ms, end_ms), HOUR_MS)
    if inner is None or not days:
        return Pieces((), () if inner is None else (inner,), rest)
    whole, ragged = _cut(inner, DAY_MS)
    return Pieces(() if whole is None else (whole,), ragged, rest)


def rows_of(query: UsageQuery, now_ms: int, sums: Sequence[str] = ROLLUP_SUMS) -> Subquery:
    """What `query` adds up, with these `sums` alone, added up within each source already.

    A union of all that the sources hold would be written out and sorted in its whole width.
    """
    facet = _facet(query)
    if facet is None:
        parts = [_raw(query, query.span)]
    else:
        cut = pieces(query.span, days=query.interval is not Interval.HOUR, now_ms=now_ms)
        parts = [
            *(_rolled_up(query, span, 86400, facet) for span in cut.days),
            *(_rolled_up(query, span, 3600, facet) for span in cut.hours),
            *(_raw(query, span) for span in cut.rest),
        ]
    parts = parts or [_raw(query, Span(0, 0))]
    return union_all(*(_added_up(query, part, sums) for part in parts)).subquery("part")


def _added_up(query: UsageQuery, part: SelectBase, sums: Sequence[str]) -> SelectBase:
    rows = part.subquery()
    groups = [rows.c[name] for name in (*map(label, query.group_by), *_FIXED)]
    return select(*groups, *(summed(rows, name) for name in sums)).group_by(*groups)


def summed(rows: Subquery, name: str) -> ColumnElement[int]:
    """One sum over `rows`, under its own name."""
    return cast(func.sum(rows.c[name]), BigInteger).label(name)


def matching_operations(matching: Matching) -> Conditions:
    """What rows of `operations` must be."""
    named = {
        _ROW.tenant_id: matching.tenant,
        _ROW.project: matching.project,
        _ROW.api_key_id: matching.key,
        _ROW.provider: matching.provider,
        _ROW.outcome: matching.outcome,
    }
    long = {_ROW.end_user: matching.user, _MODEL: matching.model}
    found = [column == bounded(value) for column, value in named.items() if value is not None]
    found += [
        column == bounded(value, LONGEST_BYTES)
        for column, value in long.items()
        if value is not None
    ]
    for tag in matching.tags:
        tagged = select(OPERATION_TAGS.c.operation_id).where(
            OPERATION_TAGS.c.tag == bounded(tag, LONGEST_BYTES)
        )
        found.append(_ROW.operation_id.in_(tagged))
    return found


def within(span: Span) -> Conditions:
    """Operations of `span`."""
    return [
        _ROW.operation_id >= first_id_at(span.start_ms),
        _ROW.operation_id < first_id_at(span.end_ms),
    ]


def label(dimension: Dimension) -> str:
    """The column of a dimension."""
    return f"by_{dimension}"


def _facet(query: UsageQuery) -> tuple[ColumnElement[bool], ColumnElement[str]] | None:
    """Which totals count the matching operations, and what their user or tag is; None if no totals
    do: they are kept by user or by one tag, not by both and not by several."""
    matching, facet = query.matching, ROLLUPS.c.facet
    of_user = matching.user is not None or Dimension.USER in query.group_by
    of_tag = bool(matching.tags) or Dimension.TAG in query.group_by
    if not of_user and not of_tag:
        return facet == "", facet
    if (of_user and of_tag) or len(matching.tags) + (Dimension.TAG in query.group_by) > 1:
        return None
    kind = "user:" if of_user else "tag:"
    name = matching.user if of_user else "".join(matching.tags) or None
    value = func.substr(facet, len(kind) + 1)
    if name is None:
        return and_(facet >= kind, facet < kind.replace(":", ";")), value
    return facet == kind + bounded(name, LONGEST_BYTES), value


def _rolled_up(
    query: UsageQuery,
    span: Span,
    step_s: int,
    facet: tuple[ColumnElement[bool], ColumnElement[str]],
) -> SelectBase:
    condition, value = facet
    row = ROLLUPS.c
    matching = query.matching
    named = {
        row.tenant_id: matching.tenant,
        row.project: matching.project,
        row.api_key_id: matching.key,
        row.provider: matching.provider,
        row.outcome: matching.outcome,
    }
    conditions = [
        row.step_s == step_s,
        condition,
        row.start_s >= span.start_ms // 1000,
        row.start_s < span.end_ms // 1000,
        *(column == bounded(name) for column, name in named.items() if name is not None),
    ]
    if matching.model is not None:
        conditions.append(row.model == bounded(matching.model, LONGEST_BYTES))
    keys = [_OF_ROLLUP.get(by, value).label(label(by)) for by in query.group_by]
    start_s = step_of(row.start_s, query.interval)
    sums = [row[name] for name in ROLLUP_SUMS]
    fixed = [start_s, row.outcome, row.reason]
    return select(*keys, *fixed, *sums).where(*conditions)


def _raw(query: UsageQuery, span: Span) -> SelectBase:
    source: FromClause = OPERATIONS
    conditions = within(span) + matching_operations(query.matching)
    if Dimension.TAG in query.group_by:
        tags = OPERATION_TAGS.c
        source = OPERATIONS.join(OPERATION_TAGS, tags.operation_id == _ROW.operation_id)
        conditions += [
            tags.operation_id >= first_id_at(span.start_ms),
            tags.operation_id < first_id_at(span.end_ms),
        ]
    if Dimension.USER in query.group_by:
        conditions.append(_ROW.end_user != "")
    keys = [_OF_OPERATION[by].label(label(by)) for by in query.group_by]
    start_s = step_of(_ROW.accepted_at_ms // 1000, query.interval)
    fixed = [start_s, _ROW.outcome, _ROW.reason]
    return select(*keys, *fixed, *measures()).select_from(source).where(*conditions)


def step_of(second: ColumnElement[int], interval: Interval | None) -> ColumnElement[int]:
    """Start of the step that `second` is in; 0 for the whole span.

    That is a constant: with a column in it PostgreSQL expects a group for each of its values, and
    its workers hand on their rows instead of sums.
    """
    step = literal(0) if interval is None else second // int(interval) * int(interval)
    return cast(step, BigInteger).label("start_s")


def _cut(span: Span, unit_ms: int) -> tuple[Span | None, tuple[Span, ...]]:
    """The part of `span` that is of whole units, and what is left before and after it."""
    first, last = _above(span.start_ms, unit_ms), span.end_ms // unit_ms * unit_ms
    if first >= last:
        return None, _some(span)
    before, after = Span(span.start_ms, first), Span(last, span.end_ms)
    return Span(first, last), (*_some(before), *_some(after))


def _some(span: Span) -> tuple[Span, ...]:
    return (span,) if span.start_ms < span.end_ms else ()


def _above(at_ms: int, unit_ms: int) -> int:
    """The first whole unit not before `at_ms`."""
    return -(-at_ms // unit_ms) * unit_ms
