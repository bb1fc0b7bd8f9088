"""`interlingua feedback`: what people thought of answers, recorded and added up."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from interlingua.jsonform import to_json
from interlingua.v1.feedback_service_pb2 import (
    GetInsightsRequest,
    GetInsightsResponse,
    InsightsGroup,
    Rating,
    RecordFeedbackRequest,
)
from interlingua_gateway.cli.connection import connected
from interlingua_gateway.cli.failure import MISUSED, CommandError
from interlingua_gateway.cli.feedback_tables import show_insights
from interlingua_gateway.cli.options import Gateway, Opinion, Which
from interlingua_gateway.cli.text import write
from interlingua_gateway.cli.which import dimensions, interval_of, operation_filter, time_range


def record(gateway: Gateway, operation: str, opinion: Opinion, *, as_json: bool) -> None:
    """Record each thing that is said, and write its id."""
    pieces = list(_pieces(opinion))
    if not pieces:
        raise CommandError(
            "give at least one of --rating, --useful, --useless, --correction, --improvement and "
            "--error",
            exit_code=MISUSED,
        )
    labels = dict(map(_label, opinion.labels))
    with connected(gateway) as client:
        for piece in pieces:
            piece.operation_id = operation
            piece.user = opinion.user
            piece.metadata.update(labels)
            recorded = client.reports.record_feedback(piece)
            kind = piece.WhichOneof("feedback")
            write((to_json(recorded) if as_json else f"{recorded.feedback_id} {kind}") + "\n")


def insights(
    gateway: Gateway, which: Which, *, by: Sequence[str], interval: str, corrections: int, form: str
) -> None:
    """Write what feedback adds up to; `form` is table, csv or json."""
    request = GetInsightsRequest(
        time_range=time_range(which),
        filter=operation_filter(which),
        group_by=dimensions(by),
        interval=interval_of(interval),
        max_corrections=corrections,
    )
    with connected(gateway) as client:
        report = client.reports.insights(request)
    if form == "json":
        write(to_json(report) + "\n")
    elif form == "csv":
        write(_csv(report, by))
    else:
        show_insights(report, by, interval)


def _pieces(opinion: Opinion) -> Iterator[RecordFeedbackRequest]:
    if opinion.rating is not None:
        rating = Rating(value=opinion.rating, scale=opinion.scale)
        yield RecordFeedbackRequest(rating=rating)
    if opinion.useful is not None:
        yield RecordFeedbackRequest(useful=opinion.useful)
    if opinion.correction is not None:
        yield RecordFeedbackRequest(correction=opinion.correction)
    if opinion.improvement is not None:
        yield RecordFeedbackRequest(improvement=opinion.improvement)
    if opinion.error is not None:
        yield RecordFeedbackRequest(error=opinion.error)


def _label(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not (key and separator):
        raise CommandError("--label is a key and a value, such as page=7", exit_code=MISUSED)
    return key, value


def _csv(report: GetInsightsResponse, by: Sequence[str]) -> str:
    """A line a group and step; times in ISO 8601 (UTC), rates from 0 to 1, empty where there is
    none, and the most frequent correction."""
    output = io.StringIO()
    lines = csv.writer(output, lineterminator="\n")
    lines.writerow(
        [
            "start",
            *by,
            "feedback",
            "average_rating",
            "useful_rate",
            "errors",
            "improvements",
            "correction",
            "correction_count",
        ]
    )
    lines.writerows(_line(group) for group in report.groups)
    return output.getvalue()


def _line(group: InsightsGroup) -> list[object]:
    sums = group.insights
    first = sums.common_corrections[0] if sums.common_corrections else None
    return [
        group.start.ToJsonString(),
        *group.keys,
        sums.feedback_count,
        sums.average_rating if sums.HasField("average_rating") else "",
        sums.useful_rate if sums.HasField("useful_rate") else "",
        sums.error_count,
        sums.improvement_count,
        "" if first is None else first.text,
        "" if first is None else first.count,
    ]
