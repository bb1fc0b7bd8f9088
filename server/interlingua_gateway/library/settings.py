"""Limits and circuit breakers as programs set them while the gateway runs."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from interlingua_gateway.config.limits import LimitConfig, LimitsConfig, QueueConfig
from interlingua_gateway.core.errors import CallerError

MAX_WAITING = 1000
"""Calls that may wait where queuing is enabled."""


class RateLimitConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of each tenant, of one tenant, or of the attempts at one provider.

    `burst` requests may come at once, by default those of a minute. With `enable_queuing` calls
    wait for up to `queue_timeout` seconds instead of being refused.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    enable_queuing: bool = False
    queue_timeout: float = 30.0
    burst: int | None = None


class CircuitBreakerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment that fails `failure_threshold` times in a row rests for `timeout` seconds;
    `success_threshold` successes after that close its circuit."""

    failure_threshold: int = 5
    success_threshold: int = 2
    timeout: float = 60.0


class Whom(msgspec.Struct, frozen=True):
    """Whom a limit is for: a tenant, a provider, or every tenant where both are None."""

    tenant: str | None = None
    provider: str | None = None


def limits_of(before: LimitsConfig, given: Mapping[Whom, RateLimitConfig]) -> LimitsConfig:
    """The limits of the configuration with those that the program has given.

    Raises:
        CallerError: INVALID_REQUEST, a limit cannot be.
    """
    rules = tuple(_rule(f"program-{i}", whom, one) for i, (whom, one) in enumerate(given.items()))
    queuing = [one for one in given.values() if one.enable_queuing]
    queue = before.queue
    if queuing:
        queue = QueueConfig(
            max_waiting=max(MAX_WAITING, queue.max_waiting),
            max_wait_s=max(one.queue_timeout for one in queuing),
            weights=queue.weights,
        )
    return before.model_copy(update={"rules": (*before.rules, *rules), "queue": queue})


def _rule(name: str, whom: Whom, given: RateLimitConfig) -> LimitConfig:
    if whom.provider is not None and given.enable_queuing:
        raise CallerError.of_field(
            "enable_queuing", "calls do not queue for a provider; its limits send them elsewhere"
        )
    try:
        return LimitConfig(
            name=name,
            per=frozenset({"tenant" if whom.provider is None else "provider"}),
            tenants=None if whom.tenant is None else frozenset({whom.tenant}),
            providers=None if whom.provider is None else frozenset({whom.provider}),
            requests_per_minute=given.requests_per_minute,
            burst_requests=given.burst,
            tokens_per_minute=given.tokens_per_minute,
        )
    except ValueError as error:
        first = str(error).partition("[type=")[0].splitlines()[-1].strip()
        raise CallerError.of_field("rate_limit", first.removeprefix("Value error, ")) from error
