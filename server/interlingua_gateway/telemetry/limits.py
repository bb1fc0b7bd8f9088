"""Counts what limits do: who waits, who is refused, what is reserved."""

from __future__ import annotations

from prometheus_client import Gauge

from interlingua_gateway.core.call import Call
from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.core.quota import Bucket, Grant, Measure
from interlingua_gateway.telemetry.metrics import Metrics


class LimitMetrics:
    """Labels are names of rules, limits and priorities: all from the configuration."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._reserved: dict[tuple[str, Measure], Gauge] = {}

    def waits(self, call: Call) -> None:
        """A call waits in the queue."""
        self._metrics.queue_waiting.labels(call.priority.name.lower()).inc()

    def waited(self, call: Call) -> None:
        """It does no longer."""
        priority = call.priority.name.lower()
        self._metrics.queue_waiting.labels(priority).dec()
        self._metrics.queue_wait.labels(priority).observe(call.queue_s)

    def refused(self, error: GatewayError) -> None:
        """A call was refused by a limit, or left out of its queue."""
        found = error.metadata
        self._metrics.limit_refused.labels(
            found.get("rule", ""), found.get("limit", ""), str(error.reason)
        ).inc()

    def reserved(self, grant: Grant) -> None:
        """A call holds `grant`."""
        self._count(grant, 1.0)

    def settled(self, grant: Grant) -> None:
        """It does no longer."""
        self._count(grant, -1.0)

    def _count(self, grant: Grant, sign: float) -> None:
        for charge in grant.charges:
            bucket = charge.bucket
            if bucket.measure is not Measure.REQUESTS:
                self._gauge(bucket).inc(sign * charge.amount)

    def _gauge(self, bucket: Bucket) -> Gauge:
        """Looked up once for each rule and limit."""
        key = (bucket.rule, bucket.measure)
        if key not in self._reserved:
            labels = (bucket.rule, str(bucket.measure))
            self._reserved[key] = self._metrics.limit_reserved.labels(*labels)
        return self._reserved[key]
