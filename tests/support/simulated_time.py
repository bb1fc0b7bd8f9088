"""An event loop whose time passes only when everything waits: hours take seconds."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from typing import TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Where the loop would wait, time jumps instead."""

    passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("everything waits for something that never comes")
        if not ready and timeout is not None and timeout > 0:
            self.passed_s += timeout
        return list(ready)


class SimulatedClock:
    """Implements Clock on the loop's simulated time; random numbers come from a seed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seed: int) -> None:
        self._loop = loop
        self._random = random.Random(seed)

    def monotonic(self) -> float:
        return self._loop.time()

    def time(self) -> float:
        return 1_800_000_000.0 + self._loop.time()

    def random(self) -> float:
        return self._random.random()

    def call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_at(when, callback)

    async def sleep(self, seconds: float) -> None:
        done = self._loop.create_future()
        timer = self._loop.call_later(seconds, done.set_result, None)
        try:
            await done
        finally:
            timer.cancel()


def simulate(work: Callable[[SimulatedClock], Coroutine[object, object, T]], seed: int = 1) -> T:
    """What `work` returns, run on a clock that starts at 0."""
    selector = _Selector()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.passed_s  # type: ignore[method-assign]
    try:
        return loop.run_until_complete(work(SimulatedClock(loop, seed)))
    finally:
        loop.close()
