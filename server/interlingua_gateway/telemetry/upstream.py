"""Counts attempts at upstreams, by deployments of the configuration."""

from __future__ import annotations

from typing import Final

from prometheus_client import Histogram

from interlingua_gateway.core.call import Call
from interlingua_gateway.core.events import AttemptRecord, Decision, Outcome
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import CountRequest, EmbedRequest
from interlingua_gateway.telemetry.metrics import Metrics

_BREAKER_LEVELS: Final = {"closed": 0, "half_open": 1, "open": 2}


class UpstreamMetrics:
    """Attempts, failures by reason, durations and how many are under way."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._deployments: dict[str, _Children] = {}
        self._durations: dict[tuple[str, str, str], Histogram] = {}

    def began(self, target: Target) -> None:
        """An attempt has begun."""
        self._children(target).in_flight.inc()

    def ended(self, call: Call, target: Target, record: AttemptRecord) -> None:
        """It has ended."""
        children = self._children(target)
        children.in_flight.dec()
        children.outcomes[record.outcome].inc()
        if record.outcome is Outcome.FAILED:
            labels = (target.provider, target.deployment, record.reason)
            self._metrics.errors.labels(*labels).inc()
        self._duration(operation_name(call), target, record.reason).observe(record.duration_s)

    def _children(self, target: Target) -> _Children:
        """The series of a deployment, looked up once."""
        children = self._deployments.get(target.deployment)
        if children is None:
            children = _Children(self._metrics, target)
            self._deployments[target.deployment] = children
        return children

    def _duration(self, operation: str, target: Target, reason: str) -> Histogram:
        key = (operation, target.deployment, reason)
        child = self._durations.get(key)
        if child is None:
            labels = (operation, target.provider, target.label, reason)
            child = self._durations[key] = self._metrics.operation_duration.labels(*labels)
        return child

    def breaker(self, target: Target, state: str) -> None:
        """The circuit breaker of a deployment is in `state`: closed, half_open or open."""
        level = _BREAKER_LEVELS[state]
        self._metrics.breaker.labels(target.provider, target.deployment).set(level)

    def passed_over(self, target: Target, why: str) -> None:
        """A deployment was not tried, because of `why`."""
        self._metrics.passed_over.labels(target.provider, target.deployment, why).inc()

    def decided(self, decision: Decision) -> None:
        """A route was chosen; its names are those of the configuration."""
        labels = (decision.model, decision.route, str(decision.by))
        self._metrics.decisions.labels(*labels).inc()

    def hedged(self, target: Target) -> None:
        """An attempt was started beside a slow one."""
        self._metrics.hedges.labels(target.provider, target.deployment).inc()


class _Children:
    """The series of one deployment."""

    __slots__ = ("in_flight", "outcomes")

    def __init__(self, metrics: Metrics, target: Target) -> None:
        labels = (target.provider, target.deployment)
        self.in_flight = metrics.upstream_in_flight.labels(*labels)
        self.outcomes = {o: metrics.attempts.labels(*labels, str(o)) for o in Outcome}


def operation_name(call: Call) -> str:
    """OpenTelemetry's `gen_ai.operation.name` of a call."""
    if isinstance(call.request, EmbedRequest):
        return "embeddings"
    return "count_tokens" if isinstance(call.request, CountRequest) else "chat"
