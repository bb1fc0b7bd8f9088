"""What one configuration makes: providers, routing and the rules that stand around calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from interlingua_gateway.app.answers import AnswerPolicies
from interlingua_gateway.app.budgets import BudgetPolicies
from interlingua_gateway.app.identity import Callers, Trusted
from interlingua_gateway.app.lasting import Lasting
from interlingua_gateway.app.limits import LimitPolicies
from interlingua_gateway.app.models import Catalogue
from interlingua_gateway.app.routing import Routing
from interlingua_gateway.app.stack import policies, stack
from interlingua_gateway.config.defaults import row_of
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.call import Call, Ending, Handler
from interlingua_gateway.core.clock import Tasks
from interlingua_gateway.core.ports import Provider
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.providers.local.provider import LocalProvider
from interlingua_gateway.route.listing import Listing, Source
from interlingua_gateway.telemetry.upstream import UpstreamMetrics


class Parts:
    """All of them, wired; nothing runs yet. `handler` is the stack of policies around the dispatch.

    What is the same under `former` is taken over: providers with their connections, and what is
    known of their deployments. `new` are the names of the providers that are not.
    """

    def __init__(self, config: Config, lasting: Lasting, former: Parts | None = None) -> None:
        """Raises InternalError: the configuration cannot be used; the message says why."""
        self.config = config
        self.tasks = Tasks()
        self._lasting = lasting
        self._calls = 0
        self._idle = asyncio.Event()
        unchanged = _unchanged(config, former)
        self.new = frozenset(config.providers) - unchanged
        self.providers: Mapping[str, Provider] = {
            name: former.providers[name]
            if former is not None and name in unchanged
            else lasting.factory.make(name, entry)
            for name, entry in config.providers.items()
        }
        self.catalogue = catalogue = Catalogue(config, lasting.prices)
        metrics, clock, stores = lasting.metrics, lasting.clock, lasting.stores
        self.routing: Routing = Routing(
            config.routing,
            catalogue,
            _obstacles(self.providers),
            UpstreamMetrics(metrics),
            clock,
            None if former is None else former.routing,
            unchanged,
        )
        sources = _sources(config, self.providers)
        self.listing = Listing(self.routing.directory, sources, clock, catalogue.complete)
        models = {model.name: model for model in catalogue.models}
        shared = None if former is None else former.answers
        self.answers: AnswerPolicies = AnswerPolicies(config, models, stores.blobs, clock, shared)
        questions = self.routing.planner.question_tokens
        counters, targets = stores.counters, catalogue.targets
        self.limits = LimitPolicies(config, counters, targets, questions, metrics, clock)
        known = None if former is None else former.callers
        self.callers: Callers = Callers(config, lasting.identities, clock, known)
        prospect = self.routing.planner.prospect
        self.budgets = BudgetPolicies(config, lasting.budgets, prospect)
        if former is not None:
            self.listing.take_over(former.listing, unchanged)
        self.handler = self.limited(self.limits)

    def limited(self, limits: LimitPolicies) -> Handler:
        """The stack of policies around the dispatch, with `limits`."""
        lasting = self._lasting
        chain = policies(
            lasting.metrics,
            lasting.clock,
            self.callers.permit,
            lasting.ledger,
            limits,
            self.answers,
            self.budgets,
        )
        providers, blobs = limits.around(self.providers), lasting.stores.blobs
        return stack(chain, self.routing.dispatch(providers, blobs))

    def handle(self, call: Call) -> Awaitable[Reply]:
        """The handler; see core.call.Handler. The call is one of these parts until it ends."""
        self._calls += 1
        call.defer(self._left)
        return self.handler(call)

    def begin(self, former: Parts | None = None) -> None:
        """From now on these are in force, after `former`; what runs beside calls is started."""
        if former is not None:
            self.callers.begin()
            self.limits.follow(former.limits)
        self.routing.begin(None if former is None else former.routing)
        self.listing.start(self.tasks)
        self.routing.start_checks(self.providers, self.tasks)
        self.callers.follow(self.tasks)

    async def idle(self) -> None:
        """Wait until no call is left that began here, nor what calls began together."""
        while self._calls:
            self._idle.clear()
            await self._idle.wait()
        await self.answers.tasks.joined_those_of_now()

    async def aclose(self, others: Iterable[Parts] = ()) -> None:
        """Close all that is not in use in `others` too."""
        used = {id(one) for parts in others for one in parts.closable}
        await self.tasks.aclose()
        await self.limits.aclose()
        for one in self.closable:
            if id(one) not in used:
                await one.aclose()

    @property
    def closable(self) -> Sequence[Provider | Trusted]:
        """What holds connections, and may be in use in other parts too."""
        return (*self.callers.trusted, *self.providers.values())

    def _left(self, call: Call, ending: Ending) -> None:
        self._calls -= 1
        if not self._calls:
            self._idle.set()


def _unchanged(config: Config, former: Parts | None) -> frozenset[str]:
    """The providers that are the same under `former`."""
    before = {} if former is None else former.config.providers
    return frozenset(name for name, entry in config.providers.items() if before.get(name) == entry)


def _sources(config: Config, providers: Mapping[str, Provider]) -> Mapping[str, Source]:
    found: dict[str, Source] = {}
    for name, entry in config.providers.items():
        if entry.models_refresh_s is not None:
            row = row_of(name, entry.kind)
            prefix = row.prefix if row is not None else ""
            found[name] = Source(providers[name], entry.models_refresh_s, prefix)
    return found


def _obstacles(providers: Mapping[str, Provider]) -> Mapping[str, Callable[[], str]]:
    return {
        name: provider.obstacle
        for name, provider in providers.items()
        if isinstance(provider, LocalProvider)
    }
