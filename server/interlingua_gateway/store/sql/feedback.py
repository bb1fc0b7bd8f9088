"""Writes feedback, and reads what it adds up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Executable,
    RowMapping,
    Subquery,
    and_,
    case,
    cast,
    func,
    select,
    tuple_,
)

from interlingua_gateway.core.feedback import (
    Correction,
    Feedback,
    FeedbackKind,
    Insights,
    InsightsGroup,
    InsightsQuery,
    InsightsReport,
)
from interlingua_gateway.core.ids import first_feedback_id_at
from interlingua_gateway.core.ledger import LONGEST_BYTES, bounded
from interlingua_gateway.core.reports import Dimension
from interlingua_gateway.store.sql.database import Database
from interlingua_gateway.store.sql.dialect import insert
from interlingua_gateway.store.sql.feedback_tables import FEEDBACK
from interlingua_gateway.store.sql.ledger_tables import OPERATION_TAGS, OPERATIONS
from interlingua_gateway.store.sql.sources import label, matching_operations, step_of

Keys: TypeAlias = tuple[str, ...]
Place: TypeAlias = tuple[Keys, int]

_SAID: Final = FEEDBACK.c
_ABOUT: Final = OPERATIONS.c
_KEYS: Final[Mapping[Dimension, ColumnElement[str]]] = {
    Dimension.TENANT: _SAID.tenant_id,
    Dimension.PROJECT: _ABOUT.project,
    Dimension.KEY: _ABOUT.api_key_id,
    Dimension.USER: _ABOUT.end_user,
    Dimension.MODEL: _ABOUT.model,
    Dimension.PROVIDER: _ABOUT.provider,
    Dimension.TAG: OPERATION_TAGS.c.tag,
}


def store_feedback(connection: Connection, records: Sequence[bytes]) -> None:
    """Write spooled feedback; what is there already is left as it is.

    Raises:
        ValueError: a record cannot be read.
    """
    decoder = msgspec.msgpack.Decoder(Feedback)
    rows = [_row(decoder.decode(record)) for record in records]
    connection.execute(insert(connection, FEEDBACK).on_conflict_do_nothing(), rows)


class FeedbackInsights:
    """The port FeedbackReports on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insights(self, query: InsightsQuery) -> InsightsReport:
        """See FeedbackReports."""
        return await self._database.read(lambda connection: _report(connection, query))


def _row(feedback: Feedback) -> dict[str, object]:
    texts = {name: getattr(feedback, name).replace("\0", "") for name in _TEXTS}
    return {
        "feedback_id": feedback.id,
        "given_at_ms": feedback.given_at_ms,
        "tenant_id": bounded(feedback.tenant),
        "operation_id": feedback.operation_id,
        "kind": feedback.kind,
        "rating": feedback.rating,
        "useful": feedback.useful,
        "said_by": bounded(feedback.user, LONGEST_BYTES),
        "metadata": msgspec.json.encode(feedback.metadata).decode(),
        **texts,
    }


_TEXTS: Final = ("text", "query", "response")


def _report(connection: Connection, query: InsightsQuery) -> InsightsReport:
    whole = msgspec.structs.replace(query, group_by=(), interval=None)
    total = _insights(connection, whole, None).get(((), 0), Insights())
    if not query.group_by and query.interval is None:
        group = InsightsGroup(keys=(), start_ms=query.span.start_ms, insights=total)
        return InsightsReport(total=total, groups=(group,))
    fullest, omitted = _fullest(connection, query)
    groups = [
        InsightsGroup(keys=keys, start_ms=start_s * 1000 or query.span.start_ms, insights=insights)
        for (keys, start_s), insights in _insights(connection, query, fullest).items()
    ]
    groups.sort(key=lambda group: (group.start_ms, -group.insights.feedback, group.keys))
    return InsightsReport(total=total, groups=tuple(groups), omitted_groups=omitted)


def _said(query: InsightsQuery) -> Subquery:
    """Feedback of the span with what it is about, a row for each tag if those are asked for."""
    own = and_(_ABOUT.operation_id == _SAID.operation_id, _ABOUT.tenant_id == _SAID.tenant_id)
    source = FEEDBACK.outerjoin(OPERATIONS, own)
    if Dimension.TAG in query.group_by:
        source = source.join(OPERATION_TAGS, OPERATION_TAGS.c.operation_id == _ABOUT.operation_id)
    conditions = [
        _SAID.feedback_id >= first_feedback_id_at(query.span.start_ms),
        _SAID.feedback_id < first_feedback_id_at(query.span.end_ms),
    ]
    if query.matching.tenant is not None:
        conditions.append(_SAID.tenant_id == bounded(query.matching.tenant))
    about = msgspec.structs.replace(query.matching, tenant=None)
    conditions += matching_operations(about)
    keys = [func.coalesce(_KEYS[by], "").label(label(by)) for by in query.group_by]
    facts = [_SAID.kind, _SAID.text, _SAID.rating, _SAID.useful]
    start_s = step_of(_SAID.given_at_ms // 1000, query.interval)
    rows = select(*keys, *facts, start_s).select_from(source).where(*conditions)
    return rows.subquery("said")


def _fullest(connection: Connection, query: InsightsQuery) -> tuple[Sequence[Keys] | None, int]:
    """The groups with most feedback, or None for all of them; how many there are beside those."""
    if not query.group_by:
        return None, 0
    said = _said(msgspec.structs.replace(query, interval=None))
    keys = [said.c[label(by)] for by in query.group_by]
    groups = select(*keys).group_by(*keys)
    count = connection.execute(select(func.count()).select_from(groups.subquery())).scalar_one()
    if count <= query.max_groups:
        return None, 0
    chosen = groups.order_by(func.count().desc(), *keys).limit(query.max_groups)
    return [tuple(row) for row in connection.execute(chosen)], count - query.max_groups


def _insights(
    connection: Connection, query: InsightsQuery, only: Sequence[Keys] | None
) -> dict[Place, Insights]:
    """By group and start of step (in seconds; 0 for the whole span)."""
    said = _said(query)
    keys = [said.c[label(by)] for by in query.group_by]
    grouped = [*keys, said.c.start_s]
    chosen = [] if only is None else [tuple_(*keys).in_(only)]
    sums = select(*grouped, *_sums(said)).where(*chosen).group_by(*grouped)
    corrections: dict[Place, list[Correction]] = {}
    for row in connection.execute(_corrections(query, said, chosen)).mappings():
        found = corrections.setdefault(_place(query, row), [])
        found.append(Correction(row["text"], row["times"]))
    return {
        _place(query, row): _told(row, corrections.get(_place(query, row), []))
        for row in connection.execute(sums).mappings()
    }


def _sums(said: Subquery) -> Sequence[ColumnElement[int] | ColumnElement[float]]:
    row = said.c
    useful = case((row.useful.is_(True), 1), else_=0)
    return [
        func.count().label("feedback"),
        func.avg(row.rating).label("average_rating"),
        func.count(row.useful).label("judged"),
        func.sum(useful).label("useful"),
        func.sum(case((row.kind == FeedbackKind.ERROR, 1), else_=0)).label("errors"),
        func.sum(case((row.kind == FeedbackKind.IMPROVEMENT, 1), else_=0)).label("improvements"),
    ]


def _corrections(
    query: InsightsQuery, said: Subquery, chosen: Sequence[ColumnElement[bool]]
) -> Executable:
    """The most frequent corrections of each group and step, most frequent first."""
    grouped = [*(said.c[label(by)] for by in query.group_by), said.c.start_s]
    times = cast(func.count(), BigInteger).label("times")
    order = (func.count().desc(), said.c.text)
    rank = func.row_number().over(partition_by=grouped, order_by=order).label("rank")
    counted = (
        select(*grouped, said.c.text, times, rank)
        .where(said.c.kind == FeedbackKind.CORRECTION, *chosen)
        .group_by(*grouped, said.c.text)
        .subquery()
    )
    most = counted.c.rank <= query.max_corrections
    return select(counted).where(most).order_by(counted.c.rank)


def _place(query: InsightsQuery, row: RowMapping) -> Place:
    return tuple(row[label(by)] for by in query.group_by), row["start_s"]


def _told(row: RowMapping, corrections: Sequence[Correction]) -> Insights:
    average, judged = row["average_rating"], row["judged"]
    return Insights(
        feedback=row["feedback"],
        average_rating=None if average is None else float(average),
        useful_rate=int(row["useful"]) / judged if judged else None,
        corrections=tuple(corrections),
        errors=int(row["errors"]),
        improvements=int(row["improvements"]),
    )
