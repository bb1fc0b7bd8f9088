"""What budgets are made of: rules, pots of money for a period, and what a call holds of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from interlingua_gateway.core.target import Target

NANO_PER_USD: Final = 10**9
MOST_NANO_USD: Final = 9 * 10**15
"""9 million USD: the largest limit, for a script of Redis counts exactly up to 2**53."""


class Facet(StrEnum):
    """What spending is told apart by; in the order in which a subject names it."""

    TENANT = "tenant"
    PROJECT = "project"
    KEY = "key"
    MODEL = "model"
    USER = "user"


WITHIN_TENANT: Final = frozenset({Facet.PROJECT, Facet.USER})
"""Their names say something within their tenant only."""


class Period(StrEnum):
    """Over which time a budget counts. Periods begin at midnight UTC, weeks on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"


class Span(msgspec.Struct, frozen=True):
    """One period: `name` such as `2026-11-21`, and seconds since the Unix epoch. It begins with
    `start_s`; `end_s`, which is not in it, is None where it never ends."""

    name: str
    start_s: float
    end_s: float | None


def span(period: Period, at_s: float) -> Span:
    """The period that holds `at_s`, in seconds since the Unix epoch."""
    if period is Period.TOTAL:
        return Span("total", 0.0, None)
    start = datetime.fromtimestamp(at_s, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period is Period.WEEK:
        start -= timedelta(days=start.weekday())
        end = start + timedelta(days=7)
    elif period is Period.MONTH:
        start = start.replace(day=1)
        end = (start + timedelta(days=31)).replace(day=1)
    else:
        end = start + timedelta(days=1)
    return Span(f"{period}:{start:%Y-%m-%d}", start.timestamp(), end.timestamp())


class BudgetRule(msgspec.Struct, frozen=True, kw_only=True):
    """Money for everybody together, or for each one of the facets `per`, in each period.

    It holds where all of the others match (names; `models` also patterns); None matches all.
    `alert_at` are shares of the limit in (0, 1]; a `hard` one refuses what does not fit.
    """

    name: str
    period: Period
    limit_nano_usd: int
    hard: bool = True
    alert_at: tuple[float, ...] = ()
    per: frozenset[Facet] = frozenset()
    tenants: frozenset[str] | None = None
    tiers: frozenset[str] | None = None
    projects: frozenset[str] | None = None
    keys: frozenset[str] | None = None
    users: frozenset[str] | None = None
    models: tuple[str, ...] | None = None


class Pot(msgspec.Struct, frozen=True, kw_only=True):
    """The money of one subject of a budget in one period; all amounts in 1e-9 USD.

    `key` is unique for these; `subject` says whose it is, such as `tenant:acme`, and `scope` says
    the same in single names; `thresholds` are the amounts at which an alert is due, rising.
    """

    key: str
    budget: str
    subject: str
    scope: tuple[tuple[Facet, str], ...] = ()
    period: Period
    limit_nano_usd: int
    hard: bool
    thresholds: tuple[int, ...]
    ends_at_s: float | None


class Level(msgspec.Struct, frozen=True):
    """What has become of a pot: spent, and held by calls that have not ended; 1e-9 USD."""

    spent_nano_usd: int = 0
    held_nano_usd: int = 0


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """What a call holds of each of `pots` until it is settled. `levels` are those of the pots with
    it; `lease` names it, and `origin` is for the store that gave it."""

    pots: tuple[Pot, ...]
    amount_nano_usd: int
    levels: tuple[Level, ...]
    lease: str
    origin: str = ""


class Shortage(msgspec.Struct, frozen=True):
    """Nothing was taken: in these hard pots too little is left. With what is left of each."""

    short: tuple[tuple[Pot, int], ...]


class Floor(msgspec.Struct, frozen=True):
    """What is known of a pot from elsewhere: it cannot have less spent than `spent_nano_usd`, and
    alerts up to the threshold `alerted_nano_usd` have been sent."""

    spent_nano_usd: int = 0
    alerted_nano_usd: int = 0


NO_FLOOR: Final = Floor()

FloorOf: TypeAlias = Callable[[str], Floor]
"""By the key of a pot."""


class Alert(msgspec.Struct, frozen=True):
    """A pot has reached a threshold."""

    pot: Pot
    threshold_nano_usd: int
    spent_nano_usd: int


OnAlert: TypeAlias = Callable[[Alert], None]


class ScopedBudget(msgspec.Struct, frozen=True, kw_only=True):
    """Money of one scope, put at runtime; empty fields of the scope mean any."""

    id: str
    period: Period
    limit_nano_usd: int
    hard: bool = True
    alert_at: tuple[float, ...] = ()
    tenant: str = ""
    project: str = ""
    key: str = ""
    user: str = ""
    model: str = ""

    @property
    def rule(self) -> BudgetRule:
        """The same as a rule: one pot for the whole scope."""
        return BudgetRule(
            name=self.id,
            period=self.period,
            limit_nano_usd=self.limit_nano_usd,
            hard=self.hard,
            alert_at=self.alert_at,
            tenants=_only(self.tenant),
            projects=_only(self.project),
            keys=_only(self.key),
            users=_only(self.user),
            models=(self.model,) if self.model else None,
        )


class BudgetStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A budget, what is spent of it in the current period (1e-9 USD), and when that ends: seconds
    since the Unix epoch, or None."""

    budget: ScopedBudget
    spent_nano_usd: int
    resets_at_s: float | None


class Spent(msgspec.Struct, frozen=True):
    """What a ledger says: values of the facets that a rule needs, and what was spent, 1e-9 USD."""

    values: Mapping[Facet, str]
    nano_usd: int


class Prospect(msgspec.Struct, frozen=True):
    """Where a call may go, and whether two of the targets may be paid for."""

    targets: tuple[Target, ...]
    twice: bool = False


def _only(name: str) -> frozenset[str] | None:
    return frozenset({name}) if name else None


def left(pot: Pot, level: Level) -> int:
    """What may still be held of `pot`, in 1e-9 USD; below 0 where it is overspent."""
    return pot.limit_nano_usd - level.spent_nano_usd - level.held_nano_usd


def crossed(pot: Pot, alerted_nano_usd: int, spent_nano_usd: int) -> tuple[int, ...]:
    """The thresholds between what has been told of and what is spent."""
    return tuple(t for t in pot.thresholds if alerted_nano_usd < t <= spent_nano_usd)
