"""Makes budgets of a configuration: the policy, where spending is counted, alerts, the database."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from interlingua_gateway.app.database import Databases
from interlingua_gateway.app.ledger import LedgerPolicies
from interlingua_gateway.app.stores import Stores
from interlingua_gateway.config.budgets import BudgetConfig, BudgetsConfig
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.budget import Alert, BudgetRule, Facet, Period
from interlingua_gateway.core.clock import Clock, Tasks
from interlingua_gateway.core.errors import GatewayError, InternalError
from interlingua_gateway.core.ports import Policy
from interlingua_gateway.core.ports_budget import BudgetStore
from interlingua_gateway.policies.budget import Budget, BudgetOptions, Prospects
from interlingua_gateway.policies.budget_alerts import BudgetAlerts
from interlingua_gateway.policies.budget_board import BudgetBoard
from interlingua_gateway.policies.budget_book import BudgetBook
from interlingua_gateway.policies.budget_rules import BudgetRules
from interlingua_gateway.providers.transport.client import HttpClient
from interlingua_gateway.providers.transport.tls import client_tls
from interlingua_gateway.providers.webhook import Webhook
from interlingua_gateway.telemetry.budgets import BudgetMetrics
from interlingua_gateway.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from interlingua_gateway.store.sql.budgets import SqlBudgets

log = logging.getLogger("interlingua.budget")


class Budgets:
    """What is spent and put at runtime, whatever the configuration: `board` changes it.

    The database is followed from the start where there may be something in it, else from the first
    thing on that is to be kept there.
    """

    def __init__(
        self,
        config: Config,
        stores: Stores,
        databases: Databases,
        ledger: LedgerPolicies,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        section = config.budgets
        self._databases = databases
        self._ledger = ledger
        self._tasks = Tasks()
        self._store: SqlBudgets | None = None
        self.rules = BudgetRules(_rules(config), _names(config), clock)
        # What was spent before may be in the database, or on its way there.
        self._has_past = databases.exists or ledger.inherits
        self.book = BudgetBook(
            self.rules, lambda: self.spending.steady, clock, empty=not self._has_past
        )
        self.metrics = BudgetMetrics(metrics)
        self._webhook = _webhook(section, clock)
        post = None if self._webhook is None else self._webhook.post
        alerts = BudgetAlerts((self._keep,), post, self.metrics, clock)
        self.spending = stores.spending(section.share_without_redis, self.book.floor_of, alerts)
        self.board = BudgetBoard(self.rules, self.book, self.spending, self._open)

    def start(self) -> None:
        """Follow the database, if there may be something in it."""
        if self._has_past:
            self._tasks.start(self._begin(), "open-budgets")

    async def known(self) -> None:
        """Wait until it is known what was spent before this gateway."""
        await self.book.known()

    async def prepare(self, config: Config) -> None:
        """Learn what was spent of the budgets of `config`, before they hold.

        Raises:
            GatewayError: the database does not answer.
        """
        if set(_rules(config)) <= set(self.rules.configured) or not self._databases.exists:
            return
        await self._ledger.settled()
        await self.book.prepare(await self._open(), _rules(config))

    def configure(self, config: Config) -> None:
        """From now on the budgets of `config` hold; what was spent stays spent."""
        rules, names = _rules(config), _names(config)
        if (rules, names) == (list(self.rules.configured), self.rules.names):
            return
        self.rules.configure(rules, names)
        self.book.configured()

    async def aclose(self) -> None:
        """Stop following, and post no more."""
        await self._tasks.aclose()
        if self._webhook is not None:
            await self._webhook.aclose()

    def _keep(self, alert: Alert) -> None:
        self.book.alerted(alert)
        if self._store is None:
            self._tasks.start(self._begin(), "open-budgets")

    async def _begin(self) -> None:
        try:
            await self._open()
        except GatewayError as error:
            log.error("budgets cannot be read", extra={"fields": {"error": error.message}})

    async def _open(self) -> BudgetStore:
        if self._store is None:
            module = await self._databases.module("budgets")
            database = await self._databases.open()
            if self._store is None:
                self._store = module.SqlBudgets(database)
                self._tasks.start(self._follow(self._store), "follow-budgets")
        return self._store

    async def _follow(self, store: BudgetStore) -> None:
        # What a process spent before it was killed counts from the first call on.
        await self._ledger.inherited()
        await self.book.follow(store)


class BudgetPolicies:
    """`policy` holds also without a budget in the configuration, for they can be put at runtime."""

    def __init__(self, config: Config, budgets: Budgets, prospects: Prospects) -> None:
        section = config.budgets
        options = BudgetOptions(
            allow_unpriced=section.unpriced == "allow",
            longest_output_tokens=section.longest_output_tokens,
        )
        self.policy: Policy = Budget(
            budgets.rules, budgets.spending, prospects, budgets.book, options, budgets.metrics
        )


def budget_secrets(config: Config) -> tuple[str, ...]:
    """Every secret of budgets, for the redactor."""
    webhook = config.budgets.webhook
    return () if webhook is None else (webhook.secret.reveal(),)


def _webhook(config: BudgetsConfig, clock: Clock) -> Webhook | None:
    webhook = config.webhook
    if webhook is None:
        return None
    client = HttpClient(clock=clock, tls=client_tls())
    try:
        return Webhook(webhook.url, webhook.secret.reveal(), client, clock)
    except ValueError as error:
        raise InternalError(f"budgets.webhook.url cannot be used: {error}.") from error


def _names(config: Config) -> Mapping[str, str]:
    """The model's name for its aliases."""
    return {alias: model.name for model in config.models for alias in model.aliases}


def _rules(config: Config) -> Sequence[BudgetRule]:
    return [_rule(rule) for rule in config.budgets.rules]


def _rule(config: BudgetConfig) -> BudgetRule:
    return BudgetRule(
        name=config.name,
        period=Period(config.period),
        limit_nano_usd=config.limit_nano_usd,
        hard=config.enforcement == "hard",
        alert_at=config.alert_at,
        per=frozenset(Facet(name) for name in config.per),
        tenants=config.tenants,
        tiers=config.tiers,
        models=config.models,
    )
