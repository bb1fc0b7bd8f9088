"""Counts attempts at upstreams, by deployments of the configuration."""

from __future__ import annotations

from typing import Final

from interlingua_gateway.core.call import Call
from interlingua_gateway.core.events import AttemptRecord, Outcome
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import CountRequest, EmbedRequest
from interlingua_gateway.telemetry.metrics import Metrics

_BREAKER_LEVELS: Final = {"closed": 0, "half_open": 1, "open": 2}


class UpstreamMetrics:
    """Attempts, failures by reason, durations and how many are under way."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def began(self, target: Target) -> None:
        """An attempt has begun."""
        labels = (target.provider, target.deployment)
        self._metrics.upstream_in_flight.labels(*labels).inc()

    def ended(self, call: Call, target: Target, record: AttemptRecord) -> None:
        """It has ended."""
        labels = (target.provider, target.deployment)
        self._metrics.upstream_in_flight.labels(*labels).dec()
        self._metrics.attempts.labels(*labels, str(record.outcome)).inc()
        if record.outcome is Outcome.FAILED:
            self._metrics.errors.labels(*labels, record.reason).inc()
        self._metrics.operation_duration.labels(
            operation_name(call), target.provider, target.label, record.reason
        ).observe(record.duration_s)

    def breaker(self, target: Target, state: str) -> None:
        """The circuit breaker of a deployment is in `state`: closed, half_open or open."""
        level = _BREAKER_LEVELS[state]
        self._metrics.breaker.labels(target.provider, target.deployment).set(level)

    def passed_over(self, target: Target, why: str) -> None:
        """A deployment was not tried, because of `why`."""
        self._metrics.passed_over.labels(target.provider, target.deployment, why).inc()

    def hedged(self, target: Target) -> None:
        """An attempt was started beside a slow one."""
        self._metrics.hedges.labels(target.provider, target.deployment).inc()


def operation_name(call: Call) -> str:
    """OpenTelemetry's `gen_ai.operation.name` of a call."""
    if isinstance(call.request, EmbedRequest):
        return "embeddings"
    return "count_tokens" if isinstance(call.request, CountRequest) else "chat"
