"""`interlingua usage`: what was used and what it cost, as a table, CSV or JSON."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from decimal import Decimal
from itertools import islice
from typing import Final

from interlingua.jsonform import to_json
from interlingua.v1.usage_service_pb2 import (
    GetUsageRequest,
    GetUsageResponse,
    ListOperationsRequest,
    UsageGroup,
)
from interlingua_gateway.cli.connection import connected
from interlingua_gateway.cli.options import Gateway, Which
from interlingua_gateway.cli.text import write
from interlingua_gateway.cli.usage_tables import show_operations, show_totals
from interlingua_gateway.cli.which import dimensions, interval_of, operation_filter, time_range

NANO: Final = 10**9
PAGE: Final = 1000


def totals(
    gateway: Gateway, which: Which, *, by: Sequence[str], interval: str, top: int, form: str
) -> None:
    """Write totals of groups; `form` is table, csv or json."""
    request = GetUsageRequest(
        time_range=time_range(which),
        filter=operation_filter(which),
        group_by=dimensions(by),
        interval=interval_of(interval),
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
        time_range=time_range(which), filter=operation_filter(which), page_size=min(limit, PAGE)
    )
    with connected(gateway) as client:
        found = islice(client.reports.operations(request), limit)
        if not as_json:
            show_operations(list(found))
            return
        for operation in found:
            write(to_json(operation) + "\n")
            sys.stdout.flush()


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
