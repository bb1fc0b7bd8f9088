"""A clock that stands still until the test moves it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable


class _Alarm:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class ManualClock:
    """Implements Clock; starts at 1,000 s monotonic and at a fixed date."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._alarms: list[_Alarm] = []
        self._changed = asyncio.Event()

    def monotonic(self) -> float:
        return self._now

    def time(self) -> float:
        return 1_800_000_000.0 + self._now

    def random(self) -> float:
        return 0.5

    def call_at(self, when: float, callback: Callable[[], None]) -> _Alarm:
        alarm = _Alarm(when, callback)
        self._alarms.append(alarm)
        self._changed.set()
        return alarm

    async def sleep(self, seconds: float) -> None:
        done = asyncio.get_running_loop().create_future()
        alarm = self.call_at(self._now + seconds, lambda: done.done() or done.set_result(None))
        try:
            await done
        finally:
            alarm.cancel()

    @property
    def waiting(self) -> int:
        """Alarms that are set."""
        return sum(1 for alarm in self._alarms if not alarm.cancelled)

    def due_in(self, between_s: tuple[float, float]) -> int:
        """Alarms that are due after so many seconds from now: what goes on behind all calls has
        alarms of its own, at other times."""
        first, last = between_s
        due = (a.when - self._now for a in self._alarms if not a.cancelled)
        return sum(1 for seconds in due if first <= seconds <= last)

    async def until_waiting(
        self, count: int = 1, between_s: tuple[float, float] = (-math.inf, math.inf)
    ) -> None:
        """Wait until `count` alarms are set that are due in a time `between_s`."""
        while self.due_in(between_s) < count:
            self._changed.clear()
            await self._changed.wait()

    def advance(self, seconds: float) -> None:
        """Move on by `seconds` and run what is due, in its order."""
        self._now += seconds
        due = sorted(
            (a for a in self._alarms if not a.cancelled and a.when <= self._now),
            key=lambda a: a.when,
        )
        self._alarms = [a for a in self._alarms if not a.cancelled and a.when > self._now]
        for alarm in due:
            if not alarm.cancelled:
                alarm.callback()
