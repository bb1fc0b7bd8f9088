"""What is spent of budgets, in this process's memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from interlingua_gateway.core.budget import (
    Alert,
    FloorOf,
    Hold,
    Level,
    OnAlert,
    Pot,
    Shortage,
    crossed,
    left,
)
from interlingua_gateway.core.clock import Clock

MAX_POTS: Final = 100_000
"""More are not kept: the one that was used least recently starts anew, from its floor."""
AFTER_END_S: Final = 86_400.0
"""How long a pot is kept after its period: calls that began in it may still end."""


class _Kept:
    """One pot as it stands."""

    __slots__ = ("alerted", "ends_at_s", "held", "spent")

    def __init__(self, ends_at_s: float | None) -> None:
        self.spent = self.held = self.alerted = 0
        self.ends_at_s = ends_at_s


class MemorySpending:
    """Implements Spending for one process. `floor_of` is asked each time, so that what becomes
    known later still counts."""

    def __init__(self, floor_of: FloorOf, on_alert: OnAlert, clock: Clock) -> None:
        self._floor_of = floor_of
        self._on_alert = on_alert
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._count = 0

    async def reserve(self, pots: Sequence[Pot], amount_nano_usd: int) -> Hold | Shortage:
        """Hold of all or of none."""
        kept = [self._of(pot) for pot in pots]
        short: list[tuple[Pot, int]] = []
        for pot, one in zip(pots, kept, strict=True):
            remains = left(pot, Level(one.spent, one.held))
            if pot.hard and amount_nano_usd > max(0, remains):
                short.append((pot, remains))
        if short:
            return Shortage(tuple(short))
        for one in kept:
            one.held += amount_nano_usd
        self._count += 1
        return Hold(
            pots=tuple(pots),
            amount_nano_usd=amount_nano_usd,
            levels=tuple(Level(one.spent, one.held) for one in kept),
            lease=str(self._count),
        )

    def settle(self, hold: Hold, cost_nano_usd: int) -> None:
        """Give back what was held, and count the cost."""
        for pot in hold.pots:
            one = self._of(pot)
            one.held = max(0, one.held - hold.amount_nano_usd)
            one.spent += cost_nano_usd
            self._tell(pot, one)

    async def levels(self, pots: Sequence[Pot]) -> Sequence[Level]:
        """What has become of each."""
        kept = [self._of(pot) for pot in pots]
        return [Level(one.spent, one.held) for one in kept]

    @property
    def steady(self) -> bool:
        """Costs come here first."""
        return True

    def _of(self, pot: Pot) -> _Kept:
        one = self._kept.get(pot.key)
        if one is None:
            one = self._kept[pot.key] = _Kept(pot.ends_at_s)
            self._make_room()
        else:
            self._kept.move_to_end(pot.key)
        floor = self._floor_of(pot.key)
        one.spent = max(one.spent, floor.spent_nano_usd)
        one.alerted = max(one.alerted, floor.alerted_nano_usd)
        return one

    def _tell(self, pot: Pot, one: _Kept) -> None:
        for threshold in crossed(pot, one.alerted, one.spent):
            one.alerted = threshold
            self._on_alert(Alert(pot, threshold, one.spent))

    def _make_room(self) -> None:
        """Drop the pot that was used least recently, if its period is long over or if there are too
        many; not one of which something is held."""
        first, oldest = next(iter(self._kept.items()))
        now = self._clock.time()
        if oldest.ends_at_s is not None and now > oldest.ends_at_s + AFTER_END_S:
            del self._kept[first]
        elif len(self._kept) > MAX_POTS:
            for key, one in self._kept.items():
                if not one.held:
                    del self._kept[key]
                    return
