"""What callers are told of budgets."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from interlingua_gateway.core.budget import NANO_PER_USD, Level, Period, Pot, Shortage
from interlingua_gateway.core.call import Warned
from interlingua_gateway.core.errors import PolicyError, Reason, Violation

UNKNOWN_RETRY_S: Final = 1.0

_PERIODS: Final = {
    Period.DAY: "a day",
    Period.WEEK: "a week",
    Period.MONTH: "a month",
    Period.TOTAL: "in total",
}


def exceeded(shortage: Shortage, needed_nano_usd: int) -> PolicyError:
    """Too little is left for a call that may cost `needed_nano_usd`."""
    pot, rest = shortage.short[0]
    if rest <= 0:
        text = f"{_said(pot)} is spent."
        advice = f" It begins anew at {_date(pot)}." if pot.ends_at_s is not None else ""
    else:
        text = (
            f"{_said(pot)} has {usd(rest)} USD left, and this call may cost up to "
            f"{usd(needed_nano_usd)} USD."
        )
        advice = " Set a lower max_output_tokens, shorten the request or choose a cheaper model"
        advice += f", or wait until {_date(pot)}." if pot.ends_at_s is not None else "."
    metadata = {
        "budget": pot.budget,
        "subject": pot.subject,
        "period": str(pot.period),
        "left_nano_usd": str(max(0, rest)),
        "needed_nano_usd": str(needed_nano_usd),
    }
    if pot.ends_at_s is not None:
        metadata["resets_at"] = _date(pot)
    return PolicyError(
        Reason.BUDGET_EXCEEDED,
        text + advice,
        violations=tuple(_violation(one, room) for one, room in shortage.short),
        metadata=metadata,
    )


def unpriced(model: str, pot: Pot) -> PolicyError:
    """A hard budget cannot hold for a model that costs nobody knows what."""
    return PolicyError(
        Reason.BUDGET_EXCEEDED,
        f"The price of `{model}` is not known, so that {_said(pot, start='the')} cannot hold for "
        "it. Give its targets a price in the configuration of the gateway (0 if they are free), or "
        "set budgets.unpriced to allow.",
        violations=(Violation(pot.subject, f"budget `{pot.budget}` needs a known price"),),
        metadata={"budget": pot.budget, "subject": pot.subject, "cause": "unpriced"},
    )


def not_known_yet(pot: Pot) -> PolicyError:
    """What was spent before this gateway started has not been read yet."""
    return PolicyError(
        Reason.STORE_UNAVAILABLE,
        f"The gateway does not know yet what is spent of {_said(pot, start='the')}. Send the call "
        "again a little later.",
        retry_after_s=UNKNOWN_RETRY_S,
        metadata={"budget": pot.budget},
    )


def warning(pot: Pot, level: Level) -> Warned:
    """A soft budget is spent, or may be by this call."""
    spent = f"{usd(level.spent_nano_usd)} USD are spent"
    return Warned("budget", f"{_said(pot)} is only a warning: {spent}.")


def usd(nano_usd: int) -> str:
    """Such as `12.5`, exactly."""
    text = f"{Decimal(nano_usd) / NANO_PER_USD:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _said(pot: Pot, start: str = "The") -> str:
    period = _PERIODS[pot.period]
    return (
        f"{start} budget `{pot.budget}` of {usd(pot.limit_nano_usd)} USD {period} for "
        f"`{pot.subject}`"
    )


def _date(pot: Pot) -> str:
    return datetime.fromtimestamp(pot.ends_at_s or 0.0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _violation(pot: Pot, rest: int) -> Violation:
    ends = "" if pot.ends_at_s is None else f", begins anew at {_date(pot)}"
    return Violation(
        pot.subject,
        f"budget `{pot.budget}`: {usd(pot.limit_nano_usd)} USD {_PERIODS[pot.period]}, "
        f"{usd(max(0, rest))} USD left{ends}",
    )
