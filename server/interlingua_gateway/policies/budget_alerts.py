"""Tells of budgets that have reached a threshold: in the log, and whoever wants to know."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

import msgspec

from interlingua_gateway.core.budget import Alert, OnAlert, Pot
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.policies.budget_errors import usd
from interlingua_gateway.telemetry.budgets import BudgetMetrics

Post: TypeAlias = Callable[[bytes], None]
"""Sends a body of JSON somewhere, behind the request path."""

log = logging.getLogger("interlingua.budget")


class BudgetAlerts:
    """`listeners` are called with each alert; they must not raise or block."""

    def __init__(
        self,
        listeners: Sequence[OnAlert],
        post: Post | None,
        metrics: BudgetMetrics,
        clock: Clock,
    ) -> None:
        self._listeners = listeners
        self._post = post
        self._metrics = metrics
        self._clock = clock

    def __call__(self, alert: Alert) -> None:
        """A pot has reached a threshold."""
        self._metrics.alerted(alert)
        facts = facts_of(alert)
        log.warning("a budget has reached a threshold", extra={"fields": facts})
        for listener in self._listeners:
            listener(alert)
        if self._post is not None:
            at = datetime.fromtimestamp(self._clock.time(), UTC).isoformat(timespec="seconds")
            self._post(msgspec.json.encode({"type": "budget.threshold", "at": at, **facts}))


def facts_of(alert: Alert) -> dict[str, object]:
    """What is said of an alert; amounts are texts of USD, exact."""
    pot = alert.pot
    return {
        "budget": pot.budget,
        "subject": pot.subject,
        "period": str(pot.period),
        "enforcement": "hard" if pot.hard else "soft",
        "limit_usd": usd(pot.limit_nano_usd),
        "threshold_usd": usd(alert.threshold_nano_usd),
        "threshold": round(alert.threshold_nano_usd / pot.limit_nano_usd, 6),
        "spent_usd": usd(alert.spent_nano_usd),
        "resets_at": _resets_at(pot),
    }


def _resets_at(pot: Pot) -> str | None:
    if pot.ends_at_s is None:
        return None
    return datetime.fromtimestamp(pot.ends_at_s, UTC).isoformat(timespec="seconds")
