"""Pots and stores of budgets for tests."""

from __future__ import annotations

from interlingua_gateway.core.budget import Alert, Floor, Hold, Level, Period, Pot
from interlingua_gateway.core.ports_budget import Spending

USD = 10**9


class Floors:
    """What a ledger would say, and the alerts that came."""

    def __init__(self) -> None:
        self.floors: dict[str, Floor] = {}
        self.alerts: list[Alert] = []

    def __call__(self, key: str) -> Floor:
        return self.floors.get(key, Floor())

    @property
    def told(self) -> list[tuple[str, int]]:
        """The pots and thresholds of the alerts, in dollars."""
        return [(alert.pot.key, alert.threshold_nano_usd // USD) for alert in self.alerts]


def pot(key: str = "p", limit: int = 10, *, hard: bool = True, **fields: object) -> Pot:
    """A pot of `limit` dollars that alerts at half and at all of it."""
    whole = limit * USD
    values = {
        "budget": key,
        "subject": "tenant:acme",
        "period": Period.TOTAL,
        "thresholds": (whole // 2, whole),
        "ends_at_s": None,
        **fields,
    }
    return Pot(key=key, limit_nano_usd=whole, hard=hard, **values)


async def held(spending: Spending, amount: int, *pots: Pot) -> Hold:
    """A reservation of so many dollars that must succeed."""
    given = await spending.reserve(pots or (pot(),), amount * USD)
    assert isinstance(given, Hold), given
    return given


async def spent_and_held(spending: Spending, one: Pot | None = None) -> tuple[float, float]:
    """What has become of a pot, in dollars."""
    (level,) = await spending.levels([one or pot()])
    assert isinstance(level, Level)
    return level.spent_nano_usd / USD, level.held_nano_usd / USD
