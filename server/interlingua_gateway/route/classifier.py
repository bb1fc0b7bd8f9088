"""Chooses the route of a call to an alias with a classifier; without a choice, the default."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from interlingua_gateway.core.call import Call, Handler, Phase
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import CallerError, GatewayError, Reason
from interlingua_gateway.core.estimate import input_tokens
from interlingua_gateway.core.events import (
    AttemptRecord,
    DecidedBy,
    Decision,
    Outcome,
    Usage,
)
from interlingua_gateway.core.ports import Blobs
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.core.run import run
from interlingua_gateway.core.target import Classifier, Model, Route
from interlingua_gateway.core.types import CountRequest, GenerateRequest
from interlingua_gateway.core.wishes import CacheMode, Leniency, Routing
from interlingua_gateway.route.breaker import Breaker, BreakerSettings
from interlingua_gateway.route.need import Need
from interlingua_gateway.route.question import Question
from interlingua_gateway.route.record import charged
from interlingua_gateway.telemetry.upstream import UpstreamMetrics


class Classifiers:
    """Asks classifiers, and keeps what they chose.

    A classifier that keeps failing or is silent gets a rest like a deployment; what the text of one
    caller brings about is no reason to rest for all. Only routes that can serve the call are to
    choose from; the wishes of the caller for the way are for the answer, not for the question.
    """

    def __init__(
        self,
        find: Callable[[str], Model],
        blobs: Blobs,
        settings: BreakerSettings,
        metrics: UpstreamMetrics,
        clock: Clock,
    ) -> None:
        self._find = find
        self._blobs = blobs
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._breakers: dict[str, Breaker] = {}

    async def choose(self, call: Call, need: Need, alias: Model, ask: Handler) -> Model:
        """The model of the route that is chosen for `call`; `call.decision` tells of it.

        `ask` serves the classifier's own call. A count of tokens is for the default route.

        Raises:
            CallerError: the call is to embed, for which there are no routes.
        """
        classifier = alias.classifier
        assert classifier is not None
        if isinstance(call.request, CountRequest):
            return self._find(classifier.default.use)
        if not isinstance(call.request, GenerateRequest):
            raise CallerError.of_field(
                "model",
                f"`{alias.name}` chooses a model for conversations; name one that embeds",
            )
        call.phase = Phase.ROUTING
        route, by = await self._chosen(call, call.request, need, alias.name, classifier, ask)
        call.decision = Decision(alias.name, route.name, by)
        self._metrics.decided(call.decision)
        return self._find(route.use)

    async def _chosen(
        self,
        call: Call,
        request: GenerateRequest,
        need: Need,
        name: str,
        classifier: Classifier,
        ask: Handler,
    ) -> tuple[Route, DecidedBy]:
        routes = self._able(need, classifier)
        if len(routes) == 1:
            return routes[0], DecidedBy.ONLY_ROUTE
        question = Question(call, request, classifier, routes)
        key, mode = question.key, call.caching.mode
        if mode not in (CacheMode.BYPASS, CacheMode.REFRESH):
            found = await self._blobs.get(key)
            kept = None if found is None else question.named(found.decode(errors="replace"))
            if kept is not None:
                return kept, DecidedBy.CACHE
        route = await self._asked(call, question, name, classifier, ask)
        if route is None:
            default = classifier.default
            return default if default in routes else routes[0], DecidedBy.DEFAULT
        if mode is not CacheMode.BYPASS:
            labels = (f"model:{call.request.model}", f"tenant:{call.caller.tenant}")
            self._blobs.put(key, route.name.encode(), classifier.cache_ttl_s, labels)
        return route, DecidedBy.CLASSIFIER

    def _able(self, need: Need, classifier: Classifier) -> Sequence[Route]:
        """The routes that can serve the call as far as is known; all of them if none can."""
        routes = classifier.routes
        able = [r for r in routes if any(need.suits(t) for t in self._find(r.use).targets)]
        return able or routes

    async def _asked(
        self, call: Call, question: Question, name: str, classifier: Classifier, ask: Handler
    ) -> Route | None:
        """The classifier's choice, or None without one."""
        breaker = self._breakers.setdefault(name, Breaker(self._settings))
        now = self._clock.monotonic()
        if not breaker.admits(now):
            return None
        ticket = breaker.begin(now)
        own = self._own_call(call, question, classifier, now)
        usage: Usage | None = None
        try:
            answer = await run(own, ask, Reply.collect, self._clock)
            usage = answer.usage or question.estimate(answer)
        except GatewayError as error:
            if _is_its_own(error, hurried=own.deadline != now + classifier.timeout_s):
                breaker.failed(ticket, self._clock.monotonic())
            else:
                breaker.abandoned(ticket)
            return None
        except BaseException:
            breaker.abandoned(ticket)
            raise
        finally:
            call.attempts.extend(_paid(own, record, usage) for record in own.attempts)
        breaker.succeeded(ticket, self._clock.monotonic())
        return question.chosen(answer)

    def _own_call(self, call: Call, question: Question, classifier: Classifier, now: float) -> Call:
        """The call to the classifier's model: at most half of the time that is left is for it."""
        own = call.fork(question.request())
        own.routing = Routing(leniency=Leniency.WARN)
        own.streaming = False
        own.deadline = now + classifier.timeout_s
        if call.deadline is not None:
            own.deadline = min(own.deadline, now + max(0.0, call.deadline - now) / 2.0)
        return own


def _is_its_own(error: GatewayError, *, hurried: bool) -> bool:
    """Whether the classifier has failed: not when the request was at fault, or the caller in a
    hurry."""
    if error.reason is Reason.DEADLINE_EXCEEDED:
        return not hurried
    return not isinstance(error, CallerError) and error.reason is not Reason.CONTENT_FILTERED


def _paid(own: Call, record: AttemptRecord, usage: Usage | None) -> AttemptRecord:
    """`record` as the classifier's; what answered is paid for too, though another one answers the
    call: by `usage`, or by its input where the answer broke off."""
    record = msgspec.structs.replace(record, classifying=True)
    if record.outcome is not Outcome.OK or own.target is None:
        return record
    asked = Usage(input_tokens=input_tokens(own.request), estimated=True)
    return charged(record, usage or asked, own.target)
