"""Reports on the ledger into messages of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from interlingua.v1 import generate_pb2, usage_service_pb2
from interlingua_gateway.core.call import CacheStatus, DedupeStatus
from interlingua_gateway.core.events import Outcome
from interlingua_gateway.core.ledger import Operation
from interlingua_gateway.core.prices import Cost
from interlingua_gateway.core.reports import Group, Totals
from interlingua_gateway.wire.grpc import encode, enums
from interlingua_gateway.wire.grpc.status import duration, reason_name

_OUTCOMES: Final[Mapping[str, usage_service_pb2.OperationOutcome.ValueType]] = {
    Outcome.OK: usage_service_pb2.OPERATION_OUTCOME_OK,
    Outcome.FAILED: usage_service_pb2.OPERATION_OUTCOME_FAILED,
    Outcome.CANCELLED: usage_service_pb2.OPERATION_OUTCOME_CANCELLED,
}


def group(value: Group) -> usage_service_pb2.UsageGroup:
    """Totals of a group in a step."""
    return usage_service_pb2.UsageGroup(
        keys=value.keys,
        start=encode.timestamp(value.start_ms / 1000),
        totals=totals(value.totals),
    )


def totals(value: Totals) -> usage_service_pb2.UsageTotals:
    """Sums."""
    latencies = value.latencies
    first_s = latencies.first_event_mean_s
    return usage_service_pb2.UsageTotals(
        operations=value.operations,
        failed=value.failed,
        cancelled=value.cancelled,
        usage=encode.usage(value.usage),
        cost=encode.cost(value.cost),
        unpriced_operations=value.unpriced_operations,
        cache_hits=value.cache_hits,
        mean_latency=duration(latencies.mean_s),
        p50_latency=duration(latencies.p50_s),
        p95_latency=duration(latencies.p95_s),
        p99_latency=duration(latencies.p99_s),
        mean_time_to_first_token=None if first_s is None else duration(first_s),
        failures_by_reason={reason_name(reason): count for reason, count in value.failures.items()},
        cost_nano_usd_per_thousand_tokens=value.nano_usd_per_thousand_tokens,
    )


def operation(value: Operation) -> usage_service_pb2.Operation:
    """One row of the ledger."""
    nano_usd = value.cost_nano_usd
    cost = None if nano_usd is None else Cost(nano_usd, value.cost_estimated)
    accepted_at = encode.timestamp(value.accepted_at_ms / 1000)
    return usage_service_pb2.Operation(
        operation_id=value.id,
        accepted_at=accepted_at,
        method=value.method,
        tenant_id=value.tenant,
        project=value.project,
        api_key_id=value.key,
        user=value.user,
        answered_by=generate_pb2.AnsweredBy(
            model=value.model,
            provider=value.provider,
            deployment=value.deployment,
            upstream_model=value.upstream_model,
            upstream_id=value.details.upstream_id,
            accepted_at=accepted_at,
        ),
        outcome=_OUTCOMES[value.outcome],
        error_reason=reason_name(value.reason),
        usage=encode.usage(value.usage),
        cost=encode.cost(cost),
        report=_report(value),
        tags=value.details.tags,
        metadata=value.details.metadata,
        trace_id=value.trace_id,
    )


def _report(value: Operation) -> generate_pb2.CallReport:
    first_us = value.first_event_us
    cache, dedupe = value.cache_status, value.dedupe_status
    return generate_pb2.CallReport(
        attempts=[encode.attempt(attempt) for attempt in value.details.attempts],
        cache_status=enums.CACHE_STATUSES[CacheStatus(cache) if cache else None],
        dedupe_status=enums.DEDUPE_STATUSES[DedupeStatus(dedupe) if dedupe else None],
        timings=generate_pb2.Timings(
            queue=duration(value.queue_us / 1e6),
            time_to_first_token=None if first_us is None else duration(first_us / 1e6),
            total=duration(value.duration_us / 1e6),
        ),
        warnings=[
            generate_pb2.Warning(field=warned.field, description=warned.description)
            for warned in value.details.warnings
        ],
    )
