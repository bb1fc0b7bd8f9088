"""Holds of every budget what a call can cost, and settles to what it did cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeAlias

import msgspec

from interlingua_gateway.core.budget import Hold, Pot, Prospect, Shortage, left
from interlingua_gateway.core.call import Call, Ending, Handler
from interlingua_gateway.core.ports_budget import Spending
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.core.types import CountRequest, EmbedRequest, GenerateRequest
from interlingua_gateway.policies.account import metered
from interlingua_gateway.policies.budget_errors import exceeded, not_known_yet, unpriced, warning
from interlingua_gateway.policies.budget_estimate import most_nano_usd
from interlingua_gateway.policies.budget_rules import BudgetRules
from interlingua_gateway.telemetry.budgets import BudgetMetrics

Prospects: TypeAlias = Callable[[Call], Prospect]
"""Where a call may go. Raises CallerError for one that can go nowhere."""


class Known(Protocol):
    """Whether what was spent earlier is known."""

    @property
    def complete(self) -> bool: ...


class BudgetOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`allow_unpriced`: calls of unknown price pass under a hard budget, and count nothing.
    `longest_output_tokens` are held where nothing else sets a limit."""

    allow_unpriced: bool = False
    longest_output_tokens: int = 16_384


class Budget:
    """Stands inside of whatever may answer for free, so that only what is paid for spends.

    All pots of a call are held together or not at all. A hard pot without enough room refuses; a
    soft one warns. However the call ends, what it has cost is settled then; where several calls
    share an answer, the one that asked first pays.
    """

    def __init__(
        self,
        rules: BudgetRules,
        spending: Spending,
        prospects: Prospects,
        known: Known,
        options: BudgetOptions,
        metrics: BudgetMetrics,
    ) -> None:
        self._rules = rules
        self._spending = spending
        self._prospects = prospects
        self._known = known
        self._options = options
        self._metrics = metrics

    async def __call__(self, call: Call, inner: Handler) -> Reply:
        request = call.request
        if isinstance(request, CountRequest):
            return await inner(call)
        pots = self._rules.pots(call)
        if not pots:
            return await inner(call)
        amount = self._most(call, request, pots)
        given = await self._spending.reserve(pots, amount)
        if isinstance(given, Shortage):
            self._metrics.refused(given.short[0][0])
            raise exceeded(given, amount)
        self._metrics.held(given, 1)
        call.defer(partial(self._settle, given))
        for pot, level in zip(given.pots, given.levels, strict=True):
            if not pot.hard and left(pot, level) < 0:
                call.warnings.append(warning(pot, level))
        return await metered(call, inner)

    def _most(
        self, call: Call, request: GenerateRequest | EmbedRequest, pots: Sequence[Pot]
    ) -> int:
        """What `call` can cost, in 1e-9 USD; 0 where that is not known and need not be."""
        prospect = self._prospects(call)
        hard = next((pot for pot in pots if pot.hard), None)
        if hard is not None and not self._known.complete:
            raise not_known_yet(hard)
        most = most_nano_usd(request, prospect.targets, self._options.longest_output_tokens)
        if most is None:
            if hard is not None and not self._options.allow_unpriced:
                self._metrics.refused(hard)
                raise unpriced(request.model, hard)
            return 0
        return 2 * most if prospect.twice else most

    def _settle(self, hold: Hold, call: Call, ending: Ending) -> None:
        self._metrics.held(hold, -1)
        self._spending.settle(hold, 0 if call.cost is None else call.cost.nano_usd)
