"""What options say of the operations of a report, its time, groups and steps, as the contract's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from interlingua.v1.usage_service_pb2 import (
    OperationFilter,
    OperationOutcome,
    TimeRange,
    UsageDimension,
    UsageInterval,
)
from interlingua_gateway.cli.failure import MISUSED, CommandError
from interlingua_gateway.cli.options import Which
from interlingua_gateway.core.clock import SystemClock

_SECONDS: Final = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_LAST: Final = re.compile(r"(\d{1,6})([mhdw])")
_DIMENSIONS: Final = {
    "tenant": UsageDimension.USAGE_DIMENSION_TENANT,
    "project": UsageDimension.USAGE_DIMENSION_PROJECT,
    "key": UsageDimension.USAGE_DIMENSION_API_KEY,
    "user": UsageDimension.USAGE_DIMENSION_USER,
    "model": UsageDimension.USAGE_DIMENSION_MODEL,
    "provider": UsageDimension.USAGE_DIMENSION_PROVIDER,
    "tag": UsageDimension.USAGE_DIMENSION_TAG,
}
_INTERVALS: Final = {
    "": UsageInterval.USAGE_INTERVAL_UNSPECIFIED,
    "hour": UsageInterval.USAGE_INTERVAL_HOUR,
    "day": UsageInterval.USAGE_INTERVAL_DAY,
}
_OUTCOMES: Final = {
    "": OperationOutcome.OPERATION_OUTCOME_UNSPECIFIED,
    "ok": OperationOutcome.OPERATION_OUTCOME_OK,
    "failed": OperationOutcome.OPERATION_OUTCOME_FAILED,
    "cancelled": OperationOutcome.OPERATION_OUTCOME_CANCELLED,
}


def dimensions(by: Sequence[str]) -> list[UsageDimension.ValueType]:
    """What `--by` says."""
    if any(word not in _DIMENSIONS for word in by):
        raise _misused(f"--by is one of {', '.join(_DIMENSIONS)}")
    return [_DIMENSIONS[word] for word in by]


def interval_of(word: str) -> UsageInterval.ValueType:
    """What `--interval` says; empty for one step."""
    if word not in _INTERVALS:
        raise _misused("--interval is hour or day")
    return _INTERVALS[word]


def operation_filter(which: Which) -> OperationFilter:
    """Of which operations."""
    if which.outcome not in _OUTCOMES:
        raise _misused("--outcome is ok, failed or cancelled")
    return OperationFilter(
        tenant_id=which.tenant,
        project=which.project,
        api_key_id=which.key,
        user=which.user,
        model=which.model,
        provider=which.provider,
        tags=which.tags,
        outcome=_OUTCOMES[which.outcome],
    )


def time_range(which: Which) -> TimeRange:
    """Over which time; empty for the last 24 hours."""
    if which.last is not None and which.since is not None:
        raise _misused("give --last or --since, not both")
    found = TimeRange()
    end = datetime.fromtimestamp(SystemClock().time(), UTC)
    if which.until is not None:
        end = _moment("--until", which.until)
        found.end.FromDatetime(end)
    if which.last is not None:
        found.start.FromDatetime(end - _length(which.last))
    elif which.since is not None:
        found.start.FromDatetime(_moment("--since", which.since))
    return found


def _length(text: str) -> timedelta:
    match = _LAST.fullmatch(text)
    if match is None:
        raise _misused("--last is a number with m, h, d or w, such as 24h")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def _moment(option: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise _misused(f"{option} is a date such as 2026-01-31, or 2026-01-31T09:30") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _misused(text: str) -> CommandError:
    return CommandError(text, exit_code=MISUSED)
