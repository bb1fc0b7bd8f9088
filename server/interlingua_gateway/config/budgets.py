"""How much money may be spent, and who is told when it goes."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PlainSerializer, model_validator

from interlingua_gateway.config.fields import BaseUrl, Count, NamePattern
from interlingua_gateway.config.limits import Names
from interlingua_gateway.config.secret import Secret
from interlingua_gateway.config.section import Section
from interlingua_gateway.core.budget import NANO_PER_USD

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z")


def _budget_name(value: str) -> str:
    if not _NAME.match(value):
        raise ValueError("use up to 63 lower-case letters, digits, _ and - in the name of a budget")
    return value


Facets = Annotated[
    frozenset[Literal["tenant", "project", "key", "user", "model"]],
    PlainSerializer(sorted, return_type=list[str]),
]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
LimitUsd = Annotated[Decimal, Field(gt=0, le=9_000_000, decimal_places=9)]


class BudgetConfig(Section):
    """Money for everybody together, or for each tenant, project, key, user or model."""

    name: Annotated[str, AfterValidator(_budget_name)]
    """Names the budget in errors, alerts and metrics."""
    per: Facets = frozenset()
    """What has money of its own: each tenant, project and user (of a tenant), key, or model (as
    named by the caller, whatever the alias). Several make a budget for each combination; without
    any, all calls spend from one."""
    tenants: Names | None = None
    """Only calls of these tenants; by default all."""
    tiers: Names | None = None
    """Only calls of tenants of these tiers (with per tenant); by default all."""
    models: tuple[NamePattern, ...] | None = Field(default=None, min_length=1)
    """Only these models, names or patterns with a *; by default all."""
    period: Literal["day", "week", "month", "total"]
    """Over which time it counts. Periods begin at midnight UTC, weeks on Monday; total never ends.
    """
    limit_usd: LimitUsd
    """How much may be spent, in USD."""
    enforcement: Literal["hard", "soft"] = "hard"
    """hard: calls that may cost more than is left are refused. soft: they pass, with a warning."""
    alert_at: tuple[Share, ...] = (0.5, 0.8, 1.0)
    """Shares of the limit at which an alert is sent, once each a period."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.tiers is not None and "tenant" not in self.per:
            raise ValueError("tiers needs per: [tenant]")
        return self

    @property
    def limit_nano_usd(self) -> int:
        """`limit_usd` in 1e-9 USD, exactly."""
        return int(self.limit_usd * NANO_PER_USD)


class WebhookConfig(Section):
    """Where alerts are posted, as JSON."""

    url: BaseUrl
    """http:// or https:// URL."""
    secret: Secret
    """env:NAME or file:/path. Signs each post: the header interlingua-signature is `sha256=` and
    the hexadecimal HMAC-SHA256 of the header interlingua-timestamp, a dot and the body."""


class BudgetsConfig(Section):
    """How much money may be spent. AdminService and `interlingua budgets` can add to it."""

    rules: tuple[BudgetConfig, ...] = ()
    """All that match a call hold for it."""
    unpriced: Literal["refuse", "allow"] = "refuse"
    """What becomes of calls under a hard budget where one of the targets has no known price: they
    are refused, or pass and count nothing."""
    longest_output_tokens: Count = 16_384
    """Output in tokens that is held for a call where neither it nor its model sets a limit."""
    share_without_redis: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.1
    """Part of what is left of a hard budget that each gateway may still spend while Redis does not
    answer. 0 refuses all; up to 10 gateways with 0.1 spend no more than there is."""
    webhook: WebhookConfig | None = None
    """Where alerts are posted, beside the log."""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [rule.name for rule in self.rules]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two budgets have the name {name!r}")
        return self
