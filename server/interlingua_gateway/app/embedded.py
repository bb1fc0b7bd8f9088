"""An engine inside of somebody else's program: calls come from the program itself."""

from __future__ import annotations

from collections.abc import MutableMapping

import msgspec

from interlingua_gateway.app.engine import Engine
from interlingua_gateway.app.feedback import Box, LazyInsights
from interlingua_gateway.app.lasting import Lasting, secrets_in
from interlingua_gateway.app.limits import LimitPolicies
from interlingua_gateway.app.parts import Parts
from interlingua_gateway.app.reports import LazyReports
from interlingua_gateway.config.limits import LimitsConfig
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.call import Call, Handler
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.feedback import FeedbackBox, FeedbackReports
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.core.reports import Reports
from interlingua_gateway.core.wishes import Caller
from interlingua_gateway.telemetry.metrics import Metrics


class BreakerChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a program may change of circuit breakers, as in BreakerSettings."""

    failures: int
    successes: int
    cooldown_s: float


class Embedded(Engine):
    """Logging is left as the program has it."""

    def __init__(self, config: Config, clock: Clock, environment: MutableMapping[str, str]) -> None:
        """Nothing runs yet. Needs a running event loop.

        Raises:
            InternalError: the configuration cannot be used; the message says why.
        """
        metrics = Metrics()
        redact = Redactor(secrets_in(config))
        lasting = Lasting(config, environment, redact, metrics, clock)
        super().__init__(Parts(config, lasting), lasting, clock)
        self.config = config
        self.metrics = metrics
        self.reports: Reports = LazyReports(self.databases, self.ledger.settled, clock)
        self.insights: FeedbackReports = LazyInsights(self.databases, self.ledger.settled)
        self.feedback: FeedbackBox = Box(self.ledger.journal, self.processing, self.ledger.mask)
        self._limits = self.parts.limits
        self._handler: Handler = self.parts.handler
        self._replaced: list[LimitPolicies] = []

    @property
    def limits(self) -> LimitPolicies:
        """Those that the program has given, or else those of the configuration."""
        return self._limits

    async def handle(self, call: Call) -> Reply:
        """The handler that stands for everything; see core.call.Handler."""
        return await self._handler(call)

    def caller(self, tenant: str, user: str) -> Caller:
        """Who calls for `tenant`: with its tier and its models, where those are kept."""
        return self.identities.known.caller(tenant, user=user)

    def limit(self, limits: LimitsConfig) -> None:
        """From now on `limits` hold for calls that begin; those that run or wait keep theirs."""
        config = self.config.model_copy(update={"limits": limits})
        counters, targets = self.stores.counters, self.parts.catalogue.targets
        questions = self.parts.routing.planner.question_tokens
        made = LimitPolicies(config, counters, targets, questions, self.metrics, self._clock)
        self._replaced = [one for one in (*self._replaced, self._limits) if one.waiting]
        self.config, self._limits = config, made
        self._handler = self.parts.limited(made)

    def break_circuits(self, change: BreakerChange, provider: str | None) -> None:
        """From now on circuit breakers, or those of one provider, open and close so."""
        settings = msgspec.structs.replace(
            self.routing.breakers,
            failures=change.failures,
            successes=change.successes,
            cooldown_s=change.cooldown_s,
            max_cooldown_s=max(change.cooldown_s, self.routing.breakers.max_cooldown_s),
        )
        self.routing.configure_breakers(settings, provider)

    async def aclose(self) -> None:
        """End everything that still runs."""
        for limits in (*self._replaced, self._limits):
            await limits.aclose()
        await super().aclose()
