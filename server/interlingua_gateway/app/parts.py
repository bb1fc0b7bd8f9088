"""What a gateway is made of behind its front: providers, routing, stores and what stands around
calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping

from interlingua_gateway.app.answers import AnswerPolicies
from interlingua_gateway.app.budgets import BudgetPolicies, budget_secrets
from interlingua_gateway.app.database import Databases, database_secrets
from interlingua_gateway.app.feedback import Processing, processors
from interlingua_gateway.app.identity import Identities, auth_secrets
from interlingua_gateway.app.ledger import LedgerPolicies
from interlingua_gateway.app.limits import LimitPolicies
from interlingua_gateway.app.models import Catalogue
from interlingua_gateway.app.providers import ProviderFactory, secrets_of
from interlingua_gateway.app.routing import Routing
from interlingua_gateway.app.stack import policies, stack
from interlingua_gateway.app.stores import Stores, store_secrets
from interlingua_gateway.config.defaults import row_of
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.call import Handler
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.ports import Provider
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.providers.local.provider import LocalProvider
from interlingua_gateway.providers.price_map import load as load_prices
from interlingua_gateway.route.listing import Listing, Source
from interlingua_gateway.telemetry.metrics import Metrics
from interlingua_gateway.telemetry.upstream import UpstreamMetrics


class Parts:
    """All of them, wired; nothing runs yet. `handler` is the stack of policies around the dispatch.

    Raises:
        InternalError: the configuration cannot be used; the message says why.
    """

    def __init__(
        self,
        config: Config,
        environment: MutableMapping[str, str],
        redact: Redactor,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        factory = ProviderFactory(redact, clock, environment)
        self.providers: Mapping[str, Provider] = {
            name: factory.make(name, entry) for name, entry in config.providers.items()
        }
        self.catalogue = catalogue = Catalogue(config, load_prices())
        obstacles = _obstacles(self.providers)
        upstream = UpstreamMetrics(metrics)
        self.routing = Routing(config.routing, catalogue, obstacles, upstream, clock)
        sources = _sources(config, self.providers)
        self.listing = Listing(self.routing.directory, sources, clock, catalogue.complete)
        self.stores = Stores(config, clock)
        _show_redis(self.stores, metrics)
        models = {model.name: model for model in catalogue.models}
        self.answers = AnswerPolicies(config, models, self.stores.blobs, clock)
        questions = self.routing.planner.question_tokens
        counters = self.stores.counters
        self.limits = LimitPolicies(config, counters, catalogue.targets, questions, metrics, clock)
        self.databases = Databases(config)
        self.identities = Identities(config, self.databases, clock)
        self.ledger = LedgerPolicies(config, self.databases, metrics, redact, clock)
        self.budgets = BudgetPolicies(
            config,
            self.stores,
            self.databases,
            self.ledger,
            self.routing.planner.prospect,
            metrics,
            clock,
        )
        self.processing = Processing(processors(config.feedback.processors))
        self._metrics = metrics
        self._clock = clock
        self.handler = self.limited(self.limits)

    def limited(self, limits: LimitPolicies) -> Handler:
        """The stack of policies around the dispatch, with `limits`."""
        chain = policies(
            self._metrics,
            self._clock,
            self.identities.permit,
            self.ledger,
            limits,
            self.answers,
            self.budgets,
        )
        return stack(chain, self.routing.dispatch(limits.around(self.providers), self.stores.blobs))


def secrets_in(config: Config) -> tuple[str, ...]:
    """Every secret of `config`, for the redactor."""
    return (
        *secrets_of(config.providers),
        *store_secrets(config),
        *database_secrets(config),
        *auth_secrets(config),
        *budget_secrets(config),
    )


def _show_redis(stores: Stores, metrics: Metrics) -> None:
    if stores.link is not None:
        metrics.redis_up.set(1)
        stores.link.watch(metrics.redis_up.set)


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
