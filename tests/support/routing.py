"""The routing over scripted upstreams whose scripts a test changes as it goes."""

from __future__ import annotations

import random
from collections.abc import Sequence

from interlingua_gateway.core.call import Attempt, Call
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.ports import Blobs
from interlingua_gateway.core.prices import Price
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.core.target import Model, Target
from interlingua_gateway.core.wishes import Routing
from interlingua_gateway.providers.script import Say, Script
from interlingua_gateway.providers.scripted import ScriptedProvider
from interlingua_gateway.route.attempts import Attempts
from interlingua_gateway.route.backoff import Backoff, Budget, RetrySettings
from interlingua_gateway.route.breaker import BreakerSettings
from interlingua_gateway.route.classifier import Classifiers
from interlingua_gateway.route.directory import Directory
from interlingua_gateway.route.dispatch import Dispatch
from interlingua_gateway.route.fleet import Fleet
from interlingua_gateway.route.plan import Planner
from interlingua_gateway.route.record import Counts
from interlingua_gateway.route.rules import Rule
from interlingua_gateway.route.strategies import Strategies
from interlingua_gateway.route.vitals import Vitals
from interlingua_gateway.store.memory_blobs import MemoryBlobs
from interlingua_gateway.telemetry.metrics import Metrics
from interlingua_gateway.telemetry.upstream import UpstreamMetrics
from tests.support.calls import ask, call
from tests.support.manual_clock import ManualClock


class ChanceClock(ManualClock):
    """A manual clock whose random numbers are drawn from a seed."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__()
        self._random = random.Random(seed)

    def random(self) -> float:
        return self._random.random()


def target(name: str, provider: str = "stage", **fields: object) -> Target:
    """The deployment `name`, whose model has the same name."""
    return Target(deployment=name, provider=provider, model=name, label=name, **fields)


def priced(name: str, input_usd: float, output_usd: float = 0.0, **fields: object) -> Target:
    """The same with prices in USD a million tokens."""
    price = Price(input=int(input_usd * 1e6), output=int(output_usd * 1e6))
    return target(name, price=price, **fields)


def model(name: str, *targets: Target | str, **fields: object) -> Model:
    """An alias; a text stands for a plain target of that name."""
    made = tuple(target(t) if isinstance(t, str) else t for t in targets)
    return Model(name=name, targets=made, **fields)


def wishing(alias: str = "m", clock: Clock | None = None, **fields: object) -> Call:
    """A call for `alias`; fields of Routing, and `streaming`, `deadline`, `tags`, `caller`."""
    others = {k: fields.pop(k) for k in ("streaming", "deadline", "tags", "caller") if k in fields}
    request = fields.pop("request", None) or ask(alias)
    return call(request, clock, routing=Routing(**fields), **others)


class Upstream:
    """Plays for each deployment its script of the moment; counts what was asked and is open."""

    def __init__(self, clock: Clock, scripts: dict[str, Script]) -> None:
        self._clock = clock
        self.scripts = scripts
        self.asked: list[str] = []
        self.requests: list[object] = []

    async def open(self, attempt: Attempt) -> Reply:
        name = attempt.target.deployment
        self.asked.append(name)
        self.requests.append(attempt.request)
        script = self.scripts.get(name, (Say(f"I am {name}"),))
        scripts = {attempt.target.model: script}
        return await ScriptedProvider("stage", clock=self._clock, scripts=scripts).open(attempt)

    async def models(self) -> Sequence[str]:
        return []

    async def aclose(self) -> None:
        pass


class Stage:
    """A dispatch over one upstream that serves every deployment of `models`."""

    def __init__(
        self,
        clock: Clock,
        *models: Model,
        scripts: dict[str, Script] | None = None,
        breaker: BreakerSettings | None = None,
        retry: RetrySettings | None = None,
        budget: Budget | None = None,
        rules: Sequence[Rule] = (),
        provider: object = None,
        blobs: Blobs | None = None,
    ) -> None:
        targets = {t.deployment: t for m in models for t in m.targets}.values()
        settings = breaker or BreakerSettings()
        self.clock = clock
        self.upstream = Upstream(clock, scripts or {})
        self.metrics = Metrics()
        metrics = UpstreamMetrics(self.metrics)
        self.fleet = Fleet(tuple(targets), settings, metrics.breaker)
        self.vitals = Vitals(
            tuple(targets), clock, {}, self.fleet.breaker_state, self.fleet.in_flight
        )
        counts = Counts(
            fleet=self.fleet,
            vitals=self.vitals,
            metrics=metrics,
            clock=clock,
            silence_s=settings.silence_s,
            longest_rest_s=settings.max_cooldown_s,
        )
        self.blobs = blobs or MemoryBlobs(2**20, clock)
        self.planner = Planner(Directory(models), Strategies(self.fleet, clock), rules)
        providers = {t.provider: provider or self.upstream for t in targets}
        self.dispatch = Dispatch(
            self.planner,
            Classifiers(self.planner.find, self.blobs, settings, metrics, clock),
            Attempts(providers, counts),
            self.fleet,
            Backoff(retry or RetrySettings(), clock),
            budget or Budget(0.2, 10),
            metrics,
            clock,
        )

    @property
    def in_flight(self) -> int:
        """Attempts under way."""
        return sum(condition.in_flight for condition in self.vitals.conditions())

    def breaker(self, name: str) -> str:
        """The state of a deployment's breaker."""
        return self.fleet.breaker_state(name)
