"""Feedback is written once; insights are those of what was written."""

from __future__ import annotations

import msgspec
import pytest

from interlingua_gateway.core.feedback import Correction, Feedback, FeedbackKind, InsightsQuery
from interlingua_gateway.core.ledger import Details
from interlingua_gateway.core.reports import Dimension, Interval, Matching, Span
from interlingua_gateway.store.sql.database import Database
from interlingua_gateway.store.sql.feedback import FeedbackInsights, store_feedback
from interlingua_gateway.store.sql.operations import store_operations
from tests.support.ledger import AT_MS, operation, spooled

DAY_MS = 86_400_000
SPAN = Span(AT_MS, AT_MS + 10 * DAY_MS)


def said(number: int, *, at_ms: int = AT_MS, about: int | None = None, **facts: object) -> Feedback:
    """Feedback; `about` is the number of an operation."""
    made = {
        "id": f"fb_{at_ms:011x}{number:013x}",
        "given_at_ms": at_ms,
        "tenant": "acme",
        "operation_id": "" if about is None else operation(about).id,
        "kind": FeedbackKind.USEFUL,
        **facts,
    }
    return Feedback(**made)  # type: ignore[arg-type]


async def store(database: Database, *feedback: Feedback) -> None:
    records = [msgspec.msgpack.encode(one) for one in feedback]
    await database.write(lambda connection: store_feedback(connection, records))


async def operations(database: Database, *made: object) -> None:
    await database.write(lambda connection: store_operations(connection, spooled(*made)))


async def test_what_is_written_twice_counts_once(database: Database) -> None:
    await store(database, said(1, useful=True))
    await store(database, said(1, useful=True), said(2, useful=False))
    report = await FeedbackInsights(database).insights(InsightsQuery(span=SPAN))
    assert (report.total.feedback, report.total.useful_rate) == (2, 0.5)


async def test_a_record_that_cannot_be_read_is_told(database: Database) -> None:
    with pytest.raises(ValueError, match=r"Expected|malformed|type"):
        await database.write(lambda connection: store_feedback(connection, [b"nonsense"]))


async def test_groups_of_tags_models_and_days(database: Database) -> None:
    await operations(
        database,
        operation(1, model="gpt", details=Details(tags=("a", "b"))),
        operation(2, model="llama", tenant="globex"),
    )
    await store(
        database,
        said(1, about=1, kind=FeedbackKind.RATING, rating=0.5),
        said(2, about=1, kind=FeedbackKind.RATING, rating=1.0, at_ms=AT_MS + DAY_MS),
        said(3, about=2, useful=True),  # another tenant's operation links nothing
        said(4, useful=True),
    )
    insights = FeedbackInsights(database)
    by_model = await insights.insights(
        InsightsQuery(span=SPAN, group_by=(Dimension.MODEL,), interval=Interval.DAY)
    )
    assert [(g.keys, g.insights.feedback) for g in by_model.groups] == [
        (("",), 2),
        (("gpt",), 1),
        (("gpt",), 1),
    ]
    assert by_model.groups[1].start_ms == AT_MS // DAY_MS * DAY_MS
    assert by_model.groups[2].start_ms == (AT_MS + DAY_MS) // DAY_MS * DAY_MS
    by_tag = await insights.insights(InsightsQuery(span=SPAN, group_by=(Dimension.TAG,)))
    assert [(g.keys, g.insights.average_rating) for g in by_tag.groups] == [
        (("a",), 0.75),
        (("b",), 0.75),
    ]
    of_tag = await insights.insights(InsightsQuery(span=SPAN, matching=Matching(tags=("b",))))
    assert of_tag.total.feedback == 2


async def test_only_the_groups_with_most_feedback_are_given(database: Database) -> None:
    count = 0
    for tenant in range(4):
        for _ in range(tenant + 1):
            count += 1
            await store(database, said(count, tenant=f"t{tenant}", useful=True))
    query = InsightsQuery(span=SPAN, group_by=(Dimension.TENANT,), max_groups=2)
    report = await FeedbackInsights(database).insights(query)
    assert [group.keys for group in report.groups] == [("t3",), ("t2",)]
    assert (report.omitted_groups, report.total.feedback) == (2, 10)


async def test_corrections_are_counted_in_each_group(database: Database) -> None:
    texts = {"acme": ["Paris", "Lyon", "Paris", "Nice"], "globex": ["Rome"]}
    count = 0
    for tenant, corrections in texts.items():
        for text in corrections:
            count += 1
            await store(
                database, said(count, tenant=tenant, kind=FeedbackKind.CORRECTION, text=text)
            )
    query = InsightsQuery(span=SPAN, group_by=(Dimension.TENANT,), max_corrections=2)
    report = await FeedbackInsights(database).insights(query)
    found = {group.keys[0]: group.insights.corrections for group in report.groups}
    assert found == {
        "acme": (Correction("Paris", 2), Correction("Lyon", 1)),
        "globex": (Correction("Rome", 1),),
    }
    assert report.total.corrections == (Correction("Paris", 2), Correction("Lyon", 1))
