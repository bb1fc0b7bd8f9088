"""Remembers how the recent attempts at every deployment went."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import Reason
from interlingua_gateway.core.events import AttemptRecord, Outcome
from interlingua_gateway.core.ports import Condition
from interlingua_gateway.core.target import Target

WINDOW_ATTEMPTS: Final = 128
HEALTHY_FROM: Final = 0.95
DEGRADED_FROM: Final = 0.5

# The caller's fault is no sign of the deployment's health.
_NOT_ITS_FAULT: Final = frozenset(
    {
        Reason.INVALID_REQUEST,
        Reason.UNSUPPORTED_PARAMETER,
        Reason.CONTEXT_LENGTH_EXCEEDED,
        Reason.CONTENT_FILTERED,
        Reason.CANCELLED,
    }
)


class _Recent:
    """One deployment: its last 128 attempts."""

    __slots__ = ("attempts", "last_error", "last_error_at_s")

    def __init__(self) -> None:
        self.attempts: deque[AttemptRecord] = deque(maxlen=WINDOW_ATTEMPTS)
        self.last_error = ""
        self.last_error_at_s: float | None = None


class Vitals:
    """Keeps how attempts ended, and tells how each deployment is.

    `obstacles` gives for a provider what keeps it from serving at all, or an empty text;
    `breaker_state` gives for a deployment the state of its circuit breaker, `in_flight` how many
    attempts are under way there.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        clock: Clock,
        obstacles: Mapping[str, Callable[[], str]] | None = None,
        breaker_state: Callable[[str], str] = lambda deployment: "",
        in_flight: Callable[[str], int] = lambda deployment: 0,
    ) -> None:
        self._clock = clock
        self._obstacles = obstacles or {}
        self._breaker_state = breaker_state
        self._in_flight = in_flight
        self._targets = {target.deployment: target for target in targets}
        self._recent = {name: _Recent() for name in self._targets}

    def take_over(self, former: Vitals, deployments: Iterable[str]) -> None:
        """Go on with what `former` remembers of `deployments`, and still learns of them."""
        self._recent.update((name, former._recent[name]) for name in deployments)

    def ended(self, target: Target, record: AttemptRecord) -> None:
        """An attempt at `target` has ended."""
        recent = self._recent[target.deployment]
        if record.outcome is Outcome.CANCELLED or record.reason in _NOT_ITS_FAULT:
            return
        recent.attempts.append(record)
        if record.outcome is Outcome.FAILED:
            recent.last_error = record.reason
            recent.last_error_at_s = self._clock.time()

    def conditions(self) -> Sequence[Condition]:
        """How each deployment is, in the configuration's order."""
        return [self._condition(target) for target in self._targets.values()]

    def _condition(self, target: Target) -> Condition:
        recent = self._recent[target.deployment]
        note = self._obstacles.get(target.provider, str)()
        breaker = self._breaker_state(target.deployment)
        done = [record for record in recent.attempts if record.outcome is Outcome.OK]
        rate = len(done) / len(recent.attempts) if recent.attempts else None
        latencies = sorted(record.duration_s for record in done)
        firsts = sorted(
            record.time_to_first_event_s
            for record in done
            if record.time_to_first_event_s is not None
        )
        return Condition(
            deployment=target.deployment,
            provider=target.provider,
            status="unhealthy" if note or breaker == "open" else _status(rate),
            note=note,
            attempts=len(recent.attempts),
            success_rate=rate,
            last_error=recent.last_error,
            last_error_at_s=recent.last_error_at_s,
            latency=_percentiles(latencies),
            first_event=_percentiles(firsts),
            in_flight=self._in_flight(target.deployment),
            breaker=breaker,
        )


def _status(rate: float | None) -> str:
    if rate is None:
        return "unknown"
    if rate >= HEALTHY_FROM:
        return "healthy"
    return "degraded" if rate >= DEGRADED_FROM else "unhealthy"


def _percentiles(ordered: Sequence[float]) -> tuple[float, float, float] | None:
    """The nearest-rank 50th, 95th and 99th percentile of an ordered sample."""
    if not ordered:
        return None
    last = len(ordered) - 1
    p50, p95, p99 = (ordered[min(last, int(len(ordered) * share))] for share in (0.5, 0.95, 0.99))
    return p50, p95, p99
