"""Keeps answers in Redis, where several gateways find them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from redis.asyncio import Redis

from interlingua_gateway.core.clock import Clock, Tasks
from interlingua_gateway.core.errors import PolicyError
from interlingua_gateway.store.redis.connection import PREFIX, RedisLink

LONGEST_TTL_S: Final = 10 * 365 * 86_400.0
MAX_WRITES: Final = 256
"""Writes that may wait at once; more are dropped, so that a slow Redis does not fill the memory."""
REMOVED_AT_ONCE: Final = 500


class RedisBlobs:
    """Implements core.ports.Blobs; the memory is bounded by Redis itself (`maxmemory`).

    A label is a sorted set of keys by the time at which they end; what has ended is taken out
    whenever something is added.
    """

    def __init__(self, link: RedisLink, clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._writes = Tasks()

    async def get(self, key: str) -> bytes | None:
        """What was put under `key`; nothing while Redis is out of use."""

        async def read(client: Redis) -> bytes | None:
            found = await client.get(_blob(key))
            return found if isinstance(found, bytes) else None

        try:
            return await self._link.do(read)
        except PolicyError:
            return None

    def put(self, key: str, value: bytes, ttl_s: float, labels: Sequence[str]) -> None:
        """Write `value` in the background; it is dropped while Redis is out of use."""
        if self._link.up and len(self._writes) < MAX_WRITES:
            ttl_ms = max(1, round(min(ttl_s, LONGEST_TTL_S) * 1000))
            self._writes.start(self._write(key, value, ttl_ms, labels), "write-blob")

    async def remove(self, label: str) -> int:
        """Remove everything with `label`; see core.ports.Blobs."""
        removed = 0
        while True:
            taken, gone = await self._link.do(lambda client: self._take(client, label))
            removed += gone
            if not taken:
                return removed

    async def settled(self) -> None:
        """Wait until everything that was put is written or dropped."""
        await self._writes.joined()

    async def aclose(self) -> None:
        """Drop what is not written yet."""
        await self._writes.aclose()

    async def _write(self, key: str, value: bytes, ttl_ms: int, labels: Sequence[str]) -> None:
        now_ms = round(self._clock.time() * 1000)

        async def write(client: Redis) -> None:
            pipeline = client.pipeline(transaction=True)
            for label in dict.fromkeys(labels):
                name = _label(label)
                pipeline.zremrangebyscore(name, "-inf", now_ms)
                pipeline.zadd(name, {_blob(key): now_ms + ttl_ms})
                # Lives as long as its longest member: set where none is set, then only prolonged.
                pipeline.pexpire(name, ttl_ms, nx=True)
                pipeline.pexpire(name, ttl_ms, gt=True)
            pipeline.set(_blob(key), value, px=ttl_ms)
            await pipeline.execute()

        try:
            await self._link.do(write)
        except PolicyError:
            return

    async def _take(self, client: Redis, label: str) -> tuple[int, int]:
        """Remove some members of `label`: how many it had, and how many were still there."""
        name = _label(label)
        members = await client.zrange(name, 0, REMOVED_AT_ONCE - 1)
        if not members:
            return 0, 0
        pipeline = client.pipeline(transaction=True)
        pipeline.unlink(*members)
        pipeline.zrem(name, *members)
        gone, _ = await pipeline.execute()
        return len(members), gone


def _blob(key: str) -> str:
    return f"{PREFIX}blob:{key}"


def _label(label: str) -> str:
    return f"{PREFIX}label:{label}"
