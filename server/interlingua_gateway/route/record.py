"""Times one attempt and reports it once to whoever counts."""

from __future__ import annotations

import msgspec

from interlingua_gateway.core.call import Attempt, Call, Phase
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import GatewayError, Reason, UpstreamError
from interlingua_gateway.core.estimate import input_tokens
from interlingua_gateway.core.events import AttemptRecord, Outcome, Usage
from interlingua_gateway.core.prices import cost_of
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import CountRequest
from interlingua_gateway.route.fleet import Fleet
from interlingua_gateway.route.vitals import Vitals
from interlingua_gateway.telemetry.upstream import UpstreamMetrics


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told of attempts. `silence_s` and `longest_rest_s` are those of BreakerSettings
    (`silence_s`, `max_cooldown_s`)."""

    fleet: Fleet
    vitals: Vitals
    metrics: UpstreamMetrics
    clock: Clock
    silence_s: float
    longest_rest_s: float


class Record:
    """One attempt, from its beginning to its end."""

    __slots__ = (
        "_attempt", "_call", "_counts", "_deployment", "_first_event_s", "_open", "_ticket",
        "started",
    )  # fmt: skip

    def __init__(self, counts: Counts, call: Call, attempt: Attempt) -> None:
        target = attempt.target
        self._counts = counts
        self._call = call
        self._attempt = attempt
        self._deployment = counts.fleet.of(target)
        self._first_event_s: float | None = None
        self._open = True
        self.started = counts.clock.monotonic()
        self._ticket = self._deployment.breaker.begin(self.started)
        self._deployment.bulkhead.enter()

    def answered(self) -> None:
        """The first event is there."""
        now = self._counts.clock.monotonic()
        self._first_event_s = now - self.started
        self._deployment.breaker.succeeded(self._ticket, now)
        self._deployment.paces[self._attempt.streaming].saw(self._first_event_s, now)

    def so_far(self) -> AttemptRecord:
        """The attempt as it stands while its answer goes on."""
        return self._report(Outcome.OK, "")

    def end(self, error: BaseException | None) -> None:
        """The attempt is over: None for a whole answer."""
        if self._open:
            self._judge(error)
            self._close(_outcome(error), _reason(error))

    def lost(self) -> None:
        """Another attempt was faster."""
        if self._open:
            self._close(Outcome.CANCELLED, "", paid=True)

    def _close(self, outcome: Outcome, reason: str, *, paid: bool = False) -> None:
        self._open = False
        self._deployment.bulkhead.leave()
        report = self._report(outcome, reason)
        given_up = outcome is Outcome.CANCELLED or reason == Reason.UPSTREAM_TIMEOUT
        silent = self._first_event_s is None and self._attempt.phase is Phase.FIRST_TOKEN
        if given_up and silent:
            now = self._counts.clock.monotonic()
            self._deployment.paces[self._attempt.streaming].waited(now - self.started, now)
        if paid or (given_up and silent):
            report = self._paid(report)
        target = self._attempt.target
        self._call.attempts.append(report)
        self._counts.vitals.ended(target, report)
        self._counts.metrics.ended(self._call, target, report)

    def _paid(self, report: AttemptRecord) -> AttemptRecord:
        """An upstream that got the request may charge its input, whatever became of it."""
        if isinstance(self._attempt.request, CountRequest):
            return report
        usage = Usage(input_tokens=input_tokens(self._attempt.request), estimated=True)
        return charged(report, usage, self._attempt.target)

    def _report(self, outcome: Outcome, reason: str) -> AttemptRecord:
        target = self._attempt.target
        return AttemptRecord(
            deployment=target.deployment,
            provider=target.provider,
            model=target.model,
            outcome=outcome,
            reason=reason,
            duration_s=self._counts.clock.monotonic() - self.started,
            time_to_first_event_s=self._first_event_s,
            decision=self._call.decision,
        )

    def _judge(self, error: BaseException | None) -> None:
        """What this end says of the deployment."""
        now = self._counts.clock.monotonic()
        if isinstance(error, UpstreamError) and _is_failure(error):
            self._failed(error, now)
        elif error is not None and self._silent_too_long(now):
            self._deployment.breaker.failed(self._ticket, now)
        elif self._first_event_s is None:
            self._deployment.breaker.abandoned(self._ticket)

    def _failed(self, error: UpstreamError, now: float) -> None:
        rest_s = min(error.retry_after_s or 0.0, self._counts.longest_rest_s)
        limited = Reason.UPSTREAM_RATE_LIMITED in (error.reason, error.metadata.get("cause"))
        if limited and self._attempt.phase is Phase.CONNECT:
            # Nothing was sent: a limit of our own has refused this one call.
            self._deployment.breaker.abandoned(self._ticket)
        elif limited and rest_s > 0.0:
            self._deployment.quota.hold(now + rest_s)
            self._deployment.breaker.abandoned(self._ticket)
        else:
            self._deployment.breaker.failed(self._ticket, now, rest_s)

    def _silent_too_long(self, now: float) -> bool:
        """Whether the deadline of the call ended a wait that was too long for any caller."""
        deadline = self._call.deadline
        return (
            self._first_event_s is None
            and deadline is not None
            and now >= deadline
            and now - self.started >= self._counts.silence_s
        )


def charged(report: AttemptRecord, usage: Usage, target: Target) -> AttemptRecord:
    """`report` of an attempt at `target` that used `usage` although another one answered."""
    price = target.price
    cost = None if price is None else cost_of(usage, price).nano_usd
    return msgspec.structs.replace(report, usage=usage, cost_nano_usd=cost)


def _is_failure(error: UpstreamError) -> bool:
    """Whether it is the deployment's own. Refused credentials are a fault of the configuration, to
    be told as such; bugs of ours and faults of callers are none of the deployment's either."""
    cause = error.metadata.get("cause", error.reason)
    return cause in UpstreamError.RETRYABLE and cause != Reason.UPSTREAM_REFUSED_CREDENTIALS


def _outcome(error: BaseException | None) -> Outcome:
    if error is None:
        return Outcome.OK
    return Outcome.FAILED if isinstance(error, Exception) else Outcome.CANCELLED


def _reason(error: BaseException | None) -> str:
    if isinstance(error, GatewayError):
        return str(error.metadata.get("cause", error.reason))
    return str(Reason.INTERNAL) if isinstance(error, Exception) else ""
