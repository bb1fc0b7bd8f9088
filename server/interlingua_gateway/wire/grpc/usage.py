"""interlingua.v1.UsageService: what was used and what it cost, from the ledger."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from interlingua.v1 import generate_pb2, usage_service_pb2
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.reports import Dimension, Reports, UsageQuery
from interlingua_gateway.wire.grpc import encode, encode_reports
from interlingua_gateway.wire.grpc.decode_reports import (
    MAX_CELLS,
    decode_dimensions,
    decode_interval,
    decode_matching,
    decode_span,
    groups_within,
)
from interlingua_gateway.wire.grpc.exchange import Exchange
from interlingua_gateway.wire.grpc.parse import parse

DEFAULT_PAGE: Final = 100
MAX_PAGE: Final = 1000
REQUEST_LIMIT_BYTES: Final = 64 * 1024

_PAGE_TOKEN: Final = re.compile(r"op_[0-9a-f]{24}")


class UsageMethods:
    """Shows each caller its own tenant's operations, and admins everybody's."""

    def __init__(self, reports: Reports, clock: Clock) -> None:
        self._reports = reports
        self._clock = clock

    async def get_usage(self, data: bytes, exchange: Exchange) -> bytes:
        """Totals in groups and steps."""
        pb = parse(usage_service_pb2.GetUsageRequest, data, REQUEST_LIMIT_BYTES)
        span = decode_span(pb.time_range, self._clock.time())
        interval, steps = decode_interval(pb.interval, span)
        report = await self._reports.usage(
            UsageQuery(
                span=span,
                matching=decode_matching(pb.filter, exchange.identity),
                group_by=decode_dimensions(pb.group_by),
                interval=interval,
                max_groups=groups_within(pb.max_groups, steps),
            )
        )
        return usage_service_pb2.GetUsageResponse(
            total=encode_reports.totals(report.total),
            groups=[encode_reports.group(group) for group in report.groups],
            omitted_groups=report.omitted_groups,
        ).SerializeToString()

    async def list_operations(self, data: bytes, exchange: Exchange) -> bytes:
        """A page of single operations, newest first; a page's token is its last operation's id."""
        pb = parse(usage_service_pb2.ListOperationsRequest, data, REQUEST_LIMIT_BYTES)
        if pb.page_token and _PAGE_TOKEN.fullmatch(pb.page_token) is None:
            raise CallerError.of_field("page_token", "is not one that this gateway gave")
        size = min(pb.page_size or DEFAULT_PAGE, MAX_PAGE)
        found = await self._reports.operations(
            decode_span(pb.time_range, self._clock.time()),
            decode_matching(pb.filter, exchange.identity),
            size + 1,
            pb.page_token,
        )
        page = found[:size]
        return usage_service_pb2.ListOperationsResponse(
            operations=[encode_reports.operation(one) for one in page],
            next_page_token=page[-1].id if len(found) > size else "",
        ).SerializeToString()

    async def get_cost_summary(self, data: bytes, exchange: Exchange) -> bytes:
        """Money by model and provider."""
        pb = parse(usage_service_pb2.GetCostSummaryRequest, data, REQUEST_LIMIT_BYTES)
        query = UsageQuery(
            span=decode_span(pb.time_range, self._clock.time()),
            matching=decode_matching(pb.filter, exchange.identity),
            max_groups=MAX_CELLS,
        )
        total = (await self._reports.usage(query)).total
        return usage_service_pb2.GetCostSummaryResponse(
            total=encode.cost(total.cost),
            by_model=await self._costs(query, Dimension.MODEL),
            by_provider=await self._costs(query, Dimension.PROVIDER),
            cost_nano_usd_per_thousand_tokens=total.nano_usd_per_thousand_tokens or 0,
            unpriced_operations=total.unpriced_operations,
        ).SerializeToString()

    async def _costs(self, query: UsageQuery, by: Dimension) -> dict[str, generate_pb2.Cost]:
        """Those that are known."""
        report = await self._reports.usage(msgspec.structs.replace(query, group_by=(by,)))
        costs = ((group.keys[0], encode.cost(group.totals.cost)) for group in report.groups)
        return {key: cost for key, cost in costs if cost is not None}
