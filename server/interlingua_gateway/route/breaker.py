"""A circuit breaker: lets no attempt through to a deployment that keeps failing, for a while."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

SLOTS: Final = 10
"""Parts of the window; the oldest part is forgotten as a whole."""


class State(StrEnum):
    """Whether attempts pass: all, none, or a few to see whether it works again."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """When a breaker opens and closes.

    It opens after `failures` in a row, or when of at least `min_attempts` within `window_s` a share
    of `error_rate` failed. It rests for `cooldown_s`, twice as long each time it opens again before
    it has closed, up to `max_cooldown_s`; then `probes` attempts at once may pass, and `successes`
    of them close it. `silence_s` is how long an attempt must have waited for its first event for it
    to count as a failure when the deadline of the call ends it.
    """

    failures: int = 5
    error_rate: float = 0.5
    min_attempts: int = 20
    window_s: float = 30.0
    cooldown_s: float = 5.0
    max_cooldown_s: float = 60.0
    probes: int = 1
    successes: int = 2
    silence_s: float = 10.0


class Breaker:
    """The breaker of one deployment. Times are seconds of the monotonic clock.

    `begin` gives a ticket; what became of the attempt is told with it, and counts only if the state
    has not changed since. A success is told at the first event, a break after it as a failure.
    """

    __slots__ = (
        "_changed", "_cooldown_s", "_in_a_row", "_probing", "_settings", "_successes", "_ticket",
        "_window", "reopens_at", "state",
    )  # fmt: skip

    def __init__(
        self, settings: BreakerSettings, changed: Callable[[State], None] = lambda state: None
    ) -> None:
        self._settings = settings
        self._changed = changed
        self._window = _Window(settings.window_s / SLOTS)
        self._cooldown_s = settings.cooldown_s
        self._in_a_row = self._probing = self._successes = self._ticket = 0
        self.reopens_at = 0.0
        self.state = State.CLOSED

    def configure(self, settings: BreakerSettings) -> None:
        """From now on follow `settings`; the state stays, and what was counted is forgotten."""
        self._settings = settings
        self._window = _Window(settings.window_s / SLOTS)
        self._cooldown_s = settings.cooldown_s
        self._in_a_row = 0

    def admits(self, now: float) -> bool:
        """Whether an attempt may begin now."""
        if self.state is State.CLOSED:
            return True
        if self.state is State.OPEN:
            return now >= self.reopens_at
        return self._probing < self._settings.probes

    def begin(self, now: float) -> int:
        """An admitted attempt begins; its ticket."""
        if self.state is State.OPEN and now >= self.reopens_at:
            self._turn(State.HALF_OPEN)
        self._probing += 1
        return self._ticket

    def succeeded(self, ticket: int, now: float) -> None:
        """The first event is there."""
        if ticket != self._ticket:
            return
        self._probing -= 1
        self._in_a_row = 0
        if self.state is State.CLOSED:
            self._window.add(now, failed=False)
        else:
            self._successes += 1
            if self._successes >= self._settings.successes:
                self._cooldown_s = self._settings.cooldown_s
                self._turn(State.CLOSED)

    def failed(self, ticket: int, now: float, retry_after_s: float = 0.0) -> None:
        """It failed, before or after its first event; `retry_after_s` is the upstream's word."""
        if ticket != self._ticket:
            return
        if self.state is State.HALF_OPEN:
            self._open(now, retry_after_s)
            return
        self._in_a_row += 1
        good, bad = self._window.add(now, failed=True)
        settings = self._settings
        enough = good + bad >= settings.min_attempts
        if self._in_a_row >= settings.failures or (
            enough and bad >= settings.error_rate * (good + bad)
        ):
            self._open(now, retry_after_s)

    def abandoned(self, ticket: int) -> None:
        """It ended before its first event, and that says nothing of the deployment."""
        if ticket == self._ticket:
            self._probing -= 1

    def trip(self, now: float, rest_s: float) -> None:
        """Open it, whatever it counted, for at least `rest_s` from now."""
        if self.state is not State.OPEN:
            self._open(now, 0.0)
        self.reopens_at = max(self.reopens_at, now + rest_s)

    def try_again(self, now: float) -> None:
        """End the rest of an open breaker now."""
        self.reopens_at = min(self.reopens_at, now)

    def _open(self, now: float, retry_after_s: float) -> None:
        limit = self._settings.max_cooldown_s
        self.reopens_at = now + max(self._cooldown_s, min(retry_after_s, limit))
        self._cooldown_s = min(2 * self._cooldown_s, limit)
        self._turn(State.OPEN)

    def _turn(self, state: State) -> None:
        self.state = state
        self._ticket += 1
        self._in_a_row = self._probing = self._successes = 0
        self._window.clear()
        self._changed(state)


class _Window:
    """Counts good and bad attempts of the last ten slots of `slot_s` seconds."""

    __slots__ = ("_counts", "_slot", "_slot_s")

    def __init__(self, slot_s: float) -> None:
        self._slot_s = slot_s
        self._slot = 0
        self._counts = [[0, 0] for _ in range(SLOTS)]

    def add(self, now: float, *, failed: bool) -> tuple[int, int]:
        """Count one attempt; how many were good and bad."""
        slot = int(now / self._slot_s)
        for old in range(self._slot + 1, min(slot, self._slot + SLOTS) + 1):
            self._counts[old % SLOTS] = [0, 0]
        self._slot = slot
        self._counts[slot % SLOTS][failed] += 1
        if not failed:
            return 0, 0
        return sum(good for good, _ in self._counts), sum(bad for _, bad in self._counts)

    def clear(self) -> None:
        """Forget all."""
        self._counts = [[0, 0] for _ in range(SLOTS)]
