"""One Redis: bounded waits, one state for up and down, and a probe that brings it back."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import msgspec
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from interlingua_gateway.core.clock import Clock, Tasks, Timeout
from interlingua_gateway.core.errors import InternalError, PolicyError, Reason

PREFIX: Final = "{interlingua}:"
"""Opens every key. The braces keep all keys on one node of a cluster."""
FIRST_PROBE_S: Final = 0.1
LONGEST_PROBE_S: Final = 5.0
GRACE_S: Final = 0.05
RETRY_AFTER_S: Final = 1.0
MAX_CONNECTIONS: Final = 32

T = TypeVar("T")

log = logging.getLogger("interlingua.redis")


class RedisSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where Redis is; `timeout_s` bounds every wait for it, connecting included (to 50 ms).

    `ca_file` has the PEM certificates to trust instead of the system's; only for rediss://.
    """

    url: str
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None
    timeout_s: float = 0.25


class StoreDown(PolicyError):
    """Redis does not answer; who asked decides what that means."""

    def __init__(self) -> None:
        super().__init__(
            Reason.OVERLOADED,
            "The gateway's shared store does not answer. Send the call again a little later.",
            retry_after_s=RETRY_AFTER_S,
        )


class _Bound(Timeout):
    """A timeout that gives the loop `GRACE_S` to take in what has come before it gives up.

    When this process itself stood still, the answer is there and only waits to be read: that must
    not look like an outage of Redis.
    """

    __slots__ = ("_warned",)

    def __init__(self, clock: Clock, when: float) -> None:
        super().__init__(clock, when)
        self._warned = False

    def _fire(self) -> None:
        if self._warned:
            super()._fire()
            return
        self._warned = True
        self._timer = self._clock.call_at(self._clock.monotonic() + GRACE_S, self._fire)


class RedisLink:
    """The way to one Redis.

    The first failure or late answer takes it out of use: until a probe in the background (a write,
    with exponential backoff and jitter) succeeds, `do` fails at once and nothing is sent. Each
    change is logged once and told to those who `watch`.
    """

    def __init__(self, settings: RedisSettings, clock: Clock) -> None:
        self.up = True
        self._settings = settings
        self._clock = clock
        self._tasks = Tasks()
        self._watchers: list[Callable[[bool], None]] = []
        self._client = Redis(connection_pool=_pool(settings))

    def watch(self, watcher: Callable[[bool], None]) -> None:
        """Call `watcher(up)` after each change; it must not raise or block."""
        self._watchers.append(watcher)

    async def do(self, command: Callable[[Redis], Awaitable[T]]) -> T:
        """The result of `command` on the client.

        Raises:
            StoreDown: Redis is out of use, or was taken out of use by this command.
        """
        if not self.up:
            raise StoreDown
        try:
            return await self._bounded(command)
        except (RedisError, OSError) as error:
            self._lost(error)
            raise StoreDown from error

    async def aclose(self) -> None:
        """Close all connections and stop probing."""
        await self._tasks.aclose()
        await self._client.aclose()
        await self._client.connection_pool.disconnect()

    async def _bounded(self, command: Callable[[Redis], Awaitable[T]]) -> T:
        with _Bound(self._clock, self._clock.monotonic() + self._settings.timeout_s):
            return await command(self._client)

    def _lost(self, error: Exception) -> None:
        if not self.up:
            return
        fields = {"error": type(error).__name__, "why": str(error)}
        log.warning("Redis is out of use", extra={"fields": fields})
        self._change(up=False)
        self._tasks.start(self._probe(), "probe-redis")

    async def _probe(self) -> None:
        delay_s = FIRST_PROBE_S
        while True:
            await self._clock.sleep(delay_s * (0.5 + self._clock.random() / 2))
            try:
                await self._bounded(_write)
            except (RedisError, OSError):
                delay_s = min(2 * delay_s, LONGEST_PROBE_S)
            else:
                break
        log.warning("Redis is in use again")
        self._change(up=True)

    def _change(self, *, up: bool) -> None:
        self.up = up
        for watcher in self._watchers:
            watcher(up)


async def _write(client: Redis) -> None:
    """A replica, or a server that is full or still loading, refuses it."""
    await client.set(PREFIX + "probe", 1, ex=60)


def _pool(settings: RedisSettings) -> BlockingConnectionPool:
    """Connections without timeouts and retries of their own: `RedisLink` bounds and retries."""
    trust = {} if settings.ca_file is None else {"ssl_ca_certs": settings.ca_file}
    try:
        return BlockingConnectionPool.from_url(
            settings.url,
            **trust,
            username=settings.username,
            password=settings.password,
            max_connections=MAX_CONNECTIONS,
            timeout=None,
            socket_timeout=None,
            socket_connect_timeout=None,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
    except ValueError as error:
        raise InternalError("redis.url is not an address of a Redis.") from error
