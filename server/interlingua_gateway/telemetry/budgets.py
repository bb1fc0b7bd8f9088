"""Counts what budgets do: who is refused, what is held, which alerts are due."""

from __future__ import annotations

from prometheus_client import Gauge

from interlingua_gateway.core.budget import NANO_PER_USD, Alert, Hold, Pot
from interlingua_gateway.telemetry.metrics import Metrics


class BudgetMetrics:
    """Labels are names of budgets, from the configuration or from an administrator."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._held: dict[str, Gauge] = {}

    def refused(self, pot: Pot) -> None:
        """A call was refused."""
        self._metrics.budget_refused.labels(pot.budget).inc()

    def held(self, hold: Hold, sign: int) -> None:
        """A call holds `hold` (1), or does no longer (-1)."""
        for pot in hold.pots:
            gauge = self._held.get(pot.budget)
            if gauge is None:
                gauge = self._held[pot.budget] = self._metrics.budget_held.labels(pot.budget)
            gauge.inc(sign * hold.amount_nano_usd / NANO_PER_USD)

    def alerted(self, alert: Alert) -> None:
        """A threshold is reached."""
        self._metrics.budget_alerts.labels(alert.pot.budget).inc()
