"""What this process knows of the budgets in the database: a copy, and what was spent before it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from interlingua_gateway.core.budget import (
    NO_FLOOR,
    Alert,
    BudgetRule,
    Floor,
    Pot,
    ScopedBudget,
    Spent,
    span,
)
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.core.ports_budget import BudgetStore
from interlingua_gateway.policies.budget_rules import BudgetRules

POLL_S: Final = 2.0
FIRST_SUM_S: Final = 2.0
RAREST_SUM_S: Final = 600.0
"""Sums are read again after 2 s, for what an earlier process left in its spool, or what was open
when a budget was put; and then ever more rarely: the counters know better, unless they have lost
their memory."""
MAX_ALERTS: Final = 1000

Steady: TypeAlias = Callable[[], bool]
"""Whether every cost that may be in the ledger has had the time to reach the counters."""

log = logging.getLogger("interlingua.budget")


class BudgetBook:
    """Keeps `rules` as the database has them, and for each pot the least that it has spent.

    `complete` is False while there is a database that has not been read yet; `budgets` are those
    that were put at runtime.
    """

    def __init__(self, rules: BudgetRules, steady: Steady, clock: Clock, *, empty: bool) -> None:
        """`empty`: there is no database, or nothing in it yet."""
        self._rules = rules
        self._steady = steady
        self._clock = clock
        self._known = asyncio.Event()
        if empty:
            self._known.set()
        self._revision = 0
        self._floors: dict[str, Floor] = {}
        self._pots: dict[str, Pot] = {}
        self._untold: list[Alert] = []
        self.budgets: tuple[ScopedBudget, ...] = ()
        self._turn = asyncio.Lock()
        self._sum_at_s = 0.0
        self._pause_s = FIRST_SUM_S
        self._failing = False

    @property
    def complete(self) -> bool:
        """Whether everything was read that there was at the start."""
        return self._known.is_set()

    async def known(self) -> None:
        """Wait until it is."""
        await self._known.wait()

    def floor_of(self, key: str) -> Floor:
        """What is known of the pot `key`."""
        return self._floors.get(key, NO_FLOOR)

    @property
    def pots(self) -> Sequence[Pot]:
        """Those of which the ledger has spending, in their current periods."""
        return tuple(self._pots.values())

    def alerted(self, alert: Alert) -> None:
        """Remember in the database that `alert` was sent."""
        if len(self._untold) < MAX_ALERTS:
            self._untold.append(alert)

    async def follow(self, store: BudgetStore) -> None:
        """Read `store` every two seconds; while it does not answer, what is known stays."""
        while True:
            try:
                await self.read(store)
            except GatewayError as error:
                if not self._failing:
                    fields = {"error": error.message}
                    log.warning("budgets cannot be read", extra={"fields": fields})
                self._failing = True
            else:
                self._failing = False
            await self._clock.sleep(POLL_S)

    async def read(self, store: BudgetStore) -> None:
        """Take over what is new in `store`, and tell it of alerts.

        Raises:
            GatewayError: it does not answer; what was known stays.
        """
        async with self._turn:
            await self._tell(store)
            changed = await store.changed(self._revision)
            if changed is not None:
                # Calls that are open hold nothing of a new budget: the next sums show their costs.
                self._sum_at_s, self._pause_s = self._clock.monotonic(), FIRST_SUM_S
            due = self._clock.monotonic() >= self._sum_at_s and self._steady()
            if changed is None and self.complete and not due:
                return
            found = self.budgets if changed is None else _free(changed[1], self._rules)
            rules = [*self._rules.configured, *(budget.rule for budget in found)]
            if due or not self.complete:
                await self._sum(store, rules)
            if changed is not None:
                self._revision, self.budgets = changed[0], found
                self._rules.replace(rules[len(self._rules.configured) :])
            self._known.set()

    async def prepare(self, store: BudgetStore, configured: Sequence[BudgetRule]) -> None:
        """Learn what was spent of `configured`, which are about to become the configuration's.

        Raises:
            GatewayError: the store does not answer; what was known stays.
        """
        async with self._turn:
            if not self._steady():
                return  # the next sums tell
            taken = {rule.name for rule in configured}
            others = (*self._rules.configured, *(budget.rule for budget in self.budgets))
            kept = [rule for rule in others if rule.name not in taken]
            await self._sum(store, [*configured, *kept])

    def configured(self) -> None:
        """The rules of the configuration are others now: all is read again soon, for names may have
        become free, and calls that are open hold nothing of a new budget."""
        self.budgets = _free(self.budgets, self._rules)
        self._revision = 0
        self._sum_at_s, self._pause_s = self._clock.monotonic(), FIRST_SUM_S

    async def _tell(self, store: BudgetStore) -> None:
        told = self._untold[:]
        if told:
            await store.tell(told, self._clock.time())
            del self._untold[: len(told)]

    async def _sum(self, store: BudgetStore, rules: Sequence[BudgetRule]) -> None:
        if rules:
            alerted = await store.alerted()
            now_s = self._clock.time()
            wanted = [(rule, span(rule.period, now_s).start_s) for rule in rules]
            self._take(alerted, rules, await store.spent(wanted))
        self._sum_at_s = self._clock.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, RAREST_SUM_S)

    def _take(
        self,
        alerted: Mapping[str, int],
        rules: Sequence[BudgetRule],
        spent: Sequence[Sequence[Spent]],
    ) -> None:
        sums: dict[str, int] = {}
        pots: dict[str, Pot] = {}
        for rule, rows in zip(rules, spent, strict=True):
            for row in rows:
                pot = self._rules.located(rule, row.values)
                if pot is not None:
                    sums[pot.key] = sums.get(pot.key, 0) + row.nano_usd
                    pots[pot.key] = pot
        self._pots = pots
        self._floors = {
            key: Floor(sums.get(key, 0), alerted.get(key, 0))
            for key in sums.keys() | alerted.keys()
        }


def _free(budgets: Sequence[ScopedBudget], rules: BudgetRules) -> tuple[ScopedBudget, ...]:
    """Those whose name the configuration has not taken since."""
    taken = {rule.name for rule in rules.configured}
    return tuple(budget for budget in budgets if budget.id not in taken)
