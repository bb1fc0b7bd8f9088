"""interlingua.v1.AdminService: budgets."""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import Final

from interlingua.v1 import admin_service_pb2 as pb2
from interlingua_gateway.core.budget import MOST_NANO_USD, BudgetStatus, Period, ScopedBudget
from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.ports_budget import Budgets
from interlingua_gateway.wire.grpc import admin_fields as fields
from interlingua_gateway.wire.grpc.encode import timestamp
from interlingua_gateway.wire.grpc.exchange import Exchange
from interlingua_gateway.wire.grpc.parse import parse

MOST_THRESHOLDS: Final = 20

_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_PERIODS: Final = {
    pb2.BUDGET_PERIOD_DAY: Period.DAY,
    pb2.BUDGET_PERIOD_WEEK: Period.WEEK,
    pb2.BUDGET_PERIOD_MONTH: Period.MONTH,
    pb2.BUDGET_PERIOD_TOTAL: Period.TOTAL,
}
_PERIOD_NUMBERS: Final = {period: number for number, period in _PERIODS.items()}
_HARD: Final = {
    pb2.BUDGET_ENFORCEMENT_UNSPECIFIED: True,
    pb2.BUDGET_ENFORCEMENT_HARD: True,
    pb2.BUDGET_ENFORCEMENT_SOFT: False,
}

_bad = CallerError.of_field


class BudgetMethods:
    """Makes, lists and ends budgets."""

    def __init__(self, budgets: Budgets) -> None:
        self._budgets = budgets

    async def put_budget(self, data: bytes, exchange: Exchange) -> bytes:
        """A budget, new or changed."""
        request = parse(pb2.PutBudgetRequest, data, fields.REQUEST_LIMIT_BYTES)
        wish = _wish(request.budget)
        exchange.subject = f"budget {wish.id}"
        status = await self._budgets.put(wish)
        return pb2.PutBudgetResponse(budget=_budget(status)).SerializeToString()

    async def list_budgets(self, data: bytes, exchange: Exchange) -> bytes:
        """A page of budgets."""
        pb = parse(pb2.ListBudgetsRequest, data, fields.REQUEST_LIMIT_BYTES)
        tenant = fields.name_in(pb.tenant_id, "tenant_id", needed=False)
        size = fields.page_size(pb.page_size)
        after = _place(pb.page_token)
        found = await self._budgets.statuses(tenant=tenant, after=after, limit=size + 1)
        shown = found[:size]
        return pb2.ListBudgetsResponse(
            budgets=[_budget(status) for status in shown],
            next_page_token=_token(shown[-1].budget.id) if len(found) > size else "",
        ).SerializeToString()

    async def delete_budget(self, data: bytes, exchange: Exchange) -> bytes:
        """Nothing, once the budget has ended."""
        pb = parse(pb2.DeleteBudgetRequest, data, fields.REQUEST_LIMIT_BYTES)
        budget = _id(pb.id, "id")
        exchange.subject = f"budget {budget}"
        await self._budgets.delete(budget)
        return pb2.DeleteBudgetResponse().SerializeToString()


def _wish(pb: pb2.Budget) -> ScopedBudget:
    if pb.period not in _PERIODS:
        raise _bad("budget.period", "must be a day, a week, a month or the total")
    if pb.enforcement not in _HARD:
        raise _bad("budget.enforcement", "must be hard or soft")
    if not 0 < pb.limit_nano_usd <= MOST_NANO_USD:
        raise _bad("budget.limit_nano_usd", f"must be 1 to {MOST_NANO_USD} (9 million USD)")
    scope = pb.scope
    return ScopedBudget(
        id=_id(pb.id, "budget.id"),
        period=_PERIODS[pb.period],
        limit_nano_usd=pb.limit_nano_usd,
        hard=_HARD[pb.enforcement],
        alert_at=_thresholds(pb),
        tenant=fields.name_in(scope.tenant_id, "budget.scope.tenant_id", needed=False),
        project=fields.text_in(scope.project, "budget.scope.project"),
        key=fields.text_in(scope.api_key_id, "budget.scope.api_key_id"),
        user=fields.text_in(scope.user, "budget.scope.user"),
        model=fields.text_in(scope.model, "budget.scope.model"),
    )


def _thresholds(pb: pb2.Budget) -> tuple[float, ...]:
    if len(pb.alert_thresholds) > MOST_THRESHOLDS:
        raise _bad("budget.alert_thresholds", f"at most {MOST_THRESHOLDS}")
    for index, share in enumerate(pb.alert_thresholds):
        if not (math.isfinite(share) and 0 < share <= 1):
            raise _bad(f"budget.alert_thresholds[{index}]", "must be above 0, and at most 1")
    return tuple(sorted(set(pb.alert_thresholds)))


def _id(text: str, field: str) -> str:
    if not _ID.fullmatch(text):
        raise _bad(field, "must be 1 to 63 lower-case letters, digits, `_` and `-`")
    return text


def _token(budget: str) -> str:
    """Ids of the configuration's budgets may hold anything that callers are named by."""
    return base64.urlsafe_b64encode(budget.encode()).decode()


def _place(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise _bad("page_token", "is not one that ListBudgets gave") from error


def _budget(status: BudgetStatus) -> pb2.Budget:
    budget = status.budget
    return pb2.Budget(
        id=budget.id,
        scope=pb2.BudgetScope(
            tenant_id=budget.tenant,
            project=budget.project,
            api_key_id=budget.key,
            user=budget.user,
            model=budget.model,
        ),
        period=_PERIOD_NUMBERS[budget.period],
        limit_nano_usd=budget.limit_nano_usd,
        enforcement=(pb2.BUDGET_ENFORCEMENT_HARD if budget.hard else pb2.BUDGET_ENFORCEMENT_SOFT),
        alert_thresholds=budget.alert_at,
        spent_nano_usd=status.spent_nano_usd,
        resets_at=None if status.resets_at_s is None else timestamp(status.resets_at_s),
    )
