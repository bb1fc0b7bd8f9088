"""Opens what outlives a call: the memory of the process, or the Redis that gateways share."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.budget import FloorOf, OnAlert
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import InternalError
from interlingua_gateway.core.ports import Blobs, Counters
from interlingua_gateway.core.ports_budget import Spending
from interlingua_gateway.core.quota import WhenDown
from interlingua_gateway.store.memory_blobs import MemoryBlobs
from interlingua_gateway.store.memory_budgets import MemorySpending
from interlingua_gateway.store.memory_counters import MemoryCounters

if TYPE_CHECKING:
    from types import ModuleType

    from interlingua_gateway.store.redis.blobs import RedisBlobs
    from interlingua_gateway.store.redis.budgets import RedisSpending
    from interlingua_gateway.store.redis.connection import RedisLink
    from interlingua_gateway.store.redis.counters import RedisCounters


class Stores:
    """`link` is the way to Redis where one is configured. Its library is imported only then."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self.link: RedisLink | None = _link(config, clock)
        self._shared: RedisBlobs | None = None
        if self.link is not None and config.cache.store == "redis":
            self._shared = _redis("blobs").RedisBlobs(self.link, clock)
        self.blobs: Blobs = (
            MemoryBlobs(config.cache.max_bytes, clock) if self._shared is None else self._shared
        )

        self._counted = _shared_counters(config, self.link, clock)
        self._spending: RedisSpending | None = None
        self._clock = clock
        self.counters: Counters = self._counted or MemoryCounters(clock)

    def spending(self, share: float, floor_of: FloorOf, on_alert: OnAlert) -> Spending:
        """Where spending is counted, by all gateways that use the Redis; closed with the stores.

        To be asked for once. `share` is that of RedisSpending.
        """
        if self.link is None:
            return MemorySpending(floor_of, on_alert, self._clock)
        made = _redis("budgets").RedisSpending(self.link, share, floor_of, on_alert, self._clock)
        self._spending = cast("RedisSpending", made)
        return self._spending

    def configure(self, config: Config) -> None:
        """From now on counters do what `config` says while Redis is away."""
        if self._counted is not None:
            self._counted.when_down = WhenDown(config.limits.when_redis_is_down)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._spending is not None:
            await self._spending.aclose()
        if self._counted is not None:
            await self._counted.aclose()
        if self._shared is not None:
            await self._shared.aclose()
        if self.link is not None:
            await self.link.aclose()


def store_secrets(config: Config) -> tuple[str, ...]:
    """Every secret of the stores, for the redactor."""
    password = config.redis.password if config.redis is not None else None
    return () if password is None else (password.reveal(),)


async def redis_version(config: Config, clock: Clock) -> str:
    """The version of the configured Redis, such as `7.2.4`.

    Raises:
        GatewayError: it does not answer in time, or its library is missing. Where Redis said why,
            that is the cause.
    """
    link = _link(config, clock)
    assert link is not None, "only where Redis is configured"
    try:
        facts = await link.do(lambda client: client.info("server"))
    finally:
        await link.aclose()
    return str(facts["redis_version"])


def _link(config: Config, clock: Clock) -> RedisLink | None:
    if config.redis is None:
        return None
    module = _redis("connection")
    password = config.redis.password
    settings = module.RedisSettings(
        url=config.redis.url,
        username=config.redis.username,
        password=None if password is None else password.reveal(),
        ca_file=None if config.redis.ca_file is None else str(config.redis.ca_file),
        timeout_s=config.redis.timeout_s,
    )
    return cast("RedisLink", module.RedisLink(settings, clock))


def _shared_counters(config: Config, link: RedisLink | None, clock: Clock) -> RedisCounters | None:
    if link is None:
        return None
    when_down = WhenDown(config.limits.when_redis_is_down)
    counters = _redis("counters").RedisCounters(link, when_down, clock)
    return cast("RedisCounters", counters)


def _redis(name: str) -> ModuleType:
    try:
        return import_module(f"interlingua_gateway.store.redis.{name}")
    except ModuleNotFoundError as error:
        raise InternalError(
            "Redis is configured, but its library is missing: install interlingua-gateway[redis]."
        ) from error
