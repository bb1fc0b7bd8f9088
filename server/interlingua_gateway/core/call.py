"""One request on its way in, and one attempt to serve it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import TypeAlias

import msgspec

from interlingua_gateway.core.errors import GatewayError, Reason
from interlingua_gateway.core.events import AttemptRecord, Decision, Outcome, Usage
from interlingua_gateway.core.prices import Cost
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import Request
from interlingua_gateway.core.wishes import Caching, Caller, Priority, Routing


class Phase(StrEnum):
    """What a call is waiting for; named when its deadline is spent."""

    ADMISSION = "admission"
    ROUTING = "routing"
    QUEUE = "queue"
    CONNECT = "connect"
    FIRST_TOKEN = "first_token"
    STREAM = "stream"
    DELIVERY = "delivery"


class CacheStatus(StrEnum):
    """Whether an answer came from the cache."""

    HIT = "hit"
    MISS = "miss"
    BYPASS = "bypass"
    REFRESHED = "refreshed"


class DedupeStatus(StrEnum):
    """Whether an identical call in flight was joined."""

    LEADER = "leader"
    FOLLOWER = "follower"


class Warned(msgspec.Struct, frozen=True):
    """Something that was not honoured because the caller asked for leniency."""

    field: str
    description: str


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a call ended; handed to every deferred callback."""

    outcome: Outcome
    reason: Reason | None = None
    duration_s: float


Deferred: TypeAlias = Callable[["Call", Ending], None]


class Call:
    """One request: who asks, what is asked, until when, and what has become of it so far.

    `deadline` is in `Clock.monotonic()` seconds or None. The second half of the attributes is
    written by the rooms that the call passes and read by the wire when it reports. `free` says that
    the answer cost nothing upstream on behalf of this call: it came from the cache, or another call
    pays for it. `bounded` says that whoever runs the call ends it at its deadline; for a fork
    nobody does, because others may wait for it longer. `defer` registers callbacks that run once,
    last in first out, however the call ends.
    """

    __slots__ = (
        "_deferred",
        "attempts",
        "bounded",
        "cache_status",
        "caching",
        "caller",
        "cost",
        "deadline",
        "decision",
        "dedupe_status",
        "first_event_s",
        "free",
        "id",
        "idempotency_key",
        "metadata",
        "method",
        "phase",
        "priority",
        "queue_s",
        "request",
        "routing",
        "started",
        "streaming",
        "tags",
        "target",
        "trace",
        "usage",
        "warnings",
    )

    def __init__(
        self,
        request: Request,
        *,
        call_id: str,
        method: str,
        started: float,
        deadline: float | None = None,
        streaming: bool = False,
        routing: Routing | None = None,
        caching: Caching | None = None,
        priority: Priority = Priority.NORMAL,
        idempotency_key: str = "",
        caller: Caller | None = None,
        tags: tuple[str, ...] = (),
        metadata: Mapping[str, str] | None = None,
        trace: Mapping[str, str] | None = None,
    ) -> None:
        self.request = request
        self.id = call_id
        self.method = method
        self.started = started
        self.deadline = deadline
        self.bounded = True
        self.streaming = streaming
        self.routing = routing or Routing()
        self.caching = caching or Caching()
        self.priority = priority
        self.idempotency_key = idempotency_key
        self.caller = caller or Caller()
        self.tags = tags
        self.metadata = metadata or {}
        self.trace = trace or {}
        self.phase = Phase.ADMISSION
        self.target: Target | None = None
        self.decision: Decision | None = None
        self.attempts: list[AttemptRecord] = []
        self.warnings: list[Warned] = []
        self.usage: Usage | None = None
        self.cost: Cost | None = None
        self.first_event_s: float | None = None
        self.queue_s = 0.0
        self.cache_status: CacheStatus | None = None
        self.dedupe_status: DedupeStatus | None = None
        self.free = False
        self._deferred: list[Deferred] = []

    def defer(self, callback: Deferred) -> None:
        """Run `callback(call, ending)` when the call ends; it must not raise or block."""
        self._deferred.append(callback)

    def end(self, ending: Ending) -> None:
        """Run what was deferred; a second call does nothing."""
        while self._deferred:
            self._deferred.pop()(self, ending)

    def fork(self, request: Request | None = None) -> Call:
        """The same call, or the same caller's call for `request`, with an end of its own.

        Nothing that became of this call is known to it, and nothing is deferred.
        """
        fork = Call(
            self.request if request is None else request,
            call_id=self.id,
            method=self.method,
            started=self.started,
            deadline=self.deadline,
            streaming=self.streaming,
            routing=self.routing,
            caching=self.caching,
            priority=self.priority,
            idempotency_key=self.idempotency_key,
            caller=self.caller,
            tags=self.tags,
            metadata=self.metadata,
            trace=self.trace,
        )
        fork.bounded = False
        return fork


class Attempt:
    """One try of one target: what a provider needs in order to open an answer.

    `headers` go to the upstream as they stand (trace context); `warn` records a parameter that
    the provider leaves out, or raises where the caller wants none left out.
    """

    __slots__ = ("headers", "lenient", "phase", "request", "streaming", "target", "warnings")

    def __init__(
        self,
        request: Request,
        target: Target,
        *,
        streaming: bool = False,
        lenient: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.request = request
        self.target = target
        self.streaming = streaming
        self.lenient = lenient
        self.headers: Mapping[str, str] = headers or {}
        self.warnings: list[Warned] = []
        self.phase = Phase.CONNECT

    def first_event_bound_s(self, share_s: float | None = None) -> float:
        """How long the first event may take: a whole answer comes all at once.

        `share_s` is the part of the call's time that a stream may wait for its first event when
        another target could still be tried; a whole answer needs its time.
        """
        timeouts = self.target.timeouts
        if not self.streaming:
            return timeouts.total_s
        return timeouts.first_token_s if share_s is None else min(timeouts.first_token_s, share_s)


Handler: TypeAlias = Callable[[Call], Awaitable[Reply]]


def ending_of(error: BaseException | None, duration_s: float) -> Ending:
    """The Ending for a call that raised `error`, or None if it came to its end."""
    if error is None:
        return Ending(outcome=Outcome.OK, duration_s=duration_s)
    if isinstance(error, GatewayError):
        if error.reason is Reason.CANCELLED:
            return Ending(outcome=Outcome.CANCELLED, reason=error.reason, duration_s=duration_s)
        return Ending(outcome=Outcome.FAILED, reason=error.reason, duration_s=duration_s)
    if isinstance(error, Exception):
        return Ending(outcome=Outcome.FAILED, reason=Reason.INTERNAL, duration_s=duration_s)
    return Ending(outcome=Outcome.CANCELLED, reason=Reason.CANCELLED, duration_s=duration_s)
