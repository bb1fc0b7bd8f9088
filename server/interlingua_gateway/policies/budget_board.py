"""Shows budgets, and changes those that are kept in the database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from interlingua_gateway.core.budget import BudgetStatus, Facet, Pot, ScopedBudget
from interlingua_gateway.core.errors import CallerError, Reason, Resource
from interlingua_gateway.core.ports_budget import BudgetStore, Spending
from interlingua_gateway.policies.budget_book import BudgetBook
from interlingua_gateway.policies.budget_rules import BudgetRules

OpenStore: TypeAlias = Callable[[], Awaitable[BudgetStore]]


class BudgetBoard:
    """Implements Budgets. A change is in force here at once, at other gateways in two seconds."""

    def __init__(
        self, rules: BudgetRules, book: BudgetBook, spending: Spending, open_store: OpenStore
    ) -> None:
        self._rules = rules
        self._book = book
        self._spending = spending
        self._open_store = open_store

    async def put(self, budget: ScopedBudget) -> BudgetStatus:
        """Make or replace; see Budgets."""
        self._refuse_configured(budget.id)
        store = await self._open_store()
        await store.put(budget)
        await self._book.read(store)
        (status,) = await self._shown([(budget, self._rules.pot(budget.rule, {}))])
        return status

    async def delete(self, budget: str) -> None:
        """End; see Budgets."""
        self._refuse_configured(budget)
        store = await self._open_store()
        if not await store.delete(budget):
            raise CallerError(
                Reason.RESOURCE_NOT_FOUND,
                f"There is no budget `{budget}`. ListBudgets shows what there is.",
                resource=Resource("budget", budget),
            )
        await self._book.read(store)

    async def statuses(self, *, tenant: str, after: str, limit: int) -> Sequence[BudgetStatus]:
        """A page; see Budgets."""
        rows = [(budget, self._rules.pot(budget.rule, {})) for budget in self._book.budgets]
        rows += [(_as_scoped(pot), pot) for pot in self._configured()]
        chosen = [
            (budget, pot)
            for budget, pot in sorted(rows, key=lambda row: row[0].id)
            if budget.id > after and tenant in ("", budget.tenant)
        ]
        return await self._shown(chosen[:limit])

    def _configured(self) -> Sequence[Pot]:
        """The pots of the configuration of which anything has been seen."""
        names = {rule.name for rule in self._rules.configured}
        whole = [self._rules.pot(rule, {}) for rule in self._rules.configured if not rule.per]
        pots = (*whole, *self._rules.known(), *self._book.pots)
        return tuple({pot.key: pot for pot in pots if pot.budget in names}.values())

    async def _shown(self, rows: Sequence[tuple[ScopedBudget, Pot]]) -> Sequence[BudgetStatus]:
        levels = await self._spending.levels([pot for _, pot in rows])
        return [
            BudgetStatus(
                budget=budget, spent_nano_usd=level.spent_nano_usd, resets_at_s=pot.ends_at_s
            )
            for (budget, pot), level in zip(rows, levels, strict=True)
        ]

    def _refuse_configured(self, budget: str) -> None:
        if any(rule.name == budget for rule in self._rules.configured):
            raise CallerError.of_field(
                "budget.id", f"`{budget}` is a budget of the configuration: change it there"
            )


def _as_scoped(pot: Pot) -> ScopedBudget:
    """A pot of the configuration as it is shown."""
    names = dict(pot.scope)
    return ScopedBudget(
        id=pot.budget if pot.subject == "gateway" else f"{pot.budget} {pot.subject}",
        period=pot.period,
        limit_nano_usd=pot.limit_nano_usd,
        hard=pot.hard,
        alert_at=tuple(t / pot.limit_nano_usd for t in pot.thresholds),
        tenant=names.get(Facet.TENANT, ""),
        project=names.get(Facet.PROJECT, ""),
        key=names.get(Facet.KEY, ""),
        user=names.get(Facet.USER, ""),
        model=names.get(Facet.MODEL, ""),
    )
