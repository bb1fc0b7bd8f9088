"""`interlingua usage`: what was used and what it cost, as a table, CSV or JSON."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Final

from interlingua.jsonform import to_json
from interlingua.v1.usage_service_pb2 import (
    GetUsageRequest,
    GetUsageResponse,
    ListOperationsRequest,
    OperationFilter,
    OperationOutcome,
    TimeRange,
    UsageDimension,
    UsageGroup,
    UsageInterval,
)
from interlingua_gateway.cli.connection import connected
from interlingua_gateway.cli.failure import MISUSED, CommandError
from interlingua_gateway.cli.options import Gateway, Which
from interlingua_gateway.cli.text import write
from interlingua_gateway.cli.usage_tables import show_operations, show_totals
from interlingua_gateway.core.clock import SystemClock

NANO: Final = 10**9
PAGE: Final = 1000

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


def totals(
    gateway: Gateway, which: Which, *, by: Sequence[str], interval: str, top: int, form: str
) -> None:
    """Write totals of groups; `form` is table, csv or json."""
    wrong = [word for word in by if word not in _DIMENSIONS]
    if wrong:
        raise _misused(f"--by is one of {', '.join(_DIMENSIONS)}")
    if interval not in _INTERVALS:
        raise _misused("--interval is hour or day")
    request = GetUsageRequest(
        time_range=_time_range(which),
        filter=_filter(which),
        group_by=[_DIMENSIONS[word] for word in by],
        interval=_INTERVALS[interval],
        max_groups=top,
    )
    with connected(gateway) as client:
        report = client.reports.usage(request)
    if form == "json":
        write(to_json(report) + "\n")
    elif form == "csv":
        write(_csv(report, by))
    else:
        show_totals(report, by, interval)


def operations(gateway: Gateway, which: Which, *, limit: int, as_json: bool) -> None:
    """Write single operations, newest first, as a table or as JSON (one line an operation)."""
    request = ListOperationsRequest(
        time_range=_time_range(which), filter=_filter(which), page_size=min(limit, PAGE)
    )
    with connected(gateway) as client:
        found = islice(client.reports.operations(request), limit)
        if not as_json:
            show_operations(list(found))
            return
        for operation in found:
            write(to_json(operation) + "\n")
            sys.stdout.flush()


def _filter(which: Which) -> OperationFilter:
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


def _time_range(which: Which) -> TimeRange:
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


def _csv(report: GetUsageResponse, by: Sequence[str]) -> str:
    """A line a group and step; times in ISO 8601 (UTC), money in USD, latencies in seconds."""
    output = io.StringIO()
    lines = csv.writer(output, lineterminator="\n")
    lines.writerow(["start", *by, *_COLUMNS])
    lines.writerows(_line(group) for group in report.groups)
    return output.getvalue()


_COLUMNS: Final = (
    "operations",
    "failed",
    "cancelled",
    "cache_hits",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_usd",
    "unpriced_operations",
    "cost_usd_per_thousand_tokens",
    "mean_latency_s",
    "p50_latency_s",
    "p95_latency_s",
    "p99_latency_s",
)


def _line(group: UsageGroup) -> list[object]:
    sums = group.totals
    used = sums.usage
    latencies = (sums.mean_latency, sums.p50_latency, sums.p95_latency, sums.p99_latency)
    per_thousand = sums.cost_nano_usd_per_thousand_tokens
    return [
        group.start.ToJsonString(),
        *group.keys,
        sums.operations,
        sums.failed,
        sums.cancelled,
        sums.cache_hits,
        used.input_tokens,
        used.cached_input_tokens,
        used.output_tokens,
        used.reasoning_tokens,
        _usd(sums.cost.cost_nano_usd) if sums.HasField("cost") else "",
        sums.unpriced_operations,
        _usd(per_thousand) if sums.HasField("cost_nano_usd_per_thousand_tokens") else "",
        *(latency.ToTimedelta().total_seconds() for latency in latencies),
    ]


def _usd(nano_usd: int) -> str:
    """Exactly."""
    return f"{Decimal(nano_usd) / NANO:f}"
