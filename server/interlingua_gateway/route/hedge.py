"""Whether a second attempt may start beside a slow one, and when."""

from __future__ import annotations

from collections.abc import Sequence

from interlingua_gateway.core.call import Call
from interlingua_gateway.core.target import Target
from interlingua_gateway.route.backoff import Budget
from interlingua_gateway.route.fleet import Fleet
from interlingua_gateway.route.pace import percentile_95
from interlingua_gateway.route.plan import Plan


class Hedging:
    """Hedges spend of the same budget as repeated attempts: when everything is slow, they stop."""

    def __init__(self, fleet: Fleet, budget: Budget) -> None:
        self._fleet = fleet
        self._budget = budget

    def delay_s(self, call: Call, plan: Plan) -> float | None:
        """Seconds without an event after which a second attempt may start; None for never."""
        hedge = plan.hedge
        if hedge is None or hedge.after_s is not None:
            return None if hedge is None else hedge.after_s
        samples: list[float] = []
        for target in plan.stages[0].targets:
            samples.extend(self._fleet.of(target).paces[call.streaming].samples)
        return percentile_95(samples)

    def rival(
        self, plan: Plan, target: Target, spare: Sequence[Target], now: float
    ) -> Target | None:
        """The target to be started beside `target`: the first that may be tried, if both together
        stay below the ceiling and the budget allows it."""
        for rival in spare:
            if self._fleet.of(rival).obstacle(now) is None:
                allowed = self._affordable(plan, target, rival) and self._budget.spend()
                return rival if allowed else None
        return None

    def _affordable(self, plan: Plan, target: Target, rival: Target) -> bool:
        ceiling = None if plan.hedge is None else plan.hedge.max_cost_nano_usd
        if ceiling is None:
            return True
        costs = [plan.need.cost_nano_usd(target), plan.need.cost_nano_usd(rival)]
        known = [cost for cost in costs if cost is not None]
        return len(known) == len(costs) and sum(known) <= ceiling
