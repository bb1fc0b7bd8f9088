"""What outlives a configuration: what is kept and counted, whatever the rules are at the moment."""

from __future__ import annotations

from collections.abc import MutableMapping

from interlingua_gateway.app.budgets import Budgets, budget_secrets
from interlingua_gateway.app.database import Databases, database_secrets
from interlingua_gateway.app.feedback import Processing, processors
from interlingua_gateway.app.identity import Identities, auth_secrets
from interlingua_gateway.app.ledger import LedgerPolicies
from interlingua_gateway.app.providers import ProviderFactory, secrets_of
from interlingua_gateway.app.stores import Stores, store_secrets
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.providers.price_map import load as load_prices
from interlingua_gateway.telemetry.metrics import Metrics


class Lasting:
    """The state of one gateway, made once of its first configuration: metrics, counters of limits,
    kept answers, keys and tenants, what was spent, the journal and the database.

    Parts are made beside it, of one configuration after the other.
    """

    def __init__(
        self,
        config: Config,
        environment: MutableMapping[str, str],
        redact: Redactor,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """Nothing runs yet.

        Raises:
            InternalError: the configuration cannot be used; the message says why.
        """
        self.clock = clock
        self.metrics = metrics
        self.redact = redact
        self.prices = load_prices()
        self.factory = ProviderFactory(redact, clock, environment)
        self.stores = Stores(config, clock)
        _show_redis(self.stores, metrics)
        self.databases = Databases(config)
        self.identities = Identities(config, self.databases, clock)
        self.ledger = LedgerPolicies(config, self.databases, metrics, redact, clock)
        self.budgets = Budgets(config, self.stores, self.databases, self.ledger, metrics, clock)
        self.processing = Processing(processors(config.feedback.processors))

    def start(self) -> None:
        """From now on the database is followed, and filled."""
        self.ledger.start()
        self.identities.start()
        self.budgets.start()

    async def known(self) -> None:
        """Wait until keys, tenants and what was spent are known."""
        await self.identities.loaded()
        await self.budgets.known()

    def configure(self, config: Config) -> None:
        """From now on what is kept and counted follows `config`."""
        self.stores.configure(config)
        self.budgets.configure(config)


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
