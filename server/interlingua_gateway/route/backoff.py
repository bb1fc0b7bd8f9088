"""How long to wait before trying again, and how much trying again there may be."""

from __future__ import annotations

import msgspec

from interlingua_gateway.core.clock import Clock


class RetrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """`rounds` is how often every target of a call may be tried. Before round n (from 2 on) the
    call waits a random time of up to `initial_s` * 2**(n-2), at most `max_s`."""

    rounds: int = 2
    initial_s: float = 0.25
    max_s: float = 2.0


class Budget:
    """A token bucket that calls fill and repeated attempts and hedges empty: together they are at
    most `share` of the calls, after a burst of `burst`, so that an outage does not multiply load.
    """

    __slots__ = ("_burst", "_share", "_tokens")

    def __init__(self, share: float, burst: int) -> None:
        self._share = share
        self._burst = float(burst)
        self._tokens = float(burst)

    def earn(self) -> None:
        """A call has come."""
        self._tokens = min(self._burst, self._tokens + self._share)

    def spend(self) -> bool:
        """Take one repeated attempt out, or say that there is none left."""
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class Backoff:
    """Exponential with full jitter. Source: https://aws.amazon.com/blogs/architecture/
    exponential-backoff-and-jitter/ (full jitter)."""

    def __init__(self, settings: RetrySettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    def delay_s(self, done: int, wanted_s: float | None, deadline: float | None) -> float | None:
        """Seconds to wait after `done` rounds, or None where nothing should be tried again.

        `wanted_s` is when the upstream asks to come back; the jitter comes on top of it. A wait
        that is longer than the configured longest one, or than what is left until `deadline`, is
        no wait: the caller is told at once.
        """
        settings = self._settings
        if done >= settings.rounds:
            return None
        ceiling = min(settings.max_s, settings.initial_s * 2.0 ** (done - 1))
        delay = (wanted_s or 0.0) + self._clock.random() * ceiling
        if (wanted_s or 0.0) > settings.max_s:
            return None
        if deadline is not None and self._clock.monotonic() + delay >= deadline:
            return None
        return delay
