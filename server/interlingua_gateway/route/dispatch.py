"""Serves a call: one target after the other until one answers; after its first event no more."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from interlingua_gateway.core.call import Call
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import Request
from interlingua_gateway.route.attempts import Attempts, Opened
from interlingua_gateway.route.backoff import Backoff, Budget
from interlingua_gateway.route.classifier import Classifiers
from interlingua_gateway.route.continuation import Continuation, can_continue
from interlingua_gateway.route.failures import Failures
from interlingua_gateway.route.fleet import Fleet
from interlingua_gateway.route.hedge import Hedging
from interlingua_gateway.route.need import Need
from interlingua_gateway.route.plan import Plan, Planner
from interlingua_gateway.route.race import Open, race
from interlingua_gateway.telemetry.upstream import UpstreamMetrics


class Dispatch:
    """The innermost handler.

    A round tries every target of the plan once, at once one after the other: to go to another
    target multiplies nothing. Further rounds repeat: they wait before, and spend of the budget.
    """

    def __init__(
        self,
        planner: Planner,
        classifiers: Classifiers,
        attempts: Attempts,
        fleet: Fleet,
        backoff: Backoff,
        budget: Budget,
        metrics: UpstreamMetrics,
        clock: Clock,
    ) -> None:
        self._planner = planner
        self._classifiers = classifiers
        self._attempts = attempts
        self._fleet = fleet
        self._backoff = backoff
        self._budget = budget
        self._metrics = metrics
        self._hedging = Hedging(fleet, budget)
        self._clock = clock

    async def __call__(self, call: Call) -> Reply:
        """The reply of the first target that answers.

        Raises:
            CallerError: unknown model, or the request is at fault.
            PolicyError: OVERLOADED, every target is as busy as it may be.
            UpstreamError: the only target failed, or ALL_TARGETS_FAILED, or CIRCUIT_OPEN.
        """
        self._budget.earn()
        need = Need(call)
        model = self._planner.model(call, need)
        if model.classifier is not None:
            model = await self._classifiers.choose(call, need, model, self._ask)
        plan = self._planner.plan(call, need, model)
        try:
            opened = await self._serve(call, plan, call.request)
        except GatewayError as error:
            detour = self._planner.detour(plan, error.reason)
            if detour is None:
                raise
            plan = detour
            opened = await self._serve(call, plan, call.request)
        reply = opened.accept()
        if can_continue(call, reply):
            reply.source = Continuation(call, reply, opened, partial(self._serve, call, plan))
        return reply

    async def _ask(self, call: Call) -> Reply:
        """The reply to a classifier's question, by no rule; no target is asked twice."""
        need = Need(call)
        plan = self._planner.plan(call, need, self._planner.find(call.request.model))
        return (await self._serve(call, plan, call.request, repeat=False)).accept()

    async def _serve(
        self,
        call: Call,
        plan: Plan,
        request: Request,
        but: frozenset[str] = frozenset(),
        *,
        repeat: bool = True,
    ) -> Opened:
        """The first answer to `request` of a target of `plan` whose deployment is not in `but`."""
        journey = _Journey(call, plan, request, but)
        failures = journey.failures
        rounds = 0
        while True:
            opened = await self._round(journey, repeated=rounds > 0)
            if opened is not None:
                return opened
            rounds += 1
            delay_s = None
            if repeat and failures.worth_waiting:
                delay_s = self._backoff.delay_s(rounds, failures.wanted_s, call.deadline)
            if delay_s is None:
                raise failures.combined()
            await self._clock.sleep(delay_s)
            journey.begin_round()

    async def _round(self, journey: _Journey, *, repeated: bool) -> Opened | None:
        """Try each target once; None if none has answered."""
        failures = journey.failures
        for stage in journey.plan.stages:
            targets = self._planner.ordered(journey.call, journey.plan, stage)
            for place, target in enumerate(targets):
                if journey.over(target) or not self._passable(target, failures):
                    continue
                if repeated and failures.attempted and not self._budget.spend():
                    raise failures.combined()
                last = stage is journey.plan.stages[-1] and place == len(targets) - 1
                share_s = None if last else self._share_s(journey.call)
                try:
                    return await self._try(journey, target, targets[place + 1 :], share_s)
                except GatewayError as error:
                    if not failures.add(target, error):
                        raise
        return None

    def _passable(self, target: Target, failures: Failures) -> bool:
        obstacle = self._fleet.of(target).obstacle(self._clock.monotonic())
        if obstacle is None:
            return True
        self._metrics.passed_over(target, obstacle.why)
        failures.obstacle(target, obstacle)
        return False

    async def _try(
        self, journey: _Journey, target: Target, later: Sequence[Target], share_s: float | None
    ) -> Opened:
        """The answer of `target`, or of one of `later` that was started when it was slow."""
        call, plan, request = journey.call, journey.plan, journey.request
        first = partial(self._attempts.open, call, request, target, share_s)
        delay_s = self._hedging.delay_s(call, plan) if later else None
        if delay_s is None:
            return await first()

        def second() -> Open | None:
            spare = [other for other in later if other.deployment not in journey.done]
            rival = self._hedging.rival(plan, target, spare, self._clock.monotonic())
            if rival is None:
                return None
            journey.done.add(rival.deployment)
            self._metrics.hedged(rival)
            return partial(self._attempts.open, call, request, rival)

        return await race(first, second, delay_s, self._clock)

    def _share_s(self, call: Call) -> float | None:
        """Half of the time that is left, so that another target can still answer."""
        if call.deadline is None:
            return None
        return max(0.0, call.deadline - self._clock.monotonic()) / 2.0


class _Journey:
    """How far a call has come; `done` are the deployments that had their turn in this round."""

    __slots__ = ("call", "done", "failures", "plan", "request")

    def __init__(self, call: Call, plan: Plan, request: Request, but: frozenset[str]) -> None:
        self.call = call
        self.plan = plan
        self.request = request
        self.failures = Failures(call)
        self.failures.hopeless.update(but)
        self.done = set(but)

    def begin_round(self) -> None:
        self.failures.begin_round()
        self.done = set(self.failures.hopeless)

    def over(self, target: Target) -> bool:
        """Whether `target` has had its turn; from now on it has."""
        if target.deployment in self.done or self.failures.too_small(target):
            return True
        self.done.add(target.deployment)
        return False
