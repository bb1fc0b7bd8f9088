"""Counts attempts at upstreams, by deployments of the configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from interlingua_gateway.core.call import Call
from interlingua_gateway.core.events import AttemptRecord, Decision, Outcome
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import CountRequest, EmbedRequest
from interlingua_gateway.telemetry.metrics import Metrics
from interlingua_gateway.telemetry.series import Counter, Histogram

_BREAKER_LEVELS: Final = {"closed": 0, "half_open": 1, "open": 2}


class UpstreamMetrics:
    """Attempts, failures by reason, durations and how many are under way."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._outcomes: dict[str, Mapping[Outcome, Counter]] = {}
        self._durations: dict[tuple[str, str, str], Histogram] = {}

    def in_flight(self, target: Target, count: Callable[[], int]) -> None:
        """How many attempts are under way is asked of `count`, whenever somebody looks."""
        gauge = self._metrics.upstream_in_flight.labels(target.provider, target.deployment)
        gauge.set_function(count)

    def ended(self, call: Call, target: Target, record: AttemptRecord) -> None:
        """An attempt has ended."""
        self._outcomes_of(target)[record.outcome].inc()
        if record.outcome is Outcome.FAILED:
            labels = (target.provider, target.deployment, record.reason)
            self._metrics.errors.labels(*labels).inc()
        self._duration(operation_name(call), target, record.reason).observe(record.duration_s)

    def _outcomes_of(self, target: Target) -> Mapping[Outcome, Counter]:
        """The series of a deployment, looked up once."""
        found = self._outcomes.get(target.deployment)
        if found is None:
            labels = (target.provider, target.deployment)
            found = {o: self._metrics.attempts.labels(*labels, str(o)) for o in Outcome}
            self._outcomes[target.deployment] = found
        return found

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

    def gone(self, target: Target) -> None:
        """The deployment is there no more; what was counted of it stays."""
        labels = (target.provider, target.deployment)
        self._metrics.breaker.remove(*labels)
        self._metrics.upstream_in_flight.remove(*labels)

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


def operation_name(call: Call) -> str:
    """OpenTelemetry's `gen_ai.operation.name` of a call."""
    if isinstance(call.request, EmbedRequest):
        return "embeddings"
    return "count_tokens" if isinstance(call.request, CountRequest) else "chat"
