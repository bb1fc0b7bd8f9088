"""The protocols through which budgets, where they are kept and who changes them meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from interlingua_gateway.core.budget import (
    Alert,
    BudgetRule,
    BudgetStatus,
    Hold,
    Level,
    Pot,
    ScopedBudget,
    Shortage,
    Spent,
)


class Spending(Protocol):
    """Keeps what is spent of pots, and what is held of them."""

    async def reserve(self, pots: Sequence[Pot], amount_nano_usd: int) -> Hold | Shortage:
        """Hold `amount_nano_usd` of all pots or of none, in one step; soft pots never refuse. A
        cancelled call holds nothing.

        Raises:
            PolicyError: OVERLOADED; nothing is known of a hard pot now.
        """
        ...

    def settle(self, hold: Hold, cost_nano_usd: int) -> None:
        """The call has cost that much. To be called once for each hold; it does not wait."""
        ...

    async def levels(self, pots: Sequence[Pot]) -> Sequence[Level]:
        """What has become of each, as far as it is known here."""
        ...

    @property
    def steady(self) -> bool:
        """Whether every cost that a ledger may know of has had the time to get here."""
        ...


class Budgets(Protocol):
    """The budgets that are in force, and how those of the database are changed."""

    async def put(self, budget: ScopedBudget) -> BudgetStatus:
        """Make `budget`, or replace the one of its id; what was spent stays spent.

        Raises:
            CallerError: INVALID_REQUEST; the id belongs to the configuration.
            GatewayError: STORE_UNAVAILABLE; the database does not answer.
        """
        ...

    async def delete(self, budget: str) -> None:
        """End the budget of that id. Raises as `put` does, and CallerError RESOURCE_NOT_FOUND."""
        ...

    async def statuses(self, *, tenant: str, after: str, limit: int) -> Sequence[BudgetStatus]:
        """Up to `limit` by id, those after the id `after`; of `tenant`, or of all if it is empty.

        A budget of the configuration appears once for each of those whose money it is, as far as
        they have spent; its id then has their names behind its own.
        """
        ...


class BudgetStore(Protocol):
    """The database: budgets put at runtime, what was spent, alerts that were sent.

    Every method raises GatewayError STORE_UNAVAILABLE where it does not answer.
    """

    async def changed(self, since: int) -> tuple[int, Sequence[ScopedBudget]] | None:
        """The revision and all budgets, or None if nothing is newer than revision `since`."""
        ...

    async def put(self, budget: ScopedBudget) -> None:
        """Keep `budget` in the place of what is known under its id."""
        ...

    async def delete(self, budget: str) -> bool:
        """Forget the budget of that id; whether there was one."""
        ...

    async def spent(self, wanted: Sequence[tuple[BudgetRule, float]]) -> Sequence[Sequence[Spent]]:
        """For each rule, what calls that may match it have spent since midnight UTC of that time
        (seconds since the Unix epoch). Patterns of models and tiers are not looked at."""
        ...

    async def alerted(self) -> Mapping[str, int]:
        """The highest threshold (1e-9 USD) that was told of, by key of the pot."""
        ...

    async def tell(self, alerts: Sequence[Alert], now_s: float) -> None:
        """Keep that `alerts` were sent; forget those of pots that ended before `now_s`."""
        ...
