"""Levels of limits in this process's memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.quota import (
    ROUNDING,
    Bucket,
    Charge,
    Grant,
    Measure,
    Refusal,
)

MAX_BUCKETS: Final = 100_000
"""More are not kept: the one that was used least recently starts anew."""


class _Level:
    """What is taken of one bucket, as it was at `at_s`."""

    __slots__ = ("at_s", "leaks", "taken")

    def __init__(self, at_s: float, *, leaks: bool) -> None:
        self.taken = 0.0
        self.at_s = at_s
        self.leaks = leaks


class MemoryCounters:
    """Implements Counters for one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._levels: OrderedDict[str, _Level] = OrderedDict()

    async def reserve(self, charges: Sequence[Charge]) -> Grant | Refusal:
        """Take all or nothing."""
        now = self._clock.monotonic()
        levels = [self._level(charge.bucket, now) for charge in charges]
        blocked: list[tuple[Charge, float | None]] = []
        for charge, level in zip(charges, levels, strict=True):
            missing = level.taken + charge.amount - charge.bucket.capacity
            if missing > ROUNDING:
                rate = charge.bucket.per_s
                blocked.append((charge, missing / rate if rate else None))
        if blocked:
            return Refusal(tuple(blocked))
        for charge, level in zip(charges, levels, strict=True):
            level.taken += charge.amount
        return Grant(charges=tuple(charges))

    def settle(self, grant: Grant, tokens: float | None) -> None:
        """Give back and correct."""
        now = self._clock.monotonic()
        for charge in grant.charges:
            measure = charge.bucket.measure
            if measure is Measure.CONCURRENT:
                change = -charge.amount
            elif measure is Measure.TOKENS and tokens is not None:
                change = tokens - charge.amount
            else:
                continue
            level = self._level(charge.bucket, now)
            level.taken = max(0.0, level.taken + change)

    async def remaining(self, buckets: Sequence[Bucket]) -> Sequence[float]:
        """What is left of each."""
        now = self._clock.monotonic()
        return [max(0.0, b.capacity - self._level(b, now).taken) for b in buckets]

    def _level(self, bucket: Bucket, now: float) -> _Level:
        """The level as of `now`."""
        level = self._levels.get(bucket.key)
        if level is None:
            level = self._levels[bucket.key] = _Level(now, leaks=bucket.per_s > 0)
            if len(self._levels) > MAX_BUCKETS:
                self._forget()
        else:
            self._levels.move_to_end(bucket.key)
        if bucket.per_s:
            level.taken = max(0.0, level.taken - (now - level.at_s) * bucket.per_s)
        level.at_s = now
        return level

    def _forget(self) -> None:
        """Drop the least recently used bucket that no open call has a place in."""
        for key, level in self._levels.items():
            if level.leaks or not level.taken:
                del self._levels[key]
                return
