"""Time, randomness and tasks: the only module that touches the real ones."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Never, Protocol, TypeVar

T = TypeVar("T")


class Timer(Protocol):
    """A scheduled callback that can be called off."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """What the gateway needs to know of time; tests inject one that they advance themselves."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary origin; never goes back."""
        ...

    def time(self) -> float:
        """Seconds since the Unix epoch."""
        ...

    def random(self) -> float:
        """A uniform number in [0, 1)."""
        ...

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Run `callback` when `monotonic()` reaches `when`."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own clock."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)
    random = staticmethod(random.random)

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        # The loop's own time is time.monotonic() too.
        return asyncio.get_running_loop().call_at(when, callback)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Timeout:
    """`with Timeout(clock, when):` cancels the enclosing task at `when` and raises TimeoutError.

    Like asyncio.timeout_at, on an injected clock. `when` is in `clock.monotonic()` seconds; None
    never fires. It must not enclose a `yield` (PEP 789). A cancellation from outside passes
    through unchanged, also when it comes in the same turn of the loop.
    """

    __slots__ = ("_cancelling", "_clock", "_task", "_timer", "_when", "fired")

    def __init__(self, clock: Clock, when: float | None) -> None:
        self._clock = clock
        self._when = when
        self._timer: Timer | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self.fired = False

    def __enter__(self) -> Timeout:
        if self._when is not None:
            self._task = current_task()
            self._cancelling = self._task.cancelling()
            self._timer = self._clock.call_at(self._when, self._fire)
        return self

    def _fire(self) -> None:
        self.fired = True
        if self._task is not None:
            self._task.cancel()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if (
            self.fired
            and self._task is not None
            and self._task.uncancel() <= self._cancelling
            and isinstance(error, asyncio.CancelledError)
        ):
            raise TimeoutError from error


def secret_bytes(count: int) -> bytes:
    """`count` bytes that nobody can guess."""
    return secrets.token_bytes(count)


def current_task() -> asyncio.Task[object]:
    """The running task; there is always one inside the gateway's coroutines."""
    task = asyncio.current_task()
    assert task is not None
    return task


class Tasks:
    """A bounded life for background tasks: each is kept until it ends, all end with `aclose()`."""

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    def start(self, work: Coroutine[object, Never, T], name: str) -> asyncio.Task[T]:
        """Run `work` as a task that is kept until it ends."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def __len__(self) -> int:
        return len(self._tasks)

    async def joined(self) -> None:
        """Wait until all have ended of themselves."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def joined_those_of_now(self) -> None:
        """Wait until those have ended that run now, whatever is started meanwhile."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def aclose(self) -> None:
        """Cancel what still runs and wait for it; errors of the tasks were theirs to handle."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
