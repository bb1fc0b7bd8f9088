"""Which buckets are in the way of a line of calls, and how long each call would wait for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from interlingua_gateway.core.quota import Charge, Refusal

RECHECK_S: Final = 0.1
"""How often to look for a place that another gateway gives back; one of our own tells at once."""


class Blocked:
    """Built while a line is passed through, first to last.

    For a rate the wait of a call is exact if nobody else comes: until the bucket has refilled for
    all that stand before it and for itself. For places it is not known. Waits are seconds from
    `at` (monotonic).
    """

    def __init__(self, at: float = 0.0) -> None:
        self.at = at
        self._waits: dict[str, float | None] = {}
        self.soonest_s = float("inf")

    def add(self, refusal: Refusal) -> None:
        """The next call in the line does not fit, for these reasons."""
        for charge, wait_s in refusal.blocked:
            rate = charge.bucket.per_s
            base = None if wait_s is None else wait_s - charge.amount / rate
            self._waits[charge.bucket.key] = base
        wait = refusal.wait_s
        self.soonest_s = min(self.soonest_s, RECHECK_S if wait is None else wait)

    def any_of(self, charges: Sequence[Charge]) -> bool:
        """Whether one of `charges` must wait."""
        return any(charge.bucket.key in self._waits for charge in charges)

    def of(self, charges: Sequence[Charge]) -> Sequence[Charge]:
        """Those of `charges` that must wait."""
        return [charge for charge in charges if charge.bucket.key in self._waits]

    def wait_s(self, charges: Sequence[Charge]) -> float | None:
        """Seconds that a call would wait at least; None if that is not known."""
        waits = [
            base + charge.amount / charge.bucket.per_s
            for charge in charges
            if (base := self._waits.get(charge.bucket.key)) is not None
        ]
        return max(waits, default=None)

    def queue(self, charges: Sequence[Charge]) -> None:
        """A call stays in the line: those after it wait for its charges too."""
        for charge in charges:
            base = self._waits.get(charge.bucket.key)
            if base is not None:
                self._waits[charge.bucket.key] = base + charge.amount / charge.bucket.per_s
