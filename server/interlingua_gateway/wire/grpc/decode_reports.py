"""What a report is asked for: its time, its operations, its groups and steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from interlingua.v1 import usage_service_pb2
from interlingua_gateway.core.errors import CallerError, Reason
from interlingua_gateway.core.events import Outcome
from interlingua_gateway.core.identity import Identity
from interlingua_gateway.core.reports import Dimension, Interval, Matching, Span
from interlingua_gateway.wire.grpc import enums

DEFAULT_SPAN_MS: Final = 24 * 3_600_000
LAST_MS: Final = 16**11 - 1
"""The last time that operation ids can name: in the year 2527."""
MAX_CELLS: Final = 10_000
"""Groups times steps of one report: some 3 MB, which clients take without being told to."""
DEFAULT_GROUPS: Final = 1000
MAX_TAGS: Final = 16

DIMENSIONS: Final[Mapping[int, Dimension]] = {
    usage_service_pb2.USAGE_DIMENSION_TENANT: Dimension.TENANT,
    usage_service_pb2.USAGE_DIMENSION_PROJECT: Dimension.PROJECT,
    usage_service_pb2.USAGE_DIMENSION_API_KEY: Dimension.KEY,
    usage_service_pb2.USAGE_DIMENSION_USER: Dimension.USER,
    usage_service_pb2.USAGE_DIMENSION_MODEL: Dimension.MODEL,
    usage_service_pb2.USAGE_DIMENSION_PROVIDER: Dimension.PROVIDER,
    usage_service_pb2.USAGE_DIMENSION_TAG: Dimension.TAG,
}
_INTERVALS: Final[Mapping[int, Interval | None]] = {
    usage_service_pb2.USAGE_INTERVAL_UNSPECIFIED: None,
    usage_service_pb2.USAGE_INTERVAL_HOUR: Interval.HOUR,
    usage_service_pb2.USAGE_INTERVAL_DAY: Interval.DAY,
}
_OUTCOMES: Final[Mapping[int, str | None]] = {
    usage_service_pb2.OPERATION_OUTCOME_UNSPECIFIED: None,
    usage_service_pb2.OPERATION_OUTCOME_OK: Outcome.OK,
    usage_service_pb2.OPERATION_OUTCOME_FAILED: Outcome.FAILED,
    usage_service_pb2.OPERATION_OUTCOME_CANCELLED: Outcome.CANCELLED,
}


def decode_span(pb: usage_service_pb2.TimeRange, now_s: float) -> Span:
    """The time; by default the 24 hours before its end, which is now by default.

    Raises:
        CallerError: it ends before it begins.
    """
    end_ms = _ms(pb.end) if pb.HasField("end") else int(now_s * 1000) + 1
    start_ms = _ms(pb.start) if pb.HasField("start") else max(0, end_ms - DEFAULT_SPAN_MS)
    if start_ms > end_ms:
        raise CallerError.of_field("time_range", "must not end before it begins")
    return Span(start_ms, end_ms)


def decode_matching(pb: usage_service_pb2.OperationFilter, identity: Identity) -> Matching:
    """The operations that are wanted, and that the caller may see.

    Raises:
        CallerError: PERMISSION_DENIED, another tenant's are wanted; or the filter is malformed.
    """
    tenant = pb.tenant_id or None
    if not identity.is_admin:
        if tenant not in (None, identity.tenant):
            raise CallerError(
                Reason.PERMISSION_DENIED,
                "Reports on other tenants need the scope `admin`. Leave out filter.tenant_id to "
                "see your own.",
            )
        tenant = identity.tenant
    if len(pb.tags) > MAX_TAGS:
        raise CallerError.of_field("filter.tags", f"at most {MAX_TAGS} tags can be asked for")
    return Matching(
        tenant=tenant,
        project=pb.project or None,
        key=pb.api_key_id or None,
        user=pb.user or None,
        model=pb.model or None,
        provider=pb.provider or None,
        tags=tuple(dict.fromkeys(pb.tags)),
        outcome=enums.known(_OUTCOMES, pb.outcome, "filter.outcome"),
    )


def decode_dimensions(numbers: Sequence[int]) -> tuple[Dimension, ...]:
    """By what to group, each once.

    Raises:
        CallerError: one is unknown or given twice.
    """
    found = tuple(
        enums.known(DIMENSIONS, number, f"group_by[{i}]") for i, number in enumerate(numbers)
    )
    if len(set(found)) < len(found):
        raise CallerError.of_field("group_by", "each dimension may be given once")
    return found


def decode_interval(number: int, span: Span) -> tuple[Interval | None, int]:
    """The steps, and how many of them `span` has.

    Raises:
        CallerError: they are too many, or unknown.
    """
    interval = enums.known(_INTERVALS, number, "interval")
    if interval is None:
        return None, 1
    steps = (span.end_ms - span.start_ms) // (1000 * int(interval)) + 2
    if steps > MAX_CELLS:
        raise CallerError.of_field(
            "interval", f"the time range has {steps} of them; at most {MAX_CELLS} are given"
        )
    return interval, steps


def groups_within(asked: int, steps: int) -> int:
    """How many groups a report of so many steps may have."""
    return max(1, min(asked or DEFAULT_GROUPS, MAX_CELLS // steps))


def _ms(at: Timestamp) -> int:
    return min(max(0, at.seconds * 1000 + at.nanos // 1_000_000), LAST_MS)
