"""`interlingua budgets`: money that may be spent, and how much of it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from interlingua.jsonform import to_json
from interlingua.v1.admin_service_pb2 import (
    Budget,
    BudgetEnforcement,
    BudgetPeriod,
    BudgetScope,
)
from interlingua_gateway.cli.connection import connected
from interlingua_gateway.cli.failure import MISUSED, CommandError
from interlingua_gateway.cli.options import Gateway
from interlingua_gateway.cli.text import write

NANO: Final = 10**9
BAR_WIDTH: Final = 20

_PERIODS: Final = {
    "day": BudgetPeriod.BUDGET_PERIOD_DAY,
    "week": BudgetPeriod.BUDGET_PERIOD_WEEK,
    "month": BudgetPeriod.BUDGET_PERIOD_MONTH,
    "total": BudgetPeriod.BUDGET_PERIOD_TOTAL,
}
_WORDS: Final = {number: word for word, number in _PERIODS.items()}


def put(
    gateway: Gateway,
    budget: str,
    *,
    limit_usd: str,
    period: str,
    soft: bool,
    alert_at: Sequence[float],
    scope: Mapping[str, str],
    as_json: bool,
) -> None:
    """Make or replace a budget, and write it. `scope` has a name, or an empty text, for tenant,
    project, key, user and model."""
    if period not in _PERIODS:
        raise CommandError(f"--period is one of {', '.join(_PERIODS)}", exit_code=MISUSED)
    wish = Budget(
        id=budget,
        scope=BudgetScope(
            tenant_id=scope["tenant"],
            project=scope["project"],
            api_key_id=scope["key"],
            user=scope["user"],
            model=scope["model"],
        ),
        period=_PERIODS[period],
        limit_nano_usd=_nano_usd(limit_usd),
        enforcement=(
            BudgetEnforcement.BUDGET_ENFORCEMENT_SOFT
            if soft
            else BudgetEnforcement.BUDGET_ENFORCEMENT_HARD
        ),
        alert_thresholds=alert_at,
    )
    with connected(gateway) as client:
        made = client.put_budget(wish)
    _show([made], as_json=as_json)


def show(gateway: Gateway, *, tenant: str, as_json: bool) -> None:
    """Write the budgets as a table, or as JSON (one line a budget)."""
    with connected(gateway) as client:
        found = client.budgets(tenant)
    _show(found, as_json=as_json)


def delete(gateway: Gateway, budget: str) -> None:
    """End a budget."""
    with connected(gateway) as client:
        client.delete_budget(budget)
    write(f"{budget} ended\n")


def _show(budgets: Sequence[Budget], *, as_json: bool) -> None:
    if as_json:
        for budget in budgets:
            write(to_json(budget) + "\n")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("budget", "of", "spent", "", "limit (USD)", "begins anew (UTC)"):
        right = heading in ("spent", "limit (USD)")
        table.add_column(heading, overflow="fold", justify="right" if right else "left")
    for budget in budgets:
        table.add_row(
            budget.id,
            _scope(budget),
            _usd(budget.spent_nano_usd),
            _bar(budget),
            _limit(budget),
            _resets(budget),
        )
    Console(highlight=False, markup=False).print(table)


def _scope(budget: Budget) -> str:
    scope = budget.scope
    named = {
        "tenant": scope.tenant_id,
        "project": scope.project,
        "key": scope.api_key_id,
        "user": scope.user,
        "model": scope.model,
    }
    return " ".join(f"{kind}:{name}" for kind, name in named.items() if name) or "everybody"


def _bar(budget: Budget) -> Text:
    """What is spent of the limit: green, yellow from the first alert on, red when it is over."""
    share = budget.spent_nano_usd / budget.limit_nano_usd
    filled = min(BAR_WIDTH, round(share * BAR_WIDTH))
    first = min(budget.alert_thresholds, default=1.0)
    colour = "green" if share < first else "yellow" if share < 1 else "red"
    bar = Text("█" * filled, style=colour)
    bar.append("░" * (BAR_WIDTH - filled), style="dim")
    return bar.append(f" {share:.0%}", style=colour)


def _limit(budget: Budget) -> str:
    soft = budget.enforcement == BudgetEnforcement.BUDGET_ENFORCEMENT_SOFT
    word = _WORDS.get(budget.period, "?")
    return f"{_usd(budget.limit_nano_usd)} {'in total' if word == 'total' else f'a {word}'}" + (
        ", soft" if soft else ""
    )


def _resets(budget: Budget) -> str:
    if not budget.HasField("resets_at"):
        return "never"
    return f"{budget.resets_at.ToDatetime():%Y-%m-%d %H:%M}"


def _usd(nano_usd: int) -> str:
    """To the cent, or where that says nothing, to the third digit that does."""
    usd = Decimal(nano_usd) / NANO
    return f"{usd:,.2f}" if usd == 0 or usd >= 1 else f"{usd:.3g}"


def _nano_usd(text: str) -> int:
    try:
        nano = Decimal(text) * NANO
    except InvalidOperation:
        nano = Decimal("nan")
    if not nano.is_finite() or nano != nano.to_integral_value() or nano <= 0:
        raise CommandError("--limit-usd is an amount above 0, such as 25 or 0.5", exit_code=MISUSED)
    return int(nano)
