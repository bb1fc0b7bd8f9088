"""interlingua.v1.FeedbackService: what people thought of the answers."""

from __future__ import annotations

import math
import re
from typing import Final, TypeAlias

from interlingua.v1 import feedback_service_pb2
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.feedback import (
    LONGEST_TEXT,
    Feedback,
    FeedbackBox,
    FeedbackKind,
    FeedbackReports,
    Insights,
    InsightsQuery,
)
from interlingua_gateway.core.ids import feedback_id
from interlingua_gateway.wire.grpc.decode_reports import (
    decode_dimensions,
    decode_interval,
    decode_matching,
    decode_span,
    groups_within,
)
from interlingua_gateway.wire.grpc.encode import timestamp
from interlingua_gateway.wire.grpc.exchange import Exchange
from interlingua_gateway.wire.grpc.parse import parse

REQUEST_LIMIT_BYTES: Final = 1024 * 1024
LONGEST_USER: Final = 256
MAX_METADATA: Final = 32
LONGEST_KEY: Final = 64
LONGEST_VALUE: Final = 512
DEFAULT_SCALE: Final = 5.0
DEFAULT_CORRECTIONS: Final = 10
MAX_CORRECTIONS: Final = 100

_OPERATION: Final = re.compile(r"op_[0-9a-f]{24}")

Request: TypeAlias = feedback_service_pb2.RecordFeedbackRequest


class FeedbackMethods:
    """Shows each caller its own tenant's feedback, and admins everybody's."""

    def __init__(self, box: FeedbackBox, reports: FeedbackReports, clock: Clock) -> None:
        self._box = box
        self._reports = reports
        self._clock = clock

    async def record_feedback(self, data: bytes, exchange: Exchange) -> bytes:
        """Keep one piece."""
        pb = parse(feedback_service_pb2.RecordFeedbackRequest, data, REQUEST_LIMIT_BYTES)
        _check(pb)
        kind, rating, useful, text = _said(pb)
        name = feedback_id(self._clock)
        given_at_ms = int(name[3:14], 16)
        self._box.put(
            Feedback(
                id=name,
                given_at_ms=given_at_ms,
                tenant=exchange.identity.tenant,
                operation_id=pb.operation_id,
                kind=kind,
                rating=rating,
                useful=useful,
                text=text,
                user=pb.user,
                query=pb.query,
                response=pb.response,
                metadata=dict(pb.metadata),
            )
        )
        return feedback_service_pb2.RecordFeedbackResponse(
            feedback_id=name, recorded_at=timestamp(given_at_ms / 1000)
        ).SerializeToString()

    async def get_insights(self, data: bytes, exchange: Exchange) -> bytes:
        """What feedback adds up to."""
        pb = parse(feedback_service_pb2.GetInsightsRequest, data, REQUEST_LIMIT_BYTES)
        span = decode_span(pb.time_range, self._clock.time())
        interval, steps = decode_interval(pb.interval, span)
        report = await self._reports.insights(
            InsightsQuery(
                span=span,
                matching=decode_matching(pb.filter, exchange.identity),
                group_by=decode_dimensions(pb.group_by),
                interval=interval,
                max_groups=groups_within(0, steps),
                max_corrections=min(pb.max_corrections or DEFAULT_CORRECTIONS, MAX_CORRECTIONS),
            )
        )
        return feedback_service_pb2.GetInsightsResponse(
            total=_insights(report.total),
            groups=[
                feedback_service_pb2.InsightsGroup(
                    keys=group.keys,
                    start=timestamp(group.start_ms / 1000),
                    insights=_insights(group.insights),
                )
                for group in report.groups
            ],
            omitted_groups=report.omitted_groups,
        ).SerializeToString()


def _check(pb: Request) -> None:
    if pb.operation_id and _OPERATION.fullmatch(pb.operation_id) is None:
        raise CallerError.of_field("operation_id", "is not one that a gateway gave")
    if not (pb.operation_id or pb.query or pb.response):
        raise CallerError.of_field(
            "operation_id", "must be set, or query and response must say what it is about"
        )
    _short("user", pb.user, LONGEST_USER)
    if len(pb.metadata) > MAX_METADATA:
        raise CallerError.of_field("metadata", f"at most {MAX_METADATA} labels are kept")
    for key, value in pb.metadata.items():
        _short("metadata", key, LONGEST_KEY)
        _short(f"metadata[{key}]", value, LONGEST_VALUE)


def _said(pb: Request) -> tuple[FeedbackKind, float | None, bool | None, str]:
    """Its kind, and the one of rating, usefulness and text that the kind has."""
    field = pb.WhichOneof("feedback")
    if field is None:
        raise CallerError.of_field("feedback", "must be set")
    if field == "rating":
        return FeedbackKind.RATING, _rating(pb.rating), None, ""
    if field == "useful":
        return FeedbackKind.USEFUL, None, pb.useful, ""
    text = {"correction": pb.correction, "improvement": pb.improvement, "error": pb.error}[field]
    if not text.strip():
        raise CallerError.of_field(field, "must not be empty")
    _short(field, text, LONGEST_TEXT)
    return FeedbackKind(field), None, None, text.strip()


def _rating(pb: feedback_service_pb2.Rating) -> float:
    """The grade, scaled to [0, 1]."""
    scale = pb.scale or DEFAULT_SCALE
    if not (math.isfinite(scale) and scale > 0):
        raise CallerError.of_field("rating.scale", "must be a number above 0")
    if not 0 <= pb.value <= scale:
        raise CallerError.of_field("rating.value", f"must be from 0 to {scale:g}")
    return pb.value / scale


def _short(field: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise CallerError.of_field(field, f"has {len(text)} characters; at most {longest} are kept")


def _insights(value: Insights) -> feedback_service_pb2.Insights:
    return feedback_service_pb2.Insights(
        feedback_count=value.feedback,
        average_rating=value.average_rating,
        useful_rate=value.useful_rate,
        common_corrections=[
            feedback_service_pb2.Correction(text=correction.text, count=correction.count)
            for correction in value.corrections
        ],
        error_count=value.errors,
        improvement_count=value.improvements,
    )
