"""Limits of requests, tokens and concurrent calls, and the queue before them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PlainSerializer, model_validator

from interlingua_gateway.config.fields import Count, NamePattern, Seconds
from interlingua_gateway.config.section import Section, absent

_RULE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")

OF_CALLERS = frozenset({"tenant", "key", "user"})


def _rule_name(value: str) -> str:
    if not _RULE_NAME.match(value):
        raise ValueError("use lower-case letters, digits, _ and - in the name of a limit")
    return value


Weight = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
Names = Annotated[
    frozenset[str], PlainSerializer(sorted, return_type=list[str]), Field(min_length=1)
]
Dimensions = Annotated[
    frozenset[Literal["tenant", "key", "user", "model", "provider"]],
    PlainSerializer(sorted, return_type=list[str]),
]


class LimitConfig(Section):
    """Limits for everybody together, or for each tenant, key, user, model or provider."""

    name: Annotated[str, AfterValidator(_rule_name)]
    """Names the limit in errors and metrics."""
    per: Dimensions = frozenset()
    """What has a count of its own: each tenant, key, user (of a tenant), model (as named by the
    caller, whatever the alias) or, for attempts at upstreams, provider. Several make a count for
    each combination; without any, all calls are counted together."""
    tenants: Names | None = None
    """Only calls of these tenants; by default all."""
    tiers: Names | None = None
    """Only calls of tenants of these tiers; by default all."""
    models: tuple[NamePattern, ...] | None = Field(default=None, min_length=1)
    """Only these models, names or patterns with a *; by default all. With per provider they are the
    provider's own names."""
    providers: Names | None = None
    """Only attempts at these providers (with per provider); by default all."""
    requests_per_minute: Count | None = None
    """Requests a minute."""
    burst_requests: Count | None = None
    """Requests that may come at once; by default those of a minute."""
    tokens_per_minute: Count | None = None
    """Input and output tokens a minute: reserved by estimate, then corrected to what was used."""
    burst_tokens: Count | None = None
    """Tokens that may be taken at once; by default those of a minute. A call that needs more waits
    for all of them."""
    concurrent_requests: Count | None = None
    """Calls at once."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        sizes = (self.requests_per_minute, self.tokens_per_minute, self.concurrent_requests)
        if all(size is None for size in sizes):
            raise ValueError("give requests_per_minute, tokens_per_minute or concurrent_requests")
        if self.burst_requests is not None and self.requests_per_minute is None:
            raise ValueError("burst_requests needs requests_per_minute")
        if self.burst_tokens is not None and self.tokens_per_minute is None:
            raise ValueError("burst_tokens needs tokens_per_minute")
        of_upstream = "provider" in self.per
        if of_upstream and (self.per & OF_CALLERS or self.tenants or self.tiers):
            raise ValueError("an attempt at a provider has no tenant, tier, key or user")
        if not of_upstream and self.providers is not None:
            raise ValueError("providers needs per: [provider]")
        return self


class QueueConfig(Section):
    """Where calls wait for a limit, instead of being refused. Not for limits per provider."""

    max_waiting: Annotated[int, Field(ge=0, le=100_000)] = 0
    """Calls that may wait in this process; 0 refuses at once."""
    max_wait_s: Seconds = 30
    """Longest wait in seconds; an earlier deadline of the call goes before."""
    weights: Mapping[str, Weight] = Field(default_factory=dict)
    """Shares of tenants that wait at one priority; 1 for those that are not named."""


class LimitsConfig(Section):
    """How much may be asked."""

    rules: tuple[LimitConfig, ...] = ()
    """All that match a call hold for it."""
    expected_output_tokens: Count = 1000
    """Tokens of output that are reserved for a call that sets no limit."""
    queue: QueueConfig = Field(default_factory=absent)
    """Where calls wait."""
    when_redis_is_down: Literal["local", "open", "closed"] = "local"
    """local: each gateway limits on its own meanwhile. open: limits do not hold. closed: calls
    that have a limit are refused."""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [rule.name for rule in self.rules]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two limits have the name {name!r}")
        return self
